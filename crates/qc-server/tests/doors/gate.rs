//! The gate: what breaks others is held however it is asked for, and let pass by those whom the rules name.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use qc_access::{APPROVALS_FILE, Policies, Role};
use serde_json::{Value, json};

use crate::{
    client::Ask,
    deployment::{OFFER, TELLS, WRITTEN},
    world::World,
};

const PLACE: &str = "/api/v1/deployments/production/doors";
const RULES: &str = "
approvals:
- { action: 'deployments:override', environments: [production], need: 1, of: [ada, grace] }
";

/// An offer of one operation, whose body has these required properties.
fn offer(required: &[&str]) -> String {
    let schema = json!({
        "type": "object",
        "properties": { "id": { "type": "string" }, "note": { "type": "string" } },
        "required": required,
    });
    json!({
        "openapi": "3.1.0",
        "info": { "title": "doors", "version": "1" },
        "paths": { "/in/doors/case": { "post": {
            "requestBody": { "content": { "application/json": { "schema": schema } } },
            "responses": { "202": { "description": "taken" } },
        } } },
    })
    .to_string()
}

struct Gate {
    world: World,
}

impl Gate {
    /// In production runs what asks for nothing.
    async fn new(tells: bool) -> Self {
        let gate = Self { world: World::new().await };
        let open = offer(&[]);
        let files = [(OFFER, open.as_str()), (TELLS, "")];
        let first = gate.store(&files[..if tells { 2 } else { 1 }]).await;
        let reply = gate.world.ask(gate.deploy(&first)).await;
        assert_eq!(reply.status, 200, "nothing was offered before: {}", reply.json());
        gate
    }

    async fn store(&self, files: &[(&str, &str)]) -> String {
        let files: serde_json::Map<String, Value> = files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), json!(STANDARD.encode(text))))
            .collect();
        let body = json!({ "integration": "doors", "files": files }).to_string();
        // Somebody else deploys it.
        let token = self.world.person("dev", Role::Developer).await;
        let reply = self.world.ask(Ask::post("/api/v1/releases", body).token(&token)).await;
        assert_eq!(reply.status, 201, "{}", reply.json());
        reply.json()["release"].as_str().unwrap().to_owned()
    }

    fn deploy(&self, release: &str) -> Ask {
        let body = json!({ "release": release }).to_string();
        Ask::post(PLACE, body).token(&self.world.owner)
    }

    fn override_with(&self, body: &Value) -> Ask {
        Ask::post(&format!("{PLACE}/override"), body.to_string()).token(&self.world.owner)
    }

    async fn rule(&self) {
        let matrix = Policies::shipped().matrix().to_tsv();
        let body = json!({"files": [{"name": APPROVALS_FILE, "text": RULES}], "matrix": matrix});
        let apply = Ask::post("/api/v1/policies", body.to_string()).token(&self.world.owner);
        assert_eq!(self.world.ask(apply).await.status, 200);
    }

    async fn approve(&self, person: &str, release: &str) {
        let token = self.world.person(person, Role::Approver).await;
        let body = json!({
            "action": "deployments:override", "environment": "production", "integration": "doors",
            "what": release,
        });
        let ask = Ask::post("/api/v1/approvals", body.to_string()).token(&token);
        let reply = self.world.ask(ask).await;
        assert_eq!(reply.status, 201, "{}", reply.json());
    }

    async fn runs(&self) -> Value {
        let list = Ask::get("/api/v1/deployments?environment=production").token(&self.world.owner);
        self.world.ask(list).await.json()["items"][0]["release"].clone()
    }
}

#[tokio::test]
async fn what_breaks_is_held_and_the_answer_says_what_and_what_to_do() {
    let gate = Gate::new(false).await;
    let breaks = gate.store(&[(OFFER, &offer(&["id"]))]).await;
    let told = gate.world.ask(gate.deploy(&breaks)).await.problem(409, "QC-D008");
    let told = told["detail"].as_str().unwrap();
    for word in ["chg-", "request-property-became-required", "/in/doors/case", "breaking_changes"] {
        assert!(told.contains(word), "{word} is not in {told}");
    }
    assert_ne!(gate.runs().await, breaks);
    let ask = Ask::get(&format!("{PLACE}/gate?release={breaks}")).token(&gate.world.owner);
    let said = gate.world.ask(ask).await.json();
    assert_eq!((&said["holds"], &said["is_first"]), (&json!(true), &json!(false)), "{said}");
    assert_eq!(said["report"]["verdict"], "breaking");
    assert_eq!(said["report"]["gate"]["bump"]["computed"], "major");
    // Not even with a reason, as nothing is written about it.
    let reason = json!({ "release": breaks, "reason": "we want to" });
    gate.world.ask(gate.override_with(&reason)).await.problem(409, "QC-D008");
}

