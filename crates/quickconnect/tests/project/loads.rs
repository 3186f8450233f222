//! The traffic that a brief declares, sent for real on simulated systems, and held against the brief.

use serde_json::{Value, json};

use crate::scene::Scene;

const INTEGRATION: &str = "integrations/customer-escalation/integration.yaml";
const EVIDENCE: &str = "integrations/customer-escalation/evidence/load.json";
const TEST: [&str; 4] = ["loadtest", "customer-escalation", "--seconds", "1"];

fn verdicts(report: &Value, wanted: &str) -> Vec<String> {
    let checks = report["checks"].as_array().unwrap().iter();
    let of = checks.filter(|check| check["verdict"] == wanted);
    of.map(|check| check["what"].as_str().unwrap().to_owned()).collect()
}

/// Signed events of another content each, over HTTP, in a server of the test's own; what is kept of it is read again.
#[test]
fn the_declared_traffic_is_sent_and_graded_and_kept() {
    let scene = Scene::example();
    // Machines differ, and this is no test of how fast they are.
    scene.edit(INTEGRATION, "p50: 2s, p95: 20s, p99: 2m", "p99: 2m");
    scene.edit(INTEGRATION, "traffic: {peak: 20/s", "traffic: {peak: 8/s");
    scene.edit(
        INTEGRATION,
        "throughput: {average: 200/h, peak: 20/s",
        "throughput: {average: 200/h, peak: 8/s",
    );
    let report = scene.qc(&[&TEST[..], &["--json"]].concat()).ends(0).json();
    let phases = report["phases"].as_array().unwrap();
    let sent: Vec<_> = phases.iter().map(|phase| (&phase["phase"], &phase["events"])).collect();
    let (average, peak, burst) = (json!("average"), json!("peak"), json!("burst"));
    // 8 a second, and a year's growth of 50 percent: of so few no pace is concluded.
    assert_eq!(sent, [(&average, &json!(1)), (&peak, &json!(12)), (&burst, &json!(100))]);
    for phase in phases {
        assert_eq!((&phase["accepted"], &phase["completed"]), (&phase["events"], &phase["events"]));
    }
    assert_eq!(verdicts(&report, "failed"), Vec::<String>::new());
    assert!(verdicts(&report, "too_few").contains(&"99 of 100 runs end in time".to_owned()));
    let kept: Value = serde_json::from_str(&scene.read(EVIDENCE)).unwrap();
    assert_eq!(kept["profile_digest"], report["profile_digest"]);
    scene.qc(&["check", "--strict"]).ends(0);
    scene.edit(INTEGRATION, "expected_rate: 200/h", "expected_rate: 300/h");
    scene
        .qc(&["check", "--strict"])
        .ends(100)
        .says("QC-P112")
        .says("qc loadtest customer-escalation");
}

#[test]
fn what_is_missed_is_named_with_its_number() {
    let scene = Scene::example();
    scene.edit(INTEGRATION, "    burst: 200\n", "    burst: 60\n");
    scene.edit(INTEGRATION, "deadline: 25h", "deadline: 2m");
    scene.qc(&["check"]).ends(0).says("runs wait for `tracker` longer than a run may take");
    scene.edit(INTEGRATION, "queue: {ttl: 24h}", "queue: {ttl: 1m}");
    scene.qc(&["check"]).ends(0).says("QC-P111");
    let ran = scene.qc(&[&TEST[..], &["--no-evidence"]].concat()).ends(100);
    ran.says("MISSED").says("burst: events are accepted").says("times QC-I060");
    assert!(!scene.path(EVIDENCE).exists());
}

#[test]
fn what_cannot_be_tested_says_why() {
    let scene = Scene::example();
    scene.qc(&["loadtest", "customer"]).ends(3).warns("QC-P035");
    scene.qc(&[&TEST[..], &["--environment", "moon"]].concat()).ends(100).warns("moon");
    scene.qc(&[&TEST[..], &["--speed", "fast"]].concat()).ends(2).warns("a number from");
    scene.qc(&[&TEST[..], &["--store", "etcd"]].concat()).ends(2).warns("`store`");
    scene.edit(INTEGRATION, "    expected_rate: 200/h\n", "");
    scene.edit(INTEGRATION, "    traffic: {peak: 20/s, peak_lasts: 5m, typical_size: 1KiB}\n", "");
    scene.edit(
        INTEGRATION,
        "  throughput: {average: 200/h, peak: 20/s, burst: 100, growth_percent: 50}\n",
        "",
    );
    scene.qc(&TEST).ends(100).warns("QC-P110").warns("expected_rate");
}

const CHAT: &str = "connectors/chat/connector.yaml";
const SIMULATOR: &str = "connectors/chat/simulator.yaml";
const BRIEF: &str = "integrations/notify/integration.yaml";

/// A burst into a limit of two requests a second is done at once where the other system takes many in one, and the
/// simulator has to know how.
#[test]
fn calls_that_wait_for_a_limit_go_in_one_request() {
    let scene = Scene::template("notify");
    let paths = "paths:
  /alerts:
    post:
      operationId: postAlert
      requestBody:
        required: true
        content: {application/json: {schema: {type: object, required: [text], properties: {text: {type: string}}}}}
      responses:
        \"201\": {description: ok, content: {application/json: {schema: {type: object, properties: {id: {type: string}}}}}}
  /alert-batches:
    post:
      operationId: postAlerts
      requestBody: {content: {application/json: {schema: {type: object, required: [alerts]}}}}
      responses: {\"200\": {description: ok}}
";
    scene.edit("connectors/chat/openapi.yaml", "paths:\n", paths);
    let batch = "limits: [{requests: 2, per: 1s}]
operations:
  postAlert:
    effect: {class: idempotent}
    batch: {operation: postAlerts, max: 100, body: '{alerts: .}', results: .results, status: .status, output: .alert}
";
    scene.edit(CHAT, "operations:\n", batch);
    let workflow = "integrations/notify/workflow.yaml";
    scene.edit(workflow, "chat.postMessage", "chat.postAlert");
    scene.edit(workflow, "        channel: ${ $runtime.metadata.vars.channel }\n", "");
    let traffic =
        "    expected_rate: 60/h\n    traffic: {peak: 1/s, peak_lasts: 1m, typical_size: 1KiB}\n";
    scene.edit(BRIEF, "    body_limit: 64KiB\n", &format!("    body_limit: 64KiB\n{traffic}"));
    let nfr = "nfr:\n  throughput: {average: 60/h, peak: 1/s, burst: 200}\n  latency: {p99: 2m, deadline: 5m}\nowners:";
    scene.edit(BRIEF, "owners:", nfr);

    let test = ["loadtest", "notify", "--seconds", "1", "--no-evidence", "--json"];
    scene.qc(&["check"]).ends(0).says("QC-P113").says("connectors/chat/connector.yaml:");

    let knows = "
batches:
  postAlerts:
    each: postAlert
    items: .alerts
    answer: '{ results: map({ status, alert: .body }) }'
";
    scene.write(SIMULATOR, &(scene.read(SIMULATOR) + knows));
    let told = scene.qc(&["check", "--json"]).ends(0).json();
    assert!(!told.to_string().contains("QC-P113"), "{told}");
    let report = scene.qc(&test).ends(0).json();
    let burst = report["phases"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&burst["events"], &burst["completed"]), (&json!(200), &json!(200)));
    // Alone, two a second, the last would have ended after a hundred seconds.
    let took = burst["drained_ms"].as_u64().unwrap_or_else(|| panic!("{burst}"));
    assert!(took < 60_000, "{burst}");
}
