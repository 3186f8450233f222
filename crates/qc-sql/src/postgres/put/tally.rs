use std::collections::BTreeMap;

use qc_store::{ByEnd, Counted};

use super::plain;
use crate::postgres::{apply::Place, connection::Connection, stored::count, trouble::Outcome};

/// Nobody else adds to the part.
pub(super) const ADD: &str = "INSERT INTO tally AS t (tenant, environment, integration, part, \
     accepted, replays, completed, faulted, cancelled, reopened_completed, reopened_faulted, \
     reopened_cancelled, dead_made, dead_settled) \
     SELECT tenant, environment, integration, $4::integer, accepted, replays, completed, faulted, \
     cancelled, reopened_completed, reopened_faulted, reopened_cancelled, dead_made, dead_settled \
     FROM unnest($1::text[], $2::text[], $3::text[], $5::bigint[], $6::bigint[], $7::bigint[], \
     $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], \
     $14::bigint[]) AS i (tenant, environment, integration, accepted, replays, completed, faulted, \
     cancelled, reopened_completed, reopened_faulted, reopened_cancelled, dead_made, dead_settled) \
     ON CONFLICT (tenant, environment, integration, part) DO UPDATE SET \
     accepted = t.accepted + excluded.accepted, replays = t.replays + excluded.replays, \
     completed = t.completed + excluded.completed, faulted = t.faulted + excluded.faulted, \
     cancelled = t.cancelled + excluded.cancelled, \
     reopened_completed = t.reopened_completed + excluded.reopened_completed, \
     reopened_faulted = t.reopened_faulted + excluded.reopened_faulted, \
     reopened_cancelled = t.reopened_cancelled + excluded.reopened_cancelled, \
     dead_made = t.dead_made + excluded.dead_made, \
     dead_settled = t.dead_settled + excluded.dead_settled";

/// Adds what a batch has counted.
pub(super) async fn add(connection: &Connection, tally: &BTreeMap<Place, Counted>) -> Outcome<()> {
    let some: Vec<(&Place, &Counted)> =
        tally.iter().filter(|(_, counted)| **counted != Counted::default()).collect();
    if some.is_empty() {
        return Ok(());
    }
    let names =
        |of: fn(&Place) -> &str| -> Vec<&str> { some.iter().map(|(place, _)| of(place)).collect() };
    let counts = |of: fn(&Counted) -> u64| -> Vec<i64> {
        some.iter().map(|(_, counted)| count(of(counted))).collect()
    };
    let by_end = |of: fn(&Counted) -> &ByEnd| -> [Vec<i64>; 3] {
        let column = |end: fn(&ByEnd) -> u64| -> Vec<i64> {
            some.iter().map(|(_, counted)| count(end(of(counted)))).collect()
        };
        [column(|by| by.completed), column(|by| by.faulted), column(|by| by.cancelled)]
    };
    let [completed, faulted, cancelled] = by_end(|counted| &counted.ended);
    let [again_completed, again_faulted, again_cancelled] = by_end(|counted| &counted.reopened);
    plain(
        connection,
        ADD,
        &[
            &names(|place| place.tenant.as_str()),
            &names(|place| place.environment.as_str()),
            &names(|place| place.integration.as_str()),
            &connection.part(),
            &counts(|counted| counted.accepted),
            &counts(|counted| counted.replays),
            &completed,
            &faulted,
            &cancelled,
            &again_completed,
            &again_faulted,
            &again_cancelled,
            &counts(|counted| counted.dead_made),
            &counts(|counted| counted.dead_settled),
        ],
    )
    .await
}
