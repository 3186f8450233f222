//! PostgreSQL 15 or newer, for several nodes that share one database.
//!
//! A batch is one transaction of set-based statements. Most are sent in a single exchange on the
//! presumption that nothing contradicts them, which every statement checks; what contradicts is
//! read, decided in [`apply`] and put. Safety rests on epochs and versions that are compared inside
//! the writing statements; on no clock, and on no order in which nodes hear of each other.

mod apply;
mod blobs;
mod budgets;
mod connection;
mod connections;
mod dsn;
mod dump;
mod erase;
mod fill;
mod leases;
mod load;
mod open_error;
mod options;
mod prune;
mod put;
mod read;
mod schema;
mod server_check;
mod stored;
mod tls;
mod trouble;
mod writer;

use std::{ops::Range, time::Duration};

use async_trait::async_trait;
pub use blobs::PostgresBlobs;
use connection::{Address, Purpose};
use connections::Connections;
pub use dsn::{Dsn, DsnError, TlsMode, mask};
pub use dump::backup;
pub use fill::restore;
pub use open_error::OpenError;
pub use options::PostgresOptions;
use qc_model::{EnvironmentName, Name, RunId, Timestamp};
use qc_store::{
    Caps, DeadFilter, DeadGroup, DeadLetter, Document, Draw, Drawn, Durability, Entry, Erased,
    Lease, LeaseSeen, LedgerEntry, LedgerFilter, OpenWait, Pruned, Retention, RunFilter, RunHead,
    RunKey, SignalEntry, SignalFilter, Store, StoreError, StoredEvent, Tally, TurnPlace, Wait,
    WaitFilter, Write, WriteOutcome,
};
use writer::Writer;

/// Leases and removals that met other transactions are tried so often.
const TRIES_MAX: usize = 5;

/// So many connections serve large bodies.
const BLOBS: usize = 2;

/// The store on a PostgreSQL database.
pub struct PostgresStore {
    writer: Writer,
    readers: Connections,
    durability: Durability,
    address: Address,
}

/// What a server said about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerReport {
    /// The server's version.
    pub version: String,
    /// What a commit survives.
    pub durability: Durability,
    /// The version of the schema in the database; 0 when there is none yet.
    pub schema: i64,
}

impl PostgresStore {
    /// Connects, refuses a server that could lose what is acknowledged, and brings the schema up to
    /// date; several nodes may do so at once.
    pub async fn open(dsn: &Dsn, options: &PostgresOptions) -> Result<Self, OpenError> {
        let address = Address::new(dsn, options)?;
        let (mut client, facts) = address.connect().await?;
        schema::migrate(&mut client).await?;
        let writer = Connections::new(address.clone(), Purpose::Write, options.writers);
        let readers = Connections::new(address.clone(), Purpose::Read, options.readers);
        let (writer, durability) = (Writer::new(writer), facts.durability());
        Ok(Self { writer, readers, durability, address })
    }

    /// A place for large bodies in the same database, on up to two connections of its own: whoever
    /// sends or takes them holds up no question.
    pub fn blobs(&self) -> PostgresBlobs {
        PostgresBlobs::new(Connections::new(self.address.clone(), Purpose::Read, BLOBS))
    }

    /// Looks at the server and changes nothing: the checks of [`PostgresStore::open`].
    pub async fn look(dsn: &Dsn, options: &PostgresOptions) -> Result<ServerReport, OpenError> {
        let (client, facts) = Address::new(dsn, options)?.connect().await?;
        let schema = schema::look(&client).await?;
        Ok(ServerReport { durability: facts.durability(), version: facts.version, schema })
    }
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        self.writer.close();
        self.readers.close();
    }
}

#[async_trait]
impl Store for PostgresStore {
    fn caps(&self) -> Caps {
        Caps { backend: "postgres", durability: self.durability, batch_max: 512, shared: true }
    }

    async fn lease(
        &self,
        buckets: Range<u16>,
        node: &str,
        ttl: Duration,
    ) -> Result<Option<Lease>, StoreError> {
        let node = node.to_owned();
        self.readers
            .change(TRIES_MAX, move |db| {
                let (buckets, node) = (buckets.clone(), node.clone());
                Box::pin(async move { leases::lease(db, &buckets, &node, ttl).await })
            })
            .await
    }

    async fn renew(&self, held: &[Lease], ttl: Duration) -> Result<Vec<bool>, StoreError> {
        let held = held.to_vec();
        self.readers
            .change(TRIES_MAX, move |db| {
                let held = held.clone();
                Box::pin(async move { leases::renew(db, &held, ttl).await })
            })
            .await
    }

