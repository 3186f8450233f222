//! What takes too long is cut off, and harms nobody else.

use std::time::Duration;

use qc_sql::postgres::{Dsn, PostgresOptions, PostgresStore};
use qc_store::{
    Accept, AcceptOutcome, Change, LedgerKind, Store, StoreError, Write, WriteOutcome,
    conformance::Fixture,
};

use crate::place::Place;

fn quick() -> PostgresOptions {
    PostgresOptions {
        statement_time: Duration::from_millis(700),
        lock_time: Duration::from_millis(300),
        ..PostgresOptions::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_waits_too_long_is_cut_off_and_nothing_is_written() {
    let Some(place) = Place::fresh() else { return };
    let dsn = Dsn::parse(&place.url()).unwrap();
    let store = PostgresStore::open(&dsn, &quick()).await.unwrap();
    let other = PostgresStore::open(&dsn, &PostgresOptions::default()).await.unwrap();
    let batch = |n: u128| vec![Write::Accept(Box::new(Fixture::keyed(n, &n.to_string(), 1)))];
    store.write(batch(1)).await.unwrap();
    // Somebody holds the whole table of runs, as a careless migration would.
    let holder = tokio::task::spawn_blocking({
        let database = place.database.clone();
        let server = place.server;
        move || {
            server.sql(
                &database,
                "BEGIN; LOCK TABLE quickconnect.run IN ACCESS EXCLUSIVE MODE; \
                 SELECT pg_sleep(3); COMMIT",
            )
        }
    });
    let locked = "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted \
         AND relation = 'quickconnect.run'::regclass";
    while place.sql(locked) == "0" {
        tokio::task::yield_now().await;
    }
    let answer = store.write(batch(2)).await;
    assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    let answer = store.run(Fixture::run(1)).await;
    assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    // What does not need the table is answered.
    assert_eq!(store.document("token", "t").await, Ok(None));
    holder.await.unwrap();
    assert_eq!(other.run(Fixture::run(2)).await.unwrap(), None);
    let accepted = WriteOutcome::Accept(AcceptOutcome::Accepted);
    assert_eq!(store.write(batch(2)).await.unwrap(), [accepted]);
}

#[tokio::test(flavor = "multi_thread")]
async fn long_texts_and_many_rows_are_taken_up_to_the_limits() {
    let Some(place) = Place::fresh() else { return };
    let store = place.open().await;
    let mut long = Accept { ..Fixture::accept(1) };
    // Longer than an entry of an index may be, and not to be compressed.
    let subject: String = (0..9_000u32)
        .map(|i| char::from(b'a' + u8::try_from(i.wrapping_mul(2_654_435_761) >> 28).unwrap()))
        .collect();
    long.run.subject = Some(subject.clone());
    store.write(vec![Write::Accept(Box::new(long))]).await.unwrap();
    let filter = qc_store::RunFilter { subject: Some(subject), ..Default::default() };
    assert_eq!(store.runs(&filter).await.unwrap().len(), 1);
    let change = |rows: usize| {
        let ledger = vec![Fixture::row(1, LedgerKind::Audit, "ok"); rows];
        Write::Change(Box::new(Change {
            id: Fixture::txn(1),
            documents: vec![],
            ledger,
            signals: vec![],
        }))
    };
    store.write((0..6).map(|_| change(10_000)).collect()).await.unwrap();
    let refused = store.write((0..7).map(|_| change(10_000)).collect()).await;
    assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
    store.write(vec![change(1)]).await.unwrap();
}
