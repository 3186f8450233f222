//! A database of schema version 1 is brought up to date with everything that is in it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::{path::Path, time::Duration};

use qc_model::RunId;
use qc_sql::sqlite::{SqliteOptions, SqliteStore};
use qc_store::{
    AcceptOutcome, DeadFilter, DeadState, Entry, LedgerFilter, LedgerKind, LiveCause, Op, Priority,
    RunFacts, RunFilter, RunHead, RunStatus, Store, Txn, TxnOutcome, Write, WriteOutcome,
    conformance::Fixture,
};
use rusqlite::{Connection, params};

const VERSION_1: &str = include_str!("../src/sqlite/migrations/0001.sql");

fn blob(id: RunId) -> [u8; 16] {
    id.bits().to_be_bytes()
}

fn millis(at: i64) -> i64 {
    Fixture::at(at).as_millis()
}

/// A run of the old database.
struct Old {
    n: u128,
    status: i64,
    cause: i64,
    wake_at: Option<i64>,
    ended_at: Option<i64>,
}

const fn ended(n: u128, status: i64, at: i64) -> Old {
    Old { n, status, cause: 0, wake_at: None, ended_at: Some(at) }
}

const RUNS: [Old; 5] = [
    ended(1, 3, 10),
    ended(2, 4, 20),
    Old { n: 3, status: 1, cause: 2, wake_at: Some(500), ended_at: None },
    Old { n: 4, status: 0, cause: 1, wake_at: None, ended_at: None },
    ended(5, 5, 30),
];

