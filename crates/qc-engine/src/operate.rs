//! What people do with runs: look, wait, cancel, resolve, replay, and settle dead letters.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use qc_model::{Actor, EventId, RunId, TxnId};
use qc_store::{
    DeadState, LedgerRow, Op, RunFacts, RunHead, StoreError, StoredEvent, Txn, TxnOutcome,
};
use qc_workflow::Start;
use serde_json::{Value, json};
use tokio::{sync::oneshot, time::timeout};

use crate::{
    Accepted, Engine, EngineError, Replay, Resolution, RunEnd, RunView,
    accept::{Beginning, Prepared, begin, bucket_of},
    chain::{EarlierCall, blobs_in, effects_of},
    command::{Command, Request},
    entry::{self, Journaled, Lineage},
    record,
    recover::{RecoverError, end_of, fold},
    start::workflow_start,
};

/// How often a request is handed to a run that keeps leaving memory.
const HAND_OVERS: usize = 20;

/// How long a request to a run may take.
const ANSWER_IN: Duration = Duration::from_secs(30);

impl Engine {
    /// Waits for a run's end, at most so long. None: it is not at its end yet.
    pub async fn wait(&self, run: RunId, limit: Duration) -> Result<Option<RunEnd>, EngineError> {
        let mut waiter = self.shared.waiting.line_up(run);
        // A run that is in memory now is not at its end before those who wait are told. Any other
        // one may have ended before we lined up.
        if !self.shared.is_active(run) && self.head(run).await?.state.status.is_terminal() {
            return Ok(self.inspect(run).await?.end);
        }
        if let Ok(Ok(end)) = timeout(limit, &mut waiter.end).await {
            return Ok(Some(end));
        }
        // It may have ended somewhere else.
        if self.head(run).await?.state.status.is_terminal() {
            return Ok(self.inspect(run).await?.end);
        }
        Ok(None)
    }

    /// A run with its journal.
    pub async fn inspect(&self, run: RunId) -> Result<RunView, EngineError> {
        let head = self.head(run).await?;
        let stored = self.shared.store.journal(run).await?;
        let mut journal = Vec::with_capacity(stored.len());
        let mut input = Value::Null;
        for (index, stored) in stored.iter().enumerate() {
            let entry = entry::decode(index, stored).map_err(RecoverError::from)?;
            if let Journaled::Start { start, .. } = &entry {
                input = start.input.clone();
            }
            let mut shown = serde_json::to_value(&entry).unwrap_or_else(|_| json!({}));
            shown["at"] = json!(stored.at);
            journal.push(shown);
        }
        let end = if head.state.status.is_terminal() {
            let deployment = self.release_of(&head).await?;
            fold(&deployment, &stored)?
                .machine
                .outcome()
                .map(|outcome| end_of(outcome, &deployment))
        } else {
            None
        };
        Ok(RunView { head, input, end, journal })
    }

    /// Ends a run.
    pub async fn cancel(&self, run: RunId, reason: &str, actor: &Actor) -> Result<(), EngineError> {
        self.ask(run, Request::Cancel { reason: reason.to_owned(), compensate: false }, actor).await
    }

    /// Decides a run's ambiguous call. When several are, [`Engine::resolve_call`] says which one.
    pub async fn resolve(
        &self,
        run: RunId,
        resolution: Resolution,
        actor: &Actor,
    ) -> Result<(), EngineError> {
        self.ask(run, Request::Resolve { call: None, resolution }, actor).await
    }

    /// Decides one ambiguous call of a run, named `<task pointer>:<visit>` as in the run's journal.
    pub async fn resolve_call(
        &self,
        run: RunId,
        call: &str,
        resolution: Resolution,
        actor: &Actor,
    ) -> Result<(), EngineError> {
        let call = Some(call.to_owned());
        self.ask(run, Request::Resolve { call, resolution }, actor).await
    }

    /// Has a parked run try again now: what it waited for has been mended.
    pub async fn resume(&self, run: RunId, actor: &Actor) -> Result<(), EngineError> {
        self.ask(run, Request::Resume, actor).await
    }

