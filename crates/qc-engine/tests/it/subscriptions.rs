//! Integrations that subscribe to what others publish.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use qc_engine::{
    AdmissionLimits, Announced, Bus, Deployment, EngineSettings, ServiceClass, Subscription, Takes,
};
use qc_expression::Expression;
use qc_model::{Actor, Name};
use qc_store::{LedgerFilter, LiveCause, RunFilter, RunHead, Store, memory::MemoryStore};
use serde_json::{Value, json};

use crate::{
    pausing::trigger_of,
    world::{
        Answer, Outside, Sender, VirtualClock, World, deployment, named_deployment, ok, output,
        with_bus,
    },
};

const EMITS: &str = "
- pay: { emit: { event: { with: { type: '${ .kind // \"order.paid\" }', data: { order: '${ .order }', amount: '${ .amount }' } } } } }
";
const NOTIFIES: &str =
    "- notify: { call: desk.createTicket, with: { body: { paid: '${ . }' } } }\n";

fn to(types: &[&str]) -> Subscription {
    let types = types.iter().map(|kind| (*kind).to_owned()).collect();
    Subscription {
        tenant: None,
        takes: Takes::Types { types, filter: None },
        contract: None,
        subject: None,
        input: None,
        from_beginning: false,
        max_rate: None,
    }
}

fn filtered(types: &[&str], filter: &str) -> Subscription {
    let takes = Takes::Types {
        types: types.iter().map(|kind| (*kind).to_owned()).collect(),
        filter: Some(Expression::parse(filter, &[]).unwrap()),
    };
    Subscription { takes, ..to(types) }
}

fn subscribed(name: &str, tasks: &str, subscription: Subscription) -> Deployment {
    let subscriptions = BTreeMap::from([(Name::new("paid").unwrap(), subscription)]);
    let bus = Bus { subscriptions, ..Bus::default() };
    with_bus(named_deployment(name, name, tasks), bus)
}

fn world(others: Vec<Deployment>, outside: Arc<Outside>) -> World {
    let clock = Arc::new(VirtualClock::now());
    let store = Arc::new(MemoryStore::with_clock(clock.clone()));
    over(store, clock, others, outside, 1)
}

fn over(
    store: Arc<MemoryStore>,
    clock: Arc<VirtualClock>,
    others: Vec<Deployment>,
    outside: Arc<Outside>,
    seed: u64,
) -> World {
    let mut all = vec![deployment("r1", EMITS)];
    all.extend(others);
    let world = World::with(store, clock, all.clone(), outside, seed, EngineSettings::default());
    world.engine.set_deployments(all);
    world
}

async fn runs_of(world: &World, integration: &str) -> Vec<RunHead> {
    let integration = Some(Name::new(integration).unwrap());
    world.store.runs(&RunFilter { integration, ..RunFilter::default() }).await.unwrap()
}

fn quiet() -> Arc<Outside> {
    Outside::new(|_, _| ok(json!({"id": 7})))
}

fn told(outside: &Outside) -> Vec<Value> {
    let seen = outside.seen.lock().unwrap();
    let mut orders: Vec<Value> = seen.iter().map(|one| one.body["paid"]["order"].clone()).collect();
    orders.sort_by_key(serde_json::Value::as_i64);
    orders
}

