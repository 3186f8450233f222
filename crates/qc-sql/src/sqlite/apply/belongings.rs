//! What stands beside a run's row: its place in a line, its business keys.

use qc_model::RunId;
use qc_store::{KEYS_MAX, RunKey, Turn};
use rusqlite::params;

use super::Desk;
use crate::sqlite::{stored::id_blob, trouble::Outcome};

const TAKE_PLACE: &str = "UPDATE turn SET run = ?1 WHERE scope = ?2 AND key = ?3 \
     AND run = (SELECT no FROM run WHERE id = ?4)";
const JOIN_LINE: &str = "INSERT INTO turn (scope, key, run) VALUES (?1, ?2, ?3)";
const PUT_KEY: &str = "INSERT OR IGNORE INTO run_key (value, name, run) SELECT ?1, ?2, ?3 \
     WHERE (SELECT count(*) FROM run_key WHERE run = ?3) < ?4";

/// Joins the end of a line, or takes the place there of the run that it replays.
pub(super) fn join_line(
    desk: &mut Desk<'_>,
    run: i64,
    turn: &Turn,
    replay_of: Option<RunId>,
) -> Outcome<()> {
    let scope = desk.words.number(desk.db, &turn.scope)?;
    if let Some(replayed) = replay_of {
        let replayed = id_blob(replayed);
        let place = params![run, scope, turn.key, replayed];
        if desk.db.prepare_cached(TAKE_PLACE)?.execute(place)? > 0 {
            return Ok(());
        }
    }
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
