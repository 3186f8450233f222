//! The store passes the suite of qc-store, and does what the in-memory model does.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use proptest::test_runner::{Config, TestRunner};
use qc_sql::sqlite::{SqliteOptions, SqliteStore};
use qc_store::{
    Store,
    conformance::{self, Subject, model},
};
use tempfile::TempDir;

/// Fresh databases in one directory, which goes with the factory.
fn databases() -> impl Fn() -> Subject + Send + Sync {
    let directory = Arc::new(TempDir::new().unwrap());
    let count = AtomicUsize::new(0);
    move || {
        let number = count.fetch_add(1, Ordering::Relaxed);
        let path = directory.path().join(format!("{number}.db"));
        // A small log, so that emptying it is part of every check.
        let options = SqliteOptions { wal_bytes_max: 1 << 20, ..SqliteOptions::default() };
        let store = SqliteStore::open(&path, options.clone()).unwrap();
        let reopen = move |old: Arc<dyn Store>| -> Arc<dyn Store> {
            assert_eq!(Arc::strong_count(&old), 1, "the old store goes before the new one opens");
            drop(old);
            Arc::new(SqliteStore::open(&path, options.clone()).unwrap())
        };
        Subject { store: Arc::new(store), reopen: Some(Box::new(reopen)), beside: None }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passes_the_suite() {
    conformance::all(&databases()).await;
}

#[test]
fn does_what_the_model_does() {
    let fresh = databases();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let config = Config { cases: 48, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&model::histories(), |history| {
            runtime.block_on(model::same_as_memory(&fresh, &history));
            Ok(())
        })
        .unwrap();
}
