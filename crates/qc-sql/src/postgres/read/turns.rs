use std::ops::Range;

use qc_model::RunId;
use qc_store::{LiveCause, PAGE_MAX, RunHead, Turn, TurnPlace};

use super::runs::{HEAD, heads, page};
use crate::postgres::{
    connection::Connection,
    stored::{Fields, Uuid, mark},
    trouble::{Outcome, Trouble},
};

const FIRST: &str = "SELECT run FROM turn WHERE mark = $1 ORDER BY no LIMIT 1";
const PLACE: &str = "SELECT t.scope, t.key, (SELECT count(*) FROM (SELECT FROM turn ahead \
     WHERE ahead.mark = t.mark AND ahead.no < t.no LIMIT $2) AS part) FROM turn t WHERE t.run = $1";
/// Jumps from line to line along the index, to the first of each.
const IN_TURN: &str = "WITH RECURSIVE first (mark, run) AS ( \
         (SELECT mark, run FROM turn ORDER BY mark, no LIMIT 1) \
         UNION ALL \
         SELECT next.mark, next.run FROM first CROSS JOIN LATERAL ( \
             SELECT t.mark, t.run FROM turn t WHERE t.mark > first.mark \
             ORDER BY t.mark, t.no LIMIT 1) AS next \
     )";

/// The run at the head of a line.
pub(in crate::postgres) async fn first_in_line(
    db: &mut Connection,
    scope: &str,
    key: &str,
) -> Outcome<Option<RunId>> {
    let rows = db.query(FIRST, &[&mark(&[scope, key])]).await?;
    rows.first().map(|row| Fields(row).id(0)).transpose()
}

/// A run's place in its line.
pub(in crate::postgres) async fn turn_of(
    db: &mut Connection,
    run: RunId,
) -> Outcome<Option<TurnPlace>> {
    let rows = db.query(PLACE, &[&Uuid::from(run), &page(PAGE_MAX)]).await?;
    let Some(row) = rows.first().map(Fields) else { return Ok(None) };
    let ahead = usize::try_from(row.count(2)?)
        .map_err(|_| Trouble::Damaged("a line is too long".to_owned()))?;
    Ok(Some(TurnPlace { turn: Turn { scope: row.text(0)?, key: row.text(1)? }, ahead }))
}

/// Runs that wait for their turn and are first.
pub(in crate::postgres) async fn runs_in_turn(
    db: &mut Connection,
    buckets: &Range<u16>,
    limit: usize,
) -> Outcome<Vec<RunHead>> {
    let question = format!(
        "{IN_TURN} {HEAD} WHERE id IN (SELECT run FROM first) AND cause = $1 \
         AND bucket >= $2 AND bucket < $3 ORDER BY id LIMIT $4"
    );
    let (first, beyond) = (i32::from(buckets.start), i32::from(buckets.end));
    let cause = LiveCause::Turn.as_str();
    heads(&db.query(&question, &[&cause, &first, &beyond, &page(limit)]).await?)
}
