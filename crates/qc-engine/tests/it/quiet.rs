//! Calls that wait for the end of quiet hours. The clock of these tests begins at 11:06:40 UTC.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use qc_engine::{Deployment, RunEnd};
use qc_store::{LiveCause, RunStatus, Store, memory::MemoryStore};
use qc_workflow::{QuietHours, WhenUnavailable, Zone};
use serde_json::json;

use crate::world::{
    Answer, Outside, VirtualClock, World, absent, compensated, deployment, ok, output,
};

const SYNC: &str = "- sync: { call: desk.putState, with: { body: { n: '${ .n }' } } }\n";

/// All its calls wait in these hours, and what undoes them would.
fn quiet(mut deployment: Deployment, from: &str, to: &str) -> Deployment {
    let (from, to) = (from.parse().unwrap(), to.parse().unwrap());
    let release = Arc::get_mut(&mut deployment.release).unwrap();
    let pointers = release.program.calls().map(|site| site.pointer.to_string());
    let hours = QuietHours { from, to, zone: Zone::utc() };
    release.quiet = pointers.map(|pointer| (pointer, hours.clone())).collect();
    deployment
}

fn world(deployment: Deployment, outside: &Arc<Outside>) -> World {
    let clock = Arc::new(VirtualClock::now());
    let store = Arc::new(MemoryStore::with_clock(clock.clone()));
    World::over(store, clock, deployment, outside.clone(), 1)
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_on_disk_for_the_end_of_its_quiet_hours() {
    let outside = Outside::new(|_, _| ok(json!({})));
    let deployed = || quiet(deployment("r1", SYNC), "09:00", "18:30");
    let first = world(deployed(), &outside);
    let run = first.start(json!({"n": 1})).await;
    first.until(run, RunStatus::Waiting).await;
    let state = first.store.run(run).await.unwrap().unwrap().state;
    assert_eq!(state.cause, LiveCause::Timer);
    assert_eq!(state.wake_at.unwrap().to_string(), "2026-11-18T18:30:00.000Z");
    assert_eq!(state.summary.unwrap(), "`sync` waits for the end of its quiet hours");
    tokio::time::sleep(Duration::from_secs(3600)).await;

    let (store, clock) = first.kill();
    let second = World::over(store, clock, deployed(), outside.clone(), 2);
    tokio::time::sleep(Duration::from_secs(6 * 3600)).await;
    assert_eq!(outside.requests("/state"), 0, "{:?}", second.uptime());
    output(second.end(run).await);
    assert_eq!(outside.requests("/state"), 1);
    let waited = second.uptime().as_secs();
    assert!((26_600..26_610).contains(&waited), "7 h 23 min 20 s: {waited}");
}

/// What is tried again waits as well: it is no less of a disturbance than the first attempt.
#[tokio::test(start_paused = true)]
async fn an_attempt_after_the_first_one_waits_too_and_outside_of_them_nothing_does() {
    let outside =
        Outside::new(|_, nth| if nth == 0 { Answer::Throttle(120) } else { ok(json!({})) });
    let world = world(quiet(deployment("r1", SYNC), "11:08", "12:10"), &outside);
    let run = world.start(json!({"n": 1})).await;
    tokio::time::sleep(Duration::from_secs(3_500)).await;
    assert_eq!(outside.requests("/state"), 1);
    output(world.end(run).await);
    assert!(world.uptime() >= Duration::from_secs(3_800), "{:?}", world.uptime());
    assert_eq!(outside.requests("/state"), 2);
}

#[tokio::test(start_paused = true)]
async fn what_undoes_something_waits_for_no_hour() {
    const STORY: &str = "
- open: { call: desk.createTicket, with: { body: { what: open } } }
- nap: { wait: { minutes: 2 } }
- pay: { raise: { error: { type: 'https://example.test/paid', status: 400, title: paid } } }
";
    const UNDO: &str = "open: { do: desk.createTicket, with: { body: { what: close } } }\n";
    let outside = Outside::new(|_, _| ok(json!({"id": 7})));
    let world = world(quiet(compensated("r1", STORY, UNDO), "11:08", "12:10"), &outside);
    let run = world.start(json!({})).await;
    assert!(matches!(world.end(run).await, RunEnd::Faulted { .. }));
    assert_eq!(outside.requests("/tickets"), 2, "opened and closed");
    assert!(world.uptime() < Duration::from_secs(200), "{:?}", world.uptime());
}

/// Those that are held for a system try it when the quiet hours are over, and then one of them and not all: it may still
/// be away.
#[tokio::test(start_paused = true)]
async fn who_is_held_for_a_system_does_not_try_it_in_quiet_hours() {
    let began = tokio::time::Instant::now();
    let asked: Arc<Mutex<Vec<u64>>> = Arc::default();
    let log = asked.clone();
    let outside = Outside::new(move |_, _| {
        let now = began.elapsed().as_secs();
        log.lock().unwrap().push(now);
        if now < 4_400 { Answer::Unreachable } else { ok(json!({})) }
    });
    let held = absent("r1", SYNC, WhenUnavailable::Queue { ttl_ms: 24 * 3_600_000, max: 10 });
    // From 500 s to 3,800 s after the beginning.
    let world = world(quiet(held, "11:15", "12:10"), &outside);
    let mut runs = Vec::new();
    for n in 0..10 {
        runs.push(world.start(json!({"n": n})).await);
    }
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    for run in &runs {
        let state = world.store.run(*run).await.unwrap().unwrap().state;
        assert_eq!(state.cause, LiveCause::Held, "{state:?}");
    }
    for run in runs {
        output(world.end(run).await);
    }
    let asked = asked.lock().unwrap().clone();
    assert!(asked.iter().all(|at| *at < 500 || *at >= 3_800), "{asked:?}");
    let first = asked.iter().filter(|at| (3_800..3_810).contains(*at)).count();
    assert_eq!(first, 1, "{asked:?}");
}
