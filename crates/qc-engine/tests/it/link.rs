//! What lies between one node and the rest of the world: its way to the store that all share, and
//! to the outside. It can be slow, cut, or stand still with its node.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use qc_model::{EnvironmentName, Name, RunId, Timestamp};
use qc_store::{
    Caps, DeadFilter, DeadGroup, DeadLetter, Document, Draw, Drawn, Entry, Erased, Lease,
    LeaseSeen, LedgerEntry, LedgerFilter, OpenWait, Pruned, Retention, RunFilter, RunHead, RunKey,
    SignalEntry, SignalFilter, Store, StoreError, StoredEvent, Tally, TurnPlace, TxnOutcome, Wait,
    WaitFilter, Write, WriteOutcome, memory::MemoryStore,
};
use tokio::sync::watch;

/// How a node's links are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Everything passes.
    Open,
    /// The node stands still: nothing that it asks for, and no answer, passes until it goes on.
    Frozen,
    /// It cannot reach the store, and learns that soon.
    Cut,
    /// It cannot reach the store, and hears nothing.
    Hole,
}

/// A request in a hole is given up after so long.
const HOLE: Duration = Duration::from_secs(20);
/// A cut is noticed after so long.
const CUT: Duration = Duration::from_millis(30);

/// One node's links.
pub(crate) struct Link {
    mode: watch::Sender<Mode>,
    /// The longest time that anything is under way to the store, in microseconds.
    slowest: u64,
    chance: AtomicU64,
    /// Batches that have left the node and not come to the store.
    on_the_way: AtomicUsize,
}

impl Link {
    pub(crate) fn new(slowest: Duration, seed: u64) -> Arc<Self> {
        let slowest = u64::try_from(slowest.as_micros()).unwrap();
        Arc::new(Self {
            mode: watch::Sender::new(Mode::Open),
            slowest,
            chance: AtomicU64::new(seed),
            on_the_way: AtomicUsize::new(0),
        })
    }

    pub(crate) fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    pub(crate) fn mode(&self) -> Mode {
        *self.mode.borrow()
    }

    /// Whether a batch has left the node and not come to the store.
    pub(crate) fn is_writing(&self) -> bool {
        self.on_the_way.load(Ordering::Relaxed) > 0
    }

    /// Waits while the node stands still.
    pub(crate) async fn awake(&self) {
        drop(self.mode.subscribe().wait_for(|mode| *mode != Mode::Frozen).await);
    }

    async fn latency(&self) {
        if self.slowest > 0 {
            let step = self.chance.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
            let micros = (step ^ (step >> 31)).wrapping_mul(0x94d0_49bb_1331_11eb) >> 20;
            tokio::time::sleep(Duration::from_micros(micros % self.slowest)).await;
        }
    }

    /// One way to the store or back. False: it did not get through.
    async fn pass(&self) -> bool {
        self.latency().await;
        self.awake().await;
        match self.mode() {
            Mode::Open => true,
            Mode::Frozen | Mode::Cut => {
                tokio::time::sleep(CUT).await;
                self.awake().await;
                false
            }
            Mode::Hole => {
                let mut mode = self.mode.subscribe();
                let open = mode.wait_for(|mode| *mode == Mode::Open);
                let through = tokio::time::timeout(HOLE, open).await.is_ok();
                self.awake().await;
                through
            }
        }
    }
}

/// Under which epoch and by whom each version of a run was written.
type Versions = BTreeMap<u64, (u64, String)>;

/// Every commit that the store took, by run: version and epoch. And whether it takes those of
/// former owners, too; which it then counts.
#[derive(Default)]
pub(crate) struct Book {
    commits: Mutex<BTreeMap<RunId, Versions>>,
    pub(crate) unfenced: AtomicBool,
    /// Runs whose journal is the last thing that a process reads: it is as good as dead from then on.
    pub(crate) deadly: Mutex<BTreeSet<RunId>>,
    /// How often somebody began to read such a journal.
    pub(crate) deaths: AtomicUsize,
    /// How many writes claimed runs.
    pub(crate) claims: AtomicUsize,
    stale: AtomicU64,
    fenced: AtomicU64,
}

impl Book {
    fn note(&self, lease: &Lease, run: RunId, version: u64) {
        let mut commits = self.commits.lock().unwrap();
        commits.entry(run).or_default().insert(version, (lease.epoch, lease.node.clone()));
    }

    /// How many commits of former owners were turned away.
    pub(crate) fn fenced(&self) -> u64 {
        self.fenced.load(Ordering::Relaxed)
    }

    /// How many commits of former owners were taken.
    pub(crate) fn stale(&self) -> u64 {
        self.stale.load(Ordering::Relaxed)
    }

