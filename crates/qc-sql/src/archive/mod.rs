//! Backups: one file that either database writes from one snapshot and either takes in, so that a backup
//! of SQLite is also the way to PostgreSQL ([ADR 18](../../../../docs/adr/0018-backups-are-archives-that-either-database-reads.md)).
//!
//! The file is a magic line and frames: parts, their rows, and at the end the manifest and the SHA-256 of all
//! before it. A file without its end is no backup. [`parts`] says what is in it; leases, nodes, settings and
//! secrets are not.

mod cell;
mod error;
mod frame;
mod manifest;
pub(crate) mod parts;
mod place;
mod reader;
mod writer;

use std::path::Path;

pub(crate) use cell::{Cell, Row};
pub use error::ArchiveError;
pub(crate) use frame::CHUNK_BYTES;
pub use manifest::{Counts, Digest, Manifest, PartFacts};
pub(crate) use place::Place;
pub(crate) use reader::{Item, Reader};
pub(crate) use writer::Writer;

/// Reads a whole archive and says what it is; an error when it is not as it was written. Changes nothing.
pub fn check(from: &Path) -> Result<Manifest, ArchiveError> {
    let mut reader = Reader::open(from)?;
    while reader.next()?.is_some() {}
    reader.manifest()
}

#[cfg(test)]
mod tests;
