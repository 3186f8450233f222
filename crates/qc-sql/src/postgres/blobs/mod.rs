//! Large bodies in the database, for nodes that share it.
//!
//! A body is written as a draft, chunk by chunk in transactions of its own, so that a slow sender
//! holds neither a connection nor a transaction. The last transaction gives the draft its hash and
//! its run's marker; its commit is behind those of the chunks in the server's log, so that all of it
//! is as durable as a write of the store.

mod draft;
mod read;
mod sweep;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Buf, Bytes};
use draft::Draft;
use futures_util::StreamExt;
use qc_model::{BlobHash, BodyStream, RunId, Timestamp};
use qc_store::{
    StoreError,
    blobs::{Blob, BlobRef, Blobs, Exists, Intake, PutError, Swept},
};

use super::{TRIES_MAX, connections::Connections, stored::Uuid};

/// The bytes of a chunk; only the last one of a blob has fewer.
const CHUNK: usize = 256 << 10;
/// So many chunks are written or read in one exchange.
const CHUNKS_MAX: usize = 4;

/// Marks a blob for another run, when the first one holds it. The blob's row is held against a sweep
/// that is about to remove it.
const KEEP: &str = "WITH held AS MATERIALIZED ( \
         SELECT b.hash FROM blob b JOIN blob_marker m ON m.hash = b.hash \
         WHERE b.hash = $1 AND m.run = $2 FOR KEY SHARE OF b \
     ), marked AS ( \
         INSERT INTO blob_marker (hash, run) SELECT hash, $3 FROM held ON CONFLICT DO NOTHING \
     ) SELECT count(*) FROM held";

/// Blobs in the database of a [`PostgresStore`](super::PostgresStore), on connections of their own.
pub struct PostgresBlobs {
    connections: Arc<Connections>,
}

impl PostgresBlobs {
    pub(super) fn new(connections: Connections) -> Self {
        Self { connections: Arc::new(connections) }
    }
}

#[async_trait]
impl Blobs for PostgresBlobs {
    async fn put(&self, run: RunId, body: BodyStream, limit: u64) -> Result<BlobRef, PutError> {
        let mut draft = Draft::new(Arc::clone(&self.connections));
        let put = write(&mut draft, run, body, limit).await;
        if put.is_err() {
            draft.discard().await;
        }
        put
    }

    async fn get(&self, run: RunId, hash: BlobHash) -> Result<Option<Blob>, StoreError> {
        read::get(&self.connections, run, hash).await
    }

    async fn keep(&self, from: RunId, run: RunId, hash: BlobHash) -> Result<bool, StoreError> {
        let held: i64 = self
            .connections
            .change(TRIES_MAX, move |db| {
                Box::pin(async move {
                    let hash = hash.bytes();
                    let (from, run) = (Uuid::from(from), Uuid::from(run));
                    let rows = db.query(KEEP, &[&&hash[..], &from, &run]).await?;
                    Ok(rows.first().map_or(Ok(0), |row| row.try_get(0))?)
                })
            })
            .await?;
        Ok(held > 0)
    }

    async fn sweep(&self, older_than: Timestamp, exists: &Exists<'_>) -> Result<Swept, StoreError> {
        sweep::sweep(&self.connections, older_than, exists).await
    }
}

async fn write(
    draft: &mut Draft,
    run: RunId,
    mut body: BodyStream,
    limit: u64,
) -> Result<BlobRef, PutError> {
    let mut intake = Intake::new(limit);
    let mut pending = Pending::default();
    while let Some(part) = body.next().await {
        let mut part = part.map_err(PutError::Source)?;
        intake.take(&part)?;
        while part.has_remaining() {
            pending.fill(&mut part);
            if pending.is_full() {
                draft.append(std::mem::take(&mut pending).chunks).await?;
            }
        }
    }
    draft.append(pending.chunks).await?;
    let blob = intake.finish();
    draft.settle(run, blob).await?;
    Ok(blob)
}

/// Chunks to be written, all but the last of them whole.
#[derive(Default)]
struct Pending {
    chunks: Vec<Vec<u8>>,
}

impl Pending {
    /// Takes as much of a part as goes into one chunk.
    fn fill(&mut self, part: &mut Bytes) {
        if self.chunks.last().is_none_or(|last| last.len() == CHUNK) {
            self.chunks.push(Vec::new());
        }
        if let Some(last) = self.chunks.last_mut() {
            let some = part.split_to(part.len().min(CHUNK - last.len()));
            last.extend_from_slice(&some);
        }
    }

    fn is_full(&self) -> bool {
        self.chunks.len() == CHUNKS_MAX
            && self.chunks.last().is_some_and(|last| last.len() == CHUNK)
    }
}
