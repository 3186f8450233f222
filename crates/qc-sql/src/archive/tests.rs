//! Everything that a store can hold, taken out of either database and put into either.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use qc_model::{Body, RunId, Timestamp};
use qc_store::{
    DeadFilter, DeadState, Expect, LedgerFilter, LedgerKind, Op, Retention, RunStatus,
    SignalFilter, Store, Txn, TxnOutcome, Write, WriteOutcome,
    blobs::{Blobs, FolderBlobs},
    conformance::Fixture,
};
use tempfile::TempDir;

use super::*;
use crate::{
    codes,
    postgres::{self, Dsn, PostgresOptions, PostgresStore},
    sqlite::{self, SqliteOptions, SqliteStore},
};

/// A database of either kind, with its large bodies.
enum Home {
    Sqlite(PathBuf),
    Postgres(Box<Dsn>),
}

impl Home {
    fn sqlite(folder: &Path, name: &str) -> Self {
        Self::Sqlite(folder.join(name))
    }

    /// None, said loudly, when there is no PostgreSQL.
    fn postgres() -> Option<Self> {
        let server = qc_pgserver::shared()?;
        let dsn = Dsn::parse(&server.url(&server.database())).unwrap();
        Some(Self::Postgres(Box::new(dsn)))
    }

    fn blobs_folder(path: &Path) -> PathBuf {
        path.with_extension("blobs")
    }

    async fn open(&self) -> (Box<dyn Store>, Box<dyn Blobs>) {
        match self {
            Self::Sqlite(path) => (
                Box::new(SqliteStore::open(path, SqliteOptions::default()).unwrap()),
                Box::new(FolderBlobs::open(Self::blobs_folder(path)).unwrap()),
            ),
            Self::Postgres(dsn) => {
                let store = PostgresStore::open(dsn, &PostgresOptions::default()).await.unwrap();
                let blobs = store.blobs();
                (Box::new(store), Box::new(blobs))
            }
        }
    }

    async fn backup(&self, to: &Path) -> Result<Manifest, ArchiveError> {
        let at = Fixture::at(1);
        let made = match self {
            Self::Sqlite(path) => sqlite::backup(path, &Self::blobs_folder(path), to, at),
            Self::Postgres(dsn) => postgres::backup(dsn, &PostgresOptions::default(), to, at).await,
        };
        made.map(|(_, manifest)| manifest)
    }

    async fn restore(&self, from: &Path, replace: bool) -> Result<Manifest, ArchiveError> {
        match self {
            Self::Sqlite(path) => {
                let moment = replace.then(|| Fixture::at(2));
                sqlite::restore(from, path, &Self::blobs_folder(path), moment)
            }
            Self::Postgres(dsn) => {
                postgres::restore(from, dsn, &PostgresOptions::default(), replace).await
            }
        }
    }
}

async fn write(store: &dyn Store, write: Write) -> WriteOutcome {
    store.write(vec![write]).await.unwrap().remove(0)
}

/// Large bodies of runs 1 and 2: one that both hold, an empty one, one of several chunks.
fn bodies() -> Vec<(RunId, Vec<u8>)> {
    let large: Vec<u8> = (0..700_001u32).map(|n| n.to_le_bytes()[0] ^ n.to_le_bytes()[1]).collect();
    vec![
        (Fixture::run(1), b"shared".to_vec()),
        (Fixture::run(2), b"shared".to_vec()),
        (Fixture::run(1), Vec::new()),
        (Fixture::run(2), large),
    ]
}

