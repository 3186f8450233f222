use std::collections::BTreeMap;

use qc_model::RunId;
use qc_store::Wait;
use tokio::join;

use super::plain;
use crate::postgres::{
    apply::WaitDeed,
    connection::Connection,
    stored::{Uuid, mark, text},
    trouble::Outcome,
};

pub(super) const END_ALL: &str = "DELETE FROM wait WHERE run = ANY($1::uuid[])";
pub(super) const END: &str = "DELETE FROM wait w USING unnest($1::uuid[], $2::text[]) AS i (run, id) \
     WHERE w.run = i.run AND w.id = i.id";
/// The bucket is the run's; only whoever holds the run puts its waits.
pub(super) const PUT: &str = "INSERT INTO wait (run, id, bucket, mark, place, scope, kind, site, key) \
     SELECT i.run, i.id, r.bucket, i.mark, i.place, i.scope, i.kind, i.site, i.key \
     FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], \
     $7::text[], $8::text[]) AS i (run, id, mark, place, scope, kind, site, key) \
     JOIN run r ON r.id = i.run \
     ON CONFLICT (run, id) DO UPDATE SET mark = excluded.mark, place = excluded.place, \
     scope = excluded.scope, kind = excluded.kind, site = excluded.site, key = excluded.key";

/// Ends waits and puts new ones.
pub(super) async fn put(
    connection: &Connection,
    waits: &BTreeMap<RunId, WaitDeed<'_>>,
) -> Outcome<()> {
    let (mut all, mut some, mut new) = (Vec::new(), Vec::new(), Vec::new());
    for (run, deed) in waits {
        if deed.all_end {
            all.push(Uuid::from(*run));
        }
        for (id, wait) in &deed.waits {
            match wait {
                Some(wait) => new.push((*run, *wait)),
                None if deed.all_end => {}
                None => some.push((*run, *id)),
            }
        }
    }
    let end_all = async {
        if all.is_empty() {
            return Ok(());
        }
        plain(connection, END_ALL, &[&all]).await
    };
    let (all, some, new) =
        join!(biased; end_all, end(connection, &some), put_new(connection, &new));
    all.and(some).and(new)
}

async fn end(connection: &Connection, some: &[(RunId, &str)]) -> Outcome<()> {
    if some.is_empty() {
        return Ok(());
    }
    let runs: Vec<_> = some.iter().map(|(run, _)| Uuid::from(*run)).collect();
    let ids: Vec<_> = some.iter().map(|(_, id)| text(id)).collect();
    plain(connection, END, &[&runs, &ids]).await
}

async fn put_new(connection: &Connection, new: &[(RunId, &Wait)]) -> Outcome<()> {
    if new.is_empty() {
        return Ok(());
    }
    let runs: Vec<_> = new.iter().map(|(run, _)| Uuid::from(*run)).collect();
    let ids: Vec<_> = new.iter().map(|(_, w)| text(&w.id)).collect();
    let marks: Vec<_> =
        new.iter().map(|(_, w)| mark(&[&w.scope, &w.kind, &w.site, &w.key])).collect();
    let places: Vec<_> = new.iter().map(|(_, w)| mark(&[&w.scope, &w.kind])).collect();
    let scopes: Vec<_> = new.iter().map(|(_, w)| text(&w.scope)).collect();
    let kinds: Vec<_> = new.iter().map(|(_, w)| text(&w.kind)).collect();
    let sites: Vec<_> = new.iter().map(|(_, w)| text(&w.site)).collect();
    let keys: Vec<_> = new.iter().map(|(_, w)| text(&w.key)).collect();
    plain(connection, PUT, &[&runs, &ids, &marks, &places, &scopes, &kinds, &sites, &keys]).await
}
