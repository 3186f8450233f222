use std::{
    collections::HashSet, ops::Range, sync::Arc, sync::Mutex, sync::PoisonError, time::Duration,
};

use async_trait::async_trait;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{
        counter::Counter,
        family::Family,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};
use qc_model::{EnvironmentName, Name, RunId, Timestamp};
use qc_store::{
    Caps, DeadFilter, DeadGroup, DeadLetter, Document, Draw, Drawn, Entry, Erased, Lease,
    LeaseSeen, LedgerEntry, LedgerFilter, LedgerKind, LedgerRow, Op, OpenWait, Pruned, Retention,
    RunFilter, RunHead, RunKey, SignalEntry, SignalFilter, Store, StoreError, StoredEvent, Tally,
    TurnPlace, Wait, WaitFilter, Write, WriteOutcome,
};

/// The most series of calls; what comes beyond them is counted as `other`.
const SERIES: usize = 1_000;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    target: String,
    outcome: String,
    code: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FaultLabels {
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PrunedLabels {
    kind: &'static str,
}

/// What goes to the disk, counted.
pub struct CommitNumbers {
    batch: Histogram,
    seconds: Histogram,
    faults: Family<FaultLabels, Counter>,
    pruned: Family<PrunedLabels, Counter>,
    calls: Family<CallLabels, Counter>,
    known: Mutex<HashSet<CallLabels>>,
}

impl CommitNumbers {
    fn new() -> Self {
        Self {
            batch: Histogram::new(exponential_buckets(1.0, 2.0, 11)),
            seconds: Histogram::new(exponential_buckets(0.000_1, 2.0, 16)),
            faults: Family::default(),
            pruned: Family::default(),
            calls: Family::default(),
            known: Mutex::default(),
        }
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("commit_writes", "Writes that shared one commit", self.batch.clone());
        registry.register(
            "commit_seconds",
            "Time of one commit, fsync included",
            self.seconds.clone(),
        );
        registry.register("commit_faults", "Commits that failed, by kind", self.faults.clone());
        let help = "Rows removed by this node because their time was over, by kind";
        registry.register("pruned", help, self.pruned.clone());
        let help =
            "Attempts of calls to other systems, by connector and operation, outcome and code";
        registry.register("call_attempts", help, self.calls.clone());
    }

    fn count(&self, row: &LedgerRow) {
        if row.kind != LedgerKind::Call {
            return;
        }
        let labels = CallLabels {
            target: row.subject.clone(),
            outcome: row.outcome.clone(),
            code: row.code.clone().unwrap_or_default(),
        };
        self.calls.get_or_create(&self.bounded(labels)).inc();
    }

    fn bounded(&self, labels: CallLabels) -> CallLabels {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.contains(&labels) {
            return labels;
        }
        if known.len() >= SERIES {
            return CallLabels {
                target: "other".into(),
                outcome: labels.outcome,
                code: String::new(),
            };
        }
        known.insert(labels.clone());
        labels
    }
}

/// A store whose commits are counted. All else passes through.
pub struct MeteredStore {
    inner: Arc<dyn Store>,
    numbers: Arc<CommitNumbers>,
}

impl MeteredStore {
    /// Around a store.
    pub fn new(inner: Arc<dyn Store>) -> Self {
        Self { inner, numbers: Arc::new(CommitNumbers::new()) }
    }

    /// The numbers, for the metrics page.
    pub fn numbers(&self) -> Arc<CommitNumbers> {
        Arc::clone(&self.numbers)
    }
}

/// The call rows of a batch: kept aside until the batch is on disk.
fn calls(batch: &[Write]) -> Vec<LedgerRow> {
    let of_call = |row: &&LedgerRow| row.kind == LedgerKind::Call;
    batch
        .iter()
        .flat_map(|write| match write {
            Write::Commit { txn, .. } => txn.ops.as_slice(),
            Write::Accept(_) | Write::Change(_) | Write::Claim { .. } => &[],
        })
        .filter_map(|op| match op {
            Op::Ledger(row) => Some(row),
            _ => None,
        })
        .filter(of_call)
        .map(|row| LedgerRow { facts: bytes::Bytes::new(), ..row.clone() })
        .collect()
}

#[async_trait]
impl Store for MeteredStore {
    fn caps(&self) -> Caps {
        self.inner.caps()
    }

    async fn lease(
        &self,
        buckets: Range<u16>,
        node: &str,
        ttl: Duration,
    ) -> Result<Option<Lease>, StoreError> {
        self.inner.lease(buckets, node, ttl).await
    }

    async fn renew(&self, leases: &[Lease], ttl: Duration) -> Result<Vec<bool>, StoreError> {
        self.inner.renew(leases, ttl).await
    }

    async fn release(&self, leases: &[Lease]) -> Result<(), StoreError> {
        self.inner.release(leases).await
    }

    async fn leases(&self) -> Result<Vec<LeaseSeen>, StoreError> {
        self.inner.leases().await
    }

    async fn announce(&self, node: &str, ttl: Duration) -> Result<(), StoreError> {
        self.inner.announce(node, ttl).await
    }

    async fn nodes(&self) -> Result<Vec<String>, StoreError> {
        self.inner.nodes().await
    }

    async fn draw(
        &self,
        holder: u64,
        draws: &[Draw],
        lease: Duration,
    ) -> Result<Vec<Drawn>, StoreError> {
        self.inner.draw(holder, draws, lease).await
    }

    async fn write(&self, batch: Vec<Write>) -> Result<Vec<WriteOutcome>, StoreError> {
        let (writes, rows) = (batch.len(), calls(&batch));
        let since = std::time::Instant::now();
        let result = self.inner.write(batch).await;
        match &result {
            Ok(_) => {
                self.numbers.batch.observe(f64::from(u32::try_from(writes).unwrap_or(u32::MAX)));
                self.numbers.seconds.observe(since.elapsed().as_secs_f64());
                for row in &rows {
                    self.numbers.count(row);
                }
            }
            Err(error) => {
                let kind = match error {
                    StoreError::Full(_) => "full",
                    StoreError::Unavailable(_) => "unavailable",
                    StoreError::Unknown(_) => "unknown",
                    StoreError::Corrupt(_) => "corrupt",
                    StoreError::Refused(_) => "refused",
                };
                self.numbers.faults.get_or_create(&FaultLabels { kind }).inc();
            }
        }
        result
    }

    async fn open_runs(
        &self,
        buckets: Range<u16>,
        after: Option<RunId>,
        limit: usize,
    ) -> Result<Vec<RunHead>, StoreError> {
        self.inner.open_runs(buckets, after, limit).await
    }

    async fn due_runs(
        &self,
        buckets: Range<u16>,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<RunHead>, StoreError> {
        self.inner.due_runs(buckets, until, limit).await
    }

    async fn run(&self, id: RunId) -> Result<Option<RunHead>, StoreError> {
        self.inner.run(id).await
    }

    async fn event(&self, run: RunId) -> Result<Option<StoredEvent>, StoreError> {
        self.inner.event(run).await
    }

    async fn journal(&self, run: RunId) -> Result<Vec<Entry>, StoreError> {
        self.inner.journal(run).await
    }

    async fn runs(&self, filter: &RunFilter) -> Result<Vec<RunHead>, StoreError> {
        self.inner.runs(filter).await
    }

    async fn dead_letters(&self, filter: &DeadFilter) -> Result<Vec<DeadLetter>, StoreError> {
        self.inner.dead_letters(filter).await
    }

    async fn dead_groups(&self, filter: &DeadFilter) -> Result<Vec<DeadGroup>, StoreError> {
        self.inner.dead_groups(filter).await
    }

    async fn keys_of(&self, run: RunId) -> Result<Vec<RunKey>, StoreError> {
        self.inner.keys_of(run).await
    }

    async fn signals(&self, filter: &SignalFilter) -> Result<Vec<SignalEntry>, StoreError> {
        self.inner.signals(filter).await
    }

    async fn signal(&self, scope: &str, id: &str) -> Result<Option<SignalEntry>, StoreError> {
        self.inner.signal(scope, id).await
    }

    async fn waits(&self, filter: &WaitFilter) -> Result<Vec<OpenWait>, StoreError> {
        self.inner.waits(filter).await
    }

    async fn wait_sites(
        &self,
        scope: &str,
        kind: &str,
        after: Option<&str>,
    ) -> Result<Vec<String>, StoreError> {
        self.inner.wait_sites(scope, kind, after).await
    }

    async fn waits_of(&self, run: RunId) -> Result<Vec<Wait>, StoreError> {
        self.inner.waits_of(run).await
    }

    async fn first_in_line(&self, scope: &str, key: &str) -> Result<Option<RunId>, StoreError> {
        self.inner.first_in_line(scope, key).await
    }

    async fn turn_of(&self, run: RunId) -> Result<Option<TurnPlace>, StoreError> {
        self.inner.turn_of(run).await
    }

    async fn runs_in_turn(
        &self,
        buckets: Range<u16>,
        limit: usize,
    ) -> Result<Vec<RunHead>, StoreError> {
        self.inner.runs_in_turn(buckets, limit).await
    }

    async fn tally(
        &self,
        environment: Option<&EnvironmentName>,
        integration: Option<&Name>,
    ) -> Result<Tally, StoreError> {
        self.inner.tally(environment, integration).await
    }

    async fn tally_places(
        &self,
        after: Option<&(EnvironmentName, Name)>,
    ) -> Result<Vec<(EnvironmentName, Name)>, StoreError> {
        self.inner.tally_places(after).await
    }

    async fn ledger(&self, filter: &LedgerFilter) -> Result<Vec<LedgerEntry>, StoreError> {
        self.inner.ledger(filter).await
    }

    async fn document(&self, kind: &str, name: &str) -> Result<Option<Document>, StoreError> {
        self.inner.document(kind, name).await
    }

    async fn documents(
        &self,
        kind: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Document>, StoreError> {
        self.inner.documents(kind, after, limit).await
    }

    async fn key_owner(&self, scope: &str, key: &str) -> Result<Option<RunId>, StoreError> {
        self.inner.key_owner(scope, key).await
    }

    async fn erase(&self, runs: &[RunId], signals: &[u64]) -> Result<Erased, StoreError> {
        self.inner.erase(runs, signals).await
    }

    async fn scrub(&self) -> Result<(), StoreError> {
        self.inner.scrub().await
    }

    async fn prune(&self, retention: &Retention, limit: usize) -> Result<Pruned, StoreError> {
        let gone = self.inner.prune(retention, limit).await?;
        let Pruned { keys, signals, runs, ledger } = gone;
        for (kind, rows) in [("key", keys), ("signal", signals), ("run", runs), ("ledger", ledger)]
        {
            self.numbers.pruned.get_or_create(&PrunedLabels { kind }).inc_by(rows as u64);
        }
        Ok(gone)
    }
}
