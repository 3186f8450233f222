//! What an adversary would try: each of these went wrong once.

use std::{sync::Arc, time::Duration};

use qc_engine::{EngineError, EngineSettings, Replay, Resolution, RunEnd};
use qc_model::{Actor, RunId};
use qc_store::{RunStatus, Store, StoreError, memory::MemoryStore};
use serde_json::json;

use crate::world::{Answer, Outside, VirtualClock, World, deployment, ok, output};

const CHARGE: &str = "
- pay:
    call: desk.charge
    with: { body: { n: '${ .n }' } }
";

const TWO_CHARGES: &str = "
- pay:
    call: desk.charge
    with: { body: { n: 1 } }
- payAgain:
    call: desk.charge
    with: { body: { n: 2 } }
";

const TICKET: &str = "
- createTicket:
    call: desk.createTicket
    with: { body: { title: x } }
";

const MESSAGE: &str = "
- notify:
    call: desk.postMessage
    with: { body: { ref: a } }
";

fn me() -> Actor {
    Actor::platform("test")
}

fn small(tasks: &str, outside: Arc<Outside>, runs_max: usize) -> World {
    let clock = Arc::new(VirtualClock::now());
    let store = Arc::new(MemoryStore::with_clock(clock.clone()));
    let settings = EngineSettings { runs_max, ..EngineSettings::default() };
    World::with(store, clock, vec![deployment("r1", tasks)], outside, 1, settings)
}

async fn status(world: &World, run: RunId) -> RunStatus {
    world.store.run(run).await.unwrap().unwrap().state.status
}

fn good() -> Arc<Outside> {
    Outside::new(|_, _| ok(json!({"id": 7})))
}

