//! What cannot be opened is refused with its code, and never served.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    fs,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use qc_sql::{
    codes,
    sqlite::{OpenError, SqliteOptions, SqliteStore},
};
use qc_store::{Accept, LedgerFilter, RunFilter, Store, StoreError, Write, conformance::Fixture};
use rusqlite::Connection;
use tempfile::TempDir;

fn open(path: &Path) -> Result<SqliteStore, OpenError> {
    SqliteStore::open(path, SqliteOptions::default())
}

fn refusal(path: &Path) -> OpenError {
    let Err(error) = open(path) else { panic!("{} was opened", path.display()) };
    error
}

fn place() -> (TempDir, PathBuf) {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("qc.db");
    (directory, path)
}

fn batch(runs: std::ops::Range<u128>) -> Vec<Write> {
    let accept = |n| Accept { ..Fixture::keyed(n, &format!("key {n}"), 1) };
    runs.map(|n| Write::Accept(Box::new(accept(n)))).collect()
}

/// A database of a few hundred pages, closed.
async fn filled(path: &Path) {
    let store = open(path).unwrap();
    for chunk in 0..10u128 {
        store.write(batch(chunk * 100..(chunk + 1) * 100)).await.unwrap();
    }
}

#[test]
fn what_is_not_ours_is_refused() {
    let (directory, path) = place();
    let missing = directory.path().join("nowhere").join("qc.db");
    assert_eq!(refusal(&missing).finding().code, codes::DIRECTORY_MISSING);
    assert_eq!(refusal(directory.path()).finding().code, codes::NOT_A_DATABASE);
    fs::write(&path, "a text that is long enough for a header, but is no database").unwrap();
    assert_eq!(refusal(&path).finding().code, codes::NOT_A_DATABASE);
    fs::write(&path, "short").unwrap();
    assert_eq!(refusal(&path).finding().code, codes::NOT_A_DATABASE);
    fs::remove_file(&path).unwrap();
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs (a)").unwrap();
    assert_eq!(refusal(&path).finding().code, codes::FOREIGN);
    fs::write(&path, "").unwrap();
    assert!(open(&path).is_ok(), "an empty file is a new database");
}

#[test]
fn a_newer_schema_is_refused() {
    let (_directory, path) = place();
    drop(open(&path).unwrap());
    let db = Connection::open(&path).unwrap();
    db.pragma_update(None, "user_version", 5).unwrap();
    drop(db);
    assert!(matches!(refusal(&path), OpenError::NewerSchema { found: 5, known: 4 }));
    assert_eq!(refusal(&path).finding().code, codes::NEWER_SCHEMA);
}

#[test]
fn one_process_at_a_time() {
    let (_directory, path) = place();
    let first = open(&path).unwrap();
    assert_eq!(refusal(&path).finding().code, codes::LOCKED);
    drop(first);
    assert!(open(&path).is_ok());
}

#[tokio::test]
async fn a_clean_end_leaves_no_log_and_a_sound_file() {
    let (_directory, path) = place();
    filled(&path).await;
    assert!(!path.with_file_name("qc.db-wal").exists());
    let db = Connection::open(&path).unwrap();
    let answer: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(answer, "ok");
}

/// Opens a damaged copy and reads all of it: refused, an error, or right; never a panic.
async fn is_refused_or_errs(path: &Path) -> bool {
    let store = match open(path) {
        Ok(store) => store,
        Err(error) => {
            let code = error.finding().code;
            let expected = [
                codes::DAMAGED,
                codes::NOT_A_DATABASE,
                codes::FOREIGN,
                codes::NEWER_SCHEMA,
                codes::READ_ONLY,
            ];
            assert!(expected.contains(&code), "{error}");
            return true;
        }
    };
    let runs = store.runs(&RunFilter::default()).await;
    let ledger = store.ledger(&LedgerFilter::default()).await;
    let written = store.write(batch(5000..5001)).await;
    let errors: Vec<_> = [runs.err(), ledger.err(), written.err()].into_iter().flatten().collect();
    for error in &errors {
        assert!(matches!(error, StoreError::Corrupt(_)), "{error}");
    }
    !errors.is_empty()
}

#[tokio::test]
async fn damage_is_found() {
    let (directory, path) = place();
    filled(&path).await;
    let sound = fs::read(&path).unwrap();
    let pages = sound.len() / 4096;
    assert!(pages > 100);
    let copy = directory.path().join("copy.db");
    for length in [100, 511, 4096, 4097, sound.len() / 2, sound.len() - 4096] {
        fs::write(&copy, &sound[..length]).unwrap();
        assert!(is_refused_or_errs(&copy).await, "truncated to {length}");
    }
    // The page size, the schema's cookie, the text encoding, the root of the schema.
    for (at, byte) in [(16, 0x03), (18, 9), (56, 7), (100, 0x11)] {
        let mut bytes = sound.clone();
        bytes[at] = byte;
        fs::write(&copy, &bytes).unwrap();
        let _ = is_refused_or_errs(&copy).await;
    }
    let mut found = 0;
    let tried = [1, 2, 3, 5, 7, pages / 3, pages / 2, pages - 2];
    for page in tried {
        let mut bytes = sound.clone();
        for (i, byte) in bytes[page * 4096..(page + 1) * 4096].iter_mut().enumerate() {
            *byte = (i * 131 + page * 31 + 7).to_le_bytes()[0] | 1;
        }
        fs::write(&copy, &bytes).unwrap();
        found += usize::from(is_refused_or_errs(&copy).await);
    }
    assert_eq!(found, tried.len(), "a page of garbage is always found");
}

/// What a crash leaves: the database and its log as they are while the store is open.
async fn crashed_copy(path: &Path, to: &Path, batches: u128) {
    let store = Arc::new(open(path).unwrap());
    for n in 0..batches {
        store.write(batch(n * 3..n * 3 + 3)).await.unwrap();
    }
    fs::copy(path, to).unwrap();
    fs::copy(path.with_file_name("qc.db-wal"), to.with_file_name("copy.db-wal")).unwrap();
}

#[tokio::test]
async fn a_flipped_bit_in_the_log_never_drops_answered_commits() {
    let (directory, path) = place();
    let copy = directory.path().join("copy.db");
    crashed_copy(&path, &copy, 20).await;
    let wal = copy.with_file_name("copy.db-wal");
    let sound = fs::read(&wal).unwrap();
    let database = fs::read(&copy).unwrap();
    let frames = (sound.len() - 32) / (24 + 4096);
    for frame in [0, 1, frames / 2] {
        fs::write(&copy, &database).unwrap();
        fs::write(&wal, &sound).unwrap();
        let file = fs::OpenOptions::new().write(true).open(&wal).unwrap();
        let at = 32 + frame * (24 + 4096) + 24 + 1000;
        file.write_all_at(&[sound[at] ^ 4], at as u64).unwrap();
        assert_eq!(refusal(&copy).finding().code, codes::DAMAGED, "frame {frame} of {frames}");
    }
    // The torn end of a power loss is no damage: nothing behind it was answered.
    fs::write(&copy, &database).unwrap();
    fs::write(&wal, &sound[..sound.len() - 5000]).unwrap();
    let store = open(&copy).unwrap();
    assert!(store.run(Fixture::run(1)).await.unwrap().is_some());
    drop(store);
    fs::write(&copy, &database).unwrap();
    fs::write(&wal, &sound).unwrap();
    let store = open(&copy).unwrap();
    assert!(store.run(Fixture::run(59)).await.unwrap().is_some());
}
