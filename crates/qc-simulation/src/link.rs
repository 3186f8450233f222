//! The way from a process to the store, with everything that can go wrong on it.

use std::{
    collections::{BTreeMap, VecDeque},
    future::pending,
    ops::Range,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use qc_model::{EnvironmentName, Name, RunId, Timestamp};
use qc_store::{
    Caps, DeadFilter, DeadGroup, DeadLetter, Document, Draw, Drawn, Entry, Erased, Lease,
    LeaseSeen, LedgerEntry, LedgerFilter, OpenWait, Pruned, Retention, RunFilter, RunHead, RunKey,
    SignalEntry, SignalFilter, Store, StoreError, StoredEvent, Tally, TurnPlace, Wait, WaitFilter,
    Write, WriteOutcome, memory::MemoryStore,
};
use tokio::{
    sync::Notify,
    time::{Instant, sleep},
};

use crate::{
    Invariant,
    dice::Dice,
    record::Record,
    witness::{Ground, Witness, Writer},
    world::VirtualClock,
};

/// How a write goes wrong.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    /// There is no room.
    Full,
    /// The store cannot be reached.
    Unavailable,
    /// The answer is lost; for a while nothing can be read either.
    Lost {
        /// Whether it was written all the same.
        applied: bool,
        /// For so long.
        blind: Duration,
    },
    /// It takes so long until it is written, also when the process ends meanwhile, and so long
    /// until that is known.
    Slow {
        /// Before the effect.
        before: Duration,
        /// After it.
        after: Duration,
    },
}

/// One process's way to the store.
pub struct Link {
    witness: Arc<Witness>,
    process: u32,
    epoch: AtomicU64,
    state: Mutex<State>,
    /// The most that an operation takes, in milliseconds.
    latency: u64,
    /// Told when the process is to end because of what it has just written.
    crashes: Arc<Notify>,
}

#[derive(Default)]
struct State {
    dice: Dice,
    faults: VecDeque<Fault>,
    blind_until: Option<Instant>,
    down_until: Option<Instant>,
    /// After so many more writes the process ends.
    last_writes: Option<u32>,
}

impl Link {
    /// A link of a test of its own, whose operations take up to `latency`; its story is judged by
    /// the test alone.
    pub fn over(store: Arc<MemoryStore>, clock: Arc<VirtualClock>, latency: Duration) -> Arc<Self> {
        let ground = Ground { places: 1, latency, fenceless: false };
        let (record, programs) = (Record::new(), BTreeMap::new());
        let witness = Witness::new(store, clock, record, programs, ground);
        let millis = u64::try_from(latency.as_millis()).unwrap_or(u64::MAX);
        Self::new(witness, 0, Arc::default(), millis)
    }

    /// Whether somebody turned in circles while time stood still, and was brought to a halt.
    pub fn was_halted(&self) -> bool {
        let (_, _, broken) = self.witness.record.close();
        broken.iter().any(|one| one.invariant == Invariant::NoLivelock)
    }

