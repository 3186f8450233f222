//! One key, one run; and what a sender that waits is told.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::json;

use crate::{
    client::{Ask, Reply},
    deployment::echo,
    world::{World, door},
};

fn keyed(key: &str, body: &str) -> Ask {
    Ask::post(&door("json"), body).header("idempotency-key", key)
}

fn waiting(wait: &str, body: &str) -> Ask {
    Ask::post(&door("json"), body).header("prefer", wait)
}

#[tokio::test]
async fn keys_are_the_same_however_they_are_written() {
    let world = World::new().await;
    let first = world.ask(keyed("\"k 1\"", "{}")).await.run();
    for form in ["k 1", "\"k 1\"", "  k 1  "] {
        let again = world.ask(keyed(form, "{}")).await;
        assert_eq!((again.run(), again.replayed()), (first.clone(), true), "{form}");
    }
    for other in ["k  1", "K 1", "k%201"] {
        assert_ne!(world.ask(keyed(other, "{}")).await.run(), first, "{other}");
    }
    let longest = "x".repeat(255);
    let run = world.ask(keyed(&longest, "{}")).await.run();
    assert_eq!(world.ask(keyed(&longest, "{}")).await.run(), run);
}

#[tokio::test]
async fn keys_that_cannot_be_used_are_refused() {
    let world = World::new().await;
    for key in ["", "\"\"", "   ", &"x".repeat(256), "grün", "a\tb"] {
        world.ask(keyed(key, "{}")).await.problem(400, "QC-I010");
    }
    // Which of the two would it be?
    let two = keyed("a", "{}").header("idempotency-key", "b");
    world.ask(two).await.problem(400, "QC-I010");
    assert_eq!(world.runs().await, 0);
}

