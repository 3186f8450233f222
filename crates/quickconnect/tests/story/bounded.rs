//! One run that ends the process does not end it for ever, and the limits are there for people to see.

use std::{sync::Arc, time::Duration};

use qc_model::RunId;
use qc_sql::sqlite::{SqliteOptions, SqliteStore};
use qc_store::{BUCKETS, Store, Write};
use serde_json::Value;

use crate::stage::{http::Line, sender::send_once, story::Story};

const LIFE: Duration = Duration::from_secs(30);

/// What five processes leave that ended when they had taken the run up.
async fn five_lives(file: &std::path::Path) -> RunId {
    let store: Arc<dyn Store> =
        Arc::new(SqliteStore::open(file, SqliteOptions::default()).unwrap());
    let open = store.open_runs(0..BUCKETS, None, 100).await.unwrap();
    let run = open.first().expect("the kill left runs").facts.id;
    let lease = store.lease(0..BUCKETS, "before", LIFE).await.unwrap().unwrap();
    for _ in 0..5 {
        let claim = Write::Claim { lease: lease.clone(), runs: vec![run] };
        store.write(vec![claim]).await.unwrap();
    }
    run
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_run_of_five_lost_lives_is_left_alone_until_a_person_has_it_go_on() {
    let mut story = Story::set(11, false).await;
    story.deploy().await;
    let mut line = Line::to(story.server.port);
    for number in 0..10 {
        let reply = send_once(&mut line, number, None).await.unwrap();
        assert_eq!(reply.status, 202, "{}", reply.shown());
    }
    story.server.kill();
    let culprit = five_lives(&story.server.data.join("quickconnect.db")).await.to_string();
    story.server.start().await;
    let run = |of: &Value| of["run"]["summary"].as_str().unwrap_or_default().to_owned();
    let mut shown = Value::Null;
    for _ in 0..300 {
        let all = story.server.told(&["runs", "list", "--limit", "100"]);
        let runs = all["items"].as_array().unwrap().clone();
        let done = |run: &Value| run["run"] == culprit.as_str() || run["status"] == "completed";
        shown = story.server.told(&["runs", "show", &culprit]);
        if runs.iter().all(done) && run(&shown).starts_with("QC-R003") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(run(&shown).starts_with("QC-R003"), "{shown}\n{}", story.server.log_end());
    assert_eq!(shown["run"]["status"], "parked");
    let metrics = story.server.ask_text("/metrics").await;
    assert!(metrics.contains("qc_runs_quarantined_total 1"), "{metrics}");
    story.server.well(&["runs", "resume", &culprit]);
    for _ in 0..300 {
        shown = story.server.told(&["runs", "show", &culprit]);
        if shown["run"]["status"] == "completed" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(shown["run"]["status"], "completed", "{shown}");
    let doctor = story.server.told(&["doctor"]);
    let limits = doctor["checks"].as_array().unwrap().iter().find(|one| one["name"] == "limits");
    let limits = limits.and_then(|limits| limits["detail"].as_str()).unwrap_or_default();
    assert!(limits.contains("4000 calls in flight") && limits.contains("512 MiB"), "{doctor}");
    story.server.terminate();
    assert_eq!(story.server.ended(LIFE).await.code(), Some(0));
}
