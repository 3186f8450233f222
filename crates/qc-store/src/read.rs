use qc_model::{EnvironmentName, EventId, Name, RunId, Timestamp};

use crate::{DeadState, RunKey, RunStatus};

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
    /// Only runs accepted before this moment.
    pub until: Option<Timestamp>,
    /// Only runs of this trigger.
    pub trigger: Option<Name>,
    /// Only runs of this release.
    pub release: Option<String>,
    /// Only runs that handle this event.
    pub event: Option<EventId>,
    /// Only runs of this sender's trace.
    pub trace: Option<String>,
    /// Only runs with this business key.
    pub key: Option<RunKey>,
    /// Only runs with a business key of this value, whatever its name.
    pub value: Option<String>,
    /// At most so many; 0, and more than 1,000, mean 1,000.
    pub limit: usize,
}

/// Which dead letters to list or to group, newest first. Empty fields do not restrict.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeadFilter {
    /// Only this fingerprint.
    pub fingerprint: Option<String>,
    /// Only this failure's code.
    pub code: Option<String>,
    /// Only runs that died at or after this moment.
    pub since: Option<Timestamp>,
    /// Only runs that died before this moment.
    pub until: Option<Timestamp>,
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
