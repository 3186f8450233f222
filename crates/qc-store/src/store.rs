use std::{ops::Range, time::Duration};

use async_trait::async_trait;
use qc_model::{EnvironmentName, Name, RunId, Timestamp};

use crate::{
    Accept, AcceptOutcome, Change, ChangeOutcome, DeadFilter, DeadGroup, DeadLetter, Document,
    Draw, Drawn, Entry, Erased, LedgerEntry, LedgerFilter, OpenWait, Pruned, Retention, RunFilter,
    RunHead, RunKey, SignalEntry, SignalFilter, StoreError, StoredEvent, Tally, TurnPlace, Txn,
    TxnOutcome, Wait, WaitFilter,
};

/// The system of record. Time arrives in the arguments; only leases use the store's own clock.
///
/// No listing is longer than [`PAGE_MAX`](crate::PAGE_MAX), whatever limit it is given: a page
/// shorter than the limit is not the last one unless the limit is within that. No write is beyond
/// what [`Write::check`] takes; a batch with one that is, is refused whole.
///
/// What a write has answered is seen by every read that begins after the answer, on every node.
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

    /// Draws units from budgets that nodes share, by the store's own clock: what is given may be used for `lease` from the
    /// moment of asking on. `holder` is the process that asks. One answer for each, in the same order; at most
    /// [`DRAWS_MAX`](crate::DRAWS_MAX). An `Err`: what was given may be lost, never given twice.
    async fn draw(
        &self,
        holder: u64,
        draws: &[Draw],
        lease: Duration,
    ) -> Result<Vec<Drawn>, StoreError>;

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

    /// Groups the dead letters that pass the filter by tenant, environment and fingerprint, the
    /// group in which somebody died last first; at most the filter's limit of groups.
    async fn dead_groups(&self, filter: &DeadFilter) -> Result<Vec<DeadGroup>, StoreError>;

    /// A run's business keys, by name and value.
    async fn keys_of(&self, run: RunId) -> Result<Vec<RunKey>, StoreError>;

    /// Reads signals in the order of their places. Whoever reads on after the last place that it
    /// was given misses none; see [`SignalEntry::seq`].
    async fn signals(&self, filter: &SignalFilter) -> Result<Vec<SignalEntry>, StoreError>;

    /// One signal.
    async fn signal(&self, scope: &str, id: &str) -> Result<Option<SignalEntry>, StoreError>;

    /// Lists open waits.
    async fn waits(&self, filter: &WaitFilter) -> Result<Vec<OpenWait>, StoreError>;

    /// The sites after `after` that have an open wait which an event of this kind in this scope
    /// answers (those for any kind included), each once, in order. Costs about as much as there are
    /// sites, however many waits they have.
    async fn wait_sites(
        &self,
        scope: &str,
        kind: &str,
        after: Option<&str>,
    ) -> Result<Vec<String>, StoreError>;

    /// A run's open waits, by id.
    async fn waits_of(&self, run: RunId) -> Result<Vec<Wait>, StoreError>;

    /// The run at the head of a line, whatever it does there.
    async fn first_in_line(&self, scope: &str, key: &str) -> Result<Option<RunId>, StoreError>;

    /// A run's place in its line, while it stands in one.
    async fn turn_of(&self, run: RunId) -> Result<Option<TurnPlace>, StoreError>;

    /// Runs of the bucket range that wait for their turn (their cause is
    /// [`Turn`](crate::LiveCause::Turn)) and are at the head of their line now, in the order of
    /// their ids: what a sweep takes up.
    async fn runs_in_turn(
        &self,
        buckets: Range<u16>,
        limit: usize,
    ) -> Result<Vec<RunHead>, StoreError>;

    /// Adds up what was counted and what is there, of one moment. Looks at every run of the
    /// environment and integration: a question for a check, not for every page; a store that is
    /// too big to answer it in time says [`StoreError::Unavailable`].
    async fn tally(
        &self,
        environment: Option<&EnvironmentName>,
        integration: Option<&Name>,
    ) -> Result<Tally, StoreError>;

    /// Every environment and integration of which something was counted or is there, sorted; at most
    /// [`PAGE_MAX`](crate::PAGE_MAX) of them, those after `after`. Costs as much as [`Store::tally`].
    async fn tally_places(
        &self,
        after: Option<&(EnvironmentName, Name)>,
    ) -> Result<Vec<(EnvironmentName, Name)>, StoreError>;

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

    /// Removes what is past its time, the oldest first and at most `limit` of each kind. Never
    /// touches runs that are not at their end, nor open dead letters' runs. Not one transaction:
    /// works in steps that let commits through, so what an error leaves is a part of the work;
    /// a run goes whole, with all that belongs to it.
    async fn prune(&self, retention: &Retention, limit: usize) -> Result<Pruned, StoreError>;

    /// Removes runs that are at their end, whole and whatever their age, with the idempotency keys
    /// that stand for them, also where a dead letter is open; and signals, by their places. A run
    /// that is not at its end stays.
    async fn erase(&self, runs: &[RunId], signals: &[u64]) -> Result<Erased, StoreError>;

    /// Has nothing left of what was removed or replaced, in the files where it stood: takes about
    /// as long as copying the store, and writes wait meanwhile. What the operating system and the
    /// disk keep of files is beyond it.
    async fn scrub(&self) -> Result<(), StoreError>;
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
    /// Counts that runs are about to be taken up, before they are: a run that ends the process
    /// each time is found by its count. Every commit of a run sets it back to 0.
    Claim {
        /// The lease that covers the runs' buckets.
        lease: Lease,
        /// The runs.
        runs: Vec<RunId>,
    },
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
    /// Of a claim, for each run in order: its count with this claim; None when there is no such
    /// run or the lease does not cover it (that one was not counted, the others were).
    Claim(Vec<Option<u32>>),
}