/// Something of every kind; some of it pruned. Returns the last places of the ledger and of signals.
async fn fill(store: &dyn Store, blobs: &dyn Blobs) -> (u64, u64) {
    let lease = store.lease(0..1024, "a", Duration::from_secs(60)).await.unwrap().unwrap();
    for n in 1..=8u128 {
        let mut accept = Fixture::keyed(n, &format!("key {n} \0\u{1}ä"), 1);
        accept.signals = vec![Fixture::signal(i64::try_from(n).unwrap(), "x")];
        accept.waits =
            vec![Fixture::wait(&format!("w{n}"), if n > 4 { "" } else { "x" }, "s", "1")];
        accept.keys = vec![Fixture::run_key("order", &n.to_string())];
        accept.run.trace = (n == 2).then(|| "trace\0".to_owned());
        accept.run.replay_of = (n == 3).then(|| Fixture::run(1));
        if n >= 7 {
            let line = Fixture::in_line(n, "k");
            (accept.turn, accept.state) = (line.turn, line.state);
        }
        write(store, Write::Accept(Box::new(accept))).await;
    }
    let commit = async |txn: Txn| {
        let outcome =
            write(store, Write::Commit { lease: lease.clone(), txn: Box::new(txn) }).await;
        assert!(
            matches!(outcome, WriteOutcome::Commit(TxnOutcome::Committed { .. })),
            "{outcome:?}"
        );
    };
    for version in 1..12 {
        let entry = Op::Journal(Fixture::entry(&format!("step {version}")));
        commit(Fixture::step(1, version, vec![entry])).await;
    }
    for n in [2, 3] {
        let ops = vec![Op::Dead(Fixture::letter(n, "escalation"))];
        commit(Txn { ops, ..Fixture::into_state(n, 1, Fixture::ended(RunStatus::Faulted, 5)) })
            .await;
    }
    commit(Fixture::step(3, 2, vec![Op::SettleDead(DeadState::Retried)])).await;
    commit(Fixture::into_state(4, 1, Fixture::ended(RunStatus::Completed, 4))).await;
    commit(Fixture::into_state(5, 1, Fixture::waiting(9))).await;
    commit(Fixture::into_state(6, 1, Fixture::ended(RunStatus::Cancelled, 99))).await;
    let claim = Write::Claim { lease: lease.clone(), runs: vec![Fixture::run(7)] };
    write(store, claim).await;
    for name in ["a", "b\u{1}"] {
        let put = Fixture::put("kind", name, Expect::Any, "{}");
        write(store, Write::Change(Box::new(Fixture::change(vec![put])))).await;
    }
    let mut change = Fixture::change(vec![Fixture::put("kind", "a", Expect::Any, "{\"v\":2}")]);
    change.ledger = vec![Fixture::row(1, LedgerKind::Audit, "done")];
    write(store, Write::Change(Box::new(change))).await;
    for (run, body) in bodies() {
        blobs.put(run, Body::Bytes(body.into()).into_stream(), 1 << 30).await.unwrap();
    }
    let newest = store.ledger(&LedgerFilter::default()).await.unwrap().last().unwrap().seq;
    let signal = store.signals(&SignalFilter::default()).await.unwrap().last().unwrap().seq;
    // Run 4, and the newest rows of all: their places must not be given again.
    let retention = Retention {
        signals_now: Fixture::at(1 << 40),
        ..Retention::at(Fixture::at(0), Fixture::at(5))
    };
    let gone = store.prune(&retention, 100).await.unwrap();
    assert_eq!((gone.runs, gone.signals), (1, 8));
    (newest, signal)
}

