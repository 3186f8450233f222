//! Providers over HTTP: real sockets, broken connections, the control endpoints.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod scene;

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use qc_simulator::{Answered, ServeSpec, Serving, serve, start};
use scene::*;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

async fn served(name: &str) -> Serving {
    let provider = Arc::new(provider(name, &at_noon()));
    serve(provider, TcpListener::bind("127.0.0.1:0").await.unwrap()).unwrap()
}

fn raw(method: &str, target: &str, body: &str) -> String {
    format!(
        "{method} {target} HTTP/1.1\r\nhost: chat\r\nauthorization: Bearer chat-token\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Sends a request and reads one answer with a content length.
async fn exchange(stream: &mut TcpStream, request: &str) -> std::io::Result<(u16, String)> {
    stream.write_all(request.as_bytes()).await?;
    let mut bytes = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let count = stream.read(&mut chunk).await?;
        if count == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        bytes.extend_from_slice(&chunk[..count]);
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head
            .lines()
            .find_map(|line| {
                line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok()
            })
            .unwrap_or(0usize);
        if body.len() >= length {
            let status = head.split(' ').nth(1).unwrap().parse().unwrap();
            return Ok((status, body.to_owned()));
        }
    }
}

async fn json_exchange(stream: &mut TcpStream, request: &str) -> (u16, Value) {
    let (status, body) = exchange(stream, request).await.unwrap();
    (status, serde_json::from_str(&body).unwrap_or_default())
}

const MESSAGES: &str = "/channels/support/messages";

#[tokio::test]
async fn a_connection_is_kept_and_control_answers() {
    let serving = served("chat").await;
    let mut stream = TcpStream::connect(serving.address()).await.unwrap();
    for n in 1..=3 {
        let (status, body) =
            json_exchange(&mut stream, &raw("POST", MESSAGES, r#"{"text": "hi"}"#)).await;
        assert_eq!((status, &body["id"]), (200, &json!(format!("MSG-{n}"))));
    }
    let (_, health) = json_exchange(&mut stream, &raw("GET", "/_sim/health", "")).await;
    assert_eq!((&health["provider"], &health["received"]), (&json!("chat"), &json!(3)));
    let (_, state) = json_exchange(&mut stream, &raw("GET", "/_sim/state", "")).await;
    assert_eq!(state[MESSAGES].as_array().unwrap().len(), 3);
    let (_, log) =
        json_exchange(&mut stream, &raw("GET", "/_sim/requests?after=1&limit=1", "")).await;
    assert_eq!(log["requests"].as_array().unwrap().len(), 1);
    assert_eq!(log["requests"][0]["seq"], 2);
    let fault = r#"{"then": "unavailable", "times": 2}"#;
    assert_eq!(json_exchange(&mut stream, &raw("POST", "/_sim/faults", fault)).await.0, 201);
    assert_eq!(
        json_exchange(&mut stream, &raw("POST", MESSAGES, r#"{"text": "hi"}"#)).await.0,
        503
    );
    let (_, faults) = json_exchange(&mut stream, &raw("GET", "/_sim/faults", "")).await;
    assert_eq!(faults[0]["times"], 1);
    assert_eq!(json_exchange(&mut stream, &raw("DELETE", "/_sim/faults", "")).await.0, 204);
    assert_eq!(
        json_exchange(&mut stream, &raw("POST", MESSAGES, r#"{"text": "hi"}"#)).await.0,
        200
    );
    let (status, body) =
        json_exchange(&mut stream, &raw("POST", "/_sim/faults", "then: explode")).await;
    assert_eq!((status, &body["findings"][0]["code"]), (422, &json!("QC-T003")));
    assert_eq!(json_exchange(&mut stream, &raw("POST", "/_sim/state", "")).await.0, 405);
    assert_eq!(json_exchange(&mut stream, &raw("GET", "/_sim/nothing", "")).await.0, 404);
    serving.stop().await;
}

#[tokio::test]
async fn a_dropped_answer_is_a_reset_after_the_effect() {
    let serving = served("chat").await;
    serving.provider().inject(fault("then: drop_after_apply")).unwrap();
    let mut stream = TcpStream::connect(serving.address()).await.unwrap();
    let error =
        exchange(&mut stream, &raw("POST", MESSAGES, r#"{"text": "hi"}"#)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
    assert_eq!(count(serving.provider(), MESSAGES), 1);
    assert_eq!(serving.provider().requests()[0].answered, Answered::Dropped);
    serving.stop().await;
}

#[tokio::test]
async fn a_hanging_provider_says_nothing_and_stopping_ends_it() {
    let serving = served("chat").await;
    serving.provider().inject(fault("then: hang")).unwrap();
    let mut stream = TcpStream::connect(serving.address()).await.unwrap();
    let request = raw("POST", MESSAGES, r#"{"text": "hi"}"#);
    let silence =
        tokio::time::timeout(Duration::from_millis(200), exchange(&mut stream, &request)).await;
    assert!(silence.is_err());
    serving.stop().await;
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut rest)).await;
    assert!(ended.is_ok() && rest.is_empty());
}

fn spec(folder: PathBuf, address: &str, ledger: Option<PathBuf>) -> ServeSpec {
    ServeSpec {
        name: "chat".into(),
        folder,
        address: address.parse().unwrap(),
        ledger,
        credentials: credentials(),
        faults: Vec::new(),
        seed: 7,
    }
}

#[tokio::test]
async fn what_cannot_be_served_is_told() {
    let codes = async |spec: ServeSpec| -> Vec<String> {
        let findings = start(vec![spec], at_noon()).await.unwrap_err();
        findings.iter().map(|finding| finding.code.to_string()).collect()
    };
    assert_eq!(codes(spec(folder("chat"), "0.0.0.0:0", None)).await, ["QC-T008"]);
    assert_eq!(codes(spec(folder("nobody"), "127.0.0.1:0", None)).await, ["QC-T006"]);
    let directory = tempfile::tempdir().unwrap();
    let ledger = directory.path().join("missing/ledger.ndjson");
    assert_eq!(codes(spec(folder("chat"), "127.0.0.1:0", Some(ledger))).await, ["QC-T007"]);
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    assert_eq!(codes(spec(folder("chat"), &address, None)).await, ["QC-T008"]);
}
