use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
};

use futures_util::future::join_all;
use http::HeaderMap;
use qc_engine::{
    Accepted, AmqpTrigger, Announced, Deployment, Does, EngineError, Incoming, MessageForm,
    Refusal, Terms, Trigger, TriggerKind,
};
use qc_model::{Actor, Event, TenantName, Timestamp};
use qc_version::Spoken;

use super::{
    cloudevents::Sent, hops, ids, key, media::Media, priority, sender::Sender, trace,
    version::Speech,
};
use crate::{PointedError, Problem, State, codes, limits::Asked, usage::Form};

/// One request at one trigger, whose sender is known.
pub(super) struct Door<'a> {
    pub(super) state: &'a State,
    pub(super) trigger: &'a Trigger,
    pub(super) headers: &'a HeaderMap,
    pub(super) received_at: Timestamp,
    pub(super) deployment: &'a Arc<Deployment>,
    /// Which version of the contract is spoken here.
    pub(super) spoken: Speech<'a>,
    pub(super) actor: Actor,
    /// What was asked of the limits last.
    pub(super) asked: Mutex<Option<Asked>>,
    /// Which limits counted a tenant's events in their lesser way.
    pub(super) lesser: Mutex<BTreeMap<TenantName, Vec<usize>>>,
}

impl<'a> Door<'a> {
    pub(super) fn new(
        state: &'a State,
        deployment: &'a Arc<Deployment>,
        trigger: &'a Trigger,
        headers: &'a HeaderMap,
        sender: impl Into<Sender>,
    ) -> Self {
        let received_at = state.clock.now();
        let Sender { actor, name } = sender.into();
        let spoken = Speech::by(name, &actor);
        let (asked, lesser) = (Mutex::default(), Mutex::default());
        Self { state, trigger, headers, received_at, deployment, spoken, actor, asked, lesser }
    }

    /// At an address that says a version.
    pub(super) fn at(mut self, version: Option<&'a str>) -> Self {
        self.spoken.address = version;
        self
    }

    /// The `source` of events that are wrapped here: the trigger's own address.
    pub(super) fn source(&self) -> String {
        let Deployment { environment, release, .. } = &**self.deployment;
        format!("/in/{environment}/{}/{}", release.integration, self.trigger.name)
    }

    /// Accepts one event: tenant, key, limits, contract, then the engine's one commit.
    pub(super) async fn accept(
        &self,
        sent: Sent,
        sender_id: Option<String>,
    ) -> Result<Taken, Problem> {
        let mut judged = self.judge(sent, sender_id, "")?;
        let _places = self.admit(&mut [&mut judged]).await?;
        Ok(self.take(self.fit(judged).await?).await?)
    }

    /// The engine's one commit: the event's run, or the event on the bus, or both.
    async fn take(&self, judged: Fit) -> Result<Taken, EngineError> {
        let engine = &self.state.engine;
        let (incoming, form) = match judged {
            Fit::Known(taken) => return Ok(taken),
            Fit::Taken(incoming, form) => (*incoming, form),
        };
        let (version, tenant) = (incoming.version.clone(), incoming.tenant.clone());
        let terms = incoming.terms.clone();
        let taken = match self.trigger.does {
            Does::Publish => engine.publish(self.deployment, incoming).await.map(Taken::Event),
            Does::Start | Does::Both => {
                engine.accept(self.deployment, incoming).await.map(|accepted| match accepted {
                    // It stands on the terms of the first one.
                    Accepted::Repeat { .. } => Taken::Run(accepted, Terms::default()),
                    Accepted::New { .. } => Taken::Run(accepted, terms),
                })
            }
        };
        if taken.as_ref().map_or(true, Taken::is_repeat) {
            self.uncount(&tenant);
        }
        let taken = taken?;
        if !taken.is_repeat() {
            self.state.traffic.came(self.deployment, self.trigger);
            self.state.contracts.note(&self.speaker(version.as_deref()), &form);
            if let Some(version) = version {
                self.state.metrics.spoke(self.deployment, &self.trigger.name, version);
            }
        }
        Ok(taken)
    }

