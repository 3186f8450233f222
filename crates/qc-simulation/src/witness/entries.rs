//! The journal's new entries, one after the other.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};

use qc_model::{Applied, Failure, Timestamp};
use qc_store::{Accept, Entry};
use qc_workflow::{CallId, CallOutput, Happening, Input, Machine, Start, TimerId};
use serde::Deserialize;

use super::{
    Known, Request, Run, Witness,
    children::Lineage,
    commit::Look,
    order::Standing,
    tasks::{Step, Tasks},
};
use crate::{
    Invariant,
    effect::{Effect, name_of},
};

/// The code of a call that a person must decide.
const AMBIGUOUS: &str = "QC-R002";

/// An entry of a journal, as far as it matters here.
#[derive(Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub(super) enum Journaled {
    Start {
        start: Box<Start>,
        #[serde(default)]
        lineage: Lineage,
        #[serde(default)]
        line: Option<serde::de::IgnoredAny>,
        #[serde(default)]
        held: bool,
    },
    Begun,
    NeverBegun,
    Intent {
        call: CallId,
        attempt: u32,
    },
    Input {
        input: Box<Input>,
    },
    Parked {
        call: CallId,
        failure: Failure,
    },
    NotApplied {
        call: CallId,
    },
    Kept {
        call: CallId,
        attempt: u32,
        output: CallOutput,
    },
    Person {
        step: Step,
    },
    #[serde(other)]
    Other,
}

impl Journaled {
    pub(super) fn of(entry: &Entry) -> Self {
        #[derive(Deserialize)]
        struct Stored {
            entry: Journaled,
        }
        serde_json::from_slice::<Stored>(&entry.body).map_or(Self::Other, |stored| stored.entry)
    }

    pub(super) fn tells_of_success(&self) -> bool {
        let Self::Input { input } = self else { return false };
        matches!(input.happening, Happening::CallSucceeded { .. })
    }
}

impl fmt::Debug for Journaled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start { .. } => write!(f, "start"),
            Self::Begun => write!(f, "begun"),
            Self::NeverBegun => write!(f, "never begun"),
            Self::Intent { call, attempt } => write!(f, "intent {call}#{attempt}"),
            Self::Parked { call, failure } => write!(f, "parked {call} {}", failure.code),
            Self::NotApplied { call } => write!(f, "not-applied {call}"),
            Self::Kept { call, attempt, .. } => write!(f, "kept {call}#{attempt}"),
            Self::Person { step } => match step {
                Step::Opened { .. } => write!(f, "opened"),
                Step::Escalated { number, level } => write!(f, "escalated {number} to {level}"),
                Step::Moved { number, to } => write!(f, "task {number} {}", to.as_str()),
            },
            Self::Other => write!(f, "other"),
            Self::Input { input } => match &input.happening {
                Happening::CallSucceeded { call, attempt, .. } => write!(f, "ok {call}#{attempt}"),
                Happening::CallFailed { call, attempt, failure } => {
                    write!(f, "failed {call}#{attempt} {} {:?}", failure.code, failure.applied)
                }
                Happening::TimerFired { timer } => write!(f, "timer {}", timer.0),
                Happening::EventReceived { listen, event } => {
                    write!(f, "heard {listen} {}", event["id"])
                }
                other => write!(f, "{other:?}"),
            },
        }
    }
}

impl Run {
    /// A run that has just been accepted. None: its journal does not begin with its start.
    pub(super) fn begun(witness: &Witness, look: &Look<'_>, accept: &Accept) -> Option<Self> {
        let Some(Journaled::Start { start, lineage, line, held }) = look.entries.first() else {
            return None;
        };
        let program = witness.programs.get(&accept.run.release)?;
        let standing = Standing::of(start, line.is_some(), *held);
        let begins = standing.is_none();
        let machine = begins.then(|| Machine::start(program.clone(), start).0);
        Some(Self {
            facts: accept.run.clone(),
            parent: lineage.parent(),
            version: 1,
            status: accept.state.status,
            cause: accept.state.cause,
            stood_at: witness.clock.uptime(),
            wake_at: None,
            ended_at: None,
            last_writer: look.writer,
            last_txn: accept.txn,
            last_from_memory: true,
            machine,
            standing,
            never_begun: false,
            journal: accept.journal.clone(),
            open: BTreeMap::default(),
            parked: BTreeMap::default(),
            fired: BTreeSet::default(),
            listening: BTreeSet::default(),
            heard: BTreeSet::default(),
            kept: BTreeSet::default(),
            intents: BTreeMap::default(),
            answered: BTreeSet::default(),
            answers: 0,
            tasks: Tasks::default(),
            in_line: false,
            overtaken: 0,
        })
    }