    async fn release(&self, held: &[Lease]) -> Result<(), StoreError> {
        let held = held.to_vec();
        self.readers
            .change(TRIES_MAX, move |db| {
                let held = held.clone();
                Box::pin(async move { leases::release(db, &held).await })
            })
            .await
    }

    async fn leases(&self) -> Result<Vec<LeaseSeen>, StoreError> {
        self.readers.ask(move |db| Box::pin(leases::seen(db))).await
    }

    async fn announce(&self, node: &str, ttl: Duration) -> Result<(), StoreError> {
        let node = node.to_owned();
        self.readers
            .change(TRIES_MAX, move |db| {
                let node = node.clone();
                Box::pin(async move { leases::announce(db, &node, ttl).await })
            })
            .await
    }

    async fn nodes(&self) -> Result<Vec<String>, StoreError> {
        self.readers.ask(move |db| Box::pin(leases::nodes(db))).await
    }

    async fn draw(
        &self,
        holder: u64,
        draws: &[Draw],
        lease: Duration,
    ) -> Result<Vec<Drawn>, StoreError> {
        let draws = draws.to_vec();
        self.readers
            .change(TRIES_MAX, move |db| {
                let draws = draws.clone();
                Box::pin(async move { budgets::draw(db, holder, &draws, lease).await })
            })
            .await
    }

    async fn write(&self, batch: Vec<Write>) -> Result<Vec<WriteOutcome>, StoreError> {
        // On the heap: it is large, and everybody's future would hold it.
        Box::pin(self.writer.write(&batch)).await
    }

    async fn open_runs(
        &self,
        buckets: Range<u16>,
        after: Option<RunId>,
        limit: usize,
    ) -> Result<Vec<RunHead>, StoreError> {
        self.readers
            .ask(move |db| {
                let buckets = buckets.clone();
                Box::pin(async move { read::open_runs(db, &buckets, after, limit).await })
            })
            .await
    }

