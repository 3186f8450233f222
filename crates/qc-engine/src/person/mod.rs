//! What people are asked: approvals, choices and forms of workflows, and runs that cannot go on by themselves.
//!
//! The run decides: each change of a task is an entry of its journal, and the task's document is written with it, for
//! those who look and for the node that answers. Two kinds of documents: what is open, and what is over.

mod answer;
mod canonical;
mod directory;
mod office;
mod steps;
mod task;
mod watch;

pub use answer::TaskAnswer;
pub use canonical::shown_hash;
pub use directory::{FailureMode, Failures, Level, People};
pub use office::{TaskFilter, TaskPage};
pub use task::{Decision, PersonTask, StuckAct, TaskId, TaskKind, TaskState};

pub(crate) use answer::{check, compiled, refused};
pub(crate) use office::closing;
pub(crate) use steps::{TaskStep, Tasks};
pub(crate) use task::{Rung, VERSION};

/// The kind of the documents of tasks that wait for somebody.
pub(crate) const OPEN: &str = "task";
/// The kind of the documents of tasks that are over.
pub(crate) const OVER: &str = "task-over";
