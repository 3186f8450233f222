//! Large bodies, kept beside the store under the hashes of their contents ("claim check"): runs hold references.
//!
//! A blob belongs to the runs that hold a marker of it, and to nobody else: whoever names a hash in data that came from
//! outside gets nothing. When its last run is gone from the store, the blob goes too.

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod folder;
mod intake;
mod memory;

use std::{future::Future, pin::Pin};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::Stream;
use qc_model::{BlobHash, BodyStream, CallError, RunId, Timestamp};

use crate::StoreError;

pub use folder::{FolderBlobs, FolderCopy, FolderFill};
pub use intake::Intake;
pub use memory::MemoryBlobs;

/// Keeps large bodies. Several nodes may share one: nothing here is known to a process alone, but what it is writing.
#[async_trait]
pub trait Blobs: Send + Sync {
    /// Keeps a body for a run: when this returns, the blob and the run's marker are as durable as the store. A body that
    /// ends in an error, or is larger than `limit` bytes, leaves nothing behind; nor does a future that is dropped.
    async fn put(&self, run: RunId, body: BodyStream, limit: u64) -> Result<BlobRef, PutError>;

    /// A blob that the run holds a marker of. `Ok(None)`: it does not, or there is no such blob. The chunks end in
    /// [`StoreError::Corrupt`] instead of the last one when they are not what was put.
    async fn get(&self, run: RunId, hash: BlobHash) -> Result<Option<Blob>, StoreError>;

    /// Marks a blob for `run` that `from` holds: a replay inherits an answer of an earlier run. False, and no marker, when
    /// `from` does not hold it.
    async fn keep(&self, from: RunId, run: RunId, hash: BlobHash) -> Result<bool, StoreError>;

    /// Removes the markers of runs that were made before `older_than` and do not exist (a younger run may be about to be
    /// committed), then the blobs without markers, then what writers that died have left. An error of `exists` ends it:
    /// what is not certainly unused stays.
    async fn sweep(&self, older_than: Timestamp, exists: &Exists<'_>) -> Result<Swept, StoreError>;
}

/// Asks whether a run is in the store.
pub type Exists<'a> = dyn Fn(RunId) -> Asked<'a> + Send + Sync + 'a;

/// The answer of [`Exists`], to come.
pub type Asked<'a> = Pin<Box<dyn Future<Output = Result<bool, StoreError>> + Send + 'a>>;

/// The chunks of a blob.
pub type BlobStream = Pin<Box<dyn Stream<Item = Result<Bytes, StoreError>> + Send>>;

/// A blob that was put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlobRef {
    /// The SHA-256 of its bytes.
    pub hash: BlobHash,
    /// How many they are.
    pub size: u64,
}

/// A blob to be read.
pub struct Blob {
    /// How many bytes it has.
    pub size: u64,
    /// Them.
    pub stream: BlobStream,
}

/// Why a body was not kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PutError {
    /// The body ended in an error.
    #[error("{0}")]
    Source(CallError),
    /// The body has more bytes than the limit.
    #[error("the body is larger than {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: u64,
    },
    /// The place where blobs are kept failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a sweep removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Swept {
    /// Markers of runs that are gone.
    pub markers: usize,
    /// Blobs that no run held.
    pub blobs: usize,
    /// The bytes of these.
    pub bytes: u64,
    /// Unfinished writes of processes that ended.
    pub unfinished: usize,
}
