//! An account consents by a link, and what waited for it goes on.

use qc_access::Role;
use serde_json::{Value, json};

use crate::{
    api::Api,
    client::{Ask, Reply},
    world::World,
};

const LINK: &str = "/api/v1/connections/link";
const REVOKE: &str = "/api/v1/connections/revoke";
const SHOW: &str = "/api/v1/connections/production/crm";

fn crm() -> Value {
    json!({ "environment": "production", "name": "crm" })
}

/// What stands after the server's address.
fn path(url: &str) -> String {
    url.strip_prefix("http://qc.test").unwrap().to_owned()
}

fn header(reply: &Reply, name: &str) -> String {
    reply.header(name).unwrap().to_owned()
}

/// Opens a link: where it leads, and the cookie that it leaves.
async fn open(world: &World, link: &str) -> (url::Url, String) {
    let reply = world.ask(Ask::get(&path(link))).await;
    assert_eq!(reply.status, 302);
    let cookie = header(&reply, "set-cookie");
    assert!(cookie.contains("HttpOnly; SameSite=Lax"), "{cookie}");
    (header(&reply, "location").parse().unwrap(), cookie.split(';').next().unwrap().to_owned())
}

fn parameter(url: &url::Url, name: &str) -> String {
    url.query_pairs()
        .find(|pair| pair.0 == name)
        .map(|pair| pair.1.into_owned())
        .unwrap_or_default()
}

/// The provider sends the holder back.
async fn back(world: &World, state: &str, cookie: &str) -> u16 {
    let ask = Ask::get(&format!("/connect/callback?code=c0de&state={state}"));
    world.ask(ask.header("cookie", cookie)).await.status
}

/// Every operation on connections, once as it is meant and once as it is refused.
pub(crate) async fn operations(api: &Api) {
    let world = &api.world;
    assert_eq!(api.get("/api/v1/connections").await["items"], json!([]));
    let unknown = json!({ "environment": "production", "name": "nobody" });
    for deed in ["link", "test", "rotate", "revoke"] {
        let path = format!("/api/v1/connections/{deed}");
        let refused = api.act("POST", &path, &unknown, 404).await;
        assert_eq!(refused["code"], "QC-N311", "{deed}");
        let token = world.token(None, Role::Operator, None).await;
        api.act_as(&token, "POST", &path, &crm(), 403).await;
    }
    let run = api.run("crm", "parked").await;
    let link = api
        .act(
            "POST",
            LINK,
            &json!({
                "environment": "production", "name": "crm", "account": "acme-7",
            }),
            200,
        )
        .await;
    assert_eq!((&link["account"], &link["scopes"]), (&json!("acme-7"), &json!(["customers:read"])));
    let url = link["url"].as_str().unwrap();
    assert_eq!(api.get(SHOW).await["state"], "pending_consent");

    // The provider hears exactly what is needed, and a challenge.
    let (at, cookie) = open(world, url).await;
    assert_eq!(at.host_str(), Some("login.test"));
    let expected = [
        ("tenant", "1"),
        ("response_type", "code"),
        ("client_id", "qc"),
        ("scope", "customers:read"),
        ("redirect_uri", "http://qc.test/connect/callback"),
        ("code_challenge_method", "S256"),
        ("prompt", "consent"),
    ];
    for (name, value) in expected {
        assert_eq!(parameter(&at, name), value);
    }
    assert_eq!(parameter(&at, "code_challenge").len(), 43);
    let state = parameter(&at, "state");

    // Another browser, another state: nothing.
    world.desk.log_in("acme-7", "customers:read");
    assert_eq!(back(world, &state, "qc_connect=other").await, 400);
    assert_eq!(back(world, "unknown", &cookie).await, 404);
    assert_eq!(world.desk.logged(), Vec::<String>::new());
    let consented = std::time::Instant::now();
    assert_eq!(back(world, &state, &cookie).await, 200);
    // What waited goes on without anybody asking, long before it would look again by itself.
    world.until(&run, "completed").await;
    assert!(consented.elapsed() < std::time::Duration::from_secs(8), "{:?}", consented.elapsed());
    let logged = world.desk.logged();
    assert!(
        logged[0].contains("grant_type=authorization_code") && logged[0].contains("code_verifier=")
    );
    let shown = api.get(SHOW).await;
    assert_eq!((&shown["state"], &shown["account"]), (&json!("active"), &json!("acme-7")));

    // The link is used up.
    assert_eq!(back(world, &state, &cookie).await, 404);
    assert_eq!(world.ask(Ask::get(&path(url))).await.status, 404);
    let tested = api.act("POST", "/api/v1/connections/test", &crm(), 200).await;
    assert_eq!((&tested["usable"], &tested["generation"]), (&json!(true), &json!(1)));
    let rotated = api.act("POST", "/api/v1/connections/rotate", &crm(), 200).await;
    assert_eq!(rotated["generation"], 2);
    assert!(world.desk.logged()[0].contains("grant_type=refresh_token"));

    drilled(api).await;

    // Another account is refused, and its tokens are given back.
    let again = api.act("POST", LINK, &crm(), 200).await;
    assert_eq!(again["account"], "acme-7");
    let (at, cookie) = open(world, again["url"].as_str().unwrap()).await;
    world.desk.log_in("other-8", "customers:read");
    assert_eq!(back(world, &parameter(&at, "state"), &cookie).await, 400);
    let told: Vec<String> = world.desk.logged();
    assert_eq!(told[1..], ["revoke: token=refresh", "revoke: token=access"]);
    assert_eq!(api.get(SHOW).await["generation"], 4);

    let ended = api.act("POST", REVOKE, &crm(), 200).await;
    assert_eq!((&ended["state"], &ended["usable"]), (&json!("revoked"), &json!(false)));
    let listed = api.get("/api/v1/connections?environment=production").await;
    assert_eq!(listed["items"][0]["state"], "revoked");
    assert!(!listed.to_string().contains("refresh\""));
    // People can have a run look again, too; it is parked once more.
    let waits = api.run("crm", "parked").await;
    api.act("POST", &format!("/api/v1/runs/{waits}/resume"), &Value::Null, 204).await;
}

