//! The questions, one file for each facet. All go to the primary: a standby may be behind, and mixes
//! of both have shown states that never were.

mod dead;
mod documents;
mod horizon;
mod ledger;
mod runs;
mod signals;
mod tally;
mod turns;
mod waits;

pub(super) use dead::{dead_groups, dead_letters};
pub(super) use documents::{document, documents};
pub(super) use ledger::ledger;
pub(super) use runs::{due_runs, event, journal, key_owner, keys_of, open_runs, run, runs};
pub(super) use signals::{signal, signals};
pub(super) use tally::{tally, tally_places};
use tokio_postgres::types::ToSql;
pub(super) use turns::{first_in_line, runs_in_turn, turn_of};
pub(super) use waits::{wait_sites, waits, waits_of};

/// A `WHERE` clause under construction: only the restrictions that a filter has.
#[derive(Default)]
struct Clauses {
    text: String,
    values: Vec<Box<dyn ToSql + Sync + Send>>,
}

impl Clauses {
    /// Adds a restriction; `?` is where its value goes.
    fn and(&mut self, clause: &str, value: impl ToSql + Sync + Send + 'static) {
        let value = self.value(value);
        self.add(&clause.replace('?', &value));
    }

    /// Adds a restriction as it is.
    fn add(&mut self, clause: &str) {
        self.text.push_str(if self.text.is_empty() { " WHERE " } else { " AND " });
        self.text.push_str(clause);
    }

    /// Adds a value; where it goes in the text.
    fn value(&mut self, value: impl ToSql + Sync + Send + 'static) -> String {
        self.values.push(Box::new(value));
        format!("${}", self.values.len())
    }

    /// The values, as the driver takes them.
    fn values(&self) -> Vec<&(dyn ToSql + Sync)> {
        self.values.iter().map(|value| &**value as &(dyn ToSql + Sync)).collect()
    }
}
