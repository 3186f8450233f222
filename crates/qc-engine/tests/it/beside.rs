//! What is asked beside the calls of runs keeps to the pace of their system, too: polls and read-backs.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use qc_engine::RunEnd;
use qc_store::{RunStatus, memory::MemoryStore};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    polling::polling,
    world::{
        Answer, Outside, VirtualClock, World, deployment, deployment_with, limited, ok, output,
    },
};

const POST: &str = "- post: { call: desk.postMessage, with: { body: { ref: '${ .n }' } } }\n";

/// When each request to a path came.
type Times = Arc<Mutex<Vec<Duration>>>;

/// An outside that notes when it is asked on one path.
fn noting(
    path: &'static str,
    rule: impl Fn(&str, usize, &Value) -> Answer + Send + Sync + 'static,
) -> (Arc<Outside>, Times) {
    let times: Times = Arc::default();
    let (noted, began) = (times.clone(), Instant::now());
    let outside = Outside::seeing(move |asked, nth, body| {
        if asked == path {
            noted.lock().unwrap().push(began.elapsed());
        }
        rule(asked, nth, body)
    });
    (outside, times)
}

fn pauses(times: &Times) -> Vec<u128> {
    let times = times.lock().unwrap();
    times.windows(2).map(|pair| pair[1].saturating_sub(pair[0]).as_millis()).collect()
}

fn world_of(deployment: qc_engine::Deployment, outside: Arc<Outside>) -> World {
    let clock = Arc::new(VirtualClock::now());
    let store = Arc::new(MemoryStore::with_clock(clock.clone()));
    World::over(store, clock, deployment, outside, 1)
}

fn nothing_new() -> Answer {
    ok(json!({"items": []}))
}

#[tokio::test(start_paused = true)]
async fn polls_keep_to_a_declared_limit() {
    let (outside, times) = noting("/changes", |_, _, _| nothing_new());
    let trigger = polling(Duration::from_secs(1));
    let polled = limited(
        deployment_with("r1", "- x: { set: { a: 1 } }\n", trigger),
        "[{ requests: 6, per: 1m }]",
    );
    let world = world_of(polled, outside);
    tokio::time::sleep(Duration::from_secs(120)).await;
    let pauses = pauses(&times);
    println!("{pauses:?}");
    assert!(pauses.len() >= 10 && pauses.iter().all(|pause| *pause >= 10_000), "{pauses:?}");
    drop(world);
}

#[tokio::test(start_paused = true)]
async fn a_stated_pause_holds_for_polls_when_a_call_of_a_run_was_told() {
    let tasks = "- sync: { call: desk.putState, with: { body: { n: '${ .n }' } } }\n";
    let (outside, times) = noting("/changes", |path, nth, _| match (path, nth) {
        ("/changes", 0) => ok(json!({"items": [{"id": "a", "n": 1, "seq": 1}], "next": 1})),
        ("/changes", _) => nothing_new(),
        (_, 0) => Answer::Throttle(300),
        _ => ok(json!({})),
    });
    let world = world_of(deployment_with("r1", tasks, polling(Duration::from_secs(20))), outside);
    tokio::time::sleep(Duration::from_secs(400)).await;
    let pauses = pauses(&times);
    println!("{pauses:?}");
    assert!((300_000..305_000).contains(&pauses[0]), "{pauses:?}");
    assert!(pauses.len() >= 3, "it goes on: {pauses:?}");
    drop(world);
}

/// A system that takes messages and loses its answers; what it is asked for, it knows.
fn lossy(find: impl Fn(usize) -> Answer + Send + Sync + 'static) -> (Arc<Outside>, Times) {
    noting("/find", move |path, nth, _| match path {
        "/find" => find(nth),
        _ => Answer::AppliedThenBroken,
    })
}