    /// Runs that an owner went on with after the next one had begun.
    pub(crate) fn problems(&self) -> Vec<String> {
        let commits = self.commits.lock().unwrap();
        let mut problems = Vec::new();
        for (run, versions) in &*commits {
            let epochs: Vec<u64> = versions.values().map(|(epoch, _)| *epoch).collect();
            if epochs.windows(2).any(|pair| pair[1] < pair[0]) {
                problems.push(format!("{run} was gone on with by a former owner: {versions:?}"));
            }
        }
        problems
    }
}

/// The shared store, as one node reaches it.
pub(crate) struct Reached {
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) link: Arc<Link>,
    pub(crate) book: Arc<Book>,
}

impl Reached {
    async fn through<T>(
        &self,
        asking: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let cut = || StoreError::Unavailable("the way to the store is cut".to_owned());
        if !self.link.pass().await {
            return Err(cut());
        }
        let answer = asking.await;
        if self.link.pass().await { answer } else { Err(cut()) }
    }

    /// What the store would get if it did not look who holds the bucket.
    async fn forged(&self, mut batch: Vec<Write>) -> Vec<Write> {
        let leases = self.store.leases().await.unwrap();
        for write in &mut batch {
            if let Write::Commit { lease, txn } = write
                && let Some(head) = self.store.run(txn.run).await.unwrap()
            {
                let bucket = head.facts.bucket;
                let holder = leases.iter().find(|seen| seen.lease.buckets.contains(&bucket));
                let holder = &holder.unwrap().lease;
                if holder.epoch != lease.epoch && head.version == txn.expect {
                    self.book.stale.fetch_add(1, Ordering::Relaxed);
                }
                lease.clone_from(holder);
            }
        }
        batch
    }
}

#[async_trait]
impl Store for Reached {
    fn caps(&self) -> Caps {
        self.store.caps()
    }

    async fn lease(
        &self,
        buckets: Range<u16>,
        node: &str,
        ttl: Duration,
    ) -> Result<Option<Lease>, StoreError> {
        self.through(self.store.lease(buckets, node, ttl)).await
    }

    async fn renew(&self, leases: &[Lease], ttl: Duration) -> Result<Vec<bool>, StoreError> {
        self.through(self.store.renew(leases, ttl)).await
    }

    async fn release(&self, leases: &[Lease]) -> Result<(), StoreError> {
        self.through(self.store.release(leases)).await
    }

    async fn leases(&self) -> Result<Vec<LeaseSeen>, StoreError> {
        self.through(self.store.leases()).await
    }

    async fn announce(&self, node: &str, ttl: Duration) -> Result<(), StoreError> {
        self.through(self.store.announce(node, ttl)).await
    }

    async fn nodes(&self) -> Result<Vec<String>, StoreError> {
        self.through(self.store.nodes()).await
    }

    async fn draw(
        &self,
        holder: u64,
        draws: &[Draw],
        lease: Duration,
    ) -> Result<Vec<Drawn>, StoreError> {
        self.through(self.store.draw(holder, draws, lease)).await
    }

    async fn write(&self, batch: Vec<Write>) -> Result<Vec<WriteOutcome>, StoreError> {
        self.link.on_the_way.fetch_add(1, Ordering::Relaxed);
        let through = self.link.pass().await;
        self.link.on_the_way.fetch_sub(1, Ordering::Relaxed);
        if !through {
            return Err(StoreError::Unavailable("the way to the store is cut".to_owned()));
        }
        let steps: Vec<Option<(Lease, RunId)>> = batch
            .iter()
            .map(|write| match write {
                Write::Commit { lease, txn } => Some((lease.clone(), txn.run)),
                Write::Accept(_) | Write::Change(_) | Write::Claim { .. } => None,
            })
            .collect();
        let claims = batch.iter().filter(|write| matches!(write, Write::Claim { .. })).count();
        self.book.claims.fetch_add(claims, Ordering::Relaxed);
        let unfenced = self.book.unfenced.load(Ordering::Relaxed);
        let batch = if unfenced { self.forged(batch).await } else { batch };
        let answer = self.store.write(batch).await;
        for (step, outcome) in steps.iter().zip(answer.iter().flatten()) {
            if let (Some((lease, run)), WriteOutcome::Commit(TxnOutcome::Committed { version })) =
                (step, outcome)
            {
                self.book.note(lease, *run, *version);
            }
            if *outcome == WriteOutcome::Commit(TxnOutcome::Fenced) {
                self.book.fenced.fetch_add(1, Ordering::Relaxed);
            }
        }
        if self.link.pass().await {
            return answer;
        }
        Err(StoreError::Unknown("the way back from the store is cut".to_owned()))
    }

