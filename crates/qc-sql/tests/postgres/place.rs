//! Databases, and stores on them.

use std::sync::{Arc, LazyLock, mpsc};

use qc_pgserver::Server;
use qc_sql::postgres::{Dsn, OpenError, PostgresOptions, PostgresStore};
use tokio::{runtime::Runtime, task::JoinHandle};

/// Drives connections of stores that are made where nobody can wait.
static BACKGROUND: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

/// A database of its own on the shared server.
pub(crate) struct Place {
    pub(crate) server: &'static Server,
    pub(crate) database: String,
}

impl Place {
    /// None, said loudly, when there is no PostgreSQL.
    pub(crate) fn fresh() -> Option<Self> {
        let server = qc_pgserver::shared()?;
        Some(Self { server, database: server.database() })
    }

    pub(crate) fn url(&self) -> String {
        self.server.url(&self.database)
    }

    pub(crate) async fn open(&self) -> PostgresStore {
        open(&self.url()).await.unwrap()
    }

    /// Holds what a statement locks for so many seconds; returns when it is held.
    pub(crate) fn hold(&self, statement: &str, seconds: u32) -> JoinHandle<String> {
        let (server, database) = (self.server, self.database.clone());
        let sql = format!("BEGIN; {statement}; SELECT pg_sleep({seconds}); COMMIT");
        let holder = tokio::task::spawn_blocking(move || server.sql(&database, &sql));
        self.wait_for("wait_event = 'PgSleep'");
        holder
    }

    /// Waits until a connection of the database is as the condition says.
    pub(crate) fn wait_for(&self, condition: &str) {
        let count = format!(
            "SELECT count(*) FROM pg_stat_activity \
             WHERE {condition} AND datname = current_database()"
        );
        tokio::task::block_in_place(|| {
            while self.sql(&count) == "0" {
                std::thread::yield_now();
            }
        });
    }

    pub(crate) fn sql(&self, sql: &str) -> String {
        self.server.sql(&self.database, sql)
    }
}

pub(crate) async fn open(url: &str) -> Result<PostgresStore, OpenError> {
    PostgresStore::open(&Dsn::parse(url).unwrap(), &PostgresOptions::default()).await
}

/// Opens from code that cannot wait.
pub(crate) fn open_now(url: &str) -> Arc<PostgresStore> {
    let (done, opened) = mpsc::channel();
    let dsn = Dsn::parse(url).unwrap();
    BACKGROUND.spawn(async move {
        // Few connections: the suite opens many stores.
        let options = PostgresOptions { writers: 2, readers: 2, ..PostgresOptions::default() };
        done.send(PostgresStore::open(&dsn, &options).await)
    });
    Arc::new(opened.recv().unwrap().unwrap())
}
