use std::sync::{
    Mutex,
    atomic::{AtomicBool, Ordering::SeqCst},
};

use futures_like::join_all;

use super::*;
use crate::{
    Op,
    conformance::Fixture,
    memory::{Fault, MemoryStore},
};

/// Just enough to wait for many tasks.
mod futures_like {
    pub(super) async fn join_all<T: Send + 'static>(
        tasks: Vec<tokio::task::JoinHandle<T>>,
    ) -> Vec<T> {
        let mut all = Vec::with_capacity(tasks.len());
        for task in tasks {
            all.push(task.await.unwrap());
        }
        all
    }
}

fn start(limits: CommitLimits) -> (Arc<MemoryStore>, Committer, tokio::task::JoinHandle<()>) {
    let store = Arc::new(MemoryStore::new());
    let (committer, commit_loop) = Committer::new(Arc::clone(&store) as Arc<dyn Store>, limits);
    (store, committer, tokio::spawn(commit_loop))
}

/// Hands over accepts of these runs while the store holds, in order, and returns their tasks.
async fn hand_over(
    committer: &Committer,
    runs: std::ops::Range<u128>,
) -> Vec<tokio::task::JoinHandle<Result<AcceptOutcome, StoreError>>> {
    let mut tasks = Vec::new();
    for n in runs {
        let committer = committer.clone();
        tasks.push(tokio::spawn(async move { committer.accept(Fixture::accept(n)).await }));
    }
    // One thread: every task has run up to its wait when this one runs again.
    tokio::task::yield_now().await;
    tasks
}

#[tokio::test]
async fn what_arrives_while_a_commit_is_in_flight_shares_the_next() {
    let limits = CommitLimits { batch_writes: 16, ..CommitLimits::default() };
    let (store, committer, commit_loop) = start(limits);
    let hold = store.hold().await;
    let mut tasks = hand_over(&committer, 0..1).await;
    tokio::task::yield_now().await;
    tasks.extend(hand_over(&committer, 1..41).await);
    drop(hold);
    for outcome in join_all(tasks).await {
        assert_eq!(outcome, Ok(AcceptOutcome::Accepted));
    }
    assert_eq!(store.batch_sizes(), [1, 16, 16, 8]);
    drop(committer);
    commit_loop.await.unwrap();
}

#[tokio::test]
async fn bytes_are_capped_and_a_heavy_write_goes_alone() {
    let weight = Write::Accept(Box::new(Fixture::accept(1))).weight();
    let limits = CommitLimits { batch_bytes: 2 * weight + 10, ..CommitLimits::default() };
    let (store, committer, _commit_loop) = start(limits);
    let hold = store.hold().await;
    let mut tasks = hand_over(&committer, 1..6).await;
    let mut heavy = Fixture::accept(6);
    heavy.event.body = vec![0; 10 * weight].into();
    let to = committer.clone();
    tasks.push(tokio::spawn(async move { to.accept(heavy).await }));
    tokio::task::yield_now().await;
    drop(hold);
    join_all(tasks).await;
    assert_eq!(store.batch_sizes(), [2, 2, 1, 1]);
}

#[tokio::test]
async fn a_full_queue_answers_at_once() {
    let limits = CommitLimits { batch_writes: 1, queue: 3, ..CommitLimits::default() };
    let (store, committer, _commit_loop) = start(limits);
    let hold = store.hold().await;
    let tasks = hand_over(&committer, 0..1).await;
    tokio::task::yield_now().await;
    let more = hand_over(&committer, 1..4).await;
    let refused = committer.accept(Fixture::accept(9)).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    drop(hold);
    assert!(join_all(tasks).await.into_iter().chain(join_all(more).await).all(|o| o.is_ok()));
    assert!(committer.accept(Fixture::accept(9)).await.is_ok(), "there is room again");
}

#[tokio::test]
async fn queued_bytes_are_capped() {
    let limits = CommitLimits { queue_bytes: 5000, ..CommitLimits::default() };
    let (store, committer, _commit_loop) = start(limits);
    let hold = store.hold().await;
    let first = hand_over(&committer, 0..1).await;
    tokio::task::yield_now().await;
    let mut heavy = Fixture::accept(1);
    heavy.event.body = vec![0; 6000].into();
    let (to, write) = (committer.clone(), heavy.clone());
    let alone = tokio::spawn(async move { to.accept(write).await });
    tokio::task::yield_now().await;
    let refused = committer.accept(Fixture::accept(2)).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    drop(hold);
    join_all(first).await;
    assert_eq!(alone.await.unwrap(), Ok(AcceptOutcome::Accepted));
    assert!(committer.accept(Fixture::accept(2)).await.is_ok());
}

#[tokio::test]
async fn closed_loops_give_large_batches() {
    let (store, committer, commit_loop) = start(CommitLimits::default());
    let callers: Vec<_> = (0..128u128)
        .map(|caller| {
            let committer = committer.clone();
            tokio::spawn(async move {
                for turn in 0..20 {
                    committer.accept(Fixture::accept(caller * 1000 + turn)).await.unwrap();
                }
            })
        })
        .collect();
    join_all(callers).await;
    drop(committer);
    commit_loop.await.unwrap();
    let sizes = store.batch_sizes();
    assert_eq!(sizes.iter().sum::<usize>(), 128 * 20);
    assert!(sizes.len() <= 40, "128 callers needed {} commits for 20 turns", sizes.len());
}

