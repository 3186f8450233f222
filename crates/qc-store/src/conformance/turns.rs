use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use super::{
    Factory,
    fixtures::{Fixture, accept, commit, lease_all, write},
};
use crate::{
    Accept, AcceptOutcome, LiveCause, Op, RunHead, RunState, RunStatus, Store, Turn, TurnPlace,
    Txn, Write,
};

async fn first(store: &dyn Store, turn: &Turn) -> Option<qc_model::RunId> {
    store.first_in_line(&turn.scope, &turn.key).await.expect("read")
}

fn ids(heads: &[RunHead]) -> Vec<qc_model::RunId> {
    heads.iter().map(|head| head.facts.id).collect()
}

/// Runs of a key stand in the order of their accepts until each leaves; other keys and scopes are
/// other lines, a repeated accept stands only once.
pub async fn runs_of_a_key_go_one_after_the_other(factory: &Factory) {
    let store = factory().store;
    let store = store.as_ref();
    let lease = lease_all(store, "a").await;
    // Not in the order of their ids.
    for n in [5, 2, 9] {
        assert_eq!(accept(store, Fixture::in_line(n, "k")).await, AcceptOutcome::Accepted);
        accept(store, Fixture::in_line(n, "k")).await;
    }
    let elsewhere = Turn { scope: "other".to_owned(), ..Fixture::turn("k") };
    accept(store, Accept { turn: Some(elsewhere.clone()), ..Fixture::in_line(7, "k") }).await;
    let turn = Fixture::turn("k");
    let place = |n| async move { store.turn_of(Fixture::run(n)).await.expect("read") };
    let at = |ahead| Some(TurnPlace { turn: turn.clone(), ahead });
    assert_eq!(first(store, &turn).await, Some(Fixture::run(5)));
    assert_eq!(first(store, &elsewhere).await, Some(Fixture::run(7)));
    assert_eq!(first(store, &Fixture::turn("none")).await, None);
    assert_eq!([place(5).await, place(2).await, place(9).await], [at(0), at(1), at(2)]);
    assert_eq!(place(1).await, None);
    // The end of a run does not leave the line, and one in the middle may leave it.
    let ended = Fixture::ended(RunStatus::Faulted, 1);
    commit(store, &lease, Fixture::into_state(5, 1, ended)).await;
    commit(store, &lease, Fixture::step(2, 9, vec![Op::EndTurn])).await;
    assert_eq!(first(store, &turn).await, Some(Fixture::run(5)));
    assert_eq!(place(2).await, at(1), "a conflict leaves it in line");
    commit(store, &lease, Fixture::step(2, 1, vec![Op::EndTurn])).await;
    assert_eq!((place(2).await, place(9).await), (None, at(1)));
    commit(store, &lease, Fixture::step(5, 2, vec![Op::EndTurn])).await;
    assert_eq!(first(store, &turn).await, Some(Fixture::run(9)));
    commit(store, &lease, Fixture::step(9, 1, vec![Op::EndTurn, Op::EndTurn])).await;
    assert_eq!(first(store, &turn).await, None);
    accept(store, Fixture::in_line(3, "k")).await;
    assert_eq!((first(store, &turn).await, place(3).await), (Some(Fixture::run(3)), at(0)));
}

/// A replay takes the place of the run that it replays, when that one stands in the same line.
pub async fn a_replay_takes_the_place_of_its_run(factory: &Factory) {
    let store = factory().store;
    let store = store.as_ref();
    lease_all(store, "a").await;
    for n in [1, 2, 3] {
        accept(store, Fixture::in_line(n, "k")).await;
    }
    let replay = |n, of, key| {
        let mut replay = Fixture::in_line(n, key);
        replay.run.replay_of = Some(Fixture::run(of));
        replay
    };
    accept(store, replay(7, 1, "k")).await;
    accept(store, replay(8, 2, "other")).await;
    accept(store, replay(9, 5, "k")).await;
    accept(store, replay(10, 1, "k")).await;
    let place = |n| async move { store.turn_of(Fixture::run(n)).await.expect("read") };
    let at = |key, ahead| Some(TurnPlace { turn: Fixture::turn(key), ahead });
    assert_eq!(first(store, &Fixture::turn("k")).await, Some(Fixture::run(7)));
    assert_eq!((place(1).await, place(7).await), (None, at("k", 0)));
    assert_eq!((place(2).await, place(8).await), (at("k", 1), at("other", 0)));
    assert_eq!((place(3).await, place(9).await), (at("k", 2), at("k", 3)));
    assert_eq!(place(10).await, at("k", 4), "its run has left the line before");
}

