//! A full disk, a long question, a log that grows.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use qc_sql::sqlite::{SqliteOptions, SqliteStore};
use qc_store::{
    LedgerFilter, LedgerKind, RunFilter, Store, StoreError, Write, WriteOutcome,
    conformance::Fixture,
};

fn batch(runs: std::ops::Range<u128>) -> Vec<Write> {
    runs.map(|n| Write::Accept(Box::new(Fixture::accept(n)))).collect()
}

/// A file system of four mebibytes, gone at the end of the test.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &Path) -> Option<Self> {
        let done = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"])
            .arg(at)
            .status()
            .is_ok_and(|status| status.success());
        done.then(|| Self(at.to_owned()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[tokio::test]
async fn a_full_disk_refuses_whole_batches_and_room_heals_it() {
    let directory = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(directory.path()) else {
        println!("SKIPPED: no right to mount a small file system; the full disk is not tested");
        return;
    };
    let ballast = disk.0.join("ballast");
    fs::write(&ballast, vec![0; 1 << 20]).unwrap();
    let store = SqliteStore::open(disk.0.join("qc.db"), SqliteOptions::default()).unwrap();
    let mut accepted = 0;
    let refused = loop {
        match store.write(batch(accepted..accepted + 50)).await {
            Ok(_) => accepted += 50,
            Err(error) => break error,
        }
        assert!(accepted < 100_000, "four mebibytes never fill");
    };
    assert!(matches!(refused, StoreError::Full(_)), "{refused}");
    assert!(accepted > 0);
    for n in 0..accepted {
        assert!(store.run(Fixture::run(n)).await.unwrap().is_some(), "run {n} was answered");
    }
    for n in accepted..accepted + 50 {
        assert_eq!(store.run(Fixture::run(n)).await.unwrap(), None, "run {n} was refused");
    }
    let of_refused = LedgerFilter { run: Some(Fixture::run(accepted)), ..LedgerFilter::default() };
    assert_eq!(store.ledger(&of_refused).await.unwrap(), []);
    fs::remove_file(&ballast).unwrap();
    store.write(batch(accepted..accepted + 50)).await.unwrap();
    for n in 0..accepted + 50 {
        assert!(store.run(Fixture::run(n)).await.unwrap().is_some());
    }
    drop(store);
    let store = SqliteStore::open(disk.0.join("qc.db"), SqliteOptions::default()).unwrap();
    assert!(store.run(Fixture::run(accepted)).await.unwrap().is_some());
}

#[tokio::test]
async fn a_question_that_takes_too_long_is_cut_off() {
    let directory = tempfile::tempdir().unwrap();
    let options = SqliteOptions { read_time: Duration::ZERO, ..SqliteOptions::default() };
    let store = SqliteStore::open(directory.path().join("qc.db"), options).unwrap();
    for n in 0..20 {
        store.write(batch(n * 500..(n + 1) * 500)).await.unwrap();
    }
    let rare = LedgerFilter { kinds: vec![LedgerKind::Decision], ..LedgerFilter::default() };
    let answer = store.ledger(&rare).await;
    assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    assert!(store.run(Fixture::run(1)).await.unwrap().is_some(), "quick ones are answered");
}

#[tokio::test]
async fn the_log_is_bounded_while_commits_follow_each_other() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("qc.db");
    let bound = 2 << 20;
    let options = SqliteOptions { wal_bytes_max: bound, ..SqliteOptions::default() };
    let store = SqliteStore::open(&path, options).unwrap();
    let mut largest = 0;
    for n in 0..100 {
        let outcomes = store.write(batch(n * 100..(n + 1) * 100)).await.unwrap();
        assert!(outcomes.iter().all(|outcome| matches!(outcome, WriteOutcome::Accept(_))));
        largest = largest.max(fs::metadata(path.with_file_name("qc.db-wal")).unwrap().len());
    }
    let database = fs::metadata(&path).unwrap().len();
    assert!(database > bound, "the pages reach the database: {database}");
    assert!(largest < 2 * bound, "the log grew to {largest}");
    assert_eq!(store.runs(&RunFilter::default()).await.unwrap().len(), 1000);
}
