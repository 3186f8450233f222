//! The machine: a deterministic fold of what a run is told over how it began.
//!
//! [`Machine::start`] and [`Machine::step`] read no clock, draw no chance and perform nothing. The
//! same [`Start`] and the same [`Input`]s in the same order give the same state and the same
//! actions, so a journal of both is all that a run needs to be continued elsewhere.
//!
//! One file for each kind of task; `compensate` undoes them. A run is a tree of frames (`frame`); work moves through it by a
//! stack of small deeds (`step`); errors climb in `fault`, and what they cut short is settled in
//! `winding` before anything else happens.

mod call;
mod child;
mod compensate;
mod deadline;
mod descriptor;
mod emit;
mod evaluate;
mod fault;
mod for_each;
mod fork;
mod frame;
mod list;
mod listen;
mod raise;
mod reopen;
mod request;
mod retry;
mod step;
mod switch;
mod task;
mod timer;
mod try_catch;
mod unavailable;
mod view;
mod wait;
mod whole;
mod winding;

use std::{collections::BTreeMap, sync::Arc};

use qc_model::Timestamp;
use serde_json::Value;

use crate::{
    Action, CallId, CallOutput, CallRequest, ChildRequest, Deadline, Effect, Happening, Input,
    Outcome, Program, SecretMark, Start, Subscription, Substitution, TimerId, program::TaskIndex,
};
use compensate::{Ending, Undoable};
use fault::Fault;
use frame::{FrameId, Frames};
use listen::Taken;
use step::{Deed, Step};
use timer::Timers;

/// Most tasks that one run executes; a reopened run gets as many again.
pub const STEP_BUDGET: u32 = 10_000;

/// One run: its program and its state.
#[derive(Debug)]
pub struct Machine {
    program: Arc<Program>,
    state: State,
}

impl Machine {
    /// Begins a run.
    pub fn start(program: Arc<Program>, start: &Start) -> (Self, Vec<Action>) {
        let mut state = State::new(&program, start);
        let mut step = Step::new(&program, &mut state, start.at, start.entropy);
        step.begin(Arc::new(start.input.clone()));
        let actions = step.finish();
        (Self { program, state }, actions)
    }

    /// Tells the run something. What is no longer awaited (an answer that was given before, a timer
    /// that is gone, anything after the end) changes nothing and asks for nothing.
    #[must_use]
    pub fn step(mut self, input: &Input) -> (Self, Vec<Action>) {
        let mut step = Step::new(&self.program, &mut self.state, input.at, input.entropy);
        match &input.happening {
            Happening::CallSucceeded { call, attempt, output } => {
                step.call_succeeded(call, *attempt, output);
            }
            Happening::CallFailed { call, attempt, failure } => {
                step.call_failed(call, *attempt, failure);
            }
            Happening::TimerFired { timer } => step.timer_fired(*timer),
            Happening::EventReceived { listen, event } => step.event_received(listen, event),
            Happening::ChildStarted { id, attempt, run } => step.child_started(id, *attempt, run),
            Happening::ChildEnded { id, attempt, outcome } => {
                step.child_ended(id, *attempt, outcome);
            }
            Happening::Cancelled { reason, compensate } => step.cancel(reason, *compensate),
            Happening::Reopened => step.reopen(),
            Happening::Probed { call } => step.probed(call),
            Happening::NotHeld { call } => step.not_held(call),
            Happening::PutOff { call, attempt, until, .. } => {
                step.call_put_off(call, *attempt, *until);
            }
        }
        let actions = step.finish();
        (self, actions)
    }

    /// The program that the run executes.
    pub fn program(&self) -> &Arc<Program> {
        &self.program
    }

    /// Calls that were requested and not answered yet, interrupted ones included.
    pub fn outstanding(&self) -> Vec<CallRequest> {
        let state = &self.state;
        let live = state.live.values().filter_map(|frame| state.frames.request(*frame));
        let orphans = state.orphans.values().filter_map(|orphan| match &orphan.work {
            Work::Call(request) => Some(request),
            Work::Child { .. } => None,
        });
        live.chain(orphans).cloned().collect()
    }

    /// Whether a call was requested and not answered yet.
    pub fn is_outstanding(&self, call: &CallId) -> bool {
        self.state.live.contains_key(call) || self.state.orphans.contains_key(call)
    }

    /// Those of the outstanding calls whose effect the run no longer waits for: to be settled, not
    /// to be performed again.
    pub fn interrupted(&self) -> Vec<CallId> {
        let state = &self.state;
        let winding = !state.running();
        let live = state
            .live
            .iter()
            .filter(|(_, frame)| winding && state.frames.request(**frame).is_some());
        let orphans =
            state.orphans.iter().filter(|(_, orphan)| matches!(orphan.work, Work::Call(_)));
        live.map(|(id, _)| id).chain(orphans.map(|(id, _)| id)).cloned().collect()
    }

    /// The armed timers. A run that is failing, cancelled or over has none that may fire.
    pub fn timers(&self) -> Vec<(TimerId, Timestamp)> {
        if self.state.running() { self.state.timers.armed().collect() } else { Vec::new() }
    }

    /// When the next timer is due.
    pub fn next_wake(&self) -> Option<Timestamp> {
        let armed = self.state.timers.armed().map(|(_, at)| at);
        armed.min().filter(|_| self.state.running())
    }

    /// Until when the run may go on. Undoing it takes the time that it takes.
    pub fn deadline(&self) -> Option<Timestamp> {
        self.state.deadline.filter(|_| !self.is_undoing()).map(|deadline| deadline.at)
    }

