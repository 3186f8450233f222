//! The storage interface of QuickConnect, the in-memory model of it, and the conformance suite
//! that every backend passes. Beside it, the place for large bodies ([`blobs`]).
//!
//! Three facets live over ONE transaction: runs (with their events, journals, waits and places in
//! line, and the signals that they listen for), documents (everything that is configured) and the
//! ledger (everything that happened in the platform).
//! A [`Write`] is atomic; a batch of writes is one commit to the disk, so that many callers share
//! one fsync ([`Committer`]).
//!
//! Deliberately not here: SQL, and any meaning of what is stored. Bodies are bytes; the crates
//! that write them own their versions and upcast old ones on read.

mod accept;
pub mod blobs;
mod budget;
mod check;
mod committer;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod dead_group;
mod document;
mod erase;
mod error;
mod lease_table;
mod ledger;
mod limits;
pub mod memory;
mod node_table;
mod prune;
mod read;
mod read_back;
mod run;
mod run_key;
mod signal;
mod spill;
mod store;
mod tally;
mod turn;
mod txn;
mod wait;
mod weight;

pub use accept::{Accept, AcceptOutcome, IdempotencyKey, StoredEvent};
pub use budget::{Budget, BudgetKey, BudgetTable, DRAWS_MAX, Draw, Drawn, SLICES_MAX, check_draws};
pub use committer::{CommitLimits, Committer};
pub use dead_group::DeadGroup;
pub use document::{Document, DocumentOp, Expect, documents_under};
pub use erase::Erased;
pub use error::StoreError;
pub use lease_table::LeaseTable;
pub use ledger::{AuditMark, LedgerEntry, LedgerFilter, LedgerKind, LedgerRow};
pub use limits::{
    BUCKETS, KEY_BYTES_MAX, KEYS_MAX, PAGE_MAX, TEXT_BYTES_MAX, WRITE_BYTES_MAX, WRITE_ITEMS_MAX,
    filter_page,
};
pub use node_table::NodeTable;
pub use prune::{Pruned, Retention};
pub use read::{DeadFilter, RunFilter};
pub use read_back::{ReadBack, Resolution};
pub use run::{
    DeadLetter, DeadState, Entry, LiveCause, Priority, RunFacts, RunHead, RunState, RunStatus,
};
pub use run_key::RunKey;
pub use signal::{Signal, SignalEntry, SignalFilter};
pub use spill::{SPILL_BYTES, SpillStore};
pub use store::{Caps, Durability, Lease, LeaseSeen, Store, Write, WriteOutcome};
pub use tally::{ByEnd, Counted, Gap, Held, Tally};
pub use turn::{Turn, TurnPlace};
pub use txn::{Change, ChangeOutcome, Op, Txn, TxnOutcome};
pub use wait::{OpenWait, Wait, WaitFilter};
