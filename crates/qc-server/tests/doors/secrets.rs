//! Secrets go in over the API, and nothing that comes out has one.

use qc_access::Role;
use serde_json::{Value, json};

use crate::api::Api;

const NOTHING: &Value = &Value::Null;
const SET: &str = "/api/v1/secrets/set";
const ROTATE: &str = "/api/v1/secrets/rotate";
const REMOVE: &str = "/api/v1/secrets/remove";

fn of(environment: &str, name: &str, more: &Value) -> Value {
    let mut whole = json!({ "environment": environment, "name": name });
    whole.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    whole
}

fn valued(environment: &str, name: &str, value: &str) -> Value {
    of(environment, name, &json!({ "value": value }))
}

/// Every operation on secrets and the vault, once as it is meant and once as it is refused.
pub(crate) async fn secrets(api: &Api) {
    let nothing = api.get("/api/v1/vault").await;
    assert_eq!((&nothing["on"], &nothing["environments"]), (&json!(true), &json!([])));
    let first =
        of("sandbox", "crm/token", &json!({"value": "of-the-sandbox", "rotate_every": "90d"}));
    let made = api.act("POST", SET, &first, 200).await;
    assert_eq!((&made["version"], &made["rotate_every"]), (&json!(1), &json!(7_776_000)));
    assert_eq!((&made["overdue"], &made["opens"]), (&json!(false), &json!(true)));
    let again = api.act("POST", SET, &first, 200).await;
    assert_eq!(again, made, "the same said twice is one change");
    let named = valued("production", "secret://crm/token", "of-production");
    assert_eq!(api.act("POST", SET, &named, 200).await["name"], "crm/token");

    let shared = valued("production", "other", "of-the-sandbox");
    let refused = api.act("POST", SET, &shared, 409).await;
    assert_eq!(
        (&refused["code"], &refused["next_action"]),
        (&json!("QC-V007"), &json!("fix_request"))
    );
    let next = of("sandbox", "crm/token", &json!({"value": "next", "overlap": "1h"}));
    let rotated = api.act("POST", ROTATE, &next, 200).await;
    assert_eq!(rotated["version"], 2);
    assert!(rotated["previous_until"].is_string(), "{rotated}");
    assert_eq!(api.act("POST", ROTATE, &next, 422).await["code"], "QC-V010");
    let unknown = valued("sandbox", "nobody", "x");
    assert_eq!(api.act("POST", ROTATE, &unknown, 404).await["code"], "QC-V009");

    let listed = api.get("/api/v1/secrets?environment=sandbox").await;
    assert_eq!(listed["items"], json!([rotated]));
    let page = api.get("/api/v1/secrets?limit=1").await;
    let after = page["next"].as_str().unwrap();
    assert_eq!(after, "production/crm/token");
    let rest = api.get(&format!("/api/v1/secrets?limit=1&after={after}")).await;
    assert_eq!((&rest["items"], &rest["next"]), (&json!([rotated]), &Value::Null));
    due(api, &rotated).await;
    keys(api).await;
    rights(api).await;
    unusable(api).await;

    let gone = of("sandbox", "crm/token", &json!({}));
    api.act("POST", REMOVE, &gone, 204).await;
    assert_eq!(api.act("POST", REMOVE, &gone, 404).await["code"], "QC-V009");
    let ledger = api.get("/api/v1/ledger?kind=audit&limit=500").await.to_string();
    for outcome in ["created", "rotated", "removed"] {
        assert!(ledger.contains(outcome), "{outcome}");
    }
    let seen = [ledger, listed.to_string(), api.get("/api/v1/vault").await.to_string()].concat();
    for value in ["of-the-sandbox", "of-production", "\"next\":\"next\""] {
        assert!(!seen.contains(value), "{value}");
    }
}

async fn keys(api: &Api) {
    let standing = api.get("/api/v1/vault").await;
    assert_eq!(standing["place"], "env:KEK");
    assert_eq!(standing["environments"][1]["keys"][0]["kek"], standing["kek"]);
    assert_eq!(api.act("POST", "/api/v1/vault/rewrap", NOTHING, 200).await, json!({"keys": 0}));
    let sandbox = json!({"environment": "sandbox"});
    let rotated = api.act("POST", "/api/v1/vault/rotate-dek", &sandbox, 200).await;
    assert_eq!(rotated, json!({"version": 2}));
    let standing = api.get("/api/v1/vault").await;
    assert_eq!(standing["environments"][1]["remaining"], 1, "{standing}");
    let drilled = api.act("POST", "/api/v1/vault/drill", &sandbox, 200).await;
    assert_eq!((&drilled["failures"], &drilled["first_failure"]), (&json!(0), &Value::Null));
    let nowhere = json!({"environment": "nowhere"});
    let refused = api.act("POST", "/api/v1/vault/rotate-dek", &nowhere, 404).await;
    assert_eq!(refused["code"], "QC-V009");
}

