//! What people do with runs: look, wait, cancel, resolve, replay, and settle dead letters.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use qc_model::{Actor, EventId, Name, RunId, TxnId};
use qc_store::{
    DeadState, IdempotencyKey, LedgerRow, Op, Priority, RunFacts, RunHead, RunKey, StoreError,
    StoredEvent, Txn, TxnOutcome,
};
use qc_workflow::Start;
use serde_json::{Value, json};
use tokio::{
    sync::oneshot,
    time::{Instant, timeout},
};

use crate::{
    Accepted, Deployment, Engine, EngineError, LineName, Replay, Resolution, Retry, RunEnd,
    RunView,
    accept::{Beginning, Prepared, begin},
    chain::{EarlierCall, blobs_in, effects_of},
    command::{Command, Reopening, Request, TaskDeed},
    continuation::Barred,
    data::Custody,
    entry::{self, Journaled, Lineage},
    forward::{ANSWER_IN, Errand, unanswered},
    groups::bucket_of,
    line::{Line, line_of},
    person::closing,
    record,
    recover::{RecoverError, fold},
    search,
    start::workflow_start,
    subject,
};

/// How often a request is handed to a run that keeps leaving memory.
const HAND_OVERS: usize = 20;

/// The pauses between two looks at a run that may end on another node: from the first on longer and
/// longer, as it takes longer.
const LOOK_FIRST: Duration = Duration::from_millis(50);
const LOOK_LAST: Duration = Duration::from_secs(1);

/// What is given up of a run that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GivenUp {
    /// All of it: it is not to be done.
    Letter,
    /// Its place at the head of its line.
    Turn,
    /// Both.
    Both,
}

/// Why a request was not done here.
#[derive(Debug)]
pub(crate) enum Asking {
    /// Another node owns the run, or will.
    Elsewhere,
    /// It cannot be done.
    Failed(EngineError),
}

impl<E: Into<EngineError>> From<E> for Asking {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl Engine {
    /// Waits for a run's end, at most so long. None: it is not at its end yet.
    pub async fn wait(&self, run: RunId, limit: Duration) -> Result<Option<RunEnd>, EngineError> {
        let mut waiter = self.shared.waiting.line_up(run);
        // A run that is in memory now is not at its end before those who wait are told. Any other
        // one may have ended before we lined up.
        if !self.shared.is_active(run) && self.head(run).await?.state.status.is_terminal() {
            return self.ended(run).await;
        }
        let deadline = Instant::now() + limit;
        let mut pause = LOOK_FIRST;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            // A run of this node's is told of at its end; one of another node's is looked at.
            let here = self.shared.leases.is_alone();
            let patience = if here { left } else { left.min(pause) };
            if let Ok(Ok(end)) = timeout(patience, &mut waiter.end).await {
                return Ok(Some(end));
            }
            // It may have ended somewhere else.
            if !self.shared.is_active(run) && self.head(run).await?.state.status.is_terminal() {
                return self.ended(run).await;
            }
            if Instant::now() >= deadline {
                return Ok(None);
            }
            pause = (pause * 3 / 2).min(LOOK_LAST);
        }
    }

    /// A run's end as those may see it who may not see its payloads: what failed says nothing sensitive.
    async fn ended(&self, run: RunId) -> Result<Option<RunEnd>, EngineError> {
        let mut end = self.inspect(run).await?.end;
        if let Some(RunEnd::Faulted { failure, error }) = &mut end {
            let (head, journal) = (self.head(run).await?, self.shared.store.journal(run).await?);
            let deployment = self.release_of(&head, &journal).await?;
            let custody = Box::pin(self.custody_of(&head, &deployment, &journal)).await?;
            custody.clean(failure);
            custody.clean_value(error);
        }
        Ok(end)
    }