    async fn open_runs(
        &self,
        buckets: Range<u16>,
        after: Option<RunId>,
        limit: usize,
    ) -> Result<Vec<RunHead>, StoreError> {
        self.through(self.store.open_runs(buckets, after, limit)).await
    }

    async fn due_runs(
        &self,
        buckets: Range<u16>,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<RunHead>, StoreError> {
        self.through(self.store.due_runs(buckets, until, limit)).await
    }

    async fn run(&self, id: RunId) -> Result<Option<RunHead>, StoreError> {
        self.through(self.store.run(id)).await
    }

    async fn event(&self, run: RunId) -> Result<Option<StoredEvent>, StoreError> {
        self.through(self.store.event(run)).await
    }

    async fn journal(&self, run: RunId) -> Result<Vec<Entry>, StoreError> {
        let deadly = self.book.deadly.lock().unwrap().contains(&run);
        if deadly {
            self.book.deaths.fetch_add(1, Ordering::Relaxed);
            std::future::pending::<()>().await;
        }
        self.through(self.store.journal(run)).await
    }

    async fn runs(&self, filter: &RunFilter) -> Result<Vec<RunHead>, StoreError> {
        self.through(self.store.runs(filter)).await
    }

    async fn dead_letters(&self, filter: &DeadFilter) -> Result<Vec<DeadLetter>, StoreError> {
        self.through(self.store.dead_letters(filter)).await
    }

    async fn ledger(&self, filter: &LedgerFilter) -> Result<Vec<LedgerEntry>, StoreError> {
        self.through(self.store.ledger(filter)).await
    }

    async fn document(&self, kind: &str, name: &str) -> Result<Option<Document>, StoreError> {
        self.through(self.store.document(kind, name)).await
    }

    async fn documents(
        &self,
        kind: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Document>, StoreError> {
        self.through(self.store.documents(kind, after, limit)).await
    }

    async fn key_owner(&self, scope: &str, key: &str) -> Result<Option<RunId>, StoreError> {
        self.through(self.store.key_owner(scope, key)).await
    }

    async fn erase(&self, runs: &[RunId], signals: &[u64]) -> Result<Erased, StoreError> {
        self.through(self.store.erase(runs, signals)).await
    }

    async fn scrub(&self) -> Result<(), StoreError> {
        self.through(self.store.scrub()).await
    }

    async fn prune(&self, retention: &Retention, limit: usize) -> Result<Pruned, StoreError> {
        self.through(self.store.prune(retention, limit)).await
    }

    async fn dead_groups(&self, filter: &DeadFilter) -> Result<Vec<DeadGroup>, StoreError> {
        self.through(self.store.dead_groups(filter)).await
    }

    async fn keys_of(&self, run: RunId) -> Result<Vec<RunKey>, StoreError> {
        self.through(self.store.keys_of(run)).await
    }

    async fn signals(&self, filter: &SignalFilter) -> Result<Vec<SignalEntry>, StoreError> {
        self.through(self.store.signals(filter)).await
    }

    async fn signal(&self, scope: &str, id: &str) -> Result<Option<SignalEntry>, StoreError> {
        self.through(self.store.signal(scope, id)).await
    }

    async fn waits(&self, filter: &WaitFilter) -> Result<Vec<OpenWait>, StoreError> {
        self.through(self.store.waits(filter)).await
    }

    async fn wait_sites(
        &self,
        scope: &str,
        kind: &str,
        after: Option<&str>,
    ) -> Result<Vec<String>, StoreError> {
        self.through(self.store.wait_sites(scope, kind, after)).await
    }

    async fn waits_of(&self, run: RunId) -> Result<Vec<Wait>, StoreError> {
        self.through(self.store.waits_of(run)).await
    }

    async fn first_in_line(&self, scope: &str, key: &str) -> Result<Option<RunId>, StoreError> {
        self.through(self.store.first_in_line(scope, key)).await
    }

    async fn turn_of(&self, run: RunId) -> Result<Option<TurnPlace>, StoreError> {
        self.through(self.store.turn_of(run)).await
    }

    async fn runs_in_turn(
        &self,
        buckets: Range<u16>,
        limit: usize,
    ) -> Result<Vec<RunHead>, StoreError> {
        self.through(self.store.runs_in_turn(buckets, limit)).await
    }

    async fn tally(
        &self,
        environment: Option<&EnvironmentName>,
        integration: Option<&Name>,
    ) -> Result<Tally, StoreError> {
        self.through(self.store.tally(environment, integration)).await
    }

    async fn tally_places(
        &self,
        after: Option<&(EnvironmentName, Name)>,
    ) -> Result<Vec<(EnvironmentName, Name)>, StoreError> {
        self.through(self.store.tally_places(after)).await
    }
}
