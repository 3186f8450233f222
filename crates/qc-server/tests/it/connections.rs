use std::time::Duration;

use qc_server::ServerSettings;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::stage::Stage;

async fn connect(stage: &Stage) -> TcpStream {
    TcpStream::connect(stage.url.strip_prefix("http://").unwrap()).await.unwrap()
}

#[tokio::test]
async fn a_head_that_comes_drop_by_drop_is_given_up() {
    let settings =
        ServerSettings { head_timeout: Duration::from_millis(200), ..ServerSettings::default() };
    let stage = Stage::with(settings).await;
    let mut slow = connect(&stage).await;
    slow.write_all(b"POST /in/production/test/open HTTP/1.1\r\nhost: x\r\nx-a: ").await.unwrap();
    let mut answer = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(10), slow.read_to_end(&mut answer)).await;
    assert!(ended.is_ok(), "the connection stays open");
}

#[tokio::test]
async fn a_body_that_does_not_come_is_given_up_with_a_problem() {
    let settings =
        ServerSettings { body_timeout: Duration::from_millis(200), ..ServerSettings::default() };
    let stage = Stage::with(settings).await;
    let mut slow = connect(&stage).await;
    let head = "POST /in/production/test/open HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n{";
    slow.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(Duration::from_secs(10), slow.read_to_end(&mut answer))
        .await
        .unwrap()
        .unwrap();
    let text = String::from_utf8_lossy(&answer);
    assert!(text.starts_with("HTTP/1.1 408") && text.contains("QC-I018"), "{text}");
}

#[tokio::test]
async fn a_stopped_server_takes_no_more_but_answers_what_is_in_flight() {
    let stage = Stage::new().await;
    let mut open = connect(&stage).await;
    let body = json!({}).to_string();
    let head = format!(
        "POST /in/production/test/open HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    open.write_all(head.as_bytes()).await.unwrap();
    // The head is being handled when `/healthz` was answered on another connection after it.
    assert_eq!(stage.bare(http::Method::GET, "/healthz", &[], "").await.status, 200);
    stage.stop();
    open.write_all(body.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(Duration::from_secs(10), open.read_to_end(&mut answer))
        .await
        .unwrap()
        .unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 202"), "{}", String::from_utf8_lossy(&answer));
    let address = stage.url.strip_prefix("http://").unwrap().to_owned();
    let refused = async {
        while TcpStream::connect(&address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), refused).await.unwrap();
}

#[tokio::test]
async fn readiness_is_said_and_the_request_is_named() {
    let stage = Stage::new().await;
    stage.state.set_ready(false);
    let answer = stage.bare(http::Method::GET, "/readyz", &[], "").await;
    assert_eq!(answer.status, 503);
    assert!(answer.headers.contains_key("x-request-id"));
}

/// Operations are bounded, and events do not feel it.
#[tokio::test]
async fn too_many_operations_at_once_are_refused_and_events_are_taken() {
    let settings = ServerSettings { operations: 1, ..ServerSettings::default() };
    let stage = Stage::with(settings).await;
    let mut slow = connect(&stage).await;
    let head = format!(
        "POST /api/v1/tokens HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ncontent-length: 10\r\n\r\n{{",
        stage.token
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    let busy = async {
        loop {
            let answer = stage.get("/api/v1/runs").await;
            if answer.status == 503 {
                return answer;
            }
        }
    };
    let busy = tokio::time::timeout(Duration::from_secs(10), busy).await.unwrap();
    busy.is(503, "QC-A024");
    assert_eq!(busy.headers["retry-after"], "1");
    assert_eq!(stage.plain(&[], &json!({})).await.status, 202);
    drop(slow);
    let free = async { while stage.get("/api/v1/runs").await.status != 200 {} };
    tokio::time::timeout(Duration::from_secs(10), free).await.unwrap();
}
