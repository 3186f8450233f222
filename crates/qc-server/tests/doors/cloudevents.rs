//! CloudEvents over HTTP, row by row: HTTP Protocol Binding 1.0.2 and JSON Event Format 1.0.2.

use qc_model::EventData;
use serde_json::{Value, json};

use crate::{
    client::{Ask, Reply},
    deployment::echo,
    world::{World, door},
};

const STRUCTURED: &str = "application/cloudevents+json";
const BATCH: &str = "application/cloudevents-batch+json";

fn binary(body: impl AsRef<[u8]>) -> Ask {
    Ask::post(&door("events"), body)
        .header("ce-specversion", "1.0")
        .header("ce-id", "1")
        .header("ce-source", "/crm")
        .header("ce-type", "case")
}

fn event(id: &str) -> Value {
    json!({"specversion": "1.0", "id": id, "source": "/crm", "type": "case.opened", "data": {"n": id}})
}

async fn structured(world: &World, trigger: &str, event: &Value) -> Reply {
    let ask = Ask::post(&door(trigger), event.to_string()).with("content-type", STRUCTURED);
    world.ask(ask).await
}

async fn batch(world: &World, trigger: &str, events: &Value) -> Reply {
    let ask = Ask::post(&door(trigger), events.to_string()).with("content-type", BATCH);
    world.ask(ask).await
}