    pub(crate) fn new(
        witness: Arc<Witness>,
        process: u32,
        crashes: Arc<Notify>,
        latency: u64,
    ) -> Arc<Self> {
        let dice = Dice::new(u64::from(process));
        let state = Mutex::new(State { dice, ..State::default() });
        Arc::new(Self { witness, process, epoch: AtomicU64::new(0), state, latency, crashes })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next write goes wrong in this way; several line up.
    pub fn fail_next(&self, fault: Fault) {
        self.state().faults.push_back(fault);
    }

    /// Nothing can be read for so long.
    pub fn blind_for(&self, time: Duration) {
        self.state().blind_until = Some(Instant::now() + time);
    }

    /// Nothing gets through for so long.
    pub fn down_for(&self, time: Duration) {
        self.state().down_until = Some(Instant::now() + time);
    }

    /// The process ends with the n-th write from now, before it hears of it.
    pub(crate) fn end_with_write(&self, nth: u32) {
        self.state().last_writes = Some(nth);
    }

    /// Nothing goes wrong any more.
    pub(crate) fn calm_down(&self) {
        let mut state = self.state();
        *state = State { dice: state.dice.clone(), ..State::default() };
    }

    fn up(&self) -> Result<(), StoreError> {
        let down = self.state().down_until.is_some_and(|until| Instant::now() < until);
        if down { Err(gone()) } else { Ok(()) }
    }

    /// Takes its time.
    async fn travel(&self) {
        self.witness.turn().await;
        if self.latency > 0 {
            let time = self.state().dice.below(self.latency + 1);
            sleep(Duration::from_millis(time)).await;
        }
    }

    async fn seen(&self) -> Result<&dyn Store, StoreError> {
        self.travel().await;
        self.up()?;
        let blind = self.state().blind_until.is_some_and(|until| Instant::now() < until);
        if blind { Err(gone()) } else { Ok(&*self.witness.store) }
    }

    fn writer(&self) -> Writer {
        Writer { process: self.process, epoch: self.epoch.load(Ordering::Relaxed) }
    }

    /// Writes; ends the process with this write when it is its last one.
    async fn write_through(&self, batch: Vec<Write>) -> Result<Vec<WriteOutcome>, StoreError> {
        let outcomes = self.witness.write(self.writer(), batch).await?;
        let last = {
            let left = &mut self.state().last_writes;
            *left = left.map(|left| left.saturating_sub(1));
            *left == Some(0)
        };
        if last {
            self.witness.record.tell(format_args!("process {} ends with a write", self.process));
            self.crashes.notify_one();
            return pending().await;
        }
        Ok(outcomes)
    }
}

fn gone() -> StoreError {
    StoreError::Unavailable("the store cannot be reached".to_owned())
}

#[async_trait]
impl Store for Link {
    fn caps(&self) -> Caps {
        self.witness.store.caps()
    }

    async fn lease(
        &self,
        buckets: Range<u16>,
        node: &str,
        ttl: Duration,
    ) -> Result<Option<Lease>, StoreError> {
        self.travel().await;
        self.up()?;
        let lease = self.witness.store.lease(buckets, node, ttl).await?;
        if let Some(lease) = &lease {
            self.epoch.store(lease.epoch, Ordering::Relaxed);
            self.witness.leased(lease);
        }
        Ok(lease)
    }

    async fn renew(&self, leases: &[Lease], ttl: Duration) -> Result<Vec<bool>, StoreError> {
        self.travel().await;
        self.up()?;
        self.witness.store.renew(leases, ttl).await
    }

    async fn release(&self, leases: &[Lease]) -> Result<(), StoreError> {
        self.seen().await?.release(leases).await
    }

    async fn leases(&self) -> Result<Vec<LeaseSeen>, StoreError> {
        self.seen().await?.leases().await
    }

    async fn announce(&self, node: &str, ttl: Duration) -> Result<(), StoreError> {
        self.seen().await?.announce(node, ttl).await
    }

    async fn nodes(&self) -> Result<Vec<String>, StoreError> {
        self.seen().await?.nodes().await
    }

    async fn draw(
        &self,
        holder: u64,
        draws: &[Draw],
        lease: Duration,
    ) -> Result<Vec<Drawn>, StoreError> {
        self.seen().await?.draw(holder, draws, lease).await
    }

    async fn write(&self, batch: Vec<Write>) -> Result<Vec<WriteOutcome>, StoreError> {
        self.travel().await;
        self.up()?;
        let fault = self.state().faults.pop_front();
        match fault {
            None => self.write_through(batch).await,
            Some(Fault::Full) => Err(StoreError::Full("there is no room".to_owned())),
            Some(Fault::Unavailable) => Err(gone()),
            Some(Fault::Lost { applied, blind }) => {
                if applied {
                    self.write_through(batch).await?;
                }
                self.blind_for(blind);
                Err(StoreError::Unknown("the answer was lost".to_owned()))
            }
            Some(Fault::Slow { before, after }) => {
                let (witness, writer) = (self.witness.clone(), self.writer());
                // On its way to the store it is no longer the process's.
                let under_way = tokio::spawn(async move {
                    sleep(before).await;
                    witness.write(writer, batch).await
                });
                let outcomes = under_way.await.map_err(|_| gone())?;
                sleep(after).await;
                outcomes
            }
        }
    }

    async fn open_runs(
        &self,
        buckets: Range<u16>,
        after: Option<RunId>,
        limit: usize,
    ) -> Result<Vec<RunHead>, StoreError> {
        self.seen().await?.open_runs(buckets, after, limit).await
    }

