use qc_model::{EnvironmentName, Name, RunId, Timestamp};

use crate::{DeadState, RunStatus};

/// Which runs to list, newest first. Empty fields do not restrict.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RunFilter {
    /// Only runs older than this one: the last of the page before.
    pub before: Option<RunId>,
    /// Only these statuses; empty means all.
    pub statuses: Vec<RunStatus>,
    /// Only this environment.
    pub environment: Option<EnvironmentName>,
    /// Only this integration.
    pub integration: Option<Name>,
    /// Only runs with this business subject.
    pub subject: Option<String>,
    /// Only runs accepted at or after this moment.
    pub since: Option<Timestamp>,
    /// At most so many; 0, and more than 1,000, mean 1,000.
    pub limit: usize,
}

/// Which dead letters to list, newest first. Empty fields do not restrict.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeadFilter {
    /// Only letters of runs older than this one: the last of the page before.
    pub before: Option<RunId>,
    /// Only this state.
    pub state: Option<DeadState>,
    /// Only this environment.
    pub environment: Option<EnvironmentName>,
    /// Only this integration.
    pub integration: Option<Name>,
    /// At most so many; 0, and more than 1,000, mean 1,000.
    pub limit: usize,
}
