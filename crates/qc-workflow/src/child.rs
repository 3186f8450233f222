//! Workflows that a workflow runs.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::CallId;

/// How deeply workflows may run workflows. The first one has the depth 0.
pub const DEPTH_LIMIT: u32 = 16;

/// A workflow by its name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct WorkflowRef {
    /// The namespace of its `document`.
    pub namespace: String,
    /// The name of its `document`.
    pub name: String,
    /// The version of its `document`; None stands for the latest at the child's start.
    pub version: Option<String>,
}

/// A workflow that is to be run as a child.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChildRequest {
    /// Which child: the task that runs it and the task's visit.
    pub id: CallId,
    /// The task's name.
    pub task: Arc<str>,
    /// Which attempt, from 1. A further attempt continues the same child: what took effect in it
    /// before is not done again.
    pub attempt: u32,
    /// Makes the child recognisable: the same for every attempt and in every replay of the run.
    pub key: String,
    /// What to run.
    pub workflow: WorkflowRef,
    /// The child's input, raw.
    pub input: Value,
    /// Whether the task waits for the child's end.
    pub awaited: bool,
    /// The child's own depth; goes into its [`crate::Start`].
    pub depth: u32,
}

/// A child that the run still has to hear of.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenChild {
    /// What was asked for.
    pub request: ChildRequest,
    /// The child's run, once it is known to have started.
    pub run: Option<String>,
    /// Whether the run no longer waits for its result: it was asked to be cancelled, and only its
    /// end is awaited.
    pub cut: bool,
}

/// The stable key of a child: what its identity is derived from.
pub(crate) fn child_key(origin: &str, id: &CallId) -> String {
    format!("qc:{origin}:{id}")
}

/// A place in a workflow from which another one is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChildSite {
    /// The task's place.
    pub pointer: Arc<str>,
    /// The task's name.
    pub task_name: Arc<str>,
    /// What is run.
    pub workflow: WorkflowRef,
    /// Where the task stands in the file.
    pub place: qc_model::Place,
}