    pub(super) fn machine(&self) -> &Machine {
        self.machine.as_ref().expect("it is only away while it steps")
    }

    pub(super) fn effect(&self, call: &CallId) -> Effect {
        Effect { origin: self.facts.origin, name: name_of(call) }
    }
}

impl Witness {
    /// Folds the new entries of a commit, checking each.
    pub(super) fn fold(&self, known: &mut Known, seen: &mut Run, look: &Look<'_>) {
        // One commit may tell of several timers, and the first of them may disarm the others.
        let due = seen.machine().timers();
        seen.answers = 0;
        for entry in &look.entries {
            match entry {
                Journaled::Start { .. }
                | Journaled::Begun
                | Journaled::NeverBegun
                | Journaled::Kept { .. }
                | Journaled::Other => {}
                Journaled::Intent { call, attempt } => {
                    self.intent(known, seen, look, call, *attempt);
                }
                Journaled::Input { input } => self.input(known, seen, look, input, &due),
                Journaled::Parked { call, failure } => {
                    self.parked(known, seen, look, call, failure);
                }
                Journaled::Person { step } => self.person(known, seen, look, step),
                Journaled::NotApplied { call } => {
                    let effect = known.effects.entry(seen.effect(call)).or_default();
                    effect.decided_at = effect.requests.len();
                    effect.crash_doubt = false;
                    seen.parked.remove(call);
                }
            }
        }
    }

    fn intent(
        &self,
        known: &mut Known,
        seen: &mut Run,
        look: &Look<'_>,
        call: &CallId,
        attempt: u32,
    ) {
        let run = seen.facts.id;
        let wanted = seen.machine().outstanding();
        if !wanted.iter().any(|one| one.id == *call && one.attempt == attempt) {
            self.broken(
                Invariant::IntentBeforeSend,
                format_args!("{run} intends {call}#{attempt}, which its workflow does not want"),
            );
        }
        if let Some(other) = seen.open.insert(call.clone(), look.writer) {
            if other == look.writer {
                self.broken(
                    Invariant::LoadedOnce,
                    format_args!("{run} has {call} under way twice in process {}", other.process),
                );
            }
            known.effects.entry(seen.effect(call)).or_default().crash_doubt = true;
        }
        if let (Some(_), Some(at)) = (seen.parked.remove(call), seen.wake_at) {
            // It is journaled when its turn at the limit has come, and that may be one that a call alone probes.
            self.check_punctual(known, seen, look, at + AT_THE_GATE, "probed");
        }
        *seen.intents.entry(name_of(call)).or_default() += 1;
        seen.in_line = false;
    }

