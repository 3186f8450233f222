//! `qc demo --exit` tells the story and judges it; when somebody meddles with the systems, it says so and fails.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, ChildStderr, Command, Stdio},
    time::Duration,
};

use bytes::Bytes;
use http::Method;
use tempfile::TempDir;

use crate::stage::http::Line;

/// The exit code for findings.
const FINDINGS: i32 = 100;

fn begin(folder: &TempDir) -> Child {
    Command::new(env!("CARGO_BIN_EXE_qc"))
        .args(["demo", "--exit"])
        .env_clear()
        .env("HOME", folder.path())
        .env("QC_CONTEXT", folder.path().join("context.json"))
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The port of a simulated system, as the program says it when it begins.
fn port_of(system: &str, errors: &mut BufReader<ChildStderr>) -> u16 {
    let mut line = String::new();
    while errors.read_line(&mut line).unwrap() > 0 {
        let said = line.trim_end();
        if said.starts_with(system)
            && let Some((_, port)) = said.rsplit_once(':')
        {
            return port.parse().unwrap();
        }
        line.clear();
    }
    panic!("the program does not say where {system} is");
}

/// The rest of what it prints, and its exit code.
fn end(mut child: Child, mut errors: BufReader<ChildStderr>) -> (String, Option<i32>) {
    let mut out = String::new();
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    let mut rest = String::new();
    errors.read_to_string(&mut rest).unwrap();
    (format!("{out}\n{rest}"), child.wait().unwrap().code())
}

#[test]
fn the_demonstration_shows_its_story_and_every_effect_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = begin(&folder);
    let errors = BufReader::new(child.stderr.take().unwrap());
    let (said, code) = end(child, errors);
    assert_eq!(code, Some(0), "{said}");
    for fact in [
        "CASE-1042",
        "CASE-1043",
        "429",
        "503",
        "401",
        "completed",
        "every effect took place exactly once",
    ] {
        assert!(said.contains(fact), "`{fact}` is not in:\n{said}");
    }
}

#[tokio::test]
async fn a_message_that_somebody_else_posted_for_a_case_makes_it_fail() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = begin(&folder);
    let mut errors = BufReader::new(child.stderr.take().unwrap());
    let mut chat = Line::to(port_of("chat", &mut errors));
    let headers = [
        ("authorization", "Bearer demo-token".to_owned()),
        ("content-type", "application/json".to_owned()),
    ];
    let body = Bytes::from_static(br#"{"text": "meddling", "ref": "CASE-1043"}"#);
    let reply =
        chat.send(Method::POST, "/channels/support/messages", &headers, body).await.unwrap();
    assert!(reply.status < 300, "{}", reply.shown());
    let ended = tokio::task::spawn_blocking(move || end(child, errors));
    let (said, code) = tokio::time::timeout(Duration::from_secs(60), ended).await.unwrap().unwrap();
    assert_eq!(code, Some(FINDINGS), "{said}");
    assert!(said.contains("2 TIMES"), "{said}");
}

#[tokio::test]
async fn an_effect_that_is_missing_makes_it_fail() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = begin(&folder);
    let mut errors = BufReader::new(child.stderr.take().unwrap());
    let mut crm = Line::to(port_of("crm", &mut errors));
    let fault = Bytes::from_static(
        b"{when: {operation: putCaseState}, then: {status: {code: 422}}, times: 100}",
    );
    let reply = crm.send(Method::POST, "/_sim/faults", &[], fault).await.unwrap();
    assert_eq!(reply.status, 201, "{}", reply.shown());
    let ended = tokio::task::spawn_blocking(move || end(child, errors));
    let (said, code) = tokio::time::timeout(Duration::from_secs(60), ended).await.unwrap().unwrap();
    assert_eq!(code, Some(FINDINGS), "{said}");
    assert!(said.contains("MISSING"), "{said}");
}
