//! Credentials: tokens fetched once, renewed early, and replaced when refused.

use qc_model::{Applied, Class, Retry};

use super::*;
use crate::codes;

const CLIENT: &str = "auth:\n  oauth2_client_credentials:\n    token_url: https://login.test/token\n    client_id: qc client\n    client_secret: secret://desk/client\n    scopes: [a, b]\n    audience: https://desk.test\n";

fn oauth_world() -> World {
    let world = world_with(|yaml| {
        yaml.replace("auth:\n  bearer: { token: secret://desk/token }\n", CLIENT)
    });
    world.secrets.set("sandbox", "desk/client", "s&cret");
    world
}

fn token(value: &str, lifetime: u64) -> Reply {
    answer(200, &json!({"access_token": value, "token_type": "Bearer", "expires_in": lifetime}))
}

async fn read(world: &World) -> Performed {
    world.desk("readTicket", json!({"id": "1"})).await
}

fn ticket() -> Reply {
    answer(200, &json!({"id": 1}))
}

#[tokio::test]
async fn a_token_is_fetched_once_and_renewed_at_four_fifths_of_its_life() {
    let world = oauth_world();
    world.will([token("one", 100), ticket(), ticket()]);
    read(&world).await.result.unwrap();
    world.clock.forward(79);
    read(&world).await.result.unwrap();
    world.clock.forward(1);
    world.will([token("two", 100), ticket()]);
    read(&world).await.result.unwrap();
    let seen = world.seen();
    let urls: Vec<&str> = seen.iter().map(|s| s.url.rsplit('/').next().unwrap()).collect();
    assert_eq!(urls, ["token", "1", "1", "token", "1"]);
    assert_eq!(
        seen[0].body,
        "grant_type=client_credentials&scope=a+b&audience=https%3A%2F%2Fdesk.test"
    );
    // "qc+client:s%26cret", each part form-encoded first.
    assert_eq!(seen[0].header("authorization"), "Basic cWMrY2xpZW50OnMlMjZjcmV0");
    assert_eq!(seen[2].header("authorization"), "Bearer one");
    assert_eq!(seen[4].header("authorization"), "Bearer two");
}

#[tokio::test]
async fn many_calls_at_once_fetch_one_token() {
    let world = Arc::new(oauth_world());
    world.will([token("one", 100)]);
    world.will((0..32).map(|_| ticket()));
    let calls = (0..32).map(|_| {
        let world = Arc::clone(&world);
        tokio::spawn(async move { read(&world).await.result.is_ok() })
    });
    for call in calls.collect::<Vec<_>>() {
        assert!(call.await.unwrap());
    }
    let tokens = world.seen().iter().filter(|seen| seen.url.ends_with("/token")).count();
    assert_eq!(tokens, 1);
}

#[tokio::test]
async fn a_refused_token_is_replaced_and_the_call_sent_once_more() {
    let world = oauth_world();
    world.will([token("one", 1000), answer(401, &json!({})), token("two", 1000), ticket()]);
    let done = read(&world).await;
    assert!(done.result.is_ok());
    assert_eq!((done.record.requests, done.record.attempt), (2, 1));
    // Refused again: the credential is dead, and the run waits for somebody.
    world.will([answer(401, &json!({})), token("three", 1000), answer(401, &json!({}))]);
    let done = read(&world).await;
    assert_eq!(failed(&done).code, codes::CREDENTIAL_REFUSED);
    assert_eq!((failed(&done).class, failed(&done).retry), (Class::Auth, Retry::OnEvent));
    assert_eq!(world.seen().len(), 7);
}

#[tokio::test]
async fn a_refused_client_is_dead_and_not_presented_again_at_once() {
    let world = oauth_world();
    world.will([answer(400, &json!({"error": "invalid_client", "error_description": "s&cret"}))]);
    for _ in 0..3 {
        let done = read(&world).await;
        let failure = failed(&done);
        assert_eq!((&failure.code, failure.retry), (&codes::TOKEN_REFUSED, Retry::OnEvent));
        assert!(failure.detail.contains("invalid_client") && !failure.detail.contains("s&cret"));
        assert_eq!((failure.applied, done.record.sent), (Applied::No, false));
    }
    assert_eq!(world.seen().len(), 1);
    // A new secret is tried at once.
    world.secrets.set("sandbox", "desk/client", "rotated");
    world.will([token("one", 100), ticket()]);
    assert!(read(&world).await.result.is_ok());
}

#[tokio::test]
async fn a_token_endpoint_that_is_away_passes() {
    let world = oauth_world();
    world.will([
        broken(CallErrorKind::Reset, true),
        reply(503, &[("retry-after", "9")], ""),
        answer(200, &json!({"no": "token"})),
    ]);
    let mut found = Vec::new();
    for _ in 0..3 {
        let done = read(&world).await;
        let failure = failed(&done);
        assert_eq!((&failure.code, failure.applied), (&codes::TOKEN_UNAVAILABLE, Applied::No));
        assert!(matches!(failure.retry, Retry::After { .. }));
        found.push(failure.stated_pause().map(|pause| pause.as_secs()));
    }
    assert_eq!(found, [None, Some(9), None]);
    // While the old token lives, its renewal may fail.
    world.will([token("one", 100), ticket()]);
    read(&world).await.result.unwrap();
    world.clock.forward(90);
    world.will([broken(CallErrorKind::Connect, false), ticket()]);
    assert!(read(&world).await.result.is_ok());
    world.clock.forward(10);
    world.will([broken(CallErrorKind::Connect, false)]);
    assert_eq!(failed(&read(&world).await).code, codes::TOKEN_UNAVAILABLE);
}