    fn input(
        &self,
        known: &mut Known,
        seen: &mut Run,
        look: &Look<'_>,
        input: &Input,
        due: &[(TimerId, Timestamp)],
    ) {
        let run = seen.facts.id;
        match &input.happening {
            Happening::CallSucceeded { call, attempt, output } => {
                let sent = matches!(&*output.request.method, "PUT" | "POST");
                // What comes from an earlier run of the chain was not under way.
                seen.answers += usize::from(sent && seen.open.contains_key(call));
                let name = name_of(call);
                let otherwise = seen.is_skipped(look, call)
                    || self.answered_by_person(seen, call, output)
                    || self.kept_answered(known, seen, call, output);
                let effect = known.effects.entry(seen.effect(call)).or_default();
                effect.skipped |= otherwise;
                if !effect.skipped && !effect.requests.iter().any(Request::took_effect) {
                    self.broken(
                        Invariant::ResultIsTrue,
                        format_args!("{run} was told that {call} succeeded"),
                    );
                }
                effect.answered = true;
                seen.answered.insert(name);
                self.result(seen, call, *attempt);
            }
            Happening::CallFailed { call, attempt, failure } => {
                self.count_refused(failure);
                self.result(seen, call, *attempt);
                let effect = known.effects.entry(seen.effect(call)).or_default();
                effect.failed_at = effect.requests.len();
            }
            Happening::TimerFired { timer } => {
                let armed = seen.machine().timers();
                let at = armed.iter().chain(due).find(|(id, _)| id == timer).map(|(_, at)| *at);
                let early = at.is_none_or(|at| at > input.at);
                // One that the timer before it disarmed may be armed again when its run is reopened.
                let again = armed.iter().any(|(id, _)| id == timer) && !seen.fired.insert(*timer);
                if early || again {
                    self.broken(
                        Invariant::TimersFireOnceNotEarly,
                        format_args!("timer {} of {run}, due {at:?}, at {}", timer.0, input.at),
                    );
                }
                if let Some(at) = at {
                    self.check_punctual(known, seen, look, at, "woken");
                }
            }
            Happening::EventReceived { listen, event } => self.heard(known, seen, listen, event),
            Happening::ChildEnded { id, outcome, .. } => {
                self.child_ended(known, seen, id, outcome);
            }
            Happening::Reopened if seen.status != qc_store::RunStatus::Faulted => {
                self.broken(
                    Invariant::EndIsAbsorbing,
                    format_args!("{run} was opened again as {:?}", seen.status),
                );
            }
            _ => {}
        }
        let reopened = matches!(input.happening, Happening::Reopened);
        if seen.machine().outcome().is_some() && !reopened {
            self.broken(
                Invariant::EndIsAbsorbing,
                format_args!("{run} was told {input:?} after its end"),
            );
        }
        let machine = seen.machine.take().expect("it is only away while it steps");
        seen.machine = Some(machine.step(input).0);
    }

    /// A result is for an attempt that the workflow waits for.
    fn result(&self, seen: &mut Run, call: &CallId, attempt: u32) {
        let wanted = seen.machine().outstanding();
        if !wanted.iter().any(|one| one.id == *call && one.attempt == attempt) {
            self.broken(
                Invariant::ResultAppliedOnce,
                format_args!("{} was told of {call}#{attempt} again", seen.facts.id),
            );
        }
        seen.open.remove(call);
        seen.parked.remove(call);
    }

    fn parked(
        &self,
        known: &mut Known,
        seen: &mut Run,
        look: &Look<'_>,
        call: &CallId,
        failure: &Failure,
    ) {
        let effect = known.effects.entry(seen.effect(call)).or_default();
        effect.crash_doubt |= seen.open.remove(call).is_some_and(|writer| writer != look.writer);
        let mut since = effect.requests.iter().skip(effect.decided_at);
        let unheard = known.cut_off.contains(&look.writer.process);
        let doubtful = unheard || effect.crash_doubt || since.any(Request::is_open);
        effect.crash_doubt |= unheard;
        if failure.code.to_string() == AMBIGUOUS && !doubtful {
            self.broken(
                Invariant::NobodyAskedInVain,
                format_args!(
                    "{call} of {} is certain, and parked: {} ({:?})",
                    seen.facts.id, failure.detail, failure.applied
                ),
            );
        }
        if failure.applied == Applied::Yes {
            self.broken(
                Invariant::NobodyAskedInVain,
                format_args!("{call} of {} took effect, and is parked", seen.facts.id),
            );
        }
        seen.parked.insert(call.clone(), failure.clone());
    }

    /// What was due at a moment is done at once, when nothing is in its way.
    pub(super) fn check_punctual(
        &self,
        known: &Known,
        seen: &Run,
        look: &Look<'_>,
        due: Timestamp,
        what: &str,
    ) {
        let late = look.now.since(due);
        let by = self.clock.uptime().saturating_sub(late);
        if late > known.at_once() && known.is_caught_up(by) && seen.facts.accepted_at < due {
            self.broken(
                Invariant::Punctual,
                format_args!("{} was {what} {} late", seen.facts.id, millis(late)),
            );
        }
    }
}

/// So long a call may wait for its turn at a limit of which nothing but refusals is known.
const AT_THE_GATE: Duration = Duration::from_secs(60);

pub(super) fn millis(time: Duration) -> String {
    format!("{} ms", time.as_millis())
}
