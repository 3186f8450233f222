//! Tenants share what is scarce: one that asks for a hundred times its part waits for itself.

use std::{sync::Arc, time::Duration};

use qc_engine::{Accepted, EngineSettings, GateLimits, ServiceClass};
use qc_model::RunId;
use qc_store::{RunStatus, Store, memory::MemoryStore};
use serde_json::json;
use tokio::{task::JoinSet, time::Instant};

use crate::world::{
    Answer, Outside, Sender, VirtualClock, World, deployment, limited, named_deployment, ok, output,
};

const SYNC: &str = "- sync: { call: desk.putState, with: { body: { n: '${ .n }' } } }\n";
const CHARGE: &str = "- pay: { call: desk.charge, with: { body: { n: '${ .n }' } } }\n";
const IMPATIENT: &str = "
- sync:
    call: desk.putState
    with: { body: { n: '${ .n }' } }
    timeout: { after: { seconds: 1 } }
";

const CALL: Duration = Duration::from_millis(100);

fn slow() -> Arc<Outside> {
    Outside::new(|_, _| Answer::Slow(CALL, json!({})))
}

fn world_of(tasks: &str, outside: Arc<Outside>, settings: EngineSettings) -> World {
    let clock = Arc::new(VirtualClock::now());
    let store = Arc::new(MemoryStore::with_clock(clock.clone()));
    World::with(store, clock, vec![deployment("r1", tasks)], outside, 1, settings)
}

/// A house in which 40 calls of 100 ms have room: 400 runs a second.
fn house() -> EngineSettings {
    let calls = GateLimits { calls: 40, per_tenant: 40, per_system: 40 };
    EngineSettings { runs_max: 100, calls, ..EngineSettings::default() }
}

