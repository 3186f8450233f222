//! What a debug capture sees of calls: what was on the wire, and no credential.

use qc_capture::{Capture, CaptureParts, CaptureRequest, Captures};
use qc_model::{Actor, Seeded};
use qc_store::{CommitLimits, Committer, Store, memory::MemoryStore};
use qc_vault::{VariableRing, Vault, VaultParts};

use super::*;

/// 32 bytes in base64.
const KEK: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

struct Watched {
    world: World,
    captures: Arc<Captures>,
    capture: Capture,
}

/// A world in which the calls of `escalation` are captured.
async fn watched(mut world: World) -> Watched {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let (committer, looping) = Committer::new(Arc::clone(&store), CommitLimits::default());
    tokio::spawn(looping);
    let (clock, entropy) = (world.clock.clone(), Arc::new(Seeded::new(3)));
    let ring = VariableRing::new("KEK", KEK, entropy.clone()).unwrap();
    let vault = Vault::new(VaultParts {
        store: Arc::clone(&store),
        committer: committer.clone(),
        ring: Some(Arc::new(ring)),
        clock: clock.clone(),
        entropy: entropy.clone(),
        secrets: &Secrets::none(),
    });
    vault.refresh().await.unwrap();
    let captures = Arc::new(Captures::new(CaptureParts {
        store,
        committer,
        vault: Arc::new(vault),
        clock: clock.clone(),
        entropy,
    }));
    world.outbound = Outbound::new(world.script.clone(), clock, world.secrets.clone())
        .with_captures(captures.clone());
    let asked = CaptureRequest {
        person: "ada".parse().unwrap(),
        tenant: world.scope.tenant.clone(),
        environment: world.scope.name.clone(),
        integration: world.effect.integration.clone(),
        task: Some("open".to_owned()),
        system: None,
        events: false,
        reason: "x".to_owned(),
        ticket: "OPS-7".to_owned(),
        lifetime: Duration::from_secs(60),
        keep: Duration::from_secs(60),
        max: 100,
    };
    let me = Actor::platform("test");
    let capture = captures.request(asked, &me).await.unwrap();
    let capture = captures.decide(&capture.id, true, &"ben".parse().unwrap(), &me).await.unwrap();
    Watched { world, captures, capture }
}

impl Watched {
    async fn seen(&self) -> Vec<Value> {
        let entries = self.captures.read(&self.capture.id, None, 100).await.unwrap();
        entries.iter().map(|one| serde_json::to_value(&one.recorded).unwrap()).collect()
    }
}

