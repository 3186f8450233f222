use std::collections::BTreeMap;

use qc_model::RunId;
use qc_store::{KEYS_MAX, RunKey};

use super::plain;
use crate::postgres::{
    connection::Connection,
    stored::{Uuid, number, text},
    trouble::Outcome,
};

/// Only whoever holds the run, or begins it, adds to its keys.
pub(super) const ADD: &str = "WITH fresh AS MATERIALIZED ( \
         SELECT i.run, i.name, i.value, \
             row_number() OVER (PARTITION BY i.run ORDER BY i.no) AS nth \
         FROM unnest($1::uuid[], $2::text[], $3::text[]) \
             WITH ORDINALITY AS i (run, name, value, no) \
         WHERE NOT EXISTS (SELECT FROM run_key k \
             WHERE k.value = i.value AND k.name = i.name AND k.run = i.run) \
     ) INSERT INTO run_key (run, name, value) SELECT f.run, f.name, f.value FROM fresh f \
     WHERE f.nth + (SELECT count(*) FROM run_key k WHERE k.run = f.run) <= $4::bigint";

/// Adds business keys, those that are there already left out, as far as there is room.
pub(super) async fn add(
    connection: &Connection,
    run_keys: &BTreeMap<RunId, Vec<&RunKey>>,
) -> Outcome<()> {
    if run_keys.is_empty() {
        return Ok(());
    }
    let all = || run_keys.iter().flat_map(|(run, keys)| keys.iter().map(move |key| (run, key)));
    let runs: Vec<_> = all().map(|(run, _)| Uuid::from(*run)).collect();
    let names: Vec<_> = all().map(|(_, key)| text(&key.name)).collect();
    let values: Vec<_> = all().map(|(_, key)| text(&key.value)).collect();
    plain(connection, ADD, &[&runs, &names, &values, &number(KEYS_MAX)]).await
}