#[tokio::test]
async fn steps_of_one_run_keep_their_order() {
    let (store, committer, _commit_loop) = start(CommitLimits::default());
    committer.accept(Fixture::accept(1)).await.unwrap();
    let lease =
        store.lease(0..1024, "a", std::time::Duration::from_secs(9)).await.unwrap().unwrap();
    let hold = store.hold().await;
    let tasks: Vec<_> = (1..=30u64)
        .map(|version| {
            let (committer, lease) = (committer.clone(), lease.clone());
            let entry = Op::Journal(Fixture::entry(&version.to_string()));
            let txn = Fixture::step(1, version, vec![entry]);
            tokio::spawn(async move { committer.commit(&lease, txn).await })
        })
        .collect();
    tokio::task::yield_now().await;
    drop(hold);
    for (outcome, version) in join_all(tasks).await.into_iter().zip(2..) {
        assert_eq!(outcome, Ok(TxnOutcome::Committed { version }));
    }
}

#[tokio::test]
async fn an_unknown_outcome_is_read_back() {
    let (store, committer, _commit_loop) = start(CommitLimits::default());
    store.fail_next(Fault::Unknown { applied: true });
    assert_eq!(committer.accept(Fixture::accept(1)).await, Ok(AcceptOutcome::Accepted));
    store.fail_next(Fault::Unknown { applied: false });
    let lost = committer.accept(Fixture::accept(2)).await;
    assert!(matches!(lost, Err(StoreError::Unavailable(_))), "{lost:?}");
    let lease =
        store.lease(0..1024, "a", std::time::Duration::from_secs(9)).await.unwrap().unwrap();
    store.fail_next(Fault::Unknown { applied: true });
    let step = committer.commit(&lease, Fixture::step(1, 1, vec![])).await;
    assert_eq!(step, Ok(TxnOutcome::Committed { version: 2 }));
    store.fail_next(Fault::Unknown { applied: false });
    let lost = committer.commit(&lease, Fixture::step(1, 2, vec![])).await;
    assert!(matches!(lost, Err(StoreError::Unavailable(_))), "{lost:?}");
    store.fail_next(Fault::Unknown { applied: true });
    let put = Fixture::put("token", "t", crate::Expect::Absent, "x");
    let change = Change { id: Fixture::txn(5), ..Fixture::change(vec![put]) };
    assert_eq!(committer.change(change).await, Ok(ChangeOutcome::Changed));
}

#[tokio::test]
async fn signals_and_claims_of_unknown_outcome_may_be_sent_again() {
    let (store, committer, _commit_loop) = start(CommitLimits::default());
    let lease =
        store.lease(0..1024, "a", std::time::Duration::from_secs(9)).await.unwrap().unwrap();
    let change = || Change { signals: vec![Fixture::signal(1, "x")], ..Fixture::change(vec![]) };
    store.fail_next(Fault::Unknown { applied: false });
    let lost = committer.change(change()).await;
    assert!(matches!(lost, Err(StoreError::Unavailable(_))), "{lost:?}");
    store.fail_next(Fault::Unknown { applied: true });
    assert_eq!(committer.change(change()).await, Ok(ChangeOutcome::Changed));
    committer.accept(Fixture::accept(1)).await.unwrap();
    let claim = || committer.claim(&lease, vec![Fixture::run(1)]);
    for applied in [false, true] {
        store.fail_next(Fault::Unknown { applied });
        assert!(matches!(claim().await, Err(StoreError::Unavailable(_))));
    }
    assert_eq!(claim().await, Ok(vec![Some(2)]), "counted once too often at worst");
}

#[tokio::test]
async fn a_failure_reaches_everybody_in_the_batch_and_nobody_after() {
    let (store, committer, commit_loop) = start(CommitLimits::default());
    store.fail_next(Fault::Full);
    assert!(matches!(committer.accept(Fixture::accept(1)).await, Err(StoreError::Full(_))));
    assert!(committer.accept(Fixture::accept(1)).await.is_ok());
    let mut outside = Fixture::accept(2);
    outside.run.bucket = 5000;
    assert!(matches!(committer.accept(outside).await, Err(StoreError::Refused(_))));
    drop(committer);
    commit_loop.await.unwrap();
}

#[tokio::test]
async fn the_loop_settles_what_it_was_given_before_it_ends() {
    let (store, committer, commit_loop) = start(CommitLimits::default());
    let ended = Arc::new(AtomicBool::new(false));
    let hold = store.hold().await;
    let tasks = hand_over(&committer, 0..10).await;
    drop(committer);
    let flag = Arc::clone(&ended);
    let watch = tokio::spawn(async move {
        commit_loop.await.unwrap();
        flag.store(true, SeqCst);
    });
    tokio::task::yield_now().await;
    assert!(!ended.load(SeqCst));
    drop(hold);
    let outcomes = Mutex::new(join_all(tasks).await);
    assert!(outcomes.lock().unwrap().iter().all(Result::is_ok));
    watch.await.unwrap();
}
