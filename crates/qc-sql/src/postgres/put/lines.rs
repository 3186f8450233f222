use std::collections::BTreeSet;

use qc_model::RunId;
use tokio::join;

use super::plain;
use crate::postgres::{
    apply::JoinDeed,
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
/// A second statement: it begins when the lines are held. A place of a run that is replayed is taken
/// where that run stands in the same line.
pub(super) const JOIN: &str = "WITH joins AS MATERIALIZED ( \
         SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::uuid[]) \
         WITH ORDINALITY AS i (mark, scope, key, run, replayed, no) \
     ), taken AS ( \
         UPDATE turn t SET run = j.run FROM joins j \
         WHERE t.run = j.replayed AND t.mark = j.mark RETURNING j.run \
     ) INSERT INTO turn (mark, scope, key, run) SELECT j.mark, j.scope, j.key, j.run FROM joins j \
     WHERE NOT EXISTS (SELECT FROM taken WHERE taken.run = j.run) ORDER BY j.no";
/// After the joins: who joined in the same batch may leave too.
pub(super) const LEAVE: &str = "DELETE FROM turn WHERE run = ANY($1::uuid[])";

/// Leaves lines.
pub(super) async fn leave(connection: &Connection, leaves: &BTreeSet<RunId>) -> Outcome<()> {
    if leaves.is_empty() {
        return Ok(());
    }
    let runs: Vec<_> = leaves.iter().copied().map(Uuid::from).collect();
    plain(connection, LEAVE, &[&runs]).await
}

/// Joins lines, at their ends or in the places of replayed runs.
pub(super) async fn join(connection: &Connection, joins: &[JoinDeed<'_>]) -> Outcome<()> {
    if joins.is_empty() {
        return Ok(());
    }
    let marks: Vec<Uuid> =
        joins.iter().map(|join| mark(&[&join.turn.scope, &join.turn.key])).collect();
    let locks: BTreeSet<i32> =
        marks.iter().map(|mark| i32::try_from(mark.0 % LOCKS).unwrap_or_default()).collect();
    let locks: Vec<i32> = locks.into_iter().collect();
    let scopes: Vec<_> = joins.iter().map(|join| text(&join.turn.scope)).collect();
    let keys: Vec<_> = joins.iter().map(|join| text(&join.turn.key)).collect();
    let runs: Vec<_> = joins.iter().map(|join| Uuid::from(join.run)).collect();
    let replayed: Vec<_> = joins.iter().map(|join| join.replayed.map(Uuid::from)).collect();
    let (lines, rows): (&Values<'_>, &Values<'_>) =
        (&[&locks], &[&marks, &scopes, &keys, &runs, &replayed]);
    let (held, joined) =
        join!(biased; plain(connection, HOLD, lines), plain(connection, JOIN, rows));
    held.and(joined)
}