/// A drill renews tokens while calls go on; in production only when that is said.
async fn drilled(api: &Api) {
    const DRILL: &str = "/api/v1/connections/drill";
    let order = |production: bool, reason: Option<&str>, seconds: u32| {
        json!({
            "environment": "production", "name": "crm", "seconds": seconds, "rate": 20,
            "production": production, "reason": reason,
        })
    };
    for (production, reason, seconds, status) in [
        (false, Some("a test"), 5, 409),
        (true, None, 5, 409),
        (true, Some(" "), 5, 409),
        (true, Some("a test"), 4, 422),
        (true, Some("a test"), 601, 422),
    ] {
        let refused = api.act("POST", DRILL, &order(production, reason, seconds), status).await;
        assert_eq!(refused["code"], "QC-N313");
    }
    api.world.desk.logged();
    let good = order(true, Some("before the audit"), 5);
    let begun = api.act("POST", DRILL, &good, 200).await;
    assert_eq!(begun["state"], "running");
    api.act("POST", DRILL, &good, 409).await;
    let place = format!("{SHOW}/drills/{}", begun["id"].as_str().unwrap());
    let ended = async {
        loop {
            let drill = api.get(&place).await;
            if drill["state"] != "running" {
                return drill;
            }
            tokio::task::yield_now().await;
        }
    };
    let drill = tokio::time::timeout(std::time::Duration::from_secs(30), ended).await.unwrap();
    assert_eq!((&drill["state"], &drill["failures"]), (&json!("passed"), &json!(0)), "{drill}");
    assert!(drill["requests"].as_u64().unwrap() > 20, "{drill}");
    assert_eq!((&drill["refreshes"], &drill["steps"][1]["generation"]), (&json!(2), &json!(4)));
    assert_eq!(api.world.desk.logged().len(), 2);
    assert_eq!(api.get(&format!("{SHOW}/drills/last")).await["id"], begun["id"]);
    api.act("GET", &format!("{SHOW}/drills/none"), &Value::Null, 404).await;
    let rows = api.get("/api/v1/ledger?kind=audit&limit=500").await;
    let outcomes: Vec<&Value> = rows["items"].as_array().unwrap().iter().collect();
    let of_it =
        |row: &&&Value| row["outcome"] == "drill passed" && row["subject"] == "connection crm";
    let told = outcomes.iter().find(of_it).unwrap();
    assert_eq!(told["facts"]["reason"], "before the audit", "{told}");
}

#[tokio::test]
async fn more_than_was_asked_for_is_not_used_in_production() {
    let api = Api::new().await;
    let link = api.act("POST", LINK, &crm(), 200).await;
    let (at, cookie) = open(&api.world, link["url"].as_str().unwrap()).await;
    api.world.desk.log_in("acme-7", "customers:read customers:write");
    assert_eq!(back(&api.world, &parameter(&at, "state"), &cookie).await, 200);
    assert_eq!(api.get(SHOW).await["excess_scopes"], json!(["customers:write"]));
    let refused = api.act("POST", "/api/v1/connections/test", &crm(), 401).await;
    assert_eq!(refused["code"], "QC-N307");
}

#[tokio::test]
async fn links_cannot_be_guessed_for_long() {
    let world = World::new().await;
    let mut found = Vec::new();
    for number in 0..70 {
        found.push(world.ask(Ask::get(&format!("/connect/guess-{number}"))).await.status);
    }
    assert_eq!((found[0], found[59], found[60], found[69]), (404, 404, 429, 429));
}
