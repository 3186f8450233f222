use qc_store::{Document, PAGE_MAX};
use tokio_postgres::Row;

use crate::postgres::{
    connection::Connection,
    stored::{Fields, number, text},
    trouble::Outcome,
};

const SELECT: &str = "SELECT kind, name, revision, updated_at, body FROM document";

/// One document.
pub(in crate::postgres) async fn document(
    db: &mut Connection,
    kind: &str,
    name: &str,
) -> Outcome<Option<Document>> {
    let question = format!("{SELECT} WHERE kind = $1 AND name = $2");
    let rows = db.query(&question, &[&text(kind), &text(name)]).await?;
    rows.first().map(decode).transpose()
}

/// A page of the documents of a kind.
pub(in crate::postgres) async fn documents(
    db: &mut Connection,
    kind: &str,
    after: Option<&str>,
    limit: usize,
) -> Outcome<Vec<Document>> {
    let question = format!(
        "{SELECT} WHERE kind = $1 AND ($2::text IS NULL OR name > $2) ORDER BY name LIMIT $3"
    );
    let limit = number(limit.min(PAGE_MAX));
    let rows = db.query(&question, &[&text(kind), &after.map(text), &limit]).await?;
    rows.iter().map(decode).collect()
}

fn decode(row: &Row) -> Outcome<Document> {
    let row = Fields(row);
    Ok(Document {
        kind: row.text(0)?,
        name: row.text(1)?,
        revision: row.count(2)?,
        updated_at: row.time(3)?,
        body: row.bytes(4)?,
    })
}
