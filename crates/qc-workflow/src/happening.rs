//! What a run is told, and what it wants done: the two sides of the machine.

use std::sync::Arc;

use qc_model::{Failure, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{CallId, CallOutput, CallRequest, ChildRequest, Compensated, ListenId, Subscription};

/// How a run begins. The journal holds it as its first entry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Start {
    /// The run's id.
    pub run: String,
    /// The first run of its replay chain; the run's own id when it replays nothing. Ids of emitted
    /// events are made from it.
    pub origin: String,
    /// The raw input.
    pub input: Value,
    /// When it starts.
    pub at: Timestamp,
    /// Random bits.
    pub entropy: u64,
    /// What expressions see as `$runtime`.
    pub runtime: RuntimeFacts,
    /// How many workflows above this one run it; 0 when none does. See [`crate::DEPTH_LIMIT`].
    #[serde(default, skip_serializing_if = "is_zero")]
    pub depth: u32,
    /// Until when it may go on; None: as long as it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Deadline>,
}

/// Until when a run may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deadline {
    /// The moment.
    pub at: Timestamp,
    /// How long that is from the run's acceptance, in milliseconds. A reopened run whose time was over has it again.
    pub within_ms: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(depth: &u32) -> bool {
    *depth == 0
}

fn first() -> u32 {
    1
}

/// What `$runtime` tells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RuntimeFacts {
    /// `quickconnect`.
    pub name: String,
    /// Version of the program that started the run.
    pub version: String,
    /// Environment, tenant and vars, as an object.
    #[serde(default)]
    pub metadata: Value,
}

/// One thing that the run is told. The journal holds these in order; folding them gives the state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Input {
    /// When.
    pub at: Timestamp,
    /// Random bits.
    pub entropy: u64,
    /// What.
    pub happening: Happening,
}

/// The things that a run is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Happening {
    /// An attempt brought an answer.
    CallSucceeded {
        /// Which call.
        call: CallId,
        /// Which attempt.
        attempt: u32,
        /// The answer.
        output: CallOutput,
    },
    /// An attempt failed.
    CallFailed {
        /// Which call.
        call: CallId,
        /// Which attempt.
        attempt: u32,
        /// How.
        failure: Failure,
    },
    /// A timer is due.
    TimerFired {
        /// Which.
        timer: TimerId,
    },
    /// Somebody ends the run.
    Cancelled {
        /// Why.
        reason: String,
        /// Whether completed tasks that can be undone are undone.
        #[serde(default)]
        compensate: bool,
    },
    /// An event that a listen wants: see [`crate::Machine::wants`].
    EventReceived {
        /// Which listen.
        listen: ListenId,
        /// The event, as a structured CloudEvent.
        event: Value,
    },
    /// A child that was asked for exists.
    ChildStarted {
        /// Which child.
        id: CallId,
        /// Which attempt.
        #[serde(default = "first")]
        attempt: u32,
        /// The child's run.
        run: String,
    },
    /// A child is at its end, or could not be started: then it ends faulted without having started.
    ChildEnded {
        /// Which child.
        id: CallId,
        /// Which attempt.
        #[serde(default = "first")]
        attempt: u32,
        /// How.
        outcome: Outcome,
    },
    /// A faulted run continues: the failed task is tried again with a fresh budget.
    Reopened,
    /// A held call is tried again: its system may be there.
    Probed {
        /// Which call.
        call: CallId,
    },
    /// A call cannot be held: too many runs wait for its system.
    NotHeld {
        /// Which call.
        call: CallId,
    },
    /// A call was not sent, and is to be asked for again later: until then it could not go anyway. It is no attempt.
    PutOff {
        /// Which call.
        call: CallId,
        /// Which attempt.
        attempt: u32,
        /// Until when.
        until: Timestamp,
        /// Why, in words.
        why: String,
    },
}

/// A timer of a run; unique within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TimerId(pub u64);

/// What the engine has to do.
#[allow(clippy::large_enum_variant, reason = "actions are few and are taken apart at once")]
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Perform a call and answer with `CallSucceeded` or `CallFailed`, once.
    Call(CallRequest),
    /// The run no longer waits for this call's effect (a timeout, a lost race, a cancellation).
    /// The engine settles it, also when its outcome is ambiguous, and still answers it once.
    Interrupt {
        /// Which call.
        call: CallId,
        /// Which attempt.
        attempt: u32,
    },
    /// Offer the run the events that this fits, those too that came in since the run began, in the
    /// order in which they came, and journal those that it wants. Takes the place of an earlier
    /// subscription with the same id.
    Listen(Subscription),
    /// Offer nothing more for this listen.
    StopListening {
        /// Which listen.
        id: ListenId,
    },
    /// Run a workflow as a child, and answer with `ChildStarted`; and with `ChildEnded` when it is
    /// awaited or could not be started. A further attempt continues the same child.
    StartChild(ChildRequest),
    /// The run no longer waits for this child's result: it is to be cancelled, and its end is still
    /// told once.
    CancelChild {
        /// Which child.
        id: CallId,
        /// Which attempt.
        attempt: u32,
        /// Whether what it completed is to be undone.
        compensate: bool,
    },
    /// Publish an event. Its id is the same for every attempt, so a repeat can be recognised.
    Emit {
        /// The task and visit that emit it.
        id: CallId,
        /// A structured CloudEvent.
        event: Value,
    },
    /// Something worth knowing happened to a task.
    Note(TaskNote),
    /// The run is over.
    Finish(Outcome),
}

/// Something that happened to a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskNote {
    /// The task's place.
    pub pointer: Arc<str>,
    /// Which visit.
    pub visit: Arc<str>,
    /// The task's name.
    pub task: Arc<str>,
    /// What happened.
    pub kind: NoteKind,
    /// The failure, where one is the reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// The DSL's error object, where an error is the reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Value>,
}

/// What happened to a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoteKind {
    /// It began.
    Started,
    /// It completed.
    Completed,
    /// It failed.
    Faulted,
    /// It is tried again.
    Retrying {
        /// When.
        at: Timestamp,
        /// Which attempt that will be.
        attempt: u32,
    },
    /// Its call is spread over a time: it is made later.
    PutOff {
        /// When.
        at: Timestamp,
    },
    /// Its `if` was false.
    Skipped,
    /// It was cut short.
    Cancelled,
    /// Its system is not there: it waits for it.
    Held {
        /// Until when at most.
        until: Timestamp,
    },
    /// Its system is not there: another operation is called in its place.
    Diverted,
    /// Its system is not there: it is left out.
    LeftOut,
}

/// How a run ended.
#[expect(clippy::large_enum_variant, reason = "a run ends once")]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Outcome {
    /// With an output.
    Completed {
        /// The workflow's transformed output.
        output: Value,
    },
    /// With an error that nothing caught.
    Faulted {
        /// The failure.
        failure: Failure,
        /// The DSL's error object: type, status, title, detail, instance.
        error: Value,
        /// What was undone; None when nothing was to be.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        compensation: Option<Compensated>,
    },
    /// It was cancelled.
    Cancelled {
        /// Why.
        reason: String,
        /// What was undone; None when nothing was to be.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        compensation: Option<Compensated>,
    },
}
