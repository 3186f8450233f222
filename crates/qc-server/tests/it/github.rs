use std::{fs, path::PathBuf};

use aws_lc_rs::hmac;
use http::Method;
use serde_json::json;

use crate::stage::{SECRET, Stage};

const GITHUB: &str = "/in/production/test/github";

fn signed(body: &[u8]) -> String {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes()), body);
    let hex = tag.as_ref().iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    format!("sha256={hex}")
}

async fn deliver(
    stage: &Stage,
    event: &str,
    id: &str,
    body: &[u8],
    signature: &str,
) -> crate::stage::Answer {
    let headers = [
        ("content-type", "application/json"),
        ("x-github-event", event),
        ("x-github-delivery", id),
        ("x-hub-signature-256", signature),
        ("prefer", "wait=20"),
    ];
    stage.bare(Method::POST, GITHUB, &headers, body.to_vec()).await
}

#[tokio::test]
async fn real_payloads_are_taken_by_their_signature() {
    let shared = std::env::var_os("QC_SHARED").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    );
    let folder = shared.join("data/github-webhooks");
    let Ok(files) = fs::read_dir(&folder) else {
        println!("skipped: {} is not there", folder.display());
        return;
    };
    let stage = Stage::new().await;
    let mut taken = 0;
    for file in files.map(|file| file.unwrap().path()) {
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        if file.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let event = name.split('.').next().unwrap();
        let body = fs::read(&file).unwrap();
        let answer = deliver(&stage, event, &name, &body, &signed(&body)).await;
        let output = answer.json();
        assert_eq!(answer.status, 200, "{name}: {output:#}");
        let sent: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let expected = json!({ "type": format!("github.{event}"), "action": sent["action"] });
        assert_eq!(output, json!({ "got": expected }), "{name}");
        taken += 1;
    }
    assert!(taken > 100, "only {taken} payloads");
}

#[tokio::test]
async fn a_repeated_delivery_is_recognised_and_a_forged_one_refused() {
    let stage = Stage::new().await;
    let body = br#"{"action":"opened"}"#;
    let first = deliver(&stage, "issues", "d1", body, &signed(body)).await;
    assert_eq!(first.status, 200);
    let again = deliver(&stage, "issues", "d1", body, &signed(body)).await;
    assert_eq!(again.headers["idempotency-replayed"], "true");
    deliver(&stage, "issues", "d2", body, &signed(b"{}")).await.is(401, "QC-I006");
    let unsigned = [("content-type", "application/json")];
    stage.bare(Method::POST, GITHUB, &unsigned, &body[..]).await.is(401, "QC-I006");
    let runs = stage.get("/api/v1/runs").await.json()["items"].as_array().unwrap().len();
    assert_eq!(runs, 1);
}

#[tokio::test]
async fn handshakes_are_answered_and_make_no_run() {
    let stage = Stage::new().await;
    let query = format!(
        "?hub.mode=subscribe&hub.challenge=42&hub.verify_token={}",
        SECRET.replace(' ', "%20")
    );
    let path = format!("/in/production/test/meta{query}");
    let answer = stage.bare(Method::GET, &path, &[], "").await;
    assert_eq!((answer.status, &answer.body[..]), (200, &b"42"[..]));
    let wrong = "/in/production/test/meta?hub.mode=subscribe&hub.challenge=42&hub.verify_token=x";
    assert_eq!(stage.bare(Method::GET, wrong, &[], "").await.status, 403);
    stage.bare(Method::GET, "/in/production/test/meta", &[], "").await.is(405, "QC-I002");
    // Slack's handshake is itself signed: without a signature there is no answer.
    let body = r#"{"type":"url_verification","challenge":"abc"}"#;
    let headers = [("content-type", "application/json")];
    stage.bare(Method::POST, "/in/production/test/slack", &headers, body).await.is(401, "QC-I006");
    assert_eq!(stage.get("/api/v1/runs").await.json()["items"], json!([]));
}
