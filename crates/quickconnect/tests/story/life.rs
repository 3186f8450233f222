//! A server's life: it ends gracefully under load, starts only where it may, and refuses what is damaged.

use std::{
    collections::BTreeSet,
    fs,
    io::{Seek, SeekFrom, Write},
    time::Duration,
};

use http::Method;

use crate::stage::{
    http::Line,
    judge::{judge, judge_holdings},
    sender::{Sender, case_of, send_once},
    server::Server,
    story::Story,
};

/// How long a graceful end may take: the calls in flight, and a margin for a busy machine.
const DRAINING: Duration = Duration::from_secs(30);
/// The exit code for what contradicts the present state.
const CONFLICT: i32 = 5;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_graceful_end_under_load_loses_nothing_and_leaves_no_doubt() {
    const EVENTS: usize = 200;
    let mut story = Story::set(1, false).await;
    story.deploy().await;
    let sender = Sender::new(story.server.port, EVENTS, 1);
    let connections = sender.begin(8);
    for _ in 0..3 {
        let before = sender.count();
        sender.let_through(EVENTS / 4);
        let acknowledged = sender.acknowledged_beyond(before + 5);
        tokio::time::timeout(DRAINING, acknowledged).await.expect("events are acknowledged");
        story.server.terminate();
        let status = story.server.ended(DRAINING).await;
        assert_eq!(status.code(), Some(0), "{}", story.server.log_end());
        story.server.start().await;
    }
    sender.let_all_through(8);
    connections.join_all().await;
    let outputs = sender.outcomes(8, 30).await;
    let cases: BTreeSet<String> = (0..EVENTS).map(case_of).collect();
    let seen = story.systems.seen();
    let mut wrongs = sender.complaints();
    wrongs.extend(judge(&cases, &seen));
    wrongs.extend(judge_holdings(&outputs, &story.systems.holdings()));
    assert_eq!(wrongs, Vec::<String>::new());
    // The calls that were in flight were waited for and written down: none was sent twice or looked for, which is what
    // a kill would have led to.
    for (entries, operation) in
        [(&seen.tracker, "createIssue"), (&seen.crm, "putCaseState"), (&seen.chat, "postMessage")]
    {
        let sent =
            entries.iter().filter(|entry| entry.operation.as_deref() == Some(operation)).count();
        assert_eq!(sent, EVENTS, "{operation}");
    }
    let looked =
        seen.chat.iter().filter(|entry| entry.operation.as_deref() == Some("listMessages"));
    assert_eq!(looked.count(), 0, "read-backs");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_second_server_on_the_same_data_is_refused_and_the_first_one_goes_on() {
    let mut story = Story::set(2, false).await;
    story.deploy().await;
    let mut second = Server::new(&story.server.folder);
    assert_ne!(second.port, story.server.port);
    second.spawn();
    let status = second.ended(DRAINING).await;
    assert_eq!(status.code(), Some(CONFLICT), "{}", second.log_end());
    let log = second.log_end();
    assert!(log.contains("QC-S005") && log.contains("in use by another process"), "{log}");
    // On the first one's address it does not even get that far.
    second.port = story.server.port;
    second.data = second.folder.join("other-data");
    second.spawn();
    assert_eq!(second.ended(DRAINING).await.code(), Some(CONFLICT), "{}", second.log_end());
    assert!(!second.data.exists(), "a server without an address made a database");
    let reply = send_once(&mut Line::to(story.server.port), 0, Some(30)).await.unwrap();
    assert_eq!(reply.status, 200, "{}", reply.shown());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_damaged_database_is_refused_with_a_finding_and_left_as_it_is() {
    let mut story = Story::set(3, false).await;
    story.deploy().await;
    let mut line = Line::to(story.server.port);
    for number in 0..20 {
        let reply = send_once(&mut line, number, Some(30)).await.unwrap();
        assert_eq!(reply.status, 200, "{}", reply.shown());
    }
    story.server.terminate();
    assert_eq!(story.server.ended(DRAINING).await.code(), Some(0));
    let database = story.server.data.join("quickconnect.db");
    // What still stands in the log would heal the damage: it must all be in the file itself.
    let log = story.server.data.join("quickconnect.db-wal");
    for _ in 0..10 {
        if fs::metadata(&log).map_or(true, |log| log.len() == 0) {
            break;
        }
        story.server.start().await;
        story.server.terminate();
        assert_eq!(story.server.ended(DRAINING).await.code(), Some(0));
    }
    let whole = fs::read(&database).unwrap();
    for (what, spoil) in [("pages overwritten", 3 * 4096_u64), ("its head overwritten", 0)] {
        fs::write(&database, &whole).unwrap();
        let mut file = fs::OpenOptions::new().write(true).open(&database).unwrap();
        file.seek(SeekFrom::Start(spoil)).unwrap();
        file.write_all(&[0xa5; 4 * 4096]).unwrap();
        drop(file);
        let spoiled = fs::read(&database).unwrap();
        story.server.spawn();
        let status = story.server.ended(DRAINING).await;
        let log = story.server.log_end();
        assert_eq!(status.code(), Some(CONFLICT), "{what}: {log}");
        assert!(log.contains("QC-S0") && log.contains("help"), "{what}: {log}");
        assert!(
            fs::read(&database).unwrap() == spoiled,
            "{what}: a damaged database was written to"
        );
    }
    // The whole one is taken as if nothing had been.
    fs::write(&database, &whole).unwrap();
    story.server.start().await;
    let reply = send_once(&mut Line::to(story.server.port), 0, Some(30)).await.unwrap();
    assert_eq!(reply.headers["idempotency-replayed"], "true");
    assert_eq!(story.server.ask_all("/api/v1/runs").await.len(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_tells_whether_it_is_ready_and_answers_nothing_else_without_a_token() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::new(folder.path());
    server.start().await;
    let mut line = Line::to(server.port);
    for (path, status) in
        [("/healthz", 200), ("/readyz", 200), ("/api/v1/runs", 401), ("/metrics", 401)]
    {
        let reply = line.send(Method::GET, path, &[], bytes::Bytes::new()).await.unwrap();
        assert_eq!(reply.status, status, "{path}: {}", reply.shown());
    }
    // On loopback, without any deployment, a person at the machine has the first token.
    assert_eq!(server.told(&["runs", "list"])["items"], serde_json::json!([]));
    server.terminate();
    assert_eq!(server.ended(DRAINING).await.code(), Some(0));
}
