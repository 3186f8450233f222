//! The questions, one file for each facet. All go to the primary: a standby may be behind, and mixes
//! of both have shown states that never were.

mod dead;
mod documents;
mod ledger;
mod runs;

pub(super) use dead::dead_letters;
pub(super) use documents::{document, documents};
pub(super) use ledger::ledger;
pub(super) use runs::{due_runs, event, journal, key_owner, open_runs, run, runs};
use tokio_postgres::types::ToSql;

/// A `WHERE` clause under construction: only the restrictions that a filter has.
#[derive(Default)]
struct Clauses {
    text: String,
    values: Vec<Box<dyn ToSql + Sync + Send>>,
}

impl Clauses {
    /// Adds a restriction; `?` is where its value goes.
    fn and(&mut self, clause: &str, value: impl ToSql + Sync + Send + 'static) {
        self.values.push(Box::new(value));
        self.text.push_str(if self.text.is_empty() { " WHERE " } else { " AND " });
        self.text.push_str(&clause.replace('?', &format!("${}", self.values.len())));
    }

    /// The values, as the driver takes them.
    fn values(&self) -> Vec<&(dyn ToSql + Sync)> {
        self.values.iter().map(|value| &**value as &(dyn ToSql + Sync)).collect()
    }
}
