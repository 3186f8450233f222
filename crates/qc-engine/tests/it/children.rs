//! Runs that run other workflows.

use std::{sync::Arc, time::Duration};

use qc_engine::{Deployment, EngineSettings, Replay, RunEnd};
use qc_model::{Actor, RunId};
use qc_store::{LiveCause, RunHead, RunStatus, Store, WaitFilter, memory::MemoryStore};
use serde_json::{Value, json};

use crate::world::{Answer, Outside, VirtualClock, World, named_deployment, ok, output};

pub(crate) const PARENT: &str = "
- shipOrder:
    run: { workflow: { namespace: test, name: ship, version: '1.0.0', input: { order: '${ .order }' } } }
- sayShipped: { set: { shipped: '${ . }' } }
";

pub(crate) const CHILD: &str = "
- createTicket: { call: desk.createTicket, with: { body: { order: '${ .order }' } } }
- rest: { wait: { seconds: 40 } }
- say: { set: { done: true } }
";

pub(crate) fn both(parent: &str, child: &str) -> Vec<Deployment> {
    vec![named_deployment("p1", "orders", parent), named_deployment("c1", "ship", child)]
}

fn world_of(parent: &str, child: &str, outside: Arc<Outside>) -> World {
    family(both(parent, child), outside)
}

fn over(
    store: Arc<MemoryStore>,
    clock: Arc<VirtualClock>,
    deployments: Vec<Deployment>,
    outside: Arc<Outside>,
    seed: u64,
) -> World {
    let all = deployments.clone();
    let settings = EngineSettings::default();
    let world = World::with(store, clock, deployments, outside, seed, settings);
    world.engine.set_deployments(all);
    world
}

/// A world of a family.
pub(crate) fn family(deployments: Vec<Deployment>, outside: Arc<Outside>) -> World {
    let clock = Arc::new(VirtualClock::now());
    let store = Arc::new(MemoryStore::with_clock(clock.clone()));
    over(store, clock, deployments, outside, 1)
}

async fn children(world: &World, parent: RunId) -> Vec<RunHead> {
    world.engine.family(parent, 10).await.unwrap().1
}

