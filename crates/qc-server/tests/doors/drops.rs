//! Links at which somebody without rights here gives a secret's value.

use qc_model::EnvironmentName;
use qc_vault::SecretRef;
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::{
    api::Api,
    client::{Ask, Reply},
    world::{PUBLIC, World},
};

const DROP: &str = "/api/v1/secrets/drop";
const DROPS: &str = "/api/v1/secrets/drops";

/// The path of a new link.
async fn link(api: &Api, environment: &str, name: &str) -> (String, String) {
    let asked = json!({ "environment": environment, "name": name, "expires": "1h" });
    let made = api.act("POST", DROP, &asked, 201).await;
    let path = made["url"].as_str().unwrap().strip_prefix(PUBLIC).unwrap().to_owned();
    (path, made["link"]["id"].as_str().unwrap().to_owned())
}

/// What a browser has of the page: the cookie and the hidden field.
async fn open(world: &World, path: &str) -> (String, String) {
    let page = world.ask(Ask::get(path)).await;
    assert_eq!(page.status, 200);
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
    assert_eq!(page.header("cache-control"), Some("no-store"));
    assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
    let cookie = page.header("set-cookie").unwrap();
    for part in ["HttpOnly", "SameSite=Strict", "Secure", "Path=/drop"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let html = String::from_utf8(page.body.clone()).unwrap();
    let (_, rest) = html.split_once("name=\"form\" value=\"").unwrap();
    let field = rest.split_once('"').unwrap().0.to_owned();
    (cookie.split_once(';').unwrap().0.to_owned(), field)
}

fn give(path: &str, cookie: &str, field: &str, value: &str) -> Ask {
    let mut body = form_urlencoded::Serializer::new(String::new());
    body.append_pair("form", field).append_pair("value", value);
    Ask::new("POST", path)
        .header("content-type", "application/x-www-form-urlencoded")
        .header("cookie", cookie)
        .body(body.finish())
}

async fn given(world: &World, path: &str, value: &str) -> Reply {
    let (cookie, field) = open(world, path).await;
    world.ask(give(path, &cookie, &field, value)).await
}

fn stored(world: &World, environment: &str, name: &str) -> Option<String> {
    let environment: EnvironmentName = environment.parse().unwrap();
    let name = SecretRef::parse(&format!("secret://{name}")).unwrap();
    world.secrets.lookup(&environment, &name).ok().map(|secret| secret.expose().to_owned())
}

/// Every operation on links.
pub(crate) async fn links(api: &Api) {
    let (path, id) = link(api, "sandbox", "given/one").await;
    let listed = api.get(DROPS).await;
    assert_eq!(listed["items"][0]["id"], json!(id));
    assert!(!listed.to_string().contains(path.strip_prefix("/drop/").unwrap()));
    assert_eq!(api.get(&format!("{DROPS}?environment=production")).await["items"], json!([]));
    api.act("DELETE", &format!("{DROPS}/{id}"), &Value::Null, 204).await;
    api.act("DELETE", &format!("{DROPS}/{id}"), &Value::Null, 404).await;
    assert_eq!(api.world.ask(Ask::get(&path)).await.status, 404, "revoked");
    for bad in [
        json!({"environment": "sandbox", "name": "x", "expires": "8d"}),
        json!({"environment": "sandbox", "name": "x", "expires": "0s"}),
        json!({"environment": "sandbox", "name": "Not A Name"}),
    ] {
        api.act("POST", DROP, &bad, 422).await;
    }
}

#[tokio::test]
async fn a_link_takes_one_value_and_never_shows_it() {
    let api = Api::new().await;
    let (path, id) = link(&api, "sandbox", "given/two").await;
    // Looked at by a program, and by two people.
    let first = open(&api.world, &path).await;
    let second = open(&api.world, &path).await;
    let done = api.world.ask(give(&path, &first.0, &first.1, "line one\r\nline two\r\n")).await;
    assert_eq!(done.status, 200, "{}", String::from_utf8_lossy(&done.body));
    assert_eq!(stored(&api.world, "sandbox", "given/two").unwrap(), "line one\nline two");
    let late = api.world.ask(give(&path, &second.0, &second.1, "another")).await;
    assert_eq!(late.status, 404);
    assert_eq!(stored(&api.world, "sandbox", "given/two").unwrap(), "line one\nline two");
    assert_eq!(api.world.ask(Ask::get(&path)).await.status, 404);
    let ledger = api.get("/api/v1/ledger?kind=audit&limit=500").await;
    let rows = ledger["items"].as_array().unwrap();
    let used: Vec<&Value> = rows.iter().filter(|row| row["outcome"] == "link used").collect();
    assert_eq!(used.len(), 1);
    assert_eq!(used[0]["facts"]["link"], json!(id));
    assert_eq!(used[0]["actor"], json!(format!("anonymous:drop-{id}")));
    assert!(used[0]["facts"]["via"]["address"].is_string());
    let told = ledger.to_string();
    assert!(!told.contains("line one") && !told.contains(path.strip_prefix("/drop/").unwrap()));
}

#[tokio::test]
async fn of_many_who_give_a_value_at_the_same_time_one_does() {
    let api = Api::new().await;
    let (path, _) = link(&api, "sandbox", "given/race").await;
    let (cookie, field) = open(&api.world, &path).await;
    let values = ["a-value", "b-value", "c-value", "d-value", "e-value", "f-value"];
    let all = values.map(|value| api.world.ask(give(&path, &cookie, &field, value)));
    let replies = futures_util::future::join_all(all).await;
    let won: Vec<&str> = values
        .into_iter()
        .zip(&replies)
        .filter_map(|(value, reply)| (reply.status == 200).then_some(value))
        .collect();
    assert_eq!(won.len(), 1, "{:?}", replies.iter().map(|reply| reply.status).collect::<Vec<_>>());
    assert_eq!(stored(&api.world, "sandbox", "given/race").as_deref(), Some(won[0]));
}

#[tokio::test]
async fn only_the_page_of_the_link_is_taken_and_only_so_much() {
    let api = Api::new().await;
    let (path, _) = link(&api, "sandbox", "given/three").await;
    let (cookie, field) = open(&api.world, &path).await;
    let (other_path, _) = link(&api, "sandbox", "given/four").await;
    let (_, other_field) = open(&api.world, &other_path).await;
    let asks = [
        give(&path, "qc_drop=other", &field, "value"),
        give(&path, &cookie, &other_field, "value"),
        give(&path, &cookie, "", "value").without("cookie"),
        give(&path, &cookie, &field, "value").header("sec-fetch-site", "cross-site"),
    ];
    for ask in asks {
        assert_eq!(api.world.ask(ask).await.status, 403);
    }
    let json = give(&path, &cookie, &field, "value").with("content-type", "text/plain");
    assert_eq!(api.world.ask(json).await.status, 415);
    let large = "x".repeat(300_000);
    assert_eq!(api.world.ask(give(&path, &cookie, &field, &large)).await.status, 413);
    let large = "x".repeat(65 * 1024);
    assert_eq!(api.world.ask(give(&path, &cookie, &field, &large)).await.status, 422);
    assert_eq!(api.world.ask(give(&path, &cookie, &field, "")).await.status, 422);
    assert_eq!(api.world.ask(Ask::new("PUT", &path)).await.status, 405);
    assert_eq!(stored(&api.world, "sandbox", "given/three"), None);
    // None of that used the link up, and a value that another environment has does not say where.
    assert_eq!(given(&api.world, &path, "same-value").await.status, 200);
    let (path, _) = link(&api, "production", "given/five").await;
    let refused = given(&api.world, &path, "same-value").await;
    assert_eq!(refused.status, 409);
    assert!(!String::from_utf8_lossy(&refused.body).contains("sandbox"));
    // A value that is there stays valid beside the new one.
    assert_eq!(given(&api.world, &path, "one-of-production").await.status, 200);
    let (path, _) = link(&api, "production", "given/five").await;
    assert_eq!(given(&api.world, &path, "two-of-production").await.status, 200);
    let name = SecretRef::parse("secret://given/five").unwrap();
    let live = api.world.secrets.live(&"production".parse().unwrap(), &name).unwrap();
    assert_eq!(live.len(), 2);
}

#[tokio::test]
async fn who_guesses_links_is_slowed_down() {
    let api = Api::new().await;
    let (path, _) = link(&api, "sandbox", "given/six").await;
    for count in 0..30 {
        let guess = format!("/drop/{count:043}");
        assert_eq!(api.world.ask(Ask::get(&guess)).await.status, 404);
    }
    let limited = api.world.ask(Ask::get(&path)).await;
    assert_eq!(limited.status, 429);
    assert!(limited.header("retry-after").is_some());
}
