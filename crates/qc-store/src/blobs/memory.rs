use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use qc_model::{BlobHash, BodyStream, RunId, Timestamp};

use super::{Blob, BlobRef, Blobs, Exists, PutError, Swept, intake::Intake};
use crate::StoreError;

/// The most bytes of all blobs together when nothing else is said: 1 GiB.
const ROOM: u64 = 1 << 30;

/// Blobs in memory, for tests, simulations and a server that keeps nothing: gone with the process.
pub struct MemoryBlobs {
    held: Mutex<BTreeMap<BlobHash, Held>>,
    room: u64,
}

#[derive(Default)]
struct Held {
    chunks: Vec<Bytes>,
    size: u64,
    runs: BTreeSet<RunId>,
}

impl Default for MemoryBlobs {
    fn default() -> Self {
        Self::with_room(ROOM)
    }
}

impl MemoryBlobs {
    /// Room for so many bytes; more is [`StoreError::Full`].
    pub fn with_room(room: u64) -> Self {
        Self { held: Mutex::default(), room }
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<BlobHash, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn left(&self) -> u64 {
        self.room.saturating_sub(self.held().values().map(|held| held.size).sum())
    }
}

#[async_trait]
impl Blobs for MemoryBlobs {
    async fn put(&self, run: RunId, mut body: BodyStream, limit: u64) -> Result<BlobRef, PutError> {
        let full = || StoreError::Full(format!("there is room for {} bytes of blobs", self.room));
        let mut intake = Intake::new(limit);
        let (mut chunks, mut size) = (Vec::new(), 0);
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(PutError::Source)?;
            intake.take(&chunk)?;
            size += chunk.len() as u64;
            if size > self.left() {
                return Err(full().into());
            }
            chunks.push(chunk);
        }
        let blob = intake.finish();
        let mut held = self.held();
        let others: u64 =
            held.iter().filter(|(hash, _)| **hash != blob.hash).map(|h| h.1.size).sum();
        if others + size > self.room {
            return Err(full().into());
        }
        let place = held.entry(blob.hash).or_default();
        (place.chunks, place.size) = (chunks, size);
        place.runs.insert(run);
        Ok(blob)
    }

    async fn get(&self, run: RunId, hash: BlobHash) -> Result<Option<Blob>, StoreError> {
        let held = self.held();
        let found = held.get(&hash).filter(|held| held.runs.contains(&run));
        Ok(found.map(|held| Blob {
            size: held.size,
            stream: Box::pin(stream::iter(held.chunks.clone().into_iter().map(Ok))),
        }))
    }

    async fn keep(&self, from: RunId, run: RunId, hash: BlobHash) -> Result<bool, StoreError> {
        let mut held = self.held();
        let Some(held) = held.get_mut(&hash).filter(|held| held.runs.contains(&from)) else {
            return Ok(false);
        };
        held.runs.insert(run);
        Ok(true)
    }

    async fn sweep(&self, older_than: Timestamp, exists: &Exists<'_>) -> Result<Swept, StoreError> {
        let asked: BTreeSet<RunId> = {
            let held = self.held();
            let runs = held.values().flat_map(|held| &held.runs).copied();
            runs.filter(|run| run.made_at() < older_than).collect()
        };
        let mut swept = Swept::default();
        for run in asked {
            if exists(run).await? {
                continue;
            }
            for held in self.held().values_mut() {
                swept.markers += usize::from(held.runs.remove(&run));
            }
        }
        self.held().retain(|_, held| {
            if held.runs.is_empty() {
                swept.blobs += 1;
                swept.bytes += held.size;
            }
            !held.runs.is_empty()
        });
        Ok(swept)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::blobs::conformance::{self, body, run};

    #[tokio::test]
    async fn passes_the_suite() {
        conformance::all(&mut || Arc::new(MemoryBlobs::default())).await;
    }

    #[tokio::test]
    async fn there_is_a_limit_to_all_of_them() {
        let blobs = MemoryBlobs::with_room(10);
        blobs.put(run(1), body([b"123456"]), 100).await.unwrap();
        let refused = blobs.put(run(1), body([b"12345"]), 100).await;
        assert!(matches!(refused, Err(PutError::Store(StoreError::Full(_)))));
        blobs.put(run(1), body([b"1234"]), 100).await.unwrap();
    }
}