    /// Accepts a batch. All of it is judged before any of it is accepted. When the store fails midway the sender sends
    /// the batch again, and what was accepted is recognised by its source and id.
    pub(super) async fn accept_batch(&self, batch: Vec<Sent>) -> Result<Vec<Taken>, Problem> {
        if self.trigger.idempotency.is_none() && self.headers.contains_key("idempotency-key") {
            let detail = "a batch has no `Idempotency-Key`: each of its events is recognised by its source and id";
            return Err(Problem::new(400, codes::BAD_KEY, "Unusable idempotency key", detail));
        }
        let count = batch.len();
        let judging = batch.into_iter().enumerate().map(|(at, sent)| {
            let id = Some(sender_id(&sent.event));
            self.judge(sent, id, &format!("/{at}"))
        });
        let mut judged: Vec<Result<Judged, Problem>> = judging.collect();
        let mut able: Vec<&mut Judged> =
            judged.iter_mut().filter_map(|judged| judged.as_mut().ok()).collect();
        // Where all of them have keys, places are counted as in the body.
        if able.len() == count {
            contradictions(&able)?;
        }
        let _places = self.admit(&mut able).await?;
        let mut ready = Vec::with_capacity(judged.len());
        let mut refused: Option<Problem> = None;
        for (at, judged) in judged.into_iter().enumerate() {
            let below = format!("/{at}");
            let fit = match judged {
                Ok(judged) => self.fit(judged).await,
                Err(problem) => Err(problem),
            };
            match (fit, &mut refused) {
                (Ok(fit), _) => ready.push(fit),
                (Err(mut first), None) => {
                    if first.errors.is_empty() {
                        first = first.pointing(below, "this event is refused");
                    }
                    refused = Some(first);
                }
                (Err(next), Some(first)) => {
                    if next.errors.is_empty() {
                        *first = first.clone().pointing(below, next.detail.clone());
                    } else {
                        first.errors.extend(next.errors.iter().cloned());
                    }
                }
            }
        }
        if let Some(problem) = refused {
            return Err(problem);
        }
        let accepting = ready.into_iter().map(|fit| self.take(fit));
        let mut accepted = Vec::new();
        let mut broken: Option<Problem> = None;
        for (at, outcome) in join_all(accepting).await.into_iter().enumerate() {
            match (outcome, &mut broken) {
                (Ok(one), _) => accepted.push(one),
                (Err(error), Some(first)) => {
                    first.errors.push(PointedError::new(format!("/{at}"), error.to_string()));
                }
                (Err(error), None) => {
                    let detail = error.to_string();
                    broken = Some(Problem::from(error).pointing(format!("/{at}"), detail));
                }
            }
        }
        let Some(mut problem) = broken else { return Ok(accepted) };
        if !accepted.is_empty() {
            problem.detail.push_str(
                "; the events of the batch that are not in `errors` were accepted, and are recognised when they come again",
            );
        }
        Err(problem)
    }

    /// Whose event it is and whether it is taken. `below` is where the event stands in the body.
    ///
    /// The key comes before the contract: what is on disk already gets its run, or hears that its key stands for another
    /// body, whatever the contract now says. The key is looked up here only when a limit or the contract refuses. When
    /// neither does, the accepting transaction looks it up by itself and gives the same answers, so a new event asks the
    /// store once.
    fn judge(
        &self,
        mut sent: Sent,
        sender_id: Option<String>,
        below: &str,
    ) -> Result<Judged, Problem> {
        hops::check(self.headers)?;
        let spoken = self.version_of(&sent.event)?;
        let version = self.name_of(spoken);
        // As it was sent: it may be taken to another version.
        let form = self.state.contracts.form(&self.speaker(version.as_deref()), &sent.event.data);
        let (tenant, key, refusal) = self.look(&mut sent.event, sender_id, spoken, below)?;
        let mut incoming = self.incoming(sent, tenant, key);
        incoming.version = version;
        Ok(match refusal {
            None => Judged::Taken(Box::new(incoming), form),
            Some(refusal) => Judged::Unfit(Box::new(incoming), refusal),
        })
    }

