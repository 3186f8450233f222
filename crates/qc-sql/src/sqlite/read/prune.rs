use qc_model::Timestamp;
use rusqlite::{Connection, params};

use crate::sqlite::trouble::Outcome;

/// The oldest first. (The order is that of the index as far as it goes.)
const ENDED: &str = "SELECT run.no, (SELECT count(*) FROM journal WHERE journal.run = run.no) \
     FROM run INDEXED BY run_ended LEFT JOIN dead ON dead.run = run.id \
     WHERE run.ended_at < ?1 AND (dead.run IS NULL OR dead.state <> 0) \
     ORDER BY run.ended_at, run.id LIMIT ?2";

/// A run that may go.
#[derive(Debug, Clone, Copy)]
pub(in crate::sqlite) struct EndedRun {
    pub(in crate::sqlite) no: i64,
    /// How many journal entries it has.
    pub(in crate::sqlite) entries: i64,
}

/// Runs that ended before the moment and have no open dead letter.
pub(in crate::sqlite) fn ended_runs(
    db: &Connection,
    since: Timestamp,
    limit: usize,
) -> Outcome<Vec<EndedRun>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut query = db.prepare_cached(ENDED)?;
    let found = query.query_map(params![since.as_millis(), limit], |row| {
        Ok(EndedRun { no: row.get(0)?, entries: row.get(1)? })
    })?;
    Ok(found.collect::<Result<_, _>>()?)
}