/// All rows of an archive by part, in no order but that of a journal and of a line.
fn rows(archive: &Path) -> Vec<(&'static str, Vec<Row>)> {
    let mut reader = Reader::open(archive).unwrap();
    let mut all: Vec<(&'static str, Vec<Row>)> = Vec::new();
    while let Some(item) = reader.next().unwrap() {
        match item {
            // Floors are rounded up on PostgreSQL.
            Item::Row(part, _) if part.name == parts::FACTS => {}
            Item::Row(part, row) => match all.last_mut() {
                Some((name, rows)) if *name == part.name => rows.push(row),
                _ => all.push((part.name, vec![row])),
            },
            Item::Chunk(bytes) => match all.last_mut().and_then(|(_, rows)| rows.last_mut()) {
                Some(row) => match row.get_mut(2) {
                    Some(Cell::Bytes(body)) => body.extend(bytes),
                    _ => row.push(Cell::Bytes(bytes)),
                },
                None => panic!("a chunk of nothing"),
            },
        }
    }
    for (name, rows) in &mut all {
        match *name {
            "turn" => {}
            "journal" => rows.sort_by_key(|row| format!("{:?}", row[0])),
            _ => rows.sort_by_key(|row| format!("{row:?}")),
        }
    }
    all
}

/// What must hold of a store that was restored.
async fn goes_on(home: &Home, (ledger, signal): (u64, u64)) {
    let (store, blobs) = home.open().await;
    let tally = store.tally(None, None).await.unwrap();
    assert_eq!((tally.gaps(), tally.counted.accepted, tally.held.runs()), (vec![], 8, 7));
    let (seen, alive) = (store.leases().await.unwrap(), store.nodes().await.unwrap());
    assert_eq!((seen, alive), (vec![], vec![]), "leases and nodes are not carried over");
    let journal = store.journal(Fixture::run(1)).await.unwrap();
    assert_eq!(journal.len(), 12, "in its order: {journal:?}");
    assert_eq!(journal[11], Fixture::entry("step 11"));
    let dead = store.dead_letters(&DeadFilter::default()).await.unwrap();
    assert_eq!(dead.len(), 2);
    let first = store.first_in_line(&Fixture::turn("k").scope, "k").await.unwrap();
    assert_eq!(first, Some(Fixture::run(7)));
    let owner = store.key_owner("acme/production/case-opened", "key 2 \0\u{1}ä").await.unwrap();
    assert_eq!(owner, Some(Fixture::run(2)));
    for (run, body) in bodies() {
        let hash = Body::Bytes(body.clone().into());
        let hash = blobs.put(run, hash.into_stream(), 1 << 30).await.unwrap().hash;
        let found = qc_store::blobs::conformance::collected(&*blobs, run, hash).await.unwrap();
        assert!(found == body, "a large body of {} bytes", body.len());
    }
    // A repeat is one, a step follows, and places go on above all that were given.
    let lease = store.lease(0..1024, "b", Duration::from_secs(60)).await.unwrap().unwrap();
    assert!(lease.epoch > 1, "epochs go on rising: {}", lease.epoch);
    let ops = vec![Op::Journal(Fixture::entry("after")), Op::Signal(Fixture::signal(77, "x"))];
    let txn = Box::new(Fixture::step(1, 12, ops));
    let outcome = write(&*store, Write::Commit { lease, txn }).await;
    assert_eq!(outcome, WriteOutcome::Commit(TxnOutcome::Committed { version: 13 }));
    assert_eq!(
        store.journal(Fixture::run(1)).await.unwrap().last(),
        Some(&Fixture::entry("after"))
    );
    let signals = store.signals(&SignalFilter::default()).await.unwrap();
    assert!(signals[0].seq > signal, "{} after {signal}", signals[0].seq);
    let mut change = Fixture::change(vec![]);
    change.ledger = vec![Fixture::row(1, LedgerKind::Audit, "after")];
    write(&*store, Write::Change(Box::new(change))).await;
    let rows = store.ledger(&LedgerFilter::default()).await.unwrap();
    assert!(rows.last().unwrap().seq > ledger, "{} after {ledger}", rows.last().unwrap().seq);
    let signal = Fixture::wait("w1", "x", "s", "1");
    assert_eq!(store.waits_of(Fixture::run(1)).await.unwrap(), [signal]);
}

async fn taken_out_of_one_and_put_into_another(folder: &TempDir, from: Home, into: Vec<Home>) {
    let archive = folder.path().join("first.qcbackup");
    let (store, blobs) = from.open().await;
    let last = fill(&*store, &*blobs).await;
    // The store is in use meanwhile.
    let manifest = from.backup(&archive).await.unwrap();
    drop((store, blobs));
    assert_eq!(check(&archive).unwrap(), manifest);
    let counts = manifest.counts;
    assert_eq!((counts.runs, counts.open_runs, counts.dead_letters, counts.blobs), (7, 5, 2, 3));
    let expected = rows(&archive);
    for (nth, home) in into.into_iter().enumerate() {
        assert_eq!(home.restore(&archive, false).await.unwrap(), manifest);
        let again = folder.path().join(format!("again-{nth}.qcbackup"));
        home.backup(&again).await.unwrap();
        assert_eq!(rows(&again), expected);
        goes_on(&home, last).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_goes_into_both() {
    let folder = tempfile::tempdir().unwrap();
    let into = [Some(Home::sqlite(folder.path(), "to.db")), Home::postgres()];
    let from = Home::sqlite(folder.path(), "from.db");
    taken_out_of_one_and_put_into_another(&folder, from, into.into_iter().flatten().collect())
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_goes_into_both() {
    let folder = tempfile::tempdir().unwrap();
    let (Some(from), Some(other)) = (Home::postgres(), Home::postgres()) else { return };
    let into = vec![Home::sqlite(folder.path(), "to.db"), other];
    taken_out_of_one_and_put_into_another(&folder, from, into).await;
}

/// What is there stays, unless somebody says that it may go; and nobody restores under a server's hands.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("one.qcbackup");
    let homes = [Some(Home::sqlite(folder.path(), "a.db")), Home::postgres()];
    for home in homes.into_iter().flatten() {
        let (store, blobs) = home.open().await;
        fill(&*store, &*blobs).await;
        let _ = fs::remove_file(&archive);
        home.backup(&archive).await.unwrap();
        let taken = home.backup(&archive).await.unwrap_err();
        assert_eq!(taken.finding().code, codes::PLACE_TAKEN);
        // A node lives there.
        store.announce("a", Duration::from_secs(60)).await.unwrap();
        let in_use = home.restore(&archive, true).await.unwrap_err().finding().code;
        assert!([codes::LOCKED, codes::TARGET_IN_USE].contains(&in_use), "{in_use}");
        store.announce("a", Duration::ZERO).await.unwrap();
        let more = Fixture::accept(50);
        write(&*store, Write::Accept(Box::new(more))).await;
        drop((store, blobs));
        let refused = home.restore(&archive, false).await.unwrap_err();
        assert_eq!(refused.finding().code, codes::TARGET_NOT_EMPTY);
        let (store, blobs) = home.open().await;
        assert!(store.run(Fixture::run(50)).await.unwrap().is_some());
        drop((store, blobs));
        home.restore(&archive, true).await.unwrap();
        let (store, _blobs) = home.open().await;
        assert!(store.run(Fixture::run(50)).await.unwrap().is_none());
        assert!(store.run(Fixture::run(1)).await.unwrap().is_some());
    }
    let aside = fs::read_dir(folder.path()).unwrap().flatten();
    let aside = aside.filter(|entry| entry.file_name().to_string_lossy().contains(".replaced-"));
    assert!(aside.count() >= 2, "the database and its bodies were set aside");
}

/// Cut anywhere, or changed anywhere: refused, and nothing is left of it.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_as_it_was_written_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("sound.qcbackup");
    let from = Home::sqlite(folder.path(), "from.db");
    let (store, blobs) = from.open().await;
    fill(&*store, &*blobs).await;
    from.backup(&archive).await.unwrap();
    let sound = fs::read(&archive).unwrap();
    let broken = folder.path().join("broken.qcbackup");
    let to = Home::sqlite(folder.path(), "to.db");
    let refused = |bytes: &[u8]| {
        fs::write(&broken, bytes).unwrap();
        let error = check(&broken).unwrap_err();
        assert_eq!(error.finding().code, codes::BACKUP_DAMAGED, "{error}");
    };
    for end in (0..sound.len()).step_by(sound.len() / 97).chain([sound.len() - 1]) {
        refused(&sound[..end]);
    }
    for at in (30..sound.len()).step_by(sound.len() / 211) {
        let mut flipped = sound.clone();
        flipped[at] ^= 1;
        refused(&flipped);
    }
    refused(&[&sound[..], b"more"].concat());
    assert!(to.restore(&broken, false).await.is_err());
    let left: Vec<String> = fs::read_dir(folder.path())
        .unwrap()
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with("to."))
        .collect();
    assert!(!left.iter().any(|name| name == "to.db" || name.contains("restoring")), "{left:?}");
    fs::write(&broken, "QuickConnect backup 9\nand so on").unwrap();
    assert_eq!(check(&broken).unwrap_err().finding().code, codes::BACKUP_FORMAT);
    fs::write(&broken, "something else").unwrap();
    assert_eq!(check(&broken).unwrap_err().finding().code, codes::BACKUP_DAMAGED);
    assert_eq!(
        check(&folder.path().join("nowhere")).unwrap_err().finding().code,
        codes::BACKUP_FAILED
    );
    assert_eq!(check(&archive).unwrap().counts.runs, 7);
}

#[test]
fn a_backup_in_a_folder_has_a_name_of_its_moment() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("a.db");
    let missing =
        sqlite::backup(&database, &folder.path().join("b"), folder.path(), Fixture::at(0));
    assert_eq!(missing.unwrap_err().finding().code, codes::NOTHING_TO_BACK_UP);
    drop(SqliteStore::open(&database, SqliteOptions::default()).unwrap());
    let at = Timestamp::from_millis(0);
    let made = sqlite::backup(&database, &folder.path().join("b"), folder.path(), at);
    let (file, manifest) = made.unwrap();
    assert_eq!(file.file_name().unwrap(), "quickconnect-19700101T000000.000Z.qcbackup");
    assert_eq!((manifest.counts, manifest.at), (Counts::default(), at));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let names = fs::read_dir(folder.path()).unwrap().flatten().map(|entry| entry.file_name());
    assert!(!names.into_iter().any(|name| name.to_string_lossy().ends_with(".part")));
}

