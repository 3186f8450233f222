use qc_store::{ByEnd, Counted, Held, Tally};

use super::Clauses;
use crate::postgres::{connection::Connection, stored::Fields, trouble::Outcome};

/// The columns of a tally, as they are added up.
const COUNTED: [&str; 13] = [
    "accepted",
    "replays",
    "completed",
    "faulted",
    "cancelled",
    "reopened_completed",
    "reopened_faulted",
    "reopened_cancelled",
    "pruned_completed",
    "pruned_faulted",
    "pruned_cancelled",
    "dead_made",
    "dead_settled",
];

/// Adds up what was counted and what is there, in one statement: of one moment.
pub(in crate::postgres) async fn tally(
    db: &mut Connection,
    environment: Option<&str>,
    integration: Option<&str>,
) -> Outcome<Tally> {
    let mut clauses = Clauses::default();
    for (column, name) in [("environment = ?", environment), ("integration = ?", integration)] {
        if let Some(name) = name {
            clauses.and(column, name.to_owned());
        }
    }
    let sums = COUNTED.map(|column| format!("coalesce(sum({column}), 0)::bigint AS {column}"));
    let held = ["running", "waiting", "parked", "completed", "faulted", "cancelled"]
        .map(|status| format!("count(*) FILTER (WHERE status = '{status}')"));
    let question = format!(
        "SELECT counted.*, held.*, dead.* FROM (SELECT {} FROM tally{clauses}) AS counted, \
         (SELECT {} FROM run{clauses}) AS held, \
         (SELECT count(*) FILTER (WHERE state = 'open') FROM dead{clauses}) AS dead",
        sums.join(", "),
        held.join(", "),
        clauses = clauses.text,
    );
    let rows = db.query(&question, &clauses.values()).await?;
    rows.first().map_or_else(|| Ok(Tally::default()), |row| decode(Fields(row)))
}

fn decode(row: Fields<'_>) -> Outcome<Tally> {
    let by_end = |from| -> Outcome<ByEnd> {
        Ok(ByEnd {
            completed: row.count(from)?,
            faulted: row.count(from + 1)?,
            cancelled: row.count(from + 2)?,
        })
    };
    let counted = Counted {
        accepted: row.count(0)?,
        replays: row.count(1)?,
        ended: by_end(2)?,
        reopened: by_end(5)?,
        pruned: by_end(8)?,
        dead_made: row.count(11)?,
        dead_settled: row.count(12)?,
    };
    let held = Held {
        running: row.count(13)?,
        waiting: row.count(14)?,
        parked: row.count(15)?,
        ended: by_end(16)?,
        dead_open: row.count(19)?,
    };
    Ok(Tally { counted, held })
}
