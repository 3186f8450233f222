use std::{collections::HashMap, time::Duration};

use futures_util::future::join_all;
use tokio::time::timeout;
use tokio_postgres::{Client, Config, Row, Statement, types::ToSql};

use super::{
    Dsn, OpenError, PostgresOptions, schema,
    server_check::{Backend, ServerFacts},
    tls::Tls,
    trouble::{Outcome, Trouble},
};

/// What a statement is given.
pub(super) type Values<'a> = [&'a (dyn ToSql + Sync)];

/// The largest number of statements that a connection keeps prepared.
const STATEMENTS_MAX: usize = 128;

/// How much longer than the server's limit this side waits before it gives a connection up.
const GRACE: Duration = Duration::from_secs(2);

/// Waits for five seconds at most; no row when there is no such process any more.
const END: &str = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity \
     WHERE pid = $1 AND ($2::text IS NULL OR backend_start = $2::text::timestamptz)";

/// What a connection is for: decides how the server plans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Batches. Their statements find few rows by keys in tables of any size: one plan for ever,
    /// along the indexes, whatever the statistics of a young table say.
    Write,
    /// Questions, leases and the removal of old rows: planned by what they ask for.
    Read,
}

/// The advisory locks of parts of the tally ("QCta"), held as long as the connection.
const PART: &str = "SELECT part FROM generate_series(0, 9999) AS part \
     WHERE pg_try_advisory_lock(1363375201, part) LIMIT 1";

const WRITE: &str = "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; \
     SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off";
const READ: &str = "SET plan_cache_mode = force_custom_plan; SET jit = off";

/// How to connect.
#[derive(Clone)]
pub(super) struct Address {
    config: Config,
    tls: Tls,
    connect_time: Duration,
    statement_time: Duration,
    lock_time: Duration,
}

impl Address {
    pub(super) fn new(dsn: &Dsn, options: &PostgresOptions) -> Result<Self, OpenError> {
        let tls = Tls::new(dsn, options.authorities.as_deref())?;
        let mut config = dsn.config.clone();
        config
            .connect_timeout(options.connect_time)
            .keepalives_idle(Duration::from_secs(15))
            .keepalives_interval(Duration::from_secs(5))
            .keepalives_retries(3)
            .tcp_user_timeout(options.statement_time + GRACE);
        let PostgresOptions { connect_time, statement_time, lock_time, .. } = *options;
        Ok(Self { config, tls, connect_time, statement_time, lock_time })
    }

    /// A connection to a server that keeps its word, whatever its schema.
    pub(super) async fn connect(&self) -> Result<(Client, ServerFacts), OpenError> {
        let connecting = async {
            let (client, driver) = self
                .config
                .connect(self.tls.clone())
                .await
                .map_err(|error| OpenError::of(&error))?;
            // Ends when the client is dropped; what it says reaches the waiting statements too.
            tokio::spawn(async move {
                if let Err(error) = driver.await {
                    tracing::debug!(%error, "a connection to PostgreSQL ended");
                }
            });
            let facts = ServerFacts::read(&client).await?;
            facts.check()?;
            let settings = format!(
                "SET synchronous_commit = {}; SET statement_timeout = {}; SET lock_timeout = {}; \
                 SET idle_in_transaction_session_timeout = {}; SET search_path = quickconnect; \
                 SET client_min_messages = warning; SET TimeZone = 'UTC'",
                // Held on to: a change of the server's default does not reach this connection.
                facts.synchronous_commit,
                self.statement_time.as_millis(),
                self.lock_time.as_millis(),
                self.statement_time.as_millis(),
            );
            client.batch_execute(&settings).await.map_err(|error| OpenError::of(&error))?;
            Ok((client, facts))
        };
        match timeout(self.connect_time, connecting).await {
            Ok(connected) => connected,
            Err(_) => Err(OpenError::Unreachable(format!(
                "it did not let anybody in within {} s",
                self.connect_time.as_secs()
            ))),
        }
    }

