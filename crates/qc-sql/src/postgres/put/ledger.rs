use qc_store::{LedgerKind, LedgerRow, StoreError};

use super::plain;
use crate::postgres::{
    apply::Deeds,
    connection::Connection,
    stored::{Uuid, text},
    trouble::Outcome,
};

/// Rows of one transaction: as many as its places have room for.
const ROWS_MAX: usize = 1 << 16;

/// Places follow from the transaction's number, so that they are in the order of transactions. Rows
/// of the audit are numbered by the connection, whose counter nobody else touches.
pub(super) const APPEND: &str = "WITH place AS MATERIALIZED ( \
         SELECT (pg_current_xact_id()::text::bigint + value) << 16 AS origin FROM fact \
         WHERE name = 'ledger_base' \
     ), counted AS ( \
         INSERT INTO audit_writer AS w (writer, last) SELECT $14::integer, $15::bigint \
         WHERE $15::bigint > 0 \
         ON CONFLICT (writer) DO UPDATE SET last = w.last + excluded.last \
         RETURNING w.last - $15::bigint AS before \
     ) INSERT INTO ledger (seq, at, kind, tenant, environment, integration, run, event, actor, \
         subject, outcome, code, facts, writer, no) \
     SELECT place.origin + i.no - 1, i.at, i.kind, i.tenant, i.environment, i.integration, i.run, \
         i.event, i.actor, i.subject, i.outcome, i.code, i.facts, \
         CASE WHEN i.audit IS NOT NULL THEN $14::integer END, \
         (SELECT before FROM counted) + i.audit \
     FROM place, unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::uuid[], \
         $7::uuid[], $8::text[], $9::text[], $10::text[], $11::text[], $12::bytea[], \
         $13::bigint[]) \
         WITH ORDINALITY AS i (at, kind, tenant, environment, integration, run, event, actor, \
         subject, outcome, code, facts, audit, no)";

/// Refuses what has more rows than places.
pub(super) fn check(deeds: &Deeds<'_>) -> Result<(), StoreError> {
    for (rows, what) in
        [(deeds.ledger.len(), "rows of the ledger"), (deeds.signals.len(), "signals")]
    {
        if rows > ROWS_MAX {
            let why = format!("{rows} {what} in one commit; the limit is {ROWS_MAX}");
            return Err(StoreError::Refused(why));
        }
    }
    Ok(())
}

/// Appends to the ledger.
pub(super) async fn append(connection: &Connection, rows: &[&LedgerRow]) -> Outcome<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let times: Vec<_> = rows.iter().map(|row| row.at.as_millis()).collect();
    let kinds: Vec<_> = rows.iter().map(|row| row.kind.as_str()).collect();
    let tenants: Vec<_> = rows.iter().map(|row| row.tenant.as_str()).collect();
    let environments: Vec<_> =
        rows.iter().map(|row| row.environment.as_ref().map(AsRef::<str>::as_ref)).collect();
    let integrations: Vec<_> =
        rows.iter().map(|row| row.integration.as_ref().map(AsRef::<str>::as_ref)).collect();
    let runs: Vec<_> = rows.iter().map(|row| row.run.map(Uuid::from)).collect();
    let events: Vec<_> = rows.iter().map(|row| row.event.map(Uuid::from)).collect();
    let actors: Vec<_> = rows.iter().map(|row| text(&row.actor)).collect();
    let subjects: Vec<_> = rows.iter().map(|row| text(&row.subject)).collect();
    let outcomes: Vec<_> = rows.iter().map(|row| text(&row.outcome)).collect();
    let codes: Vec<_> = rows.iter().map(|row| row.code.as_deref().map(text)).collect();
    let facts: Vec<&[u8]> = rows.iter().map(|row| &row.facts[..]).collect();
    let mut audits = 0i64;
    let numbers: Vec<Option<i64>> = rows
        .iter()
        .map(|row| {
            (row.kind == LedgerKind::Audit).then(|| {
                audits += 1;
                audits
            })
        })
        .collect();
    plain(
        connection,
        APPEND,
        &[
            &times,
            &kinds,
            &tenants,
            &environments,
            &integrations,
            &runs,
            &events,
            &actors,
            &subjects,
            &outcomes,
            &codes,
            &facts,
            &numbers,
            &connection.part(),
            &audits,
        ],
    )
    .await
}
