//! A database of version 1 is brought up to date with all that is in it.

use std::time::Duration;

use qc_store::{
    DeadFilter, Op, RunFilter, RunStatus, Store, TxnOutcome, Write, WriteOutcome,
    conformance::Fixture,
};

use crate::place::Place;

const VERSION_1: &str = include_str!("../../src/postgres/migrations/0001.sql");

/// Rows as version 1 wrote them: one run at work, one that completed, a replay that failed.
const ROWS: &str = "INSERT INTO run (id, bucket, tenant, environment, integration, trigger, release, \
     event, replay_of, accepted_at, status, cause, updated_at, ended_at, version, last_txn) \
     SELECT id, bucket, 'acme', 'production', 'escalation', 'case-opened', 'ab', id, replay_of, 5, \
     status, cause, 5, ended_at, 1, id FROM (VALUES \
     ('$1'::uuid, 1, NULL::uuid, 'running', 'activity', NULL::bigint), \
     ('$2', 2, NULL, 'completed', 'ended', 5), ('$3', 3, '$2', 'faulted', 'ended', 5)) \
     AS i (id, bucket, replay_of, status, cause, ended_at); \
     INSERT INTO event SELECT id, 5, 'e' FROM run; \
     INSERT INTO dead VALUES ('$3', 'acme', 'production', 'escalation', 5, 'open', 'f', 'QC-N001', 's')";

fn uuid(n: u128) -> String {
    let digits = format!("{:032x}", Fixture::run(n).bits());
    let part = |from, to| &digits[from..to];
    format!("{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_version_1_wrote_is_kept_counted_and_goes_on() {
    let Some(place) = Place::fresh() else { return };
    let rows = (1..=3u128).fold(ROWS.to_owned(), |sql, n| sql.replace(&format!("${n}"), &uuid(n)));
    place.sql(&format!(
        "CREATE SCHEMA quickconnect; SET search_path = quickconnect; {VERSION_1}; {rows}"
    ));
    let store = place.open().await;
    let tally = store.tally(None, None).await.unwrap();
    assert_eq!(tally.gaps(), []);
    let counted = tally.counted;
    assert_eq!((counted.accepted, counted.replays, counted.dead_made), (3, 1, 1));
    assert_eq!((counted.ended.completed, counted.ended.faulted), (1, 1));
    assert_eq!(store.runs(&RunFilter::default()).await.unwrap().len(), 3);
    assert_eq!(store.dead_groups(&DeadFilter::default()).await.unwrap()[0].open, 1);
    let lease = store.lease(0..1024, "a", Duration::from_secs(60)).await.unwrap().unwrap();
    let txn = qc_store::Txn {
        ops: vec![Op::Keys(vec![Fixture::run_key("order", "1")])],
        ..Fixture::into_state(1, 1, Fixture::ended(RunStatus::Completed, 9))
    };
    let outcome = store.write(vec![Write::Commit { lease, txn: Box::new(txn) }]).await.unwrap();
    assert_eq!(outcome, [WriteOutcome::Commit(TxnOutcome::Committed { version: 2 })]);
    let tally = store.tally(None, None).await.unwrap();
    assert_eq!((tally.gaps(), tally.counted.ended.completed), (vec![], 2));
    assert_eq!(store.keys_of(Fixture::run(1)).await.unwrap(), [Fixture::run_key("order", "1")]);
}

const VERSION_2: &str = include_str!("../../src/postgres/migrations/0002.sql");
const VERSION_3: &str = include_str!("../../src/postgres/migrations/0003.sql");

/// What version 3 wrote is read as before, and its programs are kept away from what is written now.
#[tokio::test(flavor = "multi_thread")]
async fn what_version_3_wrote_goes_on() {
    let Some(place) = Place::fresh() else { return };
    let rows = (1..=3u128).fold(ROWS.to_owned(), |sql, n| sql.replace(&format!("${n}"), &uuid(n)));
    let large = "UPDATE event SET body = convert_to(repeat('n', 40000), 'UTF8')";
    place.sql(&format!(
        "CREATE SCHEMA quickconnect; SET search_path = quickconnect; {VERSION_1}; {rows}; {VERSION_2}; {VERSION_3}; \
         {large}; UPDATE fact SET value = 3 WHERE name = 'schema_version'"
    ));
    let store = place.open().await;
    assert_eq!(place.sql("SELECT value FROM quickconnect.fact WHERE name = 'schema_version'"), "6");
    let event = store.event(Fixture::run(1)).await.unwrap().unwrap();
    assert_eq!(event.body.len(), 40_000);
    assert_eq!(store.tally(None, None).await.unwrap().gaps(), []);
    let lease = store.lease(0..1024, "a", Duration::from_secs(60)).await.unwrap().unwrap();
    let txn = Box::new(Fixture::into_state(1, 1, Fixture::ended(RunStatus::Completed, 9)));
    let outcome = store.write(vec![Write::Commit { lease, txn }]).await.unwrap();
    assert_eq!(outcome, [WriteOutcome::Commit(TxnOutcome::Committed { version: 2 })]);
}
