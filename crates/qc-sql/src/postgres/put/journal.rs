use super::plain;
use crate::postgres::{
    apply::EntryDeed,
    connection::Connection,
    stored::{Uuid, count},
    trouble::Outcome,
};

pub(super) const APPEND: &str = "INSERT INTO journal (run, version, no, at, body) \
     SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::integer[], $4::bigint[], $5::bytea[])";

/// Appends to journals.
pub(super) async fn append(connection: &Connection, entries: &[EntryDeed<'_>]) -> Outcome<()> {
    if entries.is_empty() {
        return Ok(());
    }
    let runs: Vec<_> = entries.iter().map(|deed| Uuid::from(deed.run)).collect();
    let versions: Vec<_> = entries.iter().map(|deed| count(deed.version)).collect();
    let numbers: Vec<_> = entries.iter().map(|deed| deed.no).collect();
    let times: Vec<_> = entries.iter().map(|deed| deed.entry.at.as_millis()).collect();
    let bodies: Vec<&[u8]> = entries.iter().map(|deed| &deed.entry.body[..]).collect();
    plain(connection, APPEND, &[&runs, &versions, &numbers, &times, &bodies]).await
}