#[tokio::test]
async fn a_rotated_secret_works_before_and_after_the_vendor_knows_it() {
    let world = world();
    world.secrets.set("sandbox", "desk/token", "t0ken-two");
    world.secrets.set("sandbox", "desk/token.previous", "t0ken-one");
    world.will([answer(401, &json!({})), ticket()]);
    assert!(read(&world).await.result.is_ok());
    let seen = world.seen();
    assert_eq!(seen[0].header("authorization"), "Bearer t0ken-two");
    assert_eq!(seen[1].header("authorization"), "Bearer t0ken-one");
    // Without another value there is nothing to try, and no second request.
    let world = super::world();
    world.will([answer(401, &json!({}))]);
    assert_eq!(failed(&read(&world).await).code, codes::CREDENTIAL_REFUSED);
}

#[tokio::test]
async fn a_missing_secret_waits_for_somebody() {
    let world = world_with(|yaml| yaml.replace("desk/token", "desk/other"));
    let done = read(&world).await;
    assert_eq!(failed(&done).code, qc_vault::codes::MISSING_SECRET);
    assert_eq!((failed(&done).retry, done.record.sent), (Retry::OnEvent, false));
}

#[tokio::test]
async fn keys_and_basic_are_placed_and_hidden() {
    for (auth, header, value, query) in [
        (
            "api_key: { in: header, name: X-Api-Key, prefix: 'Key ', value: secret://desk/token }",
            "x-api-key",
            "Key t0ken-one",
            "",
        ),
        (
            "basic: { username: u, password: secret://desk/token }",
            "authorization",
            "Basic dTp0MGtlbi1vbmU=",
            "",
        ),
        (
            "api_key: { in: query, name: key, value: secret://desk/token }",
            "x",
            "",
            "?key=t0ken-one",
        ),
    ] {
        let world = world_with(|yaml| yaml.replace("bearer: { token: secret://desk/token }", auth));
        world.will([answer(200, &json!({"id": 1, "subject": "t0ken-one dTp0MGtlbi1vbmU="}))]);
        let done = read(&world).await;
        let seen = &world.seen()[0];
        assert_eq!(seen.header(header), value);
        assert_eq!(seen.url, format!("https://desk.test/v2/tickets/1{query}"));
        assert_eq!(done.record.url, "https://desk.test/v2/tickets/1");
        assert!(!format!("{done:?}").contains("t0ken-one"), "{done:?}");
    }
}

#[tokio::test]
async fn a_workflow_can_bring_its_own_authentication() {
    let world = world();
    world.secrets.set("sandbox", "desk/pair", r#"{"username": "ann", "password": "pa55word"}"#);
    let secret = mark().placeholder("api");
    world.will([answer(200, &json!(1)), answer(200, &json!(1)), answer(200, &json!("pa55word"))]);
    let mut seen = Vec::new();
    for authentication in [
        json!({"scheme": "basic", "username": "u", "password": secret}),
        json!({"scheme": "bearer", "token": secret}),
        json!({"scheme": "secret", "of": "basic", "secret": "pair"}),
    ] {
        let target = plain(&json!({"authentication": authentication}));
        let done = world.perform(&request(target)).await;
        assert!(!format!("{done:?}").contains("pa55word"));
        seen.push(
            world.script.seen.lock().unwrap().last().unwrap().header("authorization").to_owned(),
        );
    }
    assert_eq!(seen, ["Basic dTp0MGtlbi1vbmU=", "Bearer t0ken-one", "Basic YW5uOnBhNTV3b3Jk"]);
    let client = json!({
        "scheme": "o_auth2_client_credentials", "token_url": "https://login.test/token", "client_id": "c",
        "client_secret": secret, "client_authentication": "client_secret_post",
    });
    let text = serde_json::to_value(qc_workflow::Authentication::OAuth2ClientCredentials {
        token_url: String::new(),
        client_id: String::new(),
        client_secret: String::new(),
        client_authentication: qc_workflow::ClientAuthentication::ClientSecretPost,
        scopes: vec![],
        audiences: vec![],
    })
    .unwrap();
    let mut authentication = client;
    authentication["scheme"] = text["scheme"].clone();
    world.will([token("inline", 60), answer(200, &json!(1))]);
    let target = plain(&json!({"authentication": authentication}));
    world.perform(&request(target)).await.result.unwrap();
    let seen = world.seen();
    assert_eq!(seen[3].body, "grant_type=client_credentials&client_id=c&client_secret=t0ken-one");
    assert_eq!(seen[4].header("authorization"), "Bearer inline");
}