/// The sweep finds whoever is first and still waits for its turn, in its buckets.
pub async fn the_sweep_finds_whose_turn_it_is(factory: &Factory) {
    let store = factory().store;
    let store = store.as_ref();
    let lease = lease_all(store, "a").await;
    for (n, key) in [(1, "a"), (2, "a"), (3, "b"), (4, "c"), (5, "b"), (6, "\u{0}"), (7, "")] {
        accept(store, Fixture::in_line(n, key)).await;
    }
    let found = |buckets, limit| async move {
        ids(&store.runs_in_turn(buckets, limit).await.expect("read"))
    };
    let runs = |numbers: &[u128]| numbers.iter().map(|n| Fixture::run(*n)).collect::<Vec<_>>();
    assert_eq!(found(0..1024, 100).await, runs(&[1, 3, 4, 6, 7]));
    assert_eq!(found(0..1024, 2).await, runs(&[1, 3]));
    assert_eq!(found(3..5, 100).await, runs(&[3, 4]));
    let heads = store.runs_in_turn(1..2, 1).await.expect("read");
    assert_eq!(heads[0].state.cause, LiveCause::Turn);
    // Who has begun is no longer found, nor are those behind it.
    commit(store, &lease, Fixture::step(1, 1, vec![])).await;
    assert_eq!(found(0..1024, 100).await, runs(&[3, 4, 6, 7]));
    let ops = vec![Op::EndTurn];
    let ended = Fixture::ended(RunStatus::Completed, 1);
    commit(store, &lease, Txn { ops, ..Fixture::into_state(1, 2, ended) }).await;
    assert_eq!(found(0..1024, 100).await, runs(&[2, 3, 4, 6, 7]));
    let held = RunState { cause: LiveCause::Held, ..Fixture::at_work() };
    commit(store, &lease, Fixture::into_state(3, 1, held)).await;
    assert_eq!(found(0..1024, 100).await, runs(&[2, 4, 6, 7]));
}

/// While many join a line at once, nobody gets ahead of whoever was first; each has its place.
pub async fn whoever_is_first_stays_first(factory: &Factory) {
    let store = factory().store;
    let turn = Fixture::turn("k");
    let done = Arc::new(AtomicBool::new(false));
    let watcher = {
        let (store, turn, done) = (Arc::clone(&store), turn.clone(), Arc::clone(&done));
        tokio::spawn(async move {
            let mut seen = None;
            while !done.load(Ordering::SeqCst) {
                let now = first(store.as_ref(), &turn).await;
                assert!(seen.is_none() || now == seen, "{now:?} got ahead of {seen:?}");
                seen = now;
                tokio::task::yield_now().await;
            }
            seen
        })
    };
    let joiners: Vec<_> = (0..8u128)
        .map(|joiner| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                for n in 0..20u128 {
                    // Later ids first, so that an order by id would show.
                    let accept = Fixture::in_line(1000 - (n * 8 + joiner), "k");
                    write(store.as_ref(), vec![Write::Accept(Box::new(accept))]).await;
                }
            })
        })
        .collect();
    for joiner in joiners {
        joiner.await.expect("the joiner lives");
    }
    done.store(true, Ordering::SeqCst);
    let seen = watcher.await.expect("the watcher lives");
    let first = first(store.as_ref(), &turn).await;
    assert!(first.is_some() && (seen.is_none() || seen == first));
    let mut places = Vec::new();
    for n in 0..160u128 {
        let place = store.turn_of(Fixture::run(1000 - n)).await.expect("read");
        places.push(place.expect("it stands in line").ahead);
    }
    places.sort_unstable();
    assert_eq!(places, (0..160).collect::<Vec<_>>());
}