    /// Opens a run that ended in failure again, at the task that failed.
    pub async fn retry_dead(&self, run: RunId, actor: &Actor) -> Result<(), EngineError> {
        self.ask(run, Request::Retry, actor).await
    }

    /// Says that a dead letter is not to be done.
    pub async fn discard_dead(
        &self,
        run: RunId,
        reason: &str,
        actor: &Actor,
    ) -> Result<(), EngineError> {
        let head = self.head(run).await?;
        if head.state.status != qc_store::RunStatus::Faulted {
            return Err(EngineError::WrongState {
                run,
                status: head.state.status.as_str(),
                reason: "only a run that ended in failure has a dead letter".to_owned(),
            });
        }
        let at = self.shared.now();
        let txn = Txn {
            id: TxnId::new(at, &*self.shared.entropy),
            run,
            expect: head.version,
            state: head.state.clone(),
            ops: vec![
                Op::SettleDead(DeadState::Discarded),
                Op::Ledger(record::operated(&head.facts, at, actor, "dlq.discard", reason)),
            ],
        };
        let lease = self.shared.lease.load_full();
        let lease = lease.as_ref().as_ref().ok_or_else(not_leased)?;
        match self.shared.committer.commit(lease, txn).await? {
            TxnOutcome::Committed { .. } => Ok(()),
            TxnOutcome::Conflict { .. }
            | TxnOutcome::Fenced
            | TxnOutcome::DocumentConflict { .. } => {
                Err(StoreError::Unavailable("the run changed meanwhile; try again".to_owned())
                    .into())
            }
        }
    }

    /// Makes a linked run of the same event on the release that is deployed now. Effects already
    /// made are not made twice, unless `new_effects`.
    pub async fn replay(
        &self,
        run: RunId,
        replay: Replay,
        actor: &Actor,
    ) -> Result<RunId, EngineError> {
        if self.shared.is_draining() {
            return Err(EngineError::Draining);
        }
        let old = self.head(run).await?;
        let wrong = |reason: &str| EngineError::WrongState {
            run,
            status: old.state.status.as_str(),
            reason: reason.to_owned(),
        };
        if !old.state.status.is_terminal() {
            return Err(wrong("a run is replayed when it is at its end; cancel it first"));
        }
        if replay.input.is_some() && !replay.new_effects {
            return Err(wrong(
                "an edited input needs new effects: the old keys stand for the old input",
            ));
        }
        let id = RunId::new(self.shared.now(), &*self.shared.entropy);
        let row = |facts: &RunFacts| {
            record::operated(facts, facts.accepted_at, actor, "run.replay", &format!("of {run}"))
        };
        self.relive(old, id, replay, Lineage::default(), row).await
    }

    /// Makes a run of this id that begins with what another one began with, knowing what that one has done.
    pub(crate) async fn relive(
        &self,
        old: RunHead,
        id: RunId,
        replay: Replay,
        lineage: Lineage,
        row: impl FnOnce(&RunFacts) -> LedgerRow,
    ) -> Result<RunId, EngineError> {
        let run = old.facts.id;
        let deployments = self.deployments();
        let deployment = deployments
            .lookup(old.facts.environment.as_str(), old.facts.integration.as_str())
            .ok_or_else(|| EngineError::WrongState {
                run,
                status: old.state.status.as_str(),
                reason: "its integration is not deployed in its environment".to_owned(),
            })?;
        let event = self.shared.store.event(run).await?.ok_or(EngineError::NoRun(run))?;
        let began = self.began(run).await?;
        let depth = began.depth;
        let (input, earlier) = match replay.input {
            Some(input) => (input, Vec::new()),
            None if replay.new_effects => (began.input, Vec::new()),
            None => (began.input, self.effects_of(&old).await?),
        };
        let at = self.shared.now();
        let facts = Arc::new(RunFacts {
            id,
            bucket: bucket_of(id),
            release: deployment.release.hash.clone(),
            event: EventId::new(at, &*self.shared.entropy),
            origin: if replay.new_effects { id } else { old.facts.origin },
            replay_of: Some(run),
            accepted_at: at,
            trace: None,
            ..old.facts
        });
        // Before the run is there: what it inherits must not go with the run that received it. One that the old run does
        // not hold is none of its own, and stays closed to the new one.
        for hash in blobs_in(&earlier) {
            self.shared.outbound.blobs().keep(run, id, hash).await?;
        }
        let entropy = self.shared.entropy.next_u64();
        let start = Start { depth, ..workflow_start(deployment, &facts, input, at, entropy) };
        let first_row = row(&facts);
        let beginning = Beginning { earlier, lineage, ..Beginning::default() };
        let (run, draft) = begin(deployment, facts.clone(), start, None, beginning);
        let event =
            StoredEvent { id: facts.event, received_at: at, body: Bytes::clone(&event.body) };
        let prepared = Prepared::of(run, draft, event, first_row);
        match self.write(prepared).await? {
            Accepted::New { run } | Accepted::Repeat { run } => Ok(run),
        }
    }

