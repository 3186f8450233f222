use std::time::Duration;

use super::{
    Factory,
    fixtures::{Fixture, accept_many, commit, lease_all},
};
use crate::{StoreError, TxnOutcome};

const MINUTE: Duration = Duration::from_secs(60);

/// A held bucket is not given away; a lease of no length is; the one before cannot be renewed.
pub async fn leases_change_hands(factory: &Factory) {
    let store = factory().store;
    let store = store.as_ref();
    let take = |buckets, node: &'static str, ttl| async move {
        store.lease(buckets, node, ttl).await.expect("answered")
    };
    let left = take(0..512, "a", MINUTE).await.expect("free");
    let right = take(512..1024, "b", MINUTE).await.expect("free");
    assert!(take(0..1024, "b", MINUTE).await.is_none(), "half of it is held");
    assert!(take(511..512, "b", MINUTE).await.is_none());
    assert!(store.renew(&left, MINUTE).await.expect("answered"));
    accept_many(store, 1..2).await;
    assert_eq!(commit(store, &right, Fixture::step(1, 1, vec![])).await, TxnOutcome::Fenced);
    // A lease that runs out at once: it holds until somebody takes it, then never again.
    assert!(store.renew(&left, Duration::ZERO).await.expect("answered"));
    let committed = TxnOutcome::Committed { version: 2 };
    assert_eq!(commit(store, &left, Fixture::step(1, 1, vec![])).await, committed);
    let taken = take(0..512, "b", MINUTE).await.expect("run out");
    assert!(taken.epoch > left.epoch);
    assert!(!store.renew(&left, MINUTE).await.expect("answered"));
    assert_eq!(commit(store, &left, Fixture::step(1, 2, vec![])).await, TxnOutcome::Fenced);
    let committed = TxnOutcome::Committed { version: 3 };
    assert_eq!(commit(store, &taken, Fixture::step(1, 2, vec![])).await, committed);
    for outside in [1000..1025, 5..5] {
        let answer = store.lease(outside, "a", MINUTE).await;
        assert!(matches!(answer, Err(StoreError::Refused(_))));
    }
}

/// No epoch is given twice, however often the store is reopened.
pub async fn the_epoch_survives_reopening(factory: &Factory) {
    let subject = factory();
    let Some(reopen) = subject.reopen else { return };
    let mut store = subject.store;
    accept_many(store.as_ref(), 1..2).await;
    let mut last = lease_all(store.as_ref(), "a").await;
    for _ in 0..3 {
        store = reopen(store);
        let next = lease_all(store.as_ref(), "a").await;
        assert!(next.epoch > last.epoch);
        let stale = commit(store.as_ref(), &last, Fixture::step(1, 1, vec![])).await;
        assert_eq!(stale, TxnOutcome::Fenced);
        last = next;
    }
}
