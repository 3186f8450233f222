//! The ledger's places: in order, final, and never given twice.

use std::{sync::Arc, time::Duration};

use qc_store::{LedgerFilter, LedgerKind, Op, Store, Write, conformance::Fixture};

use crate::place::Place;

fn batch(n: u128) -> Vec<Write> {
    vec![Write::Accept(Box::new(Fixture::accept(n)))]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_under_way_holds_back_what_is_later_and_a_foreign_one_nothing() {
    let Some(place) = Place::fresh() else { return };
    let store = Arc::new(place.open().await);
    store.write(batch(1)).await.unwrap();
    let rows = async || store.ledger(&LedgerFilter::default()).await.unwrap().len();
    assert_eq!(rows().await, 1);
    place.sql("CREATE TABLE public.theirs (a integer)");
    // Another application writes for long in the same database: nothing waits for it.
    let foreign = place.hold("INSERT INTO public.theirs VALUES (1)", 2);
    store.write(batch(2)).await.unwrap();
    assert_eq!(rows().await, 2, "a foreign transaction holds nothing back");
    foreign.await.unwrap();
    // A step that began before and waits for a row: it has its number, and no row of the ledger.
    let lease = store.lease(0..1024, "a", Duration::from_secs(60)).await.unwrap().unwrap();
    let holder = place.hold("SELECT 1 FROM quickconnect.run FOR UPDATE", 3);
    let row = Fixture::row(1, LedgerKind::Task, "late");
    let txn = Box::new(Fixture::step(1, 1, vec![Op::Ledger(row)]));
    let late = {
        let (store, write) = (Arc::clone(&store), vec![Write::Commit { lease, txn }]);
        tokio::spawn(async move { store.write(write).await })
    };
    place.wait_for("wait_event_type = 'Lock' AND backend_xid IS NOT NULL");
    store.write(batch(3)).await.unwrap();
    assert_eq!(rows().await, 2, "a row that comes later has a place before that one");
    holder.await.unwrap();
    late.await.unwrap().unwrap();
    let rows = store.ledger(&LedgerFilter::default()).await.unwrap();
    let outcomes: Vec<_> = rows.iter().map(|entry| entry.row.outcome.as_str()).collect();
    assert_eq!(outcomes, ["accepted", "accepted", "late", "accepted"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restore_into_another_cluster_places_go_on_rising() {
    let Some(place) = Place::fresh() else { return };
    let store = place.open().await;
    store.write(batch(1)).await.unwrap();
    drop(store);
    // As if the rows came from a cluster that had seen many more transactions.
    place.sql("UPDATE quickconnect.ledger SET seq = seq + (1000000000::bigint << 16)");
    let store = place.open().await;
    let before = store.ledger(&LedgerFilter::default()).await.unwrap();
    assert_eq!(before.len(), 1, "what was restored is read");
    store.write(batch(2)).await.unwrap();
    let after = store.ledger(&LedgerFilter::default()).await.unwrap();
    assert_eq!(after.len(), 2);
    assert_eq!(after[1].row.run, Some(Fixture::run(2)));
    let again = place.open().await;
    again.write(batch(3)).await.unwrap();
    assert_eq!(again.ledger(&LedgerFilter::default()).await.unwrap().len(), 3);
}
