//! How long a run may take, from its event on: in a line, at the gate of a limit, in a pause, over a restart.

use std::{sync::Arc, time::Duration};

use qc_engine::{Deployment, EngineSettings, OnFailure, RunEnd};
use qc_model::{Actor, Class, Failure, NextAction, RunId};
use qc_store::{RunFilter, RunStatus, Store, memory::MemoryStore};
use serde_json::json;

use crate::{
    ordering::ordered,
    world::{Answer, Outside, VirtualClock, World, deployment, limited, named_deployment, ok},
};

const PUT: &str = "- sync: { call: desk.putState, with: { body: { n: '${ .n }' } } }\n";

/// The same, with so many seconds for each run.
fn within(seconds: u64, mut deployment: Deployment) -> Deployment {
    let release = Arc::get_mut(&mut deployment.release).unwrap();
    release.deadline = Some(Duration::from_secs(seconds));
    deployment
}

fn world(deployment: Deployment, outside: &Arc<Outside>) -> World {
    let clock = Arc::new(VirtualClock::now());
    let store = Arc::new(MemoryStore::with_clock(clock.clone()));
    World::with(store, clock, vec![deployment], outside.clone(), 1, EngineSettings::default())
}

async fn death(world: &World, run: RunId) -> Failure {
    match world.end(run).await {
        RunEnd::Faulted { failure, .. } => failure,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_with_its_run_also_after_a_crash() {
    let deployment = || within(60, deployment("r1", "- pause: { wait: { hours: 2 } }\n"));
    let first = world(deployment(), &Outside::new(|_, _| ok(json!({}))));
    let run = first.start(json!({})).await;
    first.until(run, RunStatus::Waiting).await;
    tokio::time::sleep(Duration::from_secs(40)).await;
    let (store, clock) = first.kill();
    let second = World::over(store, clock, deployment(), Outside::new(|_, _| ok(json!({}))), 2);
    let died = death(&second, run).await;
    assert_eq!((died.code.as_str(), died.class), ("QC-W115", Class::Expired));
    let took = second.uptime();
    assert!((60..62).contains(&took.as_secs()), "{took:?}");
    // Whoever lets it go on gives it its time again.
    second.engine.retry_dead(run, &Actor::platform("test")).await.unwrap();
    second.until(run, RunStatus::Waiting).await;
    assert_eq!(death(&second, run).await.class, Class::Expired);
    let took = second.uptime();
    assert!((120..123).contains(&took.as_secs()), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_its_turn_at_a_limit_is_not_sent_after_its_deadline() {
    let outside = Outside::new(|_, _| ok(json!({})));
    let slow = limited(deployment("r1", PUT), "[{ requests: 1, per: 60s }]");
    let world = world(within(90, slow), &outside);
    let mut runs = Vec::new();
    for n in 0..4 {
        runs.push(world.start(json!({ "n": n })).await);
    }
    let mut died = 0;
    for run in runs {
        match world.end(run).await {
            RunEnd::Completed { .. } => {}
            RunEnd::Faulted { failure, .. } => {
                assert_eq!(failure.class, Class::Expired);
                died += 1;
            }
            end @ RunEnd::Cancelled { .. } => panic!("{end:?}"),
        }
    }
    assert_eq!((died, outside.requests("/state")), (2, 2));
    assert!(world.uptime() < Duration::from_secs(95), "{:?}", world.uptime());
    assert_eq!(world.engine.gauges().calls_waiting, 0);
}

#[tokio::test(start_paused = true)]
async fn a_stated_pause_that_is_longer_than_there_is_time_is_not_waited_for() {
    let outside = Outside::new(|_, _| Answer::Throttle(300));
    let world = world(within(60, deployment("r1", PUT)), &outside);
    let run = world.start(json!({"n": 1})).await;
    assert_eq!(death(&world, run).await.class, Class::Throttled);
    assert!(world.uptime() < Duration::from_secs(5), "{:?}", world.uptime());
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_turn_comes_too_late_does_nothing() {
    let outside = Outside::new(|_, _| Answer::Slow(Duration::from_secs(9), json!({})));
    let world = world(within(10, ordered(PUT, OnFailure::Skip)), &outside);
    let first = world.start(json!({"key": "a", "n": 1})).await;
    let second = world.start(json!({"key": "a", "n": 2})).await;
    let third = world.start(json!({"key": "a", "n": 3})).await;
    assert!(matches!(world.end(first).await, RunEnd::Completed { .. }));
    // It began with a second left, and its call was not waited for any longer than that.
    assert_eq!(death(&world, second).await.class, Class::Expired);
    assert_eq!(death(&world, third).await.class, Class::Expired);
    assert_eq!(outside.requests("/state"), 2);
}

/// A run's deadline is that of what it runs: a child that goes on would be nobody's.
#[tokio::test(start_paused = true)]
async fn a_child_ends_with_the_run_that_waits_for_it() {
    let parent =
        "- ship: { run: { workflow: { namespace: test, name: ship, version: latest } } }\n";
    let child = named_deployment("c1", "ship", "- nap: { wait: { hours: 3 } }\n");
    let all = vec![within(60, deployment("r1", parent)), child];
    let clock = Arc::new(VirtualClock::now());
    let store = Arc::new(MemoryStore::with_clock(clock.clone()));
    let outside = Outside::new(|_, _| ok(json!({})));
    let settings = EngineSettings::default();
    let world = World::with(store, clock, all.clone(), outside.clone(), 1, settings);
    world.engine.set_deployments(all);
    let run = world.start(json!({})).await;
    assert_eq!(death(&world, run).await.class, Class::Expired);
    let runs = world.store.runs(&RunFilter::default()).await.unwrap();
    let below = runs.iter().find(|head| head.facts.id != run).expect("it has a child");
    world.until(below.facts.id, RunStatus::Cancelled).await;
    assert!(world.uptime() < Duration::from_secs(70), "{:?}", world.uptime());
}

/// What was sent is settled before the run ends: read back, or asked of a person; what could be sent again safely is not,
/// and the run says that it may have taken effect.
#[tokio::test(start_paused = true)]
async fn a_call_under_way_at_the_deadline_is_settled_or_its_doubt_is_told() {
    let outside = Outside::new(|path, nth| match (path, nth) {
        ("/messages", 0) => Answer::Slow(Duration::from_secs(60), json!({"id": 1})),
        ("/messages", _) => ok(json!({"messages": []})),
        _ => Answer::Slow(Duration::from_secs(60), json!({})),
    });
    let begin = async |operation: &str| {
        let tasks =
            format!("- task: {{ call: desk.{operation}, with: {{ body: {{ ref: a }} }} }}\n");
        let world = world(within(30, deployment("r1", &tasks)), &outside);
        let run = world.start(json!({})).await;
        (world, run)
    };
    for (operation, in_doubt) in
        [("putState", true), ("createTicket", true), ("postMessage", false)]
    {
        let (world, run) = begin(operation).await;
        let died = death(&world, run).await;
        assert_eq!(died.code.as_str(), "QC-W115", "{operation}: {died:?}");
        let told = died.detail.contains("`/do/0/task` was cut off then, and may have taken effect");
        assert_eq!(told, in_doubt, "{operation}: {died:?}");
        let next = if in_doubt { NextAction::ContactOwner } else { NextAction::None };
        assert_eq!(died.next_action, next, "{operation}");
    }
    let (world, run) = begin("charge").await;
    world.until(run, RunStatus::Parked).await;
    assert!((30..32).contains(&world.uptime().as_secs()), "{:?}", world.uptime());
}
