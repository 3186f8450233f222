//! Which effect a call is for: the same for all attempts and for all runs of a replay chain.

use std::fmt;

use qc_model::RunId;
use qc_workflow::CallId;

/// An effect on the outside.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Effect {
    /// The first run of the replay chain.
    pub(crate) origin: RunId,
    /// `{task}/{loop indexes}`: tasks have names that are unique in their workflow.
    pub(crate) name: String,
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.name, self.origin)
    }
}

/// The effect's name, from the call that the journal tells of.
pub(crate) fn name_of(call: &CallId) -> String {
    format!("{}{}", task_of(&call.pointer), loops(&call.pointer, &call.visit))
}

/// The effect's name, from the reference that the outside sees: `{event}/{task}/{loop indexes}`.
pub(crate) fn name_in(reference: &str) -> String {
    reference.split_once('/').map_or(reference, |(_, name)| name).to_owned()
}

/// The task's name at the end of its place.
pub(crate) fn task_of(pointer: &str) -> &str {
    pointer.rsplit('/').next().unwrap_or(pointer)
}

/// The loop indexes of a visit, as the outside writes them. A visit counts for every list around a
/// task how often the path was entered before (in these workflows never, so 0), and for every loop
/// its index.
fn loops(pointer: &str, visit: &str) -> String {
    let parts: Vec<&str> = visit.split('.').collect();
    let indexes: Vec<&str> =
        loop_places(pointer).into_iter().filter_map(|place| parts.get(place).copied()).collect();
    format!("/[{}]", indexes.join(","))
}

/// Which parts of a visit are loop indexes: a loop's name in a pointer is `for<n>`, followed by `do`.
fn loop_places(pointer: &str) -> Vec<usize> {
    let parts: Vec<&str> = pointer.split('/').filter(|part| !part.is_empty()).collect();
    let mut place = 0;
    let mut places = Vec::new();
    for pair in parts.windows(2) {
        if matches!(pair[0], "do" | "try") && pair[1].parse::<u32>().is_ok() {
            place += 1;
        }
        if pair[0].starts_with("for") && !pair[0].starts_with("fork") && pair[1] == "do" {
            places.push(place);
            place += 1;
        }
    }
    places
}