#[tokio::test]
async fn whom_the_rules_name_let_it_pass_and_nobody_else() {
    let gate = Gate::new(false).await;
    let world = &gate.world;
    let breaks = gate.store(&[(OFFER, &offer(&["id"])), (WRITTEN, "2020-01-01")]).await;
    let reason = json!({ "release": breaks, "reason": "the old form ends" });
    world.ask(gate.deploy(&breaks)).await.problem(409, "QC-D008");
    let told = world.ask(gate.override_with(&reason)).await.problem(403, "QC-A046");
    assert!(told["detail"].as_str().unwrap().contains("deployments:override"), "{told}");
    gate.rule().await;
    world.ask(gate.override_with(&reason)).await.problem(403, "QC-A046");
    gate.approve("ada", &breaks).await;
    // With the approval, too, it takes the deed of its own, and a reason.
    world.ask(gate.deploy(&breaks)).await.problem(409, "QC-D008");
    world
        .ask(gate.override_with(&json!({ "release": breaks, "reason": " " })))
        .await
        .problem(422, "QC-A012");
    let deployer = world.person("dora", Role::Deployer).await;
    let path = format!("{PLACE}/override");
    let ask = Ask::post(&path, reason.to_string()).token(&deployer);
    assert_eq!(world.ask(ask).await.status, 403, "a pipeline's role may not");
    let reply = world.ask(gate.override_with(&reason)).await;
    assert_eq!(reply.status, 200, "{}", reply.json());
    assert_eq!(gate.runs().await, breaks);
    // The audit tells what passed, and why.
    let rows = Ask::get("/api/v1/ledger?kind=audit&environment=production&limit=200");
    let rows = world.ask(rows.token(&world.owner)).await.json();
    let row = rows["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["outcome"] == "deployed" && row["facts"]["release"] == json!(breaks));
    let facts = &row.unwrap()["facts"]["gate"];
    assert_eq!(facts["overridden"]["reason"], "the old form ends", "{facts}");
    assert!(facts["overridden"]["breaks"][0].as_str().unwrap().starts_with("chg-"));
    // Going back is never held, though what is taken away then was offered.
    let back = Ask::post(&format!("{PLACE}/rollback"), "").token(&world.owner);
    assert_eq!(world.ask(back).await.status, 200);
}

#[tokio::test]
async fn what_was_announced_too_late_waits_and_a_security_fix_does_not() {
    let gate = Gate::new(false).await;
    let world = &gate.world;
    gate.rule().await;
    let late = gate.store(&[(OFFER, &offer(&["id"])), (WRITTEN, "2999-01-01")]).await;
    gate.approve("ada", &late).await;
    let mut body = json!({ "release": late, "reason": "a hole" });
    let told = world.ask(gate.override_with(&body)).await.problem(409, "QC-D008");
    assert!(told["detail"].as_str().unwrap().contains("before 2999-01-31"), "{told}");
    let bare = gate.store(&[(OFFER, &offer(&["id", "note"]))]).await;
    body["release"] = json!(bare);
    body["security_fix"] = json!(true);
    let reply = world.ask(gate.override_with(&body)).await;
    assert_eq!(reply.status, 200, "{}", reply.json());
    assert_eq!(gate.runs().await, bare);
}

#[tokio::test]
async fn where_it_only_tells_everything_passes() {
    let gate = Gate::new(true).await;
    let breaks = gate.store(&[(OFFER, &offer(&["id"]))]).await;
    let ask = Ask::get(&format!("{PLACE}/gate?release={breaks}")).token(&gate.world.owner);
    let said = gate.world.ask(ask).await.json();
    assert_eq!(said["holds"], false);
    assert!(!said["reasons"].as_array().unwrap().is_empty(), "{said}");
    assert_eq!(gate.world.ask(gate.deploy(&breaks)).await.status, 200);
    // The release that runs makes the rules: the next one is held, whatever it says of itself.
    let next = gate.store(&[(OFFER, &offer(&["id", "note"])), (TELLS, "")]).await;
    gate.world.ask(gate.deploy(&next)).await.problem(409, "QC-D008");
}
