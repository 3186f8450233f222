//! What an ambiguous outcome does, by effect class.

use std::{sync::Arc, time::Duration};

use qc_engine::{Happening, Resolution, What};
use qc_model::{Actor, RunId};
use qc_store::{LedgerFilter, LedgerKind, RunStatus, Store};
use serde_json::{Value, json};
use tokio::sync::broadcast;

use crate::world::{Answer, Outside, World, ok, output};

fn task(operation: &str) -> String {
    format!("- task:\n    call: desk.{operation}\n    with: {{ body: {{ ref: a }} }}\n")
}

fn broken_first(path: &'static str, found: Value) -> Arc<Outside> {
    Outside::new(move |at, nth| match at {
        "/find" => ok(found.clone()),
        at if at == path && nth == 0 => Answer::AppliedThenBroken,
        _ => ok(json!({"id": 7})),
    })
}

#[tokio::test(start_paused = true)]
async fn idempotent_is_sent_again() {
    let outside = broken_first("/state", json!({}));
    let world = World::new(&task("putState"), outside.clone());
    let run = world.start(json!({})).await;
    output(world.end(run).await);
    assert_eq!(outside.requests("/state"), 2);
}

#[tokio::test(start_paused = true)]
async fn a_panic_within_a_call_is_judged_by_its_effect_and_tells_nothing_of_what_it_had_in_hand() {
    let said = "of somebody";
    for (operation, status) in [("putState", RunStatus::Faulted), ("charge", RunStatus::Parked)] {
        let broke = std::sync::atomic::AtomicBool::new(false);
        let outside = Outside::new(move |path, _| {
            let first =
                path != "/tickets" && !broke.swap(true, std::sync::atomic::Ordering::SeqCst);
            assert!(!first, "it broke at what is {said}");
            ok(json!({"id": 7}))
        });
        let world = World::new(&task(operation), outside.clone());
        let run = world.start(json!({})).await;
        world.until(run, status).await;
        let view = world.engine.inspect(run).await.unwrap();
        let filter = LedgerFilter { run: Some(run), limit: 100, ..LedgerFilter::default() };
        let rows = world.store.ledger(&filter).await.unwrap();
        let told = format!("{:?} {rows:?}", view.head);
        assert!(!told.contains(said) && !format!("{:?}", view.journal).contains(said), "{told}");
        let facts = rows.iter().map(|entry| String::from_utf8_lossy(&entry.row.facts).into_owned());
        let facts: String = facts.collect();
        assert!(!facts.contains(said), "{facts}");
        assert!(rows.iter().any(|entry| entry.row.code.as_deref() == Some("QC-R009")), "{rows:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn keyed_is_sent_again_under_the_same_key() {
    let outside = broken_first("/tickets", json!({}));
    let world = World::new(&task("createTicket"), outside.clone());
    let run = world.start(json!({})).await;
    output(world.end(run).await);
    assert_eq!((outside.requests("/tickets"), outside.effects("/tickets")), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn verify_reads_back_and_does_not_send_what_is_there() {
    let outside = broken_first("/messages", json!({"messages": [{"id": 1}]}));
    let world = World::new(&task("postMessage"), outside.clone());
    let run = world.start(json!({})).await;
    output(world.end(run).await);
    assert_eq!((outside.requests("/messages"), outside.requests("/find")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn verify_sends_again_what_is_not_there() {
    let outside = broken_first("/messages", json!({"messages": []}));
    let world = World::new(&task("postMessage"), outside.clone());
    let run = world.start(json!({})).await;
    output(world.end(run).await);
    assert_eq!(outside.requests("/messages"), 2);
}

#[tokio::test(start_paused = true)]
async fn once_waits_for_a_person_who_says_that_it_took_place() {
    let outside = broken_first("/charges", json!({}));
    let world = World::new(&task("charge"), outside.clone());
    let run = world.start(json!({})).await;
    world.until(run, RunStatus::Parked).await;
    let resolution = Resolution::Applied { output: json!({"charge": 1}) };
    world.engine.resolve(run, resolution, &Actor::platform("test")).await.unwrap();
    assert_eq!(output(world.end(run).await), json!({"charge": 1}));
    assert_eq!(outside.requests("/charges"), 1);
}

#[tokio::test(start_paused = true)]
async fn once_is_sent_again_only_when_a_person_says_that_it_did_not() {
    let outside = broken_first("/charges", json!({}));
    let world = World::new(&task("charge"), outside.clone());
    let run = world.start(json!({})).await;
    world.until(run, RunStatus::Parked).await;
    world.engine.resolve(run, Resolution::NotApplied, &Actor::platform("test")).await.unwrap();
    output(world.end(run).await);
    assert_eq!(outside.requests("/charges"), 2);
}

#[tokio::test(start_paused = true)]
async fn what_was_never_sent_is_not_ambiguous() {
    let outside = Outside::new(|_, nth| if nth == 0 { ok(json!({})) } else { Answer::Unreachable });
    let tasks = format!("{}{}", task("charge"), task("charge").replace("- task", "- again"));
    let world = World::new(&tasks, outside.clone());
    let run = world.start(json!({})).await;
    // Unreachable: tried again by the default policy until it is given up, never parked.
    let end = world.end(run).await;
    assert!(matches!(end, qc_engine::RunEnd::Faulted { .. }), "{end:#?}");
}

/// The rows of a run's calls: outcome, code and facts.
async fn calls(world: &World, run: RunId) -> Vec<(String, String, Option<String>, Value)> {
    let filter = LedgerFilter {
        run: Some(run),
        kinds: vec![LedgerKind::Call],
        limit: 100,
        ..Default::default()
    };
    let rows = world.store.ledger(&filter).await.unwrap();
    let facts = |row: &qc_store::LedgerRow| serde_json::from_slice(&row.facts).unwrap();
    rows.into_iter()
        .map(|entry| {
            let facts = facts(&entry.row);
            (entry.row.subject, entry.row.outcome, entry.row.code, facts)
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_its_timeout_cuts_off_stands_in_the_ledger() {
    let outside = Outside::new(|_, _| Answer::Slow(Duration::from_secs(60), json!({})));
    let tasks = format!("{}    timeout: {{ after: {{ seconds: 2 }} }}\n", task("putState"));
    let world = World::new(&tasks, outside.clone());
    let mut happenings = world.engine.subscribe();
    let run = world.start(json!({})).await;
    let end = world.end(run).await;
    // What makes its span: the request, which never came to its end, and the ids under which it went out.
    let told = attempts(&mut happenings);
    let [What::Attempt { request, status, connector, operation, traceparent, failed, .. }] =
        &told[..]
    else {
        panic!("{told:#?}")
    };
    assert_eq!((request.as_str(), *status), ("PUT http://desk.test/state", None));
    assert_eq!((connector.as_deref(), operation.as_deref()), (Some("desk"), Some("putState")));
    assert!(traceparent.starts_with("00-") && failed.is_some(), "{told:#?}");
    assert!(matches!(end, qc_engine::RunEnd::Faulted { .. }), "{end:#?}");
    let rows = calls(&world, run).await;
    let [(subject, outcome, code, facts)] = &rows[..] else { panic!("{rows:#?}") };
    assert_eq!((subject.as_str(), outcome.as_str()), ("desk.putState", "failed"));
    assert_eq!(code.as_deref(), Some("QC-R007"));
    assert_eq!((&facts["attempt"], &facts["class"]), (&json!(1), &json!("timeout")), "{facts}");
    let url = json!("http://desk.test/state");
    assert_eq!((&facts["method"], &facts["url"]), (&json!("PUT"), &url), "{facts}");
    assert_eq!((&facts["connector"], &facts["operation"]), (&json!("desk"), &json!("putState")));
    assert_eq!((&facts["sent"], &facts["applied"]), (&json!(true), &json!("maybe")), "{facts}");
    assert_eq!(facts["duration_ms"], json!(2_000), "{facts}");
    assert!(facts["key"].as_str().is_some_and(|key| !key.is_empty()), "{facts}");
    let gauges = world.engine.gauges();
    assert_eq!((gauges.calls, gauges.calls_failed), (1, 1));
}

/// The attempts that a listener has heard of so far.
fn attempts(happenings: &mut broadcast::Receiver<Happening>) -> Vec<What> {
    let heard = std::iter::from_fn(|| happenings.try_recv().ok());
    heard.map(|one| one.what).filter(|what| matches!(what, What::Attempt { .. })).collect()
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_a_person_cuts_off_stands_in_the_ledger_and_is_told() {
    let outside = Outside::new(|_, _| Answer::Slow(Duration::from_secs(60), json!({})));
    let world = World::new(&task("putState"), outside.clone());
    let mut happenings = world.engine.subscribe();
    let run = world.start(json!({})).await;
    while outside.requests("/state") == 0 {
        tokio::task::yield_now().await;
    }
    let me = Actor::platform("test");
    world.engine.cancel(run, "no longer needed", &me).await.unwrap();
    let end = world.end(run).await;
    assert!(matches!(end, qc_engine::RunEnd::Cancelled { .. }), "{end:#?}");
    let rows = calls(&world, run).await;
    let [(_, _, _, facts)] = &rows[..] else { panic!("{rows:#?}") };
    let url = json!("http://desk.test/state");
    assert_eq!((&facts["method"], &facts["url"]), (&json!("PUT"), &url), "{facts}");
    assert_eq!(attempts(&mut happenings).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_loses_a_race_stands_in_the_ledger() {
    let outside = Outside::new(|path, _| match path {
        "/state" => Answer::Slow(Duration::from_secs(60), json!({})),
        _ => Answer::Slow(Duration::from_secs(1), json!({"id": 7})),
    });
    let branch = |name: &str, operation: &str| {
        format!("        - {name}: {{ call: desk.{operation}, with: {{ body: {{ ref: a }} }} }}\n")
    };
    let tasks = format!(
        "- race:\n    fork:\n      compete: true\n      branches:\n{}{}",
        branch("slow", "putState"),
        branch("fast", "createTicket")
    );
    let world = World::new(&tasks, outside.clone());
    let run = world.start(json!({})).await;
    output(world.end(run).await);
    let mut rows: Vec<_> = calls(&world, run).await;
    rows.sort_by(|one, other| one.0.cmp(&other.0));
    let shown: Vec<_> = rows.iter().map(|row| (row.0.as_str(), row.1.as_str())).collect();
    assert_eq!(shown, [("desk.createTicket", "ok"), ("desk.putState", "failed")]);
    assert_eq!(rows[1].3["duration_ms"], json!(1_000), "{:?}", rows[1]);
}
