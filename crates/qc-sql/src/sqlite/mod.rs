//! One SQLite file: WAL, an fsync for every commit, one thread that writes, a few connections
//! that read.
//!
//! The settings on which this rests are read back at the start. The process is alone on its
//! database by a lock on a file beside it (`<database>.lock`). Leases last as long as the process;
//! their epochs are kept.

mod apply;
mod checkpoint;
mod dump;
mod fill;
mod open;
mod open_error;
mod options;
mod pragmas;
mod prune;
mod read;
mod readers;
mod schema;
mod stored;
mod trouble;
mod wal_check;
mod words;
mod writer;

use std::{
    ops::Range,
    path::Path,
    thread::{self, JoinHandle},
    time::Duration,
};

use async_trait::async_trait;
pub use dump::backup;
pub use fill::restore;
pub use open_error::OpenError;
pub use options::SqliteOptions;
use qc_model::{EnvironmentName, Name, RunId, Timestamp};
use qc_store::{
    Caps, DeadFilter, DeadGroup, DeadLetter, Document, Draw, Drawn, Durability, Entry, Erased,
    Lease, LeaseSeen, LedgerEntry, LedgerFilter, OpenWait, Pruned, Retention, RunFilter, RunHead,
    RunKey, SignalEntry, SignalFilter, Store, StoreError, StoredEvent, Tally, TurnPlace, Wait,
    WaitFilter, Write, WriteOutcome,
};
use readers::Readers;
use tokio::sync::{mpsc, oneshot};
use writer::{Job, Reply, Writer};

/// So many batches and other requests may wait for the writer; who comes later waits to wait.
const JOBS_MAX: usize = 64;

/// The store on one SQLite file. Dropping it waits for the writer, empties the write-ahead log and
/// gives the database free.
pub struct SqliteStore {
    readers: Readers,
    /// None while it is being dropped.
    jobs: Option<mpsc::Sender<Job>>,
    writer: Option<JoinHandle<()>>,
}

impl SqliteStore {
    /// Opens the database, creating it when there is none. Blocks while it looks at the file.
    pub fn open(path: impl AsRef<Path>, options: SqliteOptions) -> Result<Self, OpenError> {
        let path = path.as_ref();
        let opened = open::open(path, &options)?;
        let thread_failed = |error: std::io::Error| OpenError::CannotOpen(error.to_string());
        let checkpointer = checkpoint::Checkpointer::start(open::open_checkpointer(path)?)
            .map_err(thread_failed)?;
        let writer = Writer::new(opened, checkpointer, options.wal_bytes_max)
            .map_err(|trouble| OpenError::Damaged(trouble.classify().to_string()))?;
        let (jobs, arrivals) = mpsc::channel(JOBS_MAX);
        let writer = thread::Builder::new()
            .name("qc-writer".to_owned())
            .spawn(move || writer.run(arrivals))
            .map_err(thread_failed)?;
        let readers = Readers::new(path.to_owned(), &options);
        Ok(Self { readers, jobs: Some(jobs), writer: Some(writer) })
    }

    /// Hands a job to the writer and waits for its answer.
    async fn ask<T>(&self, job: impl FnOnce(Reply<T>) -> Job) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let stopped = || StoreError::Unavailable("the writer has stopped".to_owned());
        let jobs = self.jobs.as_ref().ok_or_else(stopped)?;
        jobs.send(job(reply)).await.map_err(|_| stopped())?;
        answer.await.unwrap_or_else(|_| {
            Err(StoreError::Unknown("the writer stopped before it answered".to_owned()))
        })
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.readers.close();
        self.jobs = None;
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

#[async_trait]
impl Store for SqliteStore {
    fn caps(&self) -> Caps {
        Caps { backend: "sqlite", durability: Durability::Machine, batch_max: 512, shared: false }
    }

    async fn lease(
        &self,
        buckets: Range<u16>,
        node: &str,
        ttl: Duration,
    ) -> Result<Option<Lease>, StoreError> {
        let node = node.to_owned();
        self.ask(|reply| Job::Lease { buckets, node, ttl, reply }).await
    }

    async fn renew(&self, leases: &[Lease], ttl: Duration) -> Result<Vec<bool>, StoreError> {
        let leases = leases.to_vec();
        self.ask(|reply| Job::Renew { leases, ttl, reply }).await
    }

    async fn release(&self, leases: &[Lease]) -> Result<(), StoreError> {
        let leases = leases.to_vec();
        self.ask(|reply| Job::Release { leases, reply }).await
    }

    async fn leases(&self) -> Result<Vec<LeaseSeen>, StoreError> {
        self.ask(|reply| Job::Leases { reply }).await
    }

    async fn announce(&self, node: &str, ttl: Duration) -> Result<(), StoreError> {
        let node = node.to_owned();
        self.ask(|reply| Job::Announce { node, ttl, reply }).await
    }

    async fn nodes(&self) -> Result<Vec<String>, StoreError> {
        self.ask(|reply| Job::Nodes { reply }).await
    }

    async fn draw(
        &self,
        holder: u64,
        draws: &[Draw],
        lease: Duration,
    ) -> Result<Vec<Drawn>, StoreError> {
        let draws = draws.to_vec();
        self.ask(|reply| Job::Draw { holder, draws, lease, reply }).await
    }

    async fn write(&self, batch: Vec<Write>) -> Result<Vec<WriteOutcome>, StoreError> {
        self.ask(|reply| Job::Write { batch, reply }).await
    }

    async fn open_runs(
        &self,
        buckets: Range<u16>,
        after: Option<RunId>,
        limit: usize,
    ) -> Result<Vec<RunHead>, StoreError> {
        self.readers.read(move |db, words| read::open_runs(db, words, &buckets, after, limit)).await
    }

