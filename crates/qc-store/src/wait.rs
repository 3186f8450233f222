use qc_model::RunId;

/// What a run waits for. All waits of a run vanish with the commit that ends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    /// Which one, unique within the run.
    pub id: String,
    /// Tenant and environment, as one text.
    pub scope: String,
    /// The type of the events that it waits for; empty means any type.
    pub kind: String,
    /// Where it waits, as its writer names it: all waits of a site are judged by the same rule.
    pub site: String,
    /// What an event must match at that site, as its writer's text.
    pub key: String,
}

/// A wait with its run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenWait {
    /// The run.
    pub run: RunId,
    /// The run's bucket.
    pub bucket: u16,
    /// The wait.
    pub wait: Wait,
}

/// Which waits to list, in the order of their runs and, within a run, of their ids. Empty fields
/// do not restrict. Quick when scope, kind, site and key are all given.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WaitFilter {
    /// Only this scope.
    pub scope: Option<String>,
    /// Only waits that an event of this type answers: those for the type and those for any type.
    pub kind: Option<String>,
    /// Only this site.
    pub site: Option<String>,
    /// Only this key.
    pub key: Option<String>,
    /// Only waits after this one, by run and id: the last of the page before.
    pub after: Option<(RunId, String)>,
    /// At most so many; 0, and more than 1,000, mean 1,000.
    pub limit: usize,
}
