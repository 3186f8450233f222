//! What must hold of what was answered, and at the end of a story.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use qc_engine::{Accepted, EngineError, TaskFilter};
use qc_model::RunId;
use qc_store::StoreError;

use crate::{
    Invariant,
    story::{Story, Waited},
    witness::Witness,
};

/// Who waits for a run's end is told within this; the store may take longer to say that it has
/// ended.
const TOLD_WITHIN: Duration = Duration::from_millis(250);
const STORE_TAKES: Duration = Duration::from_secs(12);

/// More tasks than there are in a story.
const TASKS_MAX: usize = 10_000;

impl Witness {
    /// A sender was answered: what was accepted is on disk.
    pub(crate) fn acknowledged(&self, answer: &Result<Accepted, EngineError>) {
        if let Ok(Accepted::New { run } | Accepted::Repeat { run }) = answer
            && self.origin(*run).is_none()
        {
            let what = format!("{run} was acknowledged and is not there");
            self.record.broken(Invariant::AcceptedIsKept, what);
        }
    }
}

impl Story {
    pub(crate) async fn judge(&self) {
        if self.record.is_broken() {
            return;
        }
        let runs = self.runs().await;
        for head in &runs {
            if !head.state.status.is_terminal() {
                self.record.broken(
                    Invariant::NoStuckRun,
                    format_args!("{} is not at its end: {:?}", head.facts.id, head.state),
                );
            }
        }
        let originals: BTreeSet<RunId> = runs
            .iter()
            .filter(|head| head.facts.replay_of.is_none() && head.facts.trigger.as_str() == "in")
            .map(|head| head.facts.id)
            .collect();
        self.judge_answers(&originals);
        let gauges = self.world.engine.gauges();
        if gauges.stuck > 0 {
            self.record
                .broken(Invariant::NoStuckRun, format_args!("{} runs were stuck", gauges.stuck));
        }
        self.judge_tasks().await;
        self.witness.check_kept().await;
        let left = (gauges.runs_in_memory, gauges.runs_asleep, gauges.waiting_for_ends);
        let ended = runs.iter().all(|head| head.state.status.is_terminal());
        if ended && left != (0, 0, 0) {
            self.record.broken(
                Invariant::MemoryIsEmptied,
                format_args!("(in memory, asleep, waiting for ends) are {left:?}"),
            );
        }
    }

    /// Those who look see the tasks that wait, and no others.
    async fn judge_tasks(&self) {
        let filter = TaskFilter { limit: TASKS_MAX, ..TaskFilter::default() };
        let Ok(page) = self.world.engine.tasks(&filter).await else { return };
        let mut shown: Vec<_> = page.tasks.iter().map(qc_engine::PersonTask::id).collect();
        let mut open = self.witness.open_tasks();
        shown.sort_unstable();
        open.sort_unstable();
        if shown != open {
            self.record.broken(
                Invariant::AskedOnce,
                format_args!("the tasks {open:?} wait, and shown are {shown:?}"),
            );
        }
    }

    /// Every answer about an event names one run, which exists; what was refused never became one.
    fn judge_answers(&self, originals: &BTreeSet<RunId>) {
        let mut by_event: BTreeMap<u64, BTreeSet<RunId>> = BTreeMap::new();
        let mut unsure: BTreeSet<u64> = BTreeSet::new();
        for sent in &self.sent {
            match &sent.answer {
                Ok(_) if sent.misused => self.record.broken(
                    Invariant::OneRunForAKey,
                    format_args!("another body was taken under the key of event {}", sent.event),
                ),
                Ok(Accepted::New { run } | Accepted::Repeat { run }) => {
                    by_event.entry(sent.event).or_default().insert(*run);
                }
                Err(error) if refused(error) => {}
                Err(_) => {
                    unsure.insert(sent.event);
                }
            }
        }
        let named: BTreeSet<RunId> = by_event.values().flatten().copied().collect();
        for run in named.difference(originals) {
            self.record
                .broken(Invariant::AcceptedIsKept, format_args!("{run} was accepted and is gone"));
        }
        for (event, of_event) in &by_event {
            if of_event.len() > 1 {
                self.record.broken(
                    Invariant::OneRunForAKey,
                    format_args!("event {event} has the runs {of_event:?}"),
                );
            }
        }
        unsure.retain(|event| !by_event.contains_key(event));
        let more: Vec<&RunId> = originals.difference(&named).collect();
        if more.len() > unsure.len() {
            self.record.broken(
                Invariant::RefusedIsNoRun,
                format_args!("nobody was told of {more:?}, and unsure are {unsure:?}"),
            );
        }
    }

    /// Who waited was told at once.
    pub(crate) fn judge_waited(&self, waited: &Waited) {
        let Waited { run, process, from, to, answer } = waited;
        if self.witness.killed_between(*from, *to) {
            return;
        }
        // What ends in another process is found out at the limit.
        let ended = self.witness.ended(*run).filter(|(_, by)| by == process).map(|(at, _)| at);
        let slow = if self.temper.breaks_store() { STORE_TAKES } else { Duration::ZERO };
        let within = TOLD_WITHIN + slow;
        let late = match (answer, ended) {
            (Ok(Some(_)), Some(at)) => *to > at.max(*from) + within,
            (Ok(None), Some(at)) => at + within < *to,
            _ => false,
        };
        if late {
            self.record.broken(
                Invariant::WaitersAreAnswered,
                format_args!("{run} ended at {ended:?}, waited from {from:?} to {to:?}"),
            );
        }
    }
}

/// Whether an answer says that nothing was taken.
fn refused(error: &EngineError) -> bool {
    matches!(
        error,
        EngineError::Draining
            | EngineError::KeyReused { .. }
            | EngineError::Store(
                StoreError::Full(_) | StoreError::Refused(_) | StoreError::Unavailable(_)
            )
    )
}
