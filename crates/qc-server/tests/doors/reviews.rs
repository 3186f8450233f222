//! What keys and clients may do, what they did, and who answers for them.

use std::time::Duration;

use qc_access::Role;
use qc_server::ServerSettings;
use serde_json::{Value, json};

use crate::{
    api::Api,
    client::Ask,
    deployment::LEFT,
    world::{World, door},
};

const REVIEW: &str = "/api/v1/access/review";
const RADIUS: &str = "/api/v1/access/blast-radius";
const REASSIGN: &str = "/api/v1/access/reassign";
const TOKENS: &str = "/api/v1/tokens";

/// Every operation, once as it is meant and once as it is refused.
pub(crate) async fn operations(api: &Api, token: &str) {
    let review = api.get(&format!("{REVIEW}?since=7d")).await;
    assert!(review["items"].as_array().unwrap().iter().any(|one| one["id"] == token), "{review}");
    api.act("GET", &format!("{REVIEW}?since=often"), &Value::Null, 400).await;
    let radius = api.get(&format!("{RADIUS}?token={token}")).await;
    let wanted = json!([{"action": "deployments:write", "environment": "sandbox",
        "everything": false, "names": ["doors"], "grant": false}]);
    assert_eq!(radius["reaches"], wanted, "{radius}");
    api.act("GET", RADIUS, &Value::Null, 400).await;
    api.act("GET", &format!("{RADIUS}?token=abcdefgh"), &Value::Null, 404).await;
    api.act("GET", &format!("{RADIUS}?client=nobody"), &Value::Null, 404).await;
    api.act("GET", &format!("{RADIUS}?connection=production/nobody"), &Value::Null, 404).await;
    let body = json!({"token": token, "owner": "desk-team"});
    api.act("POST", REASSIGN, &body, 204).await;
    let wrong = json!({"token": token, "owner": "nobody-here"});
    api.act("POST", REASSIGN, &wrong, 422).await;
    api.act("POST", REASSIGN, &json!({"owner": "ada"}), 422).await;
    let listed = api.get(TOKENS).await;
    let own = listed["items"].as_array().unwrap().iter().find(|one| one["id"] == token).unwrap();
    assert_eq!(own["owner"], "desk-team");
}

async fn made(api: &Api, body: &Value) -> (String, String) {
    let made = api.act("POST", TOKENS, body, 201).await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&made["token"]["id"]), text(&made["secret"]))
}

/// Whether a request is let through by whoever decides who may do what.
async fn lets(world: &World, ask: Ask) -> bool {
    let reply = world.ask(ask).await;
    assert_ne!(reply.status, 401);
    reply.status != 403
}

/// What the blast radius says of many principals is what they find when they try.
#[tokio::test]
async fn a_blast_radius_is_what_trying_shows() {
    let api = Api::new().await;
    for environment in ["sandbox", "production"] {
        let value = format!("of-{environment}");
        let body = json!({"environment": environment, "name": "key", "value": value});
        api.act("POST", "/api/v1/secrets/set", &body, 200).await;
    }
    let mut tried = [0, 0];
    for role in Role::ALL {
        for (environment, scopes) in [
            (None, None),
            (Some("sandbox"), None),
            (Some("production"), None),
            (None, Some(["production/runs/doors:read", "production/events/doors:send"])),
            (None, Some(["sandbox/runs/*:read", "production/events/other:send"])),
            (None, Some(["production/secrets/key:write", "sandbox/dlq/*:read"])),
        ] {
            let mut body = json!({"name": "x", "role": role.as_str()});
            body["environment"] = json!(environment);
            body["scopes"] = json!(scopes);
            let (id, secret) = made(&api, &body).await;
            let radius = api.get(&format!("{RADIUS}?token={id}")).await;
            let reaches = radius["reaches"].as_array().unwrap();
            let says = |action: &str, environment: &str, name: Option<&str>| {
                reaches.iter().any(|one| {
                    one["action"] == action
                        && one["environment"] == environment
                        && one["grant"] == false
                        && (one["everything"] == true
                            || name.is_some_and(|name| {
                                one["names"].as_array().unwrap().contains(&json!(name))
                            }))
                })
            };
            for place in ["sandbox", "production"] {
                let lists = [("runs:read", "runs"), ("dlq:read", "dead-letters")];
                for (action, path) in lists {
                    for name in [None, Some("doors")] {
                        let of =
                            name.map_or_else(String::new, |name| format!("&integration={name}"));
                        let ask = Ask::get(&format!("/api/v1/{path}?environment={place}{of}"));
                        let may = lets(&api.world, ask.token(&secret)).await;
                        assert_eq!(
                            may,
                            says(action, place, name),
                            "{action} {place} {name:?} {role:?} {body}"
                        );
                        tried[usize::from(may)] += 1;
                    }
                }
                let body =
                    json!({"environment": place, "name": "key", "value": format!("of-{place}")});
                let ask = Ask::post("/api/v1/secrets/set", body.to_string()).token(&secret);
                let may = lets(&api.world, ask).await;
                assert_eq!(
                    may,
                    says("secrets:write", place, Some("key")),
                    "{place} {role:?} {scopes:?}"
                );
                tried[usize::from(may)] += 1;
            }
            let ask = Ask::post(&door("token"), "{}").token(&secret);
            let may = lets(&api.world, ask).await;
            assert_eq!(
                may,
                says("events:send", "production", Some("doors")),
                "{role:?} {scopes:?}"
            );
            tried[usize::from(may)] += 1;
        }
    }
    assert!(tried.iter().all(|count| *count > 20), "both ways: {tried:?}");
}

