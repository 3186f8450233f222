use qc_model::{RunId, Timestamp};
use qc_store::{
    PAGE_MAX, StoreError,
    blobs::{Exists, Swept},
};

use crate::postgres::{
    TRIES_MAX,
    connection::Connection,
    connections::Connections,
    stored::{Fields, Uuid, number},
    trouble::Outcome,
};

/// So many blobs begin their way out in one step.
const STEP: usize = 100;
/// So many chunks go in one statement.
const CHUNKS_STEP: usize = 256;

const RUNS: &str = "SELECT DISTINCT run FROM blob_marker WHERE $1::uuid IS NULL OR run > $1 \
     ORDER BY run LIMIT $2";
const UNMARK: &str = "DELETE FROM blob_marker WHERE run = $1";
const NO_MARKER: &str = "NOT EXISTS (SELECT FROM blob_marker m WHERE m.hash = b.hash)";
/// Who is about to mark one holds it: it is passed by.
const HOLD: &str = "SELECT no FROM blob WHERE no = ANY($1) FOR UPDATE SKIP LOCKED";
/// Drafts that nobody has touched for an hour are left by writers that died.
const ABANDONED: &str = "UPDATE blob SET touched = '-infinity' WHERE no IN ( \
         SELECT no FROM blob WHERE hash IS NULL AND touched > '-infinity' \
             AND touched < clock_timestamp() - interval '1 hour' \
         LIMIT $1 FOR UPDATE SKIP LOCKED)";
const ON_THEIR_WAY_OUT: &str =
    "SELECT no FROM blob WHERE hash IS NULL AND touched = '-infinity' LIMIT $1";
const REMOVE_CHUNKS: &str = "DELETE FROM blob_chunk WHERE blob = $1 AND no IN ( \
         SELECT no FROM blob_chunk WHERE blob = $1 ORDER BY no LIMIT $2)";
const REMOVE: &str = "DELETE FROM blob WHERE no = $1 AND hash IS NULL";

/// Removes the markers of runs that are gone, blobs without markers, abandoned drafts.
pub(super) async fn sweep(
    connections: &Connections,
    older_than: Timestamp,
    exists: &Exists<'_>,
) -> Result<Swept, StoreError> {
    let mut swept =
        Swept { markers: unmark(connections, older_than, exists).await?, ..Swept::default() };
    loop {
        let (blobs, bytes) = connections.change(TRIES_MAX, |db| Box::pin(bury(db))).await?;
        // Every further step takes a hash away, so the loop ends.
        if blobs == 0 {
            break;
        }
        swept.blobs += blobs;
        swept.bytes += bytes;
    }
    let abandoned = connections
        .change(TRIES_MAX, |db| {
            Box::pin(async move { db.execute(ABANDONED, &[&number(PAGE_MAX)]).await })
        })
        .await?;
    swept.unfinished = usize::try_from(abandoned).unwrap_or(usize::MAX);
    while connections.change(TRIES_MAX, |db| Box::pin(remove_some(db))).await? > 0 {}
    Ok(swept)
}

async fn unmark(
    connections: &Connections,
    older_than: Timestamp,
    exists: &Exists<'_>,
) -> Result<usize, StoreError> {
    let (mut markers, mut after) = (0, None);
    loop {
        let page = connections.ask(move |db| Box::pin(runs(db, after))).await?;
        for run in &page {
            // In the order of their making: the others are younger still.
            if run.made_at() >= older_than {
                return Ok(markers);
            }
            if exists(*run).await? {
                continue;
            }
            let run = Uuid::from(*run);
            let some = connections
                .change(TRIES_MAX, move |db| {
                    Box::pin(async move { db.execute(UNMARK, &[&run]).await })
                })
                .await?;
            markers += usize::try_from(some).unwrap_or(usize::MAX);
        }
        let Some(last) = page.last() else { return Ok(markers) };
        after = Some(*last);
    }
}

async fn runs(db: &mut Connection, after: Option<RunId>) -> Outcome<Vec<RunId>> {
    let rows = db.query(RUNS, &[&after.map(Uuid::from), &number(PAGE_MAX)]).await?;
    rows.iter().map(|row| Fields(row).id(0)).collect()
}

/// Takes the hashes of some blobs without markers; how many, and their bytes. A second statement
/// looks once more, when they are held: whoever marks one holds it to its commit.
async fn bury(db: &mut Connection) -> Outcome<(usize, u64)> {
    let find = format!("SELECT no FROM blob b WHERE hash IS NOT NULL AND {NO_MARKER} LIMIT $1");
    let bury = format!(
        "WITH gone AS (UPDATE blob b SET hash = NULL, touched = '-infinity' \
         WHERE no = ANY($1) AND hash IS NOT NULL AND {NO_MARKER} RETURNING size) \
         SELECT count(*), coalesce(sum(size), 0)::bigint FROM gone"
    );
    let numbers = |rows: Vec<tokio_postgres::Row>| -> Outcome<Vec<i64>> {
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    };
    let found = numbers(db.query(&find, &[&number(STEP)]).await?)?;
    if found.is_empty() {
        return Ok((0, 0));
    }
    db.run("BEGIN").await?;
    let held = numbers(db.query(HOLD, &[&found]).await?)?;
    let rows = db.query(&bury, &[&held]).await?;
    db.run("COMMIT").await?;
    let Some(row) = rows.first().map(Fields) else { return Ok((0, 0)) };
    Ok((usize::try_from(row.count(0)?).unwrap_or(usize::MAX), row.count(1)?))
}

/// Removes some of what is on its way out; how many.
async fn remove_some(db: &mut Connection) -> Outcome<usize> {
    let rows = db.query(ON_THEIR_WAY_OUT, &[&number(STEP)]).await?;
    let mut removed = 0;
    for row in &rows {
        removed += remove(db, row.try_get(0)?).await?;
    }
    Ok(removed)
}

/// Removes what is on its way out, in pieces; how many of it there were.
pub(super) async fn remove(db: &mut Connection, no: i64) -> Outcome<usize> {
    let whole = u64::try_from(CHUNKS_STEP).unwrap_or(u64::MAX);
    while db.execute(REMOVE_CHUNKS, &[&no, &number(CHUNKS_STEP)]).await? == whole {}
    let removed = db.execute(REMOVE, &[&no]).await?;
    Ok(usize::try_from(removed).unwrap_or(usize::MAX))
}
