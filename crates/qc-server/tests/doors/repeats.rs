//! What is on disk gets its run, however strict the trigger has become since.

use serde_json::{Value, json};

use crate::{
    client::{Ask, Reply},
    deployment::STRICT,
    world::{World, door},
};

fn event(id: &str, data: &Value) -> Value {
    json!({
        "specversion": "1.0", "id": id, "source": "/crm", "type": "case.opened",
        "datacontenttype": "application/json", "data": data,
    })
}

async fn structured(world: &World, trigger: &str, event: &Value) -> Reply {
    let ask = Ask::post(&door(trigger), event.to_string());
    world.ask(ask.with("content-type", "application/cloudevents+json")).await
}

async fn batch(world: &World, trigger: &str, events: &[Value]) -> Reply {
    let ask = Ask::post(&door(trigger), json!(events).to_string());
    world.ask(ask.with("content-type", "application/cloudevents-batch+json")).await
}

#[tokio::test]
async fn a_repeat_under_a_stricter_contract_gets_its_run() {
    let world = World::new().await;
    let first = world.send("keyed", r#"{"id":"a"}"#).await.run();
    world.redeploy(STRICT).await;
    let again = world.send("keyed", r#"{"id":"a"}"#).await;
    assert_eq!((again.run(), again.replayed()), (first.clone(), true));
    // Also when nothing speaks against it, or when it is another body: the key comes first.
    let told = world.send("keyed", r#"{"id":"a","n":1}"#).await.problem(422, "QC-I012");
    assert_eq!(told["run"], first);
    let told = world.send("keyed", r#"{"id":"a","reason":"r"}"#).await.problem(422, "QC-I012");
    assert_eq!(told["run"], first);
    // The same words with other spaces are another body here as everywhere.
    world.send("keyed", r#"{"id": "a"}"#).await.problem(422, "QC-I012");
    // What is new keeps the contract.
    world.send("keyed", r#"{"id":"b"}"#).await.problem(422, "QC-I009");
    world.send("keyed", r#"{"id":"b","reason":"r"}"#).await.run();
    assert_eq!(world.runs().await, 2);
}

#[tokio::test]
async fn a_repeat_that_waits_joins_its_run() {
    let world = World::new().await;
    world.send("keyed", r#"{"id":"a"}"#).await.run();
    world.redeploy(STRICT).await;
    let ask = Ask::post(&door("keyed"), r#"{"id":"a"}"#).header("prefer", "wait=20");
    let reply = world.ask(ask).await;
    assert_eq!((reply.status, reply.replayed()), (200, true));
    assert_eq!(reply.json(), json!({"echo": {"id": "a"}}));
}

#[tokio::test]
async fn a_repeat_is_not_judged_by_the_triggers_expressions_or_types() {
    let world = World::new().await;
    let keyed = |body: &str| Ask::post(&door("json"), body).header("idempotency-key", "k");
    let first = world.ask(keyed("{}")).await.run();
    let opened = structured(&world, "typed", &event("1", &json!({}))).await.run();
    world.redeploy(STRICT).await;
    assert_eq!(world.ask(keyed("{}")).await.run(), first);
    world.ask(keyed(r#"{"a":1}"#)).await.problem(422, "QC-I012");
    let unfit = Ask::post(&door("json"), "{}").header("idempotency-key", "l");
    world.ask(unfit).await.problem(422, "QC-R001");
    assert_eq!(structured(&world, "typed", &event("1", &json!({}))).await.run(), opened);
    let other = structured(&world, "typed", &event("1", &json!({"n": 1}))).await;
    assert_eq!(other.problem(422, "QC-I012")["run"], opened);
    structured(&world, "typed", &event("2", &json!({}))).await.problem(422, "QC-I008");
    assert_eq!(world.runs().await, 2);
}

#[tokio::test]
async fn a_batch_of_repeats_and_new_events_is_taken_in_order() {
    let world = World::new().await;
    let (old, fresh) = (event("old", &json!({})), event("fresh", &json!({"reason": "r"})));
    let entries = batch(&world, "events", std::slice::from_ref(&old)).await.json();
    let first = entries["events"][0]["run"].as_str().unwrap().to_owned();
    world.redeploy(STRICT).await;
    let reply = batch(&world, "events", &[fresh.clone(), old.clone(), fresh.clone()]).await;
    assert_eq!(reply.status, 202, "{}", reply.json());
    let entries = reply.json()["events"].clone();
    assert_eq!((&entries[1]["run"], &entries[1]["replayed"]), (&json!(first), &json!(true)));
    assert_eq!(entries[0]["run"], entries[2]["run"]);
    assert_eq!(world.runs().await, 2);
    // One that was never taken, and one whose key stands for another body: all of the batch is refused.
    let (never, mut other) = (event("never", &json!({})), old.clone());
    let reply = batch(&world, "events", &[old.clone(), never]).await;
    reply.problem(422, "QC-I009");
    assert_eq!(reply.pointers(), ["/1/data"]);
    other["data"] = json!({"n": 1});
    let reply =
        batch(&world, "events", &[event("new", &json!({"reason": "r"})), other.clone()]).await;
    assert_eq!(reply.problem(422, "QC-I012")["run"], first);
    assert_eq!(reply.pointers(), ["/1"]);
    // Within one batch, too, a repeat and its contradiction are seen.
    other["data"] = json!({"reason": "another"});
    let reply = batch(&world, "events", &[old, other]).await;
    reply.problem(422, "QC-I012");
    assert_eq!(reply.pointers(), ["/1"]);
    assert_eq!(world.runs().await, 2);
}

#[tokio::test]
async fn without_a_key_there_is_no_repeat() {
    let world = World::new().await;
    let body = r#"{"reason":"r"}"#;
    world.send("json", body).await.run();
    world.redeploy(STRICT).await;
    world.send("json", "{}").await.problem(422, "QC-R001");
    world.send("json", body).await.run();
    assert_eq!(world.runs().await, 2);
}
