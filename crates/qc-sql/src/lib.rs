//! The stores on SQL databases: SQLite ([`sqlite::SqliteStore`]: one file, one process) and
//! PostgreSQL ([`postgres::PostgresStore`]: one database, several nodes).
//!
//! Known only to the wiring of the binary; everything else speaks to `qc_store::Store`. Backups of either are
//! archives ([`archive`]) that both take in.
//! Deliberately not here: group commit (`qc_store::Committer`, above the trait), any meaning of the
//! bodies that are stored, and a layer over both databases: each is used for what it is good at.

pub mod archive;
pub mod codes;
pub mod postgres;
pub mod sqlite;
