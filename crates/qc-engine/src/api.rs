use std::collections::BTreeMap;

use qc_model::{Actor, Event, Failure, Name, RunId, TenantName, Timestamp};
use qc_store::{Priority, RunHead, StoreError};
use qc_workflow::{Compensated, Substitution};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Busy;

use crate::{Deployment, Trigger, TriggerName};

/// Hears of each new event that the platform fetched by itself, and that came through no door.
pub trait Arrivals: Send + Sync {
    /// One came.
    fn came(&self, deployment: &Deployment, trigger: &Trigger);
}

/// An event that passed the door: its sender is known, its form is right.
#[derive(Debug, Clone)]
pub struct Incoming {
    /// The trigger that took it.
    pub trigger: Name,
    /// Whose it is.
    pub tenant: TenantName,
    /// The event.
    pub event: Event,
    /// SHA-256 of the raw body, to tell a repeat from a misuse of the key.
    pub body_hash: [u8; 32],
    /// The key that makes a repeat recognisable.
    pub key: Option<String>,
    /// Who sent it.
    pub actor: Actor,
    /// When its body was complete.
    pub received_at: Timestamp,
    /// The sender's W3C `traceparent`, when it sent a valid one.
    pub traceparent: Option<String>,
    /// Whether it goes behind the others.
    pub priority: Priority,
    /// The version of the contract that its sender speaks, where there are several.
    pub version: Option<String>,
    /// On which terms the limits let it in.
    pub terms: Terms,
    /// How many QuickConnects and runs stand between it and where it began, as its sender says.
    pub hops: u32,
}

/// On which terms the limits let an event in that was too much for one of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Terms {
    /// It begins then, because of this limit; None: at once.
    pub queued: Option<Queued>,
    /// Its run does its work in the lesser way: `$runtime.metadata.degraded` says so.
    pub degraded: bool,
}

/// When an event begins for which a limit had no room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queued {
    /// The moment.
    pub until: Timestamp,
    /// The limit's name.
    pub limit: String,
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// It is on disk and will run.
    New {
        /// Its run.
        run: RunId,
    },
    /// It had come before.
    Repeat {
        /// The run of the first one.
        run: RunId,
    },
}

/// Why an event was not accepted, or an operation not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// The key was used before for another body.
    #[error("the idempotency key was used before with another body, for {run}")]
    KeyReused {
        /// The run of the first one.
        run: RunId,
    },
    /// The key was used before for another event that was published.
    #[error("the idempotency key was used before with another body, for the event `{event}`")]
    KeyReusedByEvent {
        /// The id of the first one.
        event: String,
    },
    /// The engine is ending and takes no more.
    #[error("the server is shutting down")]
    Draining,
    /// There is too much to do, or too little room, for one more event. Nothing was written.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// Nobody stands in such a line.
    #[error("nobody waits for a turn under the key `{0}` there")]
    NoLine(String),
    /// There is no such trigger.
    #[error("the trigger {0} is not deployed")]
    NoTrigger(TriggerName),
    /// The trigger is not in a state for this.
    #[error("the trigger {name} is {state}: {reason}")]
    WrongTriggerState {
        /// The trigger.
        name: TriggerName,
        /// Its state.
        state: &'static str,
        /// Why that does not do.
        reason: String,
    },
    /// There is no such run.
    #[error("there is no run {0}")]
    NoRun(RunId),
    /// The run is not in a state for this.
    #[error("{run} is {status}: {reason}")]
    WrongState {
        /// The run.
        run: RunId,
        /// Its state.
        status: &'static str,
        /// Why that does not do.
        reason: String,
    },
    /// There is no such task of a person.
    #[error("there is no task {0}")]
    NoTask(String),
    /// It is not to be done, for a reason that its sender can do something about.
    #[error("{}", .0.detail)]
    Refused(Box<Failure>),
    /// The release to which a run is pinned is not there.
    #[error("the release {0} is not in the store")]
    NoRelease(String),
    /// The event does not lead to a legal run: an expression of the trigger failed.
    #[error("{}", .0.detail)]
    Failed(Box<Failure>),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A run at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunEnd {
    /// It ended well.
    Completed {
        /// The workflow's output.
        output: Value,
    },
    /// It ended in failure.
    Faulted {
        /// The failure.
        failure: Failure,
        /// The DSL's error object.
        error: Value,
    },
    /// Somebody ended it.
    Cancelled {
        /// Why.
        reason: String,
    },
}

/// How a parked, ambiguous call is resolved by a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resolution {
    /// The effect took place; the output stands for the call's answer.
    Applied {
        /// What the workflow sees as the call's answer.
        output: Value,
    },
    /// It did not; the call is sent again.
    NotApplied,
}

/// How a run is replayed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Replay {
    /// Make all effects anew, under new keys. Required with an edited input.
    pub new_effects: bool,
    /// Run with this input in place of the old one.
    pub input: Option<Value>,
    /// Begin at once, whoever else stands in the line of its key.
    pub out_of_order: bool,
}

/// How a run that ended in failure is opened again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retry {
    /// Also when the line of its key has gone on without it.
    pub out_of_order: bool,
    /// With the release that is deployed now; refused when that has another workflow.
    pub newest: bool,
}

/// A run with its journal, decoded for people and machines.
#[derive(Debug, Clone)]
pub struct RunView {
    /// The run.
    pub head: RunHead,
    /// The workflow's input.
    pub input: Value,
    /// How it ended, if it did.
    pub end: Option<RunEnd>,
    /// What was undone of it after its failure or cancellation, the last task first.
    pub undone: Option<Compensated>,
    /// What was done in another way than by its call, while a system was not there; of a run that
    /// is at its end.
    pub substituted: Vec<Substitution>,
    /// The journal, each entry as a JSON object `{at, what, …}`.
    pub journal: Vec<Value>,
    /// How the owners are reached that its release names, by their ids; empty when the release cannot be had.
    pub contacts: BTreeMap<String, String>,
}