    /// A run's output as whoever sent its event may have it, by the policy of the deployed release.
    ///
    /// Errors: the failure says what may not go to senders.
    pub async fn reply(
        &self,
        deployment: &Deployment,
        trigger: &Name,
        run: RunId,
        mut output: Value,
    ) -> Result<Value, EngineError> {
        let rules = &deployment.release.data;
        if rules.movement.is_none() {
            return Ok(output);
        }
        let tenant = self.head(run).await?.facts.tenant;
        let key = || self.shared.settings.token_roots.key(&deployment.environment, &tenant);
        rules
            .let_reply(trigger, &mut output, &deployment.environment, key)
            .map_err(EngineError::Failed)?;
        Ok(output)
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
        let deployment = self.release_of(&head, &stored).await;
        let contacts = deployment.as_ref().map(|it| it.release.people.contacts.clone());
        let contacts = contacts.unwrap_or_default();
        let (end, undone, substituted) = if head.state.status.is_terminal() {
            let deployment = deployment?;
            let folded = fold(&deployment, &stored)?;
            let substituted = folded.machine.substituted().to_vec();
            (folded.end(&deployment), folded.undone(), substituted)
        } else {
            (None, None, Vec::new())
        };
        Ok(RunView { head, input, end, undone, substituted, journal, contacts })
    }

    /// Ends a run.
    pub async fn cancel(&self, run: RunId, reason: &str, actor: &Actor) -> Result<(), EngineError> {
        let request = Request::Cancel { reason: reason.to_owned(), compensate: false };
        self.ask(run, request, actor).await
    }

    /// Ends a run and undoes what it did and its integration says how to undo.
    pub async fn cancel_and_undo(
        &self,
        run: RunId,
        reason: &str,
        actor: &Actor,
    ) -> Result<(), EngineError> {
        let request = Request::Cancel { reason: reason.to_owned(), compensate: true };
        self.ask(run, request, actor).await
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
        self.retry(run, Retry::default(), actor).await
    }

    /// The same, also when the line of its key has gone on without it.
    pub async fn retry_dead_out_of_order(
        &self,
        run: RunId,
        actor: &Actor,
    ) -> Result<(), EngineError> {
        self.retry(run, Retry { out_of_order: true, ..Retry::default() }, actor).await
    }

    /// The same, as wanted.
    pub async fn retry(&self, run: RunId, how: Retry, actor: &Actor) -> Result<(), EngineError> {
        let Retry { out_of_order, newest } = how;
        self.ask(run, Request::Retry { out_of_order, newest }, actor).await
    }

    /// Says that a dead letter is not to be done.
    pub async fn discard_dead(
        &self,
        run: RunId,
        reason: &str,
        actor: &Actor,
    ) -> Result<(), EngineError> {
        match self.give_up(run, GivenUp::Letter, reason, actor, None).await {
            Err(Asking::Elsewhere) => {
                self.forward(run, Errand::Discard { reason: reason.to_owned() }, actor).await
            }
            Err(Asking::Failed(error)) => Err(error),
            Ok(()) => Ok(()),
        }
    }

    /// Has a line go on without the failed run that is its first. The dead letter stays.
    pub async fn resume_line(
        &self,
        line: &LineName,
        reason: &str,
        actor: &Actor,
    ) -> Result<RunId, EngineError> {
        let errand = Errand::LeaveLine { reason: reason.to_owned() };
        self.give_first_up(line, GivenUp::Turn, errand, reason, actor).await
    }

    /// Gives up the first of a line, or what of it is said, here or at its owner.
    pub(crate) async fn give_first_up(
        &self,
        line: &LineName,
        what: GivenUp,
        errand: Errand,
        reason: &str,
        actor: &Actor,
    ) -> Result<RunId, EngineError> {
        let first = self.shared.store.first_in_line(&line.scope(), &line.key).await?;
        let first = first.ok_or_else(|| EngineError::NoLine(line.key.clone()))?;
        match self.give_up(first, what, reason, actor, None).await {
            Err(Asking::Elsewhere) => self.forward(first, errand, actor).await?,
            Err(Asking::Failed(error)) => return Err(error),
            Ok(()) => {}
        }
        Ok(first)
    }