async fn leased(world: &World) {
    while !world.engine.gauges().leased {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn start(sender: &Sender, n: usize) -> RunId {
    match sender.send(None, json!({"n": n})).await.unwrap() {
        Accepted::New { run } | Accepted::Repeat { run } => run,
    }
}

/// How long each of a tenant's runs takes from its event to its end, sent at this pace.
async fn times(world: &World, tenant: &str, pace: Duration, events: usize) -> Vec<Duration> {
    let mut waiting = JoinSet::new();
    let sender = world.sender().of(tenant);
    for n in 0..events {
        let began = Instant::now();
        let run = start(&sender, n).await;
        let engine = world.engine.clone();
        waiting.spawn(async move {
            engine.wait(run, Duration::from_secs(600)).await.unwrap().unwrap();
            began.elapsed()
        });
        tokio::time::sleep(pace).await;
    }
    let mut all: Vec<_> = waiting.join_all().await;
    all.sort_unstable();
    all
}

fn p99(sorted: &[Duration]) -> Duration {
    sorted[(sorted.len() * 99).div_ceil(100) - 1]
}

/// Issue 3, part 6: one tenant at a hundred times its load does not raise the others' p99 beyond 1.5 times.
#[tokio::test(start_paused = true)]
async fn a_noisy_tenant_does_not_slow_the_others() {
    const EVENTS: usize = 100;
    let pace = CALL;
    let alone = world_of(SYNC, slow(), house());
    leased(&alone).await;
    let alone = p99(&times(&alone, "quiet", pace, EVENTS).await);

    let world = world_of(SYNC, slow(), house());
    leased(&world).await;
    let noisy = world.sender().of("noisy");
    // A hundred times as many: 1,000 a second, where 400 have room.
    let noise = tokio::spawn(async move {
        for n in 0..EVENTS * 100 {
            start(&noisy, n).await;
            if n % 10 == 9 {
                tokio::time::sleep(pace / 10).await;
            }
        }
    });
    // Until there are far more than can be worked on.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let gauges = world.engine.gauges();
    assert!(gauges.runs_behind > 100 && gauges.calls_in_flight >= 32, "{gauges:?}");
    let beside = times(&world, "quiet", pace, EVENTS).await;
    let (other, beside) = (beside.clone(), p99(&beside));
    assert!(beside * 2 <= alone * 3, "p99 alone {alone:?}, beside the noise {beside:?}: {other:?}");
    noise.await.unwrap();
    // The noisy one loses nothing.
    let engine = world.engine.clone();
    while engine.gauges().completed < EVENTS as u64 * 101 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let gauges = engine.gauges();
    assert_eq!((gauges.calls_in_flight, gauges.calls_waiting, gauges.runs_behind), (0, 0, 0));
    assert_eq!((gauges.stuck, gauges.parked, gauges.faulted), (0, 0, 0));
}

/// Also when what was left by a process that ended is mostly one tenant's.
#[tokio::test(start_paused = true)]
async fn after_a_restart_the_others_are_not_behind_a_noisy_one() {
    let never = Outside::new(|_, _| Answer::Slow(Duration::from_secs(86_400), json!({})));
    let world = world_of(SYNC, never, house());
    leased(&world).await;
    let noisy = world.sender().of("noisy");
    for n in 0..2_000 {
        start(&noisy, n).await;
    }
    let quiet = start(&world.sender().of("quiet"), 0).await;
    let (store, clock) = world.kill();
    let world = World::with(store, clock, vec![deployment("r1", SYNC)], slow(), 2, house());
    let began = Instant::now();
    output(world.end(quiet).await);
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert!(world.engine.gauges().runs_behind > 1_000);
}

/// Low priority: gets what is left, and a little in any case; the same tenant's other events do not wait for it.
#[tokio::test(start_paused = true)]
async fn a_backfill_goes_behind_and_still_goes_on() {
    let world = world_of(SYNC, slow(), house());
    leased(&world).await;
    let backfill = world.sender().of("quiet").low();
    let mut low = Vec::new();
    for n in 0..3_000 {
        low.push(start(&backfill, n).await);
    }
    let head = world.store.run(low[0]).await.unwrap().unwrap();
    assert!(head.facts.priority.is_low());
    let normal = times(&world, "quiet", CALL, 50).await;
    assert!(p99(&normal) * 2 <= CALL * 3, "{normal:?}");
    // While more of normal priority comes in than can be done, the backfill goes on, slowly.
    let before = done(&world, &low).await;
    let noisy = world.sender().of("noisy");
    for n in 0..2_000 {
        start(&noisy, n).await;
        if n % 6 == 5 {
            tokio::time::sleep(CALL / 10).await;
        }
    }
    let after = done(&world, &low).await;
    assert!(after > before, "{before} were done before, {after} now");
    for run in low {
        output(world.end(run).await);
    }
}

async fn done(world: &World, runs: &[RunId]) -> usize {
    let mut done = 0;
    for run in runs {
        let head = world.store.run(*run).await.unwrap().unwrap();
        done += usize::from(head.state.status == RunStatus::Completed);
    }
    done
}

fn one_at_a_time() -> EngineSettings {
    let calls = GateLimits { calls: 10, per_tenant: 10, per_system: 1 };
    EngineSettings { calls, ..EngineSettings::default() }
}

/// A call that waits for its turn was not sent: an end of the process puts nothing of it in doubt.
#[tokio::test(start_paused = true)]
async fn what_waits_at_the_gate_is_not_in_doubt_after_a_crash() {
    let outside = Outside::new(|_, nth| {
        if nth == 0 { Answer::Slow(Duration::from_secs(3_600), json!({})) } else { ok(json!({})) }
    });
    let world = world_of(CHARGE, outside.clone(), one_at_a_time());
    let mut runs = Vec::new();
    for n in 0..6 {
        runs.push(world.start(json!({"n": n})).await);
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let gauges = world.engine.gauges();
    assert_eq!((gauges.calls_in_flight, gauges.calls_waiting), (1, 5));
    assert_eq!(outside.requests("/charges"), 1);
    for run in &runs {
        let head = world.store.run(*run).await.unwrap().unwrap();
        assert_eq!(head.state.cause, qc_store::LiveCause::Activity, "each has its live cause");
    }
    let (store, clock) = world.kill();
    let world = World::with(
        store,
        clock,
        vec![deployment("r1", CHARGE)],
        outside.clone(),
        2,
        one_at_a_time(),
    );
    for run in &runs[1..] {
        output(world.end(*run).await);
    }
    // Only the one that was in flight may have been charged for.
    world.until(runs[0], RunStatus::Parked).await;
    assert_eq!((outside.requests("/charges"), world.engine.gauges().parked), (6, 1));
}

/// A timeout that runs out while the call waits for its turn: it is not sent afterwards.
#[tokio::test(start_paused = true)]
async fn a_call_that_is_given_up_at_the_gate_is_not_sent() {
    let outside = Outside::new(|_, nth| {
        if nth == 0 { Answer::Slow(Duration::from_millis(900), json!({})) } else { ok(json!({})) }
    });
    let settings = EngineSettings { runs_max: 10, ..one_at_a_time() };
    let busy = Outside::new(|_, _| Answer::Slow(Duration::from_secs(30), json!({})));
    let world = world_of(IMPATIENT, busy.clone(), settings.clone());
    let first = world.start(json!({"n": 1})).await;
    let second = world.start(json!({"n": 2})).await;
    let ends = [world.end(first).await, world.end(second).await];
    assert!(ends.iter().all(|end| !matches!(end, qc_engine::RunEnd::Completed { .. })), "{ends:?}");
    assert_eq!(world.engine.gauges().calls_waiting, 0);
    // The first one's turn was over when it was cut off; the second one's time was up in the same moment.
    assert_eq!(busy.requests("/state"), 1);
    let world = world_of(IMPATIENT, outside.clone(), settings);
    let first = world.start(json!({"n": 1})).await;
    let second = world.start(json!({"n": 2})).await;
    output(world.end(first).await);
    output(world.end(second).await);
    assert_eq!(outside.requests("/state"), 2);
}

/// The class `critical` goes first at a limit that it shares with its tenant's other work, and for places in memory.
#[tokio::test(start_paused = true)]
async fn what_is_critical_goes_before_the_others_and_leaves_them_a_part() {
    let limits = "[{ requests: 1, per: 1s }]";
    let critical = || {
        let mut deployment = limited(named_deployment("r2", "urgent", SYNC), limits);
        Arc::get_mut(&mut deployment.release).unwrap().class = ServiceClass::Critical;
        deployment
    };
    let (clock, outside) = (Arc::new(VirtualClock::now()), Outside::new(|_, _| ok(json!({}))));
    let store = Arc::new(MemoryStore::with_clock(clock.clone()));
    let all = vec![limited(deployment("r1", SYNC), limits), critical()];
    let settings = EngineSettings { runs_max: 40, ..EngineSettings::default() };
    let world = World::with(store, clock, all, outside, 1, settings);
    leased(&world).await;
    let mut usual = Vec::new();
    for n in 0..400 {
        usual.push(start(&world.sender(), n).await);
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    let (urgent, began) = (Arc::new(critical()), Instant::now());
    let mut runs = Vec::new();
    for n in 0..20 {
        runs.push(world.sender().to(&urgent, json!({"n": n})).await);
    }
    let head = world.store.run(runs[0]).await.unwrap().unwrap();
    assert_eq!(head.facts.priority, qc_store::Priority::High);
    let before = done(&world, &usual).await;
    for run in runs {
        output(world.end(run).await);
    }
    let (took, others) = (began.elapsed(), done(&world, &usual).await - before);
    println!("{took:?}, meanwhile {others} others");
    assert!(took < Duration::from_secs(30), "{took:?}");
    assert!((1..=6).contains(&others), "{others}");
}
