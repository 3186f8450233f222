//! API keys: versions, owners, and what is known of their use.

use qc_access::Role;
use serde_json::{Value, json};

use crate::{api::Api, client::Ask, world::World};

const TOKENS: &str = "/api/v1/tokens";

async fn status(world: &World, secret: &str) -> u16 {
    // The role may do it nowhere: 403 says that the key itself is known.
    world.ask(Ask::get("/api/v1/secrets").token(secret)).await.status
}

/// A key is given a second version, and no third.
pub(crate) async fn rotation(api: &Api, id: &str, first: &str) {
    let rotate = format!("{TOKENS}/{id}/rotate");
    let made = api.act("POST", &rotate, &json!({}), 201).await;
    let second = made["secret"].as_str().unwrap();
    assert_eq!((&made["token"]["version"], &made["token"]["id"]), (&json!(2), &json!(id)));
    assert!(made["token"]["previous_until"].is_string(), "{made}");
    for secret in [first, second] {
        assert_eq!(status(&api.world, secret).await, 403);
    }
    let third = api.act("POST", &rotate, &json!({ "overlap": "1h" }), 409).await;
    assert_eq!(third["code"], "QC-A008");
    for bad in [
        json!({"overlap": "0s"}),
        json!({"overlap": "31d"}),
        json!({"overlap": "1h", "at_once": true}),
        json!({"lifetime": "0s"}),
    ] {
        api.act("POST", &rotate, &bad, 422).await;
    }
    let made = api.act("POST", &rotate, &json!({ "at_once": true, "lifetime": "200d" }), 201).await;
    assert!(made["warnings"][0].as_str().unwrap().contains("200 days"), "{made}");
    assert_eq!(made["token"]["previous_until"], Value::Null);
    for secret in [first, second] {
        assert_eq!(status(&api.world, secret).await, 401);
    }
    assert_eq!(status(&api.world, made["secret"].as_str().unwrap()).await, 403);
    api.act("POST", &format!("{TOKENS}/abcdefgh/rotate"), &json!({}), 404).await;
}

#[tokio::test]
async fn every_key_has_an_owner_a_purpose_and_an_end() {
    let api = Api::new().await;
    let usual = api.act("POST", TOKENS, &json!({"name": "ci", "role": "deployer"}), 201).await;
    let token = &usual["token"];
    assert!(token["owner"].as_str().unwrap().starts_with("service:"), "{token}");
    assert_eq!((&token["purpose"], &token["kind"]), (&json!("ci"), &json!("api_key")));
    let day = |text: &Value| text.as_str().unwrap()[..10].to_owned();
    assert_ne!(day(&token["expires_at"]), day(&token["created_at"]));
    assert_eq!(usual["warnings"], Value::Null);
    let of_a_person = json!({"name": "a", "role": "approver", "person": "anna"});
    let made = api.act("POST", TOKENS, &of_a_person, 201).await;
    assert_eq!(made["token"]["owner"], "anna");
    let said = json!({"name": "a", "role": "runtime", "owner": "team-crm", "purpose": "sends orders", "lifetime": "91d"});
    let made = api.act("POST", TOKENS, &said, 201).await;
    assert_eq!(
        (&made["token"]["owner"], &made["token"]["purpose"]),
        (&json!("team-crm"), &json!("sends orders"))
    );
    assert!(made["warnings"][0].as_str().unwrap().contains("91 days"), "{made}");
    for wrong in [
        json!({"name": "a", "role": "runtime", "owner": " "}),
        json!({"name": "a", "role": "runtime", "purpose": "x".repeat(201)}),
    ] {
        api.act("POST", TOKENS, &wrong, 422).await;
    }
}

#[tokio::test]
async fn who_is_narrowed_or_no_owner_of_the_machine_gets_no_mightier_key_by_rotating_one() {
    let api = Api::new().await;
    let body = json!({"name": "wide", "role": "operator"});
    let wide =
        api.act("POST", TOKENS, &body, 201).await["token"]["id"].as_str().unwrap().to_owned();
    let narrow = api.world.token(None, Role::Admin, Some(&["platform/tokens/*:write"])).await;
    let rotate = format!("{TOKENS}/{wide}/rotate");
    api.act_as(&narrow, "POST", &rotate, &json!({}), 403).await;
    let owner = &api.world.owner["qc_any_".len()..][..8];
    let admin = api.world.token(None, Role::Admin, None).await;
    let of_owner = format!("{TOKENS}/{owner}/rotate");
    api.act_as(&admin, "POST", &of_owner, &json!({}), 403).await;
    api.act_as(&admin, "POST", &rotate, &json!({}), 201).await;
}

#[tokio::test]
async fn what_a_key_did_last_is_known_without_a_write_for_each_request() {
    let api = Api::new().await;
    let made = api.act("POST", TOKENS, &json!({"name": "ops", "role": "operator"}), 201).await;
    let secret = made["secret"].as_str().unwrap();
    let used = async || {
        let listed = api.get(TOKENS).await;
        let items = listed["items"].as_array().unwrap().clone();
        let own = items.iter().find(|token| token["id"] == made["token"]["id"]).unwrap().clone();
        own["last_used_at"].clone()
    };
    for _ in 0..5 {
        api.act_as(secret, "GET", "/api/v1/runs", &Value::Null, 200).await;
    }
    assert_eq!(used().await, Value::Null, "nothing is written yet");
    api.world.state.settle_uses().await;
    assert!(used().await.is_string());
}

/// Whoever guesses is slowed down at both doors, and whoever has a key is not.
#[tokio::test]
async fn wrong_keys_are_limited_at_the_api_and_where_events_come_in() {
    let world = World::new().await;
    let good = world.token(None, Role::Operator, None).await;
    // Of the right form, and of no key.
    let wrong = qc_access::mint(None, &qc_model::Seeded::new(77)).text;
    for _ in 0..15 {
        world.ask(Ask::get("/api/v1/runs").token(wrong.expose())).await.problem(401, "QC-A003");
        let sent = Ask::post(&crate::world::door("token"), "{}").token(wrong.expose());
        world.ask(sent).await.problem(401, "QC-A003");
    }
    world.ask(Ask::get("/api/v1/runs").token(wrong.expose())).await.problem(429, "QC-A053");
    let sent = Ask::post(&crate::world::door("token"), "{}").token(wrong.expose());
    world.ask(sent).await.problem(429, "QC-A053");
    assert_eq!(world.ask(Ask::get("/api/v1/runs").token(&good)).await.status, 200);
}
