use http::Method;
use qc_access::Role;
use qc_store::memory::Fault;
use serde_json::json;

use crate::stage::Stage;

const PLAIN: &str = "/in/production/test/plain";
const STRICT: &str = "/in/production/test/strict";
const JSON: (&str, &str) = ("content-type", "application/json");

#[tokio::test]
async fn malformed_bodies_are_named_by_code_and_pointer() {
    let stage = Stage::new().await;
    for (body, code, pointer) in [
        (&b"{\"a\": {\"b\": 1, \"b\": 2}}"[..], "QC-Q002", "/a/b"),
        (b"{\"a\": ", "QC-Q001", "/a"),
        (b"{\"a\": \"\xff\"}", "QC-Q005", ""),
        (b"{\"a\": \"\\ud800\"}", "QC-Q005", "/a"),
        (b"", "QC-Q001", ""),
    ] {
        let answer = stage.send(Method::POST, PLAIN, &[JSON], body).await;
        let problem = answer.is(400, code);
        assert_eq!(problem["next_action"], "fix_request");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem:#}");
        assert_eq!(problem["owner"], "team-a");
    }
    let deep = format!("{}{}", "[".repeat(1_000), "]".repeat(1_000));
    stage.send(Method::POST, PLAIN, &[JSON], deep).await.is(400, "QC-Q003");
}

#[tokio::test]
async fn sizes_types_and_encodings_are_bounded() {
    let stage = Stage::new().await;
    stage.send(Method::POST, PLAIN, &[JSON], vec![b' '; 5_000]).await.is(413, "QC-I003");
    stage.send(Method::POST, PLAIN, &[], "{}").await.is(415, "QC-I004");
    stage
        .send(Method::POST, PLAIN, &[("content-type", "text/xml")], "<a/>")
        .await
        .is(415, "QC-I004");
    let latin = [("content-type", "application/json; charset=iso-8859-1")];
    stage.send(Method::POST, PLAIN, &latin, "{}").await.is(415, "QC-I005");
    let gzip = [JSON, ("content-encoding", "gzip")];
    stage.send(Method::POST, PLAIN, &gzip, "{}").await.is(415, "QC-I005");
    let answer = stage.send(Method::GET, PLAIN, &[], "").await;
    answer.is(405, "QC-I002");
    assert_eq!(answer.headers["allow"], "POST");
    for path in
        ["/in/production/test/none", "/in/sandbox/test/plain", "/in/production/test", "/in/"]
    {
        stage.send(Method::POST, path, &[JSON], "{}").await.is(404, "QC-I001");
    }
}

#[tokio::test]
async fn a_broken_contract_names_every_place_and_no_value() {
    let stage = Stage::new().await;
    let body = json!({ "id": "x", "amount": "much secret" });
    let answer = stage.send(Method::POST, STRICT, &[JSON], body.to_string()).await;
    let problem = answer.is(422, "QC-I009");
    assert_eq!(problem["errors"][0]["pointer"], "/amount");
    assert!(!problem.to_string().contains("much secret"));
    let answer = stage.send(Method::POST, STRICT, &[JSON], r#"{"amount":1}"#).await;
    answer.is(422, "QC-I010");
    let good = r#"{"id":"x","amount":1}"#;
    let first = stage.send(Method::POST, STRICT, &[JSON], good).await.run();
    assert_eq!(stage.send(Method::POST, STRICT, &[JSON], good).await.run(), first);
}

#[tokio::test]
async fn a_sender_without_the_right_is_refused() {
    let stage = Stage::new().await;
    let answer = stage.bare(Method::POST, PLAIN, &[JSON], "{}").await;
    answer.is(401, "QC-A001");
    assert!(answer.headers.contains_key("www-authenticate"));
    let with = async |token: &str| {
        let bearer = format!("Bearer {token}");
        stage.bare(Method::POST, PLAIN, &[JSON, ("authorization", &bearer)], "{}").await
    };
    with("qc_any_nonsense").await.is(401, "QC-A002");
    let scopes = ["production/events/other:send"];
    let narrow = stage.issue(Role::Runtime, Some("production"), Some(&scopes)).await;
    with(&narrow).await.is(403, "QC-A005");
    let elsewhere = stage.issue(Role::Runtime, Some("sandbox"), None).await;
    with(&elsewhere).await.is(403, "QC-A005");
    let auditor = stage.issue(Role::Auditor, None, None).await;
    with(&auditor).await.is(403, "QC-A005");
    let scopes = ["production/events/test:send"];
    let right = stage.issue(Role::Runtime, Some("production"), Some(&scopes)).await;
    with(&right).await.run();
    // The open trigger takes anybody; it was declared so.
    stage.bare(Method::POST, "/in/production/test/open", &[JSON], "{}").await.run();
}

#[tokio::test]
async fn a_full_disk_refuses_with_503_and_takes_again_when_there_is_room() {
    let stage = Stage::new().await;
    stage.store.fail_next(Fault::Full);
    let answer = stage.plain(&[("idempotency-key", "k")], &json!({})).await;
    answer.is(503, "QC-I013");
    assert!(answer.headers.contains_key("retry-after"));
    let answer = stage.plain(&[("idempotency-key", "k")], &json!({})).await;
    answer.run();
    assert!(!answer.headers.contains_key("idempotency-replayed"));
}
