use std::time::Duration;

use super::{
    Factory,
    fixtures::{Fixture, accept_many, commit, lease_all},
};
use crate::{Lease, Store, StoreError, TxnOutcome};

const MINUTE: Duration = Duration::from_secs(60);

/// A held bucket is not given away; a lease of no length is; the one before cannot be renewed.
pub async fn leases_change_hands(factory: &Factory) {
    let store = factory().store;
    let store = store.as_ref();
    let take = |buckets, node: &'static str, ttl| async move {
        store.lease(buckets, node, ttl).await.expect("answered")
    };
    let renew = |lease: Lease, ttl| async move {
        store.renew(&[lease], ttl).await.expect("answered") == [true]
    };
    let left = take(0..512, "a", MINUTE).await.expect("free");
    let right = take(512..1024, "b", MINUTE).await.expect("free");
    assert!(take(0..1024, "b", MINUTE).await.is_none(), "half of it is held");
    assert!(take(511..512, "b", MINUTE).await.is_none());
    assert!(renew(left.clone(), MINUTE).await);
    accept_many(store, 1..2).await;
    assert_eq!(commit(store, &right, Fixture::step(1, 1, vec![])).await, TxnOutcome::Fenced);
    // A lease that runs out at once: it holds until somebody takes it, then never again.
    assert!(renew(left.clone(), Duration::ZERO).await);
    let committed = TxnOutcome::Committed { version: 2 };
    assert_eq!(commit(store, &left, Fixture::step(1, 1, vec![])).await, committed);
    let taken = take(0..512, "b", MINUTE).await.expect("run out");
    assert!(taken.epoch > left.epoch);
    assert!(!renew(left.clone(), MINUTE).await);
    assert_eq!(commit(store, &left, Fixture::step(1, 2, vec![])).await, TxnOutcome::Fenced);
    let committed = TxnOutcome::Committed { version: 3 };
    assert_eq!(commit(store, &taken, Fixture::step(1, 2, vec![])).await, committed);
    for outside in [1000..1025, 5..5] {
        let answer = store.lease(outside, "a", MINUTE).await;
        assert!(matches!(answer, Err(StoreError::Refused(_))));
    }
}

/// Who holds which buckets, under which epoch, and whether that ran out: parts put together.
async fn shown(store: &dyn Store) -> Vec<(std::ops::Range<u16>, String, u64, bool)> {
    let mut shown: Vec<(std::ops::Range<u16>, String, u64, bool)> = Vec::new();
    for seen in store.leases().await.expect("answered") {
        assert!(seen.left <= MINUTE, "{seen:?}");
        let Lease { buckets, node, epoch } = seen.lease;
        let ran_out = seen.left.is_zero();
        match shown.last_mut() {
            Some((before, by, at, over))
                if before.end == buckets.start
                    && (&*by, &*at, &*over) == (&node, &epoch, &ran_out) =>
            {
                before.end = buckets.end;
            }
            _ => shown.push((buckets, node, epoch, ran_out)),
        }
    }
    shown
}

/// Everybody sees who holds what; what is released is free at once and fences who had it; many
/// leases are renewed by one call, each with its own answer.
pub async fn leases_are_seen_and_released(factory: &Factory) {
    let store = factory().store;
    let store = store.as_ref();
    let take = |buckets, node: &'static str, ttl| async move {
        store.lease(buckets, node, ttl).await.expect("answered").expect("free")
    };
    assert_eq!(shown(store).await, []);
    let low = take(0..16, "a", MINUTE).await;
    let high = take(32..48, "a", MINUTE).await;
    let other = take(16..32, "b", Duration::ZERO).await;
    let row = |lease: &Lease, over| (lease.buckets.clone(), lease.node.clone(), lease.epoch, over);
    let all = [row(&low, false), row(&other, true), row(&high, false)];
    assert_eq!(shown(store).await, all);
    // One that never was, one of another's name, and one that moved on, among those that are held.
    let never = Lease { epoch: 0, ..low.clone() };
    let forged = Lease { node: "c".to_owned(), ..low.clone() };
    let leases = [high.clone(), never.clone(), low.clone(), forged.clone(), other.clone()];
    let answers = store.renew(&leases, MINUTE).await.expect("answered");
    assert_eq!(answers, [true, false, true, false, true]);
    assert!(store.renew(&[], MINUTE).await.expect("answered").is_empty());
    accept_many(store, 1..2).await;
    store.release(&[never, forged, high.clone()]).await.expect("answered");
    assert_eq!(shown(store).await, [row(&low, false), row(&other, false)]);
    let committed = TxnOutcome::Committed { version: 2 };
    assert_eq!(commit(store, &low, Fixture::step(1, 1, vec![])).await, committed);
    store.release(std::slice::from_ref(&low)).await.expect("answered");
    assert_eq!(commit(store, &low, Fixture::step(1, 2, vec![])).await, TxnOutcome::Fenced);
    assert_eq!(store.renew(&[low.clone(), high], MINUTE).await.expect("answered"), [false, false]);
    let next = take(0..16, "b", MINUTE).await;
    assert!(next.epoch > low.epoch, "an epoch is never given twice");
    store.release(&[low]).await.expect("answered");
    let committed = TxnOutcome::Committed { version: 3 };
    assert_eq!(commit(store, &next, Fixture::step(1, 2, vec![])).await, committed);
}

/// A node is seen as long as it said, and goes when it says so.
pub async fn nodes_come_and_go(factory: &Factory) {
    let store = factory().store;
    let store = store.as_ref();
    let nodes = || async { store.nodes().await.expect("answered") };
    let announce = |node: &'static str, ttl| async move {
        store.announce(node, ttl).await.expect("answered");
    };
    assert!(nodes().await.is_empty());
    announce("b", MINUTE).await;
    announce("a", MINUTE).await;
    announce("c", Duration::ZERO).await;
    announce("a", MINUTE).await;
    assert_eq!(nodes().await, ["a", "b"]);
    announce("b", Duration::ZERO).await;
    assert_eq!(nodes().await, ["a"]);
    announce("b", MINUTE).await;
    assert_eq!(nodes().await, ["a", "b"]);
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
