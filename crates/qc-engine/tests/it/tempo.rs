//! The pace of calls: bursts, pauses that other systems state, and systems that do not answer.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use qc_engine::{EngineSettings, OnFailure, RunEnd};
use qc_store::{LiveCause, Store, memory::MemoryStore};
use serde_json::json;
use tokio::time::Instant;

use crate::{
    ordering::ordered,
    world::{
        Answer, Outside, VirtualClock, World, deployment, limited, named_deployment, ok, output,
    },
};

const SYNC: &str = "- sync: { call: desk.putState, with: { body: { n: '${ .n }' } } }\n";
const KEYED: &str = "
- sync:
    call: desk.putState
    with: { body: { key: '${ .key }', n: '${ .n }' } }
";

/// A desk that takes so many calls in any second and refuses the others, without a word of when to come again.
fn strict(per_second: usize) -> (Arc<Outside>, Arc<Mutex<Vec<Duration>>>) {
    let refused: Arc<Mutex<Vec<Duration>>> = Arc::default();
    let (noted, log) = (refused.clone(), Mutex::new(VecDeque::new()));
    let began = Instant::now();
    let outside = Outside::new(move |_, _| {
        let now = began.elapsed();
        let mut log = log.lock().unwrap();
        while log.front().is_some_and(|first| *first + Duration::from_secs(1) <= now) {
            log.pop_front();
        }
        if log.len() < per_second {
            log.push_back(now);
            return Answer::Slow(Duration::from_millis(50), json!({}));
        }
        noted.lock().unwrap().push(now);
        Answer::Status(429, json!({}))
    });
    (outside, refused)
}

/// A burst of so many events over a hundred keys; how long it took, and the numbers each key was called with.
async fn burst(
    world: &World,
    outside: &Outside,
    events: u64,
) -> (Duration, BTreeMap<u64, Vec<u64>>) {
    let began = world.uptime();
    let mut runs = Vec::new();
    for n in 0..events {
        let key = (n % 100).to_string();
        runs.push(world.start(json!({"key": key, "n": n})).await);
    }
    for run in runs {
        assert!(matches!(world.end(run).await, RunEnd::Completed { .. }), "{run} is lost");
    }
    let mut keys: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for seen in outside.seen.lock().unwrap().iter().filter(|seen| seen.applied) {
        let n = seen.body["n"].as_u64().unwrap();
        keys.entry(n % 100).or_default().push(n);
    }
    (world.uptime().saturating_sub(began), keys)
}

fn in_order(keys: &BTreeMap<u64, Vec<u64>>, events: u64) {
    assert_eq!(keys.values().map(|all| all.len() as u64).sum::<u64>(), events);
    for (key, numbers) in keys {
        assert!(numbers.is_sorted(), "the calls of key {key} are out of order");
    }
}

