//! Who may come in: with which token, to what.

use std::time::Duration;

use qc_access::{Policies, Role, TokenKind};
use qc_model::Clock;
use serde_json::Value;

use crate::{
    client::Ask,
    world::{SystemClock, World, door},
};

fn send(token: &str) -> Ask {
    Ask::post(&door("token"), "{}").token(token)
}

/// Every operation of the API's document: method, path with its parameters filled in, action.
fn operations() -> Vec<(String, String, String)> {
    let document = qc_server::openapi_document();
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let path = path
                .replace("{run}", "run_00000000000000000000000001")
                .replace("{task}", "run_00000000000000000000000001.1")
                .replace("{release}", &"0".repeat(64))
                .replace("{environment}", "production")
                .replace("{integration}", "doors")
                .replace("{group}", "0123456789abcdef")
                .replace("{finding}", "0123456789abcdef")
                .replace("{bulk}", "blk_00000000000000000000000001")
                .replace("{trigger}", "hourly")
                .replace("{version}", "1.0.0")
                .replace("{token}", "AAAAAAAA")
                .replace("{grant}", "0123456789abcdef")
                .replace("{approval}", "0123456789abcdef")
                .replace("{capture}", "0123456789abcdef")
                .replace("{name}", "crm")
                .replace("{drill}", "last")
                .replace("{link}", "0123456789abcdef")
                .replace("{client}", "nobody");
            assert!(!path.contains('{'), "{path}");
            let action = operation["x-quickconnect-action"].as_str().unwrap().to_owned();
            found.push((method.to_uppercase(), path, action));
        }
    }
    assert!(found.len() >= 32);
    found
}

#[tokio::test]
async fn no_operation_answers_without_a_token() {
    let world = World::new().await;
    for (method, path, _) in operations() {
        let ask = Ask::new(&method, &path);
        let reply = world.ask(ask.clone()).await;
        let told = reply.problem(401, "QC-A001");
        assert_eq!(told["next_action"], "refresh_token");
        assert!(reply.header("www-authenticate").unwrap().starts_with("Bearer"), "{method} {path}");
        // Nor with what only looks like one.
        let basic = ask.clone().with("authorization", "Basic YTpi");
        world.ask(basic).await.problem(401, "QC-A001");
        let query = Ask::new(&method, &format!("{path}?access_token={}", world.owner));
        world.ask(query).await.problem(401, "QC-A001");
        let cookie = ask.clone().header("cookie", &format!("token={}", world.owner));
        world.ask(cookie).await.problem(401, "QC-A001");
        let proxied =
            ask.header("x-forwarded-for", "127.0.0.1").header("forwarded", "for=127.0.0.1");
        world.ask(proxied).await.problem(401, "QC-A001");
    }
}

#[tokio::test]
async fn tokens_that_are_none_are_told_apart_and_not_repeated() {
    let world = World::new().await;
    let good = world.token(None, Role::Runtime, None).await;
    world.ask(send(&good)).await.run();
    let mut mistyped = good.clone();
    let last = if mistyped.pop() == Some('0') { '1' } else { '0' };
    mistyped.push(last);
    let unknown =
        World::new().await.token_at(None, Role::Admin, None, SystemClock.now(), None).await.1;
    let unknown = if unknown == good { "qc_any_".to_owned() } else { unknown };
    for (token, code) in [
        ("x", "QC-A002"),
        ("qc_any_", "QC-A002"),
        (mistyped.as_str(), "QC-A002"),
        (&good[..good.len() - 1], "QC-A002"),
        (&good.to_uppercase(), "QC-A002"),
        (&format!("{good}{good}"), "QC-A002"),
        (&"x".repeat(20_000), "QC-A002"),
    ] {
        let reply = world.ask(send(token)).await;
        let told = reply.problem(401, code).to_string();
        assert!(token.len() < 20 || !told.contains(token), "{told}");
        assert!(reply.header("www-authenticate").unwrap().contains("invalid_token"));
    }
    assert!(unknown.starts_with("qc_any_"));
    for empty in ["Bearer", "Bearer ", "bearer", ""] {
        let status = world.ask(send("x").with("authorization", empty)).await.status;
        assert_eq!(status, 401, "{empty:?}");
    }
    world.ask(send(&good).with("authorization", &format!("bEaReR   {good}"))).await.run();
}

#[tokio::test]
async fn a_token_ends_when_it_said_it_would_and_when_it_is_revoked() {
    let world = World::new().await;
    let hour = Duration::from_secs(3_600);
    let long_ago = SystemClock.now() - 2 * hour;
    let (_, ended) = world.token_at(None, Role::Runtime, None, long_ago, Some(hour)).await;
    world.ask(send(&ended)).await.problem(401, "QC-A004");
    let (_, living) = world.token_at(None, Role::Runtime, None, long_ago, Some(3 * hour)).await;
    world.ask(send(&living)).await.run();
    let (id, revoked) = world.token_at(None, Role::Runtime, None, long_ago, None).await;
    world.ask(send(&revoked)).await.run();
    let end = Ask::new("DELETE", &format!("/api/v1/tokens/{id}")).token(&world.owner);
    assert_eq!(world.ask(end.clone()).await.status, 204);
    world.ask(send(&revoked)).await.problem(401, "QC-A003");
    world.ask(Ask::get("/api/v1/runs").token(&revoked)).await.problem(401, "QC-A003");
    world.ask(end).await.problem(404, "QC-A020");
}

