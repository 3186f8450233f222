//! What is asked of the management API in a wrong way.

use serde_json::Value;

use crate::{api::Api, client::Ask};

#[tokio::test]
async fn a_parameter_that_is_unknown_doubled_or_wrong_is_refused_and_never_ignored() {
    let api = Api::new().await;
    for path in [
        "runs",
        "dead-letters",
        "ledger",
        "releases",
        "deployments",
        "tokens",
        "server",
        "questions/failures",
        "questions/reconciliation",
        "openapi.json",
    ] {
        let told = api.act("GET", &format!("/api/v1/{path}?stauts=x"), &Value::Null, 400).await;
        assert_eq!(told["code"], "QC-A013", "{path}");
        assert!(told["detail"].as_str().unwrap().contains("stauts"), "{path}");
    }
    for wrong in [
        "runs?limit=0",
        "runs?limit=501",
        "runs?limit=-1",
        "runs?limit=ten",
        "runs?limit=",
        "runs?limit=1&limit=2",
        "runs?status=sleeping",
        "runs?status=",
        "runs?environment=A%20B",
        "runs?integration=",
        "runs?before=x",
        "runs?since=yesterday",
        "runs?since=",
        "dead-letters?state=open,retried",
        "dead-letters?state=x",
        "ledger?kind=gossip",
        "ledger?run=1",
        "ledger?after=-1",
        "ledger?until=x",
        "questions/failures?last=",
        "questions/failures?last=soon",
        "questions/failures?last=-1h",
        "questions/failures?last=9999999h",
        "tokens?limit=x",
        "releases?limit=0",
        "runs?%66oo=1",
        "runs?environment=%FF",
        "runs?subject=%FF",
    ] {
        let told = api.act("GET", &format!("/api/v1/{wrong}"), &Value::Null, 400).await;
        assert_eq!(told["code"], "QC-A013", "{wrong}");
    }
    for (wrong, said) in [
        ("runs?limit=ten", "`ten` is no whole number from 1 to 500"),
        ("ledger?kind=gossip", "`gossip` is none of "),
        ("dead-letters?state=x", "`x` is none of open, retried, discarded"),
    ] {
        let told = api.act("GET", &format!("/api/v1/{wrong}"), &Value::Null, 400).await;
        assert!(told["detail"].as_str().is_some_and(|told| told.contains(said)), "{told}");
    }
    api.get("/api/v1/questions/failures?last=800000h").await;
    for run in
        ["run_1", "x", "run_ZZZZZZZZZZZZZZZZZZZZZZZZZZ", "%00", "evt_00000000000000000000000001"]
    {
        let told = api.act("GET", &format!("/api/v1/runs/{run}"), &Value::Null, 400).await;
        assert_eq!(told["code"], "QC-A013", "{run}");
    }
    let run = "run_00000000000000000000000001";
    for (method, path) in [("GET", ""), ("GET", "/journal"), ("POST", "/resume")] {
        let told = api.act(method, &format!("/api/v1/runs/{run}{path}"), &Value::Null, 404).await;
        assert_eq!(told["code"], "QC-A014");
    }
}

#[tokio::test]
async fn bodies_of_the_api_are_held_to_their_form() {
    let api = Api::new().await;
    let ask = |body: &str| Ask::post("/api/v1/tokens", body).token(&api.world.owner);
    for (body, status, code) in [
        ("", 422, "QC-A012"),
        ("{}", 422, "QC-A012"),
        ("[]", 422, "QC-A012"),
        ("{", 400, "QC-Q001"),
        (r#"{"name":"a","name":"b","role":"admin"}"#, 400, "QC-Q002"),
        (r#"{"name":"a","role":"admin","typo":1}"#, 422, "QC-A012"),
        (r#"{"name":1,"role":"admin"}"#, 422, "QC-A012"),
        (r#"{"name":"a","role":"king"}"#, 422, "QC-A012"),
    ] {
        api.world.ask(ask(body)).await.problem(status, code);
    }
    let good = r#"{"name":"a","role":"runtime"}"#;
    for media in ["text/plain", "application/jsonp", "application/json-seq", "application/xml"] {
        api.world.ask(ask(good).with("content-type", media)).await.problem(415, "QC-A012");
    }
    api.world.ask(ask(good).header("content-encoding", "gzip")).await.problem(415, "QC-I005");
    let stray = Ask::new("GET", "/api/v1/runs")
        .token(&api.world.owner)
        .header("content-length", "2")
        .body("");
    let reply = api.world.ask(stray).await;
    reply.problem(413, "QC-I003");
    let version = Ask::get("/api/v1/runs")
        .token(&api.world.owner)
        .header("quickconnect-version", "2020-01-01");
    api.world.ask(version).await.problem(400, "QC-A013");
    assert_eq!(
        api.world
            .ask(ask("{}").with("content-type", "application/json; charset=utf-8"))
            .await
            .status,
        422
    );
}
