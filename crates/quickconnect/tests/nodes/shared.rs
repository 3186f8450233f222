use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::stage::{
    http::Line,
    judge::{judge, judge_holdings},
    sender::{Sender, case_of, send_once},
    server::Server,
    story::Story,
};

const CONNECTIONS: usize = 8;
/// How long the runs get to end after the last kill.
const ENDING: u64 = 60;
/// How long a node may take to take over: the lease's time, and a margin for a busy machine.
const TAKING_OVER: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_effect_takes_place_once_though_node_and_database_crash() {
    const EVENTS: usize = 200;
    let Some(postgres) = qc_pgserver::own(&[]) else { return };
    let mut story = Story::set(7, true).await;
    story.server.set("QC_STORE", &postgres.url(&postgres.database()));
    // A process that follows another one has another name: it waits for the lease to run out.
    story.server.set("QC_LEASE_TTL", "3s");
    story.deploy().await;
    let sender = Sender::new(story.server.port, EVENTS, 7);
    let connections = sender.begin(CONNECTIONS as u64);
    for turn in 0..4 {
        let before = sender.count();
        sender.let_through(EVENTS / 5);
        let acknowledged = sender.acknowledged_beyond(before + 5);
        tokio::time::timeout(TAKING_OVER, acknowledged).await.expect("events are acknowledged");
        if turn % 2 == 0 {
            story.server.kill();
            story.server.start().await;
        } else {
            tokio::task::block_in_place(|| {
                postgres.stop("immediate");
                postgres.go_on();
            });
        }
    }
    sender.let_all_through(CONNECTIONS);
    connections.join_all().await;
    let outputs = sender.outcomes(CONNECTIONS, ENDING).await;
    let cases: BTreeSet<String> = (0..EVENTS).map(case_of).collect();
    let mut wrongs = sender.complaints();
    wrongs.extend(judge(&cases, &story.systems.seen()));
    wrongs.extend(judge_holdings(&outputs, &story.systems.holdings()));
    assert_eq!(wrongs, Vec::<String>::new());
}

/// How many groups of runs a node has.
async fn groups(server: &Server) -> u64 {
    server.ask("/api/v1/server").await["groups"].as_u64().unwrap()
}

async fn until_groups(server: &Server, expected: u64, limit: Duration) -> Duration {
    let began = Instant::now();
    while groups(server).await != expected {
        assert!(began.elapsed() < limit, "{}", server.log_end());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    began.elapsed()
}

/// Two nodes share the runs, each reaches those of the other, and one that ends in peace is replaced
/// at once, long before its lease would have run out.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_nodes_share_the_runs_and_hand_them_over() {
    let Some(postgres) = qc_pgserver::shared() else { return };
    let url = postgres.url(&postgres.database());
    let mut story = Story::set(8, false).await;
    let mut second = story.server.beside("second");
    for server in [&mut story.server, &mut second] {
        server.set("QC_STORE", &url);
        server.set("QC_LEASE_TTL", "20s");
    }
    story.deploy().await;
    second.start().await;
    until_groups(&second, 32, TAKING_OVER).await;
    let mut lines = [Line::to(story.server.port), Line::to(second.port)];
    for number in 0..10 {
        let reply = send_once(&mut lines[number % 2], number, Some(30)).await.unwrap();
        assert_eq!(reply.status, 200, "{}", reply.shown());
        // Whoever asks the other node about the same event waits for the same run.
        let reply = send_once(&mut lines[1 - number % 2], number, Some(30)).await.unwrap();
        assert_eq!(reply.status, 200, "{}", reply.shown());
    }
    // A run that waits for a credential, cancelled through the node that does not own it.
    let token = story.server.secrets().join("sandbox/chat/token");
    let secret = std::fs::read(&token).unwrap();
    std::fs::remove_file(&token).unwrap();
    for number in 10..14 {
        let reply = send_once(&mut lines[number % 2], number, None).await.unwrap();
        assert_eq!(reply.status, 202, "{}", reply.shown());
        let run = reply.json()["run"].as_str().unwrap().to_owned();
        let path = format!("/api/v1/runs/{run}");
        let other = if number % 2 == 0 { &second } else { &story.server };
        let began = Instant::now();
        while other.ask(&path).await["status"] != "parked" {
            assert!(began.elapsed() < TAKING_OVER, "{}", other.log_end());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let reason = json!({"reason": "a test"});
        let reply = other.post(&format!("{path}/cancel"), &reason).await;
        assert_eq!(reply.status, 204, "{}", reply.shown());
        let again = other.post(&format!("{path}/cancel"), &reason).await;
        assert_eq!(again.status, 409, "{}", again.shown());
    }
    std::fs::write(&token, secret).unwrap();
    let doctor = story.server.well(&["doctor"]);
    assert!(doctor.contains("32 of 64 groups, 2 nodes in all"), "{doctor}");
    story.server.terminate();
    let took = until_groups(&second, 64, TAKING_OVER).await;
    assert!(took < Duration::from_secs(8), "the other went on after {took:?}");
    let status = story.server.ended(TAKING_OVER).await;
    assert!(status.success(), "{status}");
    let log = std::fs::read_to_string(story.server.log_file()).unwrap();
    assert!(log.contains("all groups of runs were handed over"), "{log}");
}
