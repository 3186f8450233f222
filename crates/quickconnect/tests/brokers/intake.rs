//! Orders from a queue, each run once, whatever happens to the server or the broker.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{
    line::Line,
    rabbit::Rabbit,
    say,
    stage::{project::secret, server::Server, wish},
};

/// How long anything may take that must come.
const PATIENCE: Duration = Duration::from_secs(90);

/// A trigger of the test's project.
#[derive(Clone, Copy)]
pub(crate) struct Trigger<'a> {
    pub(crate) name: &'a str,
    pub(crate) queue: &'a str,
    pub(crate) broker: &'a str,
    pub(crate) cloudevents: bool,
}

impl Default for Trigger<'_> {
    fn default() -> Self {
        Self { name: "orders", queue: "orders", broker: "secret://broker/url", cloudevents: false }
    }
}

/// Writes a project whose one integration takes orders from queues.
pub(crate) fn project(folder: &Path, triggers: &[Trigger<'_>]) {
    project_with(folder, triggers, "", WORKFLOW);
}

/// The same with more of the integration and another workflow.
pub(crate) fn project_with(folder: &Path, triggers: &[Trigger<'_>], more: &str, workflow: &str) {
    let mut text = String::from(HEAD);
    for Trigger { name, queue, broker, cloudevents } in triggers {
        let form = if *cloudevents {
            "types: [com.example.order]"
        } else {
            "event_type: com.example.order\n    idempotency: {key: .data.order_id, window: 72h}"
        };
        let trigger = format!(
            "  {name}:\n    kind: amqp\n    amqp: {{broker: {broker}, queue: {queue}, prefetch: 16}}\n    {form}\n    \
             tenant: default\n    contract: contracts/order.schema.json\n    subject: .data.order_id\n    body_limit: 64KiB\n"
        );
        text.push_str(&trigger);
    }
    text.push_str(more);
    text.push_str(TAIL);
    let integration = folder.join("project/integrations/intake");
    fs::create_dir_all(integration.join("contracts")).unwrap();
    fs::write(folder.join("project/quickconnect.yaml"), ORGANISATION).unwrap();
    fs::write(integration.join("integration.yaml"), text).unwrap();
    fs::write(integration.join("workflow.yaml"), workflow).unwrap();
    fs::write(integration.join("contracts/order.schema.json"), CONTRACT).unwrap();
}

const ORGANISATION: &str = "
organisation: Test
people: {me: {name: Me, email: me@example.com}}
teams: {team: {title: Team, members: [me], contact: \"#team\", on_call: me}}
environments: {sandbox: {description: Here.}}
";

const HEAD: &str = "
name: intake
version: 1.0.0
purpose: Orders are taken.
outcome: {metric: orders, description: Orders taken.}
steps: [{step: Keep the order, tasks: [keep]}]
systems: {}
triggers:
";

const TAIL: &str = "owners: {business: me, technical: team}\n";

const WORKFLOW: &str = "
document: {dsl: '1.0.3', namespace: test, name: intake, version: '1.0.0'}
do:
  - keep: {set: {order: '${ .order_id }'}}
";

const CONTRACT: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "required": ["order_id"],
  "properties": {"order_id": {"type": "string"}, "note": {"type": "string"}}
}"#;

/// Builds and deploys the project.
pub(crate) fn deploy(server: &Server) {
    let built = server.told(&["release", "build", "--folder", "project"]);
    server.well(&["deploy", "sandbox", built["release"].as_str().unwrap()]);
}

/// Waits for what must come.
pub(crate) async fn eventually<T>(what: &str, look: impl AsyncFn() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "it does not come: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The subjects of all runs that ended well.
pub(crate) async fn subjects(server: &Server) -> Vec<String> {
    let runs = server.ask_all("/api/v1/runs?environment=sandbox").await;
    let ended = runs.iter().filter(|run| run["status"] == "completed");
    ended.map(|run| run["subject"].as_str().unwrap().to_owned()).collect()
}

/// Waits until each order has one run and no order has two.
pub(crate) async fn each_once(server: &Server, orders: usize) {
    let counts = eventually("each order has run", async || {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for subject in subjects(server).await {
            *counts.entry(subject).or_default() += 1;
        }
        (counts.len() >= orders).then_some(counts)
    })
    .await;
    let doubled: Vec<_> = counts.iter().filter(|(_, count)| **count != 1).collect();
    assert!(doubled.is_empty(), "doubled: {doubled:?}");
    assert_eq!(counts.len(), orders);
    let all = server.ask_all("/api/v1/runs?environment=sandbox").await;
    assert_eq!(all.len(), orders, "runs that did not end");
}

pub(crate) async fn publish(line: &Line, orders: std::ops::Range<usize>) {
    for number in orders {
        line.put_json("orders", &json!({ "order_id": format!("order-{number}") })).await;
    }
}

/// A server whose project takes orders from this virtual host.
fn server(rabbit: &Rabbit, host: &str, folder: &Path) -> Server {
    project(folder, &[Trigger::default()]);
    let server = Server::new(folder);
    secret(&server.secrets(), "sandbox", "broker/url", &rabbit.url(host));
    server
}

pub(crate) async fn nothing_is_lost_or_doubled_however_often_the_server_is_killed(rabbit: &Rabbit) {
    let orders = usize::try_from(wish("QC_BROKER_ORDERS", 800)).unwrap();
    let kills = u32::try_from(wish("QC_BROKER_KILLS", 4)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let line = Line::to(&rabbit.url("kills")).await;
    line.queue("orders").await;
    let mut server = server(rabbit, "kills", folder.path());
    server.start().await;
    deploy(&server);
    server.kill();
    // All of them and a part of them twice: senders repeat.
    publish(&line, 0..orders).await;
    publish(&line, 0..orders / 8).await;
    let (began, mut left) = (Instant::now(), line.ready("orders").await);
    let step = left / (kills + 1);
    for _ in 0..kills {
        server.start().await;
        left = line.until("orders", |ready| ready + step / 2 < left || ready == 0).await;
        assert!(left > 0, "all was taken before the last kill");
        server.kill();
        // What it had in hand comes back.
        left = line.ready("orders").await;
    }
    server.start().await;
    line.until("orders", |ready| ready == 0).await;
    each_once(&server, orders).await;
    assert_eq!(line.ready("orders.dead").await, 0);
    say(&format!(
        "brokers: {orders} orders, {kills} kills, {:.1} s",
        began.elapsed().as_secs_f64()
    ));
}

pub(crate) async fn a_broker_that_restarts_is_found_again(rabbit: &mut Rabbit) {
    const ORDERS: usize = 200;
    let folder = tempfile::tempdir().unwrap();
    let line = Line::to(&rabbit.url("restart")).await;
    line.queue("orders").await;
    let mut server = server(rabbit, "restart", folder.path());
    server.start().await;
    deploy(&server);
    publish(&line, 0..ORDERS / 2).await;
    line.until("orders", |ready| ready < 80).await;
    drop(line);
    rabbit.stop().await;
    eventually("the loss is said", async || {
        let said = server.ask("/api/v1/server").await["findings"].to_string();
        said.contains("QC-B001").then_some(())
    })
    .await;
    rabbit.go().await;
    let line = Line::to(&rabbit.url("restart")).await;
    publish(&line, ORDERS / 4..ORDERS).await;
    each_once(&server, ORDERS).await;
    eventually("all is well again", async || {
        let said = server.ask("/api/v1/server").await["findings"].to_string();
        (!said.contains("QC-B001")).then_some(())
    })
    .await;
}
