//! Rights for a time, and policies in force, through the API.

use qc_access::{Policies, Role};
use serde_json::{Value, json};

use crate::{api::Api, client::Ask, world::World};

/// What an operator does in production that takes a grant: refused after the decision, as nothing is there.
fn replay(token: &str, run: &str) -> Ask {
    Ask::post(&format!("/api/v1/runs/{run}/replay"), "{}").token(token)
}

fn asked(more: &Value) -> String {
    let mut body = json!({
        "actions": ["runs:replay"], "environment": "production", "reason": "orders are lost",
        "ticket": "OPS-7", "lifetime": "30m",
    });
    for (key, value) in more.as_object().unwrap() {
        body[key] = value.clone();
    }
    body.to_string()
}

/// Every operation once, as the API's description says.
pub(crate) async fn rights(api: &Api) {
    let ada = api.world.person("ada", Role::Operator).await;
    let grace = api.world.person("grace", Role::Admin).await;
    let nothing = &Value::Null;
    let body: Value = serde_json::from_str(&asked(&json!({}))).unwrap();
    let mut ids = Vec::new();
    for _ in 0..2 {
        let grant = api.act_as(&ada, "POST", "/api/v1/grants", &body, 201).await;
        ids.push(grant["id"].as_str().unwrap().to_owned());
    }
    for (id, deed) in [(&ids[0], "approve"), (&ids[0], "revoke"), (&ids[1], "refuse")] {
        let path = format!("/api/v1/grants/{id}/{deed}");
        api.act_as(&grace, "POST", &path, nothing, 200).await;
    }
    assert_eq!(api.get("/api/v1/grants").await["items"].as_array().unwrap().len(), 2);
    let body = json!({"files": [], "matrix": Policies::shipped().matrix().to_tsv()});
    let set = api.act("POST", "/api/v1/policies", &body, 200).await;
    assert_eq!(api.get("/api/v1/policies").await, set);
}

#[tokio::test]
async fn a_second_person_gives_rights_for_a_time_and_takes_them_back() {
    let world = World::new().await;
    let run = world.send("json", "{}").await.run();
    let (ada, grace) =
        (world.person("ada", Role::Operator).await, world.person("grace", Role::Admin).await);
    let refused = world.ask(replay(&ada, &run)).await.problem(403, "QC-A005");
    assert!(refused["detail"].as_str().unwrap().contains("qc grants request"), "{refused}");

    let request = Ask::post("/api/v1/grants", asked(&json!({}))).token(&ada);
    let grant = world.ask(request).await;
    assert_eq!(grant.status, 201);
    let id = grant.json()["id"].as_str().unwrap().to_owned();
    let decide = |deed: &str, token: &str| {
        Ask::post(&format!("/api/v1/grants/{id}/{deed}"), "").token(token)
    };
    // To ask is not to have, and an operator gives none.
    world.ask(replay(&ada, &run)).await.problem(403, "QC-A005");
    world.ask(decide("approve", &ada)).await.problem(403, "QC-A005");
    // Neither does one person under two tokens.
    let ada_as_admin = world.person("ada", Role::Admin).await;
    world.ask(decide("approve", &ada_as_admin)).await.problem(403, "QC-A041");
    // A key that belongs to nobody is no second person.
    world.ask(decide("approve", &world.owner)).await.problem(422, "QC-A041");
    assert_eq!(world.ask(decide("approve", &grace)).await.json()["state"], "given");
    world.ask(decide("approve", &grace)).await.problem(409, "QC-A041");
    let replayed = world.ask(replay(&ada, &run)).await;
    assert!(replayed.status < 300, "{}", replayed.status);
    // It is hers, and for what she asked.
    let eve = world.person("eve", Role::Operator).await;
    world.ask(replay(&eve, &run)).await.problem(403, "QC-A005");
    let journal = Ask::get(&format!("/api/v1/runs/{run}/journal")).token(&ada);
    world.ask(journal).await.problem(403, "QC-A005");
    // It makes no other role able to.
    let developer = world.person("ada", Role::Developer).await;
    world.ask(replay(&developer, &run)).await.problem(403, "QC-A005");

    assert_eq!(world.ask(decide("revoke", &grace)).await.json()["state"], "revoked");
    world.ask(replay(&ada, &run)).await.problem(403, "QC-A005");
    let list = world.ask(Ask::get("/api/v1/grants").token(&grace)).await.json();
    assert_eq!(list["items"][0]["decided_by"], "grace", "{list}");
}

