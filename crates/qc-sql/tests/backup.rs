//! A backup made while the store is in use, and what becomes of it.

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
    codes,
    sqlite::{BackupError, SqliteOptions, SqliteStore, restore, verify},
};
use qc_store::{RunFilter, Store, Write, conformance::Fixture};
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
    let mut backups = Vec::new();
    for n in 0..3 {
        let folder = directory.path().join(format!("backup {n}"));
        let before = written.load(Ordering::SeqCst);
        let facts = store.backup(&folder, Fixture::at(n)).await.unwrap();
        assert!(facts.counts.runs >= before, "{} of {before}", facts.counts.runs);
        assert_eq!(facts.counts.runs % 10, 0, "no batch is torn");
        assert_eq!(verify(&folder).unwrap(), facts);
        backups.push((folder, facts));
    }
    done.store(true, Ordering::SeqCst);
    let slowest = writer.await.unwrap();
    // Far below the five seconds that a lock may be waited for.
    assert!(slowest < Duration::from_secs(3), "a commit took {slowest:?}");
    assert!(written.load(Ordering::SeqCst) > 3000, "commits go on meanwhile");
    for (n, (folder, facts)) in backups.into_iter().enumerate() {
        let names: Vec<_> =
            fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names.len(), 2, "{names:?}");
        let to = directory.path().join(format!("restored-{n}.db"));
        assert_eq!(restore(&folder, &to).unwrap(), facts);
        let restored = open(&to, 1 << 20);
        let last = u128::from(facts.counts.runs) - 1;
        assert!(restored.run(Fixture::run(last)).await.unwrap().is_some());
        assert!(restored.run(Fixture::run(last + 1)).await.unwrap().is_none());
        assert_eq!(restored.journal(Fixture::run(last)).await.unwrap().len(), 1);
        let tally = restored.tally(None, None).await.unwrap();
        assert_eq!((tally.counted.accepted, tally.gaps()), (facts.counts.runs, vec![]));
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

#[tokio::test]
async fn nothing_is_overwritten() {
    let (directory, path) = place();
    let store = filled(&path, 100).await;
    let taken = |error: BackupError| {
        assert!(matches!(error, BackupError::Taken(_)), "{error}");
        assert_eq!(error.finding().code, codes::PLACE_TAKEN);
    };
    let folder = directory.path().join("backup");
    fs::create_dir(&folder).unwrap();
    store.backup(&folder, Fixture::at(0)).await.unwrap();
    let manifest = fs::read(folder.join("manifest.json")).unwrap();
    taken(store.backup(&folder, Fixture::at(1)).await.unwrap_err());
    taken(store.backup(&path, Fixture::at(1)).await.unwrap_err());
    assert_eq!(fs::read(folder.join("manifest.json")).unwrap(), manifest);
    let nowhere = directory.path().join("no").join("where");
    assert!(store.backup(&nowhere, Fixture::at(1)).await.is_err());

    let error = restore(&folder, &path).unwrap_err();
    assert_eq!(error.finding().code, codes::LOCKED, "a server uses it");
    drop(store);
    let before = fs::read(&path).unwrap();
    taken(restore(&folder, &path).unwrap_err());
    assert_eq!(fs::read(&path).unwrap(), before);
    let to = directory.path().join("new.db");
    // A log without its database would be taken for that of the restored one.
    let log = directory.path().join("new.db-wal");
    fs::write(&log, "left behind").unwrap();
    taken(restore(&folder, &to).unwrap_err());
    assert!(!to.exists());
    fs::remove_file(&log).unwrap();
    // What an interrupted restore has left is in nobody's way.
    fs::write(directory.path().join("new.db.restoring"), "half").unwrap();
    restore(&folder, &to).unwrap();
    assert!(!directory.path().join("new.db.restoring").exists());
    let error = restore(&folder, &nowhere.join("qc.db")).unwrap_err();
    assert_eq!(error.finding().code, codes::DIRECTORY_MISSING);
}

#[tokio::test]
async fn what_is_not_as_it_was_written_is_not_restored() {
    let (directory, path) = place();
    let store = filled(&path, 200).await;
    let folder = directory.path().join("backup");
    store.backup(&folder, Fixture::at(0)).await.unwrap();
    drop(store);
    let (database, manifest) = (folder.join("quickconnect.db"), folder.join("manifest.json"));
    let (sound, facts) = (fs::read(&database).unwrap(), fs::read_to_string(&manifest).unwrap());
    let to = directory.path().join("restored.db");
    let refused = |what: &str| {
        for error in [verify(&folder).unwrap_err(), restore(&folder, &to).unwrap_err()] {
            assert!(matches!(error, BackupError::Damaged { .. }), "{what}: {error}");
            assert_eq!(error.finding().code, codes::BACKUP_DAMAGED);
        }
        assert!(!to.exists(), "{what}");
        assert!(!directory.path().join("restored.db.restoring").exists(), "{what}");
    };
    let mut flipped = sound.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    fs::write(&database, &flipped).unwrap();
    refused("a flipped bit");
    fs::write(&database, &sound[..sound.len() - 4096]).unwrap();
    refused("a missing end");
    fs::write(&database, &sound).unwrap();
    for (what, text) in [
        ("no JSON", "{"),
        ("no facts", "{}"),
        ("another format", &facts.replace("\"format\": 1", "\"format\": 2")),
        ("another hash", &facts.replace("\"sha256\": \"", "\"sha256\": \"0")),
    ] {
        assert_ne!(text, facts);
        fs::write(&manifest, text).unwrap();
        refused(what);
    }
    fs::remove_file(&manifest).unwrap();
    refused("no manifest");
    let newer = facts.replace("\"schema\": 3", "\"schema\": 4");
    assert_ne!(newer, facts);
    fs::write(&manifest, newer).unwrap();
    assert_eq!(restore(&folder, &to).unwrap_err().finding().code, codes::NEWER_SCHEMA);
    fs::write(&manifest, &facts).unwrap();
    restore(&folder, &to).unwrap();
    let restored = open(&to, 1 << 20);
    assert_eq!(restored.runs(&RunFilter::default()).await.unwrap().len(), 200);
}

/// A backup of an odd name, and one that nobody waits for.
#[tokio::test]
async fn a_backup_that_nobody_waits_for_leaves_nothing() {
    let (directory, path) = place();
    let store = filled(&path, 4000).await;
    let folder = directory.path().join("100% ?odd#name");
    {
        let backup = store.backup(&folder, Fixture::at(0));
        tokio::pin!(backup);
        let first = tokio::select! {
            biased;
            made = &mut backup => Some(made),
            () = std::future::ready(()) => None,
        };
        assert!(first.is_none(), "it is under way");
        let second = store.backup(&directory.path().join("other"), Fixture::at(0)).await;
        assert!(matches!(second, Err(BackupError::UnderWay)), "{second:?}");
    }
    // The one that was given up ends soon, with nothing or (when it was quicker) with all.
    let made = loop {
        match store.backup(&directory.path().join("again"), Fixture::at(0)).await {
            Err(BackupError::UnderWay) => tokio::task::yield_now().await,
            made => break made.unwrap(),
        }
    };
    assert_eq!(made.counts.runs, 4000);
    assert!(!folder.exists() || verify(&folder).is_ok());
    store.backup(&directory.path().join("? odd#"), Fixture::at(0)).await.unwrap();
}
