use std::sync::Arc;

use super::{
    Factory,
    fixtures::{Fixture, accept, accept_many, write},
};
use crate::{
    Accept, AcceptOutcome, CommitLimits, Committer, IdempotencyKey, RunFilter, Write, WriteOutcome,
};

/// A live key answers the first run, tells another body, and writes nothing; in other scopes and
/// for other keys it means nothing.
pub async fn a_known_key_answers_the_first_run(factory: &Factory) {
    let store = factory().store;
    let store = store.as_ref();
    assert_eq!(accept(store, Fixture::keyed(1, "k", 1)).await, AcceptOutcome::Accepted);
    for (n, body) in [(2, 1), (3, 2)] {
        let outcome = accept(store, Fixture::keyed(n, "k", body)).await;
        let run = Fixture::run(1);
        assert_eq!(outcome, AcceptOutcome::Duplicate { run, same_body: body == 1 });
        assert_eq!(store.run(Fixture::run(n)).await.expect("read"), None);
        assert_eq!(store.event(Fixture::run(n)).await.expect("read"), None);
    }
    let other_key = Fixture::keyed(4, "k2", 1);
    assert_eq!(accept(store, other_key).await, AcceptOutcome::Accepted);
    let scope = "acme/sandbox/case-opened".to_owned();
    let other_scope = Accept {
        key: Some(IdempotencyKey { scope, ..Fixture::key("k", 1, 10) }),
        ..Fixture::accept(5)
    };
    assert_eq!(accept(store, other_scope).await, AcceptOutcome::Accepted);
    assert_eq!(store.ledger(&crate::LedgerFilter::default()).await.expect("read").len(), 3);
    let owner = |key| async move {
        store.key_owner("acme/production/case-opened", key).await.expect("read")
    };
    assert_eq!(owner("k").await, Some(Fixture::run(1)));
    assert_eq!(owner("k2").await, Some(Fixture::run(4)));
    assert_eq!(owner("none").await, None);
}

/// 64 accepts under one key, within a batch and across batches: one run.
pub async fn a_race_for_one_key_has_one_winner(factory: &Factory) {
    let store = factory().store;
    let batch = (0..64).map(|n| Write::Accept(Box::new(Fixture::keyed(n, "within", 1)))).collect();
    let outcomes = write(store.as_ref(), batch).await;
    assert_eq!(outcomes[0], WriteOutcome::Accept(AcceptOutcome::Accepted));
    let repeat = AcceptOutcome::Duplicate { run: Fixture::run(0), same_body: true };
    let repeat = WriteOutcome::Accept(repeat);
    assert!(outcomes[1..].iter().all(|outcome| *outcome == repeat));

    let limits = CommitLimits { batch_writes: 7, ..CommitLimits::default() };
    let (committer, commit_loop) = Committer::new(Arc::clone(&store), limits);
    let commit_loop = tokio::spawn(commit_loop);
    let racers: Vec<_> = (100..164)
        .map(|n| {
            let committer = committer.clone();
            tokio::spawn(async move { (n, committer.accept(Fixture::keyed(n, "across", 1)).await) })
        })
        .collect();
    let mut winners = Vec::new();
    let mut repeats = Vec::new();
    for racer in racers {
        match racer.await.expect("the racer lives") {
            (n, Ok(AcceptOutcome::Accepted)) => winners.push(Fixture::run(n)),
            (_, Ok(AcceptOutcome::Duplicate { run, same_body: true })) => repeats.push(run),
            other => panic!("a racer got {other:?}"),
        }
    }
    drop(committer);
    commit_loop.await.expect("the loop ends");
    assert_eq!((winners.len(), repeats.len()), (1, 63));
    assert!(repeats.iter().all(|run| *run == winners[0]));
    assert_eq!(store.runs(&RunFilter::default()).await.expect("read").len(), 2);
}

/// A key counts until the moment of its expiry, not after it; then it belongs to the new run.
pub async fn a_key_that_expired_is_replaced(factory: &Factory) {
    let store = factory().store;
    let store = store.as_ref();
    let at = |n: u128, millis: i64, expires: i64| {
        let mut accept = Fixture::accept(n);
        accept.key = Some(Fixture::key("k", 1, expires));
        accept.run.accepted_at = Fixture::at(millis);
        accept
    };
    assert_eq!(accept(store, at(1, 0, 100)).await, AcceptOutcome::Accepted);
    let repeat = AcceptOutcome::Duplicate { run: Fixture::run(1), same_body: true };
    assert_eq!(accept(store, at(2, 99, 300)).await, repeat);
    assert_eq!(accept(store, at(3, 100, 200)).await, AcceptOutcome::Accepted);
    let repeat = AcceptOutcome::Duplicate { run: Fixture::run(3), same_body: true };
    assert_eq!(accept(store, at(4, 150, 300)).await, repeat);
    let owner = store.key_owner("acme/production/case-opened", "k").await.expect("read");
    assert_eq!(owner, Some(Fixture::run(3)));
}

/// Sending the very same accept again writes nothing, with and without a key.
pub async fn a_repeated_run_id_is_a_repeat(factory: &Factory) {
    let store = factory().store;
    let store = store.as_ref();
    accept_many(store, 1..2).await;
    let repeat = AcceptOutcome::Duplicate { run: Fixture::run(1), same_body: true };
    assert_eq!(accept(store, Fixture::accept(1)).await, repeat);
    let mut other = Fixture::accept(1);
    other.event.body = bytes::Bytes::from_static(b"{}");
    let repeat = AcceptOutcome::Duplicate { run: Fixture::run(1), same_body: false };
    assert_eq!(accept(store, other).await, repeat);
    assert_eq!(store.journal(Fixture::run(1)).await.expect("read").len(), 1);
}

/// A run that failed in its very first step has its dead letter from the accept on; a letter of
/// another run is refused.
pub async fn an_accept_may_bring_its_dead_letter(factory: &Factory) {
    let store = factory().store;
    let store = store.as_ref();
    let dead = Accept { dead: Some(Fixture::letter(1, "escalation")), ..Fixture::accept(1) };
    assert_eq!(accept(store, dead).await, AcceptOutcome::Accepted);
    let letters = store.dead_letters(&crate::DeadFilter::default()).await.expect("read");
    assert_eq!(letters, [Fixture::letter(1, "escalation")]);
    let foreign = Accept { dead: Some(Fixture::letter(1, "escalation")), ..Fixture::accept(2) };
    let refused = store.write(vec![Write::Accept(Box::new(foreign))]).await;
    assert!(matches!(refused, Err(crate::StoreError::Refused(_))), "{refused:?}");
}
