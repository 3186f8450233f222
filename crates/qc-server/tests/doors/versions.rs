//! Several versions of one contract at one trigger: who speaks which, what becomes of the event, and what the answers say
//! while a version lives and ends.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use qc_contract::Schema;
use qc_engine::{
    AmqpTrigger, BrokerAccess, Does, Idempotency, MessageForm, Trigger, TriggerAuth, TriggerKind,
};
use qc_server::{OfferOutcome, Offered};
use qc_vault::SecretRef;
use qc_version::{
    Chain, Date, Entry, Fill, Guide, Move, Naming, Path, Select, Step, Versions, Window, Words,
};
use serde_json::{Value, json};

use crate::{
    client::{Ask, Reply},
    deployment::{events, jq, json_trigger, trigger},
    world::{World, door},
};

/// Releases with this file agree to the third version.
pub(crate) const RELEASED: &str = "released";

const HEADER: &str = "x-contract-version";

/// All of them take the same versions.
pub(crate) fn triggers(released: bool) -> Vec<Trigger> {
    let kind = || TriggerKind::Json { event_type: "test".to_owned() };
    let key =
        Idempotency { key: jq(".data.customer.name + .data.id"), window: Duration::from_secs(60) };
    let pinned = versions(released, Select::default());
    let pinned =
        pinned.with_pin("acme-erp", "1.0.0").unwrap().with_pin("amqp:old", "1.0.0").unwrap();
    let by_path = Select { path: true, ..Select::default() };
    let by_attribute =
        Select { attribute: Some("contractversion".to_owned()), ..Select::default() };
    let queue = || {
        TriggerKind::Amqp(AmqpTrigger {
            broker: BrokerAccess::Url(SecretRef::parse("secret://queue").unwrap()),
            queue: "old".to_owned(),
            prefetch: 1,
            form: MessageForm::Json { event_type: "test".to_owned() },
        })
    };
    let named = |trigger: Trigger, versions: &Versions| {
        let contract = versions.entries()[versions.current()].contract.clone();
        Trigger { contract: Some(contract), versions: Some(Arc::new(versions.clone())), ..trigger }
    };
    let usual = versions(released, Select::default()).with_usual("1.0.0").unwrap();
    vec![
        Trigger { idempotency: Some(key), ..named(json_trigger("versioned"), &usual) },
        named(json_trigger("by-path"), &versions(released, by_path)),
        named(trigger("pinned", kind(), TriggerAuth::Token), &pinned),
        named(trigger("queue", queue(), TriggerAuth::Fetched), &pinned),
        named(events("by-attribute", &[]), &versions(released, by_attribute)),
        Trigger { does: Does::Publish, ..named(json_trigger("versioned-bus"), &usual) },
        named(json_trigger("unconverted"), &broken()),
        named(
            trigger("broken-queue", queue(), TriggerAuth::Fetched),
            &broken().with_pin("amqp:old", "1.0.0").unwrap(),
        ),
    ]
}

fn schema(value: &Value) -> Schema {
    Schema::compile(value, &BTreeMap::<String, String>::new()).unwrap()
}

fn closed(properties: &Value) -> Value {
    let names: Vec<&String> = properties.as_object().unwrap().keys().collect();
    json!({
        "type": "object", "additionalProperties": false, "required": names, "properties": properties,
    })
}

/// The properties of an event in each version.
fn properties(version: usize) -> Value {
    let text = json!({"type": "string"});
    let customer = closed(&json!({"name": text}));
    match version {
        0 => json!({"id": text, "customer_name": text, "tier": {"enum": ["gold", "silver"]}}),
        1 => json!({
            "id": text, "customer": customer, "tier": {"enum": ["premium", "basic"]},
            "severity": {"enum": ["low", "high"]},
        }),
        _ => json!({
            "id": text, "customer": customer, "tier": {"enum": ["premium", "basic"]},
            "severity": {"enum": ["low", "high"]}, "channel": text,
        }),
    }
}

fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

fn words(at: &str, pairs: &[(&str, &str)]) -> Step {
    let pairs = pairs.iter().map(|(one, other)| ((*one).to_owned(), (*other).to_owned()));
    Step::Map(Words::new(path(at), pairs.collect(), None).unwrap())
}

