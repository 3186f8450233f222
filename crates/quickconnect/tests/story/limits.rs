//! Limits through the real program: who sends more than is written hears when to come again, and then comes in; what is
//! on disk is answered whatever the limits say; a deployment changes limits without giving or taking; too many open runs.

use std::{fs, time::Duration};

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};

use crate::stage::{
    http::{Line, Reply},
    project::replace,
    server::Server,
};

const LIMITS: &str = "
limits:
  - {name: per-tenant, scope: tenant, rate: 3/min, burst: 3, protects: The till., on_excess: reject}
  - {name: all-orders, scope: integration, rate: 100/s, protects: This integration., on_excess: reject}
  - {name: open-orders, scope: trigger, concurrency: 2, protects: The people who look., on_excess: reject}
";

const WORKFLOW: &str = r#"
document: { dsl: "1.0.3", namespace: example, name: orders, version: "0.1.0" }
do:
  - wait: { if: '${ .id | startswith("slow") }', wait: { minutes: 10 } }
  - note: { set: { noted: '${ .id }' } }
"#;

struct Sender<'a> {
    server: &'a Server,
    line: Line,
}

impl Sender<'_> {
    /// The trigger knows an event by its id.
    async fn send(&mut self, id: &str) -> Reply {
        self.send_with(id, "").await
    }

    async fn send_with(&mut self, id: &str, note: &str) -> Reply {
        let headers = [
            ("authorization", format!("Bearer {}", self.server.token())),
            ("content-type", "application/json".to_owned()),
        ];
        let body = Bytes::from(json!({ "id": id, "note": note }).to_string());
        self.line.send(Method::POST, "/in/sandbox/orders/orders", &headers, body).await.unwrap()
    }
}

fn header<'r>(reply: &'r Reply, name: &str) -> &'r str {
    reply.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn deploy(server: &Server) {
    let built = server.told(&["release", "build", "orders", "--folder", "mine"]);
    let hash = built["release"].as_str().unwrap_or_else(|| panic!("{built}")).to_owned();
    server.told(&["deploy", "sandbox", &hash]);
}

fn project(server: &Server) {
    project_of(server, WORKFLOW, LIMITS);
}

fn project_of(server: &Server, workflow: &str, limits: &str) {
    server.told(&["init", "mine", "--template", "notify"]);
    server.told(&["new", "integration", "orders", "--folder", "mine"]);
    let orders = server.folder.join("mine/integrations/orders");
    fs::write(orders.join("workflow.yaml"), workflow).unwrap();
    let brief = orders.join("integration.yaml");
    replace(&brief, "tasks: [note]", "tasks: [note, wait]");
    let text = fs::read_to_string(&brief).unwrap();
    fs::write(&brief, text + limits).unwrap();
}