/// Writes a database as version 1 did, by its own schema.
fn old_database(path: &Path) {
    let db = Connection::open(path).unwrap();
    db.pragma_update(None, "page_size", 4096).unwrap();
    db.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())).unwrap();
    db.execute_batch(VERSION_1).unwrap();
    db.pragma_update(None, "application_id", 0x5143_7374).unwrap();
    db.pragma_update(None, "user_version", 1).unwrap();
    let release = "ab".repeat(32);
    let words = [
        "acme",
        "production",
        "escalation",
        "case-opened",
        &release,
        "accepted",
        "acme/production/case-opened",
    ];
    for (no, word) in (1i64..).zip(words) {
        db.execute("INSERT INTO word (no, text) VALUES (?1, ?2)", params![no, word]).unwrap();
    }
    for (no, Old { n, status, cause, wake_at, ended_at }) in (1i64..).zip(RUNS) {
        let id = blob(Fixture::run(n));
        let event = n.to_be_bytes();
        let origin = (n == 5).then(|| blob(Fixture::run(1)));
        db.execute(
            "INSERT INTO run (no, id, bucket, tenant, environment, integration, trigger, release, \
             event, subject, origin, replay_of, accepted_at, status, cause, wake_at, summary, \
             updated_at, ended_at, version, last_txn) VALUES (?1, ?2, ?3, 1, 2, 3, 4, 5, ?4, ?5, \
             ?6, ?6, ?7, ?8, ?9, ?10, NULL, ?11, ?12, 3, ?4)",
            params![
                no,
                id,
                i64::try_from(n).unwrap(),
                event,
                format!("CASE-{n}"),
                origin,
                millis(0),
                status,
                cause,
                wake_at.map(millis),
                millis(ended_at.unwrap_or(0)),
                ended_at.map(millis)
            ],
        )
        .unwrap();
        let body = format!(r#"{{"case":{n}}}"#).into_bytes();
        db.execute("INSERT INTO event VALUES (?1, ?2, ?3)", params![no, millis(0), body]).unwrap();
        for text in ["begun", "ended"] {
            let body = text.as_bytes();
            db.execute(
                "INSERT INTO journal (run, at, body) VALUES (?1, ?2, ?3)",
                params![no, millis(1), body],
            )
            .unwrap();
        }
        db.execute(
            "INSERT INTO ledger (at, kind, tenant, environment, integration, run, event, actor, \
             subject, outcome, code, facts) VALUES (?1, 0, 1, 2, 3, ?2, ?3, 'platform:engine', \
             'crm.getCase', 6, NULL, ?4)",
            params![millis(0), id, event, br#"{"ms":12}"#],
        )
        .unwrap();
    }
    let span = "INSERT INTO ledger_span VALUES (0, ?1, ?1)";
    db.execute(span, [millis(0)]).unwrap();
    for (n, state) in [(2, 0), (5, 2)] {
        db.execute(
            "INSERT INTO dead VALUES (?1, 1, 2, 3, ?2, ?3, 'crm.getCase/permanent/QC-N004', \
             'QC-N004', 'the case does not exist')",
            params![blob(Fixture::run(n)), millis(5), state],
        )
        .unwrap();
    }
    db.execute(
        "INSERT INTO idempotency VALUES (7, 'k', ?1, ?2, ?3)",
        params![[1u8; 32], blob(Fixture::run(1)), millis(3_600_000)],
    )
    .unwrap();
    db.execute(
        "INSERT INTO document (kind, name, revision, updated_at, body) VALUES \
         ('token', 't', 4, ?1, ?2)",
        params![millis(7), b"body"],
    )
    .unwrap();
    db.execute("INSERT INTO fact VALUES ('lease_epoch', 41)", []).unwrap();
}

fn ids(heads: &[RunHead]) -> Vec<RunId> {
    heads.iter().map(|head| head.facts.id).collect()
}

fn runs(numbers: &[u128]) -> Vec<RunId> {
    numbers.iter().map(|n| Fixture::run(*n)).collect()
}

/// All that was written is read as it was meant.
async fn is_read_rightly(store: &dyn Store) {
    let heads = store.runs(&RunFilter::default()).await.unwrap();
    assert_eq!(ids(&heads), runs(&[5, 4, 3, 2, 1]));
    let waiting = &heads[2];
    // Its version knew no priorities.
    let facts = RunFacts { priority: Priority::Normal, ..Fixture::facts(3) };
    assert_eq!(waiting.facts, facts);
    assert_eq!((waiting.version, waiting.claims), (3, 0));
    assert_eq!(waiting.state.status, RunStatus::Waiting);
    assert_eq!(waiting.state.cause, LiveCause::Timer);
    assert_eq!(waiting.state.wake_at, Some(Fixture::at(500)));
    assert_eq!(heads[0].facts.replay_of, Some(Fixture::run(1)));
    for n in 1..=5u128 {
        let event = store.event(Fixture::run(n)).await.unwrap();
        assert_eq!(event, Some(Fixture::accept(n).event));
        let journal: Vec<Entry> = store.journal(Fixture::run(n)).await.unwrap();
        assert_eq!(journal, ["begun", "ended"].map(Fixture::entry));
        assert_eq!(store.waits_of(Fixture::run(n)).await.unwrap(), []);
    }
    assert_eq!(ids(&store.open_runs(0..1024, None, 10).await.unwrap()), runs(&[3, 4]));
    assert_eq!(ids(&store.due_runs(0..1024, Fixture::at(500), 9).await.unwrap()), runs(&[3]));
    let letters = store.dead_letters(&DeadFilter::default()).await.unwrap();
    assert_eq!(letters.iter().map(|letter| letter.run).collect::<Vec<_>>(), runs(&[5, 2]));
    assert_eq!(letters[1], Fixture::letter(2, "escalation"));
    assert_eq!(letters[0].state, DeadState::Discarded);
    let groups = store.dead_groups(&DeadFilter::default()).await.unwrap();
    assert_eq!((groups.len(), groups[0].open, groups[0].total), (1, 1, 2));
    let ledger = store.ledger(&LedgerFilter::default()).await.unwrap();
    assert_eq!(ledger.len(), 5);
    assert_eq!(ledger[0].row, Fixture::row(1, LedgerKind::Event, "accepted"));
    let document = store.document("token", "t").await.unwrap().unwrap();
    assert_eq!((document.revision, &document.body[..]), (4, &b"body"[..]));
    let owner = store.key_owner("acme/production/case-opened", "k").await.unwrap();
    assert_eq!(owner, Some(Fixture::run(1)));
    // The new index holds the old rows.
    let event = Some(Fixture::facts(4).event);
    let found = store.runs(&RunFilter { event, ..RunFilter::default() }).await.unwrap();
    assert_eq!(ids(&found), runs(&[4]));
    // The tally begins with what was there.
    let tally = store.tally(None, None).await.unwrap();
    assert_eq!(tally.gaps(), []);
    let counted = tally.counted;
    assert_eq!((counted.accepted, counted.replays), (5, 1));
    assert_eq!(
        (counted.ended.completed, counted.ended.faulted, counted.ended.cancelled),
        (1, 1, 1)
    );
    assert_eq!((counted.dead_made, counted.dead_settled), (2, 1));
}

#[tokio::test]
async fn a_database_of_version_1_is_brought_up_to_date() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("qc.db");
    old_database(&path);
    let store = SqliteStore::open(&path, SqliteOptions::default()).unwrap();
    is_read_rightly(&store).await;
    drop(store);
    // Once is enough, and a second opening finds it as the first has left it.
    let version: i64 = Connection::open(&path)
        .unwrap()
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap();
    assert_eq!(version, 4);
    let store = SqliteStore::open(&path, SqliteOptions::default()).unwrap();
    is_read_rightly(&store).await;

    // And it goes on from there.
    let lease = store.lease(0..1024, "a", Duration::from_secs(60)).await.unwrap().unwrap();
    assert_eq!(lease.epoch, 42, "no epoch is given twice");
    let ops = vec![
        Op::Wait(Fixture::wait("w", "x", "s", "1")),
        Op::Signal(Fixture::signal(1, "x")),
        Op::Keys(vec![Fixture::run_key("order", "4711")]),
        Op::EndTurn,
    ];
    let txn = Box::new(Txn { ops, ..Fixture::into_state(3, 3, Fixture::waiting(600)) });
    let end = Box::new(Fixture::into_state(4, 3, Fixture::ended(RunStatus::Completed, 40)));
    let mut next = Fixture::in_line(6, "k");
    next.key = Some(Fixture::key("k", 1, 7));
    let mut fresh = Fixture::in_line(7, "k");
    fresh.run.trace = Some("0af7651916cd43dd8448eb211c80319c".to_owned());
    let batch = vec![
        Write::Claim { lease: lease.clone(), runs: runs(&[3]) },
        Write::Commit { lease: lease.clone(), txn },
        Write::Commit { lease, txn: end },
        Write::Accept(Box::new(next)),
        Write::Accept(Box::new(fresh)),
    ];
    let outcomes = store.write(batch).await.unwrap();
    let repeat = AcceptOutcome::Duplicate { run: Fixture::run(1), same_body: true };
    let committed = WriteOutcome::Commit(TxnOutcome::Committed { version: 4 });
    assert_eq!(
        outcomes,
        [
            WriteOutcome::Claim(vec![Some(1)]),
            committed.clone(),
            committed,
            WriteOutcome::Accept(repeat),
            WriteOutcome::Accept(AcceptOutcome::Accepted),
        ]
    );
    assert_eq!(store.waits_of(Fixture::run(3)).await.unwrap().len(), 1);
    assert_eq!(ids(&store.runs_in_turn(0..1024, 9).await.unwrap()), runs(&[7]));
    let tally = store.tally(None, None).await.unwrap();
    assert_eq!((tally.counted.accepted, tally.gaps()), (6, vec![]));
}

