//! Paused triggers: events are kept, and nothing runs, until somebody says so. And parked keys.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use qc_engine::{
    Deployment, EngineError, EngineSettings, LineName, OnFailure, OrderingRule, Release, RunEnd,
    TriggerName,
};
use qc_model::{Actor, Name, RunId};
use qc_store::{
    DeadFilter, DeadState, LedgerFilter, LiveCause, RunFilter, RunStatus, Store,
    memory::MemoryStore,
};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    link::{Book, Link, Reached},
    world::{Answer, Outside, VirtualClock, World, deployment, ok, output},
};

const PUT: &str =
    "- sync: { call: desk.putState, with: { body: { n: '${ .n }', key: '${ .key }' } } }\n";

fn me() -> Actor {
    Actor::platform("test")
}

pub(crate) fn trigger_of(integration: &str, trigger: &str) -> TriggerName {
    TriggerName {
        environment: qc_model::EnvironmentName::new("production").unwrap(),
        integration: Name::new(integration).unwrap(),
        trigger: Name::new(trigger).unwrap(),
    }
}

fn door() -> TriggerName {
    trigger_of("test", "in")
}

fn line(key: &str) -> LineName {
    LineName {
        tenant: Name::new("default").unwrap(),
        environment: door().environment,
        integration: door().integration,
        key: key.to_owned(),
    }
}

fn plain() -> Deployment {
    deployment("r1", PUT)
}

fn ordered(on_failure: OnFailure) -> Deployment {
    let mut deployment = deployment("r1", PUT);
    let release: &mut Release = Arc::get_mut(&mut deployment.release).unwrap();
    let key = qc_expression::Expression::parse(".data.key", &[]).unwrap();
    release.ordering = Some(OrderingRule { key, on_failure });
    deployment
}

fn good() -> Arc<Outside> {
    Outside::new(|_, _| ok(json!({"id": 7})))
}

fn alone(deployment: Deployment, outside: &Arc<Outside>) -> World {
    let clock = Arc::new(VirtualClock::now());
    let store = Arc::new(MemoryStore::with_clock(clock.clone()));
    World::over(store, clock, deployment, outside.clone(), 1)
}

/// The numbers that came, a repeat after a crash counted once.
fn numbers(outside: &Outside) -> Vec<u64> {
    let mut seen = BTreeSet::new();
    let all = outside.seen.lock().unwrap();
    let numbers = all.iter().filter_map(|one| one.body["n"].as_u64());
    numbers.filter(|n| seen.insert(*n)).collect()
}

async fn state(store: &MemoryStore, run: RunId) -> (RunStatus, LiveCause) {
    let state = store.run(run).await.unwrap().unwrap().state;
    (state.status, state.cause)
}

const HELD: (RunStatus, LiveCause) = (RunStatus::Waiting, LiveCause::Held);

/// Each in a millisecond of its own: within one there is no order to be kept.
async fn send(world: &World, n: u64) -> RunId {
    sleep(Duration::from_millis(1)).await;
    world.start(json!({"n": n, "key": "a"})).await
}

