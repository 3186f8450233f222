//! Consumers at versions.

use serde_json::{Value, json};

use super::*;
use crate::scaffold::{Template, init};

const CONTRACT: &str = "integrations/notify/contracts/alert.schema.json";
const INTEGRATION: &str = "integrations/notify/integration.yaml";

fn pact(interactions: &Value) -> String {
    json!({
        "consumer": { "name": "old-monitor" },
        "provider": { "name": "quickconnect" },
        "interactions": interactions,
        "metadata": { "pactSpecification": { "version": "2.0.0" } },
    })
    .to_string()
}

/// An event that is sent to a trigger, and what is expected.
fn sends(what: &str, path: &str, body: &Value, status: u16) -> Value {
    json!({
        "description": what,
        "request": {
            "method": "POST", "path": path,
            "headers": { "Content-Type": "application/json" }, "body": body,
        },
        "response": { "status": status },
    })
}

fn closed(properties: &Value, required: &[&str]) -> String {
    json!({
        "type": "object", "additionalProperties": false, "properties": properties,
        "required": required,
    })
    .to_string()
}

/// Two versions: the field `id` of the first is `alert_id` in the second.
fn files() -> ProjectFiles {
    let mut files = init(Template::Notify);
    let text = json!({ "type": "string" });
    files.insert(CONTRACT, closed(&json!({ "alert_id": text }), &["alert_id"]));
    let old = "integrations/notify/contracts/v1/alert.schema.json";
    files.insert(old, closed(&json!({ "id": text }), &["id"]));
    files.insert(
        "integrations/notify/contracts/alert.versions.yaml",
        "select: {path: true}\npins: {old-monitor: 1.0.0}\nversions:\n  1.0.0:\n    contract: \
         contracts/v1/alert.schema.json\n    deprecated: 2026-01-01\n    sunset: 2027-01-01\n    to_next:\n      \
         - rename: {from: .id, to: .alert_id}\n  2.0.0:\n    contract: contracts/alert.schema.json\n"
            .to_owned(),
    );
    let text = files.text(INTEGRATION).unwrap_or_default().to_owned();
    let contract = "    contract: contracts/alert.schema.json\n";
    let with = format!("{contract}    versions: contracts/alert.versions.yaml\n");
    assert!(text.contains(contract));
    files.insert(INTEGRATION, text.replacen(contract, &with, 1));
    files
}

fn cells(interactions: &Value, at: &str) -> Vec<Cell> {
    let project = Project::load(files());
    let offered = Offered::new(&project, "notify", at.parse().unwrap(), None).unwrap();
    let (pact, findings) = Pact::read("p.json", &pact(interactions));
    assert!(findings.is_empty(), "{findings:?}");
    offered.matrix(&[&pact.unwrap()]).unwrap()
}

/// Version, whether it is spoken, and whether it fits.
fn shown(cells: &[Cell]) -> Vec<(&str, bool, bool)> {
    cells
        .iter()
        .map(|cell| (cell.version.as_str(), cell.is_spoken, cell.unmet.is_empty()))
        .collect()
}

const DAY: &str = "2026-11-27T00:00:00Z";
const PLACE: &str = "/in/production/notify/alert";

#[test]
fn a_consumer_fits_the_version_that_it_speaks_and_is_told_of_the_others() {
    let old = json!([sends("tells of a disk", PLACE, &json!({"id": "a"}), 202)]);
    let found = cells(&old, DAY);
    assert_eq!(shown(&found), [("1.0.0", true, true), ("2.0.0", false, false)]);
    assert!(found[1].unmet[0].why.contains("the event is refused"), "{found:?}");
    let new = json!([sends(
        "tells of a disk",
        &format!("{PLACE}/2.0.0"),
        &json!({"alert_id": "a"}),
        202
    )]);
    assert_eq!(shown(&cells(&new, DAY)), [("1.0.0", false, false), ("2.0.0", true, true)]);
    // In a pact of several providers only what is about this one counts.
    let other = json!([sends("x", "/in/production/orders/alert", &json!({}), 202)]);
    assert!(cells(&other, DAY).is_empty());
}

