//! Order by key: runs of an integration that share a key are worked on one after the other, in the
//! order in which their events were committed. A run that stands in a line is accepted with nothing
//! but its start in its journal; it begins, and the moment of that is journaled, when it is first.
//!
//! All runs of a line have one bucket, so one node has the whole line. Nothing here is needed for a
//! run to begin: a lost word costs time, and the sweep finds whoever is first.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use aws_lc_rs::digest;
use qc_model::{Failure, RunId, Timestamp, TxnId};
use qc_store::{
    BUCKETS, LiveCause, Op, RunFacts, RunHead, RunState, RunStatus, StoreError, Turn, Txn,
    TxnOutcome,
};
use qc_workflow::{Machine, Start};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Notify;

use crate::{
    Deployment, Engine, EngineError, OnFailure,
    chain::EarlierCall,
    codes,
    command::{Command, Request},
    data::Custody,
    draft::Draft,
    engine::Place,
    entry::{self, Journaled, Keyed, Lineage},
    groups::in_bucket,
    record,
    run::{ActiveRun, RunContext},
    start::over_event,
};

/// The longest key of a line, in bytes.
const KEY_BYTES_MAX: usize = 255;

/// So many lines that go on may wait to be looked at; the sweep finds what is beyond.
const MOVED_MAX: usize = 10_000;

/// So many runs whose turn it is are taken up in one go of the sweep.
pub(crate) const IN_TURN_PAGE: usize = 500;

/// A run's line, as its journal keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Line {
    /// Tenant, environment and integration.
    pub(crate) scope: String,
    /// The key.
    pub(crate) key: String,
}

impl Line {
    /// Its bucket: the same for all runs of the line.
    pub(crate) fn bucket(&self) -> u16 {
        let text = format!("{}\n{}", self.scope, self.key);
        let hash = digest::digest(&digest::SHA256, text.as_bytes());
        match hash.as_ref() {
            [high, low, ..] => u16::from_be_bytes([*high, *low]) % BUCKETS,
            _ => 0,
        }
    }

    pub(crate) fn turn(&self) -> Turn {
        Turn { scope: self.scope.clone(), key: self.key.clone() }
    }
}

/// Lines whose first run has left them.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    moved: Mutex<VecDeque<Line>>,
    came: Notify,
}

impl Lines {
    /// Somebody left this line: whoever is first now begins.
    pub(crate) fn moved(&self, line: Line) {
        let mut moved = self.moved.lock().unwrap_or_else(PoisonError::into_inner);
        if moved.len() < MOVED_MAX {
            moved.push_back(line);
        }
        drop(moved);
        self.came.notify_one();
    }

