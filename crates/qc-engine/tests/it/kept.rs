//! State and cross-reference tables: what a run writes is written with its journal, once, whoever
//! else writes and whenever a process ends.

use std::{sync::Arc, time::Duration};

use qc_engine::{EngineSettings, GateLimits, Kept, Replay, RunEnd, StateRule, TableRule};
use qc_model::{Actor, Class, RunId};
use qc_store::{Document, Store, memory::MemoryStore};
use qc_workflow::KeptNames;
use serde_json::{Value, json};

use crate::{
    link::{Link, Reached},
    world::{Answer, Outside, VirtualClock, World, deployment, ok, output},
};

/// What the integration of all tests keeps.
pub(crate) fn names() -> KeptNames {
    KeptNames {
        states: vec!["counters".to_owned(), "codes".to_owned()],
        tables: vec![("contacts".to_owned(), ["crm".to_owned(), "erp".to_owned()])],
    }
}

/// The same, as it runs.
pub(crate) fn rules() -> Kept {
    let systems = ["crm".to_owned(), "erp".to_owned()];
    let codes = StateRule { schema: None, ttl: Some(Duration::from_secs(60)) };
    Kept {
        states: [("counters".to_owned(), StateRule::default()), ("codes".to_owned(), codes)].into(),
        tables: [("contacts".to_owned(), TableRule { systems })].into(),
        ..Kept::default()
    }
}

/// Calls another system, or writes what is kept.
const EITHER: &str = "
- which:
    switch:
      - calls: { when: '${ .calls }', then: call }
      - keeps: { then: keep }
- call: { call: desk.createTicket, with: { body: { a: 1 } }, then: end }
- keep: { call: state.put, with: { in: counters, key: k, value: 1, expect: absent } }
";

/// Finds the partner, or makes one and links it; whoever is second takes the winner's.
const GET_OR_CREATE: &str = "
- look: { call: crossref.find, with: { table: contacts, crm: '${ $workflow.input.crm }' }, export: { as: '${ { known: . } }' } }
- which:
    switch:
      - there: { when: '${ $context.known.found }', then: done }
      - missing: { then: make }
- make: { call: desk.createTicket, with: { body: { for: '${ $workflow.input.crm }' } } }
- claim:
    try:
      - link:
          call: crossref.link
          with: { table: contacts, crm: '${ $workflow.input.crm }', erp: '${ $workflow.input.erp }' }
    catch:
      errors: { with: { status: 409 } }
      as: error
      do:
        - lost: { set: { lost: '${ $error }' }, export: { as: '${ $context + { lost: true } }' } }
- done: { call: crossref.find, with: { table: contacts, crm: '${ $workflow.input.crm }' }, output: { as: '${ { id: .id, lost: ($context.lost // false) } }' } }
";

