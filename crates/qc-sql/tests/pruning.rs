//! Removing a backlog does not hold commits up.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use qc_sql::sqlite::{SqliteOptions, SqliteStore};
use qc_store::{Pruned, Retention, RunStatus, Store, Write, conformance::Fixture};

const RUNS: u128 = 50_000;

fn batch(runs: std::ops::Range<u128>) -> Vec<Write> {
    let ended = |n| {
        let mut accept = Fixture::accept(n);
        accept.state = Fixture::ended(RunStatus::Completed, 1);
        accept.ledger.clear();
        Write::Accept(Box::new(accept))
    };
    runs.map(ended).collect()
}

/// Fifty thousand runs go in one prune, and commits come between its steps all the while: about one after each. (How
/// small a step is, is a test beside it; nothing here is timed.)
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_go_on_while_fifty_thousand_runs_go() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("qc.db");
    let store = Arc::new(SqliteStore::open(&path, SqliteOptions::default()).unwrap());
    for from in (0..RUNS).step_by(500) {
        store.write(batch(from..from + 500)).await.unwrap();
    }
    let done = Arc::new(AtomicBool::new(false));
    let commits = {
        let (store, done) = (Arc::clone(&store), Arc::clone(&done));
        tokio::spawn(async move {
            let mut commits = 0u128;
            while !done.load(Ordering::SeqCst) {
                let open = Write::Accept(Box::new(Fixture::accept(RUNS + commits)));
                store.write(vec![open]).await.unwrap();
                commits += 1;
            }
            commits
        })
    };
    let far = Fixture::at(1_000_000_000);
    let never = Fixture::at(-1_000_000);
    let retention = Retention { completed_since: far, ..Retention::at(never, never) };
    let gone = store.prune(&retention, 100_000).await.unwrap();
    done.store(true, Ordering::SeqCst);
    let commits = commits.await.unwrap();
    assert_eq!(gone, Pruned { runs: 50_000, ..Pruned::default() });
    // About ninety runs fit into a step: there were more than five hundred of them.
    assert!(commits > 200, "{commits} commits while 50,000 runs went");
    let tally = store.tally(None, None).await.unwrap();
    assert_eq!((tally.gaps(), tally.counted.pruned.completed), (vec![], 50_000));
    assert_eq!(u128::from(tally.held.running), commits);
}
