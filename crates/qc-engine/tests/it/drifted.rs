//! The other side's answers change: the runs that meet it are parked with what was answered, others go on, and once the
//! connector says how answers are put right they go on, without a second call.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use qc_connect::{
    call::Connectors,
    connector::{Connector, Repairs},
};
use qc_engine::{Deployment, DriftFilter, DriftFinding, EngineError, EngineSettings, Resolution};
use qc_model::{Actor, RunId};
use qc_store::{LedgerFilter, RunStatus, Store};
use serde_json::json;

use crate::world::{Outside, World, deployment, ok, output};

pub(crate) const CHARGE: &str = "
- pay:
    call: desk.charge
    with: { body: { n: '${ .n }' } }
- done:
    set: { id: '${ .id }', sum: '${ .sum }' }
";

pub(crate) const OPENAPI: &str = "
openapi: 3.1.0
info: { title: Desk, version: 1.0.0 }
paths:
  /charges:
    post:
      operationId: charge
      requestBody: { required: true, content: { application/json: { schema: { type: object } } } }
      responses:
        '200':
          description: ok
          content:
            application/json:
              schema:
                type: object
                required: [id, sum]
                properties: { id: { type: string }, sum: { type: number }, note: { type: string } }
";

/// A desk whose contract is enforced, with these repairs of what a charge answers.
fn desk(openapi: &str, repairs: &str) -> Arc<Connectors> {
    let connector = format!(
        "name: desk\nversion: 1.0.0\ntitle: A desk\nowner: team-vendor\nopenapi: openapi.yaml\n\
         base_urls: {{ production: http://desk.test }}\nauth: {{ none: {{}} }}\n\
         response_validation: enforce\n\
         operations:\n  charge:\n    effect: {{ class: once }}\n{repairs}"
    );
    let files = BTreeMap::from([
        ("connectors/desk/connector.yaml".to_owned(), connector),
        ("connectors/desk/openapi.yaml".to_owned(), openapi.to_owned()),
    ]);
    let (connector, findings) = Connector::load(&files, "connectors/desk");
    let connector = connector.unwrap_or_else(|| panic!("{findings:#?}"));
    Arc::new(Connectors::new([connector], []))
}

pub(crate) const REPAIRS: &str =
    "    repairs: {aliases: {/charge_id: id}, coerce: {/sum: number}}\n";

pub(crate) fn release(hash: &str, tasks: &str, repairs: &str) -> Deployment {
    described(hash, tasks, OPENAPI, repairs)
}

/// The same with another description of the desk.
pub(crate) fn described(hash: &str, tasks: &str, openapi: &str, repairs: &str) -> Deployment {
    let mut one = deployment(hash, tasks);
    Arc::get_mut(&mut one.release).unwrap().connectors = desk(openapi, repairs);
    one
}

pub(crate) fn me() -> Actor {
    Actor::platform("test")
}

/// The first answer is as it was, the others as they are now.
pub(crate) fn changed() -> Arc<Outside> {
    Outside::new(|_, nth| match nth {
        0 => ok(json!({"id": "c0", "sum": 1.5})),
        nth => ok(json!({"charge_id": format!("c{nth}"), "sum": "2.5", "secret": "of somebody"})),
    })
}

