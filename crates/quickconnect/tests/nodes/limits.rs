//! Three nodes that share a limit: all together let in what is written, also while one of them is killed.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::Method;
use serde_json::json;

use crate::stage::{http::Line, process::PATIENCE, server::Server};

/// Units that are there at once, and that come back in a second.
const BURST: usize = 100;
const RATE: u128 = 10;
/// What comes at each node: all together far more than the limit.
const LINES: usize = 4;
const EACH: usize = 25;
/// How often an event is sent while the store is away.
const TRIES: usize = 10;

const LIMITS: &str = "
class: deferrable
limits:
  - {name: all-orders, scope: integration, rate: 10/s, burst: 100, protects: The till., on_excess: reject}
  - {name: a-day, scope: tenant, rate: 1000/d, protects: The day., on_excess: reject}
  - {name: waits, scope: tenant, rate: 9000/s, protects: The desk., on_excess: {queue: {max: 900, ttl: 1m}}}
";

const WORKFLOW: &str = r#"
document: { dsl: "1.0.3", namespace: example, name: orders, version: "0.1.0" }
do:
  - note: { set: { noted: '${ .id }' } }
"#;

fn deploy(server: &Server) {
    server.told(&["init", "mine", "--template", "notify"]);
    server.told(&["new", "integration", "orders", "--folder", "mine"]);
    let orders = server.folder.join("mine/integrations/orders");
    fs::write(orders.join("workflow.yaml"), WORKFLOW).unwrap();
    let brief = orders.join("integration.yaml");
    let text = fs::read_to_string(&brief).unwrap();
    fs::write(&brief, text + LIMITS).unwrap();
    let built = server.told(&["release", "build", "orders", "--folder", "mine"]);
    let hash = built["release"].as_str().unwrap_or_else(|| panic!("{built}")).to_owned();
    server.told(&["deploy", "sandbox", &hash]);
}

async fn send(line: &mut Line, token: &str, id: &str) -> u16 {
    let headers = [
        ("authorization", format!("Bearer {token}")),
        ("content-type", "application/json".to_owned()),
    ];
    let body = Bytes::from(json!({ "id": id }).to_string());
    for _ in 0..TRIES {
        let reply =
            line.send(Method::POST, "/in/sandbox/orders/orders", &headers, body.clone()).await;
        let reply = reply.unwrap();
        if reply.status == 202 {
            // A limit that has events wait is divided among the nodes, and each tells its part.
            let told = reply.headers["ratelimit-policy"].to_str().unwrap();
            let part = told.split("\"waits\";q=").nth(1).and_then(|told| told.split(';').next());
            assert!(["9000", "4500", "3000"].contains(&part.unwrap()), "{told}");
            return 202;
        }
        let problem = reply.json();
        if reply.status == 429 {
            assert_eq!(problem["violated-policies"], json!(["all-orders"]), "{}", reply.shown());
            assert!(problem["retry_after"].as_u64().is_some_and(|wait| (1..=3).contains(&wait)));
            return 429;
        }
        // A database of a busy machine may take longer than a request waits: it says so, and the sender comes again.
        assert_eq!((reply.status, &problem["code"]), (503, &json!("QC-I014")), "{}", reply.shown());
        tokio::time::sleep(Duration::from_secs(problem["retry_after"].as_u64().unwrap())).await;
    }
    panic!("the store is not there for {TRIES} tries");
}

/// Sends from many lines at once to these nodes. How many came in.
async fn flood(nodes: &[&Server], part: &str) -> usize {
    let came = Arc::new(AtomicUsize::new(0));
    let mut lines = tokio::task::JoinSet::new();
    for (node, server) in nodes.iter().enumerate() {
        for line in 0..LINES {
            let (port, token, came) = (server.port, nodes[0].token(), Arc::clone(&came));
            let part = part.to_owned();
            lines.spawn(async move {
                let mut to = Line::to(port);
                for number in 0..EACH {
                    let id = format!("{part}-{node}-{line}-{number}");
                    if send(&mut to, &token, &id).await == 202 {
                        came.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    }
    lines.join_all().await;
    came.load(Ordering::Relaxed)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn three_nodes_let_in_what_one_limit_says() {
    let Some(postgres) = qc_pgserver::shared() else { return };
    let url = postgres.url(&postgres.database());
    let folder = tempfile::tempdir().unwrap();
    let mut first = Server::new(folder.path());
    let (mut second, mut third) = (first.beside("second"), first.beside("third"));
    for server in [&mut first, &mut second, &mut third] {
        server.set("QC_STORE", &url);
        server.set("QC_LEASE_TTL", "3s");
        server.start().await;
    }
    deploy(&first);
    for server in [&second, &third] {
        let began = Instant::now();
        while server.ask("/api/v1/deployments").await["items"][0]["live"] != true {
            assert!(began.elapsed() < PATIENCE, "{}", server.log_end());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    // A node tells its part as soon as it has heard of the others.
    let began = Instant::now();
    loop {
        let explained = first.told(&["limits", "explain", "/in/sandbox/orders/orders"]);
        let waits = explained["items"].as_array().unwrap().iter().find(|it| it["name"] == "waits");
        let waits = waits.unwrap_or_else(|| panic!("{explained}"));
        if (&waits["quota"], &waits["queue"]["max"]) == (&json!(3000), &json!(300)) {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "{waits}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    // However fast the machine is: what came in is the burst, and what came back meanwhile.
    let began = Instant::now();
    let mut came = flood(&[&first, &second, &third], "all").await;
    let most = |began: Instant| {
        BURST + usize::try_from(RATE * began.elapsed().as_millis() / 1000).unwrap()
    };
    println!("three nodes: {came} of {} came in, at most {}", 3 * LINES * EACH, most(began));
    assert!(came <= most(began), "{came}");
    assert!(came >= BURST * 9 / 10, "{came}");

    // What it had drawn dies with it; the others go on, and still let in no more.
    third.kill();
    let enough = came + 3 * BURST / 2;
    let mut round = 0;
    while came < enough {
        assert!(began.elapsed() < PATIENCE, "{came} of {enough}: {}", second.log_end());
        came += flood(&[&first, &second], &format!("round-{round}")).await;
        assert!(came <= most(began), "{came}");
        round += 1;
    }
    second.kill();
    first.kill();
}