#[test]
fn what_does_not_go_is_said() {
    let why = |interaction: Value, at: &str| {
        let found = cells(&json!([interaction]), at);
        let spoken: Vec<_> = found.iter().filter(|cell| cell.is_spoken).collect();
        spoken.iter().flat_map(|cell| &cell.unmet).map(|miss| miss.why.clone()).collect::<String>()
    };
    let id = json!({"id": "a"});
    assert_eq!(why(sends("x", PLACE, &id, 202), DAY), "");
    assert!(why(sends("x", PLACE, &json!({}), 202), DAY).contains("refused"));
    assert!(why(sends("x", "/in/p/notify/alarm", &id, 202), DAY).contains("no trigger `alarm`"));
    assert!(
        why(sends("x", &format!("{PLACE}/9.0.0"), &id, 202), DAY).contains("no version `9.0.0`")
    );
    assert!(why(sends("x", PLACE, &id, 201), DAY).contains("it expects 201"));
    // A refusal may be expected, and then has to come.
    assert_eq!(why(sends("x", PLACE, &json!({}), 422), DAY), "");
    assert!(why(sends("x", PLACE, &id, 422), DAY).contains("would be taken"));
    assert_eq!(why(sends("x", PLACE, &id, 503), DAY), "");
    let mut get = sends("x", PLACE, &id, 202);
    get["request"]["method"] = json!("GET");
    assert!(why(get, DAY).contains("POST"));
    // After its day a version does not answer.
    assert!(
        why(sends("x", PLACE, &id, 202), "2027-01-02T00:00:00Z").contains("does not answer since")
    );
}

#[test]
fn answers_and_cloud_events_are_looked_into() {
    let mut files = files();
    let reply = json!({ "type": "object", "required": ["ticket"] }).to_string();
    files.insert("integrations/notify/contracts/reply.schema.json", reply);
    let versions = "integrations/notify/contracts/alert.versions.yaml";
    let text = files.text(versions).unwrap_or_default().to_owned();
    let with = "alert.schema.json\n    reply: contracts/reply.schema.json\n";
    let text = text.replace("alert.schema.json\n", with).replace("select: {path: true}\n", "");
    files.insert(versions, text);
    let project = Project::load(files);
    let offered = Offered::new(&project, "notify", DAY.parse().unwrap(), None).unwrap();
    let why = |interaction: &Value| -> String {
        let text = pact(&json!([interaction]));
        let pact = Pact::read("p.json", &text).0.unwrap();
        offered.unmet(&[&pact]).unwrap().into_iter().map(|unmet| unmet.why).collect()
    };
    let mut waits = sends("waits", PLACE, &json!({"id": "a"}), 200);
    waits["response"]["body"] = json!({ "ticket": "T-1" });
    assert_eq!(why(&waits), "");
    waits["response"]["body"] = json!({ "number": "secret" });
    let told = why(&waits);
    assert!(told.contains("an answer that does not come") && !told.contains("secret"), "{told}");
    let mut event = sends("tells", PLACE, &json!({"specversion": "1.0", "data": {"id": "a"}}), 202);
    event["request"]["headers"]["Content-Type"] = json!("application/cloudevents+json");
    assert_eq!(why(&event), "");
    let told = why(&sends("x", &format!("{PLACE}/1.0.0"), &json!({"id": "a"}), 202));
    assert!(told.contains("its address says a version"), "{told}");
}

/// As the door reads it: a field of the request, an attribute of its event, or the address; two that differ are refused.
#[test]
fn a_version_may_be_said_in_three_ways() {
    const VERSIONS: &str = "integrations/notify/contracts/alert.versions.yaml";
    let mut files = files();
    let text = files.text(VERSIONS).unwrap_or_default().to_owned();
    let text = text.replace(
        "select: {path: true}",
        "select: {path: true, header: X-Alert-Version, attribute: alertversion}",
    );
    files.insert(VERSIONS, text);
    let text = files.text(INTEGRATION).unwrap_or_default().to_owned();
    let plain = "    kind: json\n    event_type: com.example.alert\n";
    assert!(text.contains(plain));
    let events = "    kind: cloudevents\n    types: [com.example.alert]\n";
    files.insert(INTEGRATION, text.replacen(plain, events, 1));
    let project = Project::load(files);
    let offered = Offered::new(&project, "notify", DAY.parse().unwrap(), None).unwrap();
    // Which version is spoken, and why something does not go.
    let spoken = |interaction: &Value| -> (String, String) {
        let pact = Pact::read("p.json", &pact(&json!([interaction]))).0.unwrap();
        let cells = offered.matrix(&[&pact]).unwrap();
        let own = cells.into_iter().find(|cell| cell.is_spoken).unwrap();
        (own.version, own.unmet.into_iter().map(|miss| miss.why).collect())
    };
    let new = json!({"alert_id": "a"});
    let event = json!({"specversion": "1.0", "alertversion": "2.0.0", "data": new});
    let headed = |path: &str, headers: &[(&str, &str)], body: &Value| {
        let mut interaction = sends("x", path, body, 202);
        for (name, text) in headers {
            interaction["request"]["headers"][*name] = json!(text);
        }
        interaction
    };
    let structured = ("Content-Type", "application/cloudevents+json; charset=utf-8");
    let binary = ("ce-specversion", "1.0");
    for said in [
        headed(PLACE, &[("X-Alert-Version", "2.0.0")], &new),
        headed(PLACE, &[structured], &event),
        headed(PLACE, &[binary, ("ce-alertversion", "2.0.0")], &new),
        headed(&format!("{PLACE}/2.0.0"), &[structured, ("x-alert-version", " 2.0.0 ")], &event),
    ] {
        assert_eq!(spoken(&said), ("2.0.0".to_owned(), String::new()), "{said}");
    }
    // Who says nothing has the version that it is pinned to.
    let old = json!({"id": "a"});
    for silent in [
        headed(PLACE, &[("ce-alertversion", "2.0.0")], &old),
        headed(PLACE, &[structured], &json!({"specversion": "1.0", "data": old})),
    ] {
        assert_eq!(spoken(&silent), ("1.0.0".to_owned(), String::new()), "{silent}");
    }
    for differ in [
        headed(&format!("{PLACE}/1.0.0"), &[("X-Alert-Version", "2.0.0")], &new),
        headed(PLACE, &[structured, ("X-Alert-Version", "1.0.0")], &event),
    ] {
        let (version, why) = spoken(&differ);
        assert!(version.is_empty() && why.contains("two different versions"), "{why}");
    }
    let mut number = event.clone();
    number["alertversion"] = json!(2);
    let (_, why) = spoken(&headed(PLACE, &[structured], &number));
    assert!(why.contains("no text"), "{why}");
}