    fn next(&self) -> Option<Line> {
        self.moved.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

/// The line of an event, when its integration keeps an order.
pub(crate) fn line_of(
    deployment: &Deployment,
    tenant: &qc_model::TenantName,
    event: &Value,
    at: Timestamp,
) -> Result<Option<Line>, EngineError> {
    let Some(rule) = &deployment.release.ordering else { return Ok(None) };
    let unusable = |why: String| {
        let source = rule.key.source();
        let detail = format!("`ordering` finds the key with `{source}`, and on this event {why}");
        EngineError::Failed(Box::new(Failure::new(
            qc_model::Class::Invalid,
            codes::TRIGGER_EXPRESSION,
            "the event has no usable key of order",
            detail,
        )))
    };
    let key = match over_event(&rule.key, event, at).map_err(|e| unusable(e.to_string()))? {
        Value::String(key) => key,
        Value::Number(number) => number.to_string(),
        Value::Null => return Err(unusable("there is nothing".to_owned())),
        _ => return Err(unusable("that is neither a text nor a number".to_owned())),
    };
    if key.is_empty() || key.len() > KEY_BYTES_MAX || key.chars().any(char::is_control) {
        return Err(unusable(format!(
            "that is not 1 to {KEY_BYTES_MAX} bytes without control characters"
        )));
    }
    let (environment, integration) = (&deployment.environment, &deployment.release.integration);
    Ok(Some(Line { scope: format!("{tenant}/{environment}/{integration}"), key }))
}

/// The state of a run that stands in a line.
pub(crate) fn standing(at: Timestamp) -> RunState {
    RunState {
        status: RunStatus::Waiting,
        cause: LiveCause::Turn,
        wake_at: None,
        summary: Some("waits for its turn".to_owned()),
        updated_at: at,
    }
}

/// What a run's journal says as long as it only stands in its line.
pub(crate) struct Standing {
    start: Box<Start>,
    traceparent: Option<String>,
    earlier: Vec<EarlierCall>,
    /// None: it was only held or queued.
    line: Option<Line>,
    lineage: Lineage,
}

impl Standing {
    /// None: it has begun, or stands in no line.
    pub(crate) fn of(journal: &[qc_store::Entry]) -> Result<Option<Self>, entry::EntryError> {
        let [first] = journal else { return Ok(None) };
        match entry::decode(0, first)? {
            Journaled::Start { start, traceparent, earlier, line, lineage, held, .. }
                if line.is_some() || held =>
            {
                Ok(Some(Self { start, traceparent, earlier, line, lineage }))
            }
            _ => Ok(None),
        }
    }

    /// Its turn has come: it begins now.
    pub(crate) fn begin(
        self,
        head: RunHead,
        deployment: Arc<Deployment>,
        at: Timestamp,
        custody: Custody,
    ) -> ActiveRun {
        let start = Start { at, ..*self.start };
        let (machine, actions) = Machine::start(deployment.release.program.clone(), &start);
        let context = RunContext::in_line(
            Arc::new(head.facts),
            deployment,
            self.traceparent,
            self.line,
            self.lineage,
        );
        let mut run = ActiveRun::new(context, machine, std::collections::HashMap::new(), custody);
        run.earlier = self.earlier.into_iter().map(|one| (one.call, one.outcome)).collect();
        run.version = head.version;
        run.stored = Some(head.state);
        let mut draft = Draft::new(at);
        draft.journal(Journaled::Begun);
        run.begin(actions, &mut draft);
        run.resume_with = Some(draft);
        run
    }
}

/// The first journal entry of a run that joins a line, or that is held: its trigger is paused, or a limit has it wait.
pub(crate) fn joins(
    start: Start,
    traceparent: Option<String>,
    earlier: Vec<EarlierCall>,
    keyed: Option<Keyed>,
    lineage: Lineage,
    line: Option<Line>,
    held: bool,
) -> Draft {
    let mut draft = Draft::new(start.at);
    let start = Box::new(start);
    draft.journal(Journaled::Start { start, traceparent, earlier, keyed, line, lineage, held });
    draft
}

impl Engine {
    /// An id for a run of this line.
    pub(crate) fn run_id_in(&self, line: &Line, at: Timestamp) -> RunId {
        in_bucket(RunId::new(at, &*self.shared.entropy), line.bucket())
    }

    /// A run has joined a line, and begins when it is the first there.
    pub(crate) async fn joined(&self, facts: &RunFacts) {
        if !self.shared.leases.owns(facts.id) {
            return self.wake_owner(facts.id);
        }
        self.begin_in_turn(facts).await;
    }

    /// Lines a run up for a place when it is the first of its line. When the store does not answer, the sweep does so.
    pub(crate) async fn begin_in_turn(&self, facts: &RunFacts) {
        match self.shared.store.turn_of(facts.id).await {
            #[cfg(feature = "planted-bugs")]
            Ok(Some(_)) if crate::planted::planted(crate::planted::Bug::OrderIgnored) => {
                self.shared.places.line_up(facts);
            }
            Ok(Some(place)) if place.ahead == 0 => self.shared.places.line_up(facts),
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(run = %facts.id, "a run's place in its line cannot be read now: {error}");
                self.shared.sweep_now.notify_one();
            }
        }
    }

    /// Has whoever is first begin, in every line that somebody left.
    pub(crate) async fn move_lines(&self) {
        loop {
            while let Some(line) = self.shared.lines.next() {
                match self.shared.store.first_in_line(&line.scope, &line.key).await {
                    Ok(first) => self.line_up(first.as_slice()).await,
                    Err(error) => {
                        tracing::warn!("a line cannot be read now: {error}");
                        self.shared.sweep_now.notify_one();
                    }
                }
            }
            tokio::select! {
                () = self.shared.lines.came.notified() => {}
                () = self.draining() => return,
            }
        }
    }

    /// Lines up runs of these buckets whose turn it is.
    pub(crate) async fn sweep_lines(
        &self,
        buckets: std::ops::Range<u16>,
    ) -> Result<(), StoreError> {
        for head in self.shared.store.runs_in_turn(buckets, IN_TURN_PAGE).await? {
            self.shared.places.line_up(&head.facts);
        }
        Ok(())
    }

    /// What is asked of a run that only stands in its line: it can be cancelled.
    pub(crate) async fn ask_standing(&self, head: RunHead, command: Command, place: &Place) {
        let answer = match &command.what {
            Request::Cancel { reason, .. } => {
                self.never_begin(&head, reason, &command, place).await
            }
            Request::Resolve { .. }
            | Request::Retry { .. }
            | Request::Resume
            | Request::Refit { .. }
            | Request::Probe { .. }
            | Request::Mended { .. }
            | Request::Task { .. }
            | Request::Offer { .. }
            | Request::Ended { .. }
            | Request::ChildEnded { .. }
            | Request::LookAgain => Err(EngineError::WrongState {
                run: head.facts.id,
                status: head.state.status.as_str(),
                reason: "it waits for its turn and has done nothing yet".to_owned(),
            }),
        };
        // Whoever asked may have gone away.
        drop(command.reply.send(answer));
    }

    async fn never_begin(
        &self,
        head: &RunHead,
        reason: &str,
        command: &Command,
        place: &Place,
    ) -> Result<(), EngineError> {
        let shared = &self.shared;
        let (facts, at) = (&head.facts, shared.now());
        let line = shared.store.turn_of(facts.id).await?.map(|place| place.turn);
        let mut asked = record::operated(facts, at, &command.actor, "run.cancel", reason);
        if let Some(letter) = &command.letter {
            record::by_letter(&mut asked, letter);
        }
        let mut ended = record::run_changed(facts, at, "cancelled", None);
        record::signed(&mut ended, &shared.settings.node);
        let entry = entry::encode(at, &Journaled::NeverBegun { reason: reason.to_owned() });
        let state = RunState {
            status: RunStatus::Cancelled,
            cause: LiveCause::Ended,
            wake_at: None,
            summary: Some(reason.to_owned()),
            updated_at: at,
        };
        let ops = vec![Op::Journal(entry), Op::Ledger(asked), Op::Ledger(ended), Op::EndTurn];
        let txn = Txn {
            id: TxnId::new(at, &*shared.entropy),
            run: facts.id,
            expect: head.version,
            state,
            ops,
        };
        if !place.tenure.certain().await {
            return Err(moved_on());
        }
        match shared.committer.commit(&place.tenure.lease, txn).await? {
            TxnOutcome::Committed { .. } => {}
            TxnOutcome::Fenced
            | TxnOutcome::Conflict { .. }
            | TxnOutcome::DocumentConflict { .. } => {
                return Err(moved_on());
            }
        }
        shared.counters.cancelled.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let end = crate::RunEnd::Cancelled { reason: reason.to_owned() };
        shared.waiting.ended(facts.id, &end);
        if let Some(turn) = line {
            shared.lines.moved(Line { scope: turn.scope, key: turn.key });
        }
        Ok(())
    }
}

fn moved_on() -> EngineError {
    StoreError::Unavailable("the run moved on; try again".to_owned()).into()
}

/// Whether a run that ended so leaves its line.
pub(crate) fn leaves(end: &crate::RunEnd, on_failure: OnFailure) -> bool {
    match end {
        crate::RunEnd::Completed { .. } | crate::RunEnd::Cancelled { .. } => true,
        crate::RunEnd::Faulted { .. } => on_failure == OnFailure::Skip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_runs_of_a_line_have_its_bucket_and_lines_are_spread() {
        let line = |key: &str| Line { scope: "t/e/i".to_owned(), key: key.to_owned() };
        assert_eq!(line("a").bucket(), line("a").bucket());
        let buckets: std::collections::BTreeSet<u16> =
            (0..1_000).map(|n| line(&n.to_string()).bucket()).collect();
        assert!(buckets.len() > 500 && buckets.iter().all(|bucket| *bucket < BUCKETS));
        let shifted = Line { scope: "t/e".to_owned(), key: "i\na".to_owned() };
        assert_ne!(shifted.turn(), line("a").turn());
    }
}