#[tokio::test(start_paused = true)]
async fn read_backs_of_many_keep_to_the_limit() {
    let (outside, times) = lossy(|_| ok(json!({"messages": [1]})));
    let limits = "[{ requests: 1, per: 1s }]";
    let world = world_of(limited(deployment("r1", POST), limits), outside.clone());
    let mut runs = Vec::new();
    for n in 0..10 {
        runs.push(world.start(json!({"n": n})).await);
    }
    for run in runs {
        output(world.end(run).await);
    }
    assert_eq!((outside.requests("/messages"), outside.requests("/find")), (10, 10));
    let pauses = pauses(&times);
    assert!(pauses.iter().all(|pause| *pause >= 1_000), "{pauses:?}");
    // Twenty requests at 0.97 a second.
    assert!(world.uptime() >= Duration::from_secs(19), "{:?}", world.uptime());
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_a_read_back_is_told_is_kept_by_it_and_by_all() {
    let (outside, times) = lossy(|nth| match nth {
        0 => Answer::Throttle(240),
        _ => ok(json!({"messages": [1]})),
    });
    let world = world_of(deployment("r1", POST), outside.clone());
    let run = world.start(json!({"n": 1})).await;
    while outside.requests("/find") == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let beside = world.start(json!({"n": 2})).await;
    tokio::time::sleep(Duration::from_secs(200)).await;
    assert_eq!((outside.requests("/messages"), outside.requests("/find")), (1, 1));
    // Also by the next process.
    let (store, clock) = world.kill();
    let world = World::over(store, clock, deployment("r1", POST), outside.clone(), 2);
    tokio::time::sleep(Duration::from_secs(35)).await;
    assert_eq!((outside.requests("/messages"), outside.requests("/find")), (1, 1));
    output(world.end(run).await);
    output(world.end(beside).await);
    let pauses = pauses(&times);
    assert!((240_000..242_000).contains(&pauses[0]), "{pauses:?}");
}

/// Nobody waits in memory for a read-back for longer than a quarter of an hour: a person hears for what it waits.
#[tokio::test(start_paused = true)]
async fn a_read_back_that_may_not_be_made_for_long_is_a_persons() {
    let (outside, _) = lossy(|_| Answer::Throttle(3_600));
    let world = world_of(deployment("r1", POST), outside.clone());
    let run = world.start(json!({"n": 1})).await;
    world.until(run, RunStatus::Parked).await;
    assert!(world.uptime() < Duration::from_secs(120), "{:?}", world.uptime());
    assert_eq!(outside.requests("/find"), 1);
    let state = qc_store::Store::run(&*world.store, run).await.unwrap().unwrap().state;
    println!("{:?}", state.summary);
    assert!(!matches!(
        world.engine.wait(run, Duration::ZERO).await,
        Ok(Some(RunEnd::Completed { .. }))
    ));
}

/// What an ambiguous answer says of a pause holds for the read-back of its own call.
#[tokio::test(start_paused = true)]
async fn a_pause_that_the_ambiguous_answer_stated_is_kept_by_its_read_back() {
    let (outside, times) = noting("/find", |path, _, _| match path {
        "/find" => ok(json!({"messages": [1]})),
        _ => Answer::Overloaded(120),
    });
    let world = world_of(deployment("r1", POST), outside.clone());
    let run = world.start(json!({"n": 1})).await;
    output(world.end(run).await);
    assert_eq!((outside.requests("/messages"), outside.requests("/find")), (1, 1));
    let asked = times.lock().unwrap()[0];
    assert!((120..125).contains(&asked.as_secs()), "{asked:?}");
}

/// A system that is away and comes back: who is in doubt reads back, is no reason for others to wait, and nobody is asked.
#[tokio::test(start_paused = true)]
async fn read_backs_find_out_that_a_system_is_back() {
    const AWAY: Duration = Duration::from_secs(45);
    let began = Instant::now();
    let (outside, _) = noting("/find", move |path, _, _| match path {
        _ if began.elapsed() < AWAY => Answer::AppliedThenBroken,
        "/find" => ok(json!({"messages": [1]})),
        _ => ok(json!({"id": 1})),
    });
    let world = world_of(deployment("r1", POST), outside.clone());
    let mut runs = Vec::new();
    for n in 0..40 {
        runs.push(world.start(json!({"n": n})).await);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    for run in runs {
        output(world.end(run).await);
    }
    println!(
        "{:?}: {} sent, {} read back",
        world.uptime(),
        outside.requests("/messages"),
        outside.requests("/find")
    );
    assert!(world.uptime() < Duration::from_secs(180), "{:?}", world.uptime());
    assert_eq!(world.engine.gauges().parked, 0);
}
