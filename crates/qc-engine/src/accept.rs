//! Taking an event: one commit with its key, the event, its run and the run's first step. What
//! this answers with `New` is on disk.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use base64::Engine as _;
use bytes::Bytes;
use qc_expression::Expression;
use qc_model::{Class, EventId, Failure, RunId, TxnId};
use qc_store::{
    Accept, AcceptOutcome, DocumentOp, IdempotencyKey, RunFacts, Signal, StoreError, StoredEvent,
};
use qc_workflow::{Machine, Start};
use serde_json::Value;

use crate::{
    Accepted, Deployment, Does, Engine, EngineError, Incoming, Trigger, bus,
    chain::EarlierCall,
    children, codes,
    draft::Draft,
    drive::tell,
    engine::{Place, Reserved},
    entry::{Journaled, Keyed, Lineage},
    happening::What,
    publish::incoming_signal,
    record,
    repeat::{key_scope, keyed},
    run::{ActiveRun, RunContext},
    start::workflow_start,
};

/// How many virtual buckets runs are spread over; nodes lease ranges of them.
pub(crate) const BUCKETS: u16 = 1_024;

/// How long a key is remembered that the sender gave and the trigger does not rule.
const SENDER_KEY_WINDOW: Duration = Duration::from_secs(24 * 3_600);

impl Engine {
    /// Takes an event. Returns when it is on disk, or known from before.
    pub async fn accept(
        &self,
        deployment: &Arc<Deployment>,
        incoming: Incoming,
    ) -> Result<Accepted, EngineError> {
        if self.shared.is_draining() {
            return Err(EngineError::Draining);
        }
        let trigger = deployment.release.triggers.get(&incoming.trigger).ok_or_else(|| {
            failed(format!("the integration has no trigger `{}`", incoming.trigger))
        })?;
        let taking = Taking::by(trigger);
        match self.prepare(deployment, &taking, &incoming) {
            Ok(mut prepared) => {
                if trigger.does == Does::Both {
                    prepared.signals.push(incoming_signal(deployment, &incoming));
                }
                self.write(prepared).await
            }
            // A repeat gets its run also when the trigger's expressions no longer do for it.
            Err(unfit) => self.repeat(deployment, &incoming).await?.ok_or(unfit),
        }
    }

    /// Makes the run of an event.
    pub(crate) fn prepare(
        &self,
        deployment: &Arc<Deployment>,
        taking: &Taking<'_>,
        incoming: &Incoming,
    ) -> Result<Prepared, EngineError> {
        let shared = &self.shared;
        let at = incoming.received_at;
        let run = RunId::new(at, &*shared.entropy);
        let event = EventId::new(at, &*shared.entropy);
        let structured = incoming
            .event
            .to_structured(|bytes| base64::engine::general_purpose::STANDARD.encode(bytes));
        let evaluate = |expression: &qc_expression::Expression, what: &str| {
            crate::start::over_event(expression, &structured, at)
                .map_err(|e| failed(format!("the trigger's `{what}` cannot be evaluated: {e}")))
        };
        let input = match taking.input {
            Some(expression) => evaluate(expression, "input")?,
            None => incoming.event.data_value(),
        };
        let subject = match taking.subject {
            Some(expression) => Some(text_of(&evaluate(expression, "subject")?)),
            None => incoming.event.subject.clone(),
        };
        let facts = Arc::new(RunFacts {
            id: run,
            bucket: bucket_of(run),
            tenant: incoming.tenant.clone(),
            environment: deployment.environment.clone(),
            integration: deployment.release.integration.clone(),
            trigger: incoming.trigger.clone(),
            release: deployment.release.hash.clone(),
            event,
            subject,
            origin: run,
            replay_of: None,
            accepted_at: at,
            trace: None,
        });
        let body = Bytes::from(structured.to_string());
        let hash = record::payload_hash(&shared.settings.ledger_key, &body);
        let first_row = record::event_accepted(&facts, &incoming.actor, &hash, body.len());
        let start = workflow_start(deployment, &facts, input, at, shared.entropy.next_u64());
        let traceparent = incoming.traceparent.clone();
        let key = incoming.key.as_ref().map(|key| IdempotencyKey {
            scope: key_scope(deployment, incoming),
            key: key.clone(),
            body_hash: incoming.body_hash,
            expires_at: at + taking.window,
        });
        let keyed = key.as_ref().map(|key| keyed(key.body_hash, key.expires_at));
        let lineage = Lineage { hops: taking.hops, parent: None };
        let beginning = Beginning { keyed, lineage, ..Beginning::default() };
        let (run, draft) = begin(deployment, facts, start, traceparent, beginning);
        let event = StoredEvent { id: event, received_at: at, body };
        Ok(Prepared { key, ..Prepared::of(run, draft, event, first_row) })
    }

