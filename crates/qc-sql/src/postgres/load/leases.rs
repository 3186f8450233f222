use std::collections::BTreeSet;

use qc_store::Write;

use crate::postgres::{
    apply::Span,
    connection::Connection,
    stored::{Fields, count},
    trouble::{Outcome, Trouble},
};

/// Until the transaction ends nobody else can take the leases; renewing them goes on.
pub(super) const HOLD: &str = "SELECT first, beyond, node, epoch FROM lease \
     WHERE epoch = ANY($1::bigint[]) ORDER BY first FOR KEY SHARE";

/// Holds the leases under which the batch goes on.
pub(super) async fn hold(connection: &Connection, batch: &[Write]) -> Outcome<Vec<Span>> {
    let epochs: BTreeSet<i64> = batch
        .iter()
        .filter_map(|write| match write {
            Write::Commit { lease, .. } | Write::Claim { lease, .. } => Some(count(lease.epoch)),
            _ => None,
        })
        .collect();
    if epochs.is_empty() {
        return Ok(Vec::new());
    }
    let epochs: Vec<i64> = epochs.into_iter().collect();
    let rows = connection.client().query(connection.statement(HOLD)?, &[&epochs]).await?;
    rows.iter()
        .map(|row| {
            let row = Fields(row);
            let (first, beyond) = (bucket(row.get(0)?)?, bucket(row.get(1)?)?);
            Ok(Span { first, beyond, node: row.text(2)?, epoch: row.count(3)? })
        })
        .collect()
}

/// A bucket as stored.
pub(in crate::postgres) fn bucket(stored: i32) -> Outcome<u16> {
    u16::try_from(stored).map_err(|_| Trouble::Damaged(format!("the bucket {stored} is stored")))
}
