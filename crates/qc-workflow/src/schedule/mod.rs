//! When runs begin by themselves. Here is what a schedule says and what follows from it; who keeps
//! time and events, and begins the runs, is the engine.

mod cron;
mod due;
mod quiet;
mod timetable;
mod zone;

pub use cron::{Cron, CronError};
pub use due::{CatchUp, Due, MISSED_LIMIT, Overlap};
pub use quiet::{QuietHours, TimeOfDay, TimeOfDayError};
pub use timetable::Timetable;
pub use zone::{Zone, ZoneError};

use std::sync::Arc;

use qc_expression::{Limits, Scope};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    FilterIndex, ReadAs,
    correlation::{canonical, key_of},
    dsl::Mode,
    event_filter::{EventFilter, Expected},
    program::{Expr, Wording},
};

/// A workflow's own `schedule`.
pub enum Schedule {
    /// Again and again, whether or not earlier runs are over.
    Every {
        /// The interval in milliseconds.
        ms: u64,
    },
    /// At the times of a pattern.
    Cron(Cron),
    /// Again, some time after the last run was over.
    After {
        /// The pause in milliseconds.
        ms: u64,
    },
    /// When events come in.
    On(EventStart),
}

/// Which events begin a run.
pub struct EventStart {
    pub(crate) mode: Mode,
    /// At least one.
    pub(crate) filters: Vec<EventFilter>,
    pub(crate) read: ReadAs,
}

/// Events that wait for the others that are needed too. Plain data, to be stored by whoever
/// gathers; a new one begins empty.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Gathering {
    /// Which filters had their event.
    met: Vec<bool>,
    /// What was read so far.
    read: Vec<Value>,
}

impl EventStart {
    /// What an index needs of the filters.
    pub fn filters(&self) -> Vec<FilterIndex> {
        self.filters.iter().map(|filter| filter.index(&expected(filter))).collect()
    }

    /// Which gathering an event belongs to: the canonical JSON of what its correlations say, `[]`
    /// without any. None when it fits no filter.
    pub fn gathering_of(&self, event: &Value) -> Option<String> {
        let found = self.filters.iter().find_map(|filter| fits(filter, event))?;
        Some(key_of(found.into_values().collect()))
    }

    /// Takes an event into its gathering. The input of the run that begins, once all events are
    /// there; the gathering is empty again then. An event that is not needed changes nothing.
    pub fn gather(&self, gathering: &mut Gathering, event: &Value) -> Option<Value> {
        gathering.met.resize(self.filters.len(), false);
        let open = self.filters.iter().zip(&gathering.met).enumerate();
        let at = open
            .filter(|(_, (_, met))| !**met)
            .find(|(_, (filter, _))| fits(filter, event).is_some())
            .map(|(at, _)| at)?;
        gathering.met[at] = true;
        gathering.read.push(self.read.of(event));
        if self.mode == Mode::All && gathering.met.contains(&false) {
            return None;
        }
        Some(Value::Array(std::mem::take(gathering).read))
    }
}

fn fits(filter: &EventFilter, event: &Value) -> Option<Expected> {
    filter.fits(event, &expected(filter), &evaluate)
}

/// What the correlations of a filter expect: there is no run that could say more than the file.
fn expected(filter: &EventFilter) -> Expected {
    let expected = filter.correlate.iter().filter_map(|correlation| {
        let value = match correlation.expect.as_ref()? {
            Wording::Literal(text) => Value::String(text.to_string()),
            // One that fails expects what no event carries.
            Wording::Expression(expr) => evaluate(expr, &Value::Null).unwrap_or(Value::Null),
        };
        Some((Arc::clone(&correlation.name), canonical(value)))
    });
    expected.collect()
}

fn evaluate(expr: &Expr, value: &Value) -> Option<Value> {
    let scope = Scope { variables: &[], now_ms: 0, limits: Limits::default() };
    expr.expression.evaluate(value, &scope).ok()
}
