//! The ledger's places: in order, final, and never given twice.

use qc_store::{LedgerFilter, Store, Write, conformance::Fixture};

use crate::place::Place;

fn batch(n: u128) -> Vec<Write> {
    vec![Write::Accept(Box::new(Fixture::accept(n)))]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_under_way_holds_back_what_is_later_and_a_foreign_one_nothing() {
    let Some(place) = Place::fresh() else { return };
    let store = place.open().await;
    store.write(batch(1)).await.unwrap();
    let rows = async || store.ledger(&LedgerFilter::default()).await.unwrap().len();
    assert_eq!(rows().await, 1);
    place.sql("CREATE TABLE public.theirs (a integer)");
    let hold = |sql: &'static str| {
        let (server, database) = (place.server, place.database.clone());
        tokio::task::spawn_blocking(move || server.sql(&database, sql))
    };
    let at_work = |what: &str| {
        let count = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE backend_xid IS NOT NULL \
             AND wait_event = 'PgSleep' AND query LIKE '%{what}%' AND pid <> pg_backend_pid() \
             AND datname = current_database()"
        );
        while place.sql(&count) == "0" {
            std::thread::yield_now();
        }
    };
    // Another application writes for long in the same database: nothing waits for it.
    let foreign = hold("BEGIN; INSERT INTO public.theirs VALUES (1); SELECT pg_sleep(2); COMMIT");
    tokio::task::block_in_place(|| at_work("theirs"));
    store.write(batch(2)).await.unwrap();
    assert_eq!(rows().await, 2, "a foreign transaction holds nothing back");
    foreign.await.unwrap();
    // A writer of the ledger that began before: what is behind its place waits for its end.
    let ours = hold(
        "BEGIN; LOCK TABLE quickconnect.ledger IN ROW EXCLUSIVE MODE; \
         SELECT pg_current_xact_id(); SELECT pg_sleep(2) AS ours; COMMIT",
    );
    tokio::task::block_in_place(|| at_work("ours"));
    store.write(batch(3)).await.unwrap();
    assert_eq!(rows().await, 2, "it could still write a row before that one");
    ours.await.unwrap();
    assert_eq!(rows().await, 3);
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
