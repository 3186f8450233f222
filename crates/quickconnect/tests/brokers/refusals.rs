//! What cannot be reached, and what cannot be taken, is said where people look; everything else goes on.

use std::{fs, time::Duration};

use lapin::{
    BasicProperties,
    types::{AMQPValue, FieldTable},
};
use serde_json::{Value, json};

use crate::{
    intake::{self, Trigger, project},
    line::Line,
    rabbit::{PASSWORD, Rabbit},
    stage::{project::secret, server::Server},
};

pub(crate) async fn what_cannot_be_reached_or_taken_is_said(rabbit: &Rabbit) {
    let line = Line::to(&rabbit.url("refusals")).await;
    line.queue("orders").await;
    line.queue("events").await;
    let folder = tempfile::tempdir().unwrap();
    let parts = format!(
        "{{url: \"amqp://127.0.0.1:{}/refusals\", user: qc, password: secret://broker/password}}",
        rabbit.port
    );
    project(
        folder.path(),
        &[
            Trigger { name: "orders", queue: "orders", ..Trigger::default() },
            Trigger { name: "events", queue: "events", broker: &parts, cloudevents: true },
            Trigger { name: "lost", queue: "nowhere", ..Trigger::default() },
            Trigger { name: "stranger", broker: "secret://broker/stranger", ..Trigger::default() },
            Trigger { name: "homeless", broker: "secret://broker/homeless", ..Trigger::default() },
            Trigger { name: "silent", broker: "secret://broker/silent", ..Trigger::default() },
            Trigger { name: "secretless", broker: "secret://broker/none", ..Trigger::default() },
        ],
    );
    let mut server = Server::new(folder.path());
    let good = rabbit.url("refusals");
    // Takes connections and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    for (name, value) in [
        ("broker/url", good.clone()),
        ("broker/password", PASSWORD.to_owned()),
        ("broker/stranger", good.replace("qc:", "qc:not-")),
        ("broker/homeless", good.replace("/refusals", "/not-there")),
        ("broker/silent", format!("amqp://u:p@{}/", silent.local_addr().unwrap())),
    ] {
        secret(&server.secrets(), "sandbox", name, &value);
    }
    server.start().await;
    intake::deploy(&server);
    take(&line, &server).await;
    let wanted = [
        ("lost", "QC-B004"),
        ("stranger", "QC-B002"),
        ("homeless", "QC-B003"),
        ("silent", "QC-B001"),
        ("secretless", "QC-V001"),
    ];
    intake::eventually("all findings are there", async || {
        let server = server.ask("/api/v1/server").await;
        let findings = server["findings"].as_array().unwrap().clone();
        let said = |name: &str, code: &str| {
            findings.iter().any(|finding| {
                finding["code"] == code
                    && finding["message"].as_str().unwrap().contains(&format!("the queue `{name}`"))
            })
        };
        wanted.iter().all(|(name, code)| said(name, code)).then_some(())
    })
    .await;
    doctor(&server);
    let metrics = server.ask_text("/metrics").await;
    for (name, works) in [("orders", 1), ("events", 1), ("lost", 0), ("stranger", 0)] {
        let line = format!(
            "qc_tie_works{{kind=\"queue\",environment=\"sandbox\",integration=\"intake\",name=\"{name}\"}} {works}"
        );
        assert!(metrics.contains(&line), "{line} is not in {metrics}");
    }
    assert!(metrics.contains("qc_events_refused_total 5"), "{metrics}");
    let log = fs::read_to_string(server.log_file()).unwrap();
    assert!(log.contains("QC-B004") && log.contains("QC-B002"), "{log}");
    for hidden in [PASSWORD, "not-pass", "pass%25"] {
        assert!(!log.contains(hidden), "the log shows a password");
    }
    // The queue is made, and found without anybody's help.
    line.queue("nowhere").await;
    line.put_json("nowhere", &json!({ "order_id": "late" })).await;
    line.until("nowhere", |ready| ready == 0).await;
    server.terminate();
    assert!(server.ended(Duration::from_secs(40)).await.success());
}

/// Good messages are taken, wrong ones are refused with a row, and repeats are known.
async fn take(line: &Line, server: &Server) {
    let json = || BasicProperties::default().with_content_type("application/json".into());
    line.put("orders", b"{\"order_id\": 1", json()).await;
    line.put("orders", b"{\"order_id\": 1}", json()).await;
    line.put("orders", b"{\"order_id\": \"x\"}", json().with_content_type("text/csv".into())).await;
    let large = json!({ "order_id": "y", "note": "z".repeat(70 << 10) });
    line.put("orders", large.to_string().as_bytes(), json()).await;
    line.put_json("orders", &json!({ "order_id": "good" })).await;
    // No media type, and the same order once more.
    line.put("orders", b"{\"order_id\":\"good\"}", BasicProperties::default()).await;
    for (id, kind) in [("e-1", "com.example.order"), ("e-1", "com.example.order"), ("e-2", "other")]
    {
        line.put("events", b"{\"order_id\": \"binary\"}", binary(id, kind)).await;
    }
    let structured = json!({
        "specversion": "1.0", "id": "e-3", "source": "/shop", "type": "com.example.order",
        "data": { "order_id": "structured" },
    });
    let media = json().with_content_type("application/cloudevents+json".into());
    line.put("events", structured.to_string().as_bytes(), media).await;
    line.until("orders.dead", |ready| ready == 4).await;
    line.until("events.dead", |ready| ready == 1).await;
    for queue in ["orders", "events"] {
        line.until(queue, |ready| ready == 0).await;
    }
    intake::eventually("each order has run once", async || {
        let mut subjects = intake::subjects(server).await;
        subjects.sort();
        (subjects == ["binary", "good", "structured"]).then_some(())
    })
    .await;
    let rows = server.ask("/api/v1/ledger?kind=event&outcome=refused&limit=100").await;
    let mut codes: Vec<&str> =
        rows["items"].as_array().unwrap().iter().map(|row| row["code"].as_str().unwrap()).collect();
    codes.sort_unstable();
    assert_eq!(codes.len(), 5, "{rows:#}");
    assert!(codes.contains(&"QC-I003") && codes.contains(&"QC-I004"), "{codes:?}");
    assert!(codes.contains(&"QC-I008") && codes.contains(&"QC-I009"), "{codes:?}");
    assert!(!rows.to_string().contains("zzzz"), "a payload is in the ledger");
}

fn binary(id: &str, kind: &str) -> BasicProperties {
    let mut headers = FieldTable::default();
    for (name, value) in [("specversion", "1.0"), ("id", id), ("source", "/shop"), ("type", kind)] {
        headers.insert(format!("cloudEvents:{name}").into(), AMQPValue::LongString(value.into()));
    }
    BasicProperties::default().with_content_type("application/json".into()).with_headers(headers)
}

fn doctor(server: &Server) {
    let output = server.qc(&["doctor", "--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = report.to_string();
    assert!(!output.status.success(), "{text}");
    for code in ["QC-B001", "QC-B002", "QC-B003", "QC-B004"] {
        assert!(text.contains(code), "doctor does not show {code}: {text}");
    }
}
