//! The storage interface of QuickConnect, the in-memory model of it, and the conformance suite
//! that every backend passes.
//!
//! Three facets live over ONE transaction: runs (with their events and journals), documents
//! (everything that is configured) and the ledger (everything that happened in the platform).
//! A [`Write`] is atomic; a batch of writes is one commit to the disk, so that many callers share
//! one fsync ([`Committer`]).
//!
//! Deliberately not here: SQL, and any meaning of what is stored. Bodies are bytes; the crates
//! that write them own their versions and upcast old ones on read.

mod accept;
mod document;
mod error;
mod ledger;
mod read;
mod run;
mod store;
mod txn;

pub use accept::{Accept, AcceptOutcome, IdempotencyKey, StoredEvent};
pub use document::{Document, DocumentOp, Expect};
pub use error::StoreError;
pub use ledger::{LedgerEntry, LedgerFilter, LedgerKind, LedgerRow};
pub use read::{DeadFilter, RunFilter};
pub use run::{DeadLetter, DeadState, Entry, LiveCause, RunFacts, RunHead, RunState, RunStatus};
pub use store::{Caps, Durability, Lease, Store, Write, WriteOutcome};
pub use txn::{Change, ChangeOutcome, Op, Txn, TxnOutcome};
