use http::Method;
use qc_access::Role;
use serde_json::{Value, json};

use crate::stage::Stage;

#[tokio::test]
async fn every_operation_needs_a_token() {
    let stage = Stage::new().await;
    let document = stage.get("/api/v1/openapi.json").await.json();
    let mut seen = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys() {
            let method: Method = method.to_uppercase().parse().unwrap();
            let path =
                path.replace("{run}", "run_00000000000000000000000001").replace(['{', '}'], "x");
            stage.bare(method, &path, &[], "").await.is(401, "QC-A001");
            seen += 1;
        }
    }
    assert!(seen > 20);
    for path in ["/healthz", "/readyz"] {
        assert_eq!(stage.bare(Method::GET, path, &[], "").await.status, 200);
    }
}

#[tokio::test]
async fn a_role_without_the_action_is_refused_everywhere() {
    let stage = Stage::new().await;
    let token = stage.issue(Role::Runtime, Some("production"), None).await;
    let bearer = format!("Bearer {token}");
    let document = stage.get("/api/v1/openapi.json").await.json();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let action = operation["x-quickconnect-action"].as_str().unwrap();
            if ["runs:read", "events:send"].contains(&action) {
                continue;
            }
            let method: Method = method.to_uppercase().parse().unwrap();
            let path =
                path.replace("{run}", "run_00000000000000000000000001").replace(['{', '}'], "x");
            let answer = stage.bare(method, &path, &[("authorization", &bearer)], "").await;
            answer.is(403, "QC-A005");
        }
    }
}

#[tokio::test]
async fn a_bound_token_sees_its_environment_only() {
    let stage = Stage::new().await;
    let run = stage.plain(&[], &json!({})).await.run();
    let list = async |environment: &str, path: &str| {
        let token = stage.issue(Role::Operator, Some(environment), None).await;
        let bearer = format!("Bearer {token}");
        stage.bare(Method::GET, path, &[("authorization", &bearer)], "").await
    };
    let here = list("production", "/api/v1/runs").await.json();
    assert_eq!(here["items"].as_array().unwrap().len(), 1);
    assert_eq!(list("sandbox", "/api/v1/runs").await.json()["items"], json!([]));
    list("sandbox", "/api/v1/runs?environment=production").await.is(403, "QC-A005");
    list("sandbox", &format!("/api/v1/runs/{run}")).await.is(403, "QC-A005");
    list("sandbox", &format!("/api/v1/runs/{run}/journal")).await.is(403, "QC-A005");
}

#[tokio::test]
async fn wrong_requests_are_told_what_is_wrong() {
    let stage = Stage::new().await;
    stage.get("/api/v1/nothing").await.is(404, "QC-A010");
    let answer = stage.send(Method::DELETE, "/api/v1/runs", &[], "").await;
    answer.is(405, "QC-A011");
    assert_eq!(answer.headers["allow"], "GET, HEAD");
    for query in ["?limit=0", "?limit=x", "?statsu=running", "?status=sleeping", "?limit=1&limit=2"]
    {
        stage.get(&format!("/api/v1/runs{query}")).await.is(400, "QC-A013");
    }
    stage.get("/api/v1/runs/run_1").await.is(400, "QC-A013");
    stage.get("/api/v1/runs/run_00000000000000000000000001").await.is(404, "QC-A014");
    let json = [("content-type", "application/json")];
    let path = "/api/v1/tokens";
    let body = r#"{"name":"","role":"king","scopes":["*/a/b:c"],"lifetime":"long"}"#;
    let problem = stage.send(Method::POST, path, &json, body).await.is(422, "QC-A012");
    let pointers: Vec<&str> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["pointer"].as_str().unwrap())
        .collect();
    assert_eq!(pointers, ["/name", "/role", "/scopes", "/lifetime"]);
    let body = r#"{"name":"a","role":"admin","typo":1}"#;
    stage.send(Method::POST, path, &json, body).await.is(422, "QC-A012");
}

#[tokio::test]
async fn a_token_lives_until_it_is_revoked() {
    let stage = Stage::new().await;
    let json = [("content-type", "application/json")];
    let body = r#"{"name":"pipeline","role":"operator","environment":"production"}"#;
    let created = stage.send(Method::POST, "/api/v1/tokens", &json, body).await;
    assert_eq!(created.status, 201);
    let created = created.json();
    let bearer = format!("Bearer {}", created["secret"].as_str().unwrap());
    let with = [("authorization", bearer.as_str())];
    assert_eq!(stage.bare(Method::GET, "/api/v1/runs", &with, "").await.status, 200);
    let listed = stage.get("/api/v1/tokens").await;
    assert!(!String::from_utf8_lossy(&listed.body).contains(created["secret"].as_str().unwrap()));
    let path = format!("/api/v1/tokens/{}", created["token"]["id"].as_str().unwrap());
    assert_eq!(stage.send(Method::DELETE, &path, &[], "").await.status, 204);
    stage.bare(Method::GET, "/api/v1/runs", &with, "").await.is(401, "QC-A003");
    let audit = stage.get("/api/v1/ledger?kind=audit").await.json();
    let outcomes: Vec<&Value> =
        audit["items"].as_array().unwrap().iter().map(|l| &l["outcome"]).collect();
    assert!(outcomes.contains(&&json!("issued")) && outcomes.contains(&&json!("revoked")));
}

#[tokio::test]
async fn a_failed_run_is_a_dead_letter_and_an_answer_to_what_failed() {
    let stage = Stage::new().await;
    let failed = stage.plain(&[("prefer", "wait=10")], &json!({"mode": "fail"})).await.json();
    assert!(failed["run"].is_string(), "{failed:#}");
    let dead = stage.get("/api/v1/dead-letters?state=open").await.json();
    assert_eq!(dead["items"][0]["run"], failed["run"], "{dead:#}");
    let run = failed["run"].as_str().unwrap().to_owned();
    let failures = stage.get("/api/v1/questions/failures?last=1h").await.json();
    assert!(
        failures["groups"].as_array().unwrap().iter().any(|g| g["example_run"] == json!(run)),
        "{failures:#}"
    );
    let journal = stage.get(&format!("/api/v1/runs/{run}/journal")).await.json();
    assert_eq!(journal["end"]["status"], "faulted");
    assert_eq!(journal["input"], json!({"mode": "fail"}));
    let json_type = [("content-type", "application/json")];
    let path = format!("/api/v1/dead-letters/{run}/discard");
    let answer = stage.send(Method::POST, &path, &json_type, r#"{"reason":"not needed"}"#).await;
    assert_eq!(answer.status, 204, "{:?}", answer.body);
    assert_eq!(stage.get("/api/v1/dead-letters?state=open").await.json()["items"], json!([]));
    let replayed =
        stage.send(Method::POST, &format!("/api/v1/runs/{run}/replay"), &json_type, "").await;
    assert_eq!(replayed.status, 201, "{:?}", replayed.body);
    let metrics = stage.get("/metrics").await;
    let text = String::from_utf8_lossy(&metrics.body).into_owned();
    assert!(text.contains("qc_runs_faulted_total") && text.ends_with("# EOF\n"), "{text}");
}
