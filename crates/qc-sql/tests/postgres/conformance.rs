use std::sync::Arc;

use proptest::test_runner::{Config, TestRunner};
use qc_store::{
    Store,
    conformance::{self, Subject, model},
};

use crate::place::{Place, open_now};

/// Fresh databases.
fn databases() -> impl Fn() -> Subject + Send + Sync {
    || {
        let url = Place::fresh().unwrap().url();
        let store: Arc<dyn Store> = open_now(&url);
        let other = url.clone();
        let reopen = move |old: Arc<dyn Store>| -> Arc<dyn Store> {
            drop(old);
            open_now(&url)
        };
        let beside = move || -> Arc<dyn Store> { open_now(&other) };
        Subject { store, reopen: Some(Box::new(reopen)), beside: Some(Box::new(beside)) }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn passes_the_suite() {
    if qc_pgserver::shared().is_some() {
        conformance::all(&databases()).await;
    }
}

#[test]
fn does_what_the_model_does() {
    if qc_pgserver::shared().is_none() {
        return;
    }
    let fresh = databases();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let config = Config { cases: 32, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&model::histories(), |history| {
            runtime.block_on(model::same_as_memory(&fresh, &history));
            Ok(())
        })
        .unwrap();
}