/// Who may see which secrets there are, and who may write them.
async fn rights(api: &Api) {
    let body = valued("sandbox", "mine", "mine-in-the-sandbox");
    for role in Role::ALL {
        let token = api.world.token(None, role, None).await;
        let reads = matches!(role, Role::Admin | Role::Developer | Role::Operator | Role::Auditor);
        let status = if reads { 200 } else { 403 };
        api.act_as(&token, "GET", "/api/v1/secrets", NOTHING, status).await;
        api.act_as(&token, "GET", "/api/v1/vault", NOTHING, status).await;
        let status = if role == Role::Admin { 200 } else { 403 };
        api.act_as(&token, "POST", SET, &body, status).await;
    }
    let scopes = ["sandbox/secrets/*:write"];
    let narrow = api.world.token(Some("sandbox"), Role::Admin, Some(&scopes)).await;
    api.act_as(&narrow, "POST", SET, &body, 200).await;
    let other = valued("production", "mine", "mine-in-production");
    api.act_as(&narrow, "POST", SET, &other, 403).await;
    api.act_as(&narrow, "GET", "/api/v1/secrets", NOTHING, 403).await;
    api.act_as(&narrow, "POST", "/api/v1/vault/rewrap", NOTHING, 403).await;
    let bound = api.world.token(Some("sandbox"), Role::Auditor, None).await;
    let own = api.act_as(&bound, "GET", "/api/v1/secrets", NOTHING, 200).await;
    let items = own["items"].as_array().unwrap();
    assert!(items.iter().all(|secret| secret["environment"] == "sandbox"), "{own}");
    api.act_as(&bound, "GET", "/api/v1/secrets?environment=production", NOTHING, 403).await;
    api.act("POST", REMOVE, &of("sandbox", "mine", &json!({})), 204).await;
}

/// What is refused is not repeated.
async fn unusable(api: &Api) {
    let bodies = [
        valued("sandbox", "Not A Name", "hunter2"),
        valued("Not An Environment", "key", "hunter2"),
        valued("sandbox", "key", ""),
        of("sandbox", "key", &json!({"value": 4711_4711})),
        of("sandbox", "key", &json!({"value": "hunter2", "rotate_every": "hunter"})),
        of("sandbox", "key", &json!({"value": "hunter2", "typo": "x"})),
        of("sandbox", "key", &json!({})),
    ];
    for body in bodies {
        let told = api.act("POST", SET, &body, 422).await.to_string();
        assert!(!told.contains("hunter2") && !told.contains("47114711"), "{told}");
    }
}

/// What is to be rotated: the secret with a cadence, by its date, and the environment's data key.
async fn due(api: &Api, secret: &Value) {
    let page = api.get("/api/v1/rotations?environment=sandbox").await;
    let of_kind = |kind: &str| {
        let items = page["items"].as_array().unwrap();
        items.iter().filter(|one| one["kind"] == kind).cloned().collect::<Vec<_>>()
    };
    let [task] = &of_kind("secret")[..] else { panic!("{page}") };
    assert_eq!(task["id"], "secret:sandbox/crm/token");
    assert_eq!((&task["due_at"], &task["state"]), (&secret["due_at"], &json!("scheduled")));
    assert_eq!(task["how"], "qc secrets rotate sandbox crm/token --file NEW");
    assert!(task["owner"].as_str().is_some_and(|owner| owner.contains(':')), "who made it: {task}");
    assert_eq!(of_kind("data_key")[0]["how"], "qc vault rotate-dek sandbox");
    // Another cadence dates it anew, and the most urgent stands first; it goes with its secret.
    api.act("POST", SET, &of_cadence("sandbox", "hurried", "1h"), 200).await;
    let first = async || {
        let page = api.get("/api/v1/rotations?environment=sandbox").await;
        (page["items"][0]["id"].clone(), page["items"][0]["state"].clone())
    };
    assert_eq!(first().await, (json!("secret:sandbox/hurried"), json!("soon")));
    api.act("POST", SET, &of_cadence("sandbox", "hurried", "900d"), 200).await;
    assert_eq!(first().await, (json!("secret:sandbox/crm/token"), json!("scheduled")));
    api.act("POST", REMOVE, &of("sandbox", "hurried", &json!({})), 204).await;
    assert!(!api.get("/api/v1/rotations").await.to_string().contains("hurried"));
}

fn of_cadence(environment: &str, name: &str, every: &str) -> Value {
    of(environment, name, &json!({ "value": format!("{name} {every}"), "rotate_every": every }))
}
