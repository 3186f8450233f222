//! Debug captures through the API: who asks, who agrees, who looks, and what the audit says.

use qc_access::Role;
use serde_json::{Value, json};

use crate::{
    api::Api,
    client::{Ask, Reply},
    world::World,
};

fn asked(more: &Value) -> String {
    let mut body = json!({
        "environment": "production", "integration": "doors", "reason": "tickets are lost",
        "ticket": "OPS-7", "lifetime": "30m", "events": true,
    });
    for (key, value) in more.as_object().unwrap() {
        body[key] = value.clone();
    }
    body.to_string()
}

/// Every operation once, as the API's description says.
pub(crate) async fn operations(api: &Api) {
    let ada = api.world.person("ada", Role::Operator).await;
    let grace = api.world.person("grace", Role::Admin).await;
    let nothing = &Value::Null;
    let body: Value = serde_json::from_str(&asked(&json!({}))).unwrap();
    let mut ids = Vec::new();
    for _ in 0..2 {
        let capture = api.act_as(&ada, "POST", "/api/v1/captures", &body, 201).await;
        ids.push(capture["id"].as_str().unwrap().to_owned());
    }
    let refuse = format!("/api/v1/captures/{}/refuse", ids[1]);
    api.act_as(&grace, "POST", &refuse, nothing, 200).await;
    let one = format!("/api/v1/captures/{}", ids[0]);
    api.act_as(&grace, "POST", &format!("{one}/approve"), nothing, 200).await;
    // Others may have mended it.
    api.world.desk.tear();
    api.run("fault", "faulted").await;
    api.world.desk.mend();
    let seen = api.act("POST", &format!("{one}/read"), nothing, 200).await;
    assert_eq!(seen["items"].as_array().unwrap().len(), 2, "an event and a call: {seen}");
    let ended = api.act_as(&ada, "POST", &format!("{one}/end"), nothing, 200).await;
    assert_eq!(ended["state"], "purged");
    let listed = api.get("/api/v1/captures?environment=production&integration=doors").await;
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
}

/// Ada asks, and somebody else may agree.
struct Case {
    world: World,
    ada: String,
    grace: String,
    id: String,
}

impl Case {
    async fn new(more: &Value) -> Self {
        let world = World::new().await;
        let ada = world.person("ada", Role::Operator).await;
        let grace = world.person("grace", Role::Admin).await;
        let made = world.ask(Ask::post("/api/v1/captures", asked(more)).token(&ada)).await;
        assert_eq!(made.status, 201, "{}", made.json());
        let id = made.json()["id"].as_str().unwrap().to_owned();
        Self { world, ada, grace, id }
    }

    async fn act(&self, token: &str, deed: &str) -> Reply {
        let path = format!("/api/v1/captures/{}/{deed}", self.id);
        self.world.ask(Ask::post(&path, "").token(token)).await
    }

    /// What its reader needs in production.
    async fn grant(&self, person: &str, token: &str, unit: Option<&str>, by: &str) {
        let body = json!({
            "actions": ["captures:inspect"], "environment": "production", "integration": "doors",
            "unit": unit, "reason": "x", "ticket": "OPS-7",
        });
        let ask = Ask::post("/api/v1/grants", body.to_string()).token(token);
        let grant = self.world.ask(ask).await.json();
        assert_eq!(grant["person"], person, "{grant}");
        let path = format!("/api/v1/grants/{}/approve", grant["id"].as_str().unwrap());
        let given = self.world.ask(Ask::post(&path, "").token(by)).await;
        assert_eq!(given.status, 200, "{}", given.json());
    }

    async fn fault(&self) {
        let body = json!({"mode": "fault", "said": "by Ada Canary"}).to_string();
        let run = self.world.send("json", body).await.run();
        self.world.until(&run, "faulted").await;
    }
}