    async fn due_runs(
        &self,
        buckets: Range<u16>,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<RunHead>, StoreError> {
        self.readers.read(move |db, words| read::due_runs(db, words, &buckets, until, limit)).await
    }

    async fn run(&self, id: RunId) -> Result<Option<RunHead>, StoreError> {
        self.readers.read(move |db, words| read::run(db, words, id)).await
    }

    async fn event(&self, run: RunId) -> Result<Option<StoredEvent>, StoreError> {
        self.readers.read(move |db, _| read::event(db, run)).await
    }

    async fn journal(&self, run: RunId) -> Result<Vec<Entry>, StoreError> {
        self.readers.read(move |db, _| read::journal(db, run)).await
    }

    async fn runs(&self, filter: &RunFilter) -> Result<Vec<RunHead>, StoreError> {
        let filter = filter.clone();
        self.readers.read(move |db, words| read::runs(db, words, &filter)).await
    }

    async fn dead_letters(&self, filter: &DeadFilter) -> Result<Vec<DeadLetter>, StoreError> {
        let filter = filter.clone();
        self.readers.read(move |db, words| read::dead_letters(db, words, &filter)).await
    }

    async fn dead_groups(&self, filter: &DeadFilter) -> Result<Vec<DeadGroup>, StoreError> {
        let filter = filter.clone();
        self.readers.read(move |db, words| read::dead_groups(db, words, &filter)).await
    }

    async fn keys_of(&self, run: RunId) -> Result<Vec<RunKey>, StoreError> {
        self.readers.read(move |db, _| read::keys_of(db, run)).await
    }

    async fn signals(&self, filter: &SignalFilter) -> Result<Vec<SignalEntry>, StoreError> {
        let filter = filter.clone();
        self.readers.read(move |db, words| read::signals(db, words, &filter)).await
    }

    async fn signal(&self, scope: &str, id: &str) -> Result<Option<SignalEntry>, StoreError> {
        let (scope, id) = (scope.to_owned(), id.to_owned());
        self.readers.read(move |db, words| read::signal(db, words, &scope, &id)).await
    }

    async fn waits(&self, filter: &WaitFilter) -> Result<Vec<OpenWait>, StoreError> {
        let filter = filter.clone();
        self.readers.read(move |db, words| read::waits(db, words, &filter)).await
    }

    async fn wait_sites(
        &self,
        scope: &str,
        kind: &str,
        after: Option<&str>,
    ) -> Result<Vec<String>, StoreError> {
        let (scope, kind, after) = (scope.to_owned(), kind.to_owned(), after.map(str::to_owned));
        self.readers.read(move |db, _| read::wait_sites(db, &scope, &kind, after.as_deref())).await
    }

    async fn waits_of(&self, run: RunId) -> Result<Vec<Wait>, StoreError> {
        self.readers.read(move |db, words| read::waits_of(db, words, run)).await
    }

    async fn first_in_line(&self, scope: &str, key: &str) -> Result<Option<RunId>, StoreError> {
        let (scope, key) = (scope.to_owned(), key.to_owned());
        self.readers.read(move |db, _| read::first_in_line(db, &scope, &key)).await
    }

    async fn turn_of(&self, run: RunId) -> Result<Option<TurnPlace>, StoreError> {
        self.readers.read(move |db, words| read::turn_of(db, words, run)).await
    }

    async fn runs_in_turn(
        &self,
        buckets: Range<u16>,
        limit: usize,
    ) -> Result<Vec<RunHead>, StoreError> {
        self.readers.read(move |db, words| read::runs_in_turn(db, words, &buckets, limit)).await
    }

    async fn tally(
        &self,
        environment: Option<&EnvironmentName>,
        integration: Option<&Name>,
    ) -> Result<Tally, StoreError> {
        let name = |name: &Name| name.as_str().to_owned();
        let (environment, integration) = (environment.map(name), integration.map(name));
        self.readers
            .read(move |db, _| read::tally(db, environment.as_deref(), integration.as_deref()))
            .await
    }

    async fn tally_places(
        &self,
        after: Option<&(EnvironmentName, Name)>,
    ) -> Result<Vec<(EnvironmentName, Name)>, StoreError> {
        let after = after.cloned();
        self.readers.read(move |db, words| read::tally_places(db, words, after.as_ref())).await
    }

    async fn ledger(&self, filter: &LedgerFilter) -> Result<Vec<LedgerEntry>, StoreError> {
        let filter = filter.clone();
        self.readers.read(move |db, words| read::ledger(db, words, &filter)).await
    }

    async fn document(&self, kind: &str, name: &str) -> Result<Option<Document>, StoreError> {
        let (kind, name) = (kind.to_owned(), name.to_owned());
        self.readers.read(move |db, _| read::document(db, &kind, &name)).await
    }

    async fn documents(
        &self,
        kind: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Document>, StoreError> {
        let (kind, after) = (kind.to_owned(), after.map(str::to_owned));
        self.readers.read(move |db, _| read::documents(db, &kind, after.as_deref(), limit)).await
    }

    async fn key_owner(&self, scope: &str, key: &str) -> Result<Option<RunId>, StoreError> {
        let (scope, key) = (scope.to_owned(), key.to_owned());
        self.readers.read(move |db, _| read::key_owner(db, &scope, &key)).await
    }

    async fn erase(&self, runs: &[RunId], signals: &[u64]) -> Result<Erased, StoreError> {
        self.erase_now(runs, signals).await
    }

    async fn scrub(&self) -> Result<(), StoreError> {
        self.ask(|reply| Job::Scrub { reply }).await
    }

    async fn prune(&self, retention: &Retention, limit: usize) -> Result<Pruned, StoreError> {
        self.prune_in_steps(retention, limit).await
    }
}