#[tokio::test]
async fn binary_attributes_arrive_as_they_were_meant() {
    let world = World::new().await;
    let ask = binary(r#"{"a":[1,2.50]}"#)
        .header("ce-subject", "Caf%C3%A9 %F0%9F%98%80 100%25")
        .header("CE-Time", "2026-11-22T10:00:00.5+01:00")
        .header("ce-dataschema", "https://example.com/schema")
        .header("ce-comexampleextension1", "\"quoted \\\"text\\\"\"")
        .header("ce-n", "7");
    let event = world.event(&world.ask(ask).await.run()).await;
    assert_eq!(
        (event.id.as_str(), event.source.as_str(), event.kind.as_str()),
        ("1", "/crm", "case")
    );
    assert_eq!(event.subject.as_deref(), Some("Café 😀 100%"));
    assert_eq!(event.time.as_deref(), Some("2026-11-22T10:00:00.5+01:00"));
    assert_eq!(event.dataschema.as_deref(), Some("https://example.com/schema"));
    assert_eq!(event.datacontenttype.as_deref(), Some("application/json"));
    assert_eq!(event.extensions["comexampleextension1"], "quoted \"text\"");
    assert_eq!(event.extensions["n"], "7");
    assert_eq!(event.data, EventData::Json(json!({"a": [1, 2.5]})));
}

#[tokio::test]
async fn data_of_every_kind_survive() {
    let world = World::new().await;
    let cases: [(&str, &[u8], EventData); 5] = [
        ("application/vnd.acme+json", b"[1]", EventData::Json(json!([1]))),
        ("text/plain; charset=utf-8", "grün".as_bytes(), EventData::Text("grün".into())),
        ("application/xml", b"<a/>", EventData::Binary(b"<a/>"[..].into())),
        ("image/png", b"\x89PNG\xff", EventData::Binary(b"\x89PNG\xff"[..].into())),
        ("application/json", b"", EventData::None),
    ];
    for (at, (media, body, expected)) in cases.into_iter().enumerate() {
        let ask = binary(body).with("content-type", media).with("ce-id", &at.to_string());
        let stored = world.event(&world.ask(ask).await.run()).await;
        // The structured form, in which events are stored, has one place for JSON and text.
        let expected = match expected {
            EventData::Text(text) => EventData::Json(json!(text)),
            other => other,
        };
        assert_eq!(stored.data, expected, "{media}");
        assert_eq!(stored.datacontenttype.as_deref(), Some(media));
    }
}

#[tokio::test]
async fn wrong_binary_attributes_are_named() {
    let world = World::new().await;
    let cases = [
        (binary("{}").without("ce-id"), "/id"),
        (binary("{}").with("ce-id", ""), "/id"),
        (binary("{}").without("ce-source"), "/source"),
        (binary("{}").without("ce-type"), "/type"),
        (binary("{}").with("ce-specversion", "0.3"), "/specversion"),
        (binary("{}").with("ce-specversion", "1.0.2"), "/specversion"),
        (binary("{}").header("ce-id", "2"), "/id"),
        (binary("{}").header("ce-subject", "%FF"), "/subject"),
        (binary("{}").header("ce-subject", ""), "/subject"),
        (binary("{}").header("ce-time", "22.11.2026"), "/time"),
        (binary("{}").header("ce-time", "2026-11-22T10:00:00"), "/time"),
        (binary("{}").header("ce-dataschema", ""), "/dataschema"),
        (binary("{}").header("ce-under_score", "x"), "/under_score"),
        (binary("{}").header("ce-data", "x"), "/data"),
        (binary("{}").header("ce-datacontenttype", "text/plain"), "/datacontenttype"),
        (binary("{}").header("ce-", "x"), "/"),
    ];
    for (ask, pointer) in cases {
        let reply = world.ask(ask.clone()).await;
        assert_eq!(reply.status, 400, "{ask:?} {}", String::from_utf8_lossy(&reply.body));
        reply.problem(400, "QC-I007");
        assert_eq!(reply.pointers(), [pointer], "{ask:?}");
    }
    assert_eq!(world.runs().await, 0);
}

#[tokio::test]
async fn structured_events_keep_everything() {
    let world = World::new().await;
    let mut whole = event("s1");
    whole["subject"] = json!("Café");
    whole["time"] = json!("2026-11-22T10:00:00Z");
    whole["dataschema"] = json!("https://example.com/schema");
    whole["datacontenttype"] = json!("application/vnd.acme+json");
    whole["flag"] = json!(true);
    whole["count"] = json!(-7);
    let stored = world.event(&structured(&world, "events", &whole).await.run()).await;
    assert_eq!(stored.to_structured(|_| unreachable!()), whole);
    let mut bytes = event("s2");
    bytes.as_object_mut().unwrap().remove("data");
    bytes["data_base64"] = json!("iVBO/w==");
    let stored = world.event(&structured(&world, "events", &bytes).await.run()).await;
    assert_eq!(stored.data, EventData::Binary(b"\x89PN\xff"[..].into()));
}

#[tokio::test]
async fn wrong_structured_events_are_named() {
    let world = World::new().await;
    let with = |name: &str, value: Value| {
        let mut event = event("1");
        event[name] = value;
        event
    };
    let cases = [
        (with("id", Value::Null), "/id"),
        (with("id", json!(1)), "/id"),
        (with("source", json!("")), "/source"),
        (with("source", json!("two words")), "/source"),
        (with("type", json!([])), "/type"),
        (with("specversion", json!("0.3")), "/specversion"),
        (with("specversion", json!(1.0)), "/specversion"),
        (with("time", json!(5)), "/time"),
        (with("time", json!("soon")), "/time"),
        (with("subject", json!("")), "/subject"),
        (with("dataschema", json!("")), "/dataschema"),
        (with("data_base64", json!("AA==")), "/data_base64"),
        (with("Upper", json!("x")), "/Upper"),
        (with("a/b~c", json!("x")), "/a~1b~0c"),
        (with("nested", json!({})), "/nested"),
        (with("float", json!(1.5)), "/float"),
        (with("large", json!(3_000_000_000_i64)), "/large"),
        (json!([]), ""),
        (json!("text"), ""),
    ];
    for (event, pointer) in cases {
        let reply = structured(&world, "events", &event).await;
        assert_eq!(reply.status, 400, "{event} {}", String::from_utf8_lossy(&reply.body));
        reply.problem(400, "QC-I007");
        assert_eq!(reply.pointers(), [pointer], "{event}");
    }
    let mut bytes = event("1");
    bytes.as_object_mut().unwrap().remove("data");
    bytes["data_base64"] = json!("not base64!");
    assert_eq!(structured(&world, "events", &bytes).await.pointers(), ["/data_base64"]);
    assert_eq!(world.runs().await, 0);
}

#[tokio::test]
async fn a_body_that_is_no_event_is_told_the_three_forms() {
    let world = World::new().await;
    let reply = world.send("events", "{}").await;
    reply.problem(415, "QC-I004");
    assert!(reply.header("accept").unwrap().contains(STRUCTURED));
    let avro =
        Ask::post(&door("events"), "{}").with("content-type", "application/cloudevents+avro");
    world.ask(avro.clone()).await.problem(415, "QC-I004");
    // The media type says structured: the header fields do not make it another form.
    let both = binary("{}").with("content-type", "application/cloudevents+avro");
    world.ask(both).await.problem(415, "QC-I004");
}

#[tokio::test]
async fn types_that_the_trigger_does_not_name_are_refused() {
    let world = World::new().await;
    structured(&world, "typed", &event("1")).await.run();
    let mut other = event("2");
    other["type"] = json!("case.eaten");
    let reply = structured(&world, "typed", &other).await;
    reply.problem(422, "QC-I008");
    assert_eq!(reply.pointers(), ["/type"]);
}

#[tokio::test]
async fn a_contract_points_into_the_body_that_was_sent() {
    let world = World::new().await;
    let mut wrong = event("1");
    wrong["data"] = json!({"id": "x", "lines": [1, "two"]});
    let reply = structured(&world, "agreed", &wrong).await;
    reply.problem(422, "QC-I009");
    assert_eq!(reply.pointers(), ["/data/lines/1"]);
    // A structured body with a stray header field is still a structured body.
    let ask = Ask::post(&door("agreed"), wrong.to_string())
        .with("content-type", STRUCTURED)
        .header("ce-specversion", "1.0");
    assert_eq!(world.ask(ask).await.pointers(), ["/data/lines/1"]);
    let ask = binary(wrong["data"].to_string()).to(&door("agreed"));
    assert_eq!(world.ask(ask).await.pointers(), ["/lines/1"]);
    let reply = batch(&world, "agreed", &json!([wrong])).await;
    assert_eq!(reply.pointers(), ["/0/data/lines/1"]);
    let picture = binary(b"\x89PNG").with("content-type", "image/png").to(&door("agreed"));
    world.ask(picture).await.problem(415, "QC-I004");
}

#[tokio::test]
async fn a_batch_is_one_entry_an_event_in_order() {
    let world = World::new().await;
    let events: Vec<Value> = (0..100).map(|n| event(&format!("b{n}"))).collect();
    let reply = batch(&world, "events", &json!(events)).await;
    assert_eq!(reply.status, 202);
    let entries = reply.json()["events"].as_array().unwrap().clone();
    assert_eq!(entries.len(), 100);
    for (at, entry) in entries.iter().enumerate() {
        assert_eq!(entry["replayed"], false);
        let data = world.data(entry["run"].as_str().unwrap()).await;
        assert_eq!(data, json!({"n": format!("b{at}")}));
    }
    let again = batch(&world, "events", &json!(events)).await.json();
    for (first, second) in entries.iter().zip(again["events"].as_array().unwrap()) {
        assert_eq!(first["run"], second["run"]);
        assert_eq!(second["replayed"], true);
    }
    assert_eq!(world.runs().await, 100);
}

#[tokio::test]
async fn a_batch_with_one_bad_event_is_refused_whole() {
    let world = World::new().await;
    let (good, mut wrong) = (event("1"), event("2"));
    wrong["time"] = json!("soon");
    let mut worse = event("3");
    worse.as_object_mut().unwrap().remove("source");
    let reply = batch(&world, "events", &json!([good, wrong, worse, 5])).await;
    reply.problem(400, "QC-I007");
    assert_eq!(reply.pointers(), ["/1/time", "/2/source", "/3"]);
    let mut other = event("4");
    other["type"] = json!("case.eaten");
    let reply = batch(&world, "typed", &json!([good, other])).await;
    reply.problem(422, "QC-I008");
    assert_eq!(reply.pointers(), ["/1/type"]);
    // The trigger's key cannot be found in the second: the first must not be taken, either.
    let mut keyed = event("5");
    keyed["data"] = json!({"id": "k"});
    let reply = batch(&world, "keyed-events", &json!([keyed, good])).await;
    reply.problem(422, "QC-I010");
    assert_eq!(reply.pointers(), ["/1"]);
    assert_eq!(world.runs().await, 0);
}

#[tokio::test]
async fn a_batch_that_contradicts_itself_is_refused_whole() {
    let world = World::new().await;
    let (first, mut second) = (event("same"), event("same"));
    second["data"] = json!({"n": "other"});
    let reply = batch(&world, "events", &json!([first, second])).await;
    reply.problem(422, "QC-I012");
    assert_eq!(reply.pointers(), ["/1"]);
    assert_eq!(world.runs().await, 0);
    // The same event twice is a repeat, within a batch as elsewhere.
    let entries = batch(&world, "events", &json!([first, first])).await.json();
    assert_eq!(entries["events"][0]["run"], entries["events"][1]["run"]);
    assert_eq!(world.runs().await, 1);
}

#[tokio::test]
async fn one_key_for_a_whole_batch_is_refused() {
    let world = World::new().await;
    let events = json!([event("1"), event("2")]).to_string();
    let ask = Ask::post(&door("events"), events)
        .with("content-type", BATCH)
        .header("idempotency-key", "k");
    world.ask(ask).await.problem(400, "QC-I010");
    assert_eq!(world.runs().await, 0);
}

#[tokio::test]
async fn batches_are_bounded() {
    let world = World::new().await;
    let reply = batch(&world, "events", &json!([])).await;
    assert_eq!((reply.status, reply.json()), (202, json!({"events": []})));
    let many: Vec<Value> = (0..257).map(|n| event(&n.to_string())).collect();
    batch(&world, "events", &json!(many)).await.problem(413, "QC-I017");
    let reply = batch(&world, "events", &json!({"specversion": "1.0"})).await;
    reply.problem(400, "QC-I007");
    assert_eq!(world.runs().await, 0);
}

#[tokio::test]
async fn source_and_id_together_make_an_event_unique() {
    let world = World::new().await;
    let first = structured(&world, "events", &event("1")).await.run();
    let again = structured(&world, "events", &event("1")).await;
    assert_eq!((again.run(), again.replayed()), (first.clone(), true));
    let mut elsewhere = event("1");
    elsewhere["source"] = json!("/erp");
    assert_ne!(structured(&world, "events", &elsewhere).await.run(), first);
    let mut other = event("1");
    other["data"] = json!({"n": 2});
    assert_eq!(structured(&world, "events", &other).await.problem(422, "QC-I012")["run"], first);
    // Keys longer than a key may be are told apart all the same.
    let long = |end: &str| structured_with_id(&"x".repeat(5_000), end);
    let one = structured(&world, "events", &long("a")).await.run();
    assert_ne!(structured(&world, "events", &long("b")).await.run(), one);
    assert_eq!(structured(&world, "events", &long("a")).await.run(), one);
}

fn structured_with_id(id: &str, end: &str) -> Value {
    event(&format!("{id}{end}"))
}

#[tokio::test]
async fn the_data_are_the_workflows_input() {
    let world = World::new().await;
    let ask = binary(r#"{"a":1}"#).header("prefer", "wait=10");
    let reply = world.ask(ask).await;
    assert_eq!((reply.status, reply.json()), (200, echo(&json!({"a": 1}))));
}
