//! Runs that stand in a line or are held, and when they begin: in the order of their key, and not while
//! their trigger is paused.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use qc_model::{RunId, Timestamp};
use qc_store::{Accept, DocumentOp, LedgerKind, LiveCause, Op, RunState, RunStatus, Turn};
use qc_workflow::{Machine, Start};
use serde::Deserialize;

use super::{Known, Run, Witness, commit::Look, entries::Journaled};
use crate::{Invariant, exercise::Exercise};

/// The kind of the documents that say that a trigger is paused.
const PAUSES: &str = "trigger_pause";

/// So long a process may not know that a trigger is paused: it looks every five seconds, and the store
/// may take its time.
const PAUSE_REACHES: Duration = Duration::from_secs(15);

/// A run that has not begun.
pub(super) struct Standing {
    start: Box<Start>,
    in_line: bool,
    held: bool,
    /// A limit has it wait until then.
    queued: Option<Timestamp>,
}

/// A line's name: its scope and its key.
type Name = (String, String);

/// Who stands in which line, in order; and whether the trigger is paused.
#[derive(Default)]
pub(super) struct Lines {
    by_name: BTreeMap<Name, VecDeque<RunId>>,
    of: BTreeMap<RunId, Name>,
    /// Since when, by the time that had really passed.
    paused: Option<Duration>,
}

impl Standing {
    /// Nothing: the run begins at once.
    pub(super) fn of(start: &Start, in_line: bool, held: bool) -> Option<Self> {
        let start = Box::new(start.clone());
        (in_line || held).then_some(Self { start, in_line, held, queued: None })
    }
}

impl Lines {
    /// At its end; a replay takes the place of the run that it replays.
    fn join(&mut self, run: RunId, replay_of: Option<RunId>, turn: &Turn) {
        let name = (turn.scope.clone(), turn.key.clone());
        let line = self.by_name.entry(name.clone()).or_default();
        match line.iter_mut().find(|one| Some(**one) == replay_of) {
            Some(replayed) => {
                self.of.remove(replayed);
                *replayed = run;
            }
            None => line.push_back(run),
        }
        self.of.insert(run, name);
    }

    fn leave(&mut self, run: RunId) {
        let Some(name) = self.of.remove(&run) else { return };
        if let Some(line) = self.by_name.get_mut(&name) {
            line.retain(|one| *one != run);
        }
    }

    /// Who is first in the line of a run that stands in one.
    fn first(&self, run: RunId) -> Option<RunId> {
        self.by_name.get(self.of.get(&run)?)?.front().copied()
    }
}

impl Witness {
    /// A run was accepted: it joins its line, and does not begin while its trigger is paused.
    pub(super) fn lined_up(&self, known: &mut Known, look: &Look<'_>, seen: &Run, accept: &Accept) {
        if let Some(turn) = &accept.turn {
            known.lines.join(seen.facts.id, seen.facts.replay_of, turn);
        }
        // A replay is a person's, and begins also while the trigger is paused.
        let sent =
            look.rows.iter().any(|row| row.kind == LedgerKind::Event && row.outcome == "accepted");
        let held = seen.standing.as_ref().is_some_and(|standing| standing.held);
        if accept.state.cause == LiveCause::Queue {
            self.record.count(Exercise::EventQueued);
        } else if held {
            self.record.count(Exercise::EventHeld);
        } else if sent {
            self.check_paused(known, look, seen);
        }
    }

    /// Nothing of a paused trigger begins.
    fn check_paused(&self, known: &Known, look: &Look<'_>, seen: &Run) {
        let now = self.clock.uptime();
        let reached = known.lines.paused.is_some_and(|since| since + PAUSE_REACHES < now);
        if reached && !known.cut_off.contains(&look.writer.process) {
            self.broken(
                Invariant::PausedIsHeld,
                format_args!("{} begins, and its trigger is paused", seen.facts.id),
            );
        }
    }

