use qc_store::Retention;
use rusqlite::{Connection, params};

use crate::sqlite::trouble::Outcome;

/// The oldest first. (The order is that of the index as far as it goes.)
const ENDED: &str = "SELECT run.no, (SELECT count(*) FROM journal WHERE journal.run = run.no) \
     FROM run INDEXED BY run_ended LEFT JOIN dead ON dead.run = run.id \
     WHERE run.ended_at < max(?1, ?2) AND run.ended_at < iif(run.status = 4, ?2, ?1) \
     AND (dead.run IS NULL OR dead.state <> 0) ORDER BY run.ended_at, run.id LIMIT ?3";

/// A run that may go.
#[derive(Debug, Clone, Copy)]
pub(in crate::sqlite) struct EndedRun {
    pub(in crate::sqlite) no: i64,
    /// How many journal entries it has.
    pub(in crate::sqlite) entries: i64,
}

/// Runs that are past their time and have no open dead letter.
pub(in crate::sqlite) fn ended_runs(
    db: &Connection,
    retention: &Retention,
    limit: usize,
) -> Outcome<Vec<EndedRun>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut query = db.prepare_cached(ENDED)?;
    let (completed, failed) =
        (retention.completed_since.as_millis(), retention.failed_since.as_millis());
    let found = query.query_map(params![completed, failed, limit], |row| {
        Ok(EndedRun { no: row.get(0)?, entries: row.get(1)? })
    })?;
    Ok(found.collect::<Result<_, _>>()?)
}