#[tokio::test]
async fn a_token_reaches_what_its_role_environment_and_scopes_say() {
    let world = World::new().await;
    let here = Some("production");
    let scope = ["production/events/doors:send"];
    let any = ["production/events/*:send"];
    let other = ["production/events/other:send", "sandbox/events/*:send", "production/runs/*:read"];
    for (environment, role, scopes, allowed) in [
        (None, Role::Runtime, None, true),
        (here, Role::Runtime, None, true),
        (here, Role::Runtime, Some(&scope[..]), true),
        (here, Role::Runtime, Some(&any[..]), true),
        (None, Role::Admin, Some(&other[..]), false),
        (Some("sandbox"), Role::Admin, None, false),
        (Some("sandbox"), Role::Runtime, Some(&scope[..]), false),
        (here, Role::Runtime, Some(&[][..]), false),
        (None, Role::Auditor, None, false),
        (None, Role::Deployer, None, false),
    ] {
        let reply = world.ask(send(&world.token(environment, role, scopes).await)).await;
        if allowed {
            reply.run();
        } else {
            assert_eq!(reply.problem(403, "QC-A005")["next_action"], "contact_owner");
        }
    }
    assert_eq!(world.runs().await, 4);
}

#[tokio::test]
async fn no_role_does_more_than_its_actions() {
    let world = World::new().await;
    let policies = Policies::shipped();
    for role in Role::ALL {
        let token = world.token(None, role, None).await;
        for (method, path, action) in operations() {
            if path.ends_with("/happenings") {
                continue; // It never ends; `requests` looks at it.
            }
            let action = qc_access::Action::parse(&action).unwrap();
            // A parameter that no operation has: refused after the decision, and nothing is done.
            let ask = Ask::new(&method, &format!("{path}?no-such=1")).token(&token);
            let reply = world.ask(ask).await;
            if policies.ever(role, TokenKind::ApiKey, action) {
                reply.problem(400, "QC-A013");
            } else {
                reply.problem(403, "QC-A005");
            }
        }
    }
}

#[tokio::test]
async fn another_environments_runs_are_not_shown_and_not_touched() {
    let world = World::new().await;
    let run = world.send("json", r#"{"mode":"slow"}"#).await.run();
    let token = world.token(Some("sandbox"), Role::Admin, None).await;
    let at = |method: &str, end: &str| {
        Ask::new(method, &format!("/api/v1/runs/{run}{end}")).token(&token)
    };
    world.ask(at("GET", "")).await.problem(403, "QC-A005");
    world.ask(at("GET", "/journal")).await.problem(403, "QC-A005");
    let cancel =
        at("POST", "/cancel").header("content-type", "application/json").body(r#"{"reason":"x"}"#);
    world.ask(cancel).await.problem(403, "QC-A005");
    for list in ["runs", "dead-letters", "failures", "ledger", "deployments", "tasks"] {
        let path = format!("/api/v1/{list}");
        let items = world.ask(Ask::get(&path).token(&token)).await.json()["items"].clone();
        let foreign = |item: &Value| item["environment"] != "sandbox";
        assert!(!items.as_array().unwrap().iter().any(foreign), "{list}: {items}");
        let asked = Ask::get(&format!("{path}?environment=production")).token(&token);
        world.ask(asked).await.problem(403, "QC-A005");
    }
    for closed in ["/api/v1/tokens", "/api/v1/happenings"] {
        world.ask(Ask::get(closed).token(&token)).await.problem(403, "QC-A005");
    }
}

#[tokio::test]
async fn many_runs_need_the_right_to_each() {
    let world = World::new().await;
    let body = |deed: &str, environment: &str| {
        let filter = r#""integration":"doors""#;
        format!(r#"{{"deed":"{deed}","reason":"x","environment":"{environment}",{filter}}}"#)
    };
    let scopes = ["sandbox/runs/doors:bulk", "sandbox/dlq/doors:retry"];
    let narrow = world.token(None, Role::Operator, Some(&scopes)).await;
    let plan = |text: String| Ask::post("/api/v1/bulks", text).token(&narrow);
    assert_eq!(world.ask(plan(body("retry", "sandbox"))).await.status, 201);
    for deed in ["discard", "replay", "cancel"] {
        world.ask(plan(body(deed, "sandbox"))).await.problem(403, "QC-A005");
    }
    world.ask(plan(body("retry", "production"))).await.problem(403, "QC-A005");
    // Without the environment it would reach into all of them.
    let everywhere = r#"{"deed":"retry","reason":"x","integration":"doors"}"#.to_owned();
    world.ask(plan(everywhere)).await.problem(403, "QC-A005");
}

#[tokio::test]
async fn a_token_never_makes_a_mightier_one() {
    let world = World::new().await;
    let scopes = ["platform/tokens/*:write"];
    let narrow = world.token(None, Role::Admin, Some(&scopes)).await;
    let make = |body: &str| Ask::post("/api/v1/tokens", body).token(&narrow);
    world.ask(make(r#"{"name":"up","role":"admin"}"#)).await.problem(403, "QC-A005");
    let same = r#"{"name":"same","role":"admin","scopes":["platform/tokens/*:write"]}"#;
    assert_eq!(world.ask(make(same)).await.status, 201);
    let more = r#"{"name":"up","role":"admin","scopes":["production/runs/*:inspect"]}"#;
    world.ask(make(more)).await.problem(403, "QC-A005");
    // An empty list of scopes is not the absence of one.
    let empty = Ask::post("/api/v1/tokens", r#"{"name":"x","role":"admin","scopes":[]}"#);
    let reply = world.ask(empty.token(&world.owner)).await;
    reply.problem(422, "QC-A012");
    assert_eq!(reply.pointers(), ["/scopes"]);
}

#[tokio::test]
async fn a_trigger_that_takes_anybody_takes_anybody() {
    let world = World::new().await;
    world.send("json", "{}").await.run();
    // A token that does not hold is no reason to refuse what needs none.
    world.ask(Ask::post(&door("json"), "{}").token("x")).await.run();
}
