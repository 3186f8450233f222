use qc_model::{EnvironmentName, Name};
use qc_store::{ByEnd, Counted, Held, PAGE_MAX, Tally};

use super::Clauses;
use crate::postgres::{
    connection::Connection,
    stored::{Fields, number},
    trouble::Outcome,
};

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

/// Where something was counted, or is there.
const PLACES: &str = "SELECT environment, integration FROM ( \
         SELECT DISTINCT environment, integration FROM tally \
         UNION SELECT DISTINCT environment, integration FROM run \
         UNION SELECT DISTINCT environment, integration FROM dead \
     ) AS there WHERE (environment, integration) > ($1, $2) \
     ORDER BY environment, integration LIMIT $3";

/// The environments and integrations of the tally.
pub(in crate::postgres) async fn tally_places(
    db: &mut Connection,
    after: Option<&(EnvironmentName, Name)>,
) -> Outcome<Vec<(EnvironmentName, Name)>> {
    // No name is empty: all come after that.
    let (environment, integration) = after.map_or(("", ""), |(e, i)| (e.as_str(), i.as_str()));
    let rows = db.query(PLACES, &[&environment, &integration, &number(PAGE_MAX)]).await?;
    rows.iter().map(|row| Ok((Fields(row).name(0)?, Fields(row).name(1)?))).collect()
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
