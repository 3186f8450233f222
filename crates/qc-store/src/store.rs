use std::{ops::Range, time::Duration};

use async_trait::async_trait;
use qc_model::{RunId, Timestamp};

use crate::{
    Accept, AcceptOutcome, Change, ChangeOutcome, DeadFilter, DeadLetter, Document, Entry,
    LedgerEntry, LedgerFilter, RunFilter, RunHead, StoreError, StoredEvent, Txn, TxnOutcome,
};

/// The system of record. Time arrives in the arguments; only leases use the store's own clock.
///
/// No listing is longer than [`PAGE_MAX`](crate::PAGE_MAX), whatever limit it is given: a page
/// shorter than the limit is not the last one unless the limit is within that. No write is beyond
/// what [`Write::check`] takes; a batch with one that is, is refused whole.
#[async_trait]
pub trait Store: Send + Sync {
    /// What this backend promises.
    fn caps(&self) -> Caps;

    /// Takes the lease of a range of buckets (of 0..1024) for `node`, raising its epoch, when it
    /// is free, expired, or this node's already. `Ok(None)`: another node holds it.
    async fn lease(
        &self,
        buckets: Range<u16>,
        node: &str,
        ttl: Duration,
    ) -> Result<Option<Lease>, StoreError>;

    /// Prolongs leases, those that ran out and that nobody took included. One answer for each, in
    /// the same order: false when it is no longer held (its epoch has moved on).
    async fn renew(&self, leases: &[Lease], ttl: Duration) -> Result<Vec<bool>, StoreError>;

    /// Gives leases up: others may take their buckets at once, and a commit under them is fenced
    /// from now on. Those no longer held are left as they are.
    async fn release(&self, leases: &[Lease]) -> Result<(), StoreError>;

    /// Every lease that was taken and not released since, in the order of its buckets, those that
    /// ran out included. One lease may be told in parts.
    async fn leases(&self) -> Result<Vec<LeaseSeen>, StoreError>;

    /// Says that `node` lives, for so long from now on; for no time: that it goes. Announcements
    /// that ran out may be forgotten here.
    async fn announce(&self, node: &str, ttl: Duration) -> Result<(), StoreError>;

    /// The names of the nodes whose announcement has not run out, sorted.
    async fn nodes(&self) -> Result<Vec<String>, StoreError>;

    /// Writes a batch: each [`Write`] atomic and independent of the others' conflicts, all of
    /// them one commit, durable when this returns. Outcomes stand in the order of the batch. An
    /// `Err` is about the whole batch: nothing was written, unless it is [`StoreError::Unknown`].
    async fn write(&self, batch: Vec<Write>) -> Result<Vec<WriteOutcome>, StoreError>;

    /// Runs that are not at their end in the bucket range, in the order of their ids, after `after`.
    async fn open_runs(
        &self,
        buckets: Range<u16>,
        after: Option<RunId>,
        limit: usize,
    ) -> Result<Vec<RunHead>, StoreError>;

    /// Runs in the bucket range whose `wake_at` is at or before `until`, earliest first.
    async fn due_runs(
        &self,
        buckets: Range<u16>,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<RunHead>, StoreError>;

    /// One run.
    async fn run(&self, id: RunId) -> Result<Option<RunHead>, StoreError>;

    /// A run's event.
    async fn event(&self, run: RunId) -> Result<Option<StoredEvent>, StoreError>;

    /// A run's journal, whole and in order.
    async fn journal(&self, run: RunId) -> Result<Vec<Entry>, StoreError>;

    /// Lists runs, newest first.
    async fn runs(&self, filter: &RunFilter) -> Result<Vec<RunHead>, StoreError>;

    /// Lists dead letters, newest first.
    async fn dead_letters(&self, filter: &DeadFilter) -> Result<Vec<DeadLetter>, StoreError>;

    /// Reads the ledger, oldest first.
    async fn ledger(&self, filter: &LedgerFilter) -> Result<Vec<LedgerEntry>, StoreError>;

    /// One document.
    async fn document(&self, kind: &str, name: &str) -> Result<Option<Document>, StoreError>;

    /// The documents of a kind whose names come after `after`, in the order of their names.
    async fn documents(
        &self,
        kind: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Document>, StoreError>;

    /// The run to which a live idempotency key belongs: resolves an unknown accept.
    async fn key_owner(&self, scope: &str, key: &str) -> Result<Option<RunId>, StoreError>;

    /// Removes what is past its time: idempotency keys expired at `now`, and ended runs (with
    /// their events, journals, settled dead letters) and ledger rows older than `keep_since`. At
    /// most `limit` rows of each; returns how many went. Never touches runs that are not at
    /// their end, nor open dead letters' runs.
    async fn prune(
        &self,
        now: Timestamp,
        keep_since: Timestamp,
        limit: usize,
    ) -> Result<usize, StoreError>;
}

/// What a backend promises.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caps {
    /// Its name, for messages: `sqlite`, `memory`.
    pub backend: &'static str,
    /// What survives what.
    pub durability: Durability,
    /// The largest batch that it likes.
    pub batch_max: usize,
    /// Whether several nodes may share it.
    pub shared: bool,
}

/// What a committed write survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    /// Nothing: it is memory.
    Process,
    /// The end of the process and of the operating system (fsynced).
    Machine,
    /// The loss of a machine.
    Node,
}

/// The right to commit runs of a range of buckets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The buckets.
    pub buckets: Range<u16>,
    /// Who holds it.
    pub node: String,
    /// Rises with every change of hands; a commit under an older one is fenced.
    pub epoch: u64,
}

/// A lease as the store shows it to everybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseSeen {
    /// The lease.
    pub lease: Lease,
    /// How long it still runs, by the store's clock; zero: it ran out, and anybody may take it.
    pub left: Duration,
}

/// One atomic write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// Accepts an event.
    Accept(Box<Accept>),
    /// Takes a run a step further, under a lease.
    Commit {
        /// The lease that covers the run's bucket.
        lease: Lease,
        /// The step.
        txn: Box<Txn>,
    },
    /// Changes documents.
    Change(Box<Change>),
}

/// What became of a [`Write`], in the same order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriteOutcome {
    /// Of an accept.
    Accept(AcceptOutcome),
    /// Of a run's step.
    Commit(TxnOutcome),
    /// Of a change of documents.
    Change(ChangeOutcome),
}
