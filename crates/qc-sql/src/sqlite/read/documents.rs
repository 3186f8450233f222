use qc_store::{Document, PAGE_MAX};
use rusqlite::{Connection, Row, params};

use super::runs::blob;
use crate::sqlite::{
    stored::{count_of, time_of},
    trouble::Outcome,
};

const SELECT: &str = "SELECT kind, name, revision, updated_at, body FROM document";

/// One document.
pub(in crate::sqlite) fn document(
    db: &Connection,
    kind: &str,
    name: &str,
) -> Outcome<Option<Document>> {
    let mut query = db.prepare_cached(&format!("{SELECT} WHERE kind = ?1 AND name = ?2"))?;
    let mut rows = query.query([kind, name])?;
    rows.next()?.map(decode).transpose()
}

/// A page of the documents of a kind.
pub(in crate::sqlite) fn documents(
    db: &Connection,
    kind: &str,
    after: Option<&str>,
    limit: usize,
) -> Outcome<Vec<Document>> {
    let limit = i64::try_from(limit.min(PAGE_MAX)).unwrap_or(0);
    let compare = if after.is_some() { ">" } else { ">=" };
    let mut query = db.prepare_cached(&format!(
        "{SELECT} WHERE kind = ?1 AND name {compare} ?2 ORDER BY name LIMIT ?3"
    ))?;
    let mut rows = query.query(params![kind, after.unwrap_or_default(), limit])?;
    let mut documents = Vec::new();
    while let Some(row) = rows.next()? {
        documents.push(decode(row)?);
    }
    Ok(documents)
}

fn decode(row: &Row<'_>) -> Outcome<Document> {
    Ok(Document {
        kind: row.get(0)?,
        name: row.get(1)?,
        revision: count_of(row.get(2)?)?,
        updated_at: time_of(row.get(3)?),
        body: blob(row, 4)?,
    })
}