/// Issue 6, proof: 10,000 events at once into a system with 50 requests a second.
#[tokio::test(start_paused = true)]
async fn a_burst_into_a_declared_limit_drains_as_computed_and_is_never_refused() {
    const EVENTS: u64 = 10_000;
    let (outside, refused) = strict(50);
    let clock = Arc::new(VirtualClock::now());
    let store = Arc::new(MemoryStore::with_clock(clock.clone()));
    let declared = limited(ordered(KEYED, OnFailure::Block), "[{ requests: 50, per: 1s }]");
    let world = World::over(store, clock, declared, outside.clone(), 1);
    let (took, keys) = burst(&world, &outside, EVENTS).await;
    println!("{EVENTS} events took {took:?}, {} refused", refused.lock().unwrap().len());
    in_order(&keys, EVENTS);
    let (rate, by) = world.engine.paces().limits["production/desk"].standing.pace.unwrap();
    assert!((48.0..50.0).contains(&rate) && by == qc_pace::Source::Declared, "{rate} {by:?}");
    assert_eq!(refused.lock().unwrap().len(), 0);
    // 97 % of 50 a second: 206.2 s.
    assert!((205..209).contains(&took.as_secs()), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_burst_into_a_limit_that_nobody_knows_makes_no_storm() {
    const EVENTS: u64 = 3_000;
    let (outside, refused) = strict(50);
    let clock = Arc::new(VirtualClock::now());
    let store = Arc::new(MemoryStore::with_clock(clock.clone()));
    let world = World::over(store, clock, ordered(KEYED, OnFailure::Block), outside.clone(), 1);
    let (took, keys) = burst(&world, &outside, EVENTS).await;
    let refused = refused.lock().unwrap().len();
    println!("{EVENTS} events took {took:?}, {refused} refused");
    in_order(&keys, EVENTS);
    let (rate, by) = world.engine.paces().limits["production/desk"].standing.pace.unwrap();
    assert!((40.0..60.0).contains(&rate) && by == qc_pace::Source::Learned, "{rate} {by:?}");
    assert!(refused <= 60, "{refused} refused");
    // 60 s at the limit, and some for finding it.
    assert!(took <= Duration::from_secs(75), "{took:?}");
}

/// What one run is told holds for all, and over a restart; waiting for it is no attempt.
#[tokio::test(start_paused = true)]
async fn a_stated_pause_holds_for_all_runs_and_over_a_restart() {
    let outside =
        Outside::new(|_, nth| if nth == 0 { Answer::Throttle(600) } else { ok(json!({})) });
    let first = World::new(SYNC, outside.clone());
    let told = first.start(json!({"n": 1})).await;
    while outside.requests("/state") == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    tokio::time::sleep(Duration::from_millis(10)).await;
    let beside = first.start(json!({"n": 2})).await;
    tokio::time::sleep(Duration::from_millis(10)).await;
    let state = first.store.run(beside).await.unwrap().unwrap().state;
    assert_eq!(state.cause, LiveCause::Activity);
    let says = state.summary.unwrap();
    assert!(says.contains("`desk` wants no calls before"), "{says}");
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(outside.requests("/state"), 1);
    let state = first.store.run(beside).await.unwrap().unwrap().state;
    assert_eq!(state.cause, LiveCause::Timer, "it has left memory");
    assert_eq!(state.summary.as_ref(), Some(&says));
    let limit = first.engine.paces().limits["production/desk"];
    let stated = limit.standing.stated_until.unwrap();
    assert!(says.contains(&stated.to_string()), "{says}: {stated}");
    assert_eq!((limit.waiting, limit.standing.in_flight), (0, 0), "nobody waits here for so long");

    let (store, clock) = first.kill();
    let second = World::over(store, clock, deployment("r1", SYNC), outside.clone(), 2);
    let after = second.start(json!({"n": 3})).await;
    tokio::time::sleep(Duration::from_secs(570)).await;
    assert_eq!(outside.requests("/state"), 1, "{:?}", second.uptime());
    for run in [told, beside, after] {
        output(second.end(run).await);
    }
    assert_eq!(outside.requests("/state"), 4);
    let told = second.uptime();
    assert!((600..610).contains(&told.as_secs()), "{told:?}");
}

/// A system that fails entirely is asked little more than once for each event, and gets its work back at once.
#[tokio::test(start_paused = true)]
async fn a_dead_system_is_not_hammered_and_comes_back_within_seconds() {
    const PER_SECOND: u64 = 100;
    let dead = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let state = dead.clone();
    let outside = Outside::new(move |_, _| {
        if state.load(std::sync::atomic::Ordering::Relaxed) {
            Answer::Status(500, json!({}))
        } else {
            Answer::Slow(Duration::from_millis(20), json!({}))
        }
    });
    let world = World::new(SYNC, outside.clone());
    let tick = Duration::from_millis(1_000 / PER_SECOND);
    let events = 60 * PER_SECOND;
    for n in 0..events {
        world.start(json!({"n": n})).await;
        tokio::time::sleep(tick).await;
    }
    let sent = outside.requests("/state") as u64;
    println!("{sent} requests for {events} events to a dead system");
    assert!(sent * 10 <= events * 11, "{sent} requests for {events} events");
    assert!(world.engine.gauges().breakers_open == 1);

    dead.store(false, std::sync::atomic::Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(5)).await;
    let mut late = 0;
    for n in 0..500 {
        let began = Instant::now();
        let run = world.start(json!({"n": events + n})).await;
        let engine = world.engine.clone();
        let end = engine.wait(run, Duration::from_secs(1)).await.unwrap();
        late += u64::from(end.is_none() || began.elapsed() > Duration::from_secs(1));
    }
    println!("{late} of 500 late after 5 s");
    assert!(late <= 5, "{late} of 500");
    assert_eq!(world.engine.gauges().breakers_open, 0);
}

/// A quarter of all calls fails each time: trying them again is held to a part of what goes, and the others do not wait for it.
#[tokio::test(start_paused = true)]
async fn what_never_works_is_tried_again_within_a_budget() {
    const PER_SECOND: u64 = 20;
    const EVENTS: u64 = 30 * PER_SECOND;
    let outside = Outside::judging(|body| match body["n"].as_u64() {
        Some(n) if n % 4 == 0 => Answer::Status(500, json!({})),
        _ => ok(json!({})),
    });
    let world = World::new(SYNC, outside.clone());
    let mut good = Vec::new();
    for n in 0..EVENTS {
        let run = world.start(json!({"n": n})).await;
        if n % 4 != 0 {
            good.push(run);
        }
        tokio::time::sleep(Duration::from_millis(1_000 / PER_SECOND)).await;
    }
    let sent = outside.requests("/state") as u64;
    println!("{sent} requests for {EVENTS} events");
    // 8 of a hundred, ten saved, and one every five seconds.
    assert!(sent <= EVENTS + EVENTS * 8 / 100 + 10 + 6 + 1, "{sent} requests");
    assert!(sent >= EVENTS + EVENTS * 8 / 100, "what may be tried again is: {sent}");
    assert_eq!(world.engine.gauges().breakers_opened, 0);
    for run in good {
        assert!(matches!(world.end(run).await, RunEnd::Completed { .. }));
    }
}

/// What waits for a system that does not answer says so, and in the end its workflow has the say.
#[tokio::test(start_paused = true)]
async fn a_call_to_a_dead_system_fails_unsent_after_a_while() {
    let outside = Outside::new(|_, _| Answer::Unreachable);
    let settings = EngineSettings::default();
    let clock = Arc::new(VirtualClock::now());
    let store = Arc::new(MemoryStore::with_clock(clock.clone()));
    let world = World::with(store, clock, vec![deployment("r1", SYNC)], outside, 1, settings);
    for n in 0..40 {
        world.start(json!({"n": n})).await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(world.engine.gauges().breakers_open, 1);
    let run = world.start(json!({"n": 99})).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let state = world.store.run(run).await.unwrap().unwrap().state;
    let says = state.summary.unwrap();
    assert!(says.contains("waits for `desk`, which has not answered since"), "{says}");
    let RunEnd::Faulted { failure, .. } = world.end(run).await else { panic!("it fails") };
    // It is one outage: what was not sent fails as what was.
    assert_eq!(failure.code.as_str(), "QC-N104", "{failure:?}");
    assert!(failure.detail.contains("the call was not sent"), "{failure:?}");
}

const OTHER: &str = "
- ask: { call: http, with: { method: get, endpoint: 'http://other.test/other' } }
";

/// Runs that wait for one system do not keep the places in memory of those that call another one.
#[tokio::test(start_paused = true)]
async fn who_waits_for_long_makes_room_and_comes_again() {
    let outside = Outside::new(|path, nth| match (path, nth) {
        ("/state", 0) => Answer::Throttle(3_600),
        ("/state", _) => Answer::Slow(Duration::from_secs(1), json!({})),
        _ => ok(json!({})),
    });
    let clock = Arc::new(VirtualClock::now());
    let store = Arc::new(MemoryStore::with_clock(clock.clone()));
    let all = vec![deployment("r1", SYNC), named_deployment("r2", "other", OTHER)];
    let other = Arc::new(named_deployment("r2", "other", OTHER));
    let settings = EngineSettings { runs_max: 8, ..EngineSettings::default() };
    let world = World::with(store, clock, all, outside.clone(), 1, settings);
    let (began_at, mut waiting) = (Instant::now(), Vec::new());
    for n in 0..30 {
        waiting.push(world.start(json!({"n": n})).await);
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let began = world.uptime();
    let beside = world.sender().to(&other, json!({})).await;
    output(world.end(beside).await);
    let took = world.uptime().saturating_sub(began);
    // Those before it leave memory, eight at a look.
    assert!(took < Duration::from_secs(30), "{took:?}");
    assert!(world.uptime() < Duration::from_secs(60));
    tokio::time::sleep(Duration::from_secs(60)).await;
    for run in &waiting {
        let state = world.store.run(*run).await.unwrap().unwrap().state;
        assert_eq!(state.cause, LiveCause::Timer, "{run} is in memory");
    }
    tokio::time::sleep_until(began_at + Duration::from_secs(3_602)).await;
    let gauges = world.engine.gauges();
    assert!(gauges.runs_behind > 0 && gauges.oldest_behind_ms < 10_000, "{gauges:?}");
    for run in waiting {
        output(world.end(run).await);
    }
    assert_eq!(outside.requests("/state"), 31);
    let took = world.uptime();
    assert!((3_600..3_625).contains(&took.as_secs()), "{took:?}");
}

/// So do runs that stand far behind at a limit; and they come in time.
#[tokio::test(start_paused = true)]
async fn who_stands_far_behind_makes_room_and_nothing_is_lost_of_the_pace() {
    const EVENTS: u64 = 600;
    let outside = Outside::new(|_, _| ok(json!({})));
    let clock = Arc::new(VirtualClock::now());
    let store = Arc::new(MemoryStore::with_clock(clock.clone()));
    let declared = limited(deployment("r1", SYNC), "[{ requests: 1, per: 1s }]");
    let other = Arc::new(named_deployment("r2", "other", OTHER));
    let all = vec![declared, named_deployment("r2", "other", OTHER)];
    let settings = EngineSettings { runs_max: 50, ..EngineSettings::default() };
    let world = World::with(store, clock, all, outside.clone(), 1, settings);
    let mut waiting = Vec::new();
    for n in 0..EVENTS {
        waiting.push(world.start(json!({"n": n})).await);
    }
    let began = world.uptime();
    let beside = world.sender().to(&other, json!({})).await;
    output(world.end(beside).await);
    let took = world.uptime().saturating_sub(began);
    println!("beside took {took:?}");
    assert!(took < Duration::from_secs(30), "{took:?}");
    for run in waiting {
        output(world.end(run).await);
    }
    let took = world.uptime();
    println!("all took {took:?}");
    // 97 % of one a second: 618 s.
    assert!((615..630).contains(&took.as_secs()), "{took:?}");
}

/// A limit of an hour does not begin anew with a process, be it that the one before it was killed.
#[tokio::test(start_paused = true)]
async fn what_went_of_a_long_window_is_known_to_the_next_process() {
    let outside = Outside::new(|_, _| ok(json!({})));
    let clock = Arc::new(VirtualClock::now());
    let store = Arc::new(MemoryStore::with_clock(clock.clone()));
    let declared = || limited(deployment("r1", SYNC), "[{ requests: 100, per: 1h }]");
    let mut world = World::over(store, clock, declared(), outside.clone(), 1);
    for n in 0..150 {
        world.start(json!({"n": n})).await;
    }
    for process in 0..4 {
        tokio::time::sleep(Duration::from_secs(700)).await;
        let (store, clock) = world.kill();
        world = World::over(store, clock, declared(), outside.clone(), 2 + process);
    }
    tokio::time::sleep(Duration::from_secs(700)).await;
    let sent = outside.requests("/state");
    println!("{sent} in {:?}", world.uptime());
    // What a killed process sent in its last ten seconds nobody knows; 97 of the window go.
    assert!((90..=100).contains(&sent), "{sent}");
}