fn standing(limits: &Value, name: &str) -> Value {
    let found = limits["items"].as_array().unwrap().iter().find(|limit| limit["name"] == name);
    found.unwrap_or_else(|| panic!("{limits}"))["standing"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_sends_too_much_hears_when_to_come_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::new(folder.path());
    server.set("QC_LIMITS", "everybody gateway 1000/s, each token 500/s in sandbox");
    server.start().await;
    project(&server);
    deploy(&server);
    let mut sender = Sender { server: &server, line: Line::to(server.port) };

    let first = sender.send("k1").await;
    assert_eq!(first.status, 202, "{}", first.shown());
    let policies = "\"server/everybody\";q=1000;w=1, \"server/each\";q=500;w=1, \"per-tenant\";q=3;w=60, \"all-orders\";q=100;w=1, \"open-orders\";q=2;qu=\"concurrent-requests\"";
    assert_eq!(header(&first, "ratelimit-policy"), policies);
    assert!(header(&first, "ratelimit").contains("\"per-tenant\";r=2;t=20"), "{first:?}");
    assert!(!header(&first, "ratelimit").contains("everybody"), "what others use is not told");
    assert_eq!(header(&first, "x-ratelimit-limit"), "3");
    assert_eq!(header(&first, "x-ratelimit-remaining"), "2");
    for key in ["k2", "k3"] {
        assert_eq!(sender.send(key).await.status, 202);
    }

    // The fourth is refused, names the limit and the second, and takes nothing of the others.
    let all = standing(&explain(&server), "all-orders")["remaining"].clone();
    let refused = sender.send("k4").await;
    assert_eq!(refused.status, 429, "{}", refused.shown());
    let problem = refused.json();
    assert_eq!(problem["type"], "https://iana.org/assignments/http-problem-types#quota-exceeded");
    assert_eq!(
        (&problem["code"], &problem["next_action"]),
        (&json!("QC-I060"), &json!("wait_until"))
    );
    assert_eq!(problem["violated-policies"], json!(["per-tenant"]));
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("`per-tenant` of this tenant, which is 3/min, 3 at once"), "{detail}");
    assert!(detail.contains("The till. `operations` can raise it"), "{detail}");
    let wait: u64 = header(&refused, "retry-after").parse().unwrap();
    assert!((1..=20).contains(&wait), "{wait}");
    assert!(header(&refused, "ratelimit").contains(&format!("\"per-tenant\";r=0;t={wait}")));
    let left = standing(&explain(&server), "all-orders")["remaining"].clone();
    assert!(left.as_u64() >= all.as_u64(), "{left} of {all}");

    // What is on disk is answered: its run, and not a word of limits; another body under its key is no repeat.
    let again = sender.send("k1").await;
    assert_eq!((again.status, header(&again, "idempotency-replayed")), (202, "true"));
    assert_eq!(again.json()["run"], first.json()["run"]);
    assert_eq!(sender.send_with("k1", "other").await.status, 422);

    let near = server.told(&["limits", "near"]);
    assert_eq!(near["items"][0]["name"], "per-tenant", "{near}");
    assert_eq!(
        (&near["items"][0]["who"], &near["items"][0]["remaining"]),
        (&json!("default"), &json!(0))
    );
    assert!(server.well(&["limits", "near"]).contains("per-tenant"));

    // A sender that waits as it was told comes in.
    tokio::time::sleep(Duration::from_secs(wait)).await;
    let after = sender.send("k4").await;
    assert_eq!(after.status, 202, "{}", after.shown());

    changed_while_running(&server, &mut sender).await;
    too_many_open(&server, &mut sender).await;
    server.kill();
}

fn explain(server: &Server) -> Value {
    server.told(&["limits", "explain", "/in/sandbox/orders/orders"])
}

/// A release raises a limit: what was used stays used, and the rest is there at once.
async fn changed_while_running(server: &Server, sender: &mut Sender<'_>) {
    assert_eq!(sender.send("k5").await.status, 429);
    let brief = server.folder.join("mine/integrations/orders/integration.yaml");
    replace(&brief, "rate: 3/min, burst: 3", "rate: 60/h, burst: 10");
    replace(&brief, "version: 0.1.0", "version: 0.2.0");
    deploy(server);
    let left = standing(&explain(server), "per-tenant");
    // Three were used, of which one or two came back if all this took long.
    assert!((7..=9).contains(&left["remaining"].as_u64().unwrap()), "{left}");
    assert_eq!(sender.send("k5").await.status, 202);
    let text = server.well(&["limits", "explain", "/in/sandbox/orders/orders"]);
    assert!(
        text.contains("raised by  operations") && text.contains(" left, one more in "),
        "{text}"
    );
    assert!(server.well(&["limits", "list"]).contains("everybody"));
}

/// Two runs may be open: the third event is refused until one of them ends.
async fn too_many_open(server: &Server, sender: &mut Sender<'_>) {
    let open = sender.send("slow1").await.json()["run"].as_str().unwrap().to_owned();
    assert_eq!(sender.send("slow2").await.status, 202);
    let refused = sender.send("slow3").await;
    assert_eq!(refused.status, 429, "{}", refused.shown());
    assert_eq!(refused.json()["violated-policies"], json!(["open-orders"]));
    assert_eq!(standing(&explain(server), "open-orders")["remaining"], json!(0));
    server.told(&["runs", "cancel", &open, "--reason", "a test"]);
    assert_eq!(sender.send("slow3").await.status, 202);
}

