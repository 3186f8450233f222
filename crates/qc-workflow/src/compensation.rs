//! Compensation: what undoes a task, and what was undone.

use qc_document::{Node, Source, Span};
use qc_model::Failure;
use serde::{Deserialize, Serialize};

use crate::CallId;

/// The declarations of one file.
#[derive(Debug, Clone)]
pub struct Compensations<'d> {
    /// The file in which they stand.
    pub source: &'d Source,
    /// At most one for each task.
    pub tasks: Vec<Compensation<'d>>,
}

/// What undoes one task.
#[derive(Debug, Clone)]
pub struct Compensation<'d> {
    /// The task, by its name (then all tasks of that name) or its place.
    pub task: &'d str,
    /// Where the task is named.
    pub task_span: Span,
    /// What is called: a function of `use.functions` or `<connector>.<operation>`.
    pub call: &'d str,
    /// Where that is named.
    pub call_span: Span,
    /// The arguments. Expressions in them see `{input, output}` of the task that is undone.
    pub with: Option<&'d Node>,
}

/// What was undone after a failure or a cancellation, in the order in which it was tried: the task
/// that completed last comes first.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Compensated {
    /// Every task that was to be undone.
    pub undone: Vec<Undone>,
}

impl Compensated {
    /// Whether everything was undone.
    pub fn is_whole(&self) -> bool {
        self.undone.iter().all(|one| one.failure.is_none())
    }
}

/// A task that was to be undone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Undone {
    /// The task that had completed.
    pub task: CallId,
    /// Why it could not be undone; None when it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}
