//! Runs that wait for events.

use std::{sync::Arc, time::Duration};

use qc_engine::RunEnd;
use qc_model::{Actor, RunId};
use qc_store::{LiveCause, RunStatus, SignalFilter, Store, WaitFilter};
use serde_json::{Value, json};

use crate::world::{Outside, World, deployment, ok, output};

/// One workflow for both sides: it waits for the payment of an order, or tells of one.
pub(crate) const ORDERS: &str = "
- which: { switch: [ { pays: { when: '.pays != null', then: pay } }, { waits: { then: hear } } ] }
- hear:
    listen:
      to:
        one:
          with: { type: paid }
          correlate: { order: { from: .data.order, expect: '${ .order }' } }
    then: told
- told:
    call: desk.createTicket
    with: { body: { paid: '${ .[0] }' } }
    then: end
- pay:
    emit: { event: { with: { type: paid, data: { order: '${ .pays }', amount: '${ .amount }' } } } }
    then: end
";

fn quiet() -> Arc<Outside> {
    Outside::new(|_, _| ok(json!({"id": 7})))
}

async fn signals(world: &World) -> usize {
    world.store.signals(&SignalFilter::default()).await.unwrap().len()
}

async fn waits(world: &World) -> usize {
    world.store.waits(&WaitFilter::default()).await.unwrap().len()
}

/// What the run told the desk.
pub(crate) fn told(outside: &Outside) -> Vec<Value> {
    outside.seen.lock().unwrap().iter().map(|seen| seen.body["paid"].clone()).collect()
}

async fn until_it_listens(world: &World, run: RunId) {
    world.until(run, RunStatus::Waiting).await;
    let head = world.store.run(run).await.unwrap().unwrap();
    assert_eq!(head.state.cause, LiveCause::Event);
}

#[tokio::test(start_paused = true)]
async fn a_run_takes_the_event_of_its_key_within_milliseconds() {
    let outside = quiet();
    let world = World::new(ORDERS, outside.clone());
    let waits_for = world.start(json!({"order": 1})).await;
    let other = world.start(json!({"order": 2})).await;
    until_it_listens(&world, waits_for).await;
    until_it_listens(&world, other).await;
    assert_eq!(waits(&world).await, 2);
    let before = world.uptime();
    world.start(json!({"pays": 1, "amount": 10})).await;
    output(world.end(waits_for).await);
    assert!(
        world.uptime().saturating_sub(before) < Duration::from_millis(50),
        "nobody polls for it"
    );
    assert_eq!(told(&outside), [json!({"order": 1, "amount": 10})]);
    assert_eq!(waits(&world).await, 1, "the other one waits on");
    until_it_listens(&world, other).await;
}

#[tokio::test(start_paused = true)]
async fn an_event_that_came_before_the_listen_was_reached_counts() {
    let tasks = ORDERS.replace("- hear:", "- nap: { wait: { minutes: 5 } }\n- hear:");
    let tasks = tasks.replace("{ waits: { then: hear } }", "{ waits: { then: nap } }");
    let outside = quiet();
    let world = World::new(&tasks, outside.clone());
    world.start(json!({"pays": 1, "amount": 1})).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let run = world.start(json!({"order": 1})).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(told(&outside).is_empty(), "what came before the run began is not for it");
    world.start(json!({"pays": 1, "amount": 2})).await;
    output(world.end(run).await);
    assert_eq!(told(&outside), [json!({"order": 1, "amount": 2})]);
    let listened = Duration::from_secs(5 * 60 + 10);
    assert!(world.uptime() < listened, "it did not wait for another one: {:?}", world.uptime());
}

#[tokio::test(start_paused = true)]
async fn a_run_that_waits_is_not_in_memory_and_is_woken_from_the_store() {
    let outside = quiet();
    let world = World::new(ORDERS, outside.clone());
    let run = world.start(json!({"order": 1})).await;
    until_it_listens(&world, run).await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(world.engine.gauges().runs_in_memory, 0);
    world.start(json!({"pays": 1})).await;
    output(world.end(run).await);
    assert_eq!(outside.requests("/tickets"), 1);
    assert_eq!(waits(&world).await, 0);
}

/// The same event twice, under one id, and a replay of the run that tells it.
#[tokio::test(start_paused = true)]
async fn an_event_is_one_however_often_it_is_told() {
    let outside = quiet();
    let world = World::new(ORDERS, outside.clone());
    let payer = world.start(json!({"pays": 1, "amount": 1})).await;
    output(world.end(payer).await);
    let actor = Actor::platform("test");
    let replay = world.engine.replay(payer, qc_engine::Replay::default(), &actor).await.unwrap();
    output(world.end(replay).await);
    assert_eq!(signals(&world).await, 1, "a replay tells the same event");
}