const LESSER: &str = r#"
document: { dsl: "1.0.3", namespace: example, name: orders, version: "0.1.0" }
do:
  - wait: { if: '${ .id == "never" }', wait: { minutes: 10 } }
  - note: { set: { id: '${ .id }', lesser: '${ $runtime.metadata.degraded == true }' } }
"#;

/// The output of an event's run, which has come to its end within 30 seconds.
fn output(server: &Server, run: &str) -> Value {
    let began = std::time::Instant::now();
    loop {
        let shown = server.told(&["runs", "show", run]);
        if shown["end"]["status"] == "completed" {
            return shown["end"]["output"].clone();
        }
        assert!(began.elapsed() < Duration::from_secs(30), "{run} does not end: {shown}");
    }
}

fn run_of(reply: &Reply) -> String {
    assert_eq!(reply.status, 202, "{}", reply.shown());
    reply.json()["run"].as_str().unwrap().to_owned()
}

/// What is too much waits for its moment, on disk: the process that took it is killed, and the next one begins it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_too_much_waits_for_its_moment_also_over_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::new(folder.path());
    server.start().await;
    let limits = "
class: deferrable
limits: [{name: line, scope: integration, rate: 20/min, burst: 1, protects: The till., on_excess: {queue: {max: 3, ttl: 1h}}}]
";
    project_of(&server, LESSER, limits);
    deploy(&server);
    let mut sender = Sender { server: &server, line: Line::to(server.port) };
    let mut replies = Vec::new();
    for id in ["k1", "k2", "k3", "k4"] {
        replies.push(sender.send(id).await);
    }
    let mut moments = Vec::new();
    for (n, reply) in replies.iter().enumerate() {
        run_of(reply);
        let told = reply.json();
        assert_eq!(told["queued_by"].as_str(), (n > 0).then_some("line"), "{told}");
        moments.extend(told["begins_at"].as_str().map(str::to_owned));
    }
    assert!(moments.len() == 3 && moments.is_sorted(), "{moments:?}");
    // Three wait: there is no room for another, until the first of them has begun.
    let refused = sender.send("k5").await;
    assert_eq!(refused.status, 429, "{}", refused.shown());
    assert_eq!(refused.json()["violated-policies"], json!(["line"]));
    let waits = server.told(&["runs", "show", &run_of(&replies[3])]);
    assert!(waits["end"].is_null(), "{waits}");
    // A repeat is the same run, which keeps its moment.
    assert_eq!(run_of(&sender.send("k4").await), run_of(&replies[3]));
    server.kill();
    server.start().await;
    for (n, reply) in replies.iter().enumerate() {
        assert_eq!(
            output(&server, &run_of(reply)),
            json!({"id": format!("k{}", n + 1), "lesser": false})
        );
    }
}

/// What is too much is done in the lesser way, of which there is only so much; the class of the integration decides what
/// may be declared at all.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_too_much_is_done_in_the_lesser_way() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::new(folder.path());
    server.start().await;
    let limits = "
class: critical
limits: [{name: till, scope: tenant, rate: 2/h, burst: 2, protects: The till., on_excess: {degrade: {rate: 1/h, burst: 1}}}]
";
    project_of(&server, LESSER, limits);
    deploy(&server);
    let mut sender = Sender { server: &server, line: Line::to(server.port) };
    for (id, lesser) in [("k1", false), ("k2", false), ("k3", true)] {
        let reply = sender.send(id).await;
        assert_eq!(reply.json()["degraded"], if lesser { json!(true) } else { Value::Null });
        assert_eq!(output(&server, &run_of(&reply)), json!({"id": id, "lesser": lesser}));
    }
    let refused = sender.send("k4").await;
    assert_eq!(refused.status, 429, "{}", refused.shown());
    let brief = server.folder.join("mine/integrations/orders/integration.yaml");
    replace(&brief, "on_excess: {degrade: {rate: 1/h, burst: 1}}", "on_excess: reject");
    let found = server.qc(&["check", "mine"]);
    let told = String::from_utf8_lossy(&[found.stdout, found.stderr].concat()).into_owned();
    assert!(!found.status.success() && told.contains("QC-P101"), "{told}");
}