/// A column that no archive has would be lost by a restore. Beside those of the parts a database may have its own.
fn none_is_forgotten(database: &str, found: &[(String, String)], own: &[(&str, &str)]) {
    let mut forgotten = Vec::new();
    for (table, column) in found {
        let archived = parts::find(table)
            .is_some_and(|part| part.columns.iter().any(|known| known.name == column));
        let known = |(own_table, own_column): &(&str, &str)| {
            table == own_table && (*own_column == "*" || column == own_column)
        };
        if !archived && !own.iter().any(known) {
            forgotten.push(format!("{table}.{column}"));
        }
    }
    assert!(found.len() > 60, "{database}: {} columns", found.len());
    assert_eq!(forgotten, Vec::<String>::new(), "{database}: columns that no backup has");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_column_is_in_a_backup() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    drop(SqliteStore::open(&path, SqliteOptions::default()).unwrap());
    let db = rusqlite::Connection::open(&path).unwrap();
    let columns = "SELECT t.name, c.name FROM sqlite_schema t, pragma_table_info(t.name) c \
         WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%'";
    let mut query = db.prepare(columns).unwrap();
    let found = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let found: Vec<(String, String)> = found.collect::<Result<_, _>>().unwrap();
    // Numbers that are given anew, texts under their numbers, and what is made from the ledger's rows.
    let own = [("word", "*"), ("ledger_span", "*"), ("run", "no"), ("document", "no")];
    none_is_forgotten(
        "SQLite",
        &found,
        &[&own[..], &[("turn", "no"), ("journal", "seq")]].concat(),
    );

    let Some(server) = qc_pgserver::shared() else { return };
    let database = server.database();
    let dsn = Dsn::parse(&server.url(&database)).unwrap();
    drop(PostgresStore::open(&dsn, &PostgresOptions::default()).await.unwrap());
    let columns = "SELECT table_name || '.' || column_name FROM information_schema.columns \
         WHERE table_schema = 'quickconnect'";
    let text = server.sql(&database, columns);
    let found: Vec<(String, String)> = text
        .lines()
        .filter_map(|line| line.split_once('.'))
        .map(|(table, column)| (table.to_owned(), column.to_owned()))
        .collect();
    let own = [
        ("lease", "*"),
        ("node", "*"),
        // Slices of processes that are over; a restored server begins with full quotas.
        ("budgets", "*"),
        ("blob_chunk", "*"),
        ("blob", "no"),
        ("blob", "touched"),
        ("run", "was"),
        ("journal", "version"),
        ("journal", "no"),
        ("idempotency", "claimed_at"),
        ("signal", "mark"),
        ("signal", "place"),
        ("wait", "mark"),
        ("wait", "place"),
        ("turn", "mark"),
        ("turn", "no"),
        ("tally", "part"),
    ];
    none_is_forgotten("PostgreSQL", &found, &own);
}

