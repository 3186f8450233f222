//! The questions, one file for each facet.

mod dead;
mod documents;
mod ledger;
mod prune;
mod runs;
mod signals;
mod tally;
mod turns;
mod waits;

pub(super) use dead::{dead_groups, dead_letters};
pub(super) use documents::{document, documents};
pub(super) use ledger::ledger;
pub(super) use prune::{EndedRun, ended_runs};
pub(super) use runs::{due_runs, event, journal, key_owner, keys_of, open_runs, run, runs};
use rusqlite::types::Value;
pub(super) use signals::{signal, signals};
pub(super) use tally::{tally, tally_places};
pub(super) use turns::{first_in_line, runs_in_turn, turn_of};
pub(super) use waits::{wait_sites, waits, waits_of};

/// A `WHERE` clause under construction: only the restrictions that a filter has.
#[derive(Default)]
struct Clauses {
    text: String,
    values: Vec<Value>,
}

impl Clauses {
    /// Adds a restriction with one `?`.
    fn and(&mut self, clause: &str, value: impl Into<Value>) {
        self.push(clause);
        self.values.push(value.into());
    }

    /// Adds that a column has one of these numbers.
    fn and_in(&mut self, column: &str, numbers: impl Iterator<Item = i64>) {
        let list: Vec<String> = numbers.map(|number| number.to_string()).collect();
        self.push(&format!("{column} IN ({})", list.join(", ")));
    }

    fn push(&mut self, clause: &str) {
        self.text.push_str(if self.text.is_empty() { " WHERE " } else { " AND " });
        self.text.push_str(clause);
    }
}
