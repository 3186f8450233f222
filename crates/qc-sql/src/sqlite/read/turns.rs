use std::ops::Range;

use qc_model::RunId;
use qc_store::{LiveCause, PAGE_MAX, RunHead, Turn, TurnPlace};
use rusqlite::{Connection, OptionalExtension, params};

use super::runs::{HEAD_COLUMNS, blob, heads, page};
use crate::sqlite::{
    stored::{cause_number, id_blob, id_of},
    trouble::{Outcome, Trouble},
    words::{WordTexts, find},
};

const FIRST: &str = "SELECT run.id FROM turn JOIN run ON run.no = turn.run \
     WHERE turn.scope = ?1 AND turn.key = ?2 ORDER BY turn.no LIMIT 1";
const PLACE: &str = "SELECT turn.scope, turn.key, (SELECT count(*) FROM (SELECT 1 FROM turn AS ahead \
     WHERE ahead.scope = turn.scope AND ahead.key = turn.key AND ahead.no < turn.no LIMIT ?2)) \
     FROM run JOIN turn ON turn.run = run.no WHERE run.id = ?1";
/// Jumps from line to line along the index, to the first of each.
const IN_TURN: &str = "WITH RECURSIVE first (place) AS ( \
     SELECT (SELECT no FROM turn ORDER BY scope, key, no LIMIT 1) \
     UNION ALL \
     SELECT coalesce( \
     (SELECT next.no FROM turn AS next WHERE next.scope = turn.scope AND next.key > turn.key \
     ORDER BY next.key, next.no LIMIT 1), \
     (SELECT next.no FROM turn AS next WHERE next.scope > turn.scope \
     ORDER BY next.scope, next.key, next.no LIMIT 1)) \
     FROM first JOIN turn ON turn.no = first.place) \
     SELECT turn.run FROM first JOIN turn ON turn.no = first.place";

/// The run at the head of a line.
pub(in crate::sqlite) fn first_in_line(
    db: &Connection,
    scope: &str,
    key: &str,
) -> Outcome<Option<RunId>> {
    let Some(scope) = find(db, scope)? else { return Ok(None) };
    let mut query = db.prepare_cached(FIRST)?;
    let mut rows = query.query(params![scope, key])?;
    rows.next()?.map(|row| id_of(&blob(row, 0)?)).transpose()
}

/// A run's place in its line.
pub(in crate::sqlite) fn turn_of(
    db: &Connection,
    words: &WordTexts,
    run: RunId,
) -> Outcome<Option<TurnPlace>> {
    let mut query = db.prepare_cached(PLACE)?;
    let found = query.query_row(params![id_blob(run), page(PAGE_MAX)], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, i64>(2)?))
    });
    let Some((scope, key, ahead)) = found.optional()? else { return Ok(None) };
    let scope = words.text(db, scope)?.to_string();
    let ahead = usize::try_from(ahead).map_err(|_| Trouble::Damaged("a count".to_owned()))?;
    Ok(Some(TurnPlace { turn: Turn { scope, key }, ahead }))
}

/// Runs that wait for their turn and are first.
pub(in crate::sqlite) fn runs_in_turn(
    db: &Connection,
    words: &WordTexts,
    buckets: &Range<u16>,
    limit: usize,
) -> Outcome<Vec<RunHead>> {
    let mut query = db.prepare_cached(&format!(
        "SELECT {HEAD_COLUMNS} FROM run NOT INDEXED WHERE no IN ({IN_TURN}) AND cause = ?1 \
         AND bucket >= ?2 AND bucket < ?3 ORDER BY id LIMIT ?4"
    ))?;
    let cause = cause_number(LiveCause::Turn);
    let rows = query.query(params![cause, buckets.start, buckets.end, page(limit)])?;
    heads(db, words, rows)
}