/// Places that another database has given, and removed since, are not given again.
#[tokio::test(flavor = "multi_thread")]
async fn new_places_are_above_all_that_were_ever_given() {
    const FLOOR: u64 = 1 << 50;
    let folder = tempfile::tempdir().unwrap();
    let from = folder.path().join("from.db");
    drop(SqliteStore::open(&from, SqliteOptions::default()).unwrap());
    let db = rusqlite::Connection::open(&from).unwrap();
    let high = "INSERT INTO fact (name, value) VALUES ('ledger_floor', 1125899906842624); \
         INSERT INTO sqlite_sequence (name, seq) VALUES ('signal', 1125899906842624)";
    db.execute_batch(high).unwrap();
    drop(db);
    let archive = folder.path().join("one.qcbackup");
    sqlite::backup(&from, &Home::blobs_folder(&from), &archive, Fixture::at(1)).unwrap();
    let into = [Some(Home::sqlite(folder.path(), "to.db")), Home::postgres()];
    for home in into.into_iter().flatten() {
        home.restore(&archive, false).await.unwrap();
        let (store, _blobs) = home.open().await;
        let mut accept = Fixture::accept(1);
        accept.signals = vec![Fixture::signal(1, "x")];
        write(&*store, Write::Accept(Box::new(accept))).await;
        let row = store.ledger(&LedgerFilter::default()).await.unwrap()[0].seq;
        let signal = store.signals(&SignalFilter::default()).await.unwrap()[0].seq;
        assert!(row > FLOOR && signal > FLOOR, "{row} and {signal}");
    }
}