#[tokio::test]
async fn a_key_with_another_body_names_the_first_run() {
    let world = World::new().await;
    let first = world.ask(keyed("k", r#"{"a":1}"#)).await.run();
    let told = world.ask(keyed("k", r#"{"a":2}"#)).await.problem(422, "QC-I012");
    assert_eq!((&told["run"], &told["next_action"]), (&json!(first), &json!("fix_request")));
    // The same words with other spaces are another body: nobody guesses here.
    world.ask(keyed("k", r#"{"a": 1}"#)).await.problem(422, "QC-I012");
    assert_eq!(world.runs().await, 1);
}

#[tokio::test]
async fn the_triggers_expression_rules_over_the_senders_key() {
    let world = World::new().await;
    let send =
        |body: &str, key: &str| Ask::post(&door("keyed"), body).header("idempotency-key", key);
    let first = world.ask(send(r#"{"id":"a"}"#, "1")).await.run();
    assert_eq!(world.ask(send(r#"{"id":"a"}"#, "2")).await.run(), first);
    assert_ne!(world.ask(send(r#"{"id":"b"}"#, "1")).await.run(), first);
    let number = world.ask(send(r#"{"id":7}"#, "1")).await.run();
    assert_eq!(world.ask(send(r#"{"id":7}"#, "1")).await.run(), number);
    let long = format!(r#"{{"id":"{}"}}"#, "x".repeat(256));
    for body in [
        "{}",
        r#"{"id":null}"#,
        r#"{"id":""}"#,
        r#"{"id":[1]}"#,
        r#"{"id":true}"#,
        r#"{"id":"a\nb"}"#,
        "[]",
        &long,
    ] {
        world.ask(send(body, "9")).await.problem(422, "QC-I010");
    }
}

#[tokio::test]
async fn a_key_belongs_to_its_trigger_tenant_and_environment() {
    let world = World::new().await;
    let mut runs = BTreeSet::new();
    for path in [door("json"), door("small"), "/in/sandbox/doors/json".to_owned()] {
        runs.insert(world.ask(keyed("k", "{}").to(&path)).await.run());
    }
    for tenant in ["acme", "umbrella"] {
        let body = json!({ "tenant": tenant }).to_string();
        runs.insert(world.ask(keyed("k", &body).to(&door("tenant"))).await.run());
    }
    assert_eq!(runs.len(), 5);
}

#[tokio::test]
async fn sixty_four_at_once_are_one_run() {
    let world = World::new().await;
    let replies = join_all((0..64).map(|_| world.ask(keyed("k", r#"{"a":1}"#)))).await;
    let runs: BTreeSet<String> = replies.iter().map(Reply::run).collect();
    assert_eq!(runs.len(), 1);
    assert_eq!(replies.iter().filter(|reply| !reply.replayed()).count(), 1);
    // With two bodies, one wins and all of the others are told so.
    let body = |n: usize| format!(r#"{{"a":{}}}"#, n % 2);
    let replies = join_all((0..64).map(|n| world.ask(keyed("l", &body(n))))).await;
    let taken: BTreeSet<String> =
        replies.iter().filter(|reply| reply.status == 202).map(Reply::run).collect();
    assert_eq!(taken.len(), 1);
    for refused in replies.iter().filter(|reply| reply.status != 202) {
        refused.problem(422, "QC-I012");
    }
    assert_eq!(replies.iter().filter(|reply| reply.status == 202).count(), 32);
    assert_eq!(world.runs().await, 2);
}

#[tokio::test]
async fn who_waits_gets_the_output() {
    let world = World::new().await;
    let reply = world.ask(waiting("wait=20", r#"{"a":1}"#)).await;
    assert_eq!((reply.status, reply.json()), (200, echo(&json!({"a": 1}))));
    assert_eq!(reply.header("preference-applied"), Some("wait=20"));
    let place = reply.header("content-location").unwrap();
    let shown = world.ask(Ask::get(place).token(&world.owner)).await.json();
    assert_eq!(shown["status"], "completed");
}

#[tokio::test]
async fn who_waits_for_a_failure_gets_its_problem_with_the_run() {
    let world = World::new().await;
    let reply = world.ask(waiting("wait=20", r#"{"mode":"fault"}"#)).await;
    assert_eq!(reply.header("qc-retry"), Some("never"), "what could be tried again was");
    let circle = waiting("wait=20", "{}").with("qc-hops", "33");
    world.ask(circle).await.problem(508, "QC-I061");
    assert_eq!(world.ask(waiting("wait=20", "{}").with("qc-hops", "32")).await.status, 200);
    let told = reply.json();
    reply.problem(reply.status, told["code"].as_str().unwrap());
    assert!((400..600).contains(&reply.status), "{told}");
    assert_eq!(told["owner"], "team-desk");
    let run = told["run"].as_str().unwrap();
    assert_eq!(told["status_url"], format!("/api/v1/runs/{run}"));
    assert_eq!(reply.header("preference-applied"), Some("wait=20"));
    assert_eq!(world.runs().await, 2, "and nothing of the circle");
}

#[tokio::test]
async fn who_waits_too_short_gets_the_run_and_a_repeat_joins_it() {
    let world = World::new().await;
    let ask = waiting("wait=1", r#"{"mode":"slow"}"#).header("idempotency-key", "k");
    let reply = world.ask(ask.clone()).await;
    let run = reply.run();
    assert!(!reply.replayed());
    let again = world.ask(ask).await;
    assert_eq!((again.run(), again.replayed()), (run.clone(), true));
    let done = waiting("wait=20", r#"{"a":1}"#).header("idempotency-key", "done");
    let (first, second) = (world.ask(done.clone()).await, world.ask(done).await);
    assert_eq!((first.status, second.status), (200, 200));
    assert_eq!(first.body, second.body);
    assert!(!first.replayed() && second.replayed());
    // A run that is cancelled while somebody waits for it tells them so.
    let ask = waiting("wait=20", r#"{"mode":"slow"}"#).header("idempotency-key", "k");
    let cancel = Ask::post(&format!("/api/v1/runs/{run}/cancel"), r#"{"reason":"enough"}"#);
    let (waited, cancelled) = tokio::join!(world.ask(ask), world.ask(cancel.token(&world.owner)));
    assert_eq!(cancelled.status, 204);
    let told = waited.problem(409, "QC-I020");
    assert_eq!((&told["run"], &told["detail"]), (&json!(run), &json!("enough")));
}

#[tokio::test]
async fn absurd_waits_are_no_preference_or_bounded() {
    let world = World::new().await;
    for none in [
        "wait=0",
        "wait=-5",
        "wait=x",
        "wait=",
        "wait",
        "wait=1.5",
        "wait=99999999999999999999999",
        ",;=,",
        "wait=1 wait=2",
    ] {
        let reply = world.ask(waiting(none, "{}")).await;
        reply.run();
        assert_eq!(reply.header("preference-applied"), None, "{none}");
    }
    let reply = world.ask(waiting("respond-async, wait=4000000000", "{}")).await;
    assert_eq!((reply.status, reply.header("preference-applied")), (200, Some("wait=60")));
    let reply = world.ask(waiting("handling=lenient; wait=1, WAIT = \"7\"", "{}")).await;
    assert_eq!((reply.status, reply.header("preference-applied")), (200, Some("wait=7")));
}
