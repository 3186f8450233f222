//! Services prove who they are over HTTP, and what they get counts at every door.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::{
    api::Api,
    client::{Ask, Reply},
    world::{PUBLIC, World, door},
};

/// A form at one of the OAuth endpoints.
fn form(deed: &str, body: &str) -> Ask {
    Ask::new("POST", &format!("/oauth/{deed}"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body)
}

fn posted(id: &str, secret: &str) -> String {
    format!("grant_type=client_credentials&client_id={id}&client_secret={secret}")
}

/// An error as RFC 6749 has it.
#[track_caller]
fn refused(reply: &Reply, status: u16, error: &str) {
    let told = reply.json();
    assert_eq!((reply.status, &told["error"]), (status, &json!(error)), "{told}");
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert!(told["error_description"].is_string());
}

/// Called with every other operation of the API's document.
pub(crate) async fn clients(api: &Api) {
    let at = "/api/v1/access/clients";
    let body = |id: &str| {
        json!({
            "id": id, "environment": "production", "role": "runtime", "owner": "team-billing",
            "purpose": "sends orders", "scopes": ["production/events/doors:send"],
        })
    };
    let made = api.act("POST", at, &body("billing"), 201).await;
    let first = made["secret"].as_str().unwrap().to_owned();
    assert_eq!(
        (&made["client"]["state"], &made["client"]["proof"]),
        (&json!("live"), &json!("secret"))
    );
    assert_eq!(api.act("POST", at, &body("billing"), 422).await["code"], "QC-A052");
    for (field, wrong) in
        [("role", json!("root")), ("environment", json!("No")), ("owner", json!(""))]
    {
        let mut body = body("wrong");
        body[field] = wrong;
        api.act("POST", at, &body, 422).await;
    }
    let listed = api.get(at).await;
    assert_eq!(listed["items"], json!([made["client"]]));
    assert!(!listed.to_string().contains(&first));
    let rotated = api.act("POST", &format!("{at}/billing/rotate"), &json!({}), 201).await;
    let secret = rotated["secret"].as_str().unwrap();
    assert_eq!(rotated["client"]["secrets"].as_array().unwrap().len(), 2);
    let mut tokens = Vec::new();
    for secret in [&first, secret] {
        let reply = api.world.ask(form("token", &posted("billing", secret))).await;
        let told = String::from_utf8_lossy(&reply.body);
        assert_eq!(
            (reply.status, reply.header("cache-control")),
            (200, Some("no-store")),
            "{told}"
        );
        tokens.push(reply.json()["access_token"].as_str().unwrap().to_owned());
    }
    let send = Ask::post(&door("token"), "{}").token(&tokens[0]);
    api.world.ask(send.clone()).await.run();
    api.act_as(&tokens[0], "GET", "/api/v1/runs", &Value::Null, 403).await;
    let keys = api.get("/api/v1/access/keys").await;
    assert_eq!((&keys["items"][0]["state"], &keys["items"][1]), (&json!("signing"), &Value::Null));
    let production = json!({ "environment": "production" });
    let after = api.act("POST", "/api/v1/access/keys/rotate", &production, 200).await;
    assert_eq!(after["items"][1]["state"], "coming");
    api.world.ask(send.clone()).await.run();
    let at_once = json!({ "environment": "production", "at_once": true });
    api.act("POST", "/api/v1/access/keys/rotate", &at_once, 200).await;
    api.world.ask(send.clone()).await.problem(401, "QC-A007");
    let again = api.world.ask(form("token", &posted("billing", secret))).await.json();
    let send = send.token(again["access_token"].as_str().unwrap());
    api.world.ask(send.clone()).await.run();
    api.act("DELETE", &format!("{at}/billing"), &Value::Null, 204).await;
    api.world.ask(send).await.problem(401, "QC-A007");
    assert_eq!(
        api.act("DELETE", &format!("{at}/billing"), &Value::Null, 404).await["code"],
        "QC-A051"
    );
    refused(&api.world.ask(form("token", &posted("billing", secret))).await, 401, "invalid_client");
    // Who is narrowed makes no client that may more.
    let scopes = ["platform/tokens/*:write", "production/events/crm:send"];
    let narrow = api.world.token(None, qc_access::Role::Admin, Some(&scopes)).await;
    api.act_as(&narrow, "POST", at, &body("mightier"), 403).await;
}

async fn registered(world: &World, id: &str) -> String {
    registered_of(world, id, "team").await
}

async fn registered_of(world: &World, id: &str, owner: &str) -> String {
    let body = json!({
        "id": id, "environment": "production", "role": "developer", "owner": owner, "purpose": "p",
    });
    let ask = Ask::post("/api/v1/access/clients", body.to_string()).token(&world.owner);
    world.ask(ask).await.json()["secret"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_access_token_counts_at_the_api_until_it_is_revoked_and_nowhere_else() {
    let world = World::new().await;
    let secret = registered(&world, "billing").await;
    let basic = format!("Basic {}", STANDARD.encode(format!("billing:{secret}")));
    let ask = form("token", "grant_type=client_credentials").header("authorization", &basic);
    let token = world.ask(ask).await.json()["access_token"].as_str().unwrap().to_owned();
    let runs = |environment: &str| {
        Ask::get(&format!("/api/v1/runs?environment={environment}")).token(&token)
    };
    assert_eq!(world.ask(runs("production")).await.status, 200);
    world.ask(runs("sandbox")).await.problem(403, "QC-A005");
    world.ask(Ask::get("/api/v1/tokens").token(&token)).await.problem(403, "QC-A005");
    let me = world.ask(Ask::get("/oauth/whoami").token(&token)).await.json();
    assert_eq!((&me["kind"], &me["id"]), (&json!("access_token"), &json!("billing")));
    world.ask(Ask::get("/oauth/whoami")).await.problem(401, "QC-A001");
    let about = format!("token={token}&client_id=billing&client_secret={secret}");
    assert_eq!(world.ask(form("introspect", &about)).await.json()["active"], true);
    assert_eq!(world.ask(form("revoke", &about)).await.status, 200);
    world.ask(runs("production")).await.problem(401, "QC-A007");
    assert_eq!(world.ask(form("introspect", &about)).await.json(), json!({"active": false}));
    // Nor does what looks like one ever say what was wrong with which part.
    let forged = format!("{}x", &token[..token.len() - 1]);
    let told = world.ask(runs("production").token(&forged)).await.problem(401, "QC-A007");
    assert!(!told.to_string().contains(&forged));
}

#[tokio::test]
async fn a_service_is_of_the_unit_of_the_team_that_owns_it() {
    let world = World::new().await;
    for (id, owner, status) in [("desk", "desk-team", 200), ("quarrel", "rivals", 403)] {
        let secret = registered_of(&world, id, owner).await;
        let reply = world.ask(form("token", &posted(id, &secret))).await;
        let token = reply.json()["access_token"].as_str().unwrap().to_owned();
        let runs = Ask::get("/api/v1/runs?integration=doors").token(&token);
        assert_eq!(world.ask(runs).await.status, status, "{owner}");
    }
}

#[tokio::test]
async fn others_find_by_the_standards_where_tokens_are_got_and_how_they_are_verified() {
    let world = World::new().await;
    let secret = registered(&world, "billing").await;
    let token = world.ask(form("token", &posted("billing", &secret))).await.json();
    let token = token["access_token"].as_str().unwrap();
    let get = async |path: &str| world.ask(Ask::get(path)).await.json();
    let resource = get("/.well-known/oauth-protected-resource").await;
    let issuer = resource["authorization_servers"][0].as_str().unwrap();
    assert_eq!(issuer, format!("{PUBLIC}/production"));
    let metadata = get("/.well-known/oauth-authorization-server/production").await;
    assert_eq!(metadata["issuer"], issuer);
    assert_eq!(metadata["token_endpoint"], format!("{PUBLIC}/oauth/token"));
    let own = get("/.well-known/oauth-protected-resource/production/api").await;
    assert_eq!(own["resource"], format!("{PUBLIC}/production/api"));
    let jwks = metadata["jwks_uri"].as_str().unwrap().strip_prefix(PUBLIC).unwrap();
    let set = get(jwks).await;
    assert_eq!(set["keys"].as_array().unwrap().len(), 1);
    let head = token.split('.').next().unwrap();
    let head = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(head).unwrap();
    let head: Value = serde_json::from_slice(&head).unwrap();
    assert_eq!(head["kid"], set["keys"][0]["kid"]);
    assert!(set["keys"][0]["d"].is_null());
    for (method, path, status) in [
        ("GET", "/oauth/token", 405),
        ("POST", "/oauth/whoami", 405),
        ("DELETE", "/oauth/jwks/production", 405),
        ("GET", "/oauth/jwks/No", 404),
        ("GET", "/oauth/other", 404),
        ("GET", "/.well-known/oauth-other", 404),
    ] {
        assert_eq!(world.ask(Ask::new(method, path)).await.status, status, "{method} {path}");
    }
}

#[tokio::test]
async fn requests_that_are_none_are_refused_in_the_words_of_the_standard() {
    let world = World::new().await;
    let secret = registered(&world, "billing").await;
    let right = posted("billing", &secret);
    refused(&world.ask(form("token", "")).await, 400, "invalid_request");
    refused(&world.ask(form("token", "grant_type=password")).await, 400, "unsupported_grant_type");
    let twice = format!("{right}&client_id=billing");
    refused(&world.ask(form("token", &twice)).await, 400, "invalid_request");
    let json = form("token", &right).with("content-type", "application/json");
    refused(&world.ask(json).await, 400, "invalid_request");
    let large = format!("{right}&x={}", "x".repeat(40_000));
    refused(&world.ask(form("token", &large)).await, 400, "invalid_request");
    refused(&world.ask(form("revoke", &posted("billing", &secret))).await, 400, "invalid_request");
    let basic =
        form("token", "grant_type=client_credentials").header("authorization", "Basic eDp5");
    let told = world.ask(basic).await;
    refused(&told, 401, "invalid_client");
    assert!(told.header("www-authenticate").unwrap().starts_with("Basic"));
}

#[tokio::test]
async fn failed_attempts_of_one_address_are_limited() {
    let world = World::new().await;
    let secret = registered(&world, "billing").await;
    let wrong = posted("billing", "qc_production_wrong");
    for _ in 0..30 {
        refused(&world.ask(form("token", &wrong)).await, 401, "invalid_client");
    }
    let limited = world.ask(form("token", &posted("billing", &secret))).await;
    refused(&limited, 429, "slow_down");
    assert!(limited.header("retry-after").is_some());
    let unknown = world.ask(Ask::get("/api/v1/runs").token("eyJ.x.y")).await;
    unknown.problem(429, "QC-A053");
    // What is right counts all the same where it cannot be guessed.
    assert_eq!(world.ask(Ask::get("/api/v1/runs").token(&world.owner)).await.status, 200);
}
