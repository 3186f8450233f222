//! Too much is refused before it is accepted: nothing of it is written, and it goes on by itself.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use qc_engine::{
    Accepted, AdmissionLimits, Busy, DiskGauge, DiskRoom, EngineError, EngineSettings, RunEnd,
};
use qc_model::RunId;
use qc_store::{RunFilter, Store, memory::MemoryStore};
use serde_json::json;

use crate::world::{Answer, Outside, VirtualClock, World, deployment, ok, output};

const SYNC: &str = "- sync: { call: desk.putState, with: { body: { n: '${ .n }' } } }\n";
const TWO: &str = "
- first: { call: desk.putState, with: { body: { n: 1 } } }
- second: { call: desk.createTicket, with: { body: { n: 2 } } }
";

const SECOND: Duration = Duration::from_secs(1);

fn world_with(
    tasks: &str,
    outside: Arc<Outside>,
    admission: AdmissionLimits,
    runs_max: usize,
) -> World {
    let clock = Arc::new(VirtualClock::now());
    let store = Arc::new(MemoryStore::with_clock(clock.clone()));
    let settings = EngineSettings { runs_max, admission, ..EngineSettings::default() };
    World::with(store, clock, vec![deployment("r1", tasks)], outside, 1, settings)
}

fn slow(time: Duration) -> Arc<Outside> {
    Outside::new(move |_, _| Answer::Slow(time, json!({})))
}

fn busy(answer: Result<Accepted, EngineError>) -> Busy {
    match answer {
        Err(EngineError::Busy(busy)) => busy,
        other => panic!("not refused for want of room: {other:?}"),
    }
}

async fn accepted(world: &World) -> usize {
    world.store.runs(&RunFilter::default()).await.unwrap().len()
}

fn run_of(answer: Result<Accepted, EngineError>) -> RunId {
    match answer.unwrap() {
        Accepted::New { run } | Accepted::Repeat { run } => run,
    }
}

#[tokio::test(start_paused = true)]
async fn an_old_backlog_refuses_and_low_priority_makes_none() {
    let limits = AdmissionLimits { backlog_age: 5 * SECOND, ..AdmissionLimits::default() };
    let world = world_with(SYNC, slow(60 * SECOND), limits, 1);
    let first = world.start(json!({"n": 0})).await;
    let low = run_of(world.sender().low().send(None, json!({"n": 1})).await);
    tokio::time::sleep(6 * SECOND).await;
    let second = run_of(world.send(None, json!({"n": 2})).await);
    tokio::time::sleep(6 * SECOND).await;
    let answer = busy(world.send(None, json!({"n": 3})).await);
    assert!(matches!(answer, Busy::Backlog { age, .. } if age >= 6 * SECOND), "{answer:?}");
    assert_eq!((accepted(&world).await, world.engine.gauges().busy), (3, 1));
    // It goes on by itself.
    output(world.end(first).await);
    tokio::time::sleep(SECOND).await;
    let third = run_of(world.send(None, json!({"n": 3})).await);
    for run in [second, third, low] {
        output(world.end(run).await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_tenant_has_a_quota_of_open_runs_and_the_others_have_theirs() {
    let limits = AdmissionLimits { tenant_runs: 3, ..AdmissionLimits::default() };
    let world = world_with(SYNC, slow(60 * SECOND), limits.clone(), 10);
    let mut runs = Vec::new();
    for n in 0..3 {
        runs.push(world.start(json!({"n": n})).await);
    }
    let answer = busy(world.send(None, json!({"n": 3})).await);
    assert!(matches!(answer, Busy::Quota { open: 3, quota: 3, .. }), "{answer:?}");
    assert!(answer.is_of_sender());
    world.sender().of("other").send(None, json!({"n": 4})).await.unwrap();
    for run in runs {
        output(world.end(run).await);
    }
    world.start(json!({"n": 5})).await;
    // The next process counts what it finds.
    world.start(json!({"n": 6})).await;
    world.start(json!({"n": 7})).await;
    let (store, clock) = world.kill();
    let settings = EngineSettings { admission: limits, ..EngineSettings::default() };
    let outside = slow(60 * SECOND);
    let world = World::with(store, clock, vec![deployment("r1", SYNC)], outside, 2, settings);
    tokio::time::sleep(10 * SECOND).await;
    let answer = busy(world.send(None, json!({"n": 8})).await);
    assert!(matches!(answer, Busy::Quota { open: 3, .. }), "{answer:?}");
}

#[tokio::test(start_paused = true)]
async fn a_slow_store_refuses_what_would_only_wait() {
    let world = world_with(SYNC, slow(SECOND), AdmissionLimits::default(), 10);
    world.start(json!({"n": 0})).await;
    let hold = world.store.hold().await;
    let sender = world.sender();
    let waiting = tokio::spawn(async move { sender.send(None, json!({"n": 1})).await });
    tokio::time::sleep(SECOND).await;
    assert!(world.engine.gauges().commit_wait_ms >= 900);
    tokio::time::sleep(2 * SECOND).await;
    let answer = busy(world.send(None, json!({"n": 2})).await);
    assert!(matches!(answer, Busy::Commits { waited, .. } if waited > 2 * SECOND), "{answer:?}");
    drop(hold);
    let run = run_of(waiting.await.unwrap());
    output(world.end(run).await);
    assert_eq!(world.engine.gauges().commit_wait_ms, 0);
    world.start(json!({"n": 2})).await;
}

#[tokio::test(start_paused = true)]
async fn a_disk_without_room_refuses_and_then_stops_all_but_what_is_in_flight() {
    let free = Arc::new(AtomicU64::new(1 << 40));
    let gauge = free.clone();
    let look = move || Some(DiskRoom { free: gauge.load(Ordering::SeqCst), size: 1 << 40 });
    let disk = Some(DiskGauge(Arc::new(look)));
    let limits = AdmissionLimits { disk, ..AdmissionLimits::default() };
    let outside = Outside::new(|path, _| match path {
        "/state" => Answer::Slow(5 * SECOND, json!({})),
        _ => ok(json!({})),
    });
    let world = world_with(TWO, outside.clone(), limits, 10);
    let run = world.start(json!({})).await;
    free.store(200 << 20, Ordering::SeqCst);
    tokio::time::sleep(SECOND).await;
    let answer = busy(world.send(None, json!({})).await);
    assert!(matches!(answer, Busy::Disk { free, mark } if free == 200 << 20 && mark == 512 << 20));
    free.store(1 << 20, Ordering::SeqCst);
    tokio::time::sleep(10 * SECOND).await;
    // The call in flight came to its end and was recorded; the next one waits.
    assert_eq!((outside.requests("/state"), outside.requests("/tickets")), (1, 0));
    let head = world.store.run(run).await.unwrap().unwrap();
    assert_eq!((head.version, head.state.cause), (2, qc_store::LiveCause::Activity));
    free.store(1 << 40, Ordering::SeqCst);
    assert!(matches!(world.end(run).await, RunEnd::Completed { .. }));
    assert_eq!(outside.requests("/tickets"), 1);
    world.start(json!({})).await;
}
