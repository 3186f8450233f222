use std::collections::BTreeMap;

use qc_model::Timestamp;
use tokio::join;

use super::{counted, plain};
use crate::postgres::{
    apply::{DocumentDeed, DocumentKey},
    connection::Connection,
    stored::{count, number, text},
    trouble::Outcome,
};

/// Another node that adds the same one makes this fail, and the batch is decided again.
pub(super) const ADD: &str = "INSERT INTO document (kind, name, revision, updated_at, body) \
     SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bytea[])";
/// The rows are held since they were read.
pub(super) const REPLACE: &str = "WITH replaced AS ( \
         UPDATE document d SET revision = i.revision, updated_at = i.updated_at, body = i.body \
         FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bytea[]) \
             AS i (kind, name, revision, updated_at, body) \
         WHERE d.kind = i.kind AND d.name = i.name RETURNING 1 \
     ) SELECT 1 / (count(*) = $6::bigint)::integer FROM replaced";
pub(super) const REMOVE: &str = "WITH removed AS ( \
         DELETE FROM document d USING unnest($1::text[], $2::text[]) AS i (kind, name) \
         WHERE d.kind = i.kind AND d.name = i.name RETURNING 1 \
     ) SELECT 1 / (count(*) = $3::bigint)::integer FROM removed";

type Put<'a> = (DocumentKey<'a>, u64, Timestamp, &'a [u8]);

/// Adds, replaces and removes documents.
pub(super) async fn put(
    connection: &Connection,
    documents: &BTreeMap<DocumentKey<'_>, DocumentDeed<'_>>,
) -> Outcome<()> {
    let (mut new, mut changed, mut gone) = (Vec::new(), Vec::new(), Vec::new());
    for (key, deed) in documents {
        match *deed {
            DocumentDeed::Add { revision, at, body } => new.push((*key, revision, at, body)),
            DocumentDeed::Replace { revision, at, body } => {
                changed.push((*key, revision, at, body));
            }
            DocumentDeed::Remove => gone.push(*key),
            DocumentDeed::Nothing => {}
        }
    }
    let (new, changed, gone) = join!(
            biased;
        write(connection, ADD, &new, false),
        write(connection, REPLACE, &changed, true),
        remove(connection, &gone),
    );
    new.and(changed).and(gone)
}

async fn write(
    connection: &Connection,
    statement: &str,
    documents: &[Put<'_>],
    there: bool,
) -> Outcome<()> {
    if documents.is_empty() {
        return Ok(());
    }
    let kinds: Vec<_> = documents.iter().map(|((kind, _), ..)| text(kind)).collect();
    let names: Vec<_> = documents.iter().map(|((_, name), ..)| text(name)).collect();
    let revisions: Vec<_> = documents.iter().map(|(_, revision, ..)| count(*revision)).collect();
    let times: Vec<_> = documents.iter().map(|(_, _, at, _)| at.as_millis()).collect();
    let bodies: Vec<&[u8]> = documents.iter().map(|(.., body)| *body).collect();
    if there {
        let wanted = number(documents.len());
        counted(connection, statement, &[&kinds, &names, &revisions, &times, &bodies, &wanted])
            .await
    } else {
        plain(connection, statement, &[&kinds, &names, &revisions, &times, &bodies]).await
    }
}

async fn remove(connection: &Connection, documents: &[DocumentKey<'_>]) -> Outcome<()> {
    if documents.is_empty() {
        return Ok(());
    }
    let kinds: Vec<_> = documents.iter().map(|(kind, _)| text(kind)).collect();
    let names: Vec<_> = documents.iter().map(|(_, name)| text(name)).collect();
    counted(connection, REMOVE, &[&kinds, &names, &number(documents.len())]).await
}
