use std::collections::BTreeSet;

use qc_model::RunId;
use qc_store::Turn;
use tokio::join;

use super::plain;
use crate::postgres::{
    connection::{Connection, Values},
    stored::{Uuid, mark, text},
    trouble::Outcome,
};

/// The lines share so many locks: a lock for each would let large batches fill the server's table.
const LOCKS: u128 = 256;

/// The advisory locks of lines ("QCli"), taken in one order by everybody and held until the commit:
/// so the order of places is the order of commits.
pub(super) const HOLD: &str = "SELECT pg_advisory_xact_lock(1363373161, lock) \
     FROM unnest($1::integer[]) AS lock";
/// A second statement: it begins when the lines are held.
pub(super) const JOIN: &str = "INSERT INTO turn (mark, scope, key, run) \
     SELECT mark, scope, key, run FROM unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[]) \
     WITH ORDINALITY AS i (mark, scope, key, run, no) ORDER BY i.no";
pub(super) const LEAVE: &str = "DELETE FROM turn WHERE run = ANY($1::uuid[])";

/// Leaves lines.
pub(super) async fn leave(connection: &Connection, leaves: &BTreeSet<RunId>) -> Outcome<()> {
    if leaves.is_empty() {
        return Ok(());
    }
    let runs: Vec<_> = leaves.iter().copied().map(Uuid::from).collect();
    plain(connection, LEAVE, &[&runs]).await
}

/// Joins lines, at their ends.
pub(super) async fn join(connection: &Connection, joins: &[(RunId, &Turn)]) -> Outcome<()> {
    if joins.is_empty() {
        return Ok(());
    }
    let marks: Vec<Uuid> = joins.iter().map(|(_, turn)| mark(&[&turn.scope, &turn.key])).collect();
    let locks: BTreeSet<i32> =
        marks.iter().map(|mark| i32::try_from(mark.0 % LOCKS).unwrap_or_default()).collect();
    let locks: Vec<i32> = locks.into_iter().collect();
    let scopes: Vec<_> = joins.iter().map(|(_, turn)| text(&turn.scope)).collect();
    let keys: Vec<_> = joins.iter().map(|(_, turn)| text(&turn.key)).collect();
    let runs: Vec<_> = joins.iter().map(|(run, _)| Uuid::from(*run)).collect();
    let (lines, rows): (&Values<'_>, &Values<'_>) = (&[&locks], &[&marks, &scopes, &keys, &runs]);
    let (held, joined) =
        join!(biased; plain(connection, HOLD, lines), plain(connection, JOIN, rows));
    held.and(joined)
}
