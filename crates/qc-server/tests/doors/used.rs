//! Who uses which version and field is known, and decides how a version ends and what the gate holds.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use qc_access::{APPROVALS_FILE, Policies, Role};
use serde_json::{Value, json};

use crate::{
    api::Api,
    client::{Ask, Reply},
    deployment::OFFER,
    world::{World, door},
};

const USAGE: &str = "/api/v1/contracts/production/doors/usage";
const EXPECTATIONS: &str = "/api/v1/contracts/production/doors/expectations";
const END: &str = "/api/v1/contracts/production/doors/by-path/1.0.0/end";
const RULES: &str = "
approvals:
- { action: 'deployments:override', environments: [production], need: 1, of: [ada, grace] }
";

fn old(id: &str) -> Value {
    json!({"id": id, "customer_name": "Ada", "tier": "gold"})
}

fn new(id: &str) -> Value {
    json!({"id": id, "customer": {"name": "Ada"}, "tier": "premium", "severity": "high"})
}

async fn send(world: &World, version: &str, event: &Value) -> Reply {
    let ask = Ask::post(&door("by-path"), event.to_string()).header("x-contract-version", version);
    world.ask(ask).await
}

async fn item(world: &World, trigger: &str, version: &str) -> Value {
    let usage = world.ask(Ask::get(USAGE).token(&world.owner)).await.json();
    let items = usage["items"].as_array().unwrap();
    let found = items.iter().find(|it| it["trigger"] == trigger && it["version"] == version);
    found.unwrap_or_else(|| panic!("no {trigger} {version} in {usage}")).clone()
}

fn fields(consumer: &Value) -> Vec<&str> {
    consumer["fields"].as_object().unwrap().keys().map(String::as_str).collect()
}

/// Puts the rules in force, and has somebody approve the end of the old version.
async fn approve(world: &World) {
    let matrix = Policies::shipped().matrix().to_tsv();
    let body = json!({"files": [{"name": APPROVALS_FILE, "text": RULES}], "matrix": matrix});
    let apply = Ask::post("/api/v1/policies", body.to_string()).token(&world.owner);
    assert_eq!(world.ask(apply).await.status, 200);
    let ada = world.person("ada", Role::Approver).await;
    let body = json!({
        "action": "deployments:override", "environment": "production", "integration": "doors",
        "what": "by-path/1.0.0",
    });
    let given = world.ask(Ask::post("/api/v1/approvals", body.to_string()).token(&ada)).await;
    assert_eq!(given.status, 201, "{}", given.json());
}