    /// A connection that is ready for its purpose.
    pub(super) async fn open(&self, purpose: Purpose) -> Outcome<Connection> {
        let (client, facts) = self.connect().await?;
        let ready = async {
            schema::check(&client).await?;
            let settings = if purpose == Purpose::Write { WRITE } else { READ };
            client.batch_execute(settings).await?;
            if purpose == Purpose::Read {
                return Ok(0);
            }
            let row = client.query_opt(PART, &[]).await?;
            row.map_or(Err(Trouble::Late("finding a part of the tally")), |row| Ok(row.try_get(0)?))
        };
        match timeout(self.connect_time, ready).await {
            Ok(ready) => ready.map(|part| Connection {
                client,
                part,
                backend: facts.backend,
                statements: HashMap::new(),
                time: self.statement_time + GRACE,
            }),
            Err(_) => Err(Trouble::Late("setting a connection up")),
        }
    }
}

/// A connection with the statements that were prepared on it.
pub(super) struct Connection {
    client: Client,
    /// Of a connection that writes: the part of the tally that is its own.
    part: i32,
    backend: Backend,
    statements: HashMap<String, Statement>,
    time: Duration,
}

impl Connection {
    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// The server's process behind it.
    pub(super) const fn backend(&self) -> &Backend {
        &self.backend
    }

    /// Ends another connection's process and waits until it is gone.
    pub(super) async fn end(&mut self, other: &Backend) -> Outcome<()> {
        let rows = self.query(END, &[&other.process, &other.began]).await?;
        match rows.first().map(|row| row.try_get(0)).transpose()? {
            None | Some(true) => Ok(()),
            Some(false) => Err(Trouble::Late("ending a connection")),
        }
    }

    /// The part of the tally in which it counts.
    pub(super) const fn part(&self) -> i32 {
        self.part
    }

    /// For statements that were prepared before.
    pub(super) const fn client(&self) -> &Client {
        &self.client
    }

    /// Prepares what was not prepared yet, all in one exchange.
    pub(super) async fn prepare(&mut self, texts: &[&str]) -> Outcome<()> {
        let new: Vec<&str> =
            texts.iter().copied().filter(|text| !self.statements.contains_key(*text)).collect();
        if new.is_empty() {
            return Ok(());
        }
        if self.statements.len() + new.len() > STATEMENTS_MAX {
            self.statements.clear();
            return Box::pin(self.prepare(texts)).await;
        }
        let prepared =
            timeout(self.time, join_all(new.iter().map(|text| self.client.prepare(text))));
        let prepared = prepared.await.map_err(|_| Trouble::Late("preparing a statement"))?;
        for (text, statement) in new.into_iter().zip(prepared) {
            self.statements.insert(text.to_owned(), statement?);
        }
        Ok(())
    }

    /// A statement that [`Connection::prepare`] has prepared.
    pub(super) fn statement(&self, text: &str) -> Outcome<&Statement> {
        self.statements
            .get(text)
            .ok_or_else(|| Trouble::Damaged("a statement was not prepared".to_owned()))
    }

    /// Asks, preparing the question when it is new.
    pub(super) async fn query(&mut self, text: &str, values: &Values<'_>) -> Outcome<Vec<Row>> {
        self.prepare(&[text]).await?;
        let statement = self.statement(text)?;
        self.in_time("a question", self.client.query(statement, values)).await
    }

    /// Does, preparing the statement when it is new; how many rows it touched.
    pub(super) async fn execute(&mut self, text: &str, values: &Values<'_>) -> Outcome<u64> {
        self.prepare(&[text]).await?;
        let statement = self.statement(text)?;
        self.in_time("a statement", self.client.execute(statement, values)).await
    }

    /// Statements without values.
    pub(super) async fn run(&self, text: &str) -> Outcome<()> {
        self.in_time("a statement", self.client.batch_execute(text)).await
    }

    /// The server cuts statements off; this side cuts off a server or network that hangs.
    pub(super) async fn in_time<T>(
        &self,
        what: &'static str,
        answer: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Outcome<T> {
        match timeout(self.time, answer).await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(Trouble::Late(what)),
        }
    }

    /// Several statements in one exchange, within the same time as one.
    pub(super) async fn within<T>(
        &self,
        what: &'static str,
        answers: impl Future<Output = Outcome<T>>,
    ) -> Outcome<T> {
        timeout(self.time, answers).await.unwrap_or(Err(Trouble::Late(what)))
    }
}
