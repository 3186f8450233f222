//! Runs for which a limit had no room: they begin at the moment that their event was given, and nothing forgets them.

use std::{sync::Arc, time::Duration};

use qc_engine::{Accepted, Deployment, EngineError, OnFailure, Queued, Replay, RunEnd, Terms};
use qc_model::{Actor, Clock as _, RunId};
use qc_store::{LiveCause, RunStatus, Store, memory::MemoryStore};
use serde_json::json;
use tokio::time::sleep;

use crate::{
    pausing::trigger_of,
    world::{Answer, Outside, VirtualClock, World, deployment, ok, output},
};

const PUT: &str =
    "- sync: { call: desk.putState, with: { body: { n: '${ .n }', key: '${ .key }' } } }\n";

fn alone(deployment: Deployment, outside: &Arc<Outside>) -> World {
    let clock = Arc::new(VirtualClock::now());
    let store = Arc::new(MemoryStore::with_clock(clock.clone()));
    World::over(store, clock, deployment, outside.clone(), 1)
}

fn good() -> Arc<Outside> {
    Outside::new(|_, _| ok(json!({"id": 7})))
}

/// An event that begins so many seconds from now.
async fn queued(world: &World, n: u64, seconds: u64) -> RunId {
    // A process that holds no lease yet leaves what it accepts to its first sweep.
    while !world.engine.gauges().leased {
        sleep(Duration::from_millis(1)).await;
    }
    let until = world.clock.now() + Duration::from_secs(seconds);
    let queued = Some(Queued { until, limit: "per-tenant".to_owned() });
    let sender = world.sender().on(Terms { queued, degraded: false });
    of(sender.send(None, json!({"n": n, "key": "a"})).await)
}

fn of(accepted: Result<Accepted, EngineError>) -> RunId {
    match accepted.unwrap() {
        Accepted::New { run } => run,
        Accepted::Repeat { run } => panic!("{run} is a repeat"),
    }
}

fn sent(outside: &Outside) -> Vec<u64> {
    let all = outside.seen.lock().unwrap();
    all.iter().filter_map(|one| one.body["n"].as_u64()).collect()
}

async fn state(world: &World, run: RunId) -> (RunStatus, LiveCause) {
    let state = world.store.run(run).await.unwrap().unwrap().state;
    (state.status, state.cause)
}

const QUEUED: (RunStatus, LiveCause) = (RunStatus::Waiting, LiveCause::Queue);

