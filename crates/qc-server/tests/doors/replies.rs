//! What senders get back is held against the policy of the movement of data.

use serde_json::json;

use crate::{
    client::Ask,
    deployment::{DENIED, MASKED},
    world::{World, door},
};

const PERSON: &str = "ada@example.test";

/// Sends an event about a person and waits for what comes of it.
async fn asked(world: &World) -> crate::client::Reply {
    let body = json!({ "person": PERSON, "case": 7 }).to_string();
    world.ask(Ask::post(&door("json"), body).header("prefer", "wait=10")).await
}

#[tokio::test]
async fn a_sender_gets_back_what_the_policy_lets_senders_have() {
    let world = World::new().await;
    let open = asked(&world).await;
    assert_eq!((open.status, &open.json()["echo"]["person"]), (200, &json!(PERSON)));
    world.redeploy(MASKED).await;
    let masked = asked(&world).await;
    assert_eq!((masked.status, &masked.json()["echo"]["person"]), (200, &json!("***")));
    assert_eq!(masked.json()["echo"]["case"], 7);
    world.redeploy(DENIED).await;
    let denied = asked(&world).await;
    // It was done all the same: the sender is told that it is, and nothing of what came of it.
    let run = denied.run();
    assert!(!String::from_utf8_lossy(&denied.body).contains("echo"), "{:?}", denied.json());
    world.until(&run, "completed").await;
}