    /// Commits a prepared run and, when there is room, starts it. Goes on to its end when the
    /// caller goes away meanwhile: a run that is on disk has its calls sent at once.
    pub(crate) async fn write(&self, prepared: Prepared) -> Result<Accepted, EngineError> {
        let engine = self.clone();
        let writing = tokio::spawn(async move { engine.write_out(prepared).await });
        writing.await.unwrap_or_else(|broken| {
            tracing::error!("an accept broke off: {broken}");
            Err(StoreError::Unknown("the accept broke off".to_owned()).into())
        })
    }

    async fn write_out(&self, prepared: Prepared) -> Result<Accepted, EngineError> {
        let Prepared { mut run, mut draft, key, event, first_row, signals, documents } = prepared;
        draft.signals.extend(signals);
        let shared = &self.shared;
        let facts = run.context.facts.clone();
        let at = facts.accepted_at;
        // The place in memory is taken before the commit, so that recovery cannot take the run up
        // between the commit and its start. Without one its calls are not sent now, and nothing
        // may say that they were about to be.
        let place = self.place_for_new(facts.id);
        if place.is_none() {
            draft.withhold();
            // Whoever takes it up offers it what came in meanwhile.
            draft.withheld |= run.hearing.is_due();
        } else if run.hearing.is_due() {
            run.hold = Some(shared.tail.hold());
        }
        let state = run.state(&draft, at);
        let (_, waits) = run.wait_changes(&draft);
        if draft.end.is_some() && run.context.lineage.parent.is_some() {
            draft.signals.push(bus::ended(facts.id, 1, at, &run.context.deployment));
        }
        let mut ledger = vec![first_row];
        ledger.append(&mut draft.ledger);
        let accept = Accept {
            txn: TxnId::new(at, &*shared.entropy),
            key,
            event,
            run: (*facts).clone(),
            state,
            journal: draft.take_journal(),
            ledger,
            dead: draft.dead.take(),
            signals: std::mem::take(&mut draft.signals),
            waits: waits.values().cloned().collect(),
            turn: None,
            documents,
            keys: run.context.lineage.parent.iter().map(children::key_of).collect(),
        };
        let publishes = !accept.signals.is_empty();
        let outcome = match shared.committer.accept(accept).await {
            Err(StoreError::Unknown(why)) => self.read_back(&facts, why).await,
            other => other,
        };
        match outcome {
            Ok(AcceptOutcome::Accepted) => {
                // A replay is no event: nobody sent it.
                if facts.replay_of.is_none() && run.context.lineage.parent.is_none() {
                    shared.counters.accepted.fetch_add(1, Ordering::Relaxed);
                }
                shared.tell(facts.id, &facts.integration, || What::Accepted {
                    subject: facts.subject.clone(),
                });
                tell(shared, &run, &draft);
                if publishes {
                    shared.tail.wake();
                }
                match place {
                    Some(place) => {
                        run.version = 1;
                        run.hearing.waits = waits;
                        run.commit_draft(draft);
                        self.spawn(run, place, None);
                    }
                    None => shared.backlog.notify_one(),
                }
                Ok(Accepted::New { run: facts.id })
            }
            Ok(AcceptOutcome::Duplicate { run: first, same_body }) => {
                shared.counters.repeated.fetch_add(1, Ordering::Relaxed);
                if same_body {
                    Ok(Accepted::Repeat { run: first })
                } else {
                    Err(EngineError::KeyReused { run: first })
                }
            }
            Ok(AcceptOutcome::Conflict { kind, name, .. }) => Err(StoreError::Unavailable(
                format!("the {kind} `{name}` changed meanwhile; try again"),
            )
            .into()),
            Err(error) => Err(error.into()),
        }
    }