async fn until_open(world: &World) {
    for _ in 0..10_000 {
        if world.engine.triggers().await.unwrap()[0].state == "open" {
            return;
        }
        sleep(Duration::from_millis(50)).await;
    }
    panic!("it never is open: {:?}", world.engine.triggers().await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn while_a_trigger_is_paused_events_are_kept_and_nothing_runs_across_a_restart() {
    let outside = good();
    let world = alone(plain(), &outside);
    output({
        let run = send(&world, 0).await;
        world.end(run).await
    });
    let view = world.engine.pause_trigger(&door(), "maintenance", &me()).await.unwrap();
    assert_eq!((view.state, view.held), ("paused", 0));
    let early = world.engine.pause_trigger(&door(), "again", &me()).await.unwrap_err();
    assert!(matches!(early, EngineError::WrongTriggerState { state: "paused", .. }), "{early:?}");
    let mut runs = Vec::new();
    for n in 1..=5 {
        runs.push(send(&world, n).await);
    }
    let (store, clock) = world.kill();
    sleep(Duration::from_secs(15)).await;
    let world = World::over(store, clock, plain(), outside.clone(), 2);
    for n in 6..=10 {
        runs.push(send(&world, n).await);
    }
    sleep(Duration::from_secs(600)).await;
    for run in &runs {
        assert_eq!(state(&world.store, *run).await, HELD);
    }
    assert_eq!(numbers(&outside), [0]);
    let view = &world.engine.triggers().await.unwrap()[0];
    assert_eq!(
        (view.state, view.held, view.reason.as_deref()),
        ("paused", 10, Some("maintenance"))
    );
    world.engine.resume_trigger(&door(), "done", &me()).await.unwrap();
    for run in &runs {
        output(world.end(*run).await);
    }
    assert_eq!(numbers(&outside), (0..=10).collect::<Vec<_>>(), "in the order of their coming");
    until_open(&world).await;
    let late = world.engine.resume_trigger(&door(), "again", &me()).await.unwrap_err();
    assert!(matches!(late, EngineError::WrongTriggerState { state: "open", .. }), "{late:?}");
    // And from now on as if nothing had been.
    let run = send(&world, 11).await;
    output(world.end(run).await);
    assert_eq!(world.engine.gauges().stuck, 0);
    let audit = world.store.ledger(&LedgerFilter::default()).await.unwrap();
    let deeds: Vec<&str> = audit.iter().map(|entry| &*entry.row.outcome).collect();
    assert!(deeds.contains(&"trigger.pause") && deeds.contains(&"trigger.resume"), "{deeds:?}");
}

/// What comes while those who were held begin does not pass them by.
#[tokio::test(start_paused = true)]
async fn what_comes_during_the_release_stands_behind() {
    let outside = good();
    let world = alone(plain(), &outside);
    world.engine.pause_trigger(&door(), "maintenance", &me()).await.unwrap();
    let mut runs = Vec::new();
    for n in 0..100 {
        runs.push(send(&world, n).await);
    }
    world.engine.resume_trigger(&door(), "done", &me()).await.unwrap();
    for n in 100..110 {
        runs.push(send(&world, n).await);
    }
    assert!(numbers(&outside).len() < 50, "they do not come all at once");
    for run in &runs {
        output(world.end(*run).await);
    }
    assert_eq!(numbers(&outside), (0..110).collect::<Vec<_>>());
}

/// The process ends in the middle of a release: the next one goes on with it.
#[tokio::test(start_paused = true)]
async fn a_release_that_broke_off_is_gone_on_with() {
    for begun in [0, 1, 7, 19] {
        let outside = good();
        let world = alone(plain(), &outside);
        world.engine.pause_trigger(&door(), "maintenance", &me()).await.unwrap();
        let mut runs = Vec::new();
        for n in 0..20 {
            runs.push(send(&world, n).await);
        }
        world.engine.resume_trigger(&door(), "done", &me()).await.unwrap();
        while numbers(&outside).len() < begun {
            sleep(Duration::from_millis(1)).await;
        }
        let (store, clock) = world.kill();
        sleep(Duration::from_secs(15)).await;
        let world = World::over(store, clock, plain(), outside.clone(), 2);
        for run in &runs {
            output(world.end(*run).await);
        }
        assert_eq!(numbers(&outside), (0..20).collect::<Vec<_>>(), "after {begun}");
        until_open(&world).await;
    }
}

/// Exactly what was planned is cancelled; the trigger stays paused, and what came since is kept.
#[tokio::test(start_paused = true)]
async fn what_is_held_is_cancelled_after_it_was_counted() {
    let outside = good();
    let world = alone(plain(), &outside);
    world.engine.pause_trigger(&door(), "maintenance", &me()).await.unwrap();
    let mut runs = Vec::new();
    for n in 0..10 {
        runs.push(send(&world, n).await);
    }
    let plan = world.engine.plan_discard(&door()).await.unwrap();
    assert_eq!(plan.runs, 10);
    sleep(Duration::from_secs(1)).await;
    let kept = send(&world, 10).await;
    let wrong = world.engine.discard_held(&door(), "1-ff", "test", &me()).await.unwrap_err();
    assert!(wrong.to_string().contains("plan again"), "{wrong}");
    let done = world.engine.discard_held(&door(), &plan.confirm, "a test", &me()).await.unwrap();
    assert_eq!(done, plan);
    // The process ends in the middle of it.
    for _ in 0..1_000 {
        if world.engine.triggers().await.unwrap()[0].held <= 7 {
            break;
        }
        sleep(Duration::from_millis(1)).await;
    }
    let (store, clock) = world.kill();
    sleep(Duration::from_secs(15)).await;
    let world = World::over(store, clock, plain(), outside.clone(), 2);
    for run in &runs {
        let cancelled = RunEnd::Cancelled { reason: "a test".to_owned() };
        assert_eq!(world.end(*run).await, cancelled);
    }
    sleep(Duration::from_secs(60)).await;
    let view = &world.engine.triggers().await.unwrap()[0];
    assert_eq!((view.state, view.held), ("paused", 1));
    assert_eq!(numbers(&outside), [] as [u64; 0]);
    world.engine.resume_trigger(&door(), "done", &me()).await.unwrap();
    output(world.end(kept).await);
    assert_eq!(numbers(&outside), [10]);
}

/// A plan that has become another one is not carried out.
#[tokio::test(start_paused = true)]
async fn who_was_not_planned_is_not_cancelled() {
    let outside = good();
    let world = alone(plain(), &outside);
    world.engine.pause_trigger(&door(), "maintenance", &me()).await.unwrap();
    let first = send(&world, 0).await;
    send(&world, 1).await;
    let plan = world.engine.plan_discard(&door()).await.unwrap();
    world.engine.cancel(first, "by hand", &me()).await.unwrap();
    let late = world.engine.discard_held(&door(), &plan.confirm, "x", &me()).await.unwrap_err();
    assert!(late.to_string().contains("not what was planned"), "{late}");
    let open = TriggerName { trigger: Name::new("other").unwrap(), ..door() };
    let none = world.engine.pause_trigger(&open, "x", &me()).await.unwrap_err();
    assert!(matches!(none, EngineError::NoTrigger(_)), "{none:?}");
}

/// Held runs keep their places in their lines, and begin one after the other.
#[tokio::test(start_paused = true)]
async fn held_runs_of_a_key_keep_their_order() {
    let outside = Outside::new(|_, _| Answer::Slow(Duration::from_secs(2), json!({"id": 7})));
    let world = alone(ordered(OnFailure::Block), &outside);
    let first = send(&world, 0).await;
    sleep(Duration::from_millis(100)).await;
    world.engine.pause_trigger(&door(), "maintenance", &me()).await.unwrap();
    let mut runs = vec![first];
    for n in 1..5 {
        runs.push(send(&world, n).await);
    }
    output(world.end(first).await);
    sleep(Duration::from_secs(60)).await;
    assert_eq!(state(&world.store, runs[1]).await, HELD, "its turn has come, and it is held");
    world.engine.resume_trigger(&door(), "done", &me()).await.unwrap();
    for run in &runs {
        output(world.end(*run).await);
    }
    assert_eq!(numbers(&outside), [0, 1, 2, 3, 4]);
}

fn three(outside: &Arc<Outside>) -> (Vec<World>, Arc<MemoryStore>) {
    let clock = Arc::new(VirtualClock::now());
    let store = Arc::new(MemoryStore::shared_with_clock(clock.clone()));
    let book: Arc<Book> = Arc::default();
    let nodes = (1..=3).map(|seed| {
        let link = Link::new(Duration::from_millis(2), seed);
        let reached = Reached { store: store.clone(), link, book: book.clone() };
        let settings = EngineSettings { node: format!("node-{seed}"), ..EngineSettings::default() };
        let (clock, outside) = (Arc::new(clock.beside()), outside.clone());
        World::node(reached, clock, vec![plain()], outside, seed, settings)
    });
    (nodes.collect(), store)
}

/// All nodes see a pause; each lets its own runs begin; the runs of one that is killed in the middle
/// are gone on with by the others.
#[tokio::test(start_paused = true)]
async fn a_pause_is_every_nodes_and_the_owners_let_their_runs_begin() {
    let outside = good();
    let (mut nodes, store) = three(&outside);
    while nodes.iter().any(|node| node.engine.gauges().groups > 22) {
        sleep(Duration::from_millis(100)).await;
    }
    nodes[0].engine.pause_trigger(&door(), "maintenance", &me()).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    let mut runs = Vec::new();
    for n in 0..60 {
        let node = &nodes[usize::try_from(n % 3).unwrap()];
        runs.push(send(node, n).await);
    }
    sleep(Duration::from_secs(60)).await;
    for run in &runs {
        assert_eq!(state(&store, *run).await, HELD);
    }
    assert!(numbers(&outside).is_empty());
    nodes[1].engine.resume_trigger(&door(), "done", &me()).await.unwrap();
    while numbers(&outside).len() < 10 {
        sleep(Duration::from_millis(1)).await;
    }
    nodes.remove(2).kill();
    for run in &runs {
        output(nodes[0].end(*run).await);
    }
    assert_eq!(numbers(&outside).len(), 60);
    until_open(&nodes[0]).await;
    let filter = RunFilter { statuses: vec![RunStatus::Waiting], ..RunFilter::default() };
    assert!(store.runs(&filter).await.unwrap().is_empty());
}

fn refuses(n: u64) -> Arc<Outside> {
    let refused = std::sync::atomic::AtomicBool::new(false);
    Outside::judging(move |body| {
        let first = !refused.load(std::sync::atomic::Ordering::SeqCst);
        if body["n"].as_u64() == Some(n) && first {
            refused.store(true, std::sync::atomic::Ordering::SeqCst);
            Answer::Status(422, json!({}))
        } else {
            ok(json!({"id": 7}))
        }
    })
}

async fn parked(outside: &Arc<Outside>) -> (World, Vec<RunId>) {
    let world = alone(ordered(OnFailure::Park), outside);
    let mut runs = Vec::new();
    for n in 0..4 {
        runs.push(send(&world, n).await);
    }
    world.until(runs[0], RunStatus::Faulted).await;
    sleep(Duration::from_secs(60)).await;
    let lines = world.engine.lines(None, None).await.unwrap();
    assert_eq!(lines.len(), 1);
    assert!(lines[0].parked);
    assert_eq!(numbers(outside), [0]);
    let letters = world.store.dead_letters(&DeadFilter::default()).await.unwrap();
    assert_eq!(letters.len(), 1, "the first is a dead letter");
    let rows = world.store.ledger(&LedgerFilter::default()).await.unwrap();
    let parked: Vec<Value> = rows
        .iter()
        .filter(|entry| entry.row.outcome == "key_parked")
        .map(|entry| json!(entry.row.code))
        .collect();
    assert_eq!(parked, [json!("QC-R032")]);
    (world, runs)
}

#[tokio::test(start_paused = true)]
async fn a_parked_key_waits_for_a_word_about_the_key_not_about_the_letter() {
    let outside = refuses(0);
    let (world, runs) = parked(&outside).await;
    world.engine.discard_dead(runs[0], "not needed", &me()).await.unwrap();
    sleep(Duration::from_secs(60)).await;
    assert_eq!(state(&world.store, runs[1]).await, (RunStatus::Waiting, LiveCause::Turn));
    world.engine.resume_line(&line("a"), "go on", &me()).await.unwrap();
    output(world.end(runs[3]).await);
    assert_eq!(numbers(&outside), [0, 1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_ends_well_frees_a_parked_key() {
    let outside = refuses(0);
    let (world, runs) = parked(&outside).await;
    world.engine.retry_dead(runs[0], &me()).await.unwrap();
    for run in runs {
        output(world.end(run).await);
    }
    assert_eq!(numbers(&outside), [0, 1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_parked_key_goes_on_without_the_run_that_failed_across_a_restart() {
    let outside = refuses(0);
    let (world, runs) = parked(&outside).await;
    let (store, clock) = world.kill();
    sleep(Duration::from_secs(15)).await;
    let world = World::over(store, clock, ordered(OnFailure::Park), outside.clone(), 2);
    while !world.engine.gauges().leased {
        sleep(Duration::from_millis(1)).await;
    }
    sleep(Duration::from_secs(60)).await;
    assert_eq!(numbers(&outside), [0], "a restart is no decision");
    let left = world.engine.skip_line(&line("a"), "not needed", &me()).await.unwrap();
    assert_eq!(left, runs[0]);
    output(world.end(runs[3]).await);
    let letters = world.store.dead_letters(&DeadFilter::default()).await.unwrap();
    assert_eq!(letters[0].state, DeadState::Discarded);
}

#[tokio::test(start_paused = true)]
async fn a_parked_key_is_given_up_as_it_was_planned() {
    let outside = refuses(0);
    let (world, runs) = parked(&outside).await;
    let plan = world.engine.plan_discard_line(&line("a")).await.unwrap();
    assert_eq!((plan.first, &plan.behind[..]), (runs[0], &runs[1..]));
    let more = send(&world, 4).await;
    let late = world.engine.discard_line(&line("a"), &plan.confirm, "x", &me()).await.unwrap_err();
    assert!(late.to_string().contains("plan again"), "{late}");
    world.engine.cancel(more, "by hand", &me()).await.unwrap();
    world.engine.discard_line(&line("a"), &plan.confirm, "all wrong", &me()).await.unwrap();
    for run in &runs[1..] {
        let cancelled = RunEnd::Cancelled { reason: "all wrong".to_owned() };
        assert_eq!(world.end(*run).await, cancelled);
    }
    assert!(world.engine.lines(None, None).await.unwrap().is_empty());
    let next = send(&world, 5).await;
    output(world.end(next).await);
    assert_eq!(numbers(&outside), [0, 5]);
}
