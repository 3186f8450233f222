use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
};

use qc_store::{DocumentOp, Expect, Op, Write};

use super::keys::place;
use crate::postgres::{
    apply::{Document, DocumentKey},
    connection::Connection,
    stored::{Fields, text},
    trouble::Outcome,
};

/// A body only where it is compared: releases are large.
pub(super) const HOLD: &str = "SELECT i.no, d.revision, CASE WHEN i.compared THEN d.body END \
     FROM unnest($1::text[], $2::text[], $3::boolean[]) \
     WITH ORDINALITY AS i (kind, name, compared, no) \
     JOIN document d ON d.kind = i.kind AND d.name = i.name ORDER BY i.no FOR UPDATE OF d";

/// Holds the documents that the batch changes.
pub(super) async fn hold<'a>(
    connection: &Connection,
    batch: &'a [Write],
) -> Outcome<HashMap<DocumentKey<'a>, Document<'a>>> {
    let mut wanted: BTreeMap<DocumentKey<'a>, bool> = BTreeMap::new();
    for op in batch.iter().flat_map(changes) {
        let (DocumentOp::Put { kind, name, expect, .. }
        | DocumentOp::Delete { kind, name, expect }) = op;
        *wanted.entry((kind.as_str(), name.as_str())).or_default() |=
            *expect == Expect::AbsentOrSame;
    }
    if wanted.is_empty() {
        return Ok(HashMap::new());
    }
    let keys: Vec<DocumentKey<'a>> = wanted.keys().copied().collect();
    let kinds: Vec<_> = keys.iter().map(|(kind, _)| text(kind)).collect();
    let names: Vec<_> = keys.iter().map(|(_, name)| text(name)).collect();
    let compared: Vec<bool> = wanted.into_values().collect();
    let statement = connection.statement(HOLD)?;
    let rows = connection.client().query(statement, &[&kinds, &names, &compared]).await?;
    rows.iter()
        .map(|row| {
            let row = Fields(row);
            let body: Option<Vec<u8>> = row.get(2)?;
            let body = Cow::Owned(body.unwrap_or_default());
            Ok((place(&keys, row.get(0)?)?, Document { revision: row.count(1)?, body }))
        })
        .collect()
}

/// What a write does to documents.
fn changes(write: &Write) -> Vec<&DocumentOp> {
    match write {
        Write::Change(change) => change.documents.iter().collect(),
        Write::Accept(accept) => accept.documents.iter().collect(),
        Write::Commit { txn, .. } => {
            let documents = txn.ops.iter().filter_map(|op| match op {
                Op::Document(document) => Some(document),
                _ => None,
            });
            documents.collect()
        }
        Write::Claim { .. } => Vec::new(),
    }
}
