//! Changes that n of m persons approve before they come in force.

use qc_access::{APPROVALS_FILE, Policies, Role};
use serde_json::{Value, json};

use crate::{api::Api, client::Ask, world::World};

const RULES: &str = "
approvals:
- { action: 'deployments:write', environments: [production], need: 2, of: [ada, bob, grace] }
- { action: 'policies:write', need: 1, of: [ada, grace] }
";

fn policies() -> Value {
    let matrix = Policies::shipped().matrix().to_tsv();
    json!({"files": [{"name": APPROVALS_FILE, "text": RULES}], "matrix": matrix})
}

fn give(what: &str) -> Value {
    json!({
        "action": "deployments:write", "environment": "production", "integration": "doors", "what": what,
    })
}

/// Every operation once, as the API's description says.
pub(crate) async fn approvals(api: &Api) {
    let before = api.get("/api/v1/policies").await;
    api.act("POST", "/api/v1/policies", &policies(), 200).await;
    let ada = api.world.person("ada", Role::Approver).await;
    let release = api.get("/api/v1/deployments").await["items"][0]["release"].clone();
    let body = give(release.as_str().unwrap());
    let given = api.act_as(&ada, "POST", "/api/v1/approvals", &body, 201).await;
    let path = format!("/api/v1/approvals/{}/withdraw", given["id"].as_str().unwrap());
    assert_eq!(api.act_as(&ada, "POST", &path, &Value::Null, 200).await["withdrawn"], true);
    assert_eq!(api.get("/api/v1/approvals").await["items"].as_array().unwrap().len(), 1);
    // Back to the rules before, as these have it.
    let own = api.world.unbound("ada", Role::Approver).await;
    let body = json!({"action": "policies:write", "what": before["version"]});
    api.act_as(&own, "POST", "/api/v1/approvals", &body, 201).await;
    let body = json!({"files": [], "matrix": Policies::shipped().matrix().to_tsv()});
    api.act("POST", "/api/v1/policies", &body, 200).await;
}

struct Office {
    world: World,
    first: String,
}

impl Office {
    async fn new() -> Self {
        let world = World::new().await;
        let list = Ask::get("/api/v1/deployments").token(&world.owner);
        let first =
            world.ask(list).await.json()["items"][0]["release"].as_str().unwrap().to_owned();
        world.redeploy("second").await;
        let apply = Ask::post("/api/v1/policies", policies().to_string()).token(&world.owner);
        assert_eq!(world.ask(apply).await.status, 200);
        Self { world, first }
    }

    fn deploy(&self, token: &str) -> Ask {
        let body = json!({"release": self.first}).to_string();
        Ask::post("/api/v1/deployments/production/doors", body).token(token)
    }

    async fn approve(&self, person: &str) -> String {
        let token = self.world.person(person, Role::Approver).await;
        let ask = Ask::post("/api/v1/approvals", give(&self.first).to_string()).token(&token);
        let reply = self.world.ask(ask).await;
        assert_eq!(reply.status, 201, "{}", reply.json());
        reply.json()["id"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn a_release_comes_into_production_once_two_have_approved_it_who_did_not_make_it() {
    let office = Office::new().await;
    let world = &office.world;
    let deployer = world.person("dora", Role::Deployer).await;
    let told = world.ask(office.deploy(&deployer)).await.problem(403, "QC-A046");
    let told = told["detail"].as_str().unwrap();
    assert!(told.contains("it takes 2 approvals and has those of nobody"), "{told}");
    assert!(told.contains("--environment production --integration doors"), "{told}");
    let id = office.approve("ada").await;
    office.approve("ada").await;
    world.ask(office.deploy(&deployer)).await.problem(403, "QC-A046");
    office.approve("bob").await;
    // Who deploys has no say in it.
    let ada = world.person("ada", Role::Deployer).await;
    world.ask(office.deploy(&ada)).await.problem(403, "QC-A046");
    assert_eq!(world.ask(office.deploy(&deployer)).await.status, 200);
    // Back it goes without, and not forward again on what was taken back.
    let back = Ask::post("/api/v1/deployments/production/doors/rollback", "").token(&world.owner);
    assert_eq!(world.ask(back).await.status, 200);
    let path = format!("/api/v1/approvals/{id}/withdraw");
    let bob = world.person("bob", Role::Approver).await;
    world.ask(Ask::post(&path, "").token(&bob)).await.problem(403, "QC-A047");
    let ada = world.person("ada", Role::Approver).await;
    assert_eq!(world.ask(Ask::post(&path, "").token(&ada)).await.json()["withdrawn"], true);
    assert_eq!(
        world.ask(office.deploy(&deployer)).await.status,
        200,
        "her second one still counts"
    );
    // What the rules do not speak of goes as before.
    let elsewhere = Ask::post(
        "/api/v1/deployments/sandbox/doors",
        json!({"release": office.first}).to_string(),
    );
    assert_eq!(world.ask(elsewhere.token(&world.owner)).await.status, 200);
}

#[tokio::test]
async fn nobody_gets_around_the_rules_by_changing_them() {
    let office = Office::new().await;
    let world = &office.world;
    let body = json!({"files": [], "matrix": Policies::shipped().matrix().to_tsv()}).to_string();
    let apply = || Ask::post("/api/v1/policies", &body).token(&world.owner);
    world.ask(apply()).await.problem(403, "QC-A046");
    let version = Policies::shipped().version().to_owned();
    let approve = |token: &str, what: &str| {
        let body = json!({"action": "policies:write", "what": what}).to_string();
        Ask::post("/api/v1/approvals", body).token(token)
    };
    let bob = world.unbound("bob", Role::Approver).await;
    world.ask(approve(&bob, &version)).await.problem(403, "QC-A047");
    let grace = world.unbound("grace", Role::Approver).await;
    assert_eq!(world.ask(approve(&grace, "policies-0000000000000000")).await.status, 201);
    world.ask(apply()).await.problem(403, "QC-A046");
    assert_eq!(world.ask(approve(&grace, &version)).await.status, 201);
    assert_eq!(world.ask(apply()).await.status, 200);
}

#[tokio::test]
async fn what_cannot_be_approved_is_told() {
    let office = Office::new().await;
    let world = &office.world;
    let ada = world.person("ada", Role::Approver).await;
    let with = |key: &str, value: Value| {
        let mut body = give(&office.first);
        body[key] = value;
        body
    };
    for (body, status, code) in [
        (with("action", json!("runs:read")), 422, "QC-A012"),
        (with("what", json!("")), 422, "QC-A012"),
        (with("integration", Value::Null), 422, "QC-A012"),
        (with("action", json!("policies:write")), 422, "QC-A012"),
        (with("what", json!("abcdef0123")), 404, "QC-D001"),
    ] {
        let ask = Ask::post("/api/v1/approvals", body.to_string()).token(&ada);
        world.ask(ask).await.problem(status, code);
    }
    let nobody = world.token(Some("production"), Role::Approver, None).await;
    let ask = Ask::post("/api/v1/approvals", give(&office.first).to_string());
    world.ask(ask.token(&nobody)).await.problem(422, "QC-A041");
    let none = Ask::post("/api/v1/approvals/none/withdraw", "").token(&ada);
    world.ask(none).await.problem(404, "QC-A047");
}
