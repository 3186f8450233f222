use std::fmt;

use aws_lc_rs::digest::{Context, SHA256};
use qc_model::Timestamp;
use serde::{Deserialize, Serialize};

/// The version of the format. A reader takes its own only.
pub(super) const FORMAT: u32 = 1;

/// What a backup is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of the format.
    pub format: u32,
    /// The version of the program that wrote it.
    pub written_by: String,
    /// The kind of database that it was taken from.
    pub store: String,
    /// When it was begun. What is written later is not in it; what was acknowledged before is.
    pub at: Timestamp,
    /// What is in it.
    pub counts: Counts,
    /// Its parts, in their order.
    pub parts: Vec<PartFacts>,
    /// The SHA-256 of the archive but for its last 32 bytes, which say it: names the backup.
    #[serde(skip)]
    pub digest: Digest,
}

/// One part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartFacts {
    /// Its name.
    pub name: String,
    /// The names of its columns.
    pub columns: Vec<String>,
    /// How many rows it has.
    pub rows: u64,
    /// How many bytes.
    pub bytes: u64,
    /// Their SHA-256, in hex.
    pub sha256: Digest,
}

/// How much is in a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Runs.
    pub runs: u64,
    /// Runs that are not at their end.
    pub open_runs: u64,
    /// Journal entries of all runs.
    pub journal_entries: u64,
    /// Dead letters.
    pub dead_letters: u64,
    /// Signals.
    pub signals: u64,
    /// Documents.
    pub documents: u64,
    /// Ledger rows.
    pub ledger_rows: u64,
    /// Large bodies.
    pub blobs: u64,
}

/// A SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Digest(pub(super) [u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let hash: qc_model::BlobHash = text.parse().map_err(serde::de::Error::custom)?;
        Ok(Self(hash.bytes()))
    }
}

/// A digest in the making.
pub(super) struct Hashing(Context);

impl Hashing {
    pub(super) fn new() -> Self {
        Self(Context::new(&SHA256))
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(super) fn finish(self) -> Digest {
        let mut digest = [0; 32];
        digest.copy_from_slice(self.0.finish().as_ref());
        Digest(digest)
    }
}
