use std::{collections::BTreeSet, time::Duration};

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

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_second_node_waits_and_takes_over() {
    let Some(postgres) = qc_pgserver::shared() else { return };
    let url = postgres.url(&postgres.database());
    let mut story = Story::set(8, false).await;
    story.server.set("QC_STORE", &url);
    story.server.set("QC_NODE", "first");
    story.deploy().await;
    let mut second = Server::new(&story.server.folder);
    second.data = second.folder.join("second");
    second.set("QC_STORE", &url);
    second.set("QC_NODE", "second");
    second.start().await;
    let reply = send_once(&mut Line::to(story.server.port), 0, Some(30)).await.unwrap();
    assert_eq!(reply.status, 200, "{}", reply.shown());
    let leased = async |server: &Server| server.ask("/api/v1/server").await["leased"] == true;
    assert!(leased(&story.server).await && !leased(&second).await);
    // The waiting node takes events all the same; the owner finds and runs them.
    let reply = send_once(&mut Line::to(second.port), 1, None).await.unwrap();
    assert_eq!(reply.status, 202, "{}", reply.shown());
    story.server.kill();
    let taking_over = async {
        while !leased(&second).await {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(TAKING_OVER, taking_over).await.expect("the second node takes over");
    for number in 2..10 {
        let reply = send_once(&mut Line::to(second.port), number, Some(30)).await.unwrap();
        assert_eq!(reply.status, 200, "{}", reply.shown());
    }
    let ended = async {
        loop {
            let runs = second.ask_all("/api/v1/runs").await;
            if runs.iter().filter(|run| run["status"] == "completed").count() == 10 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(TAKING_OVER, ended).await.expect("every run ends");
    let cases: BTreeSet<String> = (0..10).map(case_of).collect();
    assert_eq!(judge(&cases, &story.systems.seen()), Vec::<String>::new());
}
