//! A backup is made under load, the server dies, and what was acknowledged before the backup lives on elsewhere: on SQLite and on
//! PostgreSQL.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::stage::{
    http::Line,
    sender::{Sender, case_of, send_once},
    server::Server,
    story::Story,
};

const EVENTS: usize = 150;
const CONNECTIONS: u64 = 8;
const INTERNAL: i32 = 1;
const CONFLICT: i32 = 5;
const FINDINGS: i32 = 100;

/// Asks the server itself, with the token of the one whose data it has.
fn speak_to(server: &mut Server, token: &str) {
    let url = format!("http://127.0.0.1:{}", server.port);
    server.set("QC_URL", &url);
    server.set("QC_TOKEN", token);
}

fn refused(server: &Server, arguments: &[&str], exit: i32, code: &str) -> String {
    let output = server.qc(arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(exit), "{arguments:?}: {said}");
    assert!(said.contains(code), "{arguments:?}: {said}");
    said
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_acknowledged_before_a_backup_lives_on_elsewhere() {
    let mut story = Story::set(11, false).await;
    story.deploy().await;
    let sender = Sender::new(story.server.port, EVENTS, 11);
    let mut connections = sender.begin(CONNECTIONS);
    sender.let_through(EVENTS / 3);
    sender.acknowledged_beyond(EVENTS / 6).await;
    // Events come before, during and after.
    sender.let_through(EVENTS / 3);
    let before = sender.book();
    let folder = story.server.folder.display().to_string();
    let made = tokio::task::block_in_place(|| story.server.told(&["backup", "--to", &folder]));
    let goal = sender.count();
    sender.let_all_through(usize::try_from(CONNECTIONS).unwrap());
    sender.acknowledged_beyond(goal).await;
    story.server.kill();
    connections.abort_all();
    while connections.join_next().await.is_some() {}

    let file = made["file"].as_str().unwrap().to_owned();
    let runs = made["manifest"]["counts"]["runs"].as_u64().unwrap();
    assert!(runs >= before.len() as u64, "{runs} runs; {} were acknowledged", before.len());
    let token = story.server.token();
    let mut sqlite = story.server.beside("restored");
    speak_to(&mut sqlite, &token);
    let checked = sqlite.told(&["restore", "--check", "--from", &file]);
    assert_eq!((&checked["done"], &checked["sha256"]), (&json!("check"), &made["sha256"]));
    assert!(!sqlite.data.exists(), "a check writes nothing");
    let foreign = ["restore", "--from", &file, "--expect", "00"];
    refused(&sqlite, &foreign, CONFLICT, "QC-S012");
    damaged(&sqlite, &file);

    let restored = sqlite.told(&["restore", "--from", &file]);
    assert_eq!(restored["manifest"], made["manifest"]);
    refused(&sqlite, &["restore", "--from", &file], CONFLICT, "QC-S023");
    lives_on(&mut sqlite, &before, runs).await;
    refused(&sqlite, &["restore", "--from", &file, "--replace"], CONFLICT, "QC-S005");
    sqlite.kill();
    imbalance_is_seen(&mut sqlite).await;

    // The same file takes the whole to PostgreSQL.
    let Some(postgres) = qc_pgserver::shared() else { return };
    let mut shared = story.server.beside("shared");
    speak_to(&mut shared, &token);
    shared.set("QC_STORE", &postgres.url(&postgres.database()));
    shared.told(&["restore", "--from", &file]);
    refused(&shared, &["restore", "--from", &file], CONFLICT, "QC-S023");
    lives_on(&mut shared, &before, runs).await;
    refused(&shared, &["restore", "--from", &file, "--replace"], CONFLICT, "QC-S024");
    // And back: a backup of PostgreSQL under a running node.
    let back = shared.told(&["backup", "--to", &format!("{folder}/back.qcbackup")]);
    assert_eq!(back["manifest"]["store"], "postgres");
    shared.kill();
}

/// A file that was cut, or changed in one bit.
fn damaged(server: &Server, file: &str) {
    let sound = fs::read(file).unwrap();
    let broken = server.folder.join("broken.qcbackup");
    let mut flipped = sound.clone();
    flipped[sound.len() / 2] ^= 1;
    for bytes in [&sound[..sound.len() / 2], &flipped] {
        fs::write(&broken, bytes).unwrap();
        let from = broken.display().to_string();
        for arguments in
            [&["restore", "--from", &from][..], &["restore", "--check", "--from", &from]]
        {
            refused(server, arguments, FINDINGS, "QC-S012");
        }
    }
    assert!(!database(server).exists());
}

fn database(server: &Server) -> std::path::PathBuf {
    Path::new(&server.data).join("quickconnect.db")
}

/// Every run that was acknowledged before the backup is there and ends well, and the account comes out.
async fn lives_on(
    server: &mut Server,
    before: &std::collections::BTreeMap<String, String>,
    runs: u64,
) {
    server.start().await;
    let there = server.ask_all("/api/v1/runs").await;
    assert_eq!(there.len() as u64, runs);
    let mut line = Line::to(server.port);
    for number in (0..EVENTS).filter(|number| before.contains_key(&case_of(*number))) {
        // Its key is known, so this is a repeat, which waits for the end of the run that was restored.
        let reply = send_once(&mut line, number, Some(60)).await.unwrap();
        assert_eq!(reply.status, 200, "{}: {}", case_of(number), reply.shown());
        assert!(reply.headers.contains_key("idempotency-replayed"), "{}", case_of(number));
    }
    for run in before.values() {
        let head = server.ask(&format!("/api/v1/runs/{run}")).await;
        assert_eq!(head["status"], "completed", "{head}");
    }
    let account = server.told(&["reconcile"]);
    assert_eq!(account["balanced"], true, "{account}");
    assert_eq!(account["total"]["received"], json!(runs), "{account}");
    assert_eq!(account["accounts"][0]["integration"], "customer-escalation");
}

/// A row that somebody removed by hand is missed.
async fn imbalance_is_seen(server: &mut Server) {
    let db = rusqlite::Connection::open(database(server)).unwrap();
    let gone = db.execute("DELETE FROM run WHERE no = (SELECT min(no) FROM run)", []).unwrap();
    assert_eq!(gone, 1);
    drop(db);
    server.start().await;
    let said = refused(server, &["reconcile"], INTERNAL, "QC-S028");
    assert!(said.contains("customer-escalation in sandbox: runs must be"), "{said}");
    let output = server.qc(&["reconcile", "--json"]);
    let account: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(account["balanced"], false);
    let gap = &account["total"]["gaps"][0];
    assert_eq!(gap["counted"].as_i64().unwrap() - gap["held"].as_i64().unwrap(), 1, "{gap}");
    server.kill();
}
