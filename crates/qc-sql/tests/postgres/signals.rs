//! Signals on several connections: final places, and answers that hold back nothing for ever.

use std::{sync::Arc, time::Duration};

use qc_store::{Change, Op, SignalFilter, Store, StoreError, Write, conformance::Fixture};

use crate::place::Place;

fn signal(n: i64) -> Vec<Write> {
    let signals = vec![Fixture::signal(n, "x")];
    vec![Write::Change(Box::new(Change { signals, ..Fixture::change(vec![]) }))]
}

async fn ids(store: &dyn Store, after: u64) -> Result<Vec<String>, StoreError> {
    let page = store.signals(&SignalFilter { after, ..SignalFilter::default() }).await?;
    Ok(page.into_iter().map(|entry| entry.signal.id).collect())
}

/// A writer that has its number and commits later than one that came after it: whoever asks in
/// between waits for it, so that neither is what it was told missing nor what comes behind it.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_waits_for_the_writers_of_earlier_places() {
    let Some(place) = Place::fresh() else { return };
    let store = Arc::new(place.open().await);
    store.write(vec![Write::Accept(Box::new(Fixture::accept(1)))]).await.unwrap();
    let lease = store.lease(0..1024, "a", Duration::from_secs(60)).await.unwrap().unwrap();
    // Long enough for a busy machine, and within the time for which an answer waits.
    let holder = place.hold("SELECT 1 FROM quickconnect.run FOR UPDATE", 3);
    let ops = vec![Op::Signal(Fixture::signal(1, "x"))];
    let write = Write::Commit { lease, txn: Box::new(Fixture::step(1, 1, ops)) };
    let early = {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.write(vec![write]).await })
    };
    place.wait_for("wait_event_type = 'Lock' AND backend_xid IS NOT NULL");
    assert_eq!(ids(store.as_ref(), 0).await, Ok(vec![]), "nothing is there to wait for");
    store.write(signal(2)).await.unwrap();
    assert!(!early.is_finished(), "the later one was answered first");
    let told = ids(store.as_ref(), 0).await.unwrap();
    assert_eq!(told, ["signal 1", "signal 2"], "in the order of their places");
    early.await.unwrap().unwrap();
    holder.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restore_into_another_cluster_signals_go_on_above() {
    let Some(place) = Place::fresh() else { return };
    let store = place.open().await;
    store.write(signal(1)).await.unwrap();
    drop(store);
    place.sql("UPDATE quickconnect.signal SET seq = seq + (1000000000::bigint << 16)");
    let store = place.open().await;
    let before = store.signals(&SignalFilter::default()).await.unwrap();
    store.write(signal(2)).await.unwrap();
    assert_eq!(ids(&store, before[0].seq).await.unwrap(), ["signal 2"]);
    // Also when all that gave the place away is pruned.
    let newest = store.signals(&SignalFilter::default()).await.unwrap()[1].seq;
    let retention = qc_store::Retention::at(Fixture::at(1 << 40), Fixture::at(0));
    assert_eq!(store.prune(&retention, 10).await.unwrap().signals, 2);
    drop(store);
    place.sql("UPDATE quickconnect.fact SET value = 0 WHERE name = 'ledger_base'");
    let store = place.open().await;
    store.write(signal(3)).await.unwrap();
    assert_eq!(ids(&store, newest).await.unwrap(), ["signal 3"]);
}
