//! A workflow gone through in virtual time, with the answers of then.

use std::{collections::BTreeMap, time::Duration};

use qc_model::{Failure, Timestamp};
use qc_store::RunFacts;
use qc_workflow::{Action, CallId, Happening, Input, Machine, Outcome, Start, TimerId};
use serde_json::Value;

use super::{
    answers::{Answers, Found},
    deed::{Deed, Desk},
    past::Past,
};
use crate::{Deployment, data::Custody};

/// So many things a run is told at most while it is played.
const TOLD_MAX: usize = 20_000;
/// Behind everything of which is known when it came.
const LATE: usize = usize::MAX;

/// A run as it was played.
#[derive(Debug)]
pub(super) struct Played {
    /// What it asked for, in order.
    pub(super) done: Vec<Done>,
    /// How it ended; None where it was stopped.
    pub(super) end: Option<Outcome>,
    /// What whoever sent the event gets; only of a completed one.
    pub(super) reply: Option<Value>,
    pub(super) stopped: Option<Stop>,
}

/// Something that was asked for.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) deed: Deed,
    id: CallId,
    pub(super) attempts: usize,
    /// What of then it stands for.
    pub(super) of: Option<usize>,
}

/// Why it was not played to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stop {
    /// Something was asked for of which the past knows no answer.
    NoAnswer { label: String, task: String },
    /// It waits for something that never came.
    Waits,
    /// It is told too much.
    TooLong,
}

/// Goes through a run.
pub(super) fn play(
    past: &Past,
    start: &Start,
    facts: &RunFacts,
    deployment: &Deployment,
    custody: Custody,
) -> Played {
    let program = &deployment.release.program;
    let (machine, actions) = Machine::start(program.clone(), start);
    let mut playing = Playing {
        past,
        answers: Answers::new(past, program),
        desk: Desk::new(facts, deployment, custody),
        now: start.at,
        queue: BTreeMap::new(),
        count: 0,
        unheard: Vec::new(),
        done: Vec::new(),
        end: None,
        stopped: None,
    };
    for (order, input) in &past.unasked {
        playing.enqueue(input.at, *order, input.happening.clone(), input.entropy);
    }
    playing.take(actions);
    let stopped = playing.go_on(machine);
    let Playing { desk, done, end, .. } = playing;
    let end = end.filter(|_| stopped.is_none());
    let reply = match &end {
        Some(Outcome::Completed { output }) => Some(desk.reply(output)),
        _ => None,
    };
    Played { done, end, reply, stopped }
}

/// Something that is to be told, with its chance.
type Told = (Happening, u64);

struct Playing<'p> {
    past: &'p Past,
    answers: Answers<'p>,
    desk: Desk<'p>,
    now: Timestamp,
    /// By when, and where in the order of then.
    queue: BTreeMap<(Timestamp, usize, usize), Told>,
    count: usize,
    /// Events that nobody has wanted yet.
    unheard: Vec<Told>,
    done: Vec<Done>,
    end: Option<Outcome>,
    stopped: Option<Stop>,
}

