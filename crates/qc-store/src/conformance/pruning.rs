use super::{
    Factory,
    fixtures::{Fixture, accept, accept_many, commit, lease_all},
};
use crate::{DeadFilter, DeadState, LedgerFilter, Op, RunFilter, RunStatus, Txn};

/// However old: open runs, and runs with an open dead letter, stay.
pub async fn prune_keeps_what_is_open(factory: &Factory) {
    let store = factory().store;
    let store = store.as_ref();
    let lease = lease_all(store, "a").await;
    accept_many(store, 1..5).await;
    commit(store, &lease, Fixture::into_state(2, 1, Fixture::waiting(1))).await;
    let faulted = Txn {
        ops: vec![Op::Dead(Fixture::letter(3, "one"))],
        ..Fixture::into_state(3, 1, Fixture::ended(RunStatus::Faulted, 1))
    };
    commit(store, &lease, faulted).await;
    let parked = crate::RunState { status: RunStatus::Parked, ..Fixture::at_work() };
    commit(store, &lease, Fixture::into_state(4, 1, parked)).await;
    let far = Fixture::at(1_000_000_000);
    let gone = store.prune(far, far, 100).await.expect("pruned");
    assert_eq!(gone, 4, "the ledger's rows, nothing else");
    for n in 1..5 {
        assert!(store.run(Fixture::run(n)).await.expect("read").is_some());
        assert!(store.event(Fixture::run(n)).await.expect("read").is_some());
        assert_eq!(store.journal(Fixture::run(n)).await.expect("read").len(), 1);
    }
    assert_eq!(store.dead_letters(&DeadFilter::default()).await.expect("read").len(), 1);
}

/// Keys, ended runs with all that belongs to them, and ledger rows go when their time is past.
pub async fn prune_removes_what_is_past_its_time(factory: &Factory) {
    let store = factory().store;
    let store = store.as_ref();
    let lease = lease_all(store, "a").await;
    for n in 1..=6u128 {
        let mut keyed = Fixture::keyed(n, &format!("k{n}"), 1);
        if let Some(key) = &mut keyed.key {
            key.expires_at = Fixture::at(i64::try_from(n * 10).unwrap_or_default());
        }
        accept(store, keyed).await;
        let ended = Fixture::ended(RunStatus::Completed, i64::try_from(n).unwrap_or_default());
        let ops = vec![Op::Dead(Fixture::letter(n, "one")), Op::SettleDead(DeadState::Discarded)];
        commit(store, &lease, Txn { ops, ..Fixture::into_state(n, 1, ended) }).await;
    }
    let owned = |n: u128| async move {
        store.key_owner("acme/production/case-opened", &format!("k{n}")).await.expect("read")
    };
    // Keys until 30 go (1, 2, 3); runs that ended before 3 go (1, 2); the ledger is of moment 0.
    assert_eq!(store.prune(Fixture::at(30), Fixture::at(0), 100).await.expect("pruned"), 3);
    assert_eq!((owned(3).await, owned(4).await), (None, Some(Fixture::run(4))));
    let newest = store.ledger(&LedgerFilter::default()).await.expect("read");
    assert_eq!(newest.len(), 6);
    assert_eq!(store.prune(Fixture::at(0), Fixture::at(3), 1).await.expect("pruned"), 2);
    assert_eq!(store.run(Fixture::run(1)).await.expect("read"), None);
    assert!(store.run(Fixture::run(2)).await.expect("read").is_some(), "only one was to go");
    assert_eq!(store.prune(Fixture::at(0), Fixture::at(3), 100).await.expect("pruned"), 6);
    for n in [1, 2] {
        assert_eq!(store.event(Fixture::run(n)).await.expect("read"), None);
        assert_eq!(store.journal(Fixture::run(n)).await.expect("read"), []);
    }
    assert_eq!(store.dead_letters(&DeadFilter::default()).await.expect("read").len(), 4);
    assert_eq!(store.runs(&RunFilter::default()).await.expect("read").len(), 4);
    assert_eq!(store.ledger(&LedgerFilter::default()).await.expect("read"), []);
    // Places in the ledger are never given twice, so that readers who page miss nothing.
    accept_many(store, 20..21).await;
    let rows = store.ledger(&LedgerFilter::default()).await.expect("read");
    assert!(rows[0].seq > newest[5].seq);
}