    /// Whether what the run did is being undone: it can no longer be cancelled then.
    pub fn is_undoing(&self) -> bool {
        matches!(self.state.phase, Phase::Compensating(_))
    }

    /// How the run ended, once it did. A faulted run can be reopened, unless something was undone;
    /// then it has none again.
    pub fn outcome(&self) -> Option<&Outcome> {
        match &self.state.phase {
            Phase::Over(outcome) | Phase::Faulted { outcome, .. } => Some(outcome),
            _ => None,
        }
    }
}

/// Everything that changes.
#[derive(Debug)]
struct State {
    facts: Facts,
    phase: Phase,
    frames: Frames,
    root: Option<FrameId>,
    /// `$context` of the main flow and of every branch.
    contexts: Vec<Arc<Value>>,
    timers: Timers,
    /// Calls that were sent and not answered, with the frame that waits for each.
    live: BTreeMap<CallId, FrameId>,
    /// Calls that were sent, cut short, and not answered yet.
    orphans: BTreeMap<CallId, Orphan>,
    /// What calls, children and listens inside retried blocks have done so far.
    memory: BTreeMap<CallId, Memory>,
    /// Which events were taken, by source and id.
    taken: BTreeMap<(String, String), Vec<Taken>>,
    /// Counts beginnings of listens, takings of events, and completions of what can be undone.
    order: u64,
    /// The subscriptions as they were told.
    subscribed: Vec<Subscription>,
    /// Tasks that can be undone, in the order in which they completed.
    undoable: BTreeMap<u64, Undoable>,
    /// Where each of them stands there.
    undo_places: BTreeMap<CallId, u64>,
    /// What was to be done next when the run failed.
    deferred: Vec<Deed>,
    /// Tasks executed since the start or the last reopening.
    executed: u32,
    /// Until when the run may go on.
    deadline: Option<Deadline>,
    /// Tasks that were done in another way than by their call.
    substituted: Vec<Substitution>,
}

/// What does not change during the run.
#[derive(Debug)]
struct Facts {
    origin: String,
    began: Timestamp,
    entropy: u64,
    mark: SecretMark,
    secrets: Arc<Value>,
    runtime: Arc<Value>,
    workflow: Arc<Value>,
    depth: u32,
}

#[derive(Debug)]
enum Phase {
    Running,
    /// Failed or cancelled: what completed is being undone.
    Compensating(Ending),
    /// An error that nothing catches: waits for the calls under way.
    Failing {
        fault: Fault,
        frame: FrameId,
    },
    /// Ended by an error; `frame` is where it can continue.
    Faulted {
        outcome: Outcome,
        frame: FrameId,
        at: Timestamp,
    },
    /// Cancelled: waits for the calls under way.
    Cancelling {
        reason: String,
        compensate: bool,
    },
    Over(Outcome),
}

/// Work that was asked for and cut short.
#[derive(Debug)]
struct Orphan {
    work: Work,
    owner: FrameId,
    task: TaskIndex,
    visit: Arc<str>,
    /// The task's input.
    input: Arc<Value>,
}

/// What was asked for and is to be answered once.
#[expect(clippy::large_enum_variant, reason = "most of them are calls")]
#[derive(Debug, Clone)]
enum Work {
    Call(CallRequest),
    Child { request: ChildRequest, run: Option<String> },
}

impl Work {
    fn id(&self) -> &CallId {
        match self {
            Self::Call(request) => &request.id,
            Self::Child { request, .. } => &request.id,
        }
    }
}

/// What a call, child or listen inside a retried block has done.
#[derive(Debug, Default)]
struct Memory {
    attempts: u32,
    answer: Option<Answer>,
    /// The other side stated a pause: until then nothing is sent again.
    not_before: Option<Timestamp>,
}

/// What is given instead of doing it again.
#[derive(Debug)]
enum Answer {
    Call(Arc<CallOutput>),
    /// A child's output, or what a listen heard.
    Value(Arc<Value>),
}

impl State {
    fn new(program: &Program, start: &Start) -> Self {
        let mark = SecretMark::new(start.entropy);
        let workflow =
            if program.reads_workflow { descriptor::workflow(program, start) } else { Value::Null };
        let facts = Facts {
            origin: start.origin.clone(),
            began: start.at,
            entropy: start.entropy,
            mark,
            secrets: Arc::new(mark.secrets(program.secrets())),
            runtime: Arc::new(descriptor::runtime(&start.runtime)),
            workflow: Arc::new(workflow),
            depth: start.depth,
        };
        Self {
            facts,
            phase: Phase::Running,
            frames: Frames::default(),
            root: None,
            contexts: vec![Arc::new(Value::Null)],
            timers: Timers::default(),
            live: BTreeMap::new(),
            orphans: BTreeMap::new(),
            memory: BTreeMap::new(),
            taken: BTreeMap::new(),
            order: 0,
            subscribed: Vec::new(),
            undoable: BTreeMap::new(),
            undo_places: BTreeMap::new(),
            deferred: Vec::new(),
            executed: 0,
            deadline: start.deadline,
            substituted: Vec::new(),
        }
    }

    /// Whether the flow goes on: the workflow's own, or that of undoing it.
    fn running(&self) -> bool {
        matches!(self.phase, Phase::Running | Phase::Compensating(_))
    }

    /// Whether a successful call of this effect answers from memory when its block is retried.
    fn remembers(effect: Effect) -> bool {
        effect != Effect::Idempotent
    }
}