    /// A run that stood in its line, or was held, begins or never will.
    pub(super) fn take_turn(&self, known: &mut Known, seen: &mut Run, look: &Look<'_>) {
        let Some(standing) = &seen.standing else { return };
        let run = seen.facts.id;
        match look.entries.first() {
            Some(Journaled::Begun) => {
                match standing.queued {
                    Some(until) if look.first_at < until => self.broken(
                        Invariant::TimersFireOnceNotEarly,
                        format_args!(
                            "{run} begins at {}, and is queued until {until}",
                            look.first_at
                        ),
                    ),
                    Some(_) => self.record.count(Exercise::QueuedBegun),
                    None if standing.held => self.record.count(Exercise::HeldBegun),
                    None => {}
                }
                if standing.held {
                    self.check_paused(known, look, seen);
                }
                if standing.in_line {
                    self.record.count(Exercise::TurnCame);
                    let first = known.lines.first(run);
                    if first != Some(run) {
                        self.broken(
                            Invariant::OrderIsKept,
                            format_args!("{run} begins, and {first:?} is before it in its line"),
                        );
                    }
                }
                let start = Start { at: look.first_at, ..(*standing.start).clone() };
                let program = self.programs.get(&seen.facts.release);
                seen.machine = program.map(|program| Machine::start(program.clone(), &start).0);
                seen.standing = None;
            }
            Some(Journaled::NeverBegun) => {
                if standing.held {
                    self.record.count(Exercise::HeldDiscarded);
                }
                seen.never_begun = true;
            }
            _ => {}
        }
    }

    /// What a step does to lines.
    pub(super) fn leave_line(&self, known: &mut Known, seen: &Run, look: &Look<'_>, ops: &[Op]) {
        if look.rows.iter().any(|row| row.outcome == "key_parked") {
            self.record.count(Exercise::KeyParked);
        }
        if ops.contains(&Op::EndTurn) {
            if seen.status == RunStatus::Faulted && look.head.state.status == RunStatus::Faulted {
                self.record.count(Exercise::LineFreed);
            }
            known.lines.leave(seen.facts.id);
        }
    }

    /// What a change of documents says about the trigger.
    pub(super) fn paused_or_not(&self, known: &mut Known, documents: &[DocumentOp]) {
        #[derive(Deserialize)]
        struct Pause {
            stand: String,
        }
        for op in documents {
            match op {
                DocumentOp::Put { kind, body, .. } if kind == PAUSES => {
                    let stand = serde_json::from_slice::<Pause>(body).map(|pause| pause.stand);
                    if stand.is_ok_and(|stand| stand == "paused") {
                        self.record.count(Exercise::TriggerPaused);
                        known.lines.paused.get_or_insert(self.clock.uptime());
                    } else {
                        self.record.count(Exercise::TriggerResumed);
                        known.lines.paused = None;
                    }
                }
                DocumentOp::Delete { kind, .. } if kind == PAUSES => known.lines.paused = None,
                _ => {}
            }
        }
    }

    /// How a run stands that has not begun.
    pub(super) fn check_waiting(&self, seen: &mut Run, state: &RunState) {
        let (run, never) = (seen.facts.id, seen.never_begun);
        let Some(standing) = &mut seen.standing else { return };
        if state.cause == LiveCause::Turn {
            // Its trigger or its limit let it go: another pause does not hold it any more.
            standing.held = false;
        }
        standing.queued = state.wake_at.filter(|_| state.cause == LiveCause::Queue);
        let right = match (state.cause, state.status) {
            (LiveCause::Ended, RunStatus::Cancelled) => never,
            (LiveCause::Turn, RunStatus::Waiting) => standing.in_line && !never,
            (LiveCause::Held, RunStatus::Waiting) => standing.held && !never,
            (LiveCause::Queue, RunStatus::Waiting) => {
                standing.held && !never && standing.queued.is_some()
            }
            _ => super::is_quarantined(state),
        };
        if !right {
            self.broken(Invariant::LiveCause, format_args!("{run} has not begun: {state:?}"));
        }
    }
}

/// When the first entry of a step was written.
pub(super) fn first_at(journal: &[qc_store::Entry], otherwise: Timestamp) -> Timestamp {
    journal.first().map_or(otherwise, |entry| entry.at)
}
