//! Several nodes and the server's own view of them.

use std::{sync::Arc, time::Duration};

use qc_sql::postgres::PostgresStore;
use qc_store::{Op, Store, TxnOutcome, Write, WriteOutcome, conformance::Fixture};

use crate::place::Place;

fn step(lease: &qc_store::Lease, n: u128, version: u64) -> Write {
    let ops = vec![Op::Journal(Fixture::entry("step"))];
    Write::Commit { lease: lease.clone(), txn: Box::new(Fixture::step(n, version, ops)) }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_nodes_start_at_once() {
    let Some(place) = Place::fresh() else { return };
    let url = place.url();
    let starts: Vec<_> = (0..8)
        .map(|_| {
            let url = url.clone();
            tokio::spawn(async move { crate::place::open(&url).await })
        })
        .collect();
    for start in starts {
        start.await.unwrap().unwrap();
    }
    assert_eq!(place.sql("SELECT value FROM quickconnect.fact WHERE name = 'schema_version'"), "6");
}

/// A node that is stopped in the middle of a transaction holds its lease until the server cuts it
/// off; a renewal does not wait for a commit, nor a commit for a renewal.
#[tokio::test(flavor = "multi_thread")]
async fn renewals_and_commits_do_not_wait_for_each_other_and_a_new_owner_does() {
    let Some(place) = Place::fresh() else { return };
    let store = Arc::new(place.open().await);
    store.write(vec![Write::Accept(Box::new(Fixture::accept(1)))]).await.unwrap();
    let lease = store.lease(0..1024, "a", Duration::ZERO).await.unwrap().unwrap();
    let holder = place.hold("SELECT 1 FROM quickconnect.lease FOR KEY SHARE", 2);
    let renewed = store.renew(std::slice::from_ref(&lease), Duration::ZERO).await.unwrap();
    assert_eq!(renewed, [true]);
    let committed = WriteOutcome::Commit(TxnOutcome::Committed { version: 2 });
    assert_eq!(store.write(vec![step(&lease, 1, 1)]).await.unwrap(), [committed]);
    assert!(!holder.is_finished(), "neither waited for the transaction that holds the lease");
    let taken = store.lease(0..1024, "b", Duration::from_secs(60)).await.unwrap().unwrap();
    let held = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' \
         AND datname = current_database()";
    assert_eq!(place.sql(held), "0", "the new owner waited for it");
    assert!(taken.epoch > lease.epoch);
    holder.await.unwrap();
    let fenced = WriteOutcome::Commit(TxnOutcome::Fenced);
    assert_eq!(store.write(vec![step(&lease, 1, 2)]).await.unwrap(), [fenced]);
}

/// A commit of the owner that is under way when its lease is taken is in before the new owner has it,
/// or not at all.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_owner_waits_for_the_commit_under_way() {
    let Some(place) = Place::fresh() else { return };
    let store = Arc::new(place.open().await);
    store.write(vec![Write::Accept(Box::new(Fixture::accept(1)))]).await.unwrap();
    let lease = store.lease(0..1024, "a", Duration::ZERO).await.unwrap().unwrap();
    // Somebody holds the run's row, so that the commit stands still half-way.
    let holder = place.hold("SELECT 1 FROM quickconnect.run FOR UPDATE", 3);
    let owner = {
        let (store, write) = (Arc::clone(&store), vec![step(&lease, 1, 1)]);
        tokio::spawn(async move { store.write(write).await })
    };
    place.wait_for("wait_event_type = 'Lock'");
    let thief = place.open().await;
    thief.lease(0..1024, "b", Duration::from_secs(60)).await.unwrap().unwrap();
    let head = thief.run(Fixture::run(1)).await.unwrap().unwrap();
    let committed = WriteOutcome::Commit(TxnOutcome::Committed { version: 2 });
    assert_eq!(owner.await.unwrap().unwrap(), [committed]);
    assert_eq!(head.version, 2, "what the new owner read when it had the lease was final");
    holder.await.unwrap();
}

/// Batches of several nodes over the same keys and documents in opposite orders: the server finds no
/// deadlock.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn batches_that_meet_in_any_order_do_not_deadlock() {
    let Some(place) = Place::fresh() else { return };
    let nodes: Vec<Arc<PostgresStore>> =
        vec![Arc::new(place.open().await), Arc::new(place.open().await)];
    let work: Vec<_> = (0..4u128)
        .map(|writer| {
            let node = Arc::clone(&nodes[usize::from(writer % 2 == 1)]);
            tokio::spawn(async move {
                for round in 0..20u128 {
                    let mut keys: Vec<u128> = (0..50).collect();
                    if writer % 2 == 1 {
                        keys.reverse();
                    }
                    let mut batch: Vec<Write> = keys
                        .iter()
                        .map(|key| {
                            let n = 1 + (writer << 40) + round * 50 + key;
                            let key = format!("{round}/{key}");
                            let mut accept = Fixture::keyed(n, &key, 1);
                            accept.turn = Some(Fixture::turn(&key));
                            // On all nodes the same ones.
                            let signal = i64::try_from(n & 0xffff).unwrap();
                            accept.signals = vec![Fixture::signal(signal, "x")];
                            Write::Accept(Box::new(accept))
                        })
                        .collect();
                    let documents = keys
                        .iter()
                        .take(5)
                        .map(|key| {
                            let name = format!("d{key}");
                            Fixture::put("token", &name, qc_store::Expect::Any, "x")
                        })
                        .collect();
                    let change = qc_store::Change {
                        id: Fixture::txn(1),
                        documents,
                        ledger: vec![],
                        signals: vec![],
                    };
                    batch.push(Write::Change(Box::new(change)));
                    node.write(batch).await.unwrap();
                }
            })
        })
        .collect();
    for writer in work {
        writer.await.unwrap();
    }
    assert_eq!(nodes[0].tally(None, None).await.unwrap().gaps(), []);
    let runs = place.sql("SELECT count(*) FROM quickconnect.run");
    assert_eq!(runs, (20 * 50).to_string(), "one run for each key");
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    assert_eq!(place.sql(deadlocks), "0");
}
