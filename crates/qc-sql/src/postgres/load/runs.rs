use std::collections::BTreeSet;

use qc_model::RunId;
use qc_store::{StoredEvent, Write};

use super::leases::bucket;
use crate::postgres::{
    apply::{Known, Run},
    connection::Connection,
    stored::{Fields, Uuid},
    trouble::Outcome,
};

/// Runs that go on, in one order for all.
pub(super) const HOLD: &str = "SELECT id, bucket, version FROM run WHERE id = ANY($1::uuid[]) \
     ORDER BY id FOR NO KEY UPDATE";
/// Runs that are accepted once more: nearly always none.
pub(super) const FIND_ACCEPTED: &str = "SELECT r.id, r.bucket, r.version, r.event, e.received_at, \
     e.body FROM run r JOIN event e ON e.run = r.id WHERE r.id = ANY($1::uuid[])";

/// A run by its id.
pub(super) type Found = (RunId, Run);

/// Holds the runs that the batch takes further.
pub(super) async fn hold(connection: &Connection, batch: &[Write]) -> Outcome<Vec<Found>> {
    let ids = ids(batch.iter().filter_map(|write| match write {
        Write::Commit { txn, .. } => Some(txn.run),
        _ => None,
    }));
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = connection.client().query(connection.statement(HOLD)?, &[&ids]).await?;
    rows.iter()
        .map(|row| {
            let row = Fields(row);
            let bucket = Some(bucket(row.get(1)?)?);
            Ok((row.id(0)?, Run { bucket, version: row.count(2)?, event: None }))
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
                StoredEvent { id: row.id(3)?, received_at: row.time(4)?, body: row.bytes(5)? };
            let bucket = Some(bucket(row.get(1)?)?);
            Ok((row.id(0)?, Run { bucket, version: row.count(2)?, event: Some(event) }))
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