fn rename(from: &str, to: &str) -> Step {
    Step::Rename(Move::new(path(from), path(to)).unwrap())
}

fn fill(at: &str, value: &Value) -> Step {
    Step::Default(Fill::new(path(at), Some(value.clone())).unwrap())
}

/// The steps at a place of the documents: events are at the top, answers below `echo`.
fn chain(names: [&str; 3], above: &str) -> Chain {
    let at = |name: &str| format!("{above}.{name}");
    let first = vec![
        rename(&at("customer_name"), &at("customer.name")),
        words(&at("tier"), &[("gold", "premium"), ("silver", "basic")]),
        fill(&at("severity"), &json!("high")),
    ];
    let second = vec![fill(&at("channel"), &json!("web"))];
    let [one, two, three] = names.map(str::to_owned);
    Chain::new([(one, first), (two, second), (three, vec![])])
}

fn entry(name: &str, at: usize, window: Window, guide: Option<Guide>) -> Entry {
    Entry {
        name: Naming::Semver.name(name).unwrap(),
        released: None,
        contract: schema(&closed(&properties(at))),
        reply: Some(schema(&closed(&json!({"echo": closed(&properties(at))})))),
        window,
        guide,
    }
}

fn versions(released: bool, select: Select) -> Versions {
    let date = |text: &str| Some(Date::parse(text).unwrap());
    let ends = Window { draft: false, deprecated: date("2030-05-01"), sunset: date("2031-05-01") };
    let third = if released { "3.0.0" } else { "3.0.0-draft" };
    let text = "# From 1 to 2\n".to_owned();
    let guide = Guide::File { path: "migrations/1-to-2.md".to_owned(), text };
    let draft = Window { draft: !released, ..Window::default() };
    let entries = vec![
        entry("1.0.0", 0, ends, Some(guide)),
        entry("2.0.0", 1, Window::default(), None),
        entry(third, 2, draft, None),
    ];
    let names = ["1.0.0", "2.0.0", third];
    Versions::new(select, entries, chain(names, ""), chain(names, ".echo")).unwrap()
}

/// One word of the first version leads nowhere.
fn broken() -> Versions {
    let entries = vec![
        entry("1.0.0", 0, Window::default(), None),
        entry("2.0.0", 1, Window::default(), None),
    ];
    let steps = vec![
        rename(".customer_name", ".customer.name"),
        words(".tier", &[("gold", "premium")]),
        fill(".severity", &json!("high")),
    ];
    let chain = Chain::new([("1.0.0".to_owned(), steps), ("2.0.0".to_owned(), vec![])]);
    Versions::new(Select::default(), entries, chain, Chain::default()).unwrap()
}

fn first(id: &str) -> Value {
    json!({"id": id, "customer_name": "Ada", "tier": "gold"})
}

fn second(id: &str) -> Value {
    json!({"id": id, "customer": {"name": "Ada"}, "tier": "premium", "severity": "high"})
}

fn third(id: &str) -> Value {
    let mut event = second(id);
    event["channel"] = json!("web");
    event
}

fn send(trigger: &str, event: &Value) -> Ask {
    Ask::post(&door(trigger), event.to_string())
}

/// All values of a field that may come several times.
fn links(reply: &Reply) -> Vec<&str> {
    let all = reply.headers.iter().filter(|(name, _)| name == "link");
    all.map(|(_, value)| value.as_str()).collect()
}

#[tokio::test]
async fn every_version_becomes_the_workflow_s_and_the_answer_says_which_it_was() {
    let world = World::new().await;
    for (said, event) in
        [("1.0.0", first("a")), ("2.0.0", second("b")), ("3.0.0-draft", third("c"))]
    {
        let reply = send("versioned", &event).header(HEADER, said).at(world.address).await;
        let id = event["id"].as_str().unwrap();
        assert_eq!(world.data(&reply.run()).await, second(id), "{said}");
        assert_eq!(reply.header(HEADER), Some(said));
        let state = match said {
            "1.0.0" => "supported",
            "2.0.0" => "current",
            _ => "draft",
        };
        assert_eq!(reply.header("contract-version-state"), Some(state));
        assert_eq!(reply.header("deprecation"), None);
    }
    // Who says nothing speaks the usual one.
    let reply = send("versioned", &first("d")).at(world.address).await;
    assert_eq!(world.data(&reply.run()).await, second("d"));
    let broken = send("versioned", &second("e")).at(world.address).await;
    broken.problem(422, "QC-I009");
    assert_eq!(broken.header(HEADER), Some("1.0.0"));
    // A trigger without versions takes no notice.
    let plain = send("json", &json!({})).header(HEADER, "9.9.9").at(world.address).await;
    assert_eq!(plain.status, 202);
    assert_eq!(plain.header(HEADER), None);
}