    /// One that the trigger does not take now is refused, unless it is on disk already.
    async fn fit(&self, judged: Judged) -> Result<Fit, Problem> {
        match judged {
            Judged::Taken(incoming, form) => Ok(Fit::Taken(incoming, form)),
            Judged::Known(taken, _) => Ok(Fit::Known(taken)),
            Judged::Unfit(incoming, refusal) => match self.known(&incoming).await? {
                Some(taken) => {
                    self.uncount(&incoming.tenant);
                    Ok(Fit::Known(taken))
                }
                None => Err(refusal),
            },
        }
    }

    /// The event's tenant and key, and what of it the trigger does not take now.
    fn look(
        &self,
        event: &mut Event,
        sender_id: Option<String>,
        spoken: Option<usize>,
        below: &str,
    ) -> Result<(TenantName, Option<String>, Option<Problem>), Problem> {
        let types = match &self.trigger.kind {
            TriggerKind::CloudEvents { types, .. }
            | TriggerKind::Amqp(AmqpTrigger { form: MessageForm::CloudEvents { types }, .. }) => {
                types.as_slice()
            }
            TriggerKind::Json { .. }
            | TriggerKind::Webhook { .. }
            | TriggerKind::Amqp(_)
            | TriggerKind::Poll(_) => &[],
        };
        let strange = check_type(types, event, below).err();
        let given = match self.trigger.idempotency {
            Some(_) => Ok(None),
            None => key::given(self.headers, sender_id),
        };
        let judged = given.and_then(|given| {
            let spoken = spoken.map(|index| Spoken { index, outlives: self.outlives(index) });
            qc_engine::judge(self.trigger, event, given, spoken, self.received_at)
                .map_err(|refusal| self.problem(&refusal, below))
        });
        match (judged, strange) {
            (Ok(judged), None) => {
                let breach = judged.breach.map(|breach| self.problem(&breach, below));
                Ok((judged.tenant, judged.key, breach))
            }
            (Ok(judged), strange) => Ok((judged.tenant, judged.key, strange)),
            // The trigger's expressions are made for events of its types: that is what is wrong.
            (Err(_), Some(strange)) => Err(strange),
            (Err(problem), None) => Err(problem),
        }
    }

    /// A refusal as the sender hears it.
    fn problem(&self, refusal: &Refusal, below: &str) -> Problem {
        let (status, title) = match refusal {
            Refusal::Contract(mismatches) => {
                return Problem::contract(mismatches, &self.pointer_base(below));
            }
            Refusal::NotJson => (415, "Media type"),
            Refusal::Key(_) => (422, "Unusable idempotency key"),
            Refusal::Tenant(_) => (422, "No tenant"),
            Refusal::Retired { .. } => (410, "Version retired"),
            Refusal::Unconverted(_) | Refusal::Misfit { .. } => (500, "Version not converted"),
        };
        let mut problem = Problem::new(status, refusal.code(), title, refusal.detail());
        if let Refusal::Retired { version, successor, .. } = refusal {
            problem.migration = self.migration(version, successor.as_deref());
        }
        problem
    }

    /// Where the data stand in the body as it was sent: a plain body is the data itself.
    fn pointer_base(&self, below: &str) -> String {
        match (&self.trigger.kind, Media::of(self.headers)) {
            (
                TriggerKind::CloudEvents { .. } | TriggerKind::Amqp(_),
                Ok(Media::CloudEvent | Media::CloudEventBatch),
            ) => {
                format!("{below}/data")
            }
            _ => String::new(),
        }
    }