impl Playing<'_> {
    fn go_on(&mut self, mut machine: Machine) -> Option<Stop> {
        for _ in 0..TOLD_MAX {
            if self.stopped.is_some() {
                return self.stopped.take();
            }
            let Some((happening, entropy)) = self.next(&machine) else {
                return machine.outcome().is_none().then_some(Stop::Waits);
            };
            let happening = self.translated(happening);
            let Some(happening) = self.wanted(&machine, happening, entropy) else { continue };
            self.desk.hears(&happening);
            let input = Input { at: self.now, entropy, happening };
            let (next, actions) = machine.step(&input);
            machine = next;
            self.take(actions);
        }
        Some(Stop::TooLong)
    }

    /// What comes next; the clock stands at its time.
    fn next(&mut self, machine: &Machine) -> Option<Told> {
        let said = self.queue.keys().next().map(|(at, order, _)| (*at, *order));
        let timers = machine.timers().into_iter().map(|(timer, due)| {
            let lag = self.past.lags.get(&timer).copied();
            let (lag, order, entropy) = lag.unwrap_or((Duration::ZERO, LATE, 0));
            (due + lag, order, timer, entropy)
        });
        let timer: Option<(Timestamp, usize, TimerId, u64)> =
            timers.min_by_key(|(at, order, timer, _)| (*at, *order, *timer));
        match (said, timer) {
            (said, Some((at, order, timer, entropy)))
                if said.is_none_or(|said| (at, order) < said) =>
            {
                self.now = self.now.max(at);
                Some((Happening::TimerFired { timer }, entropy))
            }
            (Some(_), _) => {
                let ((at, _, _), told) = self.queue.pop_first()?;
                self.now = self.now.max(at);
                Some(told)
            }
            (None, _) => None,
        }
    }

    /// What came without being asked for is about calls of then.
    fn translated(&self, happening: Happening) -> Happening {
        match happening {
            Happening::Probed { call } => Happening::Probed { call: self.answers.now(&call) },
            Happening::NotHeld { call } => Happening::NotHeld { call: self.answers.now(&call) },
            other => other,
        }
    }

    /// An event goes to the listen that had it, or to one that wants it; one that nobody wants waits.
    fn wanted(&mut self, machine: &Machine, told: Happening, entropy: u64) -> Option<Happening> {
        let Happening::EventReceived { listen, event } = told else { return Some(told) };
        let mut ids = machine.subscriptions().into_iter().map(|subscription| subscription.id);
        if machine.wants(&listen, &event) {
            return Some(Happening::EventReceived { listen, event });
        }
        if let Some(listen) = ids.find(|id| machine.wants(id, &event)) {
            return Some(Happening::EventReceived { listen, event });
        }
        self.unheard.push((Happening::EventReceived { listen, event }, entropy));
        None
    }

    fn enqueue(&mut self, at: Timestamp, order: usize, happening: Happening, entropy: u64) {
        self.count += 1;
        self.queue.insert((at, order, self.count), (happening, entropy));
    }

    /// Takes up what the machine wants done.
    fn take(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Call(request) => {
                    let (deed, refusal) = self.desk.call(&request);
                    self.ask(deed, &request.id, request.attempt, refusal);
                }
                Action::StartChild(request) => {
                    let deed = Desk::child(&request);
                    self.ask(deed, &request.id, request.attempt, None);
                }
                Action::Emit { id, event } => {
                    let deed = self.desk.event(&id, &event);
                    let of = self.answers.event(&deed);
                    self.done.push(Done { deed, id, attempts: 0, of });
                }
                Action::Listen(_) => {
                    // What came in before is offered to whoever begins to listen.
                    for (happening, entropy) in std::mem::take(&mut self.unheard) {
                        self.enqueue(self.now, LATE, happening, entropy);
                    }
                }
                Action::Finish(outcome) => self.end = Some(outcome),
                Action::Interrupt { .. }
                | Action::StopListening { .. }
                | Action::CancelChild { .. }
                | Action::Note(_) => {}
            }
            if self.stopped.is_some() {
                return;
            }
        }
    }

    fn ask(&mut self, deed: Deed, id: &CallId, attempt: u32, refusal: Option<Failure>) {
        let found = self.answers.find(&deed, id);
        let of = match &found {
            Found::Attempt { ask, .. } => Some(*ask),
            Found::Again { .. } | Found::Nothing => None,
        };
        let (label, task) = (deed.label.clone(), deed.task.clone());
        match self.done.iter_mut().find(|done| done.id == *id && done.deed.answered) {
            Some(done) => done.attempts += 1,
            None => self.done.push(Done { deed, id: id.clone(), attempts: 1, of }),
        }
        let then = match found {
            Found::Attempt { attempt, .. } | Found::Again { attempt } => Some(attempt),
            Found::Nothing => None,
        };
        if let Some(failure) = refusal {
            // As the platform itself says it, now as then.
            let said = then.and_then(|then| Some((then.at, then.answers.first()?)));
            let (lasted, order, entropy) = match said {
                Some((asked, (order, input))) => (input.at.since(asked), *order, input.entropy),
                None => (Duration::ZERO, LATE, 0),
            };
            let told = Happening::CallFailed { call: id.clone(), attempt, failure };
            self.enqueue(self.now + lasted, order, told, entropy);
            return;
        }
        let Some(then) = then else {
            self.stopped = Some(Stop::NoAnswer { label, task });
            return;
        };
        let then_refused = of.is_some_and(|ask| self.past.asks[ask].deed.refused.is_some());
        if then_refused {
            self.stopped = Some(Stop::NoAnswer { label, task });
            return;
        }
        for (order, input) in &then.answers {
            let at = self.now + input.at.since(then.at);
            let told = addressed(&input.happening, id, attempt);
            self.enqueue(at, *order, told, input.entropy);
        }
    }
}

/// The answer of then, to what is asked now.
fn addressed(told: &Happening, now: &CallId, number: u32) -> Happening {
    let mut told = told.clone();
    match &mut told {
        Happening::CallSucceeded { call: id, attempt, .. }
        | Happening::CallFailed { call: id, attempt, .. }
        | Happening::PutOff { call: id, attempt, .. }
        | Happening::ChildStarted { id, attempt, .. }
        | Happening::ChildEnded { id, attempt, .. } => {
            *id = now.clone();
            *attempt = number;
        }
        Happening::TimerFired { .. }
        | Happening::Cancelled { .. }
        | Happening::EventReceived { .. }
        | Happening::Reopened
        | Happening::Probed { .. }
        | Happening::NotHeld { .. } => {}
    }
    told
}