#[tokio::test]
async fn the_ledger_and_the_numbers_say_which_version_was_spoken() {
    let world = World::new().await;
    let token = world.owner.clone();
    let sent = send("versioned", &first("a")).at(world.address).await;
    sent.run();
    assert!(send("versioned", &first("a")).at(world.address).await.replayed());
    send("versioned", &second("b")).header(HEADER, "2.0.0").at(world.address).await.run();
    let published = send("versioned-bus", &first("c")).at(world.address).await;
    assert_eq!(published.status, 202);
    let numbers = Ask::get("/metrics").token(&token).at(world.address).await;
    let numbers = String::from_utf8(numbers.body).unwrap();
    for (version, count) in [("1.0.0", 1), ("2.0.0", 1)] {
        let line = format!(
            "qc_contract_version_events_total{{environment=\"production\",integration=\"doors\",trigger=\"versioned\",version=\"{version}\"}} {count}"
        );
        assert!(numbers.contains(&line), "no {line} in {numbers}");
    }
    let ledger = Ask::get("/api/v1/ledger?kind=event").token(&token).at(world.address).await.json();
    let spoken: Vec<&str> = ledger["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|row| row["facts"]["contract_version"].as_str())
        .collect();
    assert_eq!(spoken.len(), 3, "{ledger}");
    let rows = ledger["items"].as_array().unwrap();
    let published = rows.iter().find(|row| row["outcome"] == "published").unwrap();
    assert_eq!(published["facts"]["contract_version"], "1.0.0");
    assert!(spoken.contains(&"1.0.0") && spoken.contains(&"2.0.0"), "{ledger}");
}

#[tokio::test]
async fn a_version_is_said_by_header_address_attribute_or_pin() {
    let world = World::new().await;
    let address = |version: &str| format!("{}/{version}", door("by-path"));
    let reply = send("by-path", &first("a")).to(&address("1.0.0")).at(world.address).await;
    assert_eq!(world.data(&reply.run()).await, second("a"));
    let reply = send("by-path", &second("b")).at(world.address).await;
    assert_eq!(reply.header(HEADER), Some("2.0.0"));
    let two = send("by-path", &first("c")).to(&address("1.0.0")).header(HEADER, "2.0.0");
    two.at(world.address).await.problem(400, "QC-I050");
    let closed = send("versioned", &first("c")).to(&format!("{}/1.0.0", door("versioned")));
    closed.at(world.address).await.problem(404, "QC-I001");

    let event = json!({
        "specversion": "1.0", "id": "1", "source": "s", "type": "t", "contractversion": "1.0.0",
        "dataschema": "https://a.example/1", "data": first("d"),
    });
    let ask = Ask::new("POST", &door("by-attribute")).body(event.to_string());
    let reply = ask.header("content-type", "application/cloudevents+json").at(world.address).await;
    assert_eq!(world.data(&reply.run()).await, second("d"));
    // What is kept does not say that it is still the other one.
    let kept = world.event(&reply.run()).await;
    assert_eq!(
        (kept.extensions["contractversion"].as_str(), kept.dataschema),
        (Some("2.0.0"), None)
    );

    for (name, event) in [("acme-erp", first("e")), ("other", second("f"))] {
        let token = world.key_named(name).await;
        let reply = send("pinned", &event).token(&token).at(world.address).await;
        assert_eq!(reply.status, 202, "{name}: {}", String::from_utf8_lossy(&reply.body));
    }
}

#[tokio::test]
async fn a_batch_may_mix_versions_and_the_answer_speaks_of_the_oldest() {
    let world = World::new().await;
    let event = |id: &str, version: &str, data: Value| {
        json!({
            "specversion": "1.0", "id": id, "source": "s", "type": "t",
            "contractversion": version, "data": data,
        })
    };
    let batch = json!([event("1", "2.0.0", second("a")), event("2", "1.0.0", first("b"))]);
    world.clock.to("2030-06-01T00:00:00Z");
    let ask = Ask::new("POST", &door("by-attribute")).body(batch.to_string());
    let reply =
        ask.header("content-type", "application/cloudevents-batch+json").at(world.address).await;
    assert_eq!(reply.status, 202, "{}", String::from_utf8_lossy(&reply.body));
    assert_eq!(reply.header(HEADER), Some("1.0.0"));
    assert_eq!(reply.header("contract-version-state"), Some("deprecated"));
    for (entry, id) in reply.json()["events"].as_array().unwrap().iter().zip(["a", "b"]) {
        assert_eq!(world.data(entry["run"].as_str().unwrap()).await, second(id));
    }
}

#[tokio::test]
async fn a_version_that_is_not_there_is_refused_with_those_that_are() {
    let world = World::new().await;
    for wrong in ["9.9.9", "", "2026-01-01", "1.0.0, 2.0.0"] {
        let reply = send("versioned", &first("a")).header(HEADER, wrong).at(world.address).await;
        let problem = reply.problem(400, "QC-I050");
        let detail = problem["detail"].as_str().unwrap();
        for known in ["`1.0.0`", "`2.0.0`", "`3.0.0-draft` (draft)"] {
            assert!(detail.contains(known), "{wrong}: {detail}");
        }
        assert_eq!(problem["next_action"], "fix_request");
        assert_eq!(problem["owner"], "team-doors");
    }
    let twice = send("versioned", &first("a")).header(HEADER, "1.0.0").header(HEADER, "1.0.0");
    twice.at(world.address).await.problem(400, "QC-I050");
    assert_eq!(world.runs().await, 0);
}

#[tokio::test]
async fn a_version_lives_and_ends_by_the_clock() {
    let world = World::new().await;
    let old = |id: &str| send("by-path", &first(id)).header(HEADER, "1.0.0");
    world.clock.to("2030-04-30T23:59:00Z");
    let reply = old("a").at(world.address).await;
    let kept = reply.run();
    assert_eq!(reply.header("deprecation"), None);
    assert!(links(&reply).is_empty());

    world.clock.to("2030-05-01T00:00:00Z");
    let reply = old("b").at(world.address).await;
    reply.run();
    assert_eq!(reply.header("contract-version-state"), Some("deprecated"));
    assert_eq!(reply.header("deprecation"), Some("@1903824000"));
    assert_eq!(reply.header("sunset"), Some("Thu, 01 May 2031 00:00:00 GMT"));
    let guide = format!("{}/1.0.0", door("by-path"));
    assert_eq!(
        links(&reply),
        [
            format!("<{guide}>; rel=\"deprecation\"; type=\"text/markdown\""),
            format!("<{guide}>; rel=\"sunset\"; type=\"text/markdown\""),
            format!("<{}/2.0.0>; rel=\"successor-version\"", door("by-path")),
        ]
    );
    let told = Ask::get(&guide).at(world.address).await;
    assert_eq!((told.status, told.body), (200, b"# From 1 to 2\n".to_vec()));
    Ask::get(&format!("{}/2.0.0", door("by-path"))).at(world.address).await.problem(404, "QC-I050");
    let closed = Ask::get(&format!("{}/1.0.0", door("pinned"))).at(world.address).await;
    closed.problem(401, "QC-A001");
    // A refusal says it, too.
    let refused = send("by-path", &json!({})).header(HEADER, "1.0.0").at(world.address).await;
    refused.problem(422, "QC-I009");
    assert_eq!(refused.header("deprecation"), Some("@1903824000"));

    world.clock.to("2031-05-01T00:00:00Z");
    let before = world.runs().await;
    let reply = old("c").at(world.address).await;
    let problem = reply.problem(410, "QC-I051");
    assert_eq!(problem["next_action"], "migrate");
    assert!(problem["detail"].as_str().unwrap().contains("move to `2.0.0`"), "{problem}");
    assert_eq!(reply.header("sunset"), Some("Thu, 01 May 2031 00:00:00 GMT"));
    let successor = format!("<{}/2.0.0>; rel=\"successor-version\"", door("by-path"));
    assert!(links(&reply).contains(&successor.as_str()), "{:?}", reply.headers);
    assert_eq!(world.runs().await, before);
    send("by-path", &second("d")).at(world.address).await.run();
    assert_eq!(world.data(&kept).await, second("a"));
}

#[tokio::test]
async fn what_is_on_disk_is_known_again_in_its_own_version_and_after_that_ended() {
    let world = World::new().await;
    world.clock.to("2031-04-30T23:59:50Z");
    let sent = send("versioned", &first("a"));
    let run = sent.at(world.address).await.run();
    let again = sent.at(world.address).await;
    assert!(again.replayed());
    assert_eq!(again.run(), run);
    // The key is the workflow's, and the body the sender's: in another version it is another body.
    let other = send("versioned", &second("a")).header(HEADER, "2.0.0").at(world.address).await;
    other.problem(422, "QC-I012");
    world.clock.to("2031-05-01T00:00:10Z");
    let late = sent.at(world.address).await;
    assert_eq!(late.run(), run);
    send("versioned", &first("b")).at(world.address).await.problem(410, "QC-I051");
}

#[tokio::test]
async fn a_draft_becomes_the_current_version_with_a_release() {
    let world = World::new().await;
    let new = |said: &str| send("versioned", &third("a")).header(HEADER, said);
    new("3.0.0").at(world.address).await.problem(400, "QC-I050");
    world.redeploy(RELEASED).await;
    let reply = new("3.0.0").at(world.address).await;
    assert_eq!(world.data(&reply.run()).await, third("a"));
    assert_eq!(reply.header("contract-version-state"), Some("current"));
    new("3.0.0-draft").at(world.address).await.problem(400, "QC-I050");
    for (said, event) in [("1.0.0", first("b")), ("2.0.0", second("c"))] {
        let reply = send("versioned", &event).header(HEADER, said).at(world.address).await;
        let id = event["id"].as_str().unwrap();
        assert_eq!(world.data(&reply.run()).await, third(id), "{said}");
        assert_eq!(reply.header("contract-version-state"), Some("supported"));
    }
}

#[tokio::test]
async fn who_waits_gets_the_answer_in_the_version_that_it_speaks() {
    let world = World::new().await;
    for (said, event) in
        [("1.0.0", first("a")), ("2.0.0", second("b")), ("3.0.0-draft", third("c"))]
    {
        let ask = send("versioned", &event).header(HEADER, said).header("prefer", "wait=20");
        let reply = ask.at(world.address).await;
        assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
        assert_eq!(reply.json(), json!({"echo": event}), "{said}");
    }
}

#[tokio::test]
async fn what_cannot_be_converted_is_our_fault_and_begins_nothing() {
    let world = World::new().await;
    let mut event = first("a");
    event["tier"] = json!("silver");
    let ask = send("unconverted", &event).header(HEADER, "1.0.0");
    let problem = ask.at(world.address).await.problem(500, "QC-I052");
    assert_eq!(problem["next_action"], "contact_owner");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("/tier") && !detail.contains("silver"), "{detail}");
    assert_eq!(world.runs().await, 0);
}