#[tokio::test]
async fn a_second_person_agrees_and_whoever_looks_needs_a_grant_and_is_told_of() {
    let case = Case::new(&json!({})).await;
    case.fault().await;
    // An operator agrees to none, nor does one person under two tokens, nor nobody.
    case.act(&case.ada, "approve").await.problem(403, "QC-A005");
    let ada_as_admin = case.world.person("ada", Role::Admin).await;
    case.act(&ada_as_admin, "approve").await.problem(403, "QC-A038");
    case.act(&case.world.owner, "approve").await.problem(422, "QC-A041");
    let told = case.act(&case.grace, "approve").await.json();
    assert_eq!((&told["state"], &told["decided_by"]), (&json!("recording"), &json!("grace")));
    case.act(&case.grace, "approve").await.problem(409, "QC-A038");
    case.fault().await;
    // Who sets up does not look, and who looks needs a grant.
    case.act(&case.grace, "read").await.problem(403, "QC-A005");
    case.act(&case.ada, "read").await.problem(403, "QC-A005");
    case.grant("ada", &case.ada, None, &case.grace).await;
    let seen = case.act(&case.ada, "read").await.json();
    let items = seen["items"].as_array().unwrap();
    let whats: Vec<&str> =
        items.iter().map(|it| it["recorded"]["what"].as_str().unwrap()).collect();
    // Nothing of the run before it was agreed to. The call can be on its way before its event is recorded.
    assert!(whats.len() == 2 && whats.contains(&"event") && whats.contains(&"call"), "{seen}");
    let call = items.iter().find(|it| it["recorded"]["what"] == "call").unwrap();
    let call = &call["recorded"];
    assert_eq!((&call["task"], &call["system"]), (&json!("fault"), &json!("desk")), "{call}");
    assert_eq!(call["operation"], "createTicket");
    assert!(call["request"]["line"].as_str().unwrap().starts_with("POST http"), "{call}");
    assert_eq!(call["request"]["body"]["text"], r#"{"title":"x"}"#);
    assert!(call["answer"]["line"].is_string() || call["failure"].is_string(), "{call}");
    assert!(seen.to_string().contains("Ada Canary"), "{seen}");
    // Its pages.
    let path = format!("/api/v1/captures/{}/read?limit=1", case.id);
    let first = case.world.ask(Ask::post(&path, "").token(&case.ada)).await.json();
    let next = first["next"].as_str().unwrap();
    let path = format!("{path}&after={next}");
    let second = case.world.ask(Ask::post(&path, "").token(&case.ada)).await.json();
    assert_eq!((first["items"].as_array().unwrap().len(), &second["next"]), (1, &Value::Null));
    assert_ne!(first["items"], second["items"]);
    // The audit knows who looked and holds nothing of it, and neither does any other row.
    let rows = case.world.ask(Ask::get("/api/v1/ledger?limit=500").token(&case.world.owner)).await;
    let rows = rows.json();
    let all = rows["items"].as_array().unwrap();
    let looked = |row: &&Value| row["subject"] == "readCapture" && row["outcome"] == "allowed";
    let told = all.iter().find(looked).unwrap();
    assert_eq!((&told["actor"], &told["integration"]), (&json!("human:ada"), &json!("doors")));
    assert!(!rows.to_string().contains("Ada Canary"));
    let capture = format!("capture {}", case.id);
    let outcomes: Vec<&str> = all
        .iter()
        .filter(|row| row["subject"] == *capture)
        .filter_map(|row| row["outcome"].as_str())
        .collect();
    assert_eq!(outcomes, ["requested", "approved"]);
    // When it ended nobody sees it any more.
    assert_eq!(case.act(&case.grace, "refuse").await.json()["state"], "purged");
    case.act(&case.ada, "read").await.problem(410, "QC-A039");
    case.act(&case.ada, "end").await.problem(409, "QC-A038");
}

#[tokio::test]
async fn another_unit_captures_nothing_and_looks_with_a_grant_of_the_unit_only() {
    let case = Case::new(&json!({})).await;
    case.act(&case.grace, "approve").await;
    case.fault().await;
    let mallory = case.world.person("mallory", Role::Operator).await;
    let ask = Ask::post("/api/v1/captures", asked(&json!({}))).token(&mallory);
    let told = case.world.ask(ask).await.problem(403, "QC-A005");
    assert!(told["detail"].as_str().unwrap().contains("another unit's"), "{told}");
    case.act(&mallory, "read").await.problem(403, "QC-A005");
    case.act(&mallory, "end").await.problem(403, "QC-A005");
    let listed = case.world.ask(Ask::get("/api/v1/captures").token(&mallory)).await.json();
    assert_eq!((&listed["items"], &listed["of_units"]), (&json!([]), &json!(["rival"])));
    let one = "/api/v1/captures?environment=production&integration=doors";
    case.world.ask(Ask::get(one).token(&mallory)).await.problem(403, "QC-A005");
    let eve = case.world.person("eve", Role::Admin).await;
    case.act(&eve, "refuse").await.problem(403, "QC-A005");
    let of_desk = case.world.person("ada", Role::Admin).await;
    case.grant("mallory", &mallory, Some("desk"), &of_desk).await;
    assert_eq!(case.act(&mallory, "read").await.status, 200);
    case.act(&mallory, "end").await.problem(403, "QC-A005");
}

#[tokio::test]
async fn rules_of_approval_hold_for_captures() {
    let case = Case::new(&json!({})).await;
    let rules =
        "approvals:\n- { action: 'captures:approve', need: 2, of: [ada, bob, grace, dora] }\n";
    let matrix = qc_access::Policies::shipped().matrix().to_tsv();
    let files = json!([{"name": qc_access::APPROVALS_FILE, "text": rules}]);
    let body = json!({"files": files, "matrix": matrix}).to_string();
    let apply = Ask::post("/api/v1/policies", body).token(&case.world.owner);
    assert_eq!(case.world.ask(apply).await.status, 200);
    case.act(&case.grace, "approve").await.problem(403, "QC-A046");
    for (person, missing) in [("ada", true), ("bob", true), ("dora", false)] {
        let token = case.world.person(person, Role::Approver).await;
        let body = json!({
            "action": "captures:approve", "environment": "production", "integration": "doors",
            "what": case.id,
        });
        let give = Ask::post("/api/v1/approvals", body.to_string()).token(&token);
        assert_eq!(case.world.ask(give).await.status, 201);
        // What the one who asks approves does not count.
        if missing {
            case.act(&case.grace, "approve").await.problem(403, "QC-A046");
        }
    }
    assert_eq!(case.act(&case.grace, "approve").await.json()["state"], "recording");
}

#[tokio::test]
async fn what_cannot_be_captured_is_told() {
    let world = World::new().await;
    let ada = world.person("ada", Role::Operator).await;
    for (more, status, code, why) in [
        (json!({"reason": ""}), 422, "QC-A038", "reason is empty"),
        (json!({"lifetime": "5h"}), 422, "QC-A038", "4 hours"),
        (json!({"keep": "25h"}), 422, "QC-A038", "at most 24"),
        (json!({"max": 5000}), 422, "QC-A038", "1000"),
        (json!({"lifetime": "soon"}), 422, "QC-A012", "lifetime"),
        (json!({"tenant": "No!"}), 422, "QC-A012", "tenant"),
    ] {
        let ask = Ask::post("/api/v1/captures", asked(&more)).token(&ada);
        let problem = world.ask(ask).await.problem(status, code);
        assert!(problem["detail"].as_str().unwrap().contains(why), "{problem}");
    }
    let nobody = world.token(Some("production"), Role::Operator, None).await;
    let ask = Ask::post("/api/v1/captures", asked(&json!({}))).token(&nobody);
    world.ask(ask).await.problem(422, "QC-A041");
    for deed in ["approve", "refuse", "read", "end"] {
        let path = format!("/api/v1/captures/0123456789abcdef/{deed}");
        world.ask(Ask::post(&path, "").token(&world.owner)).await.problem(404, "QC-A037");
    }
}
