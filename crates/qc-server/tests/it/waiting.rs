use serde_json::json;

use crate::stage::Stage;

#[tokio::test]
async fn a_sender_that_waits_gets_the_output() {
    let stage = Stage::new().await;
    let answer = stage.plain(&[("prefer", "wait=10")], &json!({"a": 1})).await;
    assert_eq!((answer.status, answer.json()), (200, json!({"got": {"a": 1}})));
    assert_eq!(answer.headers["preference-applied"], "wait=10");
}

#[tokio::test]
async fn a_faulted_run_answers_its_problem() {
    let stage = Stage::new().await;
    let answer = stage.plain(&[("prefer", "wait=10")], &json!({"mode": "fail"})).await;
    let problem = answer.json();
    assert_eq!(answer.headers["content-type"], "application/problem+json");
    assert_eq!(answer.status, 400, "{problem:#}");
    assert!(problem["run"].is_string());
}

#[tokio::test]
async fn a_repeat_joins_the_wait_and_a_run_that_does_not_end_answers_202() {
    let stage = Stage::new().await;
    let headers = [("prefer", "wait=1"), ("idempotency-key", "k")];
    let answer = stage.plain(&headers, &json!({"mode": "wait"})).await;
    let run = answer.run();
    let again = stage.plain(&headers, &json!({"mode": "wait"})).await;
    assert_eq!(again.run(), run);
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_eq!(stage.get(&format!("/api/v1/runs/{run}")).await.json()["status"], "waiting");
}