#[tokio::test(start_paused = true)]
async fn each_subscriber_gets_what_passes_its_own_filter() {
    let outside = quiet();
    let big = subscribed("big", NOTIFIES, filtered(&["order.paid"], ".data.amount > 100"));
    let all = subscribed("all", NOTIFIES, to(&["order.paid", "order.lost"]));
    let none = subscribed("none", NOTIFIES, to(&["order.shipped"]));
    let world = world(vec![big, all, none], outside.clone());
    // A subscription begins with what comes after it.
    tokio::time::sleep(Duration::from_secs(1)).await;
    for (order, amount) in [(1, 50), (2, 500)] {
        world.start(json!({"order": order, "amount": amount})).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(runs_of(&world, "big").await.len(), 1);
    assert_eq!(runs_of(&world, "all").await.len(), 2);
    assert!(runs_of(&world, "none").await.is_empty());
    assert_eq!(told(&outside), [json!(1), json!(2), json!(2)]);
}

/// Wherever the process ends: every event begins one run of the subscriber, and none is missed.
#[tokio::test(start_paused = true)]
async fn every_event_begins_one_run_whatever_commit_is_the_last_one() {
    for last in 0..10 {
        let outside = quiet();
        let subscriber = || subscribed("all", NOTIFIES, to(&["order.paid"]));
        let first = world(vec![subscriber()], outside.clone());
        first.start(json!({"order": 0})).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        first.store.stop_after(last);
        let sender: Sender = first.sender();
        for order in 1..=3 {
            let key = order.to_string();
            let sent = sender.send(Some(&key), json!({"order": order}));
            drop(tokio::time::timeout(Duration::from_millis(30), sent).await);
        }
        let (store, clock) = first.kill();
        tokio::time::sleep(Duration::from_secs(15)).await;
        store.go_on();
        let world = over(store, clock, vec![subscriber()], outside.clone(), 2);
        for order in 1..=3 {
            world.send(Some(&order.to_string()), json!({"order": order})).await.unwrap();
        }
        tokio::time::sleep(Duration::from_secs(30)).await;
        let mut orders = told(&outside);
        orders.dedup();
        assert_eq!(orders, [json!(0), json!(1), json!(2), json!(3)], "after {last}");
        assert_eq!(outside.effects("/tickets"), 4, "after {last}");
        assert_eq!(runs_of(&world, "all").await.len(), 4, "after {last}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_refuses_or_is_slow_stops_nobody() {
    let outside = quiet();
    let broken = subscribed("broken", NOTIFIES, filtered(&["order.paid"], ".data.order | error"));
    let slow = Subscription { max_rate: Some(0.1), ..to(&["order.paid"]) };
    let slow = subscribed("slow", NOTIFIES, slow);
    let all = subscribed("all", NOTIFIES, to(&["order.paid"]));
    let world = world(vec![broken, slow, all], outside.clone());
    tokio::time::sleep(Duration::from_secs(1)).await;
    for order in 0..5 {
        world.start(json!({"order": order})).await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(runs_of(&world, "all").await.len(), 5);
    assert_eq!(runs_of(&world, "slow").await.len(), 1, "one in ten seconds");
    assert!(runs_of(&world, "broken").await.is_empty());
    let refused = LedgerFilter { outcome: Some("refused".to_owned()), ..LedgerFilter::default() };
    let rows = world.store.ledger(&refused).await.unwrap();
    assert_eq!(rows.len(), 5);
    assert_eq!(rows[0].row.code.as_deref(), Some("QC-R001"));
    tokio::time::sleep(Duration::from_secs(45)).await;
    assert_eq!(runs_of(&world, "slow").await.len(), 5);
    // One that comes later begins with the next event, or with all that are kept.
    let late = subscribed("late", NOTIFIES, to(&["order.paid"]));
    let from = Subscription { from_beginning: true, ..to(&["order.paid"]) };
    let from = subscribed("from", NOTIFIES, from);
    world.engine.set_deployments(vec![deployment("r1", EMITS), late, from]);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(runs_of(&world, "late").await.is_empty());
    assert_eq!(runs_of(&world, "from").await.len(), 5);
}

#[tokio::test(start_paused = true)]
async fn what_goes_round_in_a_circle_ends() {
    let circle = "- again: { emit: { event: { with: { type: order.paid, id: '${ .order }', data: { order: '${ .order + \"x\" }' } } } } }\n";
    let world = world(vec![subscribed("circle", circle, to(&["order.paid"]))], quiet());
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.start(json!({"order": "x"})).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(runs_of(&world, "circle").await.len(), 31);
    let refused = LedgerFilter { outcome: Some("refused".to_owned()), ..LedgerFilter::default() };
    let rows = world.store.ledger(&refused).await.unwrap();
    assert_eq!(rows[0].row.code.as_deref(), Some("QC-R013"));
}

#[tokio::test(start_paused = true)]
async fn what_is_published_from_outside_is_one_event_however_often_it_comes() {
    let outside = quiet();
    let world = world(vec![subscribed("all", NOTIFIES, to(&["test"]))], outside.clone());
    tokio::time::sleep(Duration::from_secs(1)).await;
    let publish = async |data: Value| world.sender().publish("k", data).await;
    let new = publish(json!({"order": 1})).await.unwrap();
    assert_eq!(new, Announced::New { event: "1".to_owned() });
    let again = publish(json!({"order": 1})).await.unwrap();
    assert_eq!(again, Announced::Repeat { event: "1".to_owned() });
    assert!(publish(json!({"order": 2})).await.is_err(), "the key stands for another body");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(runs_of(&world, "all").await.len(), 1);
    assert_eq!(told(&outside), [json!(1)]);
}

/// A workflow's own `schedule.on` gathers one event for each of its filters, those of one order together.
#[tokio::test(start_paused = true)]
async fn a_workflow_begins_when_all_the_events_that_it_needs_are_there() {
    let tasks = "
- note: { set: { orders: '${ map(.order) }' } }
schedule:
  on:
    all:
      - with: { type: order.paid }
        correlate: { order: { from: .data.order } }
      - with: { type: order.packed }
        correlate: { order: { from: .data.order } }
";
    let subscription = Subscription { takes: Takes::Workflow, ..to(&[]) };
    let subscriber =
        || subscribed("ship", tasks, Subscription { takes: Takes::Workflow, ..to(&[]) });
    let first = world(vec![subscribed("ship", tasks, subscription)], quiet());
    tokio::time::sleep(Duration::from_secs(1)).await;
    first.start(json!({"order": 1})).await;
    first.start(json!({"order": 2, "kind": "order.packed"})).await;
    first.start(json!({"order": 1, "kind": "order.lost"})).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(runs_of(&first, "ship").await.is_empty(), "each waits for the other half");
    // What was gathered is not lost with the process.
    let (store, clock) = first.kill();
    tokio::time::sleep(Duration::from_secs(15)).await;
    let world = over(store, clock, vec![subscriber()], quiet(), 2);
    world.start(json!({"order": 1, "kind": "order.packed"})).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let runs = runs_of(&world, "ship").await;
    assert_eq!(runs.len(), 1);
    let end = world.engine.inspect(runs[0].facts.id).await.unwrap().end.unwrap();
    assert_eq!(crate::world::output(end), json!({"orders": [1, 1]}));
    let left = world.store.document("subscription", "production/ship/paid").await.unwrap().unwrap();
    assert!(String::from_utf8_lossy(&left.body).contains("gathering"), "order 2 waits on");
}

/// The lives of runs and tasks are on the bus of those who ask for it, and of nobody else.
#[tokio::test(start_paused = true)]
async fn the_lives_of_runs_are_told_to_those_who_ask() {
    let kinds = async |lifecycle| {
        let bus = Bus { lifecycle, ..Bus::default() };
        let told = with_bus(named_deployment("l1", "told", NOTIFIES), bus);
        let world = world(vec![told], quiet());
        let deployment = world.engine.deployments();
        let deployment = deployment.lookup("production", "told").unwrap().clone();
        let run = world.sender().to(&deployment, json!({"a": 1})).await;
        crate::world::output(world.end(run).await);
        let (events, _) = world.engine.bus_events(0, None, 100).await.unwrap();
        let kind = |event: &Value| event["type"].as_str().unwrap().to_owned();
        events.iter().map(|one| kind(&one.event)).collect::<Vec<_>>()
    };
    assert!(kinds(false).await.is_empty());
    let told = kinds(true).await;
    let told: Vec<_> =
        told.iter().map(|kind| kind.strip_prefix("io.serverlessworkflow.").unwrap()).collect();
    let (first, last) = (told.first().unwrap(), told.last().unwrap());
    assert_eq!((*first, *last), ("workflow.started.v1", "workflow.completed.v1"), "{told:?}");
    for wanted in ["task.created.v1", "task.started.v1", "task.completed.v1"] {
        assert!(told.contains(&wanted), "{wanted}: {told:?}");
    }
}

/// Whoever begins with what a run says on the bus, or with what is told of that run, is one run further away from the first
/// event; whoever begins with what somebody published is as far away as that.
#[tokio::test(start_paused = true)]
async fn what_is_on_the_bus_says_how_far_away_it_is() {
    let outside = quiet();
    let bus = Bus { lifecycle: true, ..Bus::default() };
    let told = with_bus(named_deployment("l1", "told", "- note: { set: { a: 1 } }\n"), bus);
    let types = ["order.paid", "test", "io.serverlessworkflow.workflow.completed.v1"];
    let world = world(vec![told, subscribed("hears", NOTIFIES, to(&types))], outside.clone());
    tokio::time::sleep(Duration::from_secs(1)).await;
    let heard = async |what: &str| {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let seen = std::mem::take(&mut *outside.seen.lock().unwrap());
        assert_eq!(seen.len(), 1, "{what}");
        seen[0].hops.clone().unwrap()
    };
    let far = || world.sender().through(4);
    far().send(None, json!({"order": 1, "amount": 1})).await.unwrap();
    assert_eq!(heard("emitted").await, "6");
    let deployments = world.engine.deployments();
    far().to(deployments.lookup("production", "told").unwrap(), json!({})).await;
    assert_eq!(heard("its life").await, "6");
    far().publish("k", json!({"order": 2})).await.unwrap();
    assert_eq!(heard("published").await, "5");
}

/// Under load a subscription of a lower class waits while one of a higher still begins its runs, and misses nothing.
#[tokio::test(start_paused = true)]
async fn a_subscription_has_the_room_of_its_class() {
    let slow = Outside::new(|path, _| match path {
        "/state" => Answer::Slow(Duration::from_secs(60), json!({})),
        _ => ok(json!({"id": 7})),
    });
    let of_class = |name: &str, class: ServiceClass| {
        let mut one = subscribed(name, NOTIFIES, to(&["test"]));
        Arc::get_mut(&mut one.release).unwrap().class = class;
        one
    };
    let clock = Arc::new(VirtualClock::now());
    let store = Arc::new(MemoryStore::with_clock(clock.clone()));
    let busy = deployment("r1", "- wait: { call: desk.putState, with: { body: { n: 1 } } }\n");
    let all = vec![
        busy,
        of_class("standard", ServiceClass::Standard),
        of_class("deferrable", ServiceClass::Deferrable),
    ];
    let admission = AdmissionLimits { tenant_runs: 8, ..AdmissionLimits::default() };
    let settings = EngineSettings { admission, ..EngineSettings::default() };
    let world = World::with(store, clock, all.clone(), slow, 1, settings);
    world.engine.set_deployments(all);
    tokio::time::sleep(Duration::from_secs(1)).await;
    // Of eight open runs there are five: for what can wait there is room up to four.
    for _ in 0..5 {
        world.start(json!({})).await;
    }
    world.sender().publish("k", json!({"order": 1})).await.unwrap();
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(runs_of(&world, "standard").await.len(), 1);
    assert!(runs_of(&world, "deferrable").await.is_empty());
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(runs_of(&world, "deferrable").await.len(), 1, "what was busy is done");
}

/// A subscription is a trigger: while it is paused, what it would take is kept in its order.
#[tokio::test(start_paused = true)]
async fn a_paused_subscription_begins_nothing_and_misses_nothing() {
    let outside = quiet();
    let others = vec![subscribed("all", NOTIFIES, to(&["order.paid"]))];
    let world = world(others, outside.clone());
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (name, actor) = (trigger_of("all", "paid"), Actor::platform("test"));
    world.engine.pause_trigger(&name, "maintenance", &actor).await.unwrap();
    for order in 1..=3 {
        world.start(json!({"order": order, "amount": 1})).await;
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
    assert!(outside.seen.lock().unwrap().is_empty());
    let held = runs_of(&world, "all").await;
    assert_eq!(held.len(), 3);
    assert!(held.iter().all(|head| head.state.cause == LiveCause::Held), "{held:?}");
    world.engine.resume_trigger(&name, "done", &actor).await.unwrap();
    for head in &held {
        output(world.end(head.facts.id).await);
    }
    assert_eq!(told(&outside), [json!(1), json!(2), json!(3)]);
}
