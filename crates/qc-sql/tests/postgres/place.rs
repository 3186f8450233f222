//! Databases, and stores on them.

use std::sync::{Arc, LazyLock, mpsc};

use qc_pgserver::Server;
use qc_sql::postgres::{Dsn, OpenError, PostgresOptions, PostgresStore};
use tokio::runtime::Runtime;

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
