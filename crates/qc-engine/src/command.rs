//! What people ask of a run that is under way.

use std::sync::Arc;

use qc_model::{Actor, RunId};
use qc_workflow::Outcome;
use serde_json::Value;
use tokio::sync::oneshot;

use crate::{EngineError, Resolution};

/// A request to a run, with the place for its answer.
pub(crate) struct Command {
    pub(crate) what: Request,
    pub(crate) actor: Actor,
    pub(crate) reply: oneshot::Sender<Result<(), EngineError>>,
}

/// What is asked.
#[derive(Debug, Clone)]
pub(crate) enum Request {
    /// End it.
    Cancel { reason: String, compensate: bool },
    /// Decide a parked, ambiguous call: this one, or the only one.
    Resolve { call: Option<String>, resolution: Resolution },
    /// Try a run that ended in failure again.
    Retry,
    /// Try what is parked again now: what it waited for has been mended.
    Resume,
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
            Self::Offer { .. } | Self::Ended { .. } | Self::ChildEnded { .. } | Self::LookAgain
        )
    }
}
