use std::{collections::HashMap, sync::Arc};

use futures_util::future::join_all;
use http::HeaderMap;
use qc_engine::{Accepted, Deployment, Incoming, Refusal, Trigger};
use qc_model::{Actor, Event, TenantName, Timestamp};

use super::{cloudevents::Sent, key, media::Media, trace};
use crate::{PointedError, Problem, State, codes};

/// One request at one trigger, whose sender is known.
pub(super) struct Door<'a> {
    pub(super) state: &'a State,
    pub(super) trigger: &'a Trigger,
    pub(super) headers: &'a HeaderMap,
    pub(super) received_at: Timestamp,
    deployment: &'a Arc<Deployment>,
    actor: Actor,
}

impl<'a> Door<'a> {
    pub(super) fn new(
        state: &'a State,
        deployment: &'a Arc<Deployment>,
        trigger: &'a Trigger,
        headers: &'a HeaderMap,
        actor: Actor,
    ) -> Self {
        let received_at = state.clock.now();
        Self { state, trigger, headers, received_at, deployment, actor }
    }

    /// The `source` of events that are wrapped here: the trigger's own address.
    pub(super) fn source(&self) -> String {
        let Deployment { environment, release, .. } = &**self.deployment;
        format!("/in/{environment}/{}/{}", release.integration, self.trigger.name)
    }

    /// Accepts one event: tenant, key, contract, then the engine's one commit.
    pub(super) async fn accept(
        &self,
        mut sent: Sent,
        sender_id: Option<String>,
    ) -> Result<Accepted, Problem> {
        let (tenant, key) = self.judge(&mut sent.event, sender_id, "/data")?;
        let incoming = self.incoming(sent, tenant, key);
        Ok(self.state.engine.accept(self.deployment, incoming).await?)
    }

    /// Accepts a batch. All of it is judged before any of it is accepted. When the store fails midway the sender sends
    /// the batch again, and what was accepted is recognised by its source and id.
    pub(super) async fn accept_batch(
        &self,
        types: &[String],
        batch: Vec<Sent>,
    ) -> Result<Vec<Accepted>, Problem> {
        if self.trigger.idempotency.is_none() && self.headers.contains_key("idempotency-key") {
            let detail = "a batch has no `Idempotency-Key`: each of its events is recognised by its source and id";
            return Err(Problem::new(400, codes::BAD_KEY, "Unusable idempotency key", detail));
        }
        let mut ready = Vec::with_capacity(batch.len());
        let mut refused: Option<Problem> = None;
        for (at, mut sent) in batch.into_iter().enumerate() {
            let below = format!("/{at}");
            let id = Some(sender_id(&sent.event));
            let verdict = check_type(types, &sent.event, &below)
                .and_then(|()| self.judge(&mut sent.event, id, &format!("{below}/data")));
            match (verdict, &mut refused) {
                (Ok((tenant, key)), _) => ready.push(self.incoming(sent, tenant, key)),
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
        contradictions(&ready)?;
        let engine = &self.state.engine;
        let accepting = ready.into_iter().map(|incoming| engine.accept(self.deployment, incoming));
        let mut accepted = Vec::new();
        let mut broken: Option<Problem> = None;
        for (at, outcome) in join_all(accepting).await.into_iter().enumerate() {
            match (outcome, &mut broken) {
                (Ok(one), _) => accepted.push(one),
                (Err(error), Some(first)) => {
                    first.errors.push(PointedError {
                        pointer: format!("/{at}"),
                        detail: error.to_string(),
                    });
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

    /// Whose event it is and what makes a repeat recognisable; refuses what breaks the contract.
    fn judge(
        &self,
        event: &mut Event,
        sender_id: Option<String>,
        below: &str,
    ) -> Result<(TenantName, Option<String>), Problem> {
        let given = match self.trigger.idempotency {
            Some(_) => None,
            None => key::given(self.headers, sender_id)?,
        };
        qc_engine::judge(self.trigger, event, given, self.received_at)
            .map(|judged| (judged.tenant, judged.key))
            .map_err(|refusal| match &refusal {
                Refusal::Contract(mismatches) => {
                    Problem::contract(mismatches, self.pointer_base(below))
                }
                Refusal::NotJson => {
                    Problem::new(415, refusal.code(), "Media type", refusal.detail())
                }
                Refusal::Key(_) => {
                    Problem::new(422, refusal.code(), "Unusable idempotency key", refusal.detail())
                }
                Refusal::Tenant(_) => {
                    Problem::new(422, refusal.code(), "No tenant", refusal.detail())
                }
            })
    }

    /// Pointers lead into the body as it was sent: a plain body is the data itself.
    fn pointer_base<'b>(&self, below: &'b str) -> &'b str {
        match self.trigger.kind {
            qc_engine::TriggerKind::CloudEvents { .. } | qc_engine::TriggerKind::Amqp(_) => {
                match Media::of(self.headers) {
                    Ok(Media::CloudEvent | Media::CloudEventBatch) => below,
                    _ => "",
                }
            }
            _ => "",
        }
    }

    fn incoming(&self, sent: Sent, tenant: TenantName, key: Option<String>) -> Incoming {
        Incoming {
            trigger: self.trigger.name.clone(),
            tenant,
            event: sent.event,
            body_hash: sent.hash,
            key,
            actor: self.actor.clone(),
            received_at: self.received_at,
            traceparent: trace::traceparent(self.headers),
        }
    }
}

/// Refuses events of types that the trigger does not name.
pub(super) fn check_type(types: &[String], event: &Event, below: &str) -> Result<(), Problem> {
    if types.is_empty() || types.contains(&event.kind) {
        return Ok(());
    }
    let detail = format!("this trigger takes events of {}", types.join(", "));
    Err(Problem::new(422, codes::EVENT_TYPE, "Event type not taken", detail.clone())
        .pointing(format!("{below}/type"), detail))
}

/// Refuses a batch in which one key stands for different events: one of them would be accepted and the other not.
fn contradictions(ready: &[Incoming]) -> Result<(), Problem> {
    let mut first_of: HashMap<(&TenantName, &str), &[u8; 32]> = HashMap::new();
    let mut problem: Option<Problem> = None;
    for (at, incoming) in ready.iter().enumerate() {
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
