//! Of one chain only one run goes on: whoever retries and whoever replays the same failure, at the
//! same time or one after the other, pay once.

use std::{sync::Arc, time::Duration};

use qc_engine::{EngineError, Replay};
use qc_model::{Actor, RunId, Timestamp};
use qc_store::{Retention, RunStatus, Store};
use serde_json::json;

use crate::world::{Answer, Outside, World, ok, output};

const CHARGE: &str = "
- pay:
    call: desk.charge
    with: { body: { n: '${ .n }' } }
";

fn me() -> Actor {
    Actor::platform("test")
}

/// The first request is refused, all others are taken.
fn refused_once() -> Arc<Outside> {
    Outside::new(
        |_, nth| if nth == 0 { Answer::Status(400, json!({})) } else { ok(json!({"id": 7})) },
    )
}

async fn faulted(outside: &Arc<Outside>) -> (World, RunId) {
    let world = World::new(CHARGE, outside.clone());
    let run = world.start(json!({"n": 1})).await;
    world.until(run, RunStatus::Faulted).await;
    (world, run)
}

/// The run that an error says has gone on.
fn named(error: &EngineError) -> String {
    let EngineError::WrongState { reason, .. } = error else { panic!("{error:?}") };
    assert!(reason.contains("has gone on"), "{reason}");
    reason.split_whitespace().next().unwrap().to_owned()
}

#[derive(Debug, Clone, Copy)]
enum Deed {
    Retry,
    Replay,
}

/// Both read the chain before either writes.
async fn race(first: Deed, second: Deed) {
    let outside = refused_once();
    let (world, run) = faulted(&outside).await;
    let hold = world.store.hold().await;
    let mut racing = Vec::new();
    for deed in [first, second] {
        let engine = world.engine.clone();
        racing.push(tokio::spawn(async move {
            match deed {
                Deed::Retry => engine.retry_dead(run, &me()).await.map(|()| run),
                Deed::Replay => engine.replay(run, Replay::default(), &me()).await,
            }
        }));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    drop(hold);
    let mut won = Vec::new();
    let mut lost = Vec::new();
    for one in racing {
        match one.await.unwrap() {
            Ok(run) => won.push(run),
            Err(error) => lost.push(error),
        }
    }
    let race = format!("{first:?} and {second:?}: {won:?}, {lost:?}");
    assert_eq!((won.len(), lost.len()), (1, 1), "{race}");
    // Two retries of one run are told apart by the run itself.
    if !matches!((first, second), (Deed::Retry, Deed::Retry)) {
        assert!(won[0] == run || named(&lost[0]) == won[0].to_string(), "{race}");
    }
    output(world.end(won[0]).await);
    assert_eq!(outside.requests("/charges"), 2, "the refused one and one more: {race}");
    // Nor does anybody make it again afterwards.
    let late = world.engine.retry_dead(run, &me()).await.unwrap_err();
    assert!(matches!(late, EngineError::WrongState { .. }), "{late:?}");
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(outside.requests("/charges"), 2, "{race}");
}

#[tokio::test(start_paused = true)]
async fn of_those_who_race_one_goes_on_and_the_other_hears_of_it() {
    use Deed::{Replay, Retry};
    for (first, second) in [(Retry, Replay), (Replay, Retry), (Replay, Replay), (Retry, Retry)] {
        race(first, second).await;
    }
}

#[tokio::test(start_paused = true)]
async fn only_the_newest_run_of_a_chain_is_retried_or_replayed() {
    let outside =
        Outside::new(
            |_, nth| if nth < 3 { Answer::Status(400, json!({})) } else { ok(json!({"id": 7})) },
        );
    let (world, first) = faulted(&outside).await;
    let second = world.engine.replay(first, Replay::default(), &me()).await.unwrap();
    world.until(second, RunStatus::Faulted).await;
    let late = world.engine.retry_dead(first, &me()).await.unwrap_err();
    assert_eq!(named(&late), second.to_string());
    let late = world.engine.replay(first, Replay::default(), &me()).await.unwrap_err();
    assert_eq!(named(&late), second.to_string());
    world.engine.retry_dead(second, &me()).await.unwrap();
    world.until(second, RunStatus::Faulted).await;
    let third = world.engine.replay(second, Replay::default(), &me()).await.unwrap();
    output(world.end(third).await);
    assert_eq!(outside.requests("/charges"), 4);
    // New effects are a chain of their own, from any run.
    let anew = Replay { new_effects: true, ..Replay::default() };
    let anew = world.engine.replay(first, anew, &me()).await.unwrap();
    output(world.end(anew).await);
    assert_eq!(outside.requests("/charges"), 5);
}

/// The retried run is at work again while somebody still believes it to be at its end.
#[tokio::test(start_paused = true)]
async fn a_run_that_was_opened_again_is_not_replayed_meanwhile() {
    let outside = Outside::new(|_, nth| match nth {
        0 => Answer::Status(400, json!({})),
        _ => Answer::Slow(Duration::from_secs(20), json!({"id": 7})),
    });
    let (world, run) = faulted(&outside).await;
    world.engine.retry_dead(run, &me()).await.unwrap();
    let early = world.engine.replay(run, Replay::default(), &me()).await.unwrap_err();
    assert!(matches!(early, EngineError::WrongState { status: "running", .. }), "{early:?}");
    output(world.end(run).await);
    let replay = world.engine.replay(run, Replay::default(), &me()).await.unwrap();
    output(world.end(replay).await);
    assert_eq!(outside.requests("/charges"), 2, "the replay has the answer from the journal");
}

#[tokio::test(start_paused = true)]
async fn chains_are_forgotten_when_all_their_runs_are() {
    let outside = refused_once();
    let (world, run) = faulted(&outside).await;
    let replay = world.engine.replay(run, Replay::default(), &me()).await.unwrap();
    output(world.end(replay).await);
    let chains = || async { world.store.documents("chain", None, 10).await.unwrap().len() };
    let far = Timestamp::from_millis(i64::MAX / 4);
    // The dead letter keeps its run, and with it the chain.
    world.store.prune(&Retention::at(far, far), 100).await.unwrap();
    assert_eq!(world.engine.tidy_chains(None).await.unwrap(), None);
    assert!(world.store.run(replay).await.unwrap().is_none());
    assert_eq!(chains().await, 1);
    let late = world.engine.retry_dead(run, &me()).await.unwrap_err();
    assert_eq!(named(&late), replay.to_string());
    world.engine.discard_dead(run, "done by the replay", &me()).await.unwrap();
    world.store.prune(&Retention::at(far, far), 100).await.unwrap();
    world.engine.tidy_chains(None).await.unwrap();
    assert_eq!(chains().await, 0);
}
