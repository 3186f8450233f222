//! A system is away, and many runs die of it: they are one group, and when the system is back they go on by a plan,
//! throttled, with the server killed in the middle, each of them once by the systems' own ledgers.

use std::fs;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};

use crate::stage::{
    http::Line,
    judge::judge,
    port::Port,
    project::replace,
    sender::{case_of, send_once},
    server::Server,
    story::Story,
};

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// So many runs die.
const RUNS: usize = 30;

/// Asks until the answer is as it should be.
async fn until(server: &Server, arguments: &[&str], what: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    let mut told = Value::Null;
    while began.elapsed() < PATIENCE {
        told = server.told(arguments);
        if what(&told) {
            return told;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("qc {arguments:?} never says that: {told:#}\n{}", server.log_end());
}

fn count(told: &Value) -> usize {
    told["items"].as_array().map_or(0, Vec::len)
}

/// From now on the port leads to the address.
async fn open(port: u16, address: String) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.unwrap();
    let target = address.strip_prefix("http://").unwrap().to_owned();
    tokio::spawn(async move {
        while let Ok((mut caller, _)) = listener.accept().await {
            let target = target.clone();
            tokio::spawn(async move {
                if let Ok(mut called) = TcpStream::connect(target).await {
                    drop(tokio::io::copy_bidirectional(&mut caller, &mut called).await);
                }
            });
        }
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_died_of_an_outage_goes_on_once_each_although_the_server_is_killed_meanwhile() {
    let chat = Port::reserve();
    let mut story = Story::doctored(7, false, |project| {
        replace(&project.join("connectors/chat/connector.yaml"), "attempts: 6", "attempts: 1");
        let integration = project.join("integrations/customer-escalation/integration.yaml");
        // It fails; it is not waited for.
        let text = fs::read_to_string(&integration).unwrap();
        let (before, rest) = text.split_once("    on_unavailable:\n      fallback:").unwrap();
        let (_, after) = rest.split_once("\n\n").unwrap();
        fs::write(&integration, format!("{before}    on_unavailable: fail\n\n{after}")).unwrap();
        replace(&integration, "on_unavailable: fallback", "on_unavailable: fail");
        replace(&integration, "\nowners:", "\nsearch_keys: {case: .data.case_id}\n\nowners:");
    })
    .await;
    // Nobody listens at the chat's address for now.
    let [_, _, (_, address)] = story.systems.addresses();
    let organisation = story.server.folder.join("project/quickconnect.yaml");
    replace(&organisation, &address, &format!("http://127.0.0.1:{}", chat.number));
    story.deploy().await;
    let mut line = Line::to(story.server.port);
    for number in 0..RUNS {
        let reply = send_once(&mut line, number, None).await.unwrap();
        assert_eq!(reply.status, 202, "{}", reply.shown());
    }
    let server = &story.server;
    until(server, &["dlq", "list", "--limit", "100"], |told| count(told) == RUNS).await;
    let groups = server.told(&["failures", "list"]);
    assert_eq!(count(&groups), 1, "{groups:#}");
    let group = &groups["items"][0];
    assert_eq!((&group["open"], &group["state"]), (&json!(RUNS), &json!("open")));
    assert!(group["owner"].is_string() && group["fingerprint"].to_string().contains("notifyTeam"));
    let letters = server.told(&["dlq", "list", "--limit", "1"]);
    for shown in [group, &letters["items"][0]] {
        let code = shown["code"].as_str().unwrap();
        assert!(shown["page"].as_str().unwrap().ends_with(code), "{shown}");
        assert_eq!(shown["hop"], "system", "{shown}");
        assert!(shown["class"].is_string() && shown["next_action"].is_string(), "{shown}");
    }
    let group = group["group"].as_str().unwrap();
    let limits = server.told(&["limits", "outbound", "--environment", "sandbox"]);
    let limit = limits["items"].as_array().unwrap().iter().find(|limit| limit["name"] == "chat");
    let limit = limit.unwrap_or_else(|| panic!("{limits:#}"));
    assert_eq!((&limit["called"], &limit["in_flight"]), (&json!(true), &json!(0)), "{limit:#}");
    assert_eq!(limit["integrations"], json!(["customer-escalation"]), "{limit:#}");
    let chat_system = &limit["systems"][0];
    assert!(chat_system["breaker"] != "closed" && chat_system["since"].is_string(), "{limit:#}");
    assert!(chat_system["failed"].as_u64().unwrap() >= 10, "{limit:#}");
    assert!(server.well(&["limits", "outbound"]).contains("`chat` has not answered since"));
    server.well(&["failures", "acknowledge", group, "--note", "the chat is away"]);

    let everything = server.qc(&["bulk", "plan", "retry", "--reason", "x"]);
    assert!(String::from_utf8_lossy(&everything.stderr).contains("QC-I026"));
    let reason = "the chat is back";
    // The example's lines have gone on without them, as it says.
    let words = ["--group", group, "--reason", reason, "--out-of-order"];
    let plan = server.told(&[&["bulk", "plan", "retry"][..], &words].concat());
    assert_eq!((&plan["total"], &plan["state"]), (&json!(RUNS), &json!("planned")), "{plan:#}");
    let bulk = plan["bulk"].as_str().unwrap().to_owned();
    let digest = plan["digest"].as_str().unwrap();
    open(chat.number, address).await;
    let start = ["bulk", "start", "--plan", &bulk, "--rate", "5", "--digest", digest];
    server.told(&start);
    let show = ["bulk", "show", bulk.as_str()];
    let half = until(server, &show, |told| told["done"].as_u64().unwrap() >= 8).await;
    assert_eq!(half["state"], "running");
    story.server.kill();
    story.server.start().await;
    let server = &story.server;
    // Asking again starts nothing again; it goes on by itself.
    let done = server.told(&[&start[..], &["--wait"]].concat());
    let told = (&done["state"], &done["done"], &done["refused"]);
    assert_eq!(told, (&json!("done"), &json!(RUNS), &json!(0)), "{done:#}\n{}", server.log_end());

    let completed = ["runs", "list", "--status", "completed", "--limit", "100"];
    until(server, &completed, |told| count(told) == RUNS).await;
    let cases: BTreeSet<String> = (0..RUNS).map(case_of).collect();
    assert_eq!(judge(&cases, &story.systems.seen()), Vec::<String>::new());
    assert_eq!(story.systems.messages(), RUNS);
    let rows = server.ask("/api/v1/ledger?kind=audit&limit=500").await["items"].clone();
    let mut retries: BTreeMap<String, usize> = BTreeMap::new();
    for row in rows.as_array().unwrap().iter().filter(|row| row["outcome"] == "dlq.retry") {
        *retries.entry(row["run"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    assert!(retries.len() == RUNS && retries.values().all(|times| *times == 1), "{retries:?}");

    // Nothing waits any more, and each run is found by what it was about.
    assert_eq!(count(&server.told(&["failures", "list"])), 0);
    let settled = server.told(&["failures", "list", "--state", "settled"]);
    assert_eq!(settled["items"][0]["group"], group);
    let found = server.told(&["runs", "list", "--find", &case_of(3)]);
    let keyed = server.told(&["runs", "list", "--key", &format!("case={}", case_of(3))]);
    assert_eq!((count(&found), &found["items"]), (1, &keyed["items"]), "{found:#}");
    story.server.terminate();
    assert_eq!(story.server.ended(PATIENCE).await.code(), Some(0));
}
