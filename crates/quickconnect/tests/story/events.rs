//! Three integrations that know each other only by events: an order waits for its payment, and a second team is told of
//! it, also when the server is killed in between.

use std::{fs, path::Path, time::Duration};

use serde_json::{Value, json};

use super::templates::{Simulated, point};
use crate::stage::{project, server::Server, signing};

/// How long something may take that takes milliseconds on an idle machine.
const SOON: Duration = Duration::from_secs(60);

fn example() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/order-paid")
}

/// Asks again and again until the answer is what is wanted.
async fn until(
    what: &str,
    mut asked: impl FnMut() -> Value,
    wanted: impl Fn(&Value) -> bool,
) -> Value {
    let ends = tokio::time::Instant::now() + SOON;
    loop {
        let answer = asked();
        if wanted(&answer) {
            return answer;
        }
        assert!(tokio::time::Instant::now() < ends, "{what}: {answer}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn runs(server: &Server, integration: &str) -> Value {
    server.told(&["runs", "list", "--integration", integration])
}

/// Whether there are so many runs and all of them stand like this.
fn all_are(list: &Value, count: usize, key: &str, wanted: &str) -> bool {
    let items = list["items"].as_array().unwrap();
    items.len() == count && items.iter().all(|run| run[key] == wanted)
}

fn send(server: &Server, trigger: &str, secret: &str, body: &Value) -> Value {
    let file = server.folder.join("event.json");
    fs::write(&file, body.to_string()).unwrap();
    let sign = format!("secrets/sandbox/{secret}");
    server.told(&["trigger", "sandbox", trigger, "--sign", &sign, "--data", "event.json"])
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_paid_and_a_second_team_is_told_whenever_the_server_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::new(folder.path());
    project::copy(&example(), &folder.path().join("mine"));
    let simulated = Simulated::begin(folder.path());
    point(&folder.path().join("mine/quickconnect.yaml"), &simulated.addresses);
    for (name, value) in [
        ("shop/webhook", signing::secret()),
        ("payments/webhook", signing::secret()),
        ("chat/token", "a token".to_owned()),
    ] {
        project::secret(&server.secrets(), "sandbox", name, &value);
    }
    server.start().await;
    for integration in ["orders", "team-notice", "morning-report"] {
        let built = server.told(&["release", "build", integration, "--folder", "mine"]);
        server.well(&["deploy", "sandbox", built["release"].as_str().unwrap()]);
    }
    // Who takes what is known, from what is deployed and from the files alike.
    let types = server.told(&["events", "list"]);
    let offline = server.told(&["events", "list", "--project", "mine"]);
    for told in [&types, &offline] {
        let paid: Vec<(&str, &str)> = told["items"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|one| one["type"] == "com.example.order.paid")
            .map(|one| (one["integration"].as_str().unwrap(), one["role"].as_str().unwrap()))
            .collect();
        assert_eq!(paid, [("orders", "publishes"), ("team-notice", "subscribes")], "{told}");
    }
    let schedules = server.told(&["schedules", "list"]);
    assert_eq!(schedules["items"][0]["plan"], "30 2 * * * (Europe/Berlin)", "{schedules}");
    assert!(schedules["items"][0]["next"].as_str().is_some(), "{schedules}");

    let placed =
        send(&server, "orders/placed", "shop/webhook", &json!({"order_id": "O-7", "amount": 70}));
    assert_eq!(placed["status"], 202);
    let other = json!({"order_id": "O-8", "amount": 80});
    send(&server, "orders/placed", "shop/webhook", &other);
    until("the orders wait", || runs(&server, "orders"), |list| all_are(list, 2, "cause", "event"))
        .await;
    server.kill();
    server.start().await;
    let payment = json!({"payment_id": "P-7", "order_id": "O-7", "amount": 70});
    let published = send(&server, "orders/payment", "payments/webhook", &payment);
    assert_eq!(published["status"], 202);
    assert!(published["answer"]["event"].as_str().is_some(), "{published}");
    assert!(published["answer"]["run"].is_null(), "no run begins with it: {published}");
    server.kill();
    server.start().await;
    let again = send(&server, "orders/payment", "payments/webhook", &payment);
    assert_eq!((&again["status"], &again["replayed"]), (&json!(202), &json!(true)), "{again}");
    assert_eq!(again["answer"], published["answer"]);

    until(
        "the team is told",
        || runs(&server, "team-notice"),
        |list| all_are(list, 1, "status", "completed"),
    )
    .await;
    let orders = runs(&server, "orders");
    let of = |subject: &str| {
        let items = orders["items"].as_array().unwrap();
        items.iter().find(|run| run["subject"] == subject).unwrap().clone()
    };
    assert_eq!(of("O-7")["status"], "completed", "{orders}");
    assert_eq!(of("O-8")["cause"], "event", "the other order waits on: {orders}");
    let made = simulated.effects("chat");
    assert_eq!(made.iter().filter(|one| *one == "postMessage").count(), 1, "{made:?}");
    let tail =
        server.well(&["events", "tail", "--once", "--type", "com.example.order.paid", "--json"]);
    let events: Vec<Value> = tail.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events.len(), 1, "{tail}");
    assert_eq!(events[0]["event"]["data"], json!({"order_id": "O-7", "amount": 70}));
    let shown = server.well(&["runs", "show", of("O-7")["run"].as_str().unwrap()]);
    assert!(shown.contains("payment took the event"), "{shown}");
    server.terminate();
    assert_eq!(server.ended(SOON).await.code(), Some(0));
}