    async fn due_runs(
        &self,
        buckets: Range<u16>,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<RunHead>, StoreError> {
        self.readers
            .ask(move |db| {
                let buckets = buckets.clone();
                Box::pin(async move { read::due_runs(db, &buckets, until, limit).await })
            })
            .await
    }

    async fn run(&self, id: RunId) -> Result<Option<RunHead>, StoreError> {
        self.readers.ask(move |db| Box::pin(read::run(db, id))).await
    }

    async fn event(&self, run: RunId) -> Result<Option<StoredEvent>, StoreError> {
        self.readers.ask(move |db| Box::pin(read::event(db, run))).await
    }

    async fn journal(&self, run: RunId) -> Result<Vec<Entry>, StoreError> {
        self.readers.ask(move |db| Box::pin(read::journal(db, run))).await
    }

    async fn runs(&self, filter: &RunFilter) -> Result<Vec<RunHead>, StoreError> {
        let filter = filter.clone();
        self.readers
            .ask(move |db| {
                let filter = filter.clone();
                Box::pin(async move { read::runs(db, &filter).await })
            })
            .await
    }

    async fn dead_letters(&self, filter: &DeadFilter) -> Result<Vec<DeadLetter>, StoreError> {
        let filter = filter.clone();
        self.readers
            .ask(move |db| {
                let filter = filter.clone();
                Box::pin(async move { read::dead_letters(db, &filter).await })
            })
            .await
    }

    async fn dead_groups(&self, filter: &DeadFilter) -> Result<Vec<DeadGroup>, StoreError> {
        let filter = filter.clone();
        self.readers
            .ask(move |db| {
                let filter = filter.clone();
                Box::pin(async move { read::dead_groups(db, &filter).await })
            })
            .await
    }

    async fn keys_of(&self, run: RunId) -> Result<Vec<RunKey>, StoreError> {
        self.readers.ask(move |db| Box::pin(read::keys_of(db, run))).await
    }

    async fn signals(&self, filter: &SignalFilter) -> Result<Vec<SignalEntry>, StoreError> {
        let filter = filter.clone();
        self.readers
            .ask(move |db| {
                let filter = filter.clone();
                Box::pin(async move { read::signals(db, &filter).await })
            })
            .await
    }

    async fn signal(&self, scope: &str, id: &str) -> Result<Option<SignalEntry>, StoreError> {
        let (scope, id) = (scope.to_owned(), id.to_owned());
        self.readers
            .ask(move |db| {
                let (scope, id) = (scope.clone(), id.clone());
                Box::pin(async move { read::signal(db, &scope, &id).await })
            })
            .await
    }

    async fn waits(&self, filter: &WaitFilter) -> Result<Vec<OpenWait>, StoreError> {
        let filter = filter.clone();
        self.readers
            .ask(move |db| {
                let filter = filter.clone();
                Box::pin(async move { read::waits(db, &filter).await })
            })
            .await
    }

    async fn wait_sites(
        &self,
        scope: &str,
        kind: &str,
        after: Option<&str>,
    ) -> Result<Vec<String>, StoreError> {
        let asked = (scope.to_owned(), kind.to_owned(), after.map(str::to_owned));
        self.readers
            .ask(move |db| {
                let (scope, kind, after) = asked.clone();
                Box::pin(async move { read::wait_sites(db, &scope, &kind, after.as_deref()).await })
            })
            .await
    }

    async fn waits_of(&self, run: RunId) -> Result<Vec<Wait>, StoreError> {
        self.readers.ask(move |db| Box::pin(read::waits_of(db, run))).await
    }

    async fn first_in_line(&self, scope: &str, key: &str) -> Result<Option<RunId>, StoreError> {
        let (scope, key) = (scope.to_owned(), key.to_owned());
        self.readers
            .ask(move |db| {
                let (scope, key) = (scope.clone(), key.clone());
                Box::pin(async move { read::first_in_line(db, &scope, &key).await })
            })
            .await
    }

    async fn turn_of(&self, run: RunId) -> Result<Option<TurnPlace>, StoreError> {
        self.readers.ask(move |db| Box::pin(read::turn_of(db, run))).await
    }

    async fn runs_in_turn(
        &self,
        buckets: Range<u16>,
        limit: usize,
    ) -> Result<Vec<RunHead>, StoreError> {
        self.readers
            .ask(move |db| {
                let buckets = buckets.clone();
                Box::pin(async move { read::runs_in_turn(db, &buckets, limit).await })
            })
            .await
    }

    async fn tally(
        &self,
        environment: Option<&EnvironmentName>,
        integration: Option<&Name>,
    ) -> Result<Tally, StoreError> {
        let (environment, integration) = (environment.cloned(), integration.cloned());
        self.readers
            .ask(move |db| {
                let (environment, integration) = (environment.clone(), integration.clone());
                Box::pin(async move {
                    let names = (environment.as_ref(), integration.as_ref());
                    read::tally(db, names.0.map(Name::as_str), names.1.map(Name::as_str)).await
                })
            })
            .await
    }

    async fn tally_places(
        &self,
        after: Option<&(EnvironmentName, Name)>,
    ) -> Result<Vec<(EnvironmentName, Name)>, StoreError> {
        let after = after.cloned();
        self.readers
            .ask(move |db| {
                let after = after.clone();
                Box::pin(async move { read::tally_places(db, after.as_ref()).await })
            })
            .await
    }

    async fn ledger(&self, filter: &LedgerFilter) -> Result<Vec<LedgerEntry>, StoreError> {
        let filter = filter.clone();
        self.readers
            .ask(move |db| {
                let filter = filter.clone();
                Box::pin(async move { read::ledger(db, &filter).await })
            })
            .await
    }

    async fn document(&self, kind: &str, name: &str) -> Result<Option<Document>, StoreError> {
        let (kind, name) = (kind.to_owned(), name.to_owned());
        self.readers
            .ask(move |db| {
                let (kind, name) = (kind.clone(), name.clone());
                Box::pin(async move { read::document(db, &kind, &name).await })
            })
            .await
    }

    async fn documents(
        &self,
        kind: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Document>, StoreError> {
        let (kind, after) = (kind.to_owned(), after.map(str::to_owned));
        self.readers
            .ask(move |db| {
                let (kind, after) = (kind.clone(), after.clone());
                Box::pin(async move { read::documents(db, &kind, after.as_deref(), limit).await })
            })
            .await
    }

    async fn key_owner(&self, scope: &str, key: &str) -> Result<Option<RunId>, StoreError> {
        let (scope, key) = (scope.to_owned(), key.to_owned());
        self.readers
            .ask(move |db| {
                let (scope, key) = (scope.clone(), key.clone());
                Box::pin(async move { read::key_owner(db, &scope, &key).await })
            })
            .await
    }

    async fn erase(&self, runs: &[RunId], signals: &[u64]) -> Result<Erased, StoreError> {
        erase::erase(self, runs, signals).await
    }

    async fn scrub(&self) -> Result<(), StoreError> {
        erase::scrub(self).await
    }

    async fn prune(&self, retention: &Retention, limit: usize) -> Result<Pruned, StoreError> {
        prune::prune(self, retention, limit).await
    }
}
