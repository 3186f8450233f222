use std::collections::BTreeMap;

use qc_store::Signal;

use super::plain;
use crate::postgres::{
    connection::Connection,
    stored::{mark, text},
    trouble::Outcome,
};

/// Places as in the ledger. The rows come sorted by what makes them repeats, so that two nodes that
/// write the same ones wait for each other in one order; their places are in the order of the batch.
pub(super) const PUT: &str = "WITH place AS MATERIALIZED ( \
         SELECT (pg_current_xact_id()::text::bigint + value) << 16 AS origin FROM fact \
         WHERE name = 'ledger_base' \
     ) INSERT INTO signal (seq, mark, place, scope, kind, id, at, expires_at, body) \
     SELECT place.origin + i.no, i.mark, i.place, i.scope, i.kind, i.id, i.at, i.expires_at, i.body \
     FROM place, unnest($1::bigint[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], \
         $7::bigint[], $8::bigint[], $9::bytea[]) \
         AS i (no, mark, place, scope, kind, id, at, expires_at, body) \
     ON CONFLICT (mark) DO NOTHING";

/// Writes signals, but repeats.
pub(super) async fn put(
    connection: &Connection,
    signals: &BTreeMap<(&str, &str), (i64, &Signal)>,
) -> Outcome<()> {
    if signals.is_empty() {
        return Ok(());
    }
    let signals: Vec<(i64, &Signal)> = signals.values().copied().collect();
    let numbers: Vec<_> = signals.iter().map(|(no, _)| *no).collect();
    let marks: Vec<_> = signals.iter().map(|(_, s)| mark(&[&s.scope, &s.id])).collect();
    let places: Vec<_> = signals.iter().map(|(_, s)| mark(&[&s.scope, &s.kind])).collect();
    let scopes: Vec<_> = signals.iter().map(|(_, s)| text(&s.scope)).collect();
    let kinds: Vec<_> = signals.iter().map(|(_, s)| text(&s.kind)).collect();
    let ids: Vec<_> = signals.iter().map(|(_, s)| text(&s.id)).collect();
    let times: Vec<_> = signals.iter().map(|(_, s)| s.at.as_millis()).collect();
    let ends: Vec<_> = signals.iter().map(|(_, s)| s.expires_at.as_millis()).collect();
    let bodies: Vec<&[u8]> = signals.iter().map(|(_, s)| &s.body[..]).collect();
    plain(
        connection,
        PUT,
        &[&numbers, &marks, &places, &scopes, &kinds, &ids, &times, &ends, &bodies],
    )
    .await
}
