//! Order by key: the laws of lines, over crashes, nodes and people.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use qc_engine::{
    Accepted, Deployment, EngineError, EngineSettings, LineName, OnFailure, OrderingRule, Release,
    Replay, RunEnd,
};
use qc_model::{Actor, Name, RunId};
use qc_store::{LiveCause, RunStatus, Store, memory::MemoryStore};
use serde_json::{Value, json};

use crate::{
    link::{Link, Reached},
    world::{Answer, Outside, VirtualClock, World, deployment, ok, output},
};

const CHARGE: &str = "
- pay:
    call: desk.charge
    with: { body: { key: '${ .key }', n: '${ .n }' } }
";

const TICKET: &str = "
- open:
    call: desk.createTicket
    with: { body: { key: '${ .key }', n: '${ .n }' } }
- nap: { wait: { seconds: 1 } }
- again:
    call: desk.putState
    with: { body: { key: '${ $workflow.input.key }', n: '${ $workflow.input.n }' } }
";

fn me() -> Actor {
    Actor::platform("test")
}

pub(crate) fn ordered(tasks: &str, on_failure: OnFailure) -> Deployment {
    let mut deployment = deployment("r1", tasks);
    let release: &mut Release = Arc::get_mut(&mut deployment.release).unwrap();
    let key = qc_expression::Expression::parse(".data.key", &[]).unwrap();
    release.ordering = Some(OrderingRule { key, on_failure });
    deployment
}

fn world(tasks: &str, on_failure: OnFailure, outside: &Arc<Outside>) -> World {
    let clock = Arc::new(VirtualClock::now());
    let store = Arc::new(MemoryStore::with_clock(clock.clone()));
    World::over(store, clock, ordered(tasks, on_failure), outside.clone(), 1)
}

fn slow(millis: u64) -> Arc<Outside> {
    Outside::new(move |_, _| Answer::Slow(Duration::from_millis(millis), json!({"id": 7})))
}

/// The numbers of the requests to a path, by key, in the order of their coming.
fn requests(outside: &Outside, path: &str) -> BTreeMap<String, Vec<u64>> {
    let mut found: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for seen in outside.seen.lock().unwrap().iter().filter(|seen| seen.path == path) {
        let key = seen.body["key"].as_str().unwrap().to_owned();
        found.entry(key).or_default().push(seen.body["n"].as_u64().unwrap());
    }
    found
}

fn event(key: &str, n: u64) -> Value {
    json!({"key": key, "n": n})
}

fn line(key: &str) -> LineName {
    LineName {
        tenant: Name::new("default").unwrap(),
        environment: qc_model::EnvironmentName::new("production").unwrap(),
        integration: Name::new("test").unwrap(),
        key: key.to_owned(),
    }
}

async fn head(world: &World, run: RunId) -> (RunStatus, LiveCause) {
    let state = world.store.run(run).await.unwrap().unwrap().state;
    (state.status, state.cause)
}

#[tokio::test(start_paused = true)]
async fn runs_of_a_key_go_one_after_the_other_and_others_are_not_slowed() {
    let outside = slow(1_000);
    let world = world(CHARGE, OnFailure::Block, &outside);
    let mut runs = Vec::new();
    for n in 0..5 {
        runs.push(world.start(event("a", n)).await);
    }
    let other = world.start(event("b", 0)).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(requests(&outside, "/charges")["a"], [0]);
    assert_eq!(head(&world, runs[0]).await, (RunStatus::Running, LiveCause::Activity));
    for run in &runs[1..] {
        assert_eq!(head(&world, *run).await, (RunStatus::Waiting, LiveCause::Turn));
        let journal = world.engine.inspect(*run).await.unwrap().journal;
        assert_eq!(journal.len(), 1, "nothing but its start: {journal:#?}");
    }
    let view = world.engine.line(&line("a")).await.unwrap().unwrap();
    assert_eq!((view.first.facts.id, &view.behind[..]), (runs[0], &runs[1..]));
    output(world.end(other).await);
    assert!(world.uptime() < Duration::from_millis(1_500), "{:?}", world.uptime());
    for run in &runs {
        output(world.end(*run).await);
    }
    assert_eq!(requests(&outside, "/charges")["a"], [0, 1, 2, 3, 4]);
    // One after the other, and without a pause between them.
    assert!(world.uptime() < Duration::from_millis(5_500), "{:?}", world.uptime());
    assert!(world.engine.lines(None, None).await.unwrap().is_empty());
    assert_eq!(world.engine.gauges().stuck, 0);
}