async fn one_child(world: &World, parent: RunId) -> RunHead {
    for _ in 0..1_000 {
        if let [child] = &children(world, parent).await[..] {
            return child.clone();
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("{parent} has no child: {:#?}", world.engine.inspect(parent).await.unwrap());
}

async fn waits(world: &World) -> usize {
    world.store.waits(&WaitFilter::default()).await.unwrap().len()
}

fn quiet() -> Arc<Outside> {
    Outside::new(|_, _| ok(json!({"id": 7})))
}

#[tokio::test(start_paused = true)]
async fn a_run_waits_for_its_child_without_being_in_memory() {
    let outside = quiet();
    let world = world_of(PARENT, CHILD, outside.clone());
    let run = world.start(json!({"order": 5})).await;
    let child = one_child(&world, run).await;
    assert_eq!(child.facts.integration.as_str(), "ship");
    assert_eq!(world.engine.family(child.facts.id, 10).await.unwrap().0, Some(run));
    tokio::time::sleep(Duration::from_secs(20)).await;
    let head = world.store.run(run).await.unwrap().unwrap();
    assert_eq!((head.state.status, head.state.cause), (RunStatus::Waiting, LiveCause::Child));
    assert_eq!(world.engine.gauges().runs_in_memory, 0);
    assert_eq!(output(world.end(run).await), json!({"shipped": {"done": true}}));
    assert_eq!(outside.effects("/tickets"), 1);
    assert_eq!(outside.seen.lock().unwrap()[0].body, json!({"order": 5}));
    assert_eq!(waits(&world).await, 0);
    assert_eq!(world.engine.gauges().accepted, 1, "a child is no event");
}

/// Whatever commit is the last one of the first process: one child, one effect, and both end.
#[tokio::test(start_paused = true)]
async fn every_commit_may_be_the_last_one() {
    let quick = CHILD.replace("seconds: 40", "seconds: 2");
    for last in 0..=9 {
        let outside = quiet();
        let world = world_of(PARENT, &quick, outside.clone());
        let run = world.start(json!({"order": 1})).await;
        world.store.stop_after(last);
        tokio::time::sleep(Duration::from_secs(4)).await;
        let (store, clock) = world.kill();
        tokio::time::sleep(Duration::from_secs(15)).await;
        store.go_on();
        let world = over(store, clock, both(PARENT, &quick), outside.clone(), 2);
        assert_eq!(
            output(world.end(run).await),
            json!({"shipped": {"done": true}}),
            "after {last}"
        );
        assert_eq!(outside.effects("/tickets"), 1, "after {last} commits");
        assert_eq!(children(&world, run).await.len(), 1, "after {last} commits");
        assert_eq!(world.engine.gauges().stuck, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn an_unknown_workflow_is_an_error_of_configuration_that_can_be_caught() {
    let parent = "
- guard:
    try: [ { ship: { run: { workflow: { namespace: test, name: ship, version: '2.0.0' } } } } ]
    catch:
      errors: { with: { type: 'https://serverlessworkflow.io/spec/1.0.0/errors/configuration' } }
      as: error
      do: [ { say: { set: { caught: '${ $error.status }' } } } ]
";
    let world = world_of(parent, CHILD, quiet());
    let run = world.start(json!({})).await;
    assert_eq!(output(world.end(run).await), json!({"caught": 400}));
    let bare = "- ship: { run: { workflow: { namespace: test, name: none, version: '1.0.0' } } }\n";
    let world = world_of(bare, CHILD, quiet());
    let run = world.start(json!({})).await;
    let RunEnd::Faulted { failure, .. } = world.end(run).await else { panic!("it must fail") };
    assert_eq!(failure.code.to_string(), "QC-R010");
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_run_cancels_its_children_and_their_children_first() {
    let middle =
        "- below: { run: { workflow: { namespace: test, name: leaf, version: latest } } }\n";
    let leaf = "- nap: { wait: { hours: 3 } }\n";
    let mut all = both(PARENT, middle);
    all.push(named_deployment("l1", "leaf", leaf));
    let clock = Arc::new(VirtualClock::now());
    let store = Arc::new(MemoryStore::with_clock(clock.clone()));
    let world = over(store, clock, all, quiet(), 1);
    let run = world.start(json!({"order": 1})).await;
    let child = one_child(&world, run).await.facts.id;
    let grandchild = one_child(&world, child).await.facts.id;
    world.until(grandchild, RunStatus::Waiting).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    world.engine.cancel(run, "no longer needed", &Actor::platform("test")).await.unwrap();
    assert_eq!(world.end(run).await, RunEnd::Cancelled { reason: "no longer needed".to_owned() });
    let mut ended = Vec::new();
    for one in [grandchild, child, run] {
        let head = world.store.run(one).await.unwrap().unwrap();
        assert_eq!(head.state.status, RunStatus::Cancelled, "{one}");
        ended.push(head.state.updated_at);
    }
    assert!(ended.is_sorted(), "the innermost one ends first: {ended:?}");
    assert_eq!(waits(&world).await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_replay_takes_over_what_the_child_gave_unless_effects_are_made_anew() {
    let outside = quiet();
    let world = world_of(PARENT, CHILD, outside.clone());
    let run = world.start(json!({"order": 1})).await;
    output(world.end(run).await);
    let actor = Actor::platform("test");
    let same = world.engine.replay(run, Replay::default(), &actor).await.unwrap();
    assert_eq!(output(world.end(same).await), json!({"shipped": {"done": true}}));
    assert_eq!(outside.requests("/tickets"), 1);
    let anew = Replay { new_effects: true, ..Replay::default() };
    let other = world.engine.replay(run, anew, &actor).await.unwrap();
    output(world.end(other).await);
    assert_eq!(outside.effects("/tickets"), 2);
}

/// A child that failed is continued by the parent's retry: what took effect in it is not done again.
#[tokio::test(start_paused = true)]
async fn a_further_attempt_continues_the_child() {
    let child = "
- createTicket: { call: desk.createTicket, with: { body: { a: 1 } } }
- charge: { call: desk.charge, with: { body: { a: 1 } } }
";
    let outside = Outside::new(|path, nth| match path {
        "/charges" if nth == 0 => Answer::Status(400, json!({})),
        _ => ok(json!({"id": 7})),
    });
    let world = world_of(PARENT, child, outside.clone());
    let run = world.start(json!({"order": 1})).await;
    assert!(matches!(world.end(run).await, RunEnd::Faulted { .. }));
    world.engine.retry_dead(run, &Actor::platform("test")).await.unwrap();
    assert_eq!(output(world.end(run).await), json!({"shipped": {"id": 7}}));
    assert_eq!((outside.requests("/tickets"), outside.requests("/charges")), (1, 2));
    assert_eq!(children(&world, run).await.len(), 2, "the second one goes on with the first one's");
}

#[tokio::test(start_paused = true)]
async fn a_child_that_is_not_awaited_lives_on_by_itself() {
    let parent = PARENT.replace("run: { workflow", "run: { await: false, workflow");
    let world = world_of(&parent, CHILD, quiet());
    let run = world.start(json!({"order": 1})).await;
    let end: Value = output(world.end(run).await);
    let child = one_child(&world, run).await;
    assert_eq!(end, json!({"shipped": child.facts.id.to_string()}));
    assert!(!child.state.status.is_terminal());
    output(world.end(child.facts.id).await);
}

/// A run that another one runs is a part of it, and as far away from the first event.
#[tokio::test(start_paused = true)]
async fn what_a_child_calls_hears_of_the_hops_of_its_parent() {
    let outside = quiet();
    let world = world_of(PARENT, CHILD, outside.clone());
    let parents = world.sender().through(4);
    let parent = match parents.send(None, json!({"order": 1})).await.unwrap() {
        qc_engine::Accepted::New { run } | qc_engine::Accepted::Repeat { run } => run,
    };
    output(world.end(parent).await);
    let seen = outside.seen.lock().unwrap();
    let hops: Vec<&str> = seen.iter().filter_map(|one| one.hops.as_deref()).collect();
    assert_eq!(hops, ["5"]);
}
