use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use futures_util::stream;
use qc_model::{BlobHash, RunId};
use qc_store::{
    StoreError,
    blobs::{Blob, BlobStream, Intake},
};

use super::CHUNKS_MAX;
use crate::postgres::{
    connections::Connections,
    stored::{Fields, Uuid, number},
};

const FIND: &str = "SELECT b.no, b.size FROM blob b JOIN blob_marker m ON m.hash = b.hash \
     WHERE b.hash = $1 AND m.run = $2";
const CHUNKS: &str =
    "SELECT body FROM blob_chunk WHERE blob = $1 AND no >= $2 ORDER BY no LIMIT $3";
const IS_THERE: &str = "SELECT FROM blob WHERE no = $1 AND hash IS NOT NULL";

/// A blob that the run holds.
pub(super) async fn get(
    connections: &Arc<Connections>,
    run: RunId,
    hash: BlobHash,
) -> Result<Option<Blob>, StoreError> {
    let found = connections.ask(move |db| {
        Box::pin(async move {
            let rows = db.query(FIND, &[&&hash.bytes()[..], &Uuid::from(run)]).await?;
            rows.first().map(|row| Ok((row.try_get(0)?, Fields(row).count(1)?))).transpose()
        })
    });
    let Some((no, size)) = found.await? else { return Ok(None) };
    let reading = Reading {
        connections: Arc::clone(connections),
        no,
        hash,
        next: 0,
        fetched: VecDeque::new(),
        left: size,
        intake: Intake::new(size),
    };
    Ok(Some(Blob { size, stream: reading.stream() }))
}

/// A blob that is being read.
struct Reading {
    connections: Arc<Connections>,
    no: i64,
    hash: BlobHash,
    /// The number of the next chunk to fetch.
    next: i32,
    fetched: VecDeque<Bytes>,
    /// Bytes that were not given out yet.
    left: u64,
    intake: Intake,
}

impl Reading {
    fn stream(self) -> BlobStream {
        Box::pin(stream::try_unfold(self, |mut reading| async move {
            Ok(reading.chunk().await?.map(|chunk| (chunk, reading)))
        }))
    }

    /// The last one is given out when all of them together have the hash.
    async fn chunk(&mut self) -> Result<Option<Bytes>, StoreError> {
        if self.left == 0 {
            return Ok(None);
        }
        if self.fetched.is_empty() {
            self.fetch().await?;
        }
        let Some(chunk) = self.fetched.pop_front() else { return Err(self.lost().await?) };
        self.intake.take(&chunk).map_err(|_| self.damaged())?;
        self.left = self.left.saturating_sub(chunk.len() as u64);
        if self.left == 0 && self.intake.clone().finish().hash != self.hash {
            return Err(self.damaged());
        }
        Ok(Some(chunk))
    }

    async fn fetch(&mut self) -> Result<(), StoreError> {
        let (no, next) = (self.no, self.next);
        let some = self.connections.ask(move |db| {
            Box::pin(async move {
                let rows = db.query(CHUNKS, &[&no, &next, &number(CHUNKS_MAX)]).await?;
                rows.iter().map(|row| Fields(row).bytes(0)).collect()
            })
        });
        self.fetched = some.await?;
        self.next += i32::try_from(self.fetched.len()).unwrap_or(i32::MAX);
        Ok(())
    }

    /// A chunk is missing: its run has gone meanwhile, or it is damaged.
    async fn lost(&self) -> Result<StoreError, StoreError> {
        let no = self.no;
        let there = self
            .connections
            .ask(move |db| {
                Box::pin(async move { Ok(!db.query(IS_THERE, &[&no]).await?.is_empty()) })
            })
            .await?;
        let removed = || StoreError::Unavailable(format!("the blob {} was removed", self.hash));
        Ok(if there { self.damaged() } else { removed() })
    }

    fn damaged(&self) -> StoreError {
        StoreError::Corrupt(format!("the blob {} is not what was put", self.hash))
    }
}