    fn incoming(&self, mut sent: Sent, tenant: TenantName, key: Option<String>) -> Incoming {
        ids::named_by_sender(self.headers, &mut sent.event);
        Incoming {
            trigger: self.trigger.name.clone(),
            tenant,
            event: sent.event,
            body_hash: sent.hash,
            key,
            actor: self.actor.clone(),
            received_at: self.received_at,
            traceparent: trace::traceparent(self.headers),
            priority: priority::given(self.headers),
            version: None,
            terms: Terms::default(),
            hops: hops::given(self.headers),
        }
    }
}

/// What became of one event.
#[derive(Debug, Clone)]
pub(super) enum Taken {
    /// A run handles it, on these terms.
    Run(Accepted, Terms),
    /// It was published.
    Event(Announced),
}

impl Taken {
    /// Whether it had come before.
    pub(super) fn is_repeat(&self) -> bool {
        matches!(
            self,
            Self::Run(Accepted::Repeat { .. }, _) | Self::Event(Announced::Repeat { .. })
        )
    }
}

/// One event whose tenant and key are known.
pub(super) enum Judged {
    /// Nothing speaks against it.
    Taken(Box<Incoming>, Form),
    /// The trigger does not take it, unless it was accepted before.
    Unfit(Box<Incoming>, Problem),
    /// It was accepted before.
    Known(Taken, Box<Incoming>),
}

/// One event that may go on to be accepted.
enum Fit {
    /// Nothing speaks against it.
    Taken(Box<Incoming>, Form),
    /// It was accepted before.
    Known(Taken),
}

impl Judged {
    pub(super) fn incoming(&self) -> &Incoming {
        match self {
            Self::Taken(incoming, _) | Self::Unfit(incoming, _) | Self::Known(_, incoming) => {
                incoming
            }
        }
    }

    /// The limits let it in on these terms.
    pub(super) fn on(&mut self, terms: &Terms) {
        if let Self::Taken(incoming, _) | Self::Unfit(incoming, _) = self {
            incoming.terms.clone_from(terms);
        }
    }
}

/// Refuses events of types that the trigger does not name.
fn check_type(types: &[String], event: &Event, below: &str) -> Result<(), Problem> {
    if types.is_empty() || types.contains(&event.kind) {
        return Ok(());
    }
    let detail = format!("this trigger takes events of {}", types.join(", "));
    Err(Problem::new(422, codes::EVENT_TYPE, "Event type not taken", detail.clone())
        .pointing(format!("{below}/type"), detail))
}

/// Refuses a batch in which one key stands for different events: one of them would be accepted and the other not.
fn contradictions(ready: &[&mut Judged]) -> Result<(), Problem> {
    let mut first_of: HashMap<(&TenantName, &str), &[u8; 32]> = HashMap::new();
    let mut problem: Option<Problem> = None;
    for (at, incoming) in ready.iter().map(|judged| judged.incoming()).enumerate() {
        let Some(key) = incoming.key.as_deref() else { continue };
        let first = first_of.entry((&incoming.tenant, key)).or_insert(&incoming.body_hash);
        if *first != &incoming.body_hash {
            let detail = "another event of this batch has the same key and another content";
            let so_far = problem.take().unwrap_or_else(|| {
                Problem::new(422, codes::KEY_REUSED, "Idempotency key used before", detail)
            });
            problem = Some(so_far.pointing(format!("/{at}"), detail));
        }
    }
    problem.map_or(Ok(()), Err)
}

/// A CloudEvent is unique by its source and id together.
pub(super) fn sender_id(event: &Event) -> String {
    let joined = format!("{} {}", event.source, event.id);
    // Longer ones are recognised by their hash, so that a key stays short.
    if joined.len() <= 255 {
        return joined;
    }
    let hash = super::body_hash(joined.as_bytes());
    format!(
        "sha256:{}",
        percent_encoding::percent_encode(&hash, percent_encoding::NON_ALPHANUMERIC)
    )
}