#[tokio::test]
async fn what_no_grant_is_for_is_told() {
    let world = World::new().await;
    let ada = world.person("ada", Role::Operator).await;
    for (more, status, code) in [
        (json!({"actions": []}), 422, "QC-A041"),
        (json!({"actions": ["tokens:write"]}), 422, "QC-A041"),
        (json!({"actions": ["lunch:eat"]}), 422, "QC-A012"),
        (json!({"reason": " "}), 422, "QC-A041"),
        (json!({"ticket": ""}), 422, "QC-A041"),
        (json!({"lifetime": "5h"}), 422, "QC-A041"),
        (json!({"lifetime": "0s"}), 422, "QC-A041"),
        (json!({"lifetime": "soon"}), 422, "QC-A012"),
        (json!({"environment": "sandbox"}), 403, "QC-A005"),
        (json!({"integration": "No Name"}), 422, "QC-A012"),
    ] {
        let ask = Ask::post("/api/v1/grants", asked(&more)).token(&ada);
        world.ask(ask).await.problem(status, code);
    }
    let operator = world.token(None, Role::Operator, None).await;
    let nobody = Ask::post("/api/v1/grants", asked(&json!({}))).token(&operator);
    world.ask(nobody).await.problem(422, "QC-A041");
    let none = Ask::post("/api/v1/grants/none/approve", "").token(&world.owner);
    world.ask(none).await.problem(404, "QC-A040");
}

#[tokio::test]
async fn policies_are_in_force_once_their_matrix_was_reviewed() {
    let world = World::new().await;
    let (admin, deployer) =
        (world.token(None, Role::Admin, None).await, world.token(None, Role::Deployer, None).await);
    let list = || Ask::get("/api/v1/releases").token(&deployer);
    assert_eq!(world.ask(list()).await.status, 200);
    let text = r#"@id("closed") forbid(principal, action == QC::Action::"releases:read", resource) when { principal.kind == "api_key" };"#;
    let files = vec![("own.cedar".to_owned(), text.to_owned())];
    let apply = |text: &str, matrix: &str| {
        let body = json!({"files": [{"name": "own.cedar", "text": text}], "matrix": matrix});
        Ask::post("/api/v1/policies", body.to_string()).token(&admin)
    };
    let (shipped, own) = (Policies::shipped(), Policies::with(&files).unwrap());
    let told = world.ask(apply(text, &shipped.matrix().to_tsv())).await.problem(409, "QC-A043");
    assert!(told.to_string().contains("releases:read: deny, reviewed as allow"), "{told}");
    world.ask(apply("permit(", &shipped.matrix().to_tsv())).await.problem(422, "QC-A044");
    let mighty = r#"permit(principal in QC::Role::"deployer", action == QC::Action::"events:send", resource);"#;
    world.ask(apply(mighty, &shipped.matrix().to_tsv())).await.problem(422, "QC-A044");
    assert_eq!(world.ask(list()).await.status, 200, "those before stay in force");

    let set = world.ask(apply(text, &own.matrix().to_tsv())).await.json();
    assert_eq!(set["version"], own.version());
    let refused = world.ask(list()).await.problem(403, "QC-A005");
    assert!(refused["detail"].as_str().unwrap().contains("policy"), "{refused}");
    let shown = world.ask(Ask::get("/api/v1/policies").token(&admin)).await.json();
    assert_eq!(shown["files"][0]["text"], text);
    let path = format!("/api/v1/policies?version={}", own.version());
    assert_eq!(world.ask(Ask::get(&path).token(&admin)).await.json()["version"], own.version());
    let none = Ask::get("/api/v1/policies?version=none").token(&admin);
    world.ask(none).await.problem(404, "QC-A042");
}

