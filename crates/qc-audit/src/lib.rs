//! An audit that nobody can rewrite unseen.
//!
//! Here: the Merkle tree of RFC 6962 ([`Hash`], [`Frontier`], the [`proof`] module), [`Checkpoint`]s that say how large
//! a log is and what its root is, signed as C2SP's signed notes ([`SigningKey`], [`VerifyingKey`]).
//!
//! Deliberately not here: who may do what (`qc-access`), and HTTP.

mod checkpoint;
mod frontier;
mod hash;
mod note;
pub mod proof;

pub use checkpoint::Checkpoint;
pub use frontier::Frontier;
pub use hash::Hash;
pub use note::{NoteError, SigningKey, VerifyingKey, open};