const VERSION_2: &str = include_str!("../src/sqlite/migrations/0002.sql");

/// A ledger of version 2 knows no times of classes: they are found when its spans are looked at, and each class goes by
/// its own time.
#[tokio::test]
async fn the_ledger_of_version_2_has_times_for_each_class() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qc.db");
    {
        let db = Connection::open(&path).unwrap();
        db.pragma_update(None, "page_size", 4096).unwrap();
        db.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())).unwrap();
        db.execute_batch(VERSION_1).unwrap();
        db.execute_batch(VERSION_2).unwrap();
        db.pragma_update(None, "application_id", 0x5143_7374).unwrap();
        db.pragma_update(None, "user_version", 2).unwrap();
        db.execute("INSERT INTO word (no, text) VALUES (1, 'acme'), (2, 'done')", []).unwrap();
        for seq in 1..=2500i64 {
            db.execute(
                "INSERT INTO ledger (seq, at, kind, tenant, actor, subject, outcome, facts) \
                 VALUES (?1, ?2, ?3, 1, 'a', 's', 2, x'7b7d')",
                params![seq, millis(seq), if seq % 5 == 0 { 5 } else { 3 }],
            )
            .unwrap();
        }
        db.execute(
            "INSERT INTO ledger_span SELECT seq / 1024, min(at), max(at) FROM ledger GROUP BY 1",
            [],
        )
        .unwrap();
    }
    let store = SqliteStore::open(&path, SqliteOptions::default()).unwrap();
    let never = Fixture::at(-1_000_000);
    let nothing = qc_store::Retention::at(never, never);
    let data = qc_store::Retention { ledger_since: Fixture::at(2001), ..nothing };
    assert_eq!(store.prune(&data, 10_000).await.unwrap().ledger, 1600);
    assert_eq!(store.prune(&data, 10_000).await.unwrap().ledger, 0);
    let audit = qc_store::Retention { audit_since: Fixture::at(1001), ..data };
    assert_eq!(store.prune(&audit, 10_000).await.unwrap().ledger, 200);
    let kinds = |kind| LedgerFilter { kinds: vec![kind], ..LedgerFilter::default() };
    assert_eq!(store.ledger(&kinds(LedgerKind::Audit)).await.unwrap().len(), 300);
    assert_eq!(store.ledger(&kinds(LedgerKind::Call)).await.unwrap().len(), 400);
}