/// Where requests go out the policies are asked, whatever it was that had the call made.
#[tokio::test]
async fn a_run_calls_only_what_the_policies_let_it_call() {
    let world = World::new().await;
    let text = r#"@id("closed") forbid(principal, action == QC::Action::"systems:call", resource)
        when { resource has name && resource.name == "desk" && principal.name == "doors" };"#;
    let own = Policies::with(&[("own.cedar".to_owned(), text.to_owned())]).unwrap();
    let body =
        json!({"files": [{"name": "own.cedar", "text": text}], "matrix": own.matrix().to_tsv()});
    let apply = Ask::post("/api/v1/policies", body.to_string()).token(&world.owner);
    assert_eq!(world.ask(apply).await.status, 200);
    let run = world.send("json", r#"{"mode": "once"}"#).await.run();
    world.until(&run, "faulted").await;
    let path = format!("/api/v1/runs/{run}/journal");
    let told = world.ask(Ask::get(&path).token(&world.owner)).await.json().to_string();
    assert!(told.contains("QC-N123"), "{told}");
    assert!(told.contains("`doors` may not call `desk`: own.cedar#closed of policies-"), "{told}");
}

/// A run's record can name any release that is stored; only those that were deployed where it is at home are run.
#[tokio::test]
async fn a_release_that_was_never_deployed_somewhere_has_no_runs_there() {
    use qc_engine::ReleaseSource as _;
    let world = World::new().await;
    let deployed = Ask::get("/api/v1/deployments").token(&world.owner);
    let hash = world.ask(deployed).await.json()["items"][0]["release"].as_str().unwrap().to_owned();
    world.redeploy("second").await;
    let (production, staging) = ("production".parse().unwrap(), "staging".parse().unwrap());
    assert!(world.catalogue.deployment(&production, &hash).await.unwrap().is_some());
    assert!(world.catalogue.deployment(&staging, &hash).await.unwrap().is_none());
    assert!(world.catalogue.deployment(&production, "none").await.unwrap().is_none());
}

/// What the audit tells of a decision is enough to make it again, whatever it was.
#[tokio::test]
async fn every_decision_of_the_audit_is_made_again_alike() {
    let world = World::new().await;
    let run = world.send("json", "{}").await.run();
    for role in Role::ALL {
        let token = world.person("ada", role).await;
        let secret = |environment: &str| {
            json!({"environment": environment, "name": "n", "value": "long-enough"}).to_string()
        };
        for (path, body) in [
            (format!("/api/v1/runs/{run}/replay"), "{}".to_owned()),
            (format!("/api/v1/runs/{run}/cancel"), r#"{"reason":"x"}"#.to_owned()),
            ("/api/v1/secrets/set".to_owned(), secret("production")),
            ("/api/v1/secrets/set".to_owned(), secret("sandbox")),
            ("/api/v1/grants".to_owned(), asked(&json!({}))),
            ("/api/v1/grants".to_owned(), asked(&json!({"environment": "sandbox"}))),
        ] {
            world.ask(Ask::post(&path, body).token(&token)).await;
        }
    }
    world.seal().await;
    let path = "/api/v1/audit/entries?limit=500";
    let entries = world.ask(Ask::get(path).token(&world.owner)).await.json();
    let mut again = 0;
    for entry in entries["items"].as_array().unwrap() {
        let leaf: Value = serde_json::from_str(entry["leaf"].as_str().unwrap_or("{}")).unwrap();
        let Ok(question) =
            serde_json::from_value::<qc_access::Question>(leaf["facts"]["question"].clone())
        else {
            continue;
        };
        let policies = Policies::shipped();
        assert_eq!(leaf["facts"]["via"]["policy"], policies.version());
        assert_eq!(leaf["facts"]["via"]["action"], question.action.as_str());
        let verdict = policies.decide_anew(&question);
        assert_eq!(verdict.allowed(), leaf["outcome"] != "denied", "{leaf}");
        assert_eq!(json!(verdict.policies), leaf["facts"]["policies"], "{leaf}");
        again += 1;
    }
    assert!(again >= 6, "{again} decisions");
}
