//! What people ask of a run that is under way.

use std::sync::Arc;

use qc_connect::connector::Repairs;
use qc_model::{Actor, RunId};
use qc_workflow::Outcome;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::oneshot;

use crate::{
    Deployment, EngineError, Resolution, StuckAct, continuation::Chain, drift::Mending,
    person::TaskAnswer,
};

/// A request to a run, with the place for its answer.
pub(crate) struct Command {
    pub(crate) what: Request,
    pub(crate) actor: Actor,
    /// The letter by which it came from another node.
    pub(crate) letter: Option<String>,
    /// When it is to be tried again.
    pub(crate) reopening: Option<Reopening>,
    /// With which release an answer is put right.
    pub(crate) mending: Option<Mending>,
    pub(crate) reply: oneshot::Sender<Result<(), EngineError>>,
}

/// What a run that is to be tried again does not know of itself.
#[derive(Debug, Clone)]
pub(crate) struct Reopening {
    /// Its chain.
    pub(crate) chain: Chain,
    /// Whether it still has its place in its line.
    pub(crate) in_line: bool,
    /// The release with which it is to go on, when that is not its own.
    pub(crate) onto: Option<Arc<Deployment>>,
}

/// What is asked.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Request {
    /// End it.
    Cancel {
        reason: String,
        /// Undo what it did and can be undone.
        #[serde(default)]
        compensate: bool,
    },
    /// Decide a parked, ambiguous call: this one, or the only one.
    Resolve { call: Option<String>, resolution: Resolution },
    /// Try a run that ended in failure again.
    Retry {
        /// Although its line has gone on without it.
        out_of_order: bool,
        /// With the release that is deployed now.
        #[serde(default)]
        newest: bool,
    },
    /// Try what is parked again now: what it waited for has been mended.
    Resume,
    /// Go on with answers that waited for this finding, put right as the deployed release declares and as is given.
    Refit { finding: String, given: Repairs },
    /// Try what waits for this system: it may be there again. Only the run's own node asks so.
    Probe { system: String },
    /// Try what is parked for this connection: it works again. Only the run's own node asks so.
    Mended { connection: String },
    /// Do something to a task of it.
    Task {
        /// Which.
        number: u32,
        deed: Box<TaskDeed>,
    },
    /// An event came in that it may wait for.
    Offer { event: Arc<Value> },
    /// A run for which it may wait has ended: its outcome is to be found out, for `ChildEnded`.
    Ended { run: RunId },
    /// A run for which it may wait has ended so.
    ChildEnded { run: RunId, outcome: Arc<Outcome> },
    /// See whether what it waits for has come already.
    LookAgain,
}

impl Request {
    /// Whether a person asks: then a full house does not keep it out.
    pub(crate) fn is_by_people(&self) -> bool {
        !matches!(
            self,
            Self::Mended { .. }
                | Self::Offer { .. }
                | Self::Ended { .. }
                | Self::ChildEnded { .. }
                | Self::LookAgain
        )
    }
}

/// What is done to a task.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TaskDeed {
    /// Somebody is at it.
    Claim,
    /// Somebody answers.
    Answer { given: TaskAnswer },
    /// Somebody says how the run is to go on.
    Act {
        act: StuckAct,
        #[serde(default)]
        output: Option<Value>,
        #[serde(default)]
        reason: Option<String>,
    },
    /// Its time has come.
    Wake,
}