#[test]
fn a_trigger_to_which_nobody_sends_takes_nothing() {
    let mut files = init(Template::Notify);
    let text = files.text(INTEGRATION).unwrap_or_default().to_owned();
    let timed = "triggers:\n  nightly: {kind: schedule, cron: '0 3 * * *'}\n";
    assert!(text.contains("triggers:\n"));
    files.insert(INTEGRATION, text.replacen("triggers:\n", timed, 1));
    let project = Project::load(files);
    let offered = Offered::new(&project, "notify", DAY.parse().unwrap(), None).unwrap();
    let text = pact(&json!([sends("x", "/in/production/notify/nightly", &json!({}), 202)]));
    let pact = Pact::read("p.json", &text).0.unwrap();
    let unmet = offered.unmet(&[&pact]).unwrap();
    assert!(unmet[0].why.contains("no trigger `nightly` to which somebody sends"), "{unmet:?}");
}

#[test]
fn a_version_that_outlives_its_day_still_answers() {
    let project = Project::load(files());
    let now: Timestamp = "2027-01-02T00:00:00Z".parse().unwrap();
    let mut usage = Usage::default();
    usage.add("alert", "1.0.0", "old-monitor", &qc_version::usage::Use::never(now));
    let offered = Offered::new(&project, "notify", now, Some(&usage)).unwrap();
    let text = pact(&json!([sends("x", PLACE, &json!({"id": "a"}), 202)]));
    let pact = Pact::read("p.json", &text).0.unwrap();
    let found = offered.matrix(&[&pact]).unwrap();
    assert_eq!(found[0].state.map(State::as_str), Some("overdue"));
    assert!(found[0].unmet.is_empty() && offered.unmet(&[&pact]).unwrap().is_empty());
}

#[test]
fn expectations_in_the_folder_are_held_by_every_check() {
    let with = |text: &str| {
        let mut files = files();
        files.insert("integrations/notify/consumers/old-monitor.json", text.to_owned());
        let findings = check(&Project::load(files), "notify");
        findings
            .into_iter()
            .map(|it| (it.severity, it.code.to_string(), it.message))
            .collect::<Vec<_>>()
    };
    assert!(with(&pact(&json!([sends("x", PLACE, &json!({"id": "a"}), 202)]))).is_empty());
    let wrong = with(&pact(&json!([sends("tells", PLACE, &json!({"x": "secret"}), 202)])));
    assert_eq!((wrong.len(), wrong[0].0, wrong[0].1.as_str()), (1, Severity::Error, "QC-P039"));
    assert!(wrong[0].2.contains("`old-monitor` expects what it does not get: tells"), "{wrong:?}");
    assert!(!wrong[0].2.contains("secret"), "{wrong:?}");
    let strange = with(&pact(&json!([sends("x", "/pets", &json!({}), 200)])));
    assert_eq!((strange.len(), strange[0].0), (1, Severity::Warning));
    assert_eq!(with("{").len(), 1);
    // What is read in part says nothing beside that it cannot be read.
    let mut half = sends("tells", PLACE, &json!({"x": "secret"}), 202);
    half["request"]["matchingRules"] = json!({"$.body.x": {"match": "of-nobody"}});
    let half = with(&pact(&json!([half])));
    assert!(!half.is_empty() && half.iter().all(|it| !it.2.contains("does not get")), "{half:?}");
    assert!(!with("[]").is_empty());
}
