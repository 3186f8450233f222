//! Runs: what is at work and what was.

pub(super) mod cancel;
pub(super) mod journal;
pub(super) mod list;
pub(super) mod replay;
pub(super) mod resolve;
pub(super) mod resume;
pub(super) mod show;

use super::route::{Parameter, path};

/// So many of the runs that a run runs are shown with it.
const CHILDREN: usize = 100;

/// The run in the path.
const RUN: Parameter = path("run", "The run's id");
