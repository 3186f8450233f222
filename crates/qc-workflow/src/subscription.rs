//! What a waiting `listen` needs of those who keep and offer events.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

/// Which listen of a run: the task and its visit, as for calls. A `try` that is tried again begins
/// the same listen anew, under the same id.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ListenId {
    /// The task's place, such as `/do/0/waitForPayment`.
    pub pointer: Arc<str>,
    /// Which visit of the task.
    pub visit: Arc<str>,
}

impl fmt::Display for ListenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.pointer, self.visit)
    }
}

/// A listen that waits. An event that fits one of its filters by what is said here is to be held
/// against [`crate::Machine::wants`]; one that fits none of them cannot be wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// Which listen. A subscription with the id of an earlier one takes its place.
    pub id: ListenId,
    /// At least one.
    pub filters: Vec<FilterIndex>,
}

/// What an index of waiting runs can know of a filter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FilterIndex {
    /// The event's type, when only events of one type can fit; None when others can too.
    pub event_type: Option<String>,
    /// From where the correlation's values are taken, as a canonical text: see
    /// [`crate::correlation_key`]. Empty without `correlate`.
    pub site: String,
    /// The canonical JSON of the expected values. Empty while one of them is not known yet: then
    /// every event of the type may fit.
    pub key: String,
}
