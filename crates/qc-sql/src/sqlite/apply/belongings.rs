//! What stands beside a run's row: its place in a line, its business keys.

use qc_store::{KEYS_MAX, RunKey, Turn};
use rusqlite::params;

use super::Desk;
use crate::sqlite::trouble::Outcome;

const JOIN_LINE: &str = "INSERT INTO turn (scope, key, run) VALUES (?1, ?2, ?3)";
const PUT_KEY: &str = "INSERT OR IGNORE INTO run_key (value, name, run) SELECT ?1, ?2, ?3 \
     WHERE (SELECT count(*) FROM run_key WHERE run = ?3) < ?4";

/// Joins the end of a line.
pub(super) fn join_line(desk: &mut Desk<'_>, run: i64, turn: &Turn) -> Outcome<()> {
    let scope = desk.words.number(desk.db, &turn.scope)?;
    desk.db.prepare_cached(JOIN_LINE)?.execute(params![scope, turn.key, run])?;
    Ok(())
}

/// Leaves the line, when the run stands in one.
pub(super) fn leave_line(desk: &Desk<'_>, run: i64) -> Outcome<()> {
    desk.db.prepare_cached("DELETE FROM turn WHERE run = ?1")?.execute([run])?;
    Ok(())
}

/// Adds business keys, as long as there is room.
pub(super) fn put_keys(desk: &Desk<'_>, run: i64, keys: &[RunKey]) -> Outcome<()> {
    let max = i64::try_from(KEYS_MAX).unwrap_or(i64::MAX);
    for key in keys {
        desk.db.prepare_cached(PUT_KEY)?.execute(params![key.value, key.name, run, max])?;
    }
    Ok(())
}