#[tokio::test(start_paused = true)]
async fn a_sender_who_goes_away_does_not_take_the_run_along() {
    let outside = good();
    let world = World::new(CHARGE, outside.clone());
    let run = world.start(json!({"n": 0})).await;
    world.end(run).await;
    let hold = world.store.hold().await;
    let sender = world.sender();
    let sending = tokio::spawn(async move { sender.send(None, json!({"n": 1})).await });
    tokio::time::sleep(Duration::from_millis(10)).await;
    sending.abort();
    assert!(sending.await.unwrap_err().is_cancelled());
    drop(hold);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(outside.requests("/charges"), 2);
    let gauges = world.engine.gauges();
    assert_eq!((gauges.completed, gauges.parked, gauges.runs_in_memory), (2, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_room_was_not_sent_and_goes_first() {
    let outside = Outside::new(|_, _| Answer::Slow(Duration::from_millis(100), json!({"id": 7})));
    let world = small(CHARGE, outside.clone(), 2);
    let mut runs = Vec::new();
    for n in 0..50 {
        runs.push(world.start(json!({"n": n})).await);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for run in runs {
        output(world.end(run).await);
    }
    assert_eq!((outside.requests("/charges"), world.engine.gauges().parked), (50, 0));
    let order: Vec<u64> =
        outside.seen.lock().unwrap().iter().map(|seen| seen.body["n"].as_u64().unwrap()).collect();
    for (place, n) in order.iter().enumerate() {
        assert!(n.abs_diff(place as u64) <= 2, "nobody is overtaken for long: {order:?}");
    }
    // 50 calls, two at a time, of 100 ms: the room was used all the time.
    assert!(world.uptime() < Duration::from_secs(4), "{:?}", world.uptime());
}

#[tokio::test(start_paused = true)]
async fn many_sleepers_wake_at_once_and_all_find_room() {
    let tasks =
        "- nap: { wait: { minutes: 2 } }\n- pay: { call: desk.charge, with: { body: {} } }\n";
    let outside = good();
    let world = small(tasks, outside.clone(), 8);
    let mut runs = Vec::new();
    for n in 0..600 {
        runs.push(world.start(json!({"n": n})).await);
    }
    for run in runs {
        output(world.end(run).await);
    }
    assert_eq!(outside.requests("/charges"), 600);
    assert!(world.uptime() < Duration::from_secs(10 * 60), "{:?}", world.uptime());
}

#[tokio::test(start_paused = true)]
async fn an_event_that_comes_before_the_lease_is_not_taken_for_sent() {
    let outside = good();
    let world = World::new(CHARGE, outside.clone());
    let sender = world.sender();
    assert!(!world.engine.gauges().leased);
    sender.send(None, json!({"n": 1})).await.unwrap();
    tokio::time::sleep(Duration::from_secs(10)).await;
    let gauges = world.engine.gauges();
    assert_eq!((outside.requests("/charges"), gauges.completed, gauges.parked), (1, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_full_house_still_takes_a_cancellation() {
    let outside = Outside::new(|_, _| Answer::Slow(Duration::from_secs(5 * 60), json!({"id": 7})));
    let world = small(CHARGE, outside, 1);
    world.start(json!({"n": 1})).await;
    let waits = world.start(json!({"n": 2})).await;
    world.engine.cancel(waits, "no longer needed", &me()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    // Taking it up began its call, which is settled before the run ends.
    assert!(matches!(status(&world, waits).await, RunStatus::Cancelled | RunStatus::Parked));
}

#[tokio::test(start_paused = true)]
async fn a_drain_begins_no_further_call_and_the_next_process_sends_it() {
    let outside = Outside::new(|_, _| Answer::Slow(Duration::from_secs(3), json!({"id": 7})));
    let world = World::new(TWO_CHARGES, outside.clone());
    let run = world.start(json!({})).await;
    tokio::time::sleep(Duration::from_millis(10)).await;
    world.engine.drain(Duration::from_secs(60)).await;
    assert_eq!((outside.requests("/charges"), world.engine.gauges().stuck), (1, 0));
    assert_eq!(status(&world, run).await, RunStatus::Running);
    assert_eq!(world.engine.cancel(run, "x", &me()).await, Err(EngineError::Draining));
    let (store, clock) = world.kill();
    let world = World::over(store, clock, deployment("r1", TWO_CHARGES), outside.clone(), 2);
    output(world.end(run).await);
    assert_eq!((outside.requests("/charges"), world.engine.gauges().parked), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn the_lease_is_held_to_the_end_of_a_drain() {
    let outside = Outside::new(|_, _| Answer::Slow(Duration::from_secs(25), json!({"id": 7})));
    let world = World::new(CHARGE, outside.clone());
    let run = world.start(json!({"n": 1})).await;
    let settings = EngineSettings { node: "node-2".to_owned(), ..EngineSettings::default() };
    let heir = World::with(
        world.store.clone(),
        world.clock.clone(),
        vec![deployment("r1", CHARGE)],
        outside.clone(),
        2,
        settings,
    );
    world.engine.drain(Duration::from_secs(60)).await;
    assert_eq!(
        (status(&world, run).await, outside.requests("/charges")),
        (RunStatus::Completed, 1)
    );
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert!(heir.engine.gauges().leased, "and given up afterwards");
}

#[tokio::test(start_paused = true)]
async fn a_refused_call_is_not_ambiguous_when_it_is_tried_again_days_later() {
    let outside =
        Outside::new(
            |_, nth| if nth == 0 { Answer::Status(422, json!({})) } else { ok(json!({"id": 7})) },
        );
    let world = World::new(TICKET, outside.clone());
    let run = world.start(json!({})).await;
    assert!(matches!(world.end(run).await, RunEnd::Faulted { .. }));
    tokio::time::sleep(Duration::from_secs(72 * 3_600)).await;
    world.engine.retry_dead(run, &me()).await.unwrap();
    assert_eq!(output(world.end(run).await), json!({"id": 7}));
}

#[tokio::test(start_paused = true)]
async fn a_dead_credential_of_a_read_back_does_not_have_the_call_sent_again() {
    let outside = Outside::new(|path, nth| match (path, nth) {
        ("/messages", 0) => Answer::AppliedThenBroken,
        ("/find", 0..=2) => Answer::Status(401, json!({})),
        ("/find", _) => ok(json!({"messages": [{"id": 1}]})),
        _ => ok(json!({"id": 7})),
    });
    let world = World::new(MESSAGE, outside.clone());
    let run = world.start(json!({})).await;
    world.until(run, RunStatus::Parked).await;
    output(world.end(run).await);
    assert_eq!(outside.requests("/messages"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_call_that_waited_for_a_credential_is_not_sent() {
    let outside = Outside::new(|path, nth| match (path, nth) {
        ("/messages", 0) => Answer::Slow(Duration::from_secs(5), json!({"id": 7})),
        ("/find", 0) => Answer::Status(401, json!({})),
        ("/find", _) => ok(json!({"messages": []})),
        _ => ok(json!({"id": 7})),
    });
    let world = World::new(MESSAGE, outside.clone());
    let run = world.start(json!({})).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.engine.cancel(run, "no longer needed", &me()).await.unwrap();
    world.until(run, RunStatus::Parked).await;
    assert!(matches!(world.end(run).await, RunEnd::Cancelled { .. }));
    assert_eq!(outside.requests("/messages"), 1);
}

const FORK: &str = "
- both:
    fork:
      branches:
        - pay: { call: desk.charge, with: { body: {} } }
        - late:
            do:
              - nap: { wait: { seconds: 5 } }
              - createTicket: { call: desk.createTicket, with: { body: {} } }
";

#[tokio::test(start_paused = true)]
async fn a_reopened_run_does_not_send_again_what_was_ambiguous_when_it_failed() {
    let outside = Outside::new(|path, nth| match (path, nth) {
        ("/charges", 0) => Answer::AppliedThenBroken,
        ("/tickets", 0) => Answer::Status(422, json!({})),
        _ => ok(json!({"id": 7})),
    });
    let world = World::new(FORK, outside.clone());
    let run = world.start(json!({})).await;
    assert!(matches!(world.end(run).await, RunEnd::Faulted { .. }));
    world.engine.retry_dead(run, &me()).await.unwrap();
    world.until(run, RunStatus::Parked).await;
    assert_eq!(outside.requests("/charges"), 1);
    let paid = Resolution::Applied { output: json!({"paid": true}) };
    world.engine.resolve(run, paid, &me()).await.unwrap();
    assert_eq!(output(world.end(run).await), json!([{"paid": true}, {"id": 7}]));
    assert_eq!(outside.requests("/charges"), 1);
}

#[tokio::test(start_paused = true)]
async fn of_several_ambiguous_calls_the_named_one_is_decided() {
    let tasks = "
- both:
    fork:
      branches:
        - a: { call: desk.charge, with: { body: { of: a } } }
        - b: { call: desk.charge, with: { body: { of: b } } }
";
    let outside =
        Outside::new(|_, nth| if nth < 2 { Answer::AppliedThenBroken } else { ok(json!({})) });
    let world = World::new(tasks, outside.clone());
    let run = world.start(json!({})).await;
    world.until(run, RunStatus::Parked).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let applied = |output| Resolution::Applied { output };
    let unnamed = world.engine.resolve(run, applied(json!(0)), &me()).await.unwrap_err();
    assert!(unnamed.to_string().contains("/do/0/both/fork/branches/1/b:0"), "{unnamed}");
    let name = |at: usize, task: &str| format!("/do/0/both/fork/branches/{at}/{task}:0");
    world.engine.resolve_call(run, &name(1, "b"), applied(json!("b")), &me()).await.unwrap();
    let wrong = world.engine.resolve_call(run, &name(1, "b"), applied(json!(0)), &me()).await;
    assert!(matches!(wrong, Err(EngineError::WrongState { .. })), "{wrong:?}");
    world.engine.resolve(run, applied(json!("a")), &me()).await.unwrap();
    assert_eq!(output(world.end(run).await), json!(["a", "b"]));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_not_answered_in_time_is_not_made_twice() {
    let outside = Outside::new(|_, _| Answer::AppliedThenBroken);
    let world = World::new(CHARGE, outside.clone());
    let run = world.start(json!({"n": 1})).await;
    world.until(run, RunStatus::Parked).await;
    let hold = world.store.hold().await;
    let answer = world.engine.resolve(run, Resolution::NotApplied, &me()).await.unwrap_err();
    assert!(matches!(answer, EngineError::Store(StoreError::Unknown(_))), "{answer}");
    drop(hold);
    tokio::time::sleep(Duration::from_secs(5 * 60)).await;
    assert_eq!(outside.requests("/charges"), 2, "one decision, one more sending");
}

#[tokio::test(start_paused = true)]
async fn replays_of_replays_on_another_release_pay_once() {
    let outside = good();
    let world = World::new(CHARGE, outside.clone());
    let first = world.start(json!({"n": 1})).await;
    world.end(first).await;
    let (store, clock) = world.kill();
    let longer =
        format!("{CHARGE}- notify: {{ call: desk.postMessage, with: {{ body: {{ ref: a }} }} }}\n");
    let deployments = vec![deployment("r2", &longer), deployment("r1", CHARGE)];
    let settings = EngineSettings::default();
    let world = World::with(store, clock, deployments, outside.clone(), 2, settings);
    world.start(json!({"n": 2})).await;
    let second = world.engine.replay(first, Replay::default(), &me()).await.unwrap();
    output(world.end(second).await);
    let third = world.engine.replay(second, Replay::default(), &me()).await.unwrap();
    output(world.end(third).await);
    let of_first = |path: &str| {
        let seen = outside.seen.lock().unwrap();
        seen.iter().filter(|seen| seen.path == path && seen.body["n"] != 2).count()
    };
    assert_eq!(of_first("/charges"), 1);
    // One for the event of its own, one for the chain.
    assert_eq!(outside.requests("/messages"), 2);
}

#[tokio::test(start_paused = true)]
async fn a_replay_settles_what_its_first_run_left_in_doubt() {
    let outside =
        Outside::new(|_, nth| if nth == 0 { Answer::AppliedThenBroken } else { ok(json!({})) });
    let world = World::new(CHARGE, outside.clone());
    let run = world.start(json!({"n": 1})).await;
    world.until(run, RunStatus::Parked).await;
    world.engine.cancel(run, "give up", &me()).await.unwrap();
    assert!(matches!(world.end(run).await, RunEnd::Cancelled { .. }));
    let replay = world.engine.replay(run, Replay::default(), &me()).await.unwrap();
    world.until(replay, RunStatus::Parked).await;
    assert_eq!(outside.requests("/charges"), 1);
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_answered_although_the_run_left_memory() {
    let tasks = "- nap: { wait: { seconds: 30 } }\n";
    let world = World::new(tasks, good());
    let run = world.start(json!({})).await;
    let end = world.engine.wait(run, Duration::from_secs(60)).await.unwrap();
    assert!(matches!(end, Some(RunEnd::Completed { .. })), "{end:?}");
    assert!(world.uptime() < Duration::from_secs(36), "{:?}", world.uptime());
    let slow = world.start(json!({})).await;
    assert_eq!(world.engine.wait(slow, Duration::from_secs(3)).await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_release_is_gone_says_so_and_keeps_nobody_up() {
    let outside = good();
    let tasks = format!("- nap: {{ wait: {{ minutes: 1 }} }}\n{CHARGE}");
    let world = World::new(&tasks, outside.clone());
    let run = world.start(json!({"n": 1})).await;
    let (store, clock) = world.kill();
    let settings = EngineSettings::default();
    let other = vec![deployment("r2", CHARGE)];
    let world = World::with(store, clock, other, outside.clone(), 2, settings);
    tokio::time::sleep(Duration::from_secs(2 * 60)).await;
    let head = world.store.run(run).await.unwrap().unwrap();
    assert_eq!(head.state.status, RunStatus::Parked);
    assert!(head.state.summary.unwrap().starts_with("QC-R004"));
    let fresh = world.start(json!({"n": 2})).await;
    output(world.end(fresh).await);
    let (store, clock) = world.kill();
    let world = World::over(store, clock, deployment("r1", &tasks), outside, 3);
    output(world.end(run).await);
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_call_stays_with_the_call() {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let outside = Outside::new(|path, nth| match (path, nth) {
        ("/state" | "/charges", _) => panic!("on purpose"),
        _ => ok(json!({"id": 7})),
    });
    let tasks = "
- all:
    fork:
      branches:
        - pay: { call: desk.charge, with: { body: {} } }
        - open: { call: desk.createTicket, with: { body: {} } }
";
    let world = World::new(tasks, outside.clone());
    let run = world.start(json!({})).await;
    world.until(run, RunStatus::Parked).await;
    world.engine.resolve(run, Resolution::Applied { output: json!(1) }, &me()).await.unwrap();
    assert_eq!(output(world.end(run).await), json!([1, {"id": 7}]));
    assert_eq!(outside.requests("/tickets"), 1);
    let state = "- sync: { call: desk.putState, with: { body: {} } }\n";
    let world = World::new(state, outside);
    let run = world.start(json!({})).await;
    let end = world.end(run).await;
    std::panic::set_hook(hook);
    let RunEnd::Faulted { failure, .. } = end else { panic!("{end:?}") };
    assert_eq!(failure.code.to_string(), "QC-R009");
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_makes_no_timer_early_and_loses_none() {
    let tasks = "- nap: { wait: { hours: 1 } }\n";
    let world = World::new(tasks, good());
    let run = world.start(json!({})).await;
    world.until(run, RunStatus::Waiting).await;
    world.clock.jump(-3_600_000);
    tokio::time::sleep(Duration::from_secs(90 * 60)).await;
    assert_eq!(status(&world, run).await, RunStatus::Waiting, "an hour after the wrong time");
    world.clock.jump(7_200_000);
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(status(&world, run).await, RunStatus::Completed);
}

#[tokio::test(start_paused = true)]
async fn no_place_is_lost_when_the_store_fails() {
    let world = small(CHARGE, good(), 2);
    let run = world.start(json!({"n": 0})).await;
    world.end(run).await;
    for round in 0..10 {
        for fault in [
            qc_store::memory::Fault::Full,
            qc_store::memory::Fault::Unavailable,
            qc_store::memory::Fault::Unknown { applied: false },
        ] {
            world.store.fail_next(fault);
            assert!(world.send(None, json!({"n": round})).await.is_err());
        }
    }
    assert_eq!(world.engine.gauges().runs_in_memory, 0);
}