    async fn due_runs(
        &self,
        buckets: Range<u16>,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<RunHead>, StoreError> {
        self.seen().await?.due_runs(buckets, until, limit).await
    }

    async fn run(&self, id: RunId) -> Result<Option<RunHead>, StoreError> {
        self.seen().await?.run(id).await
    }

    async fn event(&self, run: RunId) -> Result<Option<StoredEvent>, StoreError> {
        self.seen().await?.event(run).await
    }

    async fn journal(&self, run: RunId) -> Result<Vec<Entry>, StoreError> {
        self.seen().await?.journal(run).await
    }

    async fn runs(&self, filter: &RunFilter) -> Result<Vec<RunHead>, StoreError> {
        self.seen().await?.runs(filter).await
    }

    async fn dead_letters(&self, filter: &DeadFilter) -> Result<Vec<DeadLetter>, StoreError> {
        self.seen().await?.dead_letters(filter).await
    }

    async fn ledger(&self, filter: &LedgerFilter) -> Result<Vec<LedgerEntry>, StoreError> {
        self.seen().await?.ledger(filter).await
    }

    async fn document(&self, kind: &str, name: &str) -> Result<Option<Document>, StoreError> {
        self.seen().await?.document(kind, name).await
    }

    async fn documents(
        &self,
        kind: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Document>, StoreError> {
        self.seen().await?.documents(kind, after, limit).await
    }

    async fn key_owner(&self, scope: &str, key: &str) -> Result<Option<RunId>, StoreError> {
        self.seen().await?.key_owner(scope, key).await
    }

    async fn erase(&self, runs: &[RunId], signals: &[u64]) -> Result<Erased, StoreError> {
        self.seen().await?.erase(runs, signals).await
    }

    async fn scrub(&self) -> Result<(), StoreError> {
        self.seen().await?.scrub().await
    }

    async fn prune(&self, retention: &Retention, limit: usize) -> Result<Pruned, StoreError> {
        self.seen().await?.prune(retention, limit).await
    }

    async fn dead_groups(&self, filter: &DeadFilter) -> Result<Vec<DeadGroup>, StoreError> {
        self.seen().await?.dead_groups(filter).await
    }

    async fn keys_of(&self, run: RunId) -> Result<Vec<RunKey>, StoreError> {
        self.seen().await?.keys_of(run).await
    }

    async fn signals(&self, filter: &SignalFilter) -> Result<Vec<SignalEntry>, StoreError> {
        self.seen().await?.signals(filter).await
    }

    async fn signal(&self, scope: &str, id: &str) -> Result<Option<SignalEntry>, StoreError> {
        self.seen().await?.signal(scope, id).await
    }

    async fn waits(&self, filter: &WaitFilter) -> Result<Vec<OpenWait>, StoreError> {
        self.seen().await?.waits(filter).await
    }

    async fn wait_sites(
        &self,
        scope: &str,
        kind: &str,
        after: Option<&str>,
    ) -> Result<Vec<String>, StoreError> {
        self.seen().await?.wait_sites(scope, kind, after).await
    }

    async fn waits_of(&self, run: RunId) -> Result<Vec<Wait>, StoreError> {
        self.seen().await?.waits_of(run).await
    }

    async fn first_in_line(&self, scope: &str, key: &str) -> Result<Option<RunId>, StoreError> {
        self.seen().await?.first_in_line(scope, key).await
    }

    async fn turn_of(&self, run: RunId) -> Result<Option<TurnPlace>, StoreError> {
        self.seen().await?.turn_of(run).await
    }

    async fn runs_in_turn(
        &self,
        buckets: Range<u16>,
        limit: usize,
    ) -> Result<Vec<RunHead>, StoreError> {
        self.seen().await?.runs_in_turn(buckets, limit).await
    }

    async fn tally(
        &self,
        environment: Option<&EnvironmentName>,
        integration: Option<&Name>,
    ) -> Result<Tally, StoreError> {
        self.seen().await?.tally(environment, integration).await
    }

    async fn tally_places(
        &self,
        after: Option<&(EnvironmentName, Name)>,
    ) -> Result<Vec<(EnvironmentName, Name)>, StoreError> {
        self.seen().await?.tally_places(after).await
    }
}
