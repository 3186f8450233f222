use std::collections::BTreeMap;

use super::counted;
use crate::postgres::{
    apply::{KeyDeed, KeyId},
    connection::Connection,
    stored::{Uuid, number, text},
    trouble::Outcome,
};

/// A key that is there is claimed only if it had expired. The rows come sorted, so that two nodes
/// that claim the same keys wait for each other in one order.
pub(super) const CLAIM: &str = "WITH claimed AS ( \
         INSERT INTO idempotency AS k (scope, key, body_hash, run, claimed_at, expires_at) \
         SELECT * FROM unnest($1::text[], $2::text[], $3::bytea[], $4::uuid[], $5::bigint[], \
             $6::bigint[]) \
         ON CONFLICT (scope, key) DO UPDATE SET body_hash = excluded.body_hash, \
             run = excluded.run, claimed_at = excluded.claimed_at, \
             expires_at = excluded.expires_at \
         WHERE k.expires_at <= excluded.claimed_at \
         RETURNING 1 \
     ) SELECT 1 / (count(*) = $7::bigint)::integer FROM claimed";

/// Claims the keys of what is accepted.
pub(super) async fn claim(
    connection: &Connection,
    keys: &BTreeMap<KeyId<'_>, KeyDeed<'_>>,
) -> Outcome<()> {
    if keys.is_empty() {
        return Ok(());
    }
    let scopes: Vec<_> = keys.keys().map(|(scope, _)| text(scope)).collect();
    let names: Vec<_> = keys.keys().map(|(_, key)| text(key)).collect();
    let hashes: Vec<&[u8]> = keys.values().map(|deed| &deed.key.body_hash[..]).collect();
    let runs: Vec<_> = keys.values().map(|deed| Uuid::from(deed.run)).collect();
    let claimed: Vec<_> = keys.values().map(|deed| deed.claimed_at.as_millis()).collect();
    let expires: Vec<_> = keys.values().map(|deed| deed.key.expires_at.as_millis()).collect();
    let wanted = number(keys.len());
    counted(connection, CLAIM, &[&scopes, &names, &hashes, &runs, &claimed, &expires, &wanted])
        .await
}