#[tokio::test]
async fn who_sends_what_in_which_version_is_known_as_it_was_sent() {
    let world = World::new().await;
    world.state.settle_contracts().await;
    for (name, event) in [("acme-erp", old("a")), ("acme-erp", old("b")), ("other", new("c"))] {
        let token = world.key_named(name).await;
        let ask = Ask::post(&door("pinned"), event.to_string()).token(&token);
        assert_eq!(world.ask(ask).await.status, 202);
    }
    // What is refused is no use.
    let token = world.key_named("stranger").await;
    let ask = Ask::post(&door("pinned"), json!({"x": 1}).to_string()).token(&token);
    world.ask(ask).await.problem(422, "QC-I009");
    let first = item(&world, "pinned", "1.0.0").await;
    let consumers = first["consumers"].as_array().unwrap();
    assert_eq!(consumers.len(), 1, "{first}");
    assert_eq!(
        (&consumers[0]["consumer"], &consumers[0]["events"]),
        (&json!("acme-erp"), &json!(2))
    );
    assert_eq!(fields(&consumers[0]), [".customer_name", ".id", ".tier"]);
    let second = item(&world, "pinned", "2.0.0").await;
    assert_eq!(second["state"], "current");
    let [other] = second["consumers"].as_array().unwrap().as_slice() else { panic!("{second}") };
    assert_eq!(other["consumer"], "other");
    assert_eq!(fields(other), [".customer", ".customer.name", ".id", ".severity", ".tier"]);
    assert_eq!(item(&world, "pinned", "3.0.0-draft").await["consumers"], json!([]));
    // A trigger without versions has its consumers, too; a repeat is no second event.
    for _ in 0..2 {
        let ask = Ask::post(&door("json"), r#"{"order":{"id":1}}"#).header("idempotency-key", "k");
        assert_eq!(world.ask(ask).await.status, 202);
    }
    let plain = item(&world, "json", "").await;
    assert_eq!(plain["consumers"][0]["events"], 1, "{plain}");
    assert_eq!(fields(&plain["consumers"][0]), [".order", ".order.id"]);
    // What is never sent to has nobody, and is watched all the same.
    assert_eq!(item(&world, "by-path", "1.0.0").await["consumers"], json!([]));
    let seen: Vec<_> = world.ask(Ask::get(USAGE).token(&world.owner)).await.json()["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["since"].as_str().unwrap().to_owned())
        .collect();
    assert!(seen.iter().all(|since| !since.is_empty()), "{seen:?}");
}

/// A form that is known is looked at again after each write, so that each field says when it was sent last.
#[tokio::test]
async fn a_field_says_when_it_was_sent_last_also_when_its_form_is_known() {
    let world = World::new().await;
    for moment in ["2031-01-01T00:00:00Z", "2031-01-02T00:00:00Z"] {
        world.clock.to(moment);
        world.send("json", r#"{"id":"1"}"#).await.run();
        world.state.settle_contracts().await;
    }
    let plain = item(&world, "json", "").await;
    let last = plain["consumers"][0]["fields"][".id"].as_str().unwrap();
    assert!(last.starts_with("2031-01-02"), "{plain}");
}

#[tokio::test]
async fn a_version_that_somebody_speaks_goes_on_until_nobody_does() {
    let world = World::new().await;
    world.clock.to("2031-04-20T00:00:00Z");
    assert_eq!(send(&world, "1.0.0", &old("a")).await.status, 202);
    world.state.settle_contracts().await;
    world.clock.to("2031-05-02T00:00:00Z");
    let reply = send(&world, "1.0.0", &old("b")).await;
    reply.run();
    assert_eq!(reply.header("contract-version-state"), Some("overdue"));
    assert_eq!(reply.header("sunset"), Some("Thu, 01 May 2031 00:00:00 GMT"));
    assert_eq!(reply.header("deprecation"), Some("@1903824000"));
    assert_eq!(item(&world, "by-path", "1.0.0").await["state"], "overdue");
    // What it was last spoken counts, not what was known when it should have ended.
    world.clock.to("2031-05-31T00:00:00Z");
    world.state.settle_contracts().await;
    send(&world, "1.0.0", &old("c")).await.run();
    world.state.settle_contracts().await;
    world.clock.to("2031-07-01T00:00:00Z");
    let reply = send(&world, "1.0.0", &old("d")).await;
    reply.problem(410, "QC-I051");
    assert_eq!(reply.header("contract-version-state"), Some("retired"));
    // Who is refused does not make it go on.
    world.state.settle_contracts().await;
    send(&world, "1.0.0", &old("d")).await.problem(410, "QC-I051");
    assert_eq!(item(&world, "by-path", "1.0.0").await["state"], "retired");
}

#[tokio::test]
async fn people_end_what_somebody_still_speaks_and_only_after_its_day() {
    let api = Api::new().await;
    let world = &api.world;
    let end =
        |reason: &str| Ask::post(END, json!({ "reason": reason }).to_string()).token(&world.owner);
    world.clock.to("2031-04-20T00:00:00Z");
    send(world, "1.0.0", &old("a")).await.run();
    let early = world.ask(end("we want to")).await.problem(409, "QC-D009");
    assert!(early["detail"].as_str().unwrap().contains("2031-05-01"), "{early}");
    assert_eq!(early["next_action"], "fix_request");
    world.clock.to("2031-05-02T00:00:00Z");
    world.state.settle_contracts().await;
    send(world, "1.0.0", &old("b")).await.run();
    world.ask(end(" ")).await.problem(422, "QC-A012");
    let nobody = world.ask(end("we want to")).await.problem(403, "QC-A046");
    assert!(nobody["detail"].as_str().unwrap().contains("approvals.yaml"), "{nobody}");
    let unknown = END.replace("1.0.0", "9.9.9");
    let ask = Ask::post(&unknown, json!({"reason": "x"}).to_string()).token(&world.owner);
    world.ask(ask).await.problem(404, "QC-I050");
    let developer = world.person("dev", Role::Deployer).await;
    let ask = Ask::post(END, json!({"reason": "x"}).to_string()).token(&developer);
    assert_eq!(world.ask(ask).await.status, 403);

    approve(world).await;
    let reason = json!({"reason": "the old form has a hole"});
    let ended = api.act("POST", END, &reason, 200).await;
    assert_eq!(ended["consumers"], json!(["anybody"]));
    send(world, "1.0.0", &old("c")).await.problem(410, "QC-I051");
    send(world, "2.0.0", &new("c")).await.run();
    // Also for nodes that read it, and after they look again.
    world.state.settle_contracts().await;
    send(world, "1.0.0", &old("d")).await.problem(410, "QC-I051");
    let ledger = Ask::get("/api/v1/ledger?kind=audit&limit=50").token(&world.owner);
    let ledger = world.ask(ledger).await.json();
    let rows = ledger["items"].as_array().unwrap();
    let row = rows.iter().find(|row| row["subject"] == "version 1.0.0 of by-path").unwrap();
    assert_eq!(row["facts"]["reason"], "the old form has a hole", "{row}");
    assert_eq!(row["facts"]["consumers"], json!(["anybody"]));
    // Again is no mistake: there is nothing left to agree to.
    assert_eq!(world.ask(end("again")).await.json()["consumers"], json!([]));
}

/// An offer at the trigger `json`, with or without a field.
fn offer(note: bool) -> String {
    let mut properties = json!({ "id": { "type": "string" } });
    if note {
        properties["note"] = json!({ "type": "string" });
    }
    let schema = json!({
        "type": "object", "additionalProperties": false, "properties": properties,
    });
    json!({
        "openapi": "3.1.0",
        "info": { "title": "doors", "version": "1" },
        "paths": { "/in/doors/json": { "post": {
            "requestBody": { "content": { "application/json": {
                "schema": { "$ref": "#/components/schemas/case" },
            } } },
            "responses": { "202": { "description": "taken" } },
        } } },
        "components": { "schemas": { "case": schema } },
    })
    .to_string()
}

async fn store(world: &World, text: &str) -> String {
    store_with(world, text, &[]).await
}

async fn store_with(world: &World, text: &str, also: &[&str]) -> String {
    // As written about: so that its number says that it breaks.
    let mut files =
        json!({ OFFER: STANDARD.encode(text), "written": STANDARD.encode("2031-01-01") });
    for name in also {
        files[*name] = json!("");
    }
    let body = json!({ "integration": "doors", "files": files }).to_string();
    let token = world.person("dev", Role::Developer).await;
    let reply = world.ask(Ask::post("/api/v1/releases", body).token(&token)).await;
    reply.json()["release"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_field_that_nobody_sent_may_go_and_one_that_somebody_did_may_not() {
    let world = World::new().await;
    let place = "/api/v1/deployments/production/doors";
    let deploy = |release: &str| {
        Ask::post(place, json!({ "release": release }).to_string()).token(&world.owner)
    };
    let with = store(&world, &offer(true)).await;
    assert_eq!(world.ask(deploy(&with)).await.status, 200);
    let without = store(&world, &offer(false)).await;
    // Nobody knows yet.
    let held = world.ask(deploy(&without)).await.problem(409, "QC-D008");
    assert!(held["detail"].as_str().unwrap().contains("request-property-"), "{held}");
    world.state.settle_contracts().await;
    world.send("json", r#"{"id":"1"}"#).await.run();
    // For less than the quiet time.
    world.ask(deploy(&without)).await.problem(409, "QC-D008");
    let now = qc_model::Clock::now(&*world.clock);
    let later = now + qc_version::usage::QUIET + std::time::Duration::from_secs(60);
    world.clock.to(&later.to_string());
    let ask = Ask::post(&door("json"), r#"{"id":"2","note":"x"}"#);
    world.ask(ask).await.run();
    let held = world.ask(deploy(&without)).await.problem(409, "QC-D008");
    let told = held["detail"].as_str().unwrap();
    assert!(told.contains("hits anybody (last "), "{told}");
    // Thirty days later only the other field is still sent.
    let later = later + qc_version::usage::QUIET + std::time::Duration::from_secs(60);
    world.clock.to(&later.to_string());
    world.send("json", r#"{"id":"3"}"#).await.run();
    let gate = Ask::get(&format!("{place}/gate?release={without}")).token(&world.owner);
    let said = world.ask(gate).await.json();
    assert_eq!(said["holds"], false, "{said}");
    let unused = said["report"]["gate"]["breaks"][0]["unused"].as_str().unwrap();
    assert!(unused.contains("nobody sent `….note` to json since "), "{unused}");
    assert_eq!(world.ask(deploy(&without)).await.status, 200);
}

/// What a consumer expects of a trigger.
fn pact(consumer: &str, what: &str) -> String {
    json!({
        "consumer": { "name": consumer },
        "provider": { "name": "quickconnect" },
        "interactions": [{
            "description": what,
            "request": { "method": "POST", "path": "/in/production/doors/json", "body": { "id": "1" } },
            "response": { "status": 202 },
        }],
        "metadata": { "pactSpecification": { "version": "2.0.0" } },
    })
    .to_string()
}

#[tokio::test]
async fn what_is_published_does_not_change_and_holds_what_does_not_do_it() {
    let world = World::new().await;
    let place = "/api/v1/deployments/production/doors";
    let deploy = |release: &str| {
        Ask::post(place, json!({ "release": release }).to_string()).token(&world.owner)
    };
    let publish = |version: &str, pact: &str| {
        let body = json!({ "version": version, "pact": pact }).to_string();
        Ask::post(EXPECTATIONS, body).token(&world.owner)
    };
    let plain = store(&world, &offer(true)).await;
    assert_eq!(world.ask(deploy(&plain)).await.status, 200);
    for (version, text, why) in [
        ("1", "[]", "pact"),
        ("", pact("shop", "x").as_str(), "version"),
        ("a/b", pact("shop", "x").as_str(), "version"),
        ("1", pact("", "x").as_str(), "consumer"),
    ] {
        let told = world.ask(publish(version, text)).await.problem(422, "QC-A012");
        assert!(told["detail"].as_str().unwrap().contains(why), "{told}");
    }
    let told = world.ask(publish("r1", &pact("shop", "orders"))).await;
    assert_eq!(told.status, 200, "{}", told.json());
    assert_eq!(told.json()["items"][0]["published"], "r1");
    // The same again is no mistake, another one is.
    assert_eq!(world.ask(publish("r1", &pact("shop", "orders"))).await.status, 200);
    world.ask(publish("r1", &pact("shop", "other"))).await.problem(409, "QC-D010");
    // Who sends may not say what others expect.
    let key = world.key_named("shop").await;
    let body = json!({ "version": "r2", "pact": pact("shop", "x") }).to_string();
    assert_eq!(world.ask(Ask::post(EXPECTATIONS, body).token(&key)).await.status, 403);

    let stubborn = store_with(&world, &offer(true), &["stubborn"]).await;
    let held = world.ask(deploy(&stubborn)).await.problem(409, "QC-D008");
    let told = held["detail"].as_str().unwrap();
    for word in ["expectation-unmet", "shop", "orders", "it is stubborn", "chg-"] {
        assert!(told.contains(word), "{word} is not in {told}");
    }
    // What the consumer's newest version does not expect holds nothing.
    let nothing = pact("shop", "x").replace("/in/production/doors/json", "/elsewhere");
    let empty = serde_json::from_str::<Value>(&nothing).map(|mut pact| {
        pact["interactions"] = json!([]);
        pact.to_string()
    });
    world.clock.to("2031-01-01T00:00:00Z");
    assert_eq!(world.ask(publish("r2", &empty.unwrap())).await.status, 200);
    assert_eq!(world.ask(deploy(&stubborn)).await.status, 200);
}

/// The operations once, as the description has them. as the description has them.
pub(crate) async fn operations(api: &Api) {
    let usage = api.get(USAGE).await;
    assert_eq!(usage["integration"], "doors");
    let body = json!({ "version": "1", "pact": pact("shop", "orders") });
    let told = api.act("POST", EXPECTATIONS, &body, 200).await;
    assert_eq!(told["items"][0]["consumer"], "shop");
    let matrix = api.get("/api/v1/contracts/production/doors/matrix").await;
    assert_eq!(
        (&matrix["items"][0]["fits"], &matrix["items"][0]["published"]),
        (&json!(true), &json!("1"))
    );
    let refused = api.act("POST", END, &json!({ "reason": "x" }), 409).await;
    assert_eq!(refused["code"], "QC-D009");
}