    /// With what a run began.
    async fn began(&self, run: RunId) -> Result<Start, EngineError> {
        let journal = self.shared.store.journal(run).await?;
        let first = journal.first().ok_or(RecoverError::NoStart)?;
        match entry::decode(0, first).map_err(RecoverError::from)? {
            Journaled::Start { start, .. } => Ok(*start),
            _ => Err(RecoverError::NoStart.into()),
        }
    }

    async fn effects_of(&self, old: &RunHead) -> Result<Vec<EarlierCall>, EngineError> {
        let deployment = self.release_of(old).await?;
        let journal = self.shared.store.journal(old.facts.id).await?;
        Ok(effects_of(&deployment, &journal)?)
    }

    pub(crate) async fn head(&self, run: RunId) -> Result<RunHead, EngineError> {
        self.shared.store.run(run).await?.ok_or(EngineError::NoRun(run))
    }

    /// Hands a request to a run, taking it into memory when it is not there.
    async fn ask(&self, run: RunId, what: Request, actor: &Actor) -> Result<(), EngineError> {
        self.ask_for(run, &what, actor).await
    }

    /// The same, for whoever asks again.
    pub(crate) async fn ask_for(
        &self,
        run: RunId,
        what: &Request,
        actor: &Actor,
    ) -> Result<(), EngineError> {
        for _ in 0..HAND_OVERS {
            let (reply, answer) = oneshot::channel();
            let command = Command { what: what.clone(), actor: actor.clone(), reply };
            let handed = match self.shared.mailbox(run) {
                Some(mailbox) => {
                    let sending = timeout(ANSWER_IN, mailbox.send(command));
                    sending.await.map_err(|_| unanswered(run))?.is_ok()
                }
                None if self.shared.is_draining() => return Err(EngineError::Draining),
                None => match self.take_up(run, Some(command)).await {
                    Ok(()) => true,
                    Err(RecoverError::NoRun) => return Err(EngineError::NoRun(run)),
                    Err(RecoverError::NoRoom | RecoverError::There) => false,
                    Err(other) => return Err(other.into()),
                },
            };
            if handed {
                match timeout(ANSWER_IN, answer).await {
                    Ok(Ok(answer)) => return answer,
                    // Never looked at: the run left memory between the two.
                    Ok(Err(_)) => {}
                    // It may still be done. Asking again could decide another call in its place.
                    Err(_) => return Err(unanswered(run)),
                }
            }
            tokio::task::yield_now().await;
        }
        Err(StoreError::Unavailable(format!("{run} cannot be reached now; try again")).into())
    }
}

fn unanswered(run: RunId) -> EngineError {
    StoreError::Unknown(format!("{run} did not answer in time; look at it before you ask again"))
        .into()
}

fn not_leased() -> EngineError {
    StoreError::Unavailable("this node does not hold the right to run".to_owned()).into()
}
