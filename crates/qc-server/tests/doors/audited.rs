//! What requests leave in the audit.

use std::collections::BTreeSet;

use qc_access::Role;
use qc_audit::{Checkpoint, VerifyingKey};
use serde_json::{Value, json};

use crate::{api::Api, client::Ask, world::World};

/// All rows of the audit, oldest first.
async fn rows(world: &World) -> Vec<Value> {
    let (mut rows, mut after) = (Vec::new(), String::from("0"));
    loop {
        let path = format!("/api/v1/ledger?kind=audit&limit=500&after={after}");
        let page = world.ask(Ask::get(&path).token(&world.owner)).await.json();
        rows.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["next"].as_str() {
            Some(next) => next.clone_into(&mut after),
            None => return rows,
        }
    }
}

/// Called when every operation has been asked for: each one that changes something was in the audit before it did, by
/// whom, on whose behalf, by which token, role, rules, request and address; and what it changed says by which request.
pub(crate) async fn every_change_left_what_the_audit_needs(api: &Api) {
    let rows = rows(&api.world).await;
    let document = qc_server::openapi_document();
    let (mut changing, mut requests) = (0, BTreeSet::new());
    for item in document["paths"].as_object().unwrap().values() {
        for (method, operation) in item.as_object().unwrap() {
            if method == "get" {
                continue;
            }
            changing += 1;
            let id = &operation["operationId"];
            let told = rows.iter().find(|row| row["subject"] == *id && row["outcome"] == "allowed");
            let told = told.unwrap_or_else(|| panic!("{id} leaves nothing in the audit"));
            let via = &told["facts"]["via"];
            assert_eq!(via["action"], operation["x-quickconnect-action"], "{told}");
            for name in ["token", "role", "policy", "request", "address"] {
                assert!(via[name].as_str().is_some_and(|text| !text.is_empty()), "{name}: {told}");
            }
            assert!(told["actor"].as_str().unwrap().contains(':'), "{told}");
        }
    }
    assert!(changing >= 30, "{changing}");
    for row in rows.iter().filter(|row| row["outcome"] == "allowed") {
        requests.insert(row["facts"]["via"]["request"].as_str().unwrap().to_owned());
    }
    for deed in [
        "issued",
        "revoked",
        "built",
        "deployed",
        "rolled_back",
        "run.cancel",
        "run.replay",
        "dlq.retry",
        "dlq.discard",
        "state.put",
        "bulk.plan",
        "bulk.start",
        "trigger.pause",
        "schedule.pause",
        "task.decide",
        "failures.mute",
        "rotated",
        "removed",
    ] {
        let by_request = |row: &&Value| {
            row["outcome"] == deed
                && row["facts"]["via"]["request"].as_str().is_some_and(|it| requests.contains(it))
        };
        let all: BTreeSet<&str> = rows.iter().filter_map(|row| row["outcome"].as_str()).collect();
        assert!(rows.iter().any(|row| by_request(&row)), "{deed}: {all:?}");
    }
    let early = api.act("GET", "/api/v1/audit/checkpoint", &Value::Null, 404).await;
    assert_eq!(early["code"], "QC-A030");
    api.world.seal().await;
    let newest = api.get("/api/v1/audit/checkpoint").await;
    let note = newest["checkpoint"].as_str().unwrap();
    let key = VerifyingKey::parse(newest["key"].as_str().unwrap()).unwrap();
    let (signed, _) = Checkpoint::open(note, std::slice::from_ref(&key)).unwrap();
    // With the row that says which key signs.
    assert_eq!(signed.size, rows.len() as u64 + 1);
    let page = api.get("/api/v1/audit/entries?from=3&limit=2").await;
    assert_eq!((&page["first"], &page["next"]), (&json!(3), &json!(5)));
    assert_eq!(page["peaks"].as_array().unwrap().len(), 2);
    let leaf: Value = serde_json::from_str(page["items"][0]["leaf"].as_str().unwrap()).unwrap();
    assert_eq!(leaf["facts"], rows[3]["facts"]);
    let proof = api.get("/api/v1/audit/consistency?from=2").await;
    assert_eq!((&proof["checkpoint"], &proof["from"]), (&newest["checkpoint"], &json!(2)));
    let far = format!("/api/v1/audit/consistency?from={}", signed.size + 1);
    api.act("GET", &far, &Value::Null, 400).await;
    let operator = api.world.token(None, Role::Operator, None).await;
    api.act_as(&operator, "GET", "/api/v1/audit/entries", &Value::Null, 403).await;
}

#[tokio::test]
async fn refusals_are_in_the_audit_once_and_then_counted() {
    let world = World::new().await;
    let sender = world.token(Some("production"), Role::Runtime, None).await;
    let deploy = |token: &str| {
        Ask::new("POST", "/api/v1/deployments/production/doors")
            .token(token)
            .header("content-type", "application/json")
            .body(json!({"release": "0123"}).to_string())
    };
    for _ in 0..50 {
        world.ask(deploy(&sender)).await.problem(403, "QC-A005");
    }
    world.ask(Ask::get("/api/v1/tokens").token(&sender)).await.problem(403, "QC-A005");
    world.ask(deploy(&world.owner)).await.problem(404, "QC-D001");
    let rows = rows(&world).await;
    let of = |subject: &str, outcome: &str| -> Vec<&Value> {
        rows.iter().filter(|row| row["subject"] == subject && row["outcome"] == outcome).collect()
    };
    let denied = of("deploy", "denied");
    assert_eq!(denied.len(), 1, "{denied:?}");
    assert_eq!(denied[0]["code"], "QC-A005");
    assert!(denied[0]["facts"]["reason"].as_str().unwrap().contains("role"), "{denied:?}");
    assert_eq!(denied[0]["facts"]["via"]["action"], "deployments:write");
    assert_eq!(of("listTokens", "denied").len(), 1, "what only reads is denied as well");
    assert_eq!(of("deploy", "allowed").len(), 1);
    assert_eq!(of("deploy", "failed")[0]["code"], "QC-D001");
    // Nothing of what was sent but what the path says.
    assert!(!json!(rows).to_string().contains("0123\""), "{rows:?}");
    assert!(!json!(rows).to_string().contains(&sender));
}

/// What cannot be in the audit is not done, not even when it would have changed nothing.
#[tokio::test]
async fn nothing_is_done_when_the_audit_cannot_be_written() {
    let world = World::new().await;
    let plan = Ask::new("POST", "/api/v1/triggers/discard")
        .token(&world.owner)
        .header("content-type", "application/json")
        .body(
            json!({
                "environment": "production", "integration": "doors", "trigger": "json", "reason": "x",
            })
            .to_string(),
        );
    assert_eq!(world.ask(plan.clone()).await.status, 200);
    world.commit_loop.abort();
    let reply = world.ask(plan).await;
    assert_eq!(reply.status, 503, "{}", reply.json());
    assert_eq!(reply.json()["code"], "QC-I014");
    let looked = world.ask(Ask::get("/api/v1/runs").token(&world.owner)).await;
    assert_eq!(looked.status, 200, "who only looks is let in");
}
