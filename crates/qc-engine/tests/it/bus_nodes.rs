//! Events, children and times on several nodes: whoever took an event, whoever owns the run, and whoever dies.

use std::{sync::Arc, time::Duration};

use qc_model::{Name, RunId};
use qc_store::{LiveCause, RunFilter, RunHead, RunStatus, Store};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    children::{CHILD, PARENT, both},
    link::Mode,
    listening::{ORDERS, told},
    nodes::{Hall, accepted, link},
    schedules::{QUICK, every, scheduled},
    world::{Outside, World, ok},
};

const SECOND: Duration = Duration::from_secs(1);
const LONGEST: u32 = 600;

fn quiet() -> Arc<Outside> {
    Outside::new(|_, _| ok(json!({"id": 7})))
}

async fn head(hall: &Hall, run: RunId) -> RunHead {
    hall.store.run(run).await.unwrap().unwrap()
}

async fn until(hall: &Hall, run: RunId, what: impl Fn(&RunHead) -> bool) {
    for _ in 0..LONGEST * 10 {
        if what(&head(hall, run).await) {
            return;
        }
        tokio::time::sleep(SECOND / 10).await;
    }
    panic!("{:#?}", head(hall, run).await);
}

async fn until_it_listens(hall: &Hall, run: RunId) {
    until(hall, run, |head| head.state.cause == LiveCause::Event).await;
}

async fn until_it_is_done(hall: &Hall, run: RunId) {
    until(hall, run, |head| head.state.status == RunStatus::Completed).await;
}

async fn pays(node: &World, order: u64) -> RunId {
    accepted(node, json!({"pays": order, "amount": order * 10})).await
}

fn paid(order: u64) -> Value {
    json!({"order": order, "amount": order * 10})
}

#[tokio::test(start_paused = true)]
async fn a_run_takes_an_event_that_another_node_emits() {
    let outside = quiet();
    let hall = Hall::new(ORDERS, outside.clone());
    let (one, two) = (hall.node("one"), hall.node("two"));
    hall.even(&[&one, &two], &[32, 32]).await;
    let mut waiting = Vec::new();
    for order in 1..=6 {
        let node = if order % 2 == 0 { &one } else { &two };
        waiting.push(accepted(node, json!({"order": order})).await);
    }
    for run in &waiting {
        until_it_listens(&hall, *run).await;
    }
    let began = Instant::now();
    for order in 1..=6 {
        pays(if order % 2 == 0 { &two } else { &one }, order).await;
    }
    for run in &waiting {
        until_it_is_done(&hall, *run).await;
    }
    // What a node does not read at once, the sweep would mend within minutes.
    assert!(began.elapsed() < 5 * SECOND, "{:?}", began.elapsed());
    let mut heard = told(&outside);
    heard.sort_by_key(|paid| paid["order"].as_u64());
    assert_eq!(heard, (1..=6).map(paid).collect::<Vec<_>>());
    assert!(hall.book.problems().is_empty());
}

/// The event is on disk, and the node that owns whoever waits for it stands still before it can be read. The next owner
/// reads it again from where its group was.
#[tokio::test(start_paused = true)]
async fn an_event_whose_taker_s_node_dies_is_delivered_by_the_next_owner_once() {
    let outside = quiet();
    let hall = Hall::new(ORDERS, outside.clone());
    let (one, two) = (hall.node("one"), hall.node("two"));
    hall.even(&[&one, &two], &[32, 32]).await;
    let run = accepted(&one, json!({"order": 1})).await;
    until_it_listens(&hall, run).await;
    // It has left the first node's memory.
    tokio::time::sleep(60 * SECOND).await;
    link(&one).set(Mode::Frozen);
    let payment = pays(&two, 1).await;
    until_it_is_done(&hall, payment).await;
    assert!(told(&outside).is_empty(), "its owner stands still");
    one.kill();
    hall.even(&[&two], &[64]).await;
    let began = Instant::now();
    until_it_is_done(&hall, run).await;
    assert!(began.elapsed() < 5 * SECOND, "{:?}", began.elapsed());
    assert_eq!(told(&outside), [paid(1)]);
    tokio::time::sleep(60 * SECOND).await;
    assert_eq!(told(&outside), [paid(1)]);
    assert!(hall.book.problems().is_empty());
}

/// A child's id comes from its parent, so that about half of them belong to the other node.
#[tokio::test(start_paused = true)]
async fn children_run_on_any_node_once_although_one_dies() {
    let outside = quiet();
    let hall = Hall::of(both(PARENT, CHILD), outside.clone());
    let (one, two) = (hall.node("one"), hall.node("two"));
    hall.even(&[&one, &two], &[32, 32]).await;
    let mut parents = Vec::new();
    for order in 0..12 {
        parents.push(accepted(&one, json!({"order": order})).await);
    }
    for run in &parents {
        until(&hall, *run, |head| head.state.cause == LiveCause::Child).await;
    }
    // The children rest for forty seconds.
    tokio::time::sleep(5 * SECOND).await;
    one.kill();
    hall.even(&[&two], &[64]).await;
    for run in &parents {
        until_it_is_done(&hall, *run).await;
    }
    let ship = RunFilter {
        integration: Some(Name::new("ship").unwrap()),
        limit: 100,
        ..RunFilter::default()
    };
    let children = hall.store.runs(&ship).await.unwrap();
    assert_eq!(children.len(), parents.len());
    assert!(children.iter().all(|child| child.state.status == RunStatus::Completed));
    assert_eq!(outside.effects("/tickets"), parents.len());
    assert!(hall.book.problems().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_time_begins_one_run_on_three_nodes_also_when_who_keeps_it_dies() {
    let hall = Hall::of(vec![scheduled("r1", QUICK, every(60_000))], quiet());
    let mut nodes = vec![hall.node("one"), hall.node("two"), hall.node("three")];
    hall.even(&[&nodes[0], &nodes[2], &nodes[1]], &[22, 21, 21]).await;
    let tick =
        RunFilter { trigger: Some(Name::new("tick").unwrap()), limit: 100, ..RunFilter::default() };
    let mut before = 0;
    while nodes.len() > 1 {
        tokio::time::sleep(300 * SECOND).await;
        let runs = hall.store.runs(&tick).await.unwrap();
        assert!(
            (before + 4..=before + 6).contains(&runs.len()),
            "{before} and then {}",
            runs.len()
        );
        before = runs.len();
        nodes.remove(0).kill();
    }
    tokio::time::sleep(300 * SECOND).await;
    let mut instants = Vec::new();
    for head in hall.store.runs(&tick).await.unwrap() {
        assert_eq!(head.state.status, RunStatus::Completed);
        let input = nodes[0].engine.inspect(head.facts.id).await.unwrap().input;
        instants.push(input["scheduled_at"].as_str().unwrap().to_owned());
    }
    let all = instants.len();
    instants.sort();
    instants.dedup();
    assert_eq!(instants.len(), all, "no time began two runs");
    assert!((14..=16).contains(&all), "a run each minute: {all}");
    assert!(hall.book.problems().is_empty());
}
