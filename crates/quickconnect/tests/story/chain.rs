//! Five servers in a row, each of which waits for the next one, and a system at their end that fails and comes back: what
//! is tried again is tried again in one place, the chain knows how long it is, and it goes on by itself.

use std::{
    fs,
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::Method;
use serde_json::json;

use crate::stage::{
    http::Line,
    project::{replace, secret},
    server::Server,
};

const HOPS: usize = 5;
const EVENTS: u64 = 10;

const WORKFLOW: &str = r#"
document: { dsl: "1.0.3", namespace: example, name: orders, version: "0.1.0" }
use: { secrets: [next] }
do:
  - pass:
      call: http
      with:
        method: post
        endpoint:
          uri: "http://127.0.0.1:PORT/in/sandbox/orders/orders"
          authentication: { bearer: { token: '${ $secrets.next }' } }
        headers: { prefer: wait=20 }
        body: { id: '${ .id }' }
  - note: { set: { id: '${ .id? // "done" }' } }
"#;

const BRIEF: &str = "
secrets: {next: secret://next/token}
tasks: {pass: {effect: idempotent, retry: {attempts: 2, delay: 100ms, backoff: constant}}}
";

/// The hops of each request that the last one was sent.
type Seen = Arc<Mutex<Vec<String>>>;

/// A system that refuses all it is sent until it is well.
fn last() -> (u16, Seen, Arc<AtomicBool>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let (seen, well) = (Seen::default(), Arc::new(AtomicBool::new(false)));
    let (noted, is_well) = (seen.clone(), well.clone());
    thread::spawn(move || {
        for mut caller in listener.incoming().map_while(Result::ok) {
            let (noted, is_well) = (noted.clone(), is_well.clone());
            thread::spawn(move || {
                let mut begin = [0; 8192];
                let count = caller.read(&mut begin).unwrap_or(0);
                let text = String::from_utf8_lossy(&begin[..count]).into_owned();
                let header = |name: &str| {
                    let line = text.lines().find(|line| line.to_lowercase().starts_with(name));
                    line.map_or_else(String::new, |line| line[name.len()..].trim().to_owned())
                };
                noted.lock().unwrap().push(header("qc-hops:"));
                let status = if is_well.load(Ordering::SeqCst) { "200 OK" } else { "503 Away" };
                let answer = format!(
                    "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{{}}"
                );
                drop(caller.write_all(answer.as_bytes()));
            });
        }
    });
    (port, seen, well)
}

async fn server(folder: &std::path::Path, port: u16, token: &str) -> Server {
    fs::create_dir_all(folder).unwrap();
    let mut server = Server::new(folder);
    secret(&server.secrets(), "sandbox", "next/token", token);
    server.start().await;
    server.told(&["init", "mine", "--template", "notify"]);
    server.told(&["new", "integration", "orders", "--folder", "mine"]);
    let orders = server.folder.join("mine/integrations/orders");
    fs::write(orders.join("workflow.yaml"), WORKFLOW.replace("PORT", &port.to_string())).unwrap();
    let brief = orders.join("integration.yaml");
    replace(&brief, "tasks: [note]", "tasks: [pass, note]");
    replace(
        &brief,
        "systems: {}",
        "systems: {next: {hosts: [127.0.0.1], direction: outbound, criticality: high, owner: operations, on_unavailable: fail}}",
    );
    let text = fs::read_to_string(&brief).unwrap();
    fs::write(&brief, text + BRIEF).unwrap();
    let built = server.told(&["release", "build", "orders", "--folder", "mine"]);
    let hash = built["release"].as_str().unwrap_or_else(|| panic!("{built}")).to_owned();
    server.told(&["deploy", "sandbox", &hash]);
    server
}

/// Sends an event and waits for what comes of it: the status, and whether it is said not to try again.
async fn send(server: &Server, id: &str) -> (u16, bool) {
    let headers = [
        ("authorization", format!("Bearer {}", server.token())),
        ("content-type", "application/json".to_owned()),
        ("prefer", "wait=20".to_owned()),
    ];
    let body = Bytes::from(json!({ "id": id }).to_string());
    let mut line = Line::to(server.port);
    let reply = line.send(Method::POST, "/in/sandbox/orders/orders", &headers, body).await.unwrap();
    (reply.status, reply.headers.get("qc-retry").is_some_and(|value| value == "never"))
}

/// How many attempts of calls a server has made.
async fn calls(server: &Server) -> u64 {
    let text = server.ask_text("/metrics").await;
    let line = text.lines().find_map(|line| line.strip_prefix("qc_calls_total "));
    line.unwrap_or_else(|| panic!("{text}")).trim().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_chain_of_five_does_not_multiply_what_happens_at_its_end_and_goes_on_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let (end, seen, well) = last();
    let mut servers: Vec<Server> = Vec::new();
    for hop in (0..HOPS).rev() {
        let (port, token) = match servers.last() {
            Some(next) => (next.port, next.token()),
            None => (end, "any".to_owned()),
        };
        servers.push(server(&folder.path().join(hop.to_string()), port, &token).await);
    }
    let first = servers.last().unwrap();

    // Each fails at the first, which hears that it need not try again.
    for n in 0..EVENTS {
        let (status, never) = send(first, &format!("fails{n}")).await;
        assert!(status >= 500 && never, "{status} {never}");
    }
    let failed = seen.lock().unwrap().clone();
    assert!(failed.iter().all(|hops| *hops == HOPS.to_string()), "{failed:?}");
    // It is tried again at the last hop alone: five layers that did would have sent it 32 times.
    assert!((EVENTS..=EVENTS * 2).contains(&(failed.len() as u64)), "{} of {EVENTS}", failed.len());
    for (hop, server) in servers.iter().rev().enumerate() {
        let sent = calls(server).await;
        let wanted = if hop + 1 == HOPS { failed.len() as u64 } else { EVENTS };
        assert_eq!(sent, wanted, "requests of the hop {hop}");
    }

    // It is well: the next events come through, and soon.
    well.store(true, Ordering::SeqCst);
    let began = Instant::now();
    let mut through = 0;
    for n in 0.. {
        let (status, _) = send(first, &format!("goes{n}")).await;
        through = if status == 200 { through + 1 } else { 0 };
        if through == 10 {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(120), "it does not come back: {status}");
    }
}
