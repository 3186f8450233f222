//! A large event lies among the large bodies, once, and is read back whole: after a kill, by the API, by a replay.

use std::{collections::BTreeSet, fs, path::Path};

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};

use crate::stage::{
    http::{Line, Reply},
    sender::event_of,
    signing::signed,
    story::Story,
};

const TRIGGER: &str = "/in/sandbox/customer-escalation/case-escalated";
const NOTE: usize = 50_000;

/// An event with a long note, and its signature.
async fn send(port: u16, number: usize) -> Reply {
    let mut event: Value = serde_json::from_slice(&event_of(number)).unwrap();
    event["data"]["note"] = json!("n".repeat(NOTE));
    let body = Bytes::from(event.to_string());
    let mut headers = vec![
        ("content-type", "application/cloudevents+json".to_owned()),
        ("prefer", "wait=60".to_owned()),
    ];
    headers.extend(signed(&format!("msg_{number}"), &body));
    Line::to(port).send(Method::POST, TRIGGER, &headers, body).await.unwrap()
}

/// The large bodies in the folder: each with the runs that hold it.
fn bodies(data: &Path) -> BTreeSet<Vec<String>> {
    let names = |folder: &Path| -> Vec<std::path::PathBuf> {
        fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
    };
    let shelves = names(&data.join("blobs")).into_iter().filter(|path| !path.ends_with("tmp"));
    shelves
        .flat_map(|shelf| names(&shelf))
        .filter(|home| fs::metadata(home.join("body")).is_ok_and(|body| body.len() > NOTE as u64))
        .map(|home| {
            let runs = names(&home.join("runs")).into_iter();
            let mut runs: Vec<String> =
                runs.map(|run| run.file_name().unwrap().to_string_lossy().into_owned()).collect();
            runs.sort();
            runs
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_large_event_is_kept_once_and_read_back_whole() {
    let mut story = Story::set(3, false).await;
    story.deploy().await;
    let reply = send(story.server.port, 1).await;
    assert_eq!(reply.status, 200, "{}", reply.shown());
    let runs = story.server.ask_all("/api/v1/runs").await;
    let run = runs[0]["run"].as_str().unwrap().to_owned();
    let held = bodies(&story.server.data);
    assert!(held.contains(&vec![run.clone()]), "{held:?}");
    let database = fs::metadata(story.server.data.join("quickconnect.db")).unwrap().len();
    let log =
        fs::metadata(story.server.data.join("quickconnect.db-wal")).map_or(0, |log| log.len());
    println!("database {database} bytes, log {log} bytes, large bodies {held:?}");

    story.server.kill();
    story.server.start().await;
    let whole = |journal: &Value| {
        let text = journal.to_string();
        assert!(text.contains(&"n".repeat(NOTE)), "the note is not there");
        assert!(!text.contains("qc:blob"), "a marker is shown");
    };
    whole(&story.server.ask(&format!("/api/v1/runs/{run}/journal")).await);
    let again = send(story.server.port, 1).await;
    assert_eq!(again.status, 200, "a repeat: {}", again.shown());
    assert!(again.headers.contains_key("idempotency-replayed"));
    let replayed = story.server.told(&["runs", "replay", &run]);
    let other = replayed["run"].as_str().unwrap().to_owned();
    let held = bodies(&story.server.data);
    let mut both = vec![run.clone(), other.clone()];
    both.sort();
    assert!(held.contains(&both), "the same event is kept once: {held:?}");
    whole(&story.server.ask(&format!("/api/v1/runs/{other}/journal")).await);
    // And a backup has it.
    let folder = story.server.folder.display().to_string();
    let made = story.server.told(&["backup", "--to", &folder]);
    story.server.kill();
    let mut elsewhere = story.server.beside("elsewhere");
    elsewhere.told(&["restore", "--from", made["file"].as_str().unwrap()]);
    assert_eq!(bodies(&elsewhere.data), held);
    elsewhere.start().await;
    whole(&elsewhere.ask(&format!("/api/v1/runs/{run}/journal")).await);
    elsewhere.kill();
}