async fn links(store: &MemoryStore) -> Vec<Document> {
    store.documents("crossref", None, 100).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_link_is_found_from_both_sides_by_later_runs() {
    let outside = Outside::new(|_, _| ok(json!({"id": 7})));
    let world = World::new(GET_OR_CREATE, outside.clone());
    let first = world.start(json!({"crm": "C1", "erp": "E1"})).await;
    assert_eq!(output(world.end(first).await), json!({"id": "E1", "lost": false}));
    let second = world.start(json!({"crm": "C1", "erp": "E2"})).await;
    assert_eq!(output(world.end(second).await), json!({"id": "E1", "lost": false}));
    assert_eq!(outside.effects("/tickets"), 1, "the second run found it");
    assert_eq!(links(&world.store).await.len(), 2);
    let (store, clock) = world.kill();
    let back = "
- find: { call: crossref.find, with: { table: contacts, erp: E1 } }
- gone: { call: crossref.unlink, with: { table: contacts, erp: E1 }, output: { as: '${ . + { was: $input.id } }' } }
";
    let world = World::over(store, clock, deployment("r2", back), outside, 2);
    let run = world.start(json!({})).await;
    assert_eq!(output(world.end(run).await), json!({"removed": true, "was": "C1"}));
    assert!(links(&world.store).await.is_empty());
}

/// For every number of commits that the first process may still make: the link is made once, and
/// the run knows that it made it.
#[tokio::test(start_paused = true)]
async fn a_link_is_made_once_whichever_commit_was_the_last_one() {
    let tasks = "
- link: { call: crossref.link, with: { table: contacts, crm: '${ .crm }', erp: 7 }, export: { as: '${ { new: .new, revision: .revision } }' } }
- tell: { call: desk.createTicket, with: { body: { new: '${ $context.new }' } } }
- count: { call: state.put, with: { in: counters, key: c, value: 1, expect: absent } }
- last: { set: { new: '${ $context.new }', revision: '${ $context.revision }' } }
";
    for last in 0..10 {
        let outside = Outside::new(|_, _| ok(json!({"id": 7})));
        let world = World::new(tasks, outside.clone());
        let run = world.start(json!({"crm": "C1"})).await;
        world.store.stop_after(last);
        tokio::time::sleep(Duration::from_secs(2)).await;
        let (store, clock) = world.kill();
        tokio::time::sleep(Duration::from_secs(15)).await;
        store.go_on();
        let world = World::over(store, clock, deployment("r1", tasks), outside.clone(), 2);
        let told = output(world.end(run).await);
        assert_eq!(told["new"], true, "after {last} commits");
        let there = links(&world.store).await;
        assert_eq!(there.len(), 2, "after {last} commits");
        let body: Value = serde_json::from_slice(&there[0].body).unwrap();
        assert_eq!((&body["revision"], &body["to"]), (&told["revision"], &json!("7")));
        assert_eq!(outside.effects("/tickets"), 1);
        assert_eq!(world.engine.gauges().stuck, 0);
    }
}

/// Two runs of one process commit in the same batch; one of them has to look again.
#[tokio::test(start_paused = true)]
async fn of_two_runs_that_link_the_same_id_one_wins_and_the_other_reads_the_winner() {
    let outside = Outside::new(|_, _| ok(json!({"id": 7})));
    let world = World::new(GET_OR_CREATE, outside.clone());
    let mut runs = Vec::new();
    for n in 0..8 {
        runs.push(world.start(json!({"crm": "C1", "erp": format!("E{n}")})).await);
    }
    let mut ends = Vec::new();
    for run in runs {
        ends.push(output(world.end(run).await));
    }
    assert!(world.uptime() < Duration::from_secs(2), "nobody waits for the sweep");
    let winners = ends.iter().filter(|end| end["lost"] == false).count();
    assert!(winners >= 1 && ends.iter().all(|end| end["id"] == ends[0]["id"]), "{ends:?}");
    assert_eq!(links(&world.store).await.len(), 2);
    assert_eq!(world.engine.gauges().stuck, 0);
}

/// Every run adds one, by compare-and-set; two nodes, one of which dies in the middle.
#[tokio::test(start_paused = true)]
async fn no_update_is_lost_over_nodes() {
    const ADD: &str = "
- add:
    try:
      - read: { call: state.get, with: { in: counters, key: n } }
      - write:
          call: state.put
          with: { in: counters, key: n, value: '${ (.value // 0) + 1 }', expect: '${ .revision // \"absent\" }' }
    catch:
      errors: { with: { status: 409 } }
      retry: { delay: { milliseconds: 50 }, backoff: { exponential: {} }, limit: { attempt: { count: 40 } }, jitter: { from: { milliseconds: 0 }, to: { milliseconds: 500 } } }
";
    for seed in 0..3u64 {
        let outside = Outside::new(|_, _| ok(json!({})));
        let clock = Arc::new(VirtualClock::now());
        let store = Arc::new(MemoryStore::shared_with_clock(clock.clone()));
        let book = Arc::default();
        let node = |name: &str, n: u64| {
            let link = Link::new(Duration::from_millis(8), seed * 10 + n);
            let reached = Reached { store: store.clone(), link, book: Arc::clone(&book) };
            let settings = EngineSettings { node: name.to_owned(), ..EngineSettings::default() };
            let deployments = vec![deployment("r1", ADD)];
            let clock = Arc::new(clock.beside());
            World::node(reached, clock, deployments, outside.clone(), seed * 10 + n, settings)
        };
        let (one, two) = (node("one", 1), node("two", 2));
        while one.engine.gauges().groups != 32 || two.engine.gauges().groups != 32 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let mut runs = Vec::new();
        for n in 0..16u64 {
            let sender = if n % 2 == 0 { one.sender() } else { two.sender() };
            let qc_engine::Accepted::New { run } = sender.send(None, json!({})).await.unwrap()
            else {
                panic!("new")
            };
            runs.push(run);
        }
        tokio::time::sleep(Duration::from_millis(40 + 30 * seed)).await;
        two.kill();
        for run in &runs {
            one.until(*run, qc_store::RunStatus::Completed).await;
        }
        let counter = &store.documents("state", None, 10).await.unwrap()[0];
        let body: Value = serde_json::from_slice(&counter.body).unwrap();
        assert_eq!(body["value"], 16, "seed {seed}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_conflict_that_nobody_catches_ends_the_run_with_its_code() {
    let tasks = "
- a: { call: crossref.link, with: { table: contacts, crm: C1, erp: E1 } }
- b: { call: crossref.link, with: { table: contacts, crm: C1, erp: E2 } }
";
    let world = World::new(tasks, Outside::new(|_, _| ok(json!({}))));
    let run = world.start(json!({})).await;
    let RunEnd::Faulted { failure, .. } = world.end(run).await else { panic!("faulted") };
    assert_eq!((failure.class, failure.code.to_string().as_str()), (Class::Conflict, "QC-R041"));
    assert_eq!(failure.data.unwrap()["linked_to"], "E1");
}

#[tokio::test(start_paused = true)]
async fn a_value_goes_when_its_time_has_run_out_and_a_bad_argument_is_a_failure() {
    let tasks = "
- put: { call: state.put, with: { in: codes, key: '${ .key }', value: { a: 1 } }, export: { as: '${ . }' } }
- nap: { wait: { seconds: 61 } }
- get: { call: state.get, with: { in: codes, key: '${ $workflow.input.key }' } }
";
    let world = World::new(tasks, Outside::new(|_, _| ok(json!({}))));
    let run = world.start(json!({"key": "k"})).await;
    assert_eq!(output(world.end(run).await)["found"], false);
    for (key, code) in [
        (json!("x".repeat(513)), "QC-R042"),
        (json!(""), "QC-R044"),
        (json!("a\u{0}b"), "QC-R044"),
        (json!({"a": 1}), "QC-R044"),
    ] {
        let run = world.start(json!({"key": key})).await;
        let RunEnd::Faulted { failure, .. } = world.end(run).await else { panic!("faulted") };
        assert_eq!(failure.code.to_string(), code, "{failure:?}");
    }
}

/// A replay with the same effects does not write again what was written.
#[tokio::test(start_paused = true)]
async fn a_replay_takes_the_answer_of_a_write_that_was_made() {
    let tasks = "
- put: { call: state.put, with: { in: counters, key: k, value: 1, expect: absent }, export: { as: '${ . }' } }
- charge: { call: desk.charge, with: { body: {} } }
- last: { set: { revision: '${ $context.revision }' } }
";
    let refuse = std::sync::atomic::AtomicBool::new(true);
    let outside = Outside::new(move |_, _| {
        let refused = refuse.swap(false, std::sync::atomic::Ordering::SeqCst);
        if refused { crate::world::Answer::Status(400, json!({})) } else { ok(json!({})) }
    });
    let world = World::new(tasks, outside);
    let run = world.start(json!({})).await;
    assert!(matches!(world.end(run).await, RunEnd::Faulted { .. }));
    let again: RunId =
        world.engine.replay(run, Replay::default(), &Actor::platform("test")).await.unwrap();
    let told = output(world.end(again).await);
    let there = &world.store.documents("state", None, 10).await.unwrap()[0];
    let body: Value = serde_json::from_slice(&there.body).unwrap();
    assert_eq!((there.revision, &body["revision"]), (1, &told["revision"]));
}

/// Both branches have read that there is nothing when the first of them writes: the second one
/// looks again, and the run stays where it is.
#[tokio::test(start_paused = true)]
async fn a_write_that_came_second_is_decided_again_and_takes_nothing_else_along() {
    let tasks = "
- both:
    fork:
      branches:
        - pay: { call: desk.charge, with: { body: {} } }
        - one: { call: state.put, with: { in: counters, key: k, value: 1 } }
        - two: { call: state.put, with: { in: counters, key: k, value: 2 } }
        - three: { call: crossref.link, with: { table: contacts, crm: C1, erp: E1 } }
        - four: { call: crossref.link, with: { table: contacts, crm: C1, erp: E1 } }
";
    let slow = Duration::from_secs(1);
    let outside = Outside::new(move |_, _| crate::world::Answer::Slow(slow, json!({})));
    let world = World::new(tasks, outside.clone());
    let run = world.start(json!({})).await;
    let told = output(world.end(run).await);
    let puts: Vec<u64> = [1, 2].iter().map(|n| told[*n]["revision"].as_u64().unwrap()).collect();
    assert_eq!(puts[0].abs_diff(puts[1]), 1, "{told}");
    let new: Vec<&Value> = [3, 4].iter().map(|n| &told[*n]["new"]).collect();
    assert!(new.contains(&&json!(true)) && new.contains(&&json!(false)), "{told}");
    assert_eq!(world.store.documents("state", None, 10).await.unwrap()[0].revision, 2);
    assert_eq!(outside.requests("/charges"), 1, "what is in flight stays so");
    assert_eq!(world.engine.gauges().recovered, 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_past_its_time_is_removed_and_nothing_else() {
    let tasks = "
- short: { call: state.put, with: { in: codes, key: k, value: 1 } }
- long: { call: state.put, with: { in: counters, key: k, value: 1 } }
- link: { call: crossref.link, with: { table: contacts, crm: C1, erp: E1 } }
";
    let world = World::new(tasks, Outside::new(|_, _| ok(json!({}))));
    let run = world.start(json!({})).await;
    output(world.end(run).await);
    let mut from = qc_engine::KeptPruning::default();
    assert_eq!(world.engine.prune_kept(&mut from).await.unwrap(), 0);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(world.engine.prune_kept(&mut from).await.unwrap(), 1);
    let left = world.store.documents("state", None, 10).await.unwrap();
    assert!(left.len() == 1 && left[0].name.ends_with("/counters/k"), "{left:?}");
    assert_eq!(links(&world.store).await.len(), 2);
}

/// A write of what is kept is a commit and no other system: it waits for nobody's turn.
#[tokio::test(start_paused = true)]
async fn what_is_kept_is_written_while_every_call_waits() {
    let outside = Outside::new(|_, _| Answer::Slow(Duration::from_secs(3_600), json!({})));
    let calls = GateLimits { calls: 1, per_tenant: 1, per_system: 1 };
    let settings = EngineSettings { calls, ..EngineSettings::default() };
    let clock = Arc::new(VirtualClock::now());
    let store = Arc::new(MemoryStore::with_clock(clock.clone()));
    let either = deployment("r1", EITHER);
    let world = World::with(store, clock, vec![either], outside, 1, settings);
    world.start(json!({"calls": true})).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(world.engine.gauges().calls_in_flight, 1);
    let run = world.start(json!({"calls": false})).await;
    output(world.end(run).await);
    assert_eq!(world.engine.gauges().calls_in_flight, 1, "the call is still under way");
}