/// Whatever commit is the last one of the first process: the event is taken once, and the run ends.
#[tokio::test(start_paused = true)]
async fn no_wake_is_lost_whatever_commit_is_the_last_one() {
    for before in [true, false] {
        for last in 0..=9 {
            let outside = quiet();
            let world = World::new(ORDERS, outside.clone());
            let first = world.start(json!({"order": 0})).await;
            until_it_listens(&world, first).await;
            world.store.stop_after(last);
            let sender = world.sender();
            // What is not accepted before the process ends is sent again to the next one, under its key.
            let mut events = vec![("pay", json!({"pays": 1})), ("wait", json!({"order": 1}))];
            if !before {
                events.reverse();
            }
            for (key, data) in &events {
                let sent = sender.send(Some(key), data.clone());
                drop(tokio::time::timeout(Duration::from_millis(40), sent).await);
            }
            let (store, clock) = world.kill();
            tokio::time::sleep(Duration::from_secs(15)).await;
            store.go_on();
            let world = World::over(store, clock, deployment("r1", ORDERS), outside.clone(), 2);
            let mut runs = Vec::new();
            for (key, data) in &events {
                match world.send(Some(key), data.clone()).await.unwrap() {
                    qc_engine::Accepted::New { run } | qc_engine::Accepted::Repeat { run } => {
                        runs.push(run);
                    }
                }
            }
            let waiting = runs[usize::from(before)];
            if before {
                // It may have begun after the payment, which is then not for it.
                world.send(Some("again"), json!({"pays": 1})).await.unwrap();
            }
            output(world.end(waiting).await);
            assert_eq!(outside.effects("/tickets"), 1, "after {last} commits, {before}");
            let head = world.store.run(first).await.unwrap().unwrap();
            assert_eq!(head.state.cause, LiveCause::Event, "the first one is left alone");
            assert_eq!(world.engine.gauges().stuck, 0);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_timeout_ends_the_wait_and_an_event_after_it_changes_nothing() {
    let tasks = "
- first: { switch: [ { pays: { when: '.pays != null', then: pay } }, { waits: { then: guard } } ] }
- guard:
    try:
      - hear:
          listen: { to: { one: { with: { type: paid } } } }
          timeout: { after: { seconds: 30 } }
    catch: { as: error, do: [ late: { set: { late: true }, then: end } ] }
    then: end
- pay:
    emit: { event: { with: { type: paid, data: 1 } } }
    then: end
";
    let world = World::new(tasks, quiet());
    let late = world.start(json!({})).await;
    assert_eq!(output(world.end(late).await), json!({"late": true}));
    assert_eq!(waits(&world).await, 0);
    world.start(json!({"pays": 1})).await;
    // The event comes in the very moment of the timeout: one of both decides, and the run ends once.
    let raced = world.start(json!({})).await;
    tokio::time::sleep(Duration::from_millis(29_999)).await;
    world.start(json!({"pays": 1})).await;
    let end = output(world.end(raced).await);
    assert!(end == json!([1]) || end == json!({"late": true}), "{end}");
}

#[tokio::test(start_paused = true)]
async fn events_are_worked_on_one_after_the_other_and_none_is_missed_meanwhile() {
    let tasks = "
- first: { switch: [ { pays: { when: '.pays != null', then: pay } }, { waits: { then: hear } } ] }
- hear:
    listen:
      to: { any: [ { with: { type: paid } } ], until: '. | length == 5' }
    foreach:
      item: event
      do:
        - note: { call: desk.createTicket, with: { body: { paid: '${ $event }' } } }
        - nap: { wait: { seconds: 20 } }
    then: end
- pay:
    emit: { event: { with: { type: paid, data: '${ .pays }' } } }
    then: end
";
    let outside = quiet();
    let world = World::new(tasks, outside.clone());
    let run = world.start(json!({})).await;
    until_it_listens(&world, run).await;
    for number in 0..5 {
        world.start(json!({"pays": number})).await;
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
    output(world.end(run).await);
    assert_eq!(told(&outside), (0..5).map(Value::from).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_run_that_listens_is_cancelled_and_leaves_no_wait() {
    let world = World::new(ORDERS, quiet());
    let run = world.start(json!({"order": 1})).await;
    until_it_listens(&world, run).await;
    world.engine.cancel(run, "no longer needed", &Actor::platform("test")).await.unwrap();
    assert!(matches!(world.end(run).await, RunEnd::Cancelled { .. }));
    assert_eq!(waits(&world).await, 0);
}

/// An event with a key touches the runs of its key only, however many wait for events of its type.
#[tokio::test(start_paused = true)]
async fn an_event_costs_what_its_own_runs_cost() {
    let outside = quiet();
    let world = World::new(ORDERS, outside.clone());
    let mut runs = Vec::new();
    for order in 0..300 {
        runs.push(world.start(json!({"order": order})).await);
    }
    for run in &runs {
        until_it_listens(&world, *run).await;
    }
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(world.engine.gauges().runs_in_memory, 0);
    let before = world.engine.gauges().taken_up;
    world.start(json!({"pays": 7, "amount": 1})).await;
    output(world.end(runs[7]).await);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(world.engine.gauges().taken_up - before, 1, "one run was read from the store");
    assert_eq!(outside.requests("/tickets"), 1);
    assert_eq!(waits(&world).await, 299);
}
