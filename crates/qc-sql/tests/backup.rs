//! A backup made while the store is in use.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use qc_sql::{
    archive::check,
    sqlite::{SqliteOptions, SqliteStore, backup, restore},
};
use qc_store::{Store, Write, conformance::Fixture};
use rusqlite::Connection;
use tempfile::TempDir;

fn open(path: &Path, wal_bytes_max: u64) -> SqliteStore {
    SqliteStore::open(path, SqliteOptions { wal_bytes_max, ..SqliteOptions::default() }).unwrap()
}

fn batch(runs: std::ops::Range<u128>) -> Vec<Write> {
    runs.map(|n| Write::Accept(Box::new(Fixture::keyed(n, &format!("key {n}"), 1)))).collect()
}

async fn filled(path: &Path, runs: u128) -> SqliteStore {
    let store = open(path, 1 << 20);
    for from in (0..runs).step_by(100) {
        store.write(batch(from..from + 100)).await.unwrap();
    }
    store
}

fn place() -> (TempDir, PathBuf) {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("qc.db");
    (directory, path)
}

/// Everything that was answered before the backup is in it, nothing is torn, and commits go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_load_is_whole() {
    let (directory, path) = place();
    let store = Arc::new(filled(&path, 3000).await);
    let (done, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(3000)));
    let writer = {
        let (store, done, written) = (Arc::clone(&store), Arc::clone(&done), Arc::clone(&written));
        tokio::spawn(async move {
            let mut slowest = Duration::ZERO;
            for n in (3000..).step_by(10) {
                if done.load(Ordering::SeqCst) {
                    break;
                }
                let since = Instant::now();
                store.write(batch(n..n + 10)).await.unwrap();
                slowest = slowest.max(since.elapsed());
                written.fetch_add(10, Ordering::SeqCst);
            }
            slowest
        })
    };
    let blobs = directory.path().join("blobs");
    let mut backups = Vec::new();
    for n in 0..3 {
        let to = directory.path().join(format!("backup {n}"));
        let before = written.load(Ordering::SeqCst);
        let (path, blobs) = (path.clone(), blobs.clone());
        let made = tokio::task::spawn_blocking(move || backup(&path, &blobs, &to, Fixture::at(n)));
        let (file, manifest) = made.await.unwrap().unwrap();
        let counts = manifest.counts;
        assert!(counts.runs >= before, "{} of {before}", counts.runs);
        assert_eq!(counts.runs % 10, 0, "no batch is torn");
        assert_eq!(check(&file).unwrap(), manifest);
        backups.push((file, manifest));
    }
    done.store(true, Ordering::SeqCst);
    let slowest = writer.await.unwrap();
    // Far below the five seconds that a lock may be waited for.
    assert!(slowest < Duration::from_secs(3), "a commit took {slowest:?}");
    assert!(written.load(Ordering::SeqCst) > 3000, "commits go on meanwhile");
    for (n, (file, manifest)) in backups.into_iter().enumerate() {
        let to = directory.path().join(format!("restored-{n}.db"));
        let own = directory.path().join(format!("restored-{n}.blobs"));
        assert_eq!(restore(&file, &to, &own, None).unwrap(), manifest);
        let restored = open(&to, 1 << 20);
        let last = u128::from(manifest.counts.runs) - 1;
        assert!(restored.run(Fixture::run(last)).await.unwrap().is_some());
        assert!(restored.run(Fixture::run(last + 1)).await.unwrap().is_none());
        assert_eq!(restored.journal(Fixture::run(last)).await.unwrap().len(), 1);
        let tally = restored.tally(None, None).await.unwrap();
        assert_eq!((tally.counted.accepted, tally.gaps()), (manifest.counts.runs, vec![]));
        restored.write(batch(1 << 60..(1 << 60) + 1)).await.unwrap();
    }
}

/// A reader that stays in the way of beginning the log anew does not hold up commits.
#[tokio::test]
async fn a_long_reader_does_not_stall_commits() {
    let (_directory, path) = place();
    let store = filled(&path, 100).await;
    let reader = Connection::open(&path).unwrap();
    let snapshot = reader.unchecked_transaction().unwrap();
    let count: i64 = snapshot.query_row("SELECT count(*) FROM run", [], |row| row.get(0)).unwrap();
    assert_eq!(count, 100);
    let mut slowest = Duration::ZERO;
    for n in (100..6000).step_by(100) {
        let since = Instant::now();
        store.write(batch(n..n + 100)).await.unwrap();
        slowest = slowest.max(since.elapsed());
    }
    let log = path.with_file_name("qc.db-wal");
    let grown = fs::metadata(&log).unwrap().len();
    assert!(grown > 3 << 20, "the log could not begin anew: {grown}");
    assert!(slowest < Duration::from_secs(3), "a commit took {slowest:?}");
    drop(snapshot);
    for n in (6000..12_000).step_by(100) {
        store.write(batch(n..n + 100)).await.unwrap();
    }
    let now = fs::metadata(&log).unwrap().len();
    assert!(now < grown, "the log is cut to its size again: {now} of {grown}");
}