#[tokio::test(start_paused = true)]
async fn a_queued_run_begins_at_its_moment_and_not_before_also_across_a_restart() {
    let outside = good();
    let world = alone(deployment("r1", PUT), &outside);
    let runs = [queued(&world, 0, 60).await, queued(&world, 1, 120).await];
    sleep(Duration::from_secs(50)).await;
    assert_eq!(state(&world, runs[0]).await, QUEUED);
    let head = world.store.run(runs[0]).await.unwrap().unwrap();
    assert!(head.state.summary.unwrap().starts_with("queued by the limit `per-tenant` until 2"));
    sleep(Duration::from_secs(11)).await;
    output(world.end(runs[0]).await);
    assert_eq!(sent(&outside), [0]);
    let (store, clock) = world.kill();
    sleep(Duration::from_secs(15)).await;
    let world = World::over(store, clock, deployment("r1", PUT), outside.clone(), 2);
    sleep(Duration::from_secs(30)).await;
    assert_eq!((state(&world, runs[1]).await, sent(&outside)), (QUEUED, vec![0]));
    let before = world.clock.now();
    output(world.end(runs[1]).await);
    let waited = world.clock.now().since(before);
    assert!(waited > Duration::from_secs(2) && waited < Duration::from_secs(30), "{waited:?}");
    assert_eq!(world.engine.gauges().stuck, 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_queued_while_no_process_ran_begins_when_one_does() {
    let outside = good();
    let world = alone(deployment("r1", PUT), &outside);
    let run = queued(&world, 0, 5).await;
    let (store, clock) = world.kill();
    sleep(Duration::from_secs(3_600)).await;
    let world = World::over(store, clock, deployment("r1", PUT), outside.clone(), 2);
    output(world.end(run).await);
}

#[tokio::test(start_paused = true)]
async fn a_queued_run_keeps_its_place_in_its_line() {
    let outside = good();
    let world = alone(super::ordering::ordered(PUT, OnFailure::Skip), &outside);
    let first = world.start(json!({"n": 0, "key": "a"})).await;
    let second = queued(&world, 1, 60).await;
    let third = world.start(json!({"n": 2, "key": "a"})).await;
    let other = world.start(json!({"n": 3, "key": "b"})).await;
    output(world.end(first).await);
    output(world.end(other).await);
    sleep(Duration::from_secs(30)).await;
    assert_eq!(sent(&outside), [0, 3], "who comes later waits behind it");
    assert_eq!(state(&world, third).await, (RunStatus::Waiting, LiveCause::Turn));
    output(world.end(second).await);
    output(world.end(third).await);
    assert_eq!(sent(&outside), [0, 3, 1, 2]);
}

/// Its moment comes while another one is ahead of it in its line.
#[tokio::test(start_paused = true)]
async fn a_queued_run_whose_moment_has_come_waits_for_those_ahead_of_it() {
    let outside = Outside::judging(|body| {
        let answer = json!({"id": 7});
        if body["n"] == 0 { Answer::Slow(Duration::from_secs(20), answer) } else { ok(answer) }
    });
    let world = alone(super::ordering::ordered(PUT, OnFailure::Skip), &outside);
    let first = world.start(json!({"n": 0, "key": "a"})).await;
    let second = queued(&world, 1, 5).await;
    sleep(Duration::from_secs(10)).await;
    assert_eq!(state(&world, second).await, (RunStatus::Waiting, LiveCause::Turn));
    output(world.end(first).await);
    output(world.end(second).await);
}

#[tokio::test(start_paused = true)]
async fn a_queued_run_of_a_trigger_that_was_paused_meanwhile_is_held() {
    let outside = good();
    let world = alone(deployment("r1", PUT), &outside);
    let (door, me) = (trigger_of("test", "in"), Actor::platform("test"));
    let run = queued(&world, 0, 60).await;
    world.engine.pause_trigger(&door, "maintenance", &me).await.unwrap();
    sleep(Duration::from_secs(90)).await;
    assert_eq!(state(&world, run).await, (RunStatus::Waiting, LiveCause::Held));
    assert!(sent(&outside).is_empty());
    world.engine.resume_trigger(&door, "done", &me).await.unwrap();
    output(world.end(run).await);
}

#[tokio::test(start_paused = true)]
async fn a_queued_run_can_be_cancelled_and_a_repeat_of_its_event_is_it() {
    let outside = good();
    let world = alone(deployment("r1", PUT), &outside);
    let until = world.clock.now() + Duration::from_secs(60);
    let queued = Some(Queued { until, limit: "all".to_owned() });
    let sender = world.sender().on(Terms { queued, degraded: false });
    let run = of(sender.send(Some("k"), json!({"n": 1})).await);
    assert_eq!(world.send(Some("k"), json!({"n": 1})).await.unwrap(), Accepted::Repeat { run });
    world.engine.cancel(run, "no longer wanted", &Actor::platform("test")).await.unwrap();
    assert!(matches!(world.end(run).await, RunEnd::Cancelled { .. }));
    sleep(Duration::from_secs(90)).await;
    assert!(sent(&outside).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_degraded_run_knows_it_also_after_a_crash_and_others_do_not() {
    let tasks = "- pause: { wait: PT10S }\n- tell: { set: { lesser: '${ $runtime.metadata.degraded // false }' } }\n";
    let outside = good();
    let world = alone(deployment("r1", tasks), &outside);
    let sender = world.sender().on(Terms { queued: None, degraded: true });
    let run = of(sender.send(None, json!({"n": 1})).await);
    let full = world.start(json!({"n": 2})).await;
    let (store, clock) = world.kill();
    sleep(Duration::from_secs(15)).await;
    let world = World::over(store, clock, deployment("r1", tasks), outside.clone(), 2);
    assert_eq!(output(world.end(run).await), json!({"lesser": true}));
    assert_eq!(output(world.end(full).await), json!({"lesser": false}));
}

/// What is called hears how long the chain is that ends at it, also when another process calls.
#[tokio::test(start_paused = true)]
async fn a_call_tells_how_many_hops_it_is_away() {
    let tasks = "- first: { call: desk.putState, with: { body: { n: 1 } } }\n- pause: { wait: PT10S }\n- second: { call: desk.putState, with: { body: { n: 2 } } }\n";
    let outside = good();
    let world = alone(deployment("r1", tasks), &outside);
    let direct = world.start(json!({})).await;
    output(world.end(direct).await);
    let run = of(world.sender().through(4).send(None, json!({})).await);
    while outside.requests("/state") < 3 {
        sleep(Duration::from_secs(1)).await;
    }
    let (store, clock) = world.kill();
    sleep(Duration::from_secs(15)).await;
    let world = World::over(store, clock, deployment("r1", tasks), outside.clone(), 2);
    output(world.end(run).await);
    let hops: Vec<String> =
        outside.seen.lock().unwrap().iter().map(|seen| seen.hops.clone().unwrap()).collect();
    // One whose answer the killed process did not write down is sent again.
    assert_eq!(hops[..4], ["1", "1", "5", "5"]);
    assert!(hops[4..].iter().all(|hop| hop == "5"), "{hops:?}");
}

/// A replay that takes over what was done in the lesser way goes on in it; one that does all anew does not.
#[tokio::test(start_paused = true)]
async fn a_replay_goes_the_way_that_its_run_went() {
    let tasks = "- tell: { set: { lesser: '${ $runtime.metadata.degraded // false }' } }\n";
    let world = alone(deployment("r1", tasks), &good());
    let sender = world.sender().on(Terms { queued: None, degraded: true });
    let run = of(sender.send(None, json!({"n": 1})).await);
    output(world.end(run).await);
    for new_effects in [false, true] {
        let replay = Replay { new_effects, ..Replay::default() };
        let again = world.engine.replay(run, replay, &Actor::platform("test")).await.unwrap();
        assert_eq!(output(world.end(again).await), json!({"lesser": !new_effects}));
    }
}