#[tokio::test]
async fn the_wire_is_seen_and_no_credential() {
    let world = world();
    world.secrets.set("sandbox", "desk/token", "p8+/\"=");
    let watched = watched(world).await;
    let secret = mark().placeholder("api");
    // A system that says everything back, in its header and its body.
    let said = json!({"said": "Bearer p8+/\"= and p8%2B%2F%22%3D", "access_token": "unknown-here"});
    let back = [("content-type", "application/json"), ("x-echo", "p8+/\"="), ("set-cookie", "s=1")];
    watched.world.will([reply(200, &back, said.to_string())]);
    let parts = json!({
        "method": "POST", "endpoint": "https://desk.test/x",
        "headers": {"X-Plain": "p", "X-Key": format!("k {secret}")},
        "query": {"q": secret, "who": "ada"},
        "body": {"hook": format!("is {secret}"), "email": "ada@example.com"},
        "authentication": {"scheme": "bearer", "token": secret},
    });
    watched.world.perform(&request(plain(&parts))).await.result.unwrap();
    let sent = watched.world.seen_last();
    assert_eq!(sent.header("authorization"), "Bearer p8+/\"=", "it was really sent");
    let seen = watched.seen().await;
    let [call] = &seen[..] else { panic!("{seen:?}") };
    let text = call.to_string();
    for needle in ["p8", "unknown-here", "s=1"] {
        assert!(!text.contains(needle), "{text}");
    }
    assert_eq!(call["request"]["line"], "POST https://desk.test/x?q=***&who=ada");
    let body: Value =
        serde_json::from_str(call["request"]["body"]["text"].as_str().unwrap()).unwrap();
    assert_eq!(body, json!({"email": "ada@example.com", "hook": "is ***"}));
    let fields = call["request"]["headers"].to_string();
    assert!(fields.contains(r#"["authorization","***"]"#) && fields.contains(r#"["x-plain","p"]"#));
    assert_eq!(call["answer"]["line"], "200");
    let told = call["answer"]["body"]["text"].as_str().unwrap();
    assert!(
        told.contains("Bearer *** and ***") && told.contains(r#""access_token":"***""#),
        "{told}"
    );
    assert_eq!((&call["task"], &call["system"]), (&json!("open"), &json!("desk.test")));
}

#[tokio::test]
async fn a_secret_of_one_letter_is_masked_as_well() {
    let world = world();
    world.secrets.set("sandbox", "desk/token", "Z");
    let watched = watched(world).await;
    watched.world.will([answer(200, &json!({"id": "aZb"}))]);
    watched.world.desk("readTicket", json!({"id": "1"})).await.result.unwrap();
    let seen = watched.seen().await;
    assert_eq!(seen[0]["answer"]["body"]["text"], r#"{"id":"a***b"}"#);
    assert!(!seen[0]["request"].to_string().contains('Z'), "{}", seen[0]["request"]);
}

#[tokio::test]
async fn what_failed_is_seen_and_what_nobody_wanted_is_not() {
    let watched = watched(world()).await;
    let world = &watched.world;
    let first = world.call("readTicket", json!({"id": "1"}));
    world.will([broken(CallErrorKind::Reset, true), answer(500, &json!({"why": "none"}))]);
    assert!(world.perform(&first).await.result.is_err());
    assert!(world.perform(&CallRequest { attempt: 2, ..first.clone() }).await.result.is_err());
    let seen = watched.seen().await;
    assert_eq!((&seen[0]["failure"], &seen[0]["answer"]), (&json!("Reset"), &Value::Null));
    assert_eq!((&seen[1]["attempt"], &seen[1]["answer"]["line"]), (&json!(2), &json!("500")));
    assert_eq!((&seen[1]["system"], &seen[1]["operation"]), (&json!("desk"), &json!("readTicket")));
    // Another task, and what the platform asks by itself.
    world.will([answer(200, &json!({"id": 1})), answer(200, &json!({"id": 1}))]);
    let other = CallRequest { task: "close".into(), ..first.clone() };
    world.perform(&other).await.result.unwrap();
    let probing = EffectContext { of_platform: true, ..world.effect.clone() };
    let probed = world.outbound.perform(&world.release, &world.scope, &first, &probing).await;
    probed.result.unwrap();
    assert_eq!(watched.seen().await.len(), 2);
}

#[tokio::test]
async fn requests_for_tokens_are_never_recorded() {
    let client = "auth:\n  oauth2_client_credentials:\n    token_url: https://login.test/token\n    client_id: qc\n    client_secret: secret://desk/client\n";
    let world = world_with(|yaml| {
        yaml.replace("auth:\n  bearer: { token: secret://desk/token }\n", client)
    });
    world.secrets.set("sandbox", "desk/client", "of-the-client");
    let watched = watched(world).await;
    let token = json!({"access_token": "minted", "token_type": "Bearer", "expires_in": 600});
    watched.world.will([answer(200, &token), answer(200, &json!({"id": 1, "said": "minted"}))]);
    watched.world.desk("readTicket", json!({"id": "1"})).await.result.unwrap();
    let seen = json!(watched.seen().await);
    assert_eq!(seen.as_array().unwrap().len(), 1, "{seen}");
    let text = seen.to_string();
    assert!(!text.contains("minted") && !text.contains("of-the-client"), "{text}");
}
