//! What is done about calls of a system that cannot be reached, once their own attempts are over.

use std::sync::Arc;

use qc_document::{Node, Source, Span};
use qc_model::{Class, Code, Failure, Timestamp};

use crate::CallId;

/// What a project declares for the system that a task calls.
#[derive(Debug, Clone)]
pub struct Unavailable {
    /// The system, as the integration names it.
    pub system: Arc<str>,
    /// The file in which that stands.
    pub source: Source,
    /// Where it stands there.
    pub span: Span,
    /// What is done.
    pub answer: WhenUnavailable,
}

/// What is done.
#[derive(Debug, Clone)]
pub enum WhenUnavailable {
    /// The call is held until the system answers again.
    Queue {
        /// For so long at most, in milliseconds.
        ttl_ms: u64,
        /// So many runs may wait for the system.
        max: u32,
    },
    /// Another operation is called.
    Fallback {
        /// `<connector>.<operation>`.
        call: String,
        /// Its arguments, over `{input, arguments}` of the task; those of the call when left out.
        with: Option<Node>,
    },
    /// The task is left out.
    Degrade {
        /// What stands for its output, over `{input, arguments}` of the task; null when left out.
        value: Option<Node>,
    },
    /// The task fails.
    Fail {
        /// Who is to take over.
        escalate: Option<String>,
    },
}

/// Whether a failure of this class means that the system is not there.
pub fn means_unavailable(class: Class) -> bool {
    matches!(class, Class::Transient | Class::Timeout | Class::Overloaded | Class::Dependency)
}

/// A call that waits for its system.
#[derive(Debug, Clone, PartialEq)]
pub struct HeldCall {
    /// Which call.
    pub call: CallId,
    /// The system.
    pub system: Arc<str>,
    /// Since when.
    pub since: Timestamp,
    /// Until when at most.
    pub until: Timestamp,
    /// When its last attempt failed.
    pub failed_at: Timestamp,
    /// How.
    pub failure: Failure,
    /// So many runs may wait for the system.
    pub max: u32,
}

/// A task that was not done by the call that the workflow says.
#[derive(Debug, Clone, PartialEq)]
pub struct Substitution {
    /// Which task.
    pub call: CallId,
    /// The task's name.
    pub task: Arc<str>,
    /// The system that could not be reached.
    pub system: Arc<str>,
    /// What was done in its place.
    pub by: Substitute,
    /// The code of the failure.
    pub code: Code,
}

/// What was done in the place of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Substitute {
    /// Another operation was called.
    Fallback,
    /// Nothing: a declared output stands for it.
    Value,
}
