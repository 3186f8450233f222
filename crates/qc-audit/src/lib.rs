//! An audit that nobody can rewrite unseen.
//!
//! Here: the Merkle tree of RFC 6962 ([`Hash`], [`Frontier`], the [`proof`] module), [`Checkpoint`]s that say how large
//! a log is and what its root is, signed as C2SP's signed notes ([`SigningKey`], [`VerifyingKey`]); the form of an entry
//! ([`leaf_of`]), the [`Sealer`] that makes entries of the ledger's rows of the audit, the log as others read it
//! ([`newest`], [`entries`]), and exports with their verification ([`verify`]).
//!
//! Deliberately not here: who may do what (`qc-access`), who writes rows of the audit (whoever changes something), HTTP,
//! and where the key and exported checkpoints lie.

mod checkpoint;
mod entry;
mod export;
mod frontier;
mod hash;
mod log;
mod note;
pub mod proof;
mod sealer;

pub use checkpoint::Checkpoint;
pub use entry::leaf_of;
pub use export::{Doubt, ExportHead, Verified, hidden_line, verify};
pub use frontier::Frontier;
pub use hash::Hash;
pub use log::{Entries, LogEntry, Newest, READ_MAX, entries, hashes, newest};
pub use note::{NoteError, Seed, SigningKey, VerifyingKey, open};
pub use sealer::{Sealed, Sealer};
