//! The executable model of a store: plain maps, one lock, and faults on demand. Simulations run
//! on it, and the conformance suite compares every other backend with it.

mod apply;
mod dead;
mod documents;
mod faults;
mod prune;
mod reads;
mod signals;
mod state;
mod tally;
mod turns;
mod waits;

use std::{
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use faults::Faults;
pub use faults::{Fault, Hold};
use qc_model::{Clock, EnvironmentName, Name, RunId, Timestamp};
use state::State;
use tokio::sync::Semaphore;

use crate::{
    Caps, DeadFilter, DeadGroup, DeadLetter, Document, Draw, Drawn, Durability, Entry, Erased,
    Lease, LeaseSeen, LedgerEntry, LedgerFilter, OpenWait, PAGE_MAX, Pruned, Retention, RunFilter,
    RunHead, RunKey, SignalEntry, SignalFilter, Store, StoreError, StoredEvent, Tally, Turn,
    TurnPlace, Wait, WaitFilter, Write, WriteOutcome,
};

/// A store in memory: everything it accepts is gone with the process.
pub struct MemoryStore {
    state: Mutex<State>,
    faults: Mutex<Faults>,
    /// One batch at a time, as a disk would; also the gate that tests hold.
    gate: Arc<Semaphore>,
    clock: LeaseClock,
    shared: bool,
}

/// Where leases take their time from.
enum LeaseClock {
    Monotonic(Instant),
    Given(Arc<dyn Clock>),
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryStore {
    /// An empty store whose leases follow the machine's monotonic clock.
    pub fn new() -> Self {
        Self::with_lease_clock(LeaseClock::Monotonic(Instant::now()))
    }

    /// An empty store whose leases follow `clock`: for simulations.
    pub fn with_clock(clock: Arc<dyn Clock>) -> Self {
        Self::with_lease_clock(LeaseClock::Given(clock))
    }

    /// The same as a store that several nodes share: for simulations of them in one process.
    pub fn shared_with_clock(clock: Arc<dyn Clock>) -> Self {
        Self { shared: true, ..Self::with_clock(clock) }
    }

    fn with_lease_clock(clock: LeaseClock) -> Self {
        Self {
            state: Mutex::new(State::default()),
            faults: Mutex::new(Faults::default()),
            gate: Arc::new(Semaphore::new(1)),
            clock,
            shared: false,
        }
    }

    /// Makes the next batch fail in this way; several calls line up, one batch each.
    pub fn fail_next(&self, fault: Fault) {
        self.faults().line_up(fault);
    }

    /// After `batches` more batches every write answers `Unavailable`, until
    /// [`MemoryStore::go_on`]: the process that "died" here writes nothing more.
    pub fn stop_after(&self, batches: usize) {
        self.faults().stop_after(batches);
    }

    /// Ends [`MemoryStore::stop_after`].
    pub fn go_on(&self) {
        self.faults().go_on();
    }

    /// Keeps every batch that arrives in flight until the hold is dropped. Waits for the batch
    /// that is in flight now.
    pub async fn hold(&self) -> Hold {
        Hold::new(Arc::clone(&self.gate).acquire_owned().await.ok())
    }

    /// The sizes of the batches written so far, the newest last (the last 1,000).
    pub fn batch_sizes(&self) -> Vec<usize> {
        self.faults().batch_sizes()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock between two halves of a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lease_now(&self) -> Duration {
        match &self.clock {
            LeaseClock::Monotonic(start) => start.elapsed(),
            LeaseClock::Given(clock) => clock.now().since(Timestamp::from_millis(0)),
        }
    }
}

#[async_trait]
impl Store for MemoryStore {
    fn caps(&self) -> Caps {
        Caps {
            backend: "memory",
            durability: Durability::Process,
            batch_max: 512,
            shared: self.shared,
        }
    }

    async fn lease(
        &self,
        buckets: Range<u16>,
        node: &str,
        ttl: Duration,
    ) -> Result<Option<Lease>, StoreError> {
        let now = self.lease_now();
        let mut state = self.state();
        if !state.leases.free_for(&buckets, node, now)? {
            return Ok(None);
        }
        state.epoch += 1;
        let epoch = state.epoch;
        state.leases.take(buckets, node, epoch, now + ttl).map(Some)
    }

    async fn renew(&self, leases: &[Lease], ttl: Duration) -> Result<Vec<bool>, StoreError> {
        let until = self.lease_now() + ttl;
        let mut state = self.state();
        Ok(leases.iter().map(|lease| state.leases.renew(lease, until)).collect())
    }

    async fn release(&self, leases: &[Lease]) -> Result<(), StoreError> {
        let mut state = self.state();
        for lease in leases {
            state.leases.release(lease);
        }
        Ok(())
    }

    async fn leases(&self) -> Result<Vec<LeaseSeen>, StoreError> {
        let now = self.lease_now();
        Ok(self.state().leases.seen(now))
    }

    async fn announce(&self, node: &str, ttl: Duration) -> Result<(), StoreError> {
        let now = self.lease_now();
        self.state().nodes.announce(node, now, now + ttl);
        Ok(())
    }

    async fn nodes(&self) -> Result<Vec<String>, StoreError> {
        let now = self.lease_now();
        Ok(self.state().nodes.live(now))
    }

    async fn draw(
        &self,
        holder: u64,
        draws: &[Draw],
        lease: Duration,
    ) -> Result<Vec<Drawn>, StoreError> {
        let now = self.lease_now();
        self.state().budgets.draw(holder, draws, lease, now)
    }

    async fn write(&self, batch: Vec<Write>) -> Result<Vec<WriteOutcome>, StoreError> {
        for write in &batch {
            write.check()?;
        }
        let _turn = self
            .gate
            .acquire()
            .await
            .map_err(|_| StoreError::Unavailable("the store is closed".to_owned()))?;
        match self.faults().next(batch.len())? {
            None => Ok(self.state().apply_all(batch)),
            Some(Fault::Full) => Err(StoreError::Full("a fault was asked for".to_owned())),
            Some(Fault::Unavailable) => {
                Err(StoreError::Unavailable("a fault was asked for".to_owned()))
            }
            Some(Fault::Unknown { applied }) => {
                if applied {
                    self.state().apply_all(batch);
                }
                Err(StoreError::Unknown("a fault was asked for".to_owned()))
            }
        }
    }

    async fn open_runs(
        &self,
        buckets: Range<u16>,
        after: Option<RunId>,
        limit: usize,
    ) -> Result<Vec<RunHead>, StoreError> {
        Ok(self.state().open_runs(&buckets, after, limit.min(PAGE_MAX)))
    }

    async fn due_runs(
        &self,
        buckets: Range<u16>,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<RunHead>, StoreError> {
        Ok(self.state().due_runs(&buckets, until, limit.min(PAGE_MAX)))
    }

    async fn run(&self, id: RunId) -> Result<Option<RunHead>, StoreError> {
        Ok(self.state().runs.get(&id).map(|run| run.head.clone()))
    }

    async fn event(&self, run: RunId) -> Result<Option<StoredEvent>, StoreError> {
        Ok(self.state().runs.get(&run).map(|run| run.event.clone()))
    }

    async fn journal(&self, run: RunId) -> Result<Vec<Entry>, StoreError> {
        Ok(self.state().runs.get(&run).map(|run| run.journal.clone()).unwrap_or_default())
    }

    async fn runs(&self, filter: &RunFilter) -> Result<Vec<RunHead>, StoreError> {
        Ok(self.state().list_runs(filter))
    }

    async fn dead_letters(&self, filter: &DeadFilter) -> Result<Vec<DeadLetter>, StoreError> {
        Ok(self.state().list_dead(filter))
    }

    async fn dead_groups(&self, filter: &DeadFilter) -> Result<Vec<DeadGroup>, StoreError> {
        Ok(self.state().dead_groups(filter))
    }

    async fn keys_of(&self, run: RunId) -> Result<Vec<RunKey>, StoreError> {
        let state = self.state();
        Ok(state.runs.get(&run).map(|run| run.keys.iter().cloned().collect()).unwrap_or_default())
    }

    async fn signals(&self, filter: &SignalFilter) -> Result<Vec<SignalEntry>, StoreError> {
        Ok(self.state().list_signals(filter))
    }

    async fn signal(&self, scope: &str, id: &str) -> Result<Option<SignalEntry>, StoreError> {
        Ok(self.state().one_signal(scope, id))
    }

    async fn waits(&self, filter: &WaitFilter) -> Result<Vec<OpenWait>, StoreError> {
        Ok(self.state().list_waits(filter))
    }

    async fn wait_sites(
        &self,
        scope: &str,
        kind: &str,
        after: Option<&str>,
    ) -> Result<Vec<String>, StoreError> {
        Ok(self.state().wait_sites(scope, kind, after))
    }

    async fn waits_of(&self, run: RunId) -> Result<Vec<Wait>, StoreError> {
        Ok(self.state().waits_of(run))
    }

    async fn first_in_line(&self, scope: &str, key: &str) -> Result<Option<RunId>, StoreError> {
        let turn = Turn { scope: scope.to_owned(), key: key.to_owned() };
        Ok(self.state().lines.get(&turn).and_then(|line| line.first().copied()))
    }

    async fn turn_of(&self, run: RunId) -> Result<Option<TurnPlace>, StoreError> {
        Ok(self.state().turn_of(run))
    }

    async fn runs_in_turn(
        &self,
        buckets: Range<u16>,
        limit: usize,
    ) -> Result<Vec<RunHead>, StoreError> {
        Ok(self.state().runs_in_turn(&buckets, limit.min(PAGE_MAX)))
    }

    async fn tally(
        &self,
        environment: Option<&EnvironmentName>,
        integration: Option<&Name>,
    ) -> Result<Tally, StoreError> {
        Ok(self.state().tally(environment, integration))
    }

    async fn tally_places(
        &self,
        after: Option<&(EnvironmentName, Name)>,
    ) -> Result<Vec<(EnvironmentName, Name)>, StoreError> {
        Ok(self.state().tally_places(after))
    }

    async fn ledger(&self, filter: &LedgerFilter) -> Result<Vec<LedgerEntry>, StoreError> {
        Ok(self.state().list_ledger(filter))
    }

    async fn document(&self, kind: &str, name: &str) -> Result<Option<Document>, StoreError> {
        Ok(self.state().documents.get(&(kind.to_owned(), name.to_owned())).cloned())
    }

    async fn documents(
        &self,
        kind: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Document>, StoreError> {
        Ok(self.state().list_documents(kind, after, limit.min(PAGE_MAX)))
    }

    async fn key_owner(&self, scope: &str, key: &str) -> Result<Option<RunId>, StoreError> {
        let state = self.state();
        Ok(state.keys.get(&(scope.to_owned(), key.to_owned())).map(|known| known.run))
    }

    async fn prune(&self, retention: &Retention, limit: usize) -> Result<Pruned, StoreError> {
        Ok(self.state().prune(retention, limit))
    }

    async fn erase(&self, runs: &[RunId], signals: &[u64]) -> Result<Erased, StoreError> {
        Ok(self.state().erase(runs, signals))
    }

    async fn scrub(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
