use std::collections::{BTreeSet, HashMap};

use qc_model::RunId;
use qc_store::{DeadState, Op, StoredEvent, Write};

use super::leases::bucket;
use crate::postgres::{
    apply::{Known, Place, Run},
    connection::Connection,
    stored::{Fields, Uuid, claims_of, dead_of},
    trouble::Outcome,
};

/// Runs that go on, in one order for all.
pub(super) const HOLD: &str = "SELECT id, bucket, version, claims, tenant, environment, \
     integration FROM run WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE";
/// Runs that are accepted once more: nearly always none.
pub(super) const FIND_ACCEPTED: &str = "SELECT r.id, r.bucket, r.version, r.claims, r.tenant, \
     r.environment, r.integration, r.event, e.received_at, e.body \
     FROM run r JOIN event e ON e.run = r.id WHERE r.id = ANY($1::uuid[])";
/// Letters of runs that are held: they change with their run only.
pub(super) const FIND_LETTERS: &str = "SELECT run, tenant, environment, integration, state \
     FROM dead WHERE run = ANY($1::uuid[])";

/// A run by its id.
pub(super) type Found = (RunId, Run);
/// Dead letters by their runs.
pub(super) type Letters = HashMap<RunId, (Place, DeadState)>;

/// Holds the runs that the batch takes further or claims.
pub(super) async fn hold(connection: &Connection, batch: &[Write]) -> Outcome<Vec<Found>> {
    let ids = ids(batch
        .iter()
        .flat_map(|write| match write {
            Write::Commit { txn, .. } => std::slice::from_ref(&txn.run),
            Write::Claim { runs, .. } => runs,
            _ => &[],
        })
        .copied());
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = connection.client().query(connection.statement(HOLD)?, &[&ids]).await?;
    rows.iter()
        .map(|row| {
            let row = Fields(row);
            Ok((row.id(0)?, found(row, None)?))
        })
        .collect()
}

fn found(row: Fields<'_>, event: Option<StoredEvent>) -> Outcome<Run> {
    Ok(Run {
        bucket: Some(bucket(row.get(1)?)?),
        version: row.count(2)?,
        claims: claims_of(row.get(3)?)?,
        place: Some(place(row, 4)?),
        event,
    })
}

fn place(row: Fields<'_>, from: usize) -> Outcome<Place> {
    Ok(Place {
        tenant: row.name(from)?,
        environment: row.name(from + 1)?,
        integration: row.name(from + 2)?,
    })
}

/// Finds the dead letters of runs of which the batch puts or settles one.
pub(super) async fn letters(connection: &Connection, batch: &[Write]) -> Outcome<Letters> {
    let touches = |op: &Op| matches!(op, Op::Dead(_) | Op::SettleDead(_));
    let ids = ids(batch.iter().filter_map(|write| match write {
        Write::Commit { txn, .. } if txn.ops.iter().any(touches) => Some(txn.run),
        Write::Accept(accept) if accept.dead.is_some() => Some(accept.run.id),
        _ => None,
    }));
    if ids.is_empty() {
        return Ok(Letters::new());
    }
    let rows = connection.client().query(connection.statement(FIND_LETTERS)?, &[&ids]).await?;
    rows.iter()
        .map(|row| {
            let row = Fields(row);
            Ok((row.id(0)?, (place(row, 1)?, dead_of(row.get(4)?)?)))
        })
        .collect()
}

/// Finds the runs that the batch accepts and that are there already, with their events.
pub(super) async fn accepted(connection: &Connection, batch: &[Write]) -> Outcome<Vec<Found>> {
    let ids = ids(batch.iter().filter_map(|write| match write {
        Write::Accept(accept) => Some(accept.run.id),
        _ => None,
    }));
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = connection.client().query(connection.statement(FIND_ACCEPTED)?, &[&ids]).await?;
    rows.iter()
        .map(|row| {
            let row = Fields(row);
            let event =
                StoredEvent { id: row.id(7)?, received_at: row.time(8)?, body: row.bytes(9)? };
            Ok((row.id(0)?, found(row, Some(event))?))
        })
        .collect()
}

/// Takes both into what is known; of a run that is in both, the held one's version counts.
pub(super) fn know(known: &mut Known<'_>, held: Vec<Found>, accepted: Vec<Found>) {
    known.runs.extend(accepted);
    for (id, run) in held {
        let event = known.runs.remove(&id).and_then(|there| there.event);
        known.runs.insert(id, Run { event, ..run });
    }
}

fn ids(runs: impl Iterator<Item = RunId>) -> Vec<Uuid> {
    runs.map(Uuid::from).collect::<BTreeSet<_>>().into_iter().collect()
}
