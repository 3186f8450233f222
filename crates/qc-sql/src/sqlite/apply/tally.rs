use std::collections::HashMap;

use qc_store::{ByEnd, Counted};
use rusqlite::{Connection, named_params};

use crate::sqlite::{stored::count, trouble::Outcome};

const ADD: &str = "INSERT INTO tally (tenant, environment, integration, accepted, replays, \
     completed, faulted, cancelled, reopened_completed, reopened_faulted, reopened_cancelled, \
     pruned_completed, pruned_faulted, pruned_cancelled, dead_made, dead_settled) \
     VALUES (:tenant, :environment, :integration, :accepted, :replays, :completed, :faulted, \
     :cancelled, :reopened_completed, :reopened_faulted, :reopened_cancelled, :pruned_completed, \
     :pruned_faulted, :pruned_cancelled, :dead_made, :dead_settled) \
     ON CONFLICT (tenant, environment, integration) DO UPDATE SET \
     accepted = accepted + excluded.accepted, replays = replays + excluded.replays, \
     completed = completed + excluded.completed, faulted = faulted + excluded.faulted, \
     cancelled = cancelled + excluded.cancelled, \
     reopened_completed = reopened_completed + excluded.reopened_completed, \
     reopened_faulted = reopened_faulted + excluded.reopened_faulted, \
     reopened_cancelled = reopened_cancelled + excluded.reopened_cancelled, \
     pruned_completed = pruned_completed + excluded.pruned_completed, \
     pruned_faulted = pruned_faulted + excluded.pruned_faulted, \
     pruned_cancelled = pruned_cancelled + excluded.pruned_cancelled, \
     dead_made = dead_made + excluded.dead_made, \
     dead_settled = dead_settled + excluded.dead_settled";

/// What is counted together, as numbers of words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::sqlite) struct Place {
    pub(in crate::sqlite) tenant: i64,
    pub(in crate::sqlite) environment: i64,
    pub(in crate::sqlite) integration: i64,
}

/// What a transaction has counted and not stored yet: one row for each place at its end, not one
/// for each write.
#[derive(Debug, Default)]
pub(in crate::sqlite) struct TallyTail {
    counted: HashMap<Place, Counted>,
}

impl TallyTail {
    /// The counts of a place, to add to.
    pub(in crate::sqlite) fn at(&mut self, place: Place) -> &mut Counted {
        self.counted.entry(place).or_default()
    }

    /// Stores what was counted.
    pub(in crate::sqlite) fn settle(&mut self, db: &Connection) -> Outcome<()> {
        for (place, counted) in self.counted.drain() {
            let Counted { ended, reopened, pruned, .. } = &counted;
            let [completed, faulted, cancelled] = numbers(ended);
            let [reopened_completed, reopened_faulted, reopened_cancelled] = numbers(reopened);
            let [pruned_completed, pruned_faulted, pruned_cancelled] = numbers(pruned);
            db.prepare_cached(ADD)?.execute(named_params! {
                ":tenant": place.tenant,
                ":environment": place.environment,
                ":integration": place.integration,
                ":accepted": count(counted.accepted),
                ":replays": count(counted.replays),
                ":completed": completed,
                ":faulted": faulted,
                ":cancelled": cancelled,
                ":reopened_completed": reopened_completed,
                ":reopened_faulted": reopened_faulted,
                ":reopened_cancelled": reopened_cancelled,
                ":pruned_completed": pruned_completed,
                ":pruned_faulted": pruned_faulted,
                ":pruned_cancelled": pruned_cancelled,
                ":dead_made": count(counted.dead_made),
                ":dead_settled": count(counted.dead_settled),
            })?;
        }
        Ok(())
    }

    /// Forgets what was counted in a transaction that was undone.
    pub(in crate::sqlite) fn forget(&mut self) {
        self.counted.clear();
    }
}

fn numbers(by: &ByEnd) -> [i64; 3] {
    [count(by.completed), count(by.faulted), count(by.cancelled)]
}
