//! A connection that ends around a commit: what is answered is true.

use std::{sync::Arc, time::Duration};

use qc_sql::postgres::{Dsn, PostgresOptions, PostgresStore};
use qc_store::{
    AcceptOutcome, Change, ChangeOutcome, CommitLimits, Committer, Expect, Op, Store, StoreError,
    TxnOutcome, Write, conformance::Fixture,
};

use crate::{
    place::Place,
    proxy::{Cut, Proxy},
};

async fn through(place: &Place, proxy: &Proxy, options: PostgresOptions) -> Arc<PostgresStore> {
    let url = place.server.url_at(proxy.port, &place.database);
    Arc::new(PostgresStore::open(&Dsn::parse(&url).unwrap(), &options).await.unwrap())
}

fn accept(n: u128) -> Write {
    Write::Accept(Box::new(Fixture::keyed(n, &format!("key {n}"), 1)))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_around_the_commit_is_unknown_and_reading_back_tells() {
    let Some(place) = Place::fresh() else { return };
    let proxy = Proxy::to(place.server.port());
    let store = through(&place, &proxy, PostgresOptions::default()).await;
    store.write(vec![accept(1)]).await.unwrap();
    for (n, cut, there) in [(2, Cut::Before, false), (3, Cut::After, true)] {
        proxy.cut_next(cut);
        let answer = store.write(vec![accept(n)]).await;
        assert!(matches!(answer, Err(StoreError::Unknown(_))), "{cut:?}: {answer:?}");
        assert!(proxy.is_done());
        assert_eq!(store.run(Fixture::run(n)).await.unwrap().is_some(), there, "{cut:?}");
    }
    // The committer reads back by itself.
    let (committer, commit_loop) =
        Committer::new(Arc::clone(&store) as Arc<dyn Store>, CommitLimits::default());
    tokio::spawn(commit_loop);
    let lease = store.lease(0..1024, "a", Duration::from_secs(60)).await.unwrap().unwrap();
    proxy.cut_next(Cut::After);
    let accepted = committer.accept(Fixture::keyed(4, "key 4", 1)).await;
    assert_eq!(accepted, Ok(AcceptOutcome::Accepted));
    proxy.cut_next(Cut::Before);
    let lost = committer.accept(Fixture::keyed(5, "key 5", 1)).await;
    assert!(matches!(lost, Err(StoreError::Unavailable(_))), "{lost:?}");
    let step = || Fixture::step(1, 1, vec![Op::Journal(Fixture::entry("step"))]);
    proxy.cut_next(Cut::Before);
    let lost = committer.commit(&lease, step()).await;
    assert!(matches!(lost, Err(StoreError::Unavailable(_))), "{lost:?}");
    proxy.cut_next(Cut::After);
    let done = committer.commit(&lease, step()).await;
    assert_eq!(done, Ok(TxnOutcome::Committed { version: 2 }));
    let put = Fixture::put("token", "t", Expect::Absent, "x");
    let change =
        Change { id: Fixture::txn(9), documents: vec![put], ledger: vec![], signals: vec![] };
    proxy.cut_next(Cut::After);
    assert_eq!(committer.change(change).await, Ok(ChangeOutcome::Changed));
    assert!(proxy.is_done());
    assert_eq!(store.journal(Fixture::run(1)).await.unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_cut_off_server_still_had_to_do_is_not_done_after_it_was_read_back() {
    let Some(place) = Place::fresh() else { return };
    let proxy = Proxy::to(place.server.port());
    let store = through(&place, &proxy, PostgresOptions::default()).await;
    store.write(vec![accept(1)]).await.unwrap();
    let lease = store.lease(0..1024, "a", Duration::from_secs(60)).await.unwrap().unwrap();
    // The step waits for a row, with the commit behind it in the server's hands.
    let holder = place.hold("SELECT 1 FROM quickconnect.run FOR UPDATE", 2);
    let write = {
        let txn = Box::new(Fixture::step(1, 1, vec![Op::Journal(Fixture::entry("step"))]));
        let (store, write) = (Arc::clone(&store), vec![Write::Commit { lease, txn }]);
        tokio::spawn(async move { store.write(write).await })
    };
    place.wait_for("wait_event_type = 'Lock'");
    proxy.sever();
    let answer = write.await.unwrap();
    assert!(matches!(answer, Err(StoreError::Unknown(_))), "{answer:?}");
    let version = async || store.run(Fixture::run(1)).await.unwrap().unwrap().version;
    assert_eq!(version().await, 1);
    holder.await.unwrap();
    place.sql("BEGIN; SELECT 1 FROM quickconnect.run FOR UPDATE; COMMIT");
    assert_eq!(version().await, 1, "what was read back was final");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_broke_while_idle_are_made_again() {
    let Some(place) = Place::fresh() else { return };
    let store = place.open().await;
    store.write(vec![accept(1)]).await.unwrap();
    assert!(store.run(Fixture::run(1)).await.unwrap().is_some());
    for n in 2..6 {
        let ended = place.sql(
            "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity \
             WHERE datname = current_database() AND application_name = 'quickconnect'",
        );
        assert_ne!(ended, "0");
        // It may be known already that they are closed, or show at this use.
        if let Err(error) = store.write(vec![accept(n)]).await {
            assert!(
                matches!(error, StoreError::Unknown(_) | StoreError::Unavailable(_)),
                "{error}"
            );
            store.write(vec![accept(n)]).await.unwrap();
        }
        assert!(store.run(Fixture::run(n)).await.unwrap().is_some());
    }
}
