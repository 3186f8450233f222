use std::{collections::BTreeMap, sync::Arc};

use qc_model::Timestamp;
use qc_pace::{Standing, breaker::Stands};

use super::Gate;

/// What a node knows of the limits of other systems, and of these.
#[derive(Debug, Clone, Default)]
pub struct Paces {
    /// The limits against which calls counted, by name: after that of the environment and a `/`, for a connector's.
    pub limits: BTreeMap<Arc<str>, Pace>,
    /// The systems that were called, a connector's after the name of the environment, too.
    pub systems: BTreeMap<Arc<str>, SystemStanding>,
}

/// How a system stands.
#[derive(Debug, Clone, Copy)]
pub struct SystemStanding {
    /// How its breaker stands.
    pub stands: Stands,
    /// Since when that is not closed.
    pub since: Option<Timestamp>,
    /// Calls that failed since the last good answer.
    pub failed: u64,
}

impl Default for SystemStanding {
    fn default() -> Self {
        Self { stands: Stands::Closed, since: None, failed: 0 }
    }
}

/// How the limit of another system stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// As its shaper knows it.
    pub standing: Standing,
    /// Calls that wait for their turn at it, whatever for.
    pub waiting: usize,
}

impl Gate {
    /// How all limits and systems stand.
    pub(crate) fn stands(&self) -> Paces {
        let now = self.clock.now();
        let mut state = self.state();
        state.waiting.take_out(|one| one.granted.is_closed());
        let mut paces = state.tempo.stands(now);
        state.waiting.each(|one| {
            if let Some(limit) = paces.limits.get_mut(&one.share.lane.limit) {
                limit.waiting += 1;
            }
        });
        paces
    }
}
