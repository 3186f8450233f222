//! Echoes: a system that is written into tells of it, and that begins no run.

use std::{sync::Arc, time::Duration};

use qc_engine::{Accepted, Deployment, EchoRule, Release};
use qc_expression::Expression;
use qc_model::{Name, RunId};
use qc_store::{LedgerFilter, Store, memory::MemoryStore};
use serde_json::{Value, json};

use crate::world::{Answer, Outside, VirtualClock, World, deployment, ok, output};

const SYNC: &str = "
- tell:
    call: desk.createTicket
    with: { body: { id: '${ .id }', name: '${ .name }' } }
";

pub(crate) fn rule(object: &str, version: &str) -> EchoRule {
    let jq = |text: &str| Expression::parse(text, &[]).unwrap();
    let window = Duration::from_secs(600);
    EchoRule { system: "crm".to_owned(), object: jq(object), version: jq(version), window }
}

/// What it hears on its only trigger is of the system that it writes into.
fn two_way() -> Deployment {
    let mut deployment = deployment("r1", SYNC);
    let release: &mut Release = Arc::get_mut(&mut deployment.release).unwrap();
    let echo = &mut release.kept.echo;
    let written = rule(".arguments.body.id", ".arguments.body.name");
    echo.written.insert("/do/0/tell".to_owned(), written);
    echo.heard.insert(Name::new("in").unwrap(), rule(".data.id", ".data.name"));
    deployment
}

fn over(deployment: Deployment, outside: &Arc<Outside>) -> World {
    let clock = Arc::new(VirtualClock::now());
    let store = Arc::new(MemoryStore::with_clock(clock.clone()));
    World::over(store, clock, deployment, outside.clone(), 2)
}

fn new(accepted: Accepted) -> Option<RunId> {
    match accepted {
        Accepted::New { run } => Some(run),
        Accepted::Repeat { .. } => None,
    }
}

/// The other system tells of every change that it takes, until nobody writes any more.
async fn bounce(world: &World, outside: &Outside, most: usize) -> usize {
    let mut told = 0;
    let mut sent = 1;
    new(world.send(Some("k0"), json!({"id": "1", "name": "Ada"})).await.unwrap());
    for _ in 0..most {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let changes: Vec<Value> =
            outside.seen.lock().unwrap().iter().map(|seen| seen.body.clone()).collect();
        for change in &changes[told..] {
            world.send(Some(&format!("k{sent}")), change.clone()).await.unwrap();
            sent += 1;
        }
        told = changes.len();
    }
    told
}

#[tokio::test(start_paused = true)]
async fn without_it_a_change_goes_round_for_ever_and_with_it_it_is_written_once() {
    let outside = Outside::new(|_, _| ok(json!({"id": 7})));
    let without = over(deployment("r1", SYNC), &outside);
    assert!(bounce(&without, &outside, 20).await >= 20);
    let outside = Outside::new(|_, _| ok(json!({"id": 7})));
    let with = over(two_way(), &outside);
    assert_eq!(bounce(&with, &outside, 20).await, 1);
    let filter = LedgerFilter::default();
    let rows = with.store.ledger(&filter).await.unwrap();
    let suppressed = rows.iter().filter(|one| one.row.outcome == "echo suppressed").count();
    assert_eq!(suppressed, 1);
}

#[tokio::test(start_paused = true)]
async fn an_echo_may_come_before_the_answer_and_a_change_by_hand_is_none() {
    let slow = Duration::from_secs(5);
    let outside = Outside::new(move |_, _| Answer::Slow(slow, json!({"id": 7})));
    let world = over(two_way(), &outside);
    let ada = json!({"id": "1", "name": "Ada"});
    let run = world.start(ada.clone()).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let echo = world.send(Some("e1"), ada.clone()).await.unwrap();
    assert_eq!(echo, Accepted::Repeat { run }, "before the answer");
    assert_eq!(world.send(Some("e1"), ada.clone()).await.unwrap(), echo, "the same once more");
    output(world.end(run).await);
    let eva = json!({"id": "1", "name": "Eva"});
    assert!(new(world.send(Some("h1"), eva).await.unwrap()).is_some(), "another version");
    let other = json!({"id": "2", "name": "Ada"});
    assert!(new(world.send(Some("h2"), other).await.unwrap()).is_some(), "another object");
    assert!(new(world.send(Some("h3"), ada).await.unwrap()).is_some(), "the mark is used up");
}

#[tokio::test(start_paused = true)]
async fn a_mark_is_over_with_its_window() {
    let outside = Outside::new(|_, _| ok(json!({"id": 7})));
    let world = over(two_way(), &outside);
    let ada = json!({"id": "1", "name": "Ada"});
    let run = world.start(ada.clone()).await;
    output(world.end(run).await);
    assert_eq!(world.store.documents("echo", None, 10).await.unwrap().len(), 1);
    tokio::time::sleep(Duration::from_secs(601)).await;
    let mut from = qc_engine::KeptPruning::default();
    assert_eq!(world.engine.prune_kept(&mut from).await.unwrap(), 1);
    assert!(new(world.send(Some("e"), ada).await.unwrap()).is_some());
}

/// Whichever commit was the last one of a process: what was sent is known as sent.
#[tokio::test(start_paused = true)]
async fn a_mark_is_there_when_its_call_may_have_been_sent() {
    for last in 0..5 {
        let outside = Outside::new(|_, _| ok(json!({"id": 7})));
        let world = over(two_way(), &outside);
        let before = outside.requests("/tickets");
        world.store.stop_after(last);
        let ada = json!({"id": "1", "name": "Ada"});
        let sender = world.sender();
        let copy = ada.clone();
        let sending = tokio::spawn(async move { sender.send(Some("k"), copy).await });
        tokio::time::sleep(Duration::from_secs(2)).await;
        let sent = outside.requests("/tickets") > before;
        let (store, clock) = world.kill();
        drop(sending.await);
        tokio::time::sleep(Duration::from_secs(15)).await;
        store.go_on();
        let world = World::over(store, clock, two_way(), outside.clone(), 3);
        while !world.engine.gauges().leased {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        if sent {
            let echo = world.send(Some("e"), ada).await.unwrap();
            assert!(new(echo).is_none(), "after {last} commits");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_expression_that_fails_is_said_in_the_ledger_and_the_call_is_made() {
    let mut deployment = deployment("r1", SYNC);
    let release: &mut Release = Arc::get_mut(&mut deployment.release).unwrap();
    let broken = rule(".arguments.body.id | error", ".x");
    release.kept.echo.written.insert("/do/0/tell".to_owned(), broken);
    let outside = Outside::new(|_, _| ok(json!({"id": 7})));
    let world = over(deployment, &outside);
    let run = world.start(json!({"id": "1", "name": "Ada"})).await;
    output(world.end(run).await);
    let rows = world.store.ledger(&LedgerFilter::default()).await.unwrap();
    let codes: Vec<_> = rows.iter().filter_map(|one| one.row.code.as_deref()).collect();
    assert_eq!(codes, ["QC-R047"]);
}