    /// A place for a run that begins: when this node may run it, there is room, and nobody has
    /// waited for that room longer.
    fn place_for_new(&self, run: RunId) -> Option<Place> {
        let shared = &self.shared;
        if !shared.is_leased() || shared.behind.load(Ordering::Acquire) {
            return None;
        }
        match shared.reserve(run, false) {
            Reserved::Place(place) => Some(place),
            Reserved::There | Reserved::Full => {
                shared.behind.store(true, Ordering::Release);
                None
            }
        }
    }

    /// Finds out whether an accept of unknown outcome took place. When not, its sender has to ask
    /// again: another run may own the key, for this body or for another one.
    async fn read_back(&self, facts: &RunFacts, why: String) -> Result<AcceptOutcome, StoreError> {
        match self.shared.store.run(facts.id).await? {
            Some(_) => Ok(AcceptOutcome::Accepted),
            None => Err(StoreError::Unavailable(why)),
        }
    }
}

/// A run that is ready to be committed for the first time.
pub(crate) struct Prepared {
    pub(crate) run: ActiveRun,
    pub(crate) draft: Draft,
    pub(crate) key: Option<IdempotencyKey>,
    pub(crate) event: StoredEvent,
    pub(crate) first_row: qc_store::LedgerRow,
    /// Events that are published with it.
    pub(crate) signals: Vec<Signal>,
    /// Documents that change with it.
    pub(crate) documents: Vec<DocumentOp>,
}

impl Prepared {
    /// Without a key and without anything beside it.
    pub(crate) fn of(
        run: ActiveRun,
        draft: Draft,
        event: StoredEvent,
        first_row: qc_store::LedgerRow,
    ) -> Self {
        let (signals, documents) = (Vec::new(), Vec::new());
        Self { run, draft, key: None, event, first_row, signals, documents }
    }
}

/// How an event is taken by whoever begins a run with it.
pub(crate) struct Taking<'t> {
    /// The workflow's input, over the event; its data otherwise.
    pub(crate) input: Option<&'t Expression>,
    /// What it is about, over the event; its own subject otherwise.
    pub(crate) subject: Option<&'t Expression>,
    /// How long its key is remembered.
    pub(crate) window: Duration,
    /// How many runs stand between it and one from outside.
    pub(crate) hops: u32,
}

impl<'t> Taking<'t> {
    fn by(trigger: &'t Trigger) -> Self {
        Self {
            input: trigger.input.as_ref(),
            subject: trigger.subject.as_ref(),
            window: trigger.idempotency.as_ref().map_or(SENDER_KEY_WINDOW, |rule| rule.window),
            hops: 0,
        }
    }
}

/// From what a run begins.
#[derive(Default)]
pub(crate) struct Beginning {
    /// The key with which its event came.
    pub(crate) keyed: Option<Keyed>,
    /// What the runs before it in a chain of replays have done already.
    pub(crate) earlier: Vec<EarlierCall>,
    /// From where it comes.
    pub(crate) lineage: Lineage,
}

/// Starts the machine: the run in memory, and what its first commit says.
pub(crate) fn begin(
    deployment: &Arc<Deployment>,
    facts: Arc<RunFacts>,
    start: Start,
    traceparent: Option<String>,
    beginning: Beginning,
) -> (ActiveRun, Draft) {
    let Beginning { keyed, earlier, lineage } = beginning;
    let at = facts.accepted_at;
    let (machine, actions) = Machine::start(deployment.release.program.clone(), &start);
    let context = RunContext::new(facts, deployment.clone(), traceparent.clone(), lineage.clone());
    let mut run = ActiveRun::new(context, machine, HashMap::new());
    run.earlier = earlier.iter().cloned().map(|one| (one.call, one.outcome)).collect();
    let mut draft = Draft::new(at);
    draft.journal(Journaled::Start {
        start: Box::new(start),
        traceparent,
        earlier,
        keyed,
        lineage,
    });
    run.begin(actions, &mut draft);
    (run, draft)
}

/// The bucket of a run: from the random part of its id.
pub(crate) fn bucket_of(run: RunId) -> u16 {
    u16::try_from(run.bits() % u128::from(BUCKETS)).unwrap_or(0)
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.chars().take(256).collect(),
        other => other.to_string().chars().take(256).collect(),
    }
}

fn failed(detail: String) -> EngineError {
    EngineError::Failed(Box::new(Failure::new(
        Class::Invalid,
        codes::TRIGGER_EXPRESSION,
        "the event does not fit the trigger",
        detail,
    )))
}
