//! Events go out: each one at least once, under its own id, whatever ends in between.

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;

use crate::{
    intake::{self, Trigger, project_with},
    line::Line,
    rabbit::Rabbit,
    say,
    stage::{project::secret, server::Server},
};

const ORDERS: usize = 300;

const PUBLISHES: &str = r#"
publishes:
  taken:
    type: com.example.order.taken
    to:
      amqp: {broker: secret://broker/url, exchange: out, routing_key: '"order." + (.data.order_id | split("-")[0])'}
  lost:
    type: com.example.order.taken
    to:
      amqp: {broker: secret://broker/url, exchange: nowhere, routing_key: '"x"'}
"#;

const WORKFLOW: &str = "
document: {dsl: '1.0.3', namespace: test, name: intake, version: '1.0.0'}
do:
  - keep: {set: {order: '${ .order_id }'}}
  - tell:
      emit:
        event:
          with: {type: com.example.order.taken, source: /intake, data: {order_id: '${ .order }'}}
";

pub(crate) async fn each_event_goes_out_whatever_ends_in_between(rabbit: &mut Rabbit) {
    let folder = tempfile::tempdir().unwrap();
    let line = Line::to(&rabbit.url("routes")).await;
    line.queue("orders").await;
    line.exchange("out", "taken").await;
    project_with(folder.path(), &[Trigger::default()], PUBLISHES, WORKFLOW);
    let mut server = Server::new(folder.path());
    secret(&server.secrets(), "sandbox", "broker/url", &rabbit.url("routes"));
    server.start().await;
    intake::deploy(&server);
    intake::publish(&line, 0..ORDERS).await;
    line.until("taken", |ready| ready > 20).await;
    server.kill();
    server.start().await;
    line.until("taken", |ready| ready > 60).await;
    drop(line);
    rabbit.stop().await;
    rabbit.go().await;
    let line = Line::to(&rabbit.url("routes")).await;
    intake::each_once(&server, ORDERS).await;
    let arrived = all(&line).await;
    assert_eq!(arrived.len(), ORDERS);
    let again = arrived.values().filter(|events| events.len() > 1).count();
    say(&format!("brokers: {ORDERS} events out, {again} of them more than once"));
    let mut orders: Vec<&str> = Vec::new();
    for events in arrived.values() {
        assert!(events.iter().all(|event| event == &events[0]), "one id, two events");
        orders.push(events[0]["data"]["order_id"].as_str().unwrap());
    }
    orders.sort_unstable();
    orders.dedup();
    assert_eq!(orders.len(), ORDERS);
    told(&server, &line).await;
}

/// Everything that arrived, by message id, until all ids are there.
async fn all(line: &Line) -> BTreeMap<String, Vec<Value>> {
    let mut arrived: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    let began = std::time::Instant::now();
    while arrived.len() < ORDERS || line.ready("taken").await > 0 {
        assert!(began.elapsed() < Duration::from_secs(90), "only {} events arrived", arrived.len());
        let Some(got) = line.get("taken").await else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let properties = &got.delivery.properties;
        let text = |text: &Option<lapin::types::ShortString>| text.as_ref().unwrap().to_string();
        let event: Value = serde_json::from_slice(&got.delivery.data).unwrap();
        assert_eq!(text(properties.content_type()), "application/cloudevents+json");
        assert_eq!(event["id"].as_str().unwrap(), text(properties.message_id()));
        assert_eq!(event["type"], "com.example.order.taken");
        assert_eq!(got.delivery.routing_key.as_str(), "order.order");
        arrived.entry(text(properties.message_id())).or_default().push(event);
    }
    arrived
}

/// The ledger knows each departure; the route without exchange is named, and works once there is one.
async fn told(server: &Server, line: &Line) {
    let taken = async || {
        let rows = server.ask("/api/v1/ledger?kind=event&outcome=published&limit=500").await;
        let rows = rows["items"].as_array().unwrap().clone();
        rows.iter().filter(|row| row["subject"] == "taken").count()
    };
    intake::eventually("each departure has its row", async || {
        (taken().await == ORDERS).then_some(())
    })
    .await;
    intake::eventually("the missing exchange is said", async || {
        let said = server.ask("/api/v1/server").await["findings"].to_string();
        (said.contains("QC-B005") && said.contains("the route `lost`")).then_some(())
    })
    .await;
    line.exchange("nowhere", "late").await;
    line.until("late", |ready| ready as usize >= ORDERS).await;
}
