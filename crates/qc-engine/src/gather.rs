//! Events that begin a run together: each set waits until it is complete.

use std::collections::BTreeMap;

use qc_workflow::{EventStart, Gathering};
use serde_json::Value;

/// How many sets of events that belong together may be incomplete at a time.
const GATHERINGS_MAX: usize = 1_000;

/// What became of an event.
pub(crate) enum Gathered {
    /// It is not needed.
    Unfit,
    /// Others are needed, too.
    Waits,
    /// All are there: the input of the run.
    Complete(Value),
}

/// Takes an event into those that it belongs to.
pub(crate) fn gather(
    start: &EventStart,
    gathering: &mut BTreeMap<String, Gathering>,
    event: &Value,
) -> Gathered {
    let Some(key) = start.gathering_of(event) else { return Gathered::Unfit };
    let mut set = gathering.remove(&key).unwrap_or_default();
    if let Some(input) = start.gather(&mut set, event) {
        return Gathered::Complete(input);
    }
    if set == Gathering::default() {
        return Gathered::Unfit;
    }
    if gathering.len() >= GATHERINGS_MAX {
        tracing::warn!("more than {GATHERINGS_MAX} sets of events are incomplete: one is given up");
        gathering.pop_first();
    }
    gathering.insert(key, set);
    Gathered::Waits
}
