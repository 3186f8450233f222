//! The management API at an address of its own, and events that do without it.

use std::collections::BTreeSet;

use bytes::Bytes;
use http::Method;
use serde_json::json;

use crate::stage::{
    http::Line,
    judge::judge,
    port::Port,
    process::PATIENCE,
    sender::{case_of, send_once},
    story::Story,
};

async fn status(port: u16, path: &str) -> u16 {
    Line::to(port).send(Method::GET, path, &[], Bytes::new()).await.unwrap().status
}

/// Events are accepted and delivered while no node serves the management API.
#[tokio::test(flavor = "multi_thread")]
async fn events_are_taken_and_delivered_without_the_management_api() {
    let mut story = Story::set(21, false).await;
    story.deploy().await;
    story.server.terminate();
    assert!(story.server.ended(PATIENCE).await.success());
    story.server.set("QC_API_LISTEN", "off");
    story.server.start().await;
    let port = story.server.port;
    assert_eq!(status(port, "/api/v1/openapi.json").await, 404);
    assert_eq!(status(port, "/readyz").await, 200);
    let mut line = Line::to(port);
    for number in 0..3 {
        let reply = send_once(&mut line, number, Some(30)).await.unwrap();
        assert_eq!(reply.status, 200, "{}", reply.shown());
    }
    let refused = story.server.qc(&["runs", "list"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("takes events only"), "{said}");
    let cases: BTreeSet<String> = (0..3).map(case_of).collect();
    assert_eq!(judge(&cases, &story.systems.seen()), Vec::<String>::new());
}

/// Each address answers what it is for, and the command line finds both.
#[tokio::test(flavor = "multi_thread")]
async fn the_management_api_has_an_address_of_its_own() {
    let mut story = Story::set(22, false).await;
    let api = Port::reserve();
    story.server.set("QC_API_LISTEN", &format!("127.0.0.1:{}", api.number));
    story.deploy().await;
    assert_eq!(status(story.server.port, "/api/v1/openapi.json").await, 404);
    assert_eq!(status(api.number, "/in/sandbox/case-escalation/crm").await, 404);
    for port in [story.server.port, api.number] {
        assert_eq!(status(port, "/readyz").await, 200);
    }
    let body = json!({ "no": "case" }).to_string();
    std::fs::write(story.server.folder.join("event.json"), body).unwrap();
    let sent = story.server.qc(&["trigger", "sandbox", "nothing/here", "--data", "event.json"]);
    let said = String::from_utf8_lossy(&sent.stderr).into_owned();
    assert!(!said.contains("taken at another address") && said.contains("QC-I"), "{said}");
    story.server.well(&["runs", "list"]);
    let doctor = story.server.well(&["doctor"]);
    assert!(doctor.contains(&api.number.to_string()), "{doctor}");
}