pub(crate) async fn finding(world: &World) -> DriftFinding {
    for _ in 0..100 {
        let all = world.engine.drift_findings(&DriftFilter::default()).await.unwrap();
        if let [one] = &all[..] {
            return one.clone();
        }
        assert!(all.len() < 2, "{all:#?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("nothing is found");
}

pub(crate) async fn parked(world: &World, n: u64) -> RunId {
    let run = world.start(json!({ "n": n })).await;
    world.until(run, RunStatus::Parked).await;
    run
}

async fn rows(world: &World, outcome: &str) -> usize {
    let filter = LedgerFilter { limit: 500, ..LedgerFilter::default() };
    let rows = world.store.ledger(&filter).await.unwrap();
    let shown = format!("{rows:?}");
    assert!(!shown.contains("of somebody"), "{shown}");
    rows.iter().filter(|entry| entry.row.outcome == outcome).count()
}

pub(crate) fn over(
    world: World,
    deployments: Vec<Deployment>,
    outside: &Arc<Outside>,
    seed: u64,
) -> World {
    let (store, clock) = world.kill();
    World::with(store, clock, deployments, outside.clone(), seed, EngineSettings::default())
}

#[tokio::test(start_paused = true)]
async fn a_changed_type_parks_those_who_meet_it_and_one_repair_lets_all_go_on() {
    let outside = changed();
    let store_world = World::new(CHARGE, outside.clone());
    let world = over(store_world, vec![release("r1", CHARGE, "")], &outside, 2);
    tokio::time::sleep(Duration::from_secs(15)).await;
    let before = world.start(json!({"n": 0})).await;
    assert_eq!(output(world.end(before).await), json!({"id": "c0", "sum": 1.5}));
    let runs = [parked(&world, 1).await, parked(&world, 2).await, parked(&world, 3).await];
    let found = finding(&world).await;
    assert_eq!((found.connector.as_str(), found.operation.as_str()), ("desk", "charge"));
    assert_eq!(found.owner.as_deref(), Some("team-vendor"));
    let differences: Vec<_> = found.diff.iter().map(|one| (&*one.pointer, &*one.keyword)).collect();
    assert_eq!(differences, [("", "required"), ("/sum", "type")]);
    assert!(!format!("{found:?}").contains("somebody"));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(rows(&world, "drift_opened").await, 1, "one finding, however many runs");
    assert_eq!(world.engine.drift_runs(&found, 10).await.unwrap().len(), 3);

    // Nothing sends it again: neither time, nor a person who means well.
    tokio::time::sleep(Duration::from_secs(3600)).await;
    for refused in [
        world.engine.resume(runs[0], &me()).await,
        world.engine.resolve(runs[0], Resolution::NotApplied, &me()).await,
    ] {
        assert!(matches!(refused, Err(EngineError::WrongState { .. })), "{refused:?}");
    }
    let none = Repairs::default();
    let still = world.engine.release_drift(&found, &none, None, &me()).await.unwrap();
    assert_eq!((still.going_on.len(), still.staying.len()), (0, 3), "{still:?}");
    assert!(still.staying[0].1.contains("still does not fit"), "{still:?}");

    // The process ends; the next one has a release whose connector is repaired.
    let newer = release("r2", CHARGE, REPAIRS);
    let world = over(world, vec![newer, release("r1", CHARGE, "")], &outside, 3);
    tokio::time::sleep(Duration::from_secs(15)).await;
    let done = world.engine.release_drift(&found, &none, None, &me()).await.unwrap();
    assert_eq!((done.going_on.len(), done.staying.len()), (3, 0), "{done:?}");
    for (n, run) in (1..).zip(runs) {
        let end = output(world.end(run).await);
        assert_eq!(end, json!({"id": format!("c{n}"), "sum": 2.5}));
    }
    assert_eq!(outside.requests("/charges"), 4, "each was charged once");
    let again = world.engine.release_drift(&found, &none, None, &me()).await.unwrap();
    assert_eq!((again.going_on.len(), again.staying.len()), (0, 0));
    assert_eq!(rows(&world, "drift.resume").await, 3);
    // With the repaired connector nothing is parked any more.
    let next = world.start(json!({"n": 4})).await;
    assert_eq!(output(world.end(next).await), json!({"id": "c4", "sum": 2.5}));
    assert_eq!(world.engine.gauges().stuck, 0);
}

/// The process ends after each commit of the story: a finding is there with the first parked run, and no call is made
/// twice.
#[tokio::test(start_paused = true)]
async fn every_commit_may_be_the_last_one() {
    for last in 1..=7 {
        let outside = Outside::new(|_, _| ok(json!({"charge_id": "c1", "sum": "2.5"})));
        let first = World::new(CHARGE, outside.clone());
        let world = over(first, vec![release("r1", CHARGE, "")], &outside, 2);
        tokio::time::sleep(Duration::from_secs(15)).await;
        let run = world.start(json!({"n": 1})).await;
        world.store.stop_after(last - 1);
        tokio::time::sleep(Duration::from_secs(1)).await;
        let (store, clock) = world.kill();
        tokio::time::sleep(Duration::from_secs(15)).await;
        store.go_on();
        let releases = vec![release("r2", CHARGE, REPAIRS), release("r1", CHARGE, "")];
        let world =
            World::with(store, clock, releases, outside.clone(), 3, EngineSettings::default());
        tokio::time::sleep(Duration::from_secs(15)).await;
        world.until(run, RunStatus::Parked).await;
        if outside.requests("/charges") == 1 && !ambiguous(&world, run).await {
            let found = finding(&world).await;
            let shown = world.engine.drift_finding(&found.id).await.unwrap();
            assert_eq!(shown.map(|one| one.id).as_ref(), Some(&found.id), "after {last} commits");
            let done = world.engine.release_drift(&found, &Repairs::default(), None, &me()).await;
            assert_eq!(done.unwrap().going_on, [run], "after {last} commits");
            assert_eq!(output(world.end(run).await), json!({"id": "c1", "sum": 2.5}));
        }
        assert_eq!(outside.requests("/charges"), 1, "after {last} commits");
        assert_eq!(world.engine.gauges().stuck, 0);
    }
}

/// Whether its answer was lost with the process.
async fn ambiguous(world: &World, run: RunId) -> bool {
    let head = world.store.run(run).await.unwrap().unwrap();
    head.state.summary.unwrap().contains("QC-R00")
}

/// What a person gives is enough, also where nothing newer is deployed; and an answer can be given in its place.
#[tokio::test(start_paused = true)]
async fn a_person_says_how_it_is_put_right_or_what_it_is() {
    let outside = changed();
    let first = World::new(CHARGE, outside.clone());
    let world = over(first, vec![release("r1", CHARGE, "")], &outside, 2);
    tokio::time::sleep(Duration::from_secs(15)).await;
    output(world.end(world.start(json!({"n": 0})).await).await);
    let (one, other) = (parked(&world, 1).await, parked(&world, 2).await);
    let found = finding(&world).await;
    let given = Resolution::Applied { output: json!({"id": "by hand", "sum": 9}) };
    world.engine.resolve(one, given, &me()).await.unwrap();
    assert_eq!(output(world.end(one).await), json!({"id": "by hand", "sum": 9}));
    let half: Repairs = serde_json::from_value(json!({"aliases": {"/charge_id": "id"}})).unwrap();
    let still = world.engine.release_drift(&found, &half, None, &me()).await.unwrap();
    assert_eq!((still.going_on.len(), still.staying.len()), (0, 1), "{still:?}");
    let whole = json!({"aliases": {"/charge_id": "id"}, "coerce": {"/sum": "number"}});
    let whole: Repairs = serde_json::from_value(whole).unwrap();
    let done = world.engine.release_drift(&found, &whole, None, &me()).await.unwrap();
    assert_eq!(done.going_on, [other]);
    assert_eq!(output(world.end(other).await), json!({"id": "c2", "sum": 2.5}));
    assert_eq!(outside.requests("/charges"), 3);
}

/// A release with another workflow repairs the answer; the run stays with its own.
#[tokio::test(start_paused = true)]
async fn a_repair_in_a_release_with_another_workflow_serves_runs_that_stay_with_their_own() {
    const OTHER: &str = "
- pay:
    call: desk.charge
    with: { body: { n: '${ .n }' } }
";
    let outside = changed();
    let first = World::new(CHARGE, outside.clone());
    let world = over(first, vec![release("r1", CHARGE, "")], &outside, 2);
    tokio::time::sleep(Duration::from_secs(15)).await;
    output(world.end(world.start(json!({"n": 0})).await).await);
    let run = parked(&world, 1).await;
    let found = finding(&world).await;
    let releases = vec![release("r2", OTHER, REPAIRS), release("r1", CHARGE, "")];
    let world = over(world, releases, &outside, 3);
    tokio::time::sleep(Duration::from_secs(15)).await;
    let done = world.engine.release_drift(&found, &Repairs::default(), None, &me()).await.unwrap();
    assert_eq!(done.going_on, [run]);
    assert_eq!(output(world.end(run).await), json!({"id": "c1", "sum": 2.5}));
    let head = world.store.run(run).await.unwrap().unwrap();
    assert_eq!(head.facts.release, "r1");
}

/// What is put right unattended is counted, with shapes and no values.
#[tokio::test(start_paused = true)]
async fn what_is_put_right_stands_in_the_operations_document() {
    let outside = Outside::new(|_, _| ok(json!({"charge_id": "of somebody", "sum": "2.5"})));
    let first = World::new(CHARGE, outside.clone());
    let world = over(first, vec![release("r1", CHARGE, REPAIRS)], &outside, 2);
    tokio::time::sleep(Duration::from_secs(15)).await;
    for n in 0..3 {
        output(world.end(world.start(json!({ "n": n })).await).await);
    }
    tokio::time::sleep(Duration::from_secs(60)).await;
    let seen = world.engine.drift_seen(&DriftFilter::default()).await.unwrap();
    let [one] = &seen[..] else { panic!("{seen:#?}") };
    let shapes: Vec<(&str, &str, u64)> =
        one.shapes.iter().map(|it| (it.kind.as_str(), &*it.pointer, it.count)).collect();
    assert_eq!(shapes, [("repaired", "/charge_id", 3), ("repaired", "/sum", 3)]);
    assert!(!format!("{seen:?}").contains("somebody"));
    assert_eq!(world.engine.drift_findings(&DriftFilter::default()).await.unwrap(), []);
}
