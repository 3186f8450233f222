//! Taking an event: one commit with its key, the event, its run and the run's first step. What
//! this answers with `New` is on disk.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use base64::Engine as _;
use bytes::Bytes;
use qc_model::{Class, EventId, Failure, RunId, TxnId};
use qc_store::{Accept, AcceptOutcome, IdempotencyKey, RunFacts, StoreError, StoredEvent};
use qc_workflow::{Machine, Start};
use serde_json::Value;
use tokio::time::{sleep, timeout};

use crate::{
    Accepted, Deployment, Engine, EngineError, Incoming, Trigger,
    chain::EarlierCall,
    codes,
    draft::Draft,
    drive::tell,
    engine::{Place, Reserved},
    entry::Journaled,
    happening::What,
    record,
    run::{ActiveRun, RunContext},
    start::workflow_start,
};

/// How many virtual buckets runs are spread over; nodes lease ranges of them.
pub(crate) const BUCKETS: u16 = 1_024;

/// How long a key is remembered that the sender gave and the trigger does not rule.
const SENDER_KEY_WINDOW: Duration = Duration::from_secs(24 * 3_600);

/// How long a sender waits for its answer at most. The accept goes on.
const ANSWER_IN: Duration = Duration::from_secs(30);

/// The pause before an accept of unknown outcome is read back again.
const READ_AGAIN: Duration = Duration::from_millis(200);

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
        let prepared = self.prepare(deployment, trigger, &incoming)?;
        self.write(prepared).await
    }

    fn prepare(
        &self,
        deployment: &Arc<Deployment>,
        trigger: &Trigger,
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
        let input = match &trigger.input {
            Some(expression) => evaluate(expression, "input")?,
            None => incoming.event.data_value(),
        };
        let subject = match &trigger.subject {
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
        });
        let body = Bytes::from(structured.to_string());
        let hash = record::payload_hash(&shared.settings.ledger_key, &body);
        let first_row = record::event_accepted(&facts, &incoming.actor, &hash, body.len());
        let start = workflow_start(deployment, &facts, input, at, shared.entropy.next_u64());
        let traceparent = incoming.traceparent.clone();
        let (run, draft) = begin(deployment, facts, start, traceparent, Vec::new());
        let key = incoming.key.as_ref().map(|key| IdempotencyKey {
            scope: key_scope(&run.context.facts),
            key: key.clone(),
            body_hash: incoming.body_hash,
            expires_at: at + trigger.idempotency.as_ref().map_or(SENDER_KEY_WINDOW, |i| i.window),
        });
        let event = StoredEvent { id: event, received_at: at, body };
        Ok(Prepared { run, draft, key, event, first_row })
    }

    /// Commits a prepared run and, when there is room, starts it. Goes on to its end when the
    /// caller goes away meanwhile: a run that is on disk has its calls sent at once.
    pub(crate) async fn write(&self, prepared: Prepared) -> Result<Accepted, EngineError> {
        let engine = self.clone();
        let writing = tokio::spawn(async move { engine.write_out(prepared).await });
        let Ok(written) = timeout(ANSWER_IN, writing).await else {
            return Err(StoreError::Unknown("the store did not answer in time".to_owned()).into());
        };
        written.unwrap_or_else(|broken| {
            tracing::error!("an accept broke off: {broken}");
            Err(StoreError::Unknown("the accept broke off".to_owned()).into())
        })
    }

    async fn write_out(&self, prepared: Prepared) -> Result<Accepted, EngineError> {
        let Prepared { mut run, mut draft, key, event, first_row } = prepared;
        let shared = &self.shared;
        let facts = run.context.facts.clone();
        let at = facts.accepted_at;
        // The place in memory is taken before the commit, so that recovery cannot take the run up
        // between the commit and its start. Without one its calls are not sent now, and nothing
        // may say that they were about to be.
        let place = self.place_for_new(facts.id);
        if place.is_none() {
            draft.withhold();
        }
        let state = run.state(&draft, at);
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
        };
        let outcome = match shared.committer.accept(accept).await {
            #[cfg(feature = "planted-bugs")]
            Err(StoreError::Unknown(why))
                if crate::planted::planted(crate::planted::Bug::UnknownTakenForNotWritten) =>
            {
                Err(StoreError::Unavailable(why))
            }
            Err(StoreError::Unknown(why)) => self.read_back(&facts, why).await,
            other => other,
        };
        match outcome {
            Ok(AcceptOutcome::Accepted) => {
                // A replay is no event: nobody sent it.
                if facts.replay_of.is_none() {
                    shared.counters.accepted.fetch_add(1, Ordering::Relaxed);
                }
                shared.tell(facts.id, &facts.integration, || What::Accepted {
                    subject: facts.subject.clone(),
                });
                tell(shared, &run, &draft);
                match place {
                    Some(place) => {
                        run.version = 1;
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
            Err(error) => Err(error.into()),
        }
    }

    /// A place for a run that begins: when this node may run it, there is room, and nobody has
    /// waited for that room longer.
    fn place_for_new(&self, run: RunId) -> Option<Place> {
        let shared = &self.shared;
        #[cfg(feature = "planted-bugs")]
        if crate::planted::planted(crate::planted::Bug::NoLine) {
            shared.behind.store(false, Ordering::Release);
        }
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

    /// Finds out whether an accept of unknown outcome took place, however long that takes: its
    /// calls were never sent, and nobody but us knows that. When not, its sender has to ask again:
    /// another run may own the key, for this body or for another one.
    async fn read_back(&self, facts: &RunFacts, why: String) -> Result<AcceptOutcome, StoreError> {
        loop {
            match self.shared.store.run(facts.id).await {
                Ok(Some(_)) => return Ok(AcceptOutcome::Accepted),
                Ok(None) => return Err(StoreError::Unavailable(why)),
                Err(_) if self.shared.is_draining() => return Err(StoreError::Unknown(why)),
                Err(error) => {
                    tracing::warn!(run = %facts.id, "an accept cannot be read back now: {error}");
                    sleep(READ_AGAIN).await;
                }
            }
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
}

/// Starts the machine: the run in memory, and what its first commit says.
pub(crate) fn begin(
    deployment: &Arc<Deployment>,
    facts: Arc<RunFacts>,
    start: Start,
    traceparent: Option<String>,
    earlier: Vec<EarlierCall>,
) -> (ActiveRun, Draft) {
    let at = facts.accepted_at;
    let (machine, actions) = Machine::start(deployment.release.program.clone(), &start);
    let context = RunContext::new(facts, deployment.clone(), traceparent.clone());
    let mut run = ActiveRun::new(context, machine, HashMap::new());
    run.earlier = earlier.iter().cloned().map(|one| (one.call, one.outcome)).collect();
    let mut draft = Draft::new(at);
    draft.journal(Journaled::Start { start: Box::new(start), traceparent, earlier });
    run.begin(actions, &mut draft);
    (run, draft)
}

/// The bucket of a run: from the random part of its id.
pub(crate) fn bucket_of(run: RunId) -> u16 {
    u16::try_from(run.bits() % u128::from(BUCKETS)).unwrap_or(0)
}

/// Within what an idempotency key is unique.
fn key_scope(facts: &RunFacts) -> String {
    format!("{}/{}/{}/{}", facts.tenant, facts.environment, facts.integration, facts.trigger)
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
