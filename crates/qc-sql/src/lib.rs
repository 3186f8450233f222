//! The store on SQLite: one file, one process, fsynced commits ([`sqlite::SqliteStore`]).
//!
//! Known only to the wiring of the binary; everything else speaks to `qc_store::Store`. Backups are
//! of this backend alone: [`sqlite::SqliteStore::backup`], [`sqlite::restore`].
//! Deliberately not here: group commit (`qc_store::Committer`, above the trait), and any meaning
//! of the bodies that are stored.

pub mod codes;
pub mod sqlite;
