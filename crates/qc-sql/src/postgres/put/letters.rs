use std::collections::BTreeMap;

use qc_model::RunId;
use qc_store::{DeadLetter, DeadState};
use tokio::join;

use super::plain;
use crate::postgres::{
    apply::Letter,
    connection::Connection,
    stored::{Uuid, text},
    trouble::Outcome,
};

pub(super) const PUT: &str = "INSERT INTO dead (run, tenant, environment, integration, at, state, \
     fingerprint, code, summary) \
     SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bigint[], \
     $6::text[], $7::text[], $8::text[], $9::text[]) \
     ON CONFLICT (run) DO UPDATE SET tenant = excluded.tenant, \
     environment = excluded.environment, integration = excluded.integration, at = excluded.at, \
     state = excluded.state, fingerprint = excluded.fingerprint, code = excluded.code, \
     summary = excluded.summary";
pub(super) const SETTLE: &str = "UPDATE dead d SET state = i.state \
     FROM unnest($1::uuid[], $2::text[]) AS i (run, state) WHERE d.run = i.run";

/// Puts dead letters, and settles those that are there.
pub(super) async fn put(
    connection: &Connection,
    letters: &BTreeMap<RunId, Letter<'_>>,
) -> Outcome<()> {
    let mut new = Vec::new();
    let (mut settled, mut states) = (Vec::new(), Vec::new());
    for (run, letter) in letters {
        match letter {
            Letter::Put(letter, state) => new.push((*letter, *state)),
            Letter::Settle(state) => {
                settled.push(Uuid::from(*run));
                states.push(state.as_str());
            }
        }
    }
    let settle = async {
        if settled.is_empty() {
            return Ok(());
        }
        plain(connection, SETTLE, &[&settled, &states]).await
    };
    let (new, settled) = join!(biased; put_new(connection, &new), settle);
    new.and(settled)
}

async fn put_new(connection: &Connection, new: &[(&DeadLetter, DeadState)]) -> Outcome<()> {
    if new.is_empty() {
        return Ok(());
    }
    let runs: Vec<_> = new.iter().map(|(letter, _)| Uuid::from(letter.run)).collect();
    let tenants: Vec<_> = new.iter().map(|(letter, _)| letter.tenant.as_str()).collect();
    let environments: Vec<_> = new.iter().map(|(letter, _)| letter.environment.as_str()).collect();
    let integrations: Vec<_> = new.iter().map(|(letter, _)| letter.integration.as_str()).collect();
    let times: Vec<_> = new.iter().map(|(letter, _)| letter.at.as_millis()).collect();
    let states: Vec<_> = new.iter().map(|(_, state)| state.as_str()).collect();
    let fingerprints: Vec<_> = new.iter().map(|(letter, _)| text(&letter.fingerprint)).collect();
    let codes: Vec<_> = new.iter().map(|(letter, _)| text(&letter.code)).collect();
    let summaries: Vec<_> = new.iter().map(|(letter, _)| text(&letter.summary)).collect();
    plain(
        connection,
        PUT,
        &[
            &runs,
            &tenants,
            &environments,
            &integrations,
            &times,
            &states,
            &fingerprints,
            &codes,
            &summaries,
        ],
    )
    .await
}
