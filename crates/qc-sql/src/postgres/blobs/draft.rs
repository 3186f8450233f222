use std::sync::Arc;

use qc_model::{BlobHash, RunId};
use qc_store::{StoreError, blobs::BlobRef};

use crate::postgres::{
    TRIES_MAX,
    connection::Connection,
    connections::Connections,
    stored::{Uuid, count},
    trouble::{Outcome, Trouble},
};

const BEGIN: &str = "INSERT INTO blob DEFAULT VALUES RETURNING no";
/// What was written and not answered is written again.
const APPEND: &str = "WITH draft AS (UPDATE blob SET touched = clock_timestamp() \
         WHERE no = $1 AND hash IS NULL AND touched > '-infinity' RETURNING no) \
     INSERT INTO blob_chunk (blob, no, body) SELECT draft.no, i.no, i.body \
     FROM draft, unnest($2::integer[], $3::bytea[]) AS i (no, body) ON CONFLICT DO NOTHING";
/// The advisory locks of contents ("QCbl"): who gives a hash is alone with it.
const ALONE: &str = "SELECT pg_advisory_xact_lock(1363370604, $1::integer)";
/// Held against a sweep that is about to remove it.
const FIND: &str = "SELECT no FROM blob WHERE hash = $1 FOR KEY SHARE";
/// All of it must be there: a sweep takes drafts that were not touched for long.
const SETTLE: &str = "UPDATE blob SET hash = $2, size = $3 \
     WHERE no = $1 AND hash IS NULL AND touched > '-infinity' \
     AND (SELECT count(*) FROM blob_chunk WHERE blob = $1) = $4";
const MARK: &str = "INSERT INTO blob_marker (hash, run) VALUES ($1, $2) ON CONFLICT DO NOTHING";
/// A draft that was settled meanwhile stays.
const DISCARD: &str = "UPDATE blob SET touched = '-infinity' WHERE no = $1 AND hash IS NULL";

/// A body that is being written. Dropping it before it is settled removes it.
pub(super) struct Draft {
    connections: Arc<Connections>,
    /// None: nothing is written yet, or it is no draft any more.
    no: Option<i64>,
    chunks: i32,
}

impl Draft {
    pub(super) const fn new(connections: Arc<Connections>) -> Self {
        Self { connections, no: None, chunks: 0 }
    }

    /// Writes the next chunks.
    pub(super) async fn append(&mut self, chunks: Vec<Vec<u8>>) -> Result<(), StoreError> {
        let no = self.begin().await?;
        if chunks.is_empty() {
            return Ok(());
        }
        let numbers: Vec<i32> = (self.chunks..).take(chunks.len()).collect();
        self.chunks += i32::try_from(chunks.len()).unwrap_or(i32::MAX);
        let some = Arc::new((numbers, chunks));
        self.connections
            .change(TRIES_MAX, move |db| {
                let some = Arc::clone(&some);
                Box::pin(async move {
                    let (numbers, chunks) = &*some;
                    db.execute(APPEND, &[&no, numbers, chunks]).await
                })
            })
            .await?;
        Ok(())
    }

    async fn begin(&mut self) -> Result<i64, StoreError> {
        if let Some(no) = self.no {
            return Ok(no);
        }
        let no = self.connections.change(TRIES_MAX, |db| {
            Box::pin(async move {
                let rows = db.query(BEGIN, &[]).await?;
                let row = rows.first().ok_or_else(|| Trouble::Damaged("no draft".to_owned()))?;
                Ok(row.try_get(0)?)
            })
        });
        let no = no.await?;
        self.no = Some(no);
        Ok(no)
    }

    /// Gives the body its hash and its run a marker; where the same body is there already, that one.
    pub(super) async fn settle(&mut self, run: RunId, blob: BlobRef) -> Result<(), StoreError> {
        let (no, chunks) = (self.begin().await?, i64::from(self.chunks));
        let settled = self
            .connections
            .change(TRIES_MAX, move |db| {
                Box::pin(async move {
                    db.run("BEGIN").await?;
                    // When something fails the connection goes, and the transaction with it.
                    let settled = settle(db, no, chunks, run, blob).await?;
                    db.run("COMMIT").await?;
                    Ok(settled)
                })
            })
            .await?;
        // What was not needed is still a draft.
        if settled == Settled::New {
            self.no = None;
        } else {
            self.discard().await;
        }
        Ok(())
    }

    /// Removes what is written, or leaves it to the sweep.
    pub(super) async fn discard(&mut self) {
        if let Some(no) = self.no.take() {
            discard(&self.connections, no).await;
        }
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Its user's future was dropped half-way.
        if let Some(no) = self.no.take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let connections = Arc::clone(&self.connections);
            runtime.spawn(async move { discard(&connections, no).await });
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Settled {
    New,
    ThereAlready,
}

async fn settle(
    db: &mut Connection,
    no: i64,
    chunks: i64,
    run: RunId,
    blob: BlobRef,
) -> Outcome<Settled> {
    let hash = blob.hash.bytes();
    let hash = &hash[..];
    db.query(ALONE, &[&lock(blob.hash)]).await?;
    let there = db.query(FIND, &[&hash]).await?;
    let settled = match there.first().map(|row| row.try_get::<_, i64>(0)).transpose()? {
        // A commit whose answer was lost.
        Some(there) if there == no => Settled::New,
        Some(_) => Settled::ThereAlready,
        None => {
            let values: &super::super::connection::Values<'_> =
                &[&no, &hash, &count(blob.size), &chunks];
            if db.execute(SETTLE, values).await? == 0 {
                let why = "a body took so long that what was written of it is gone";
                return Err(StoreError::Unavailable(why.to_owned()).into());
            }
            Settled::New
        }
    };
    db.execute(MARK, &[&hash, &Uuid::from(run)]).await?;
    Ok(settled)
}

/// Any few bytes of the hash.
fn lock(hash: BlobHash) -> i32 {
    let [a, b, c, d, ..] = hash.bytes();
    i32::from_be_bytes([a, b, c, d])
}

async fn discard(connections: &Connections, no: i64) {
    let discarded = connections.change(TRIES_MAX, move |db| {
        Box::pin(async move {
            if db.execute(DISCARD, &[&no]).await? > 0 {
                super::sweep::remove(db, no).await?;
            }
            Ok(())
        })
    });
    if let Err(error) = discarded.await {
        tracing::debug!(%error, "what was written of a body stays until the next sweep");
    }
}