#[tokio::test]
async fn messages_of_a_queue_speak_the_version_of_their_pin() {
    let world = World::new().await;
    let deployment = world.deployment();
    let trigger = &deployment.release.triggers["queue"];
    let message = |id: &str, event: &Value| Offered {
        from: "amqp:old".to_owned(),
        id: Some(id.to_owned()),
        body: Bytes::from(event.to_string()),
        ..Offered::default()
    };
    let taken = world.state.offer(&deployment, trigger, &message("1", &first("a"))).await;
    assert_eq!(taken, OfferOutcome::Taken);
    assert_eq!(world.runs().await, 1);
    let wrong = world.state.offer(&deployment, trigger, &message("2", &second("b"))).await;
    assert_eq!(wrong, OfferOutcome::Refused);
    world.clock.to("2031-05-01T00:00:00Z");
    let late = world.state.offer(&deployment, trigger, &message("3", &first("c"))).await;
    assert_eq!(late, OfferOutcome::Refused);
    // One that cannot be converted does not come again and again.
    let mut silver = first("d");
    silver["tier"] = json!("silver");
    let trigger = &deployment.release.triggers["broken-queue"];
    let ours = world.state.offer(&deployment, trigger, &message("4", &silver)).await;
    assert_eq!(ours, OfferOutcome::Refused);
}