    /// A failed run, or its place in its line, is given up.
    pub(crate) async fn give_up(
        &self,
        run: RunId,
        what: GivenUp,
        reason: &str,
        actor: &Actor,
        letter: Option<&str>,
    ) -> Result<(), Asking> {
        let head = self.head(run).await?;
        let tenure = self.shared.leases.of(run).ok_or_else(|| self.elsewhere())?;
        if head.state.status != qc_store::RunStatus::Faulted {
            let reason = "only a run that ended in failure is given up".to_owned();
            let status = head.state.status.as_str();
            return Err(EngineError::WrongState { run, status, reason }.into());
        }
        let at = self.shared.now();
        let turn = self.shared.store.turn_of(run).await?.map(|place| place.turn);
        let (deed, mut settled) = match what {
            GivenUp::Letter => ("dlq.discard", vec![Op::SettleDead(DeadState::Discarded)]),
            GivenUp::Turn => ("line.resume", vec![]),
            GivenUp::Both => ("line.skip", vec![Op::SettleDead(DeadState::Discarded)]),
        };
        if what != GivenUp::Turn {
            let open = self.open_tasks(run).await?;
            settled.extend(closing(&open, "the dead letter was given up", at));
        }
        // Of a key that is parked somebody decides by itself.
        let stays = what == GivenUp::Letter && turn.is_some() && self.parks(&head).await?;
        let turn = turn.filter(|_| !stays);
        let mut row = record::operated(&head.facts, at, actor, deed, reason);
        if let Some(id) = letter {
            record::by_letter(&mut row, id);
        }
        let txn = Txn {
            id: TxnId::new(at, &*self.shared.entropy),
            run,
            expect: head.version,
            state: head.state.clone(),
            ops: settled
                .into_iter()
                .chain([Op::Ledger(row)])
                .chain((!stays).then_some(Op::EndTurn))
                .collect(),
        };
        if !tenure.certain().await {
            return Err(self.elsewhere());
        }
        match self.shared.committer.commit(&tenure.lease, txn).await? {
            TxnOutcome::Committed { .. } => {
                if let Some(turn) = turn {
                    self.shared.lines.moved(Line { scope: turn.scope, key: turn.key });
                }
                Ok(())
            }
            TxnOutcome::Fenced => {
                tenure.lose();
                Err(self.elsewhere())
            }
            TxnOutcome::Conflict { .. } | TxnOutcome::DocumentConflict { .. } => {
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
        self.replay_under(run, replay, actor, None).await
    }

    /// The same under a key of the asker's own: asked again under it, there is one run. It goes behind those that came
    /// in by themselves.
    pub(crate) async fn replay_under(
        &self,
        run: RunId,
        replay: Replay,
        actor: &Actor,
        key: Option<IdempotencyKey>,
    ) -> Result<RunId, EngineError> {
        let row = |facts: &RunFacts| {
            record::operated(facts, facts.accepted_at, actor, "run.replay", &format!("of {run}"))
        };
        self.relive(run, replay, None, key, row).await
    }

    /// With what a replay of a run at its end begins, and what of it was done already.
    async fn inherited(
        &self,
        old: &RunHead,
        edited: Option<Value>,
        new_effects: bool,
    ) -> Result<(Value, Vec<EarlierCall>), EngineError> {
        if let Some(input) = edited {
            return Ok((input, Vec::new()));
        }
        let run = old.facts.id;
        let view = self.inspect(run).await?;
        if new_effects {
            return Ok((view.input, Vec::new()));
        }
        if view.undone.is_some() {
            let status = old.state.status.as_str();
            let reason = "what it did was undone, and its old keys stand for that; replay it with \
                          new effects"
                .to_owned();
            return Err(EngineError::WrongState { run, status, reason });
        }
        Ok((view.input, self.effects_of(old).await?))
    }

    /// Whom a run is about, a replay of it is, too.
    async fn subject_keys_of(&self, run: RunId) -> Result<Vec<RunKey>, EngineError> {
        let keys = self.shared.store.keys_of(run).await?;
        Ok(keys.into_iter().filter(|key| key.name == subject::KEY).collect())
    }

    /// Makes a run that begins with what another one began with, knowing what that one has done. A child has its id from
    /// its parent, and stands in no line.
    pub(crate) async fn relive(
        &self,
        run: RunId,
        replay: Replay,
        child: Option<(RunId, Lineage)>,
        key: Option<IdempotencyKey>,
        row: impl FnOnce(&RunFacts) -> LedgerRow,
    ) -> Result<RunId, EngineError> {
        if self.shared.is_draining() {
            return Err(EngineError::Draining);
        }
        // The chain before the run: as long as the chain stays as it was read, the run stays ended.
        let origin = self.head(run).await?.facts.origin;
        let chain = self.shared.chain(origin).await?;
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
        let deployments = self.deployments();
        let deployment = deployments
            .lookup(old.facts.environment.as_str(), old.facts.integration.as_str())
            .ok_or_else(|| wrong("its integration is not deployed in its environment"))?;
        let event = self.shared.store.event(run).await?.ok_or(EngineError::NoRun(run))?;
        let began = self.began(run).await?;
        let depth = began.depth;
        let (input, earlier) = self.inherited(&old, replay.input, replay.new_effects).await?;
        let at = self.shared.now();
        let structured: Value = serde_json::from_slice(&event.body)
            .map_err(|e| StoreError::Corrupt(format!("the event of {run}: {e}")))?;
        let mut keys = self.subject_keys_of(run).await?;
        keys.extend(search::keys_of_event(&deployment.release, &structured, at));
        let line = if replay.out_of_order || child.is_some() {
            None
        } else {
            line_of(deployment, &old.facts.tenant, &structured, at)?
        };
        let (id, lineage) = child.unwrap_or_else(|| {
            let new = || self.new_run_id(at);
            (line.as_ref().map_or_else(new, |it| self.run_id_in(it, at)), Lineage::default())
        });
        let mut documents = Vec::new();
        if !replay.new_effects {
            let replayed = chain.replayed(run, id, at);
            documents.push(replayed.map_err(|barred| wrong(&barred.reason()))?);
        }
        let facts = Arc::new(RunFacts {
            id,
            bucket: bucket_of(id),
            release: deployment.release.hash.clone(),
            event: EventId::new(at, &*self.shared.entropy),
            origin: if replay.new_effects { id } else { origin },
            replay_of: Some(run),
            accepted_at: at,
            trace: None,
            priority: if key.is_some() { Priority::Low } else { old.facts.priority },
            ..old.facts
        });
        // Before the run is there: what it inherits must not go with the run that received it. One that the old run does
        // not hold is none of its own, and stays closed to the new one.
        for hash in blobs_in(&earlier) {
            self.shared.outbound.blobs().keep(run, id, hash).await?;
        }
        let entropy = self.shared.entropy.next_u64();
        let mut start = Start { depth, ..workflow_start(deployment, &facts, input, at, entropy) };
        if !replay.new_effects && began.runtime.metadata["degraded"] == true {
            // It takes over what was done in the lesser way, so that is the way in which it goes on.
            start.runtime.metadata["degraded"] = true.into();
        }
        let first_row = row(&facts);
        let roots = &self.shared.settings.token_roots;
        let custody = Custody::of_event(roots, &deployment.release.data, &facts, Some(&event));
        let beginning = Beginning { earlier, lineage, custody, ..Beginning::default() };
        let begun = begin(deployment, facts.clone(), start, None, beginning, line);
        let event =
            StoredEvent { id: facts.event, received_at: at, body: Bytes::clone(&event.body) };
        let prepared = Prepared { key, documents, keys, ..Prepared::of(begun, event, first_row) };
        match self.write(prepared).await {
            Ok(Accepted::New { run } | Accepted::Repeat { run }) => Ok(run),
            Err(error) if replay.new_effects => Err(error),
            Err(error) => match self.shared.chain(origin).await?.bars(run) {
                // The answer was lost, the deed was not.
                Some(Barred::By(newest)) if newest == id => Ok(id),
                Some(barred) => Err(wrong(&barred.reason())),
                None => Err(error),
            },
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
        let journal = self.shared.store.journal(old.facts.id).await?;
        let deployment = self.release_of(old, &journal).await?;
        Ok(effects_of(&deployment, &journal)?)
    }

    pub(crate) async fn head(&self, run: RunId) -> Result<RunHead, EngineError> {
        self.shared.store.run(run).await?.ok_or(EngineError::NoRun(run))
    }

    async fn reopening(&self, run: RunId, newest: bool) -> Result<Reopening, EngineError> {
        let head = self.head(run).await?;
        let onto = if newest { Some(self.newest_for(&head).await?) } else { None };
        let chain = self.shared.chain(head.facts.origin).await?;
        let in_line = self.shared.store.turn_of(run).await?.is_some();
        Ok(Reopening { chain, in_line, onto })
    }

    /// Hands a request to a run, here or through the node that owns it.
    pub(crate) async fn ask(
        &self,
        run: RunId,
        what: Request,
        actor: &Actor,
    ) -> Result<(), EngineError> {
        match Box::pin(self.ask_here(run, &what, actor, None)).await {
            Err(Asking::Elsewhere) => self.forward(run, Errand::Ask(what), actor).await,
            Err(Asking::Failed(error)) => Err(error),
            Ok(()) => Ok(()),
        }
    }

    /// Another node owns a run, when there are others.
    pub(crate) fn elsewhere(&self) -> Asking {
        if self.shared.leases.is_alone() { not_leased().into() } else { Asking::Elsewhere }
    }

    /// Hands a request to a run of this node's, taking it into memory when it is not there.
    pub(crate) async fn ask_here(
        &self,
        run: RunId,
        what: &Request,
        actor: &Actor,
        letter: Option<&str>,
    ) -> Result<(), Asking> {
        let reopening = match what {
            Request::Retry { newest, .. } => Some(self.reopening(run, *newest).await?),
            Request::Task { deed, .. } if matches!(**deed, TaskDeed::Act { .. }) => {
                Some(self.reopening(run, false).await?)
            }
            Request::Cancel { .. }
            | Request::Resolve { .. }
            | Request::Resume
            | Request::Refit { .. }
            | Request::Probe { .. }
            | Request::Mended { .. }
            | Request::Task { .. }
            | Request::Offer { .. }
            | Request::Ended { .. }
            | Request::ChildEnded { .. }
            | Request::LookAgain => None,
        };
        let mending = match what {
            Request::Refit { .. } => Some(Box::pin(self.mending(run)).await?),
            _ => None,
        };
        for _ in 0..HAND_OVERS {
            let (reply, answer) = oneshot::channel();
            let letter = letter.map(str::to_owned);
            let (what, actor, reopening) = (what.clone(), actor.clone(), reopening.clone());
            let mending = mending.clone();
            let command = Command { what, actor, letter, reopening, mending, reply };
            let handed = match self.shared.mailbox(run) {
                Some(mailbox) => {
                    let sending = timeout(ANSWER_IN, mailbox.send(command));
                    sending.await.map_err(|_| unanswered(run))?.is_ok()
                }
                None if self.shared.is_draining() => return Err(EngineError::Draining.into()),
                None => match self.take_up(run, command).await {
                    Ok(()) => true,
                    Err(RecoverError::NoRun) => return Err(EngineError::NoRun(run).into()),
                    Err(RecoverError::NotOurs) => {
                        // Not even its owner can do anything for a run that is not there.
                        self.head(run).await?;
                        return Err(self.elsewhere());
                    }
                    Err(RecoverError::NoRoom | RecoverError::There) => false,
                    Err(other) => return Err(EngineError::from(other).into()),
                },
            };
            if handed {
                match timeout(ANSWER_IN, answer).await {
                    Ok(Ok(answer)) => return answer.map_err(Asking::Failed),
                    // Never looked at: the run left memory between the two.
                    Ok(Err(_)) => {}
                    // It may still be done. Asking again could decide another call in its place.
                    Err(_) => return Err(unanswered(run).into()),
                }
            }
            tokio::task::yield_now().await;
        }
        Err(StoreError::Unavailable(format!("{run} cannot be reached now; try again")).into())
    }
}

fn not_leased() -> EngineError {
    StoreError::Unavailable("this node does not hold the right to run".to_owned()).into()
}