#[tokio::test]
async fn who_may_more_than_he_does_is_told_what_would_be_enough() {
    let api = Api::new().await;
    let body = json!({"name": "sender's", "role": "admin", "owner": "desk-team", "purpose": "x"});
    let (id, secret) = made(&api, &body).await;
    for _ in 0..3 {
        api.act_as(
            &secret,
            "GET",
            "/api/v1/runs?environment=production&integration=doors",
            &Value::Null,
            200,
        )
        .await;
    }
    api.world.state.settle_uses().await;
    let review = api.get(REVIEW).await;
    let own = review["items"].as_array().unwrap().iter().find(|one| one["id"] == id).unwrap();
    assert_eq!(own["used"], json!(["production/runs/doors:read"]));
    let proposal = own["proposal"].as_array().unwrap();
    let create = proposal[0].as_str().unwrap();
    assert!(create.starts_with("qc tokens create 'sender'\\''s' --role "), "{create}");
    assert!(!create.contains("--role admin"), "{create}");
    assert!(create.contains("--scope 'production/runs/doors:read'"), "{create}");
    assert_eq!(proposal[1], json!(format!("qc tokens revoke {id}")));
    assert_eq!(own["findings"], json!([]));
    let stranger =
        json!({"name": "x", "role": "runtime", "owner": "nobody-here", "lifetime": "2d"});
    let (id, _) = made(&api, &stranger).await;
    let review = api.get(REVIEW).await;
    let own = review["items"].as_array().unwrap().iter().find(|one| one["id"] == id).unwrap();
    let findings = own["findings"].to_string();
    assert!(findings.contains("nobody-here") && findings.contains("it ends at"), "{findings}");
    assert_eq!(own["proposal"], json!([]), "it is too young to be called unused");
}

async fn owner_and_end(api: &Api, id: &str) -> (Value, Value) {
    let listed = api.get(TOKENS).await;
    let own = listed["items"].as_array().unwrap().iter().find(|one| one["id"] == id).unwrap();
    (own["owner"].clone(), own["expires_at"].clone())
}

async fn outcomes(api: &Api, subject: &str) -> Vec<String> {
    let ledger = api.get("/api/v1/ledger?kind=audit&limit=500").await;
    let rows = ledger["items"].as_array().unwrap().iter();
    let own = rows.filter(|row| row["subject"] == subject && row["actor"] == "platform:owners");
    own.map(|row| row["outcome"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn what_somebody_owned_who_is_gone_goes_to_his_team_or_ends_after_a_time() {
    for (after, ends) in [(Duration::ZERO, true), (Duration::from_secs(3_600), false)] {
        let settings = ServerSettings { orphans_end_after: after, ..ServerSettings::default() };
        let api = Api::of(World::with(settings).await);
        let of = |owner: &str| json!({"name": "x", "role": "runtime", "owner": owner});
        let (of_ada, _) = made(&api, &of("ada")).await;
        let (of_bob, key) = made(&api, &of("bob")).await;
        let (of_stranger, _) = made(&api, &of("mail@example.com")).await;
        api.world.state.look_at_owners().await.unwrap();
        assert_eq!(owner_and_end(&api, &of_ada).await.0, "ada", "nobody is gone");
        api.world.redeploy(LEFT).await;
        for _ in 0..3 {
            api.world.state.look_at_owners().await.unwrap();
        }
        assert_eq!(owner_and_end(&api, &of_ada).await.0, "desk-team");
        assert_eq!(outcomes(&api, &format!("token {of_ada}")).await, ["reassigned"]);
        assert_eq!(outcomes(&api, &format!("token {of_stranger}")).await, [""; 0]);
        let told = outcomes(&api, &format!("token {of_bob}")).await;
        let status = api.world.ask(Ask::get("/api/v1/secrets").token(&key)).await.status;
        if ends {
            assert_eq!((told, status), (vec!["owner gone".to_owned(), "disabled".to_owned()], 401));
        } else {
            assert_eq!(
                (told, status),
                (vec!["owner gone".to_owned()], 403),
                "told once, and it counts"
            );
        }
    }
}

#[tokio::test]
async fn an_end_that_is_near_is_told_once() {
    let api = Api::new().await;
    let (id, _) =
        made(&api, &json!({"name": "x", "role": "runtime", "owner": "ada", "lifetime": "2d"}))
            .await;
    for _ in 0..3 {
        api.world.state.look_at_owners().await.unwrap();
    }
    assert_eq!(outcomes(&api, &format!("token {id}")).await, ["ends soon"]);
}
