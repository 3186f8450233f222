use std::collections::{BTreeSet, HashMap};

use qc_store::Write;

use crate::postgres::{
    apply::{Key, KeyId},
    connection::Connection,
    stored::{Fields, text},
    trouble::{Outcome, Trouble},
};

pub(super) const FIND: &str = "SELECT i.no, k.run, k.body_hash, k.expires_at \
     FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS i (scope, key, no) \
     JOIN idempotency k ON k.scope = i.scope AND k.key = i.key";

/// Finds the keys under which the batch accepts.
pub(super) async fn find<'a>(
    connection: &Connection,
    batch: &'a [Write],
) -> Outcome<HashMap<KeyId<'a>, Key>> {
    let ids: BTreeSet<KeyId<'a>> = batch
        .iter()
        .filter_map(|write| match write {
            Write::Accept(accept) => accept.key.as_ref(),
            _ => None,
        })
        .map(|key| (key.scope.as_str(), key.key.as_str()))
        .collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let ids: Vec<KeyId<'a>> = ids.into_iter().collect();
    let scopes: Vec<_> = ids.iter().map(|(scope, _)| text(scope)).collect();
    let keys: Vec<_> = ids.iter().map(|(_, key)| text(key)).collect();
    let statement = connection.statement(FIND)?;
    let rows = connection.client().query(statement, &[&scopes, &keys]).await?;
    rows.iter()
        .map(|row| {
            let row = Fields(row);
            let id = place(&ids, row.get(0)?)?;
            let hash: &[u8] = row.get(2)?;
            let body_hash = hash.try_into().map_err(|_| {
                Trouble::Damaged(format!("a hash of {} bytes is stored", hash.len()))
            })?;
            Ok((id, Key { run: row.id(1)?, body_hash, expires_at: row.time(3)? }))
        })
        .collect()
}

/// What stood at a place, counted from 1, of what was asked for.
pub(super) fn place<T: Copy>(asked: &[T], no: i64) -> Outcome<T> {
    usize::try_from(no - 1)
        .ok()
        .and_then(|no| asked.get(no).copied())
        .ok_or_else(|| Trouble::Damaged(format!("the place {no} was answered")))
}