/// For every number of commits that the first process may still make.
#[tokio::test(start_paused = true)]
async fn order_holds_whichever_commit_was_the_last_one() {
    for last in 0..14 {
        let outside = slow(300);
        let world = world(TICKET, OnFailure::Block, &outside);
        let mut runs = Vec::new();
        for n in 0..3 {
            runs.push(world.start(event("a", n)).await);
            runs.push(world.start(event("b", n)).await);
        }
        world.store.stop_after(last);
        tokio::time::sleep(Duration::from_secs(6)).await;
        let (store, clock) = world.kill();
        tokio::time::sleep(Duration::from_secs(15)).await;
        store.go_on();
        let deployment = ordered(TICKET, OnFailure::Block);
        let world = World::over(store, clock, deployment, outside.clone(), 2);
        for run in &runs {
            output(world.end(*run).await);
        }
        for path in ["/tickets", "/state"] {
            for (key, mut seen) in requests(&outside, path) {
                // What was in flight at the end of the process may be sent a second time.
                seen.dedup();
                assert_eq!(seen, [0, 1, 2], "{path} of {key} after {last} commits");
            }
        }
        assert_eq!(world.engine.gauges().stuck, 0);
    }
}

/// Two nodes take events for the same keys, and one of them dies in the middle.
#[tokio::test(start_paused = true)]
async fn order_holds_over_nodes() {
    for seed in 0..6u64 {
        let outside = slow(200);
        let clock = Arc::new(VirtualClock::now());
        let store = Arc::new(MemoryStore::shared_with_clock(clock.clone()));
        let book = Arc::default();
        let node = |name: &str, n: u64| {
            let link = Link::new(Duration::from_millis(2), seed * 10 + n);
            let reached = Reached { store: store.clone(), link, book: Arc::clone(&book) };
            let settings = EngineSettings { node: name.to_owned(), ..EngineSettings::default() };
            let deployments = vec![ordered(TICKET, OnFailure::Block)];
            let clock = Arc::new(clock.beside());
            World::node(reached, clock, deployments, outside.clone(), seed * 10 + n, settings)
        };
        let (one, two) = (node("one", 1), node("two", 2));
        while one.engine.gauges().groups != 32 || two.engine.gauges().groups != 32 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let mut runs = Vec::new();
        for n in 0..6 {
            for key in ["a", "b", "c", "d"] {
                let sender = if (n + seed) % 2 == 0 { one.sender() } else { two.sender() };
                match sender.send(None, event(key, n)).await.unwrap() {
                    Accepted::New { run } => runs.push(run),
                    Accepted::Repeat { run } => panic!("{run} is a repeat"),
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(300 + seed * 70)).await;
        two.kill();
        for run in runs {
            one.until(run, RunStatus::Completed).await;
        }
        for (key, mut seen) in requests(&outside, "/tickets") {
            seen.dedup();
            assert_eq!(seen, [0, 1, 2, 3, 4, 5], "key {key}, seed {seed}");
        }
    }
}

/// Refuses the first request that carries this number.
fn refuses(n: u64, times: usize) -> Arc<Outside> {
    let left = std::sync::atomic::AtomicUsize::new(times);
    Outside::judging(move |body| {
        use std::sync::atomic::Ordering::SeqCst;
        let refused =
            body["n"] == n && left.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok();
        if refused { Answer::Status(400, json!({})) } else { ok(json!({"id": 7})) }
    })
}

async fn three(world: &World) -> [RunId; 3] {
    let mut runs = [RunId::from_bits(0); 3];
    for (n, run) in (0..).zip(&mut runs) {
        *run = world.start(event("a", n)).await;
    }
    world.until(runs[0], RunStatus::Faulted).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    runs
}

#[tokio::test(start_paused = true)]
async fn a_failed_run_blocks_its_line_until_it_is_retried() {
    let outside = refuses(0, 1);
    let world = world(CHARGE, OnFailure::Block, &outside);
    let runs = three(&world).await;
    assert_eq!(requests(&outside, "/charges")["a"], [0]);
    assert_eq!(head(&world, runs[1]).await, (RunStatus::Waiting, LiveCause::Turn));
    let lines = world.engine.lines(None, None).await.unwrap();
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0].first.state.status, RunStatus::Faulted);
    world.engine.retry_dead(runs[0], &me()).await.unwrap();
    for run in runs {
        output(world.end(run).await);
    }
    assert_eq!(requests(&outside, "/charges")["a"], [0, 0, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_discarded_run_lets_its_line_go_on() {
    let outside = refuses(0, 1);
    let world = world(CHARGE, OnFailure::Block, &outside);
    let runs = three(&world).await;
    world.engine.discard_dead(runs[0], "not needed", &me()).await.unwrap();
    output(world.end(runs[2]).await);
    assert_eq!(requests(&outside, "/charges")["a"], [0, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_replay_takes_the_place_of_the_run_that_failed() {
    let outside = refuses(0, 2);
    let world = world(CHARGE, OnFailure::Block, &outside);
    let runs = three(&world).await;
    let replay = world.engine.replay(runs[0], Replay::default(), &me()).await.unwrap();
    world.until(replay, RunStatus::Faulted).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(requests(&outside, "/charges")["a"], [0, 0], "the replay failed, and blocks");
    let again = world.engine.replay(replay, Replay::default(), &me()).await.unwrap();
    output(world.end(again).await);
    output(world.end(runs[2]).await);
    assert_eq!(requests(&outside, "/charges")["a"], [0, 0, 0, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_line_is_resumed_without_the_run_that_failed() {
    let outside = refuses(0, 1);
    let world = world(CHARGE, OnFailure::Block, &outside);
    let runs = three(&world).await;
    let none = world.engine.resume_line(&line("z"), "x", &me()).await.unwrap_err();
    assert_eq!(none, EngineError::NoLine("z".to_owned()));
    let left = world.engine.resume_line(&line("a"), "we do it by hand", &me()).await.unwrap();
    assert_eq!(left, runs[0]);
    output(world.end(runs[2]).await);
    assert_eq!(requests(&outside, "/charges")["a"], [0, 1, 2]);
    // It has lost its place: only out of order does it go on as the same run.
    let late = world.engine.retry_dead(runs[0], &me()).await.unwrap_err();
    assert!(late.to_string().contains("its line has gone on"), "{late}");
    world.engine.retry_dead_out_of_order(runs[0], &me()).await.unwrap();
    output(world.end(runs[0]).await);
}

#[tokio::test(start_paused = true)]
async fn a_line_at_work_is_not_resumed() {
    let outside = slow(60_000);
    let world = world(CHARGE, OnFailure::Block, &outside);
    world.start(event("a", 0)).await;
    world.start(event("a", 1)).await;
    let early = world.engine.resume_line(&line("a"), "x", &me()).await.unwrap_err();
    assert!(matches!(early, EngineError::WrongState { status: "running", .. }), "{early:?}");
}

#[tokio::test(start_paused = true)]
async fn a_failed_run_is_skipped_where_that_is_the_rule() {
    let outside = refuses(0, 1);
    let world = world(CHARGE, OnFailure::Skip, &outside);
    let runs = three(&world).await;
    output(world.end(runs[2]).await);
    assert_eq!(requests(&outside, "/charges")["a"], [0, 1, 2]);
    let late = world.engine.retry_dead(runs[0], &me()).await.unwrap_err();
    assert!(late.to_string().contains("its line has gone on"), "{late}");
    let replay = world.engine.replay(runs[0], Replay::default(), &me()).await.unwrap();
    output(world.end(replay).await);
}

#[tokio::test(start_paused = true)]
async fn a_replay_stands_at_the_end_of_the_line_or_goes_out_of_order() {
    let outside = Outside::judging(|body| match body["n"].as_u64() {
        Some(1) => Answer::Slow(Duration::from_secs(600), json!({"id": 7})),
        _ => ok(json!({"id": 7})),
    });
    let world = world(CHARGE, OnFailure::Block, &outside);
    let first = world.start(event("a", 0)).await;
    output(world.end(first).await);
    let second = world.start(event("a", 1)).await;
    let anew = Replay { new_effects: true, ..Replay::default() };
    let waits = world.engine.replay(first, anew.clone(), &me()).await.unwrap();
    let at_once = Replay { out_of_order: true, ..anew };
    let at_once = world.engine.replay(first, at_once, &me()).await.unwrap();
    output(world.end(at_once).await);
    assert_eq!(head(&world, waits).await, (RunStatus::Waiting, LiveCause::Turn));
    output(world.end(second).await);
    output(world.end(waits).await);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_waits_for_its_turn_is_cancelled_without_having_begun() {
    let outside = slow(10_000);
    let world = world(CHARGE, OnFailure::Block, &outside);
    let first = world.start(event("a", 0)).await;
    let second = world.start(event("a", 1)).await;
    let third = world.start(event("a", 2)).await;
    let early = world.engine.resume(second, &me()).await.unwrap_err();
    assert!(matches!(early, EngineError::WrongState { status: "waiting", .. }), "{early:?}");
    world.engine.cancel(second, "no longer needed", &me()).await.unwrap();
    let cancelled = RunEnd::Cancelled { reason: "no longer needed".to_owned() };
    assert_eq!(world.end(second).await, cancelled);
    output(world.end(first).await);
    output(world.end(third).await);
    assert_eq!(requests(&outside, "/charges")["a"], [0, 2]);
    let again = world.engine.cancel(second, "twice", &me()).await.unwrap_err();
    assert!(matches!(again, EngineError::WrongState { status: "cancelled", .. }), "{again:?}");
    // What never began has made no effect: its replay makes them.
    let replay = world.engine.replay(second, Replay::default(), &me()).await.unwrap();
    output(world.end(replay).await);
    assert_eq!(requests(&outside, "/charges")["a"], [0, 2, 1]);
}

#[tokio::test(start_paused = true)]
async fn an_event_without_a_key_is_refused() {
    let world = world(CHARGE, OnFailure::Block, &slow(1));
    for key in [json!(null), json!(""), json!([1]), json!("x".repeat(256))] {
        let error = world.send(None, json!({"key": key, "n": 1})).await.unwrap_err();
        let EngineError::Failed(failure) = error else { panic!("{error:?}") };
        assert!(failure.detail.contains("`ordering` finds the key"), "{}", failure.detail);
    }
    let number = world.start(json!({"key": 7, "n": 1})).await;
    let place = world.store.turn_of(number).await.unwrap();
    assert!(place.is_none_or(|place| place.turn.key == "7"));
}
