use http::Method;
use serde_json::{Value, json};

use crate::stage::Stage;

const EVENTS: &str = "/in/production/test/events";
const STRUCTURED: (&str, &str) = ("content-type", "application/cloudevents+json");

fn event(id: &str, data: &Value) -> String {
    json!({ "specversion": "1.0", "id": id, "source": "/s", "type": "a", "data": data }).to_string()
}

#[tokio::test]
async fn an_accepted_event_has_a_run_that_can_be_asked_for() {
    let stage = Stage::new().await;
    let answer =
        stage.send(Method::POST, EVENTS, &[STRUCTURED], event("1", &json!({"x": 1}))).await;
    let run = answer.run();
    let status_url = answer.json()["status_url"].as_str().unwrap().to_owned();
    assert_eq!(answer.headers["location"].to_str().unwrap(), status_url);
    let shown = stage.get(&status_url).await.json();
    assert_eq!(shown["run"], json!(run));
    assert_eq!(shown["tenant"], "default");
}

#[tokio::test]
async fn a_repeat_gets_the_same_run_and_another_body_is_refused() {
    let stage = Stage::new().await;
    let first = stage.send(Method::POST, EVENTS, &[STRUCTURED], event("1", &json!(1))).await;
    assert!(!first.headers.contains_key("idempotency-replayed"));
    let again = stage.send(Method::POST, EVENTS, &[STRUCTURED], event("1", &json!(1))).await;
    assert_eq!(again.run(), first.run());
    assert_eq!(again.headers["idempotency-replayed"], "true");
    let other = stage.send(Method::POST, EVENTS, &[STRUCTURED], event("1", &json!(2))).await;
    assert_eq!(other.is(422, "QC-I012")["run"], json!(first.run()));
}

#[tokio::test]
async fn a_hundred_at_once_with_one_key_make_one_run() {
    let stage = Stage::new().await;
    let body = event("same", &json!(1));
    let sending = (0..100).map(|_| stage.send(Method::POST, EVENTS, &[STRUCTURED], body.clone()));
    let answers = futures_util::future::join_all(sending).await;
    let runs: std::collections::BTreeSet<String> =
        answers.iter().map(|answer| answer.run()).collect();
    assert_eq!(runs.len(), 1);
    let new = answers.iter().filter(|a| !a.headers.contains_key("idempotency-replayed")).count();
    assert_eq!(new, 1);
}

#[tokio::test]
async fn a_batch_is_taken_whole_or_not_at_all() {
    let stage = Stage::new().await;
    let batch = [("content-type", "application/cloudevents-batch+json")];
    let events = [event("1", &json!(1)), event("2", &json!(2)), event("1", &json!(1))];
    let answer = stage.send(Method::POST, EVENTS, &batch, format!("[{}]", events.join(","))).await;
    assert_eq!(answer.status, 202);
    let taken = answer.json()["events"].as_array().unwrap().clone();
    assert_eq!(taken.len(), 3);
    assert_eq!(taken[0]["run"], taken[2]["run"]);
    let wrong = event("4", &json!(1)).replace("\"type\":\"a\"", "\"type\":\"z\"");
    let body = format!("[{},{wrong}]", event("3", &json!(1)));
    let problem = stage.send(Method::POST, EVENTS, &batch, body).await.is(422, "QC-I008");
    assert_eq!(problem["errors"][0]["pointer"], "/1/type");
    let listed = stage.get("/api/v1/runs").await.json();
    assert_eq!(
        listed["items"].as_array().unwrap().len(),
        2,
        "the good one of a bad batch is not taken"
    );
}

#[tokio::test]
async fn the_binary_form_carries_the_tenant_too() {
    let stage = Stage::new().await;
    let headers = [
        ("content-type", "application/json"),
        ("ce-specversion", "1.0"),
        ("ce-id", "1"),
        ("ce-source", "/s"),
        ("ce-type", "b"),
        ("ce-tenant", "acme"),
        ("prefer", "wait=10"),
    ];
    let answer = stage.send(Method::POST, EVENTS, &headers, r#"{"x":1}"#).await;
    assert_eq!((answer.status, answer.json()), (200, json!({"got": {"x": 1}})));
    let run = &stage.get("/api/v1/runs").await.json()["items"][0];
    assert_eq!(run["tenant"], "acme");
}

#[tokio::test]
async fn an_idempotency_key_of_the_sender_counts_where_the_trigger_has_none() {
    let stage = Stage::new().await;
    let key = [("idempotency-key", "\"k 1\"")];
    let first = stage.plain(&key, &json!({"a": 1})).await.run();
    assert_eq!(stage.plain(&[("idempotency-key", "k 1")], &json!({"a": 1})).await.run(), first);
    assert_ne!(stage.plain(&[], &json!({"a": 1})).await.run(), first);
    stage.plain(&[("idempotency-key", "\"\"")], &json!({})).await.is(400, "QC-I010");
}
