//! People sign in, in browsers and for command lines, and act by what they got.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use http::{HeaderMap, StatusCode, header};
use qc_access::Role;
use qc_identity::{ClientSecret, OidcSettings, Provider};
use qc_model::{Body, CallError, Caller, OutboundRequest, OutboundResponse};
use qc_oidcserver::{CLIENT, Fake};
use qc_vault::Secret;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    api::Api,
    client::{Ask, Reply},
    world::{PUBLIC, SystemClock, World, unix},
};

const ISSUER: &str = "https://id.example.test";
/// The grant of command lines, as it stands in a form.
const GRANT: &str = "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code";

/// Hands requests to the fake provider.
struct Line(Arc<Fake>);

#[async_trait]
impl Caller for Line {
    async fn call(&self, request: OutboundRequest) -> Result<OutboundResponse, CallError> {
        let authorization = request.headers.get(header::AUTHORIZATION);
        let authorization = authorization.map_or("", |value| value.to_str().unwrap()).to_owned();
        let body = request.body.collect(1 << 20).await?;
        let now = i64::try_from(unix().as_secs()).unwrap();
        let body = String::from_utf8_lossy(&body);
        let (status, value) = self.0.answer(&request.url, &authorization, &body, now);
        Ok(OutboundResponse {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: Body::Bytes(value.to_string().into()),
        })
    }
}

/// People at a provider: an operator, an administrator who is an operator, too, and somebody who is nothing.
pub(crate) fn fake() -> Arc<Fake> {
    let person = |id: &str, groups: &[&str]| json!({ "uid": id, "groups": groups });
    Arc::new(Fake::new(
        ISSUER,
        &[
            ("ines", person("ines", &["ops"])),
            ("boss", person("boss", &["ops", "leads"])),
            ("none", person("none", &[])),
        ],
    ))
}

/// Where people sign in here.
pub(crate) fn provider(fake: &Arc<Fake>) -> Arc<Provider> {
    let roles = [("ops", Role::Operator), ("leads", Role::Admin)];
    let settings = OidcSettings {
        issuer: ISSUER.to_owned(),
        client_id: CLIENT.0.to_owned(),
        client_secret: Some(ClientSecret::Value(Secret::new(CLIENT.1))),
        scopes: "openid".to_owned(),
        groups_claim: "groups".to_owned(),
        person_claim: Some("uid".to_owned()),
        roles: roles.map(|(group, role)| (group.to_owned(), vec![role])).into(),
    };
    Arc::new(Provider::new(settings, Arc::new(Line(Arc::clone(fake))), Arc::new(SystemClock)))
}

/// A browser: it keeps cookies, and says where its forms are from.
struct Browser<'w> {
    world: &'w World,
    cookies: Mutex<BTreeMap<String, String>>,
}

impl<'w> Browser<'w> {
    fn new(world: &'w World) -> Self {
        Self { world, cookies: Mutex::default() }
    }

    async fn send(&self, ask: Ask) -> Reply {
        let line: Vec<String> = self
            .cookies
            .lock()
            .unwrap()
            .iter()
            .map(|(name, text)| format!("{name}={text}"))
            .collect();
        let ask = if line.is_empty() { ask } else { ask.header("cookie", &line.join("; ")) };
        let reply = self.world.ask(ask).await;
        for (_, value) in reply.headers.iter().filter(|(name, _)| name == "set-cookie") {
            let (name, text) = value.split(';').next().unwrap().split_once('=').unwrap();
            let mut cookies = self.cookies.lock().unwrap();
            if text.is_empty() {
                cookies.remove(name);
            } else {
                cookies.insert(name.to_owned(), text.to_owned());
            }
        }
        reply
    }

    /// A page of the server, by its path or whole address.
    async fn get(&self, url: &str) -> Reply {
        self.send(Ask::get(url.strip_prefix(PUBLIC).unwrap_or(url))).await
    }

    /// A form of one of the server's pages.
    async fn post(&self, path: &str, form: &str) -> Reply {
        self.send(posted(path, form).header("sec-fetch-site", "same-origin")).await
    }

    fn session(&self) -> Option<String> {
        self.cookies.lock().unwrap().get("__Host-qc_session").cloned()
    }

    /// Goes to the provider and comes back.
    async fn sign_in(&self, path: &str, subject: &str) -> Reply {
        let left = self.get(path).await;
        let back = self.world.fake.sign_in(leads(&left), subject);
        self.get(&back).await
    }
}

fn posted(path: &str, form: &str) -> Ask {
    Ask::new("POST", path).header("content-type", "application/x-www-form-urlencoded").body(form)
}

/// Where a page leads.
#[track_caller]
fn leads(reply: &Reply) -> &str {
    if let Some(url) = reply.header("refresh") {
        assert_eq!(reply.status, 200);
        return url.strip_prefix("0; url=").unwrap();
    }
    assert_eq!(reply.status, 303, "{}", text(reply));
    reply.header("location").unwrap()
}

fn text(reply: &Reply) -> String {
    String::from_utf8_lossy(&reply.body).into_owned()
}

/// Every page is one in which nothing runs, and that nobody frames or keeps.
#[track_caller]
fn is_a_page(reply: &Reply, status: u16, says: &str) {
    assert_eq!(reply.status, status, "{}", text(reply));
    assert!(text(reply).contains(says), "{}", text(reply));
    let policy = reply.header("content-security-policy").unwrap();
    for part in ["default-src 'none'", "frame-ancestors 'none'", "form-action 'self'"] {
        assert!(policy.contains(part), "{policy}");
    }
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
}

/// Called with every other operation of the API's document.
pub(crate) async fn operations(api: &Api) {
    let browser = Browser::new(&api.world);
    browser.sign_in("/login", "ines").await;
    let key = api.world.person("ines", Role::Approver).await;
    let listed = api.get("/api/v1/access/sessions").await;
    let own = &listed["items"][0];
    assert_eq!(
        (&own["person"], &own["role"], &own["device"]),
        (&json!("ines"), &json!("operator"), &json!(false))
    );
    assert!(!listed.to_string().contains(&browser.session().unwrap()));
    let revoke = "/api/v1/access/revoke";
    let done = api.act("POST", revoke, &json!({ "user": "ines" }), 200).await;
    assert_eq!((&done["sessions"], &done["tokens"]), (&json!(1), &json!(1)));
    assert_eq!(browser.get("/api/v1/runs").await.status, 401);
    assert_eq!(api.world.ask(Ask::get("/api/v1/runs").token(&key)).await.status, 401);
    api.act("POST", revoke, &json!({ "user": "" }), 422).await;
    let finding = |server: &Value| {
        let all = server["findings"].as_array().unwrap().clone();
        all.into_iter().find(|one| one["code"] == "QC-A058")
    };
    assert_eq!(finding(&api.get("/api/v1/server").await).unwrap()["severity"], "warning");
    let sealed = api.act("POST", "/api/v1/access/break-glass/seal", &Value::Null, 201).await;
    assert_eq!(finding(&api.get("/api/v1/server").await), None);
    let form = format!("credential={}&reason=a+test", sealed["credential"].as_str().unwrap());
    let opened = api.world.ask(posted("/login/break-glass", &form)).await.json();
    let token = opened["access_token"].as_str().unwrap();
    assert_eq!(opened["expires_in"], 3600);
    let me = api.world.ask(Ask::get("/oauth/whoami").token(token)).await.json();
    assert_eq!((&me["kind"], &me["role"]), (&json!("break_glass"), &json!("admin")));
    assert_eq!(finding(&api.get("/api/v1/server").await).unwrap()["severity"], "error");
    api.world.ask(posted("/login/break-glass", &form)).await.problem(404, "QC-A057");
    let rows = api.get("/api/v1/ledger?kind=audit&limit=500").await;
    let alert = rows["items"].as_array().unwrap().iter().find(|row| row["code"] == "QC-A058");
    assert_eq!(alert.unwrap()["actor"], "human:break-glass");
    assert_eq!(alert.unwrap()["facts"]["reason"], "a test");
}

#[tokio::test]
async fn somebody_signs_in_acts_in_a_browser_and_signs_out() {
    let world = World::new().await;
    let browser = Browser::new(&world);
    is_a_page(&browser.get("/login/done").await, 401, "/login");
    let back = browser.sign_in("/login", "ines").await;
    assert_eq!(leads(&back), format!("{PUBLIC}/login/done"));
    let cookie = back.headers.iter().find(|(_, value)| value.starts_with("__Host-qc_session="));
    for part in ["; Path=/", "; HttpOnly", "; SameSite=Lax", "; Secure", "=qcs_"] {
        assert!(cookie.unwrap().1.contains(part), "{cookie:?}");
    }
    is_a_page(&browser.get("/login/done").await, 200, "ines as operator");
    assert_eq!(browser.get("/api/v1/runs").await.status, 200);
    browser.get("/api/v1/tokens").await.problem(403, "QC-A005");
    let me = browser.get("/oauth/whoami").await.json();
    assert_eq!((&me["kind"], &me["person"]), (&json!("session"), &json!("ines")));
    // A session is no way to send events: triggers take no cookies.
    assert_eq!(browser.send(Ask::post(&crate::world::door("token"), "{}")).await.status, 401);
    let text = browser.session().unwrap();
    let out = browser.post("/logout", "").await;
    assert!(leads(&out).starts_with(&format!("{ISSUER}/out?")), "{}", leads(&out));
    assert!(leads(&out).contains("id_token_hint=ey"));
    assert_eq!(browser.session(), None);
    world.ask(Ask::get("/api/v1/runs").token(&text)).await.problem(401, "QC-A003");
    is_a_page(&browser.get("/logout/done").await, 200, "Signed out");
    is_a_page(&browser.post("/logout", "").await, 200, "Signed out");
}

#[tokio::test]
async fn a_cookie_changes_something_only_from_the_servers_own_pages() {
    let world = World::new().await;
    let browser = Browser::new(&world);
    browser.sign_in("/login?role=admin", "boss").await;
    let body = json!({ "name": "t", "role": "runtime" }).to_string();
    let make = || Ask::post("/api/v1/tokens", &body);
    for (name, value) in [
        ("x-nothing", "x"),
        ("origin", "https://evil.test"),
        ("origin", "null"),
        ("origin", "https://qc.example.test.evil.test"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("sec-fetch-site", "none"),
    ] {
        browser.send(make().header(name, value)).await.problem(403, "QC-A059");
    }
    let both = make().header("sec-fetch-site", "cross-site").header("origin", PUBLIC);
    browser.send(both).await.problem(403, "QC-A059");
    assert_eq!(browser.send(make().header("origin", PUBLIC)).await.status, 201);
    assert_eq!(browser.send(make().header("sec-fetch-site", "same-origin")).await.status, 201);
    // What names a token is not moved by cookies, and the other way round.
    let token = browser.session().unwrap();
    assert_eq!(world.ask(make().token(&token)).await.status, 201);
    is_a_page(&browser.send(posted("/logout", "")).await, 403, "QC-A059");
    is_a_page(&browser.send(posted("/device", "user_code=x")).await, 403, "QC-A059");
    assert_eq!(browser.get("/api/v1/tokens").await.status, 200, "the session is still there");
}

#[tokio::test]
async fn a_session_that_somebody_planted_is_not_gone_on_with() {
    let world = World::new().await;
    let (victim, other) = (Browser::new(&world), Browser::new(&world));
    other.sign_in("/login", "ines").await;
    let planted = other.session().unwrap();
    victim.cookies.lock().unwrap().insert("__Host-qc_session".into(), planted.clone());
    victim.sign_in("/login?role=admin", "boss").await;
    assert_ne!(victim.session().unwrap(), planted);
    world.ask(Ask::get("/api/v1/runs").token(&planted)).await.problem(401, "QC-A003");
    // And an answer of the provider that somebody else fetched opens nothing here.
    let left = other.get("/login").await;
    let back = world.fake.sign_in(leads(&left), "ines");
    let before = victim.session();
    is_a_page(&victim.get(&back).await, 400, "QC-A055");
    assert_eq!(victim.session(), before);
}

#[tokio::test]
async fn a_browser_goes_on_to_this_server_only_and_once() {
    let world = World::new().await;
    let browser = Browser::new(&world);
    for to in ["//evil.test", "https://evil.test", "/%5Cevil.test", "javascript:x", "/a%0d%0ax"] {
        is_a_page(&browser.get(&format!("/login?to={to}")).await, 400, "not a path");
    }
    let left = browser.get("/login?to=/device?user_code%3DBCDF-GHJK").await;
    let back = world.fake.sign_in(leads(&left), "ines");
    let arrived = browser.get(&back).await;
    assert_eq!(leads(&arrived), format!("{PUBLIC}/device?user_code=BCDF-GHJK"));
    is_a_page(&browser.get(&back).await, 400, "used already");
    is_a_page(&browser.get("/login?role=root").await, 400, "role");
    is_a_page(&browser.get("/login/callback").await, 400, "QC-A055");
    let odd = "/login/callback?state=%3Cscript%3E&error=%3Cscript%3E";
    assert!(!text(&browser.get(odd).await).contains("<script>"));
    for (method, path, status) in [
        ("POST", "/login", 405),
        ("GET", "/logout", 405),
        ("PUT", "/device", 405),
        ("GET", "/login/break-glass", 405),
        ("GET", "/login/other", 404),
        ("GET", "/logout/other", 404),
    ] {
        assert_eq!(world.ask(Ask::new(method, path)).await.status, status, "{method} {path}");
    }
}

#[tokio::test]
async fn who_has_several_roles_chooses_and_who_has_none_gets_nothing() {
    let world = World::new().await;
    let browser = Browser::new(&world);
    let asked = browser.sign_in("/login?to=/device", "boss").await;
    is_a_page(&asked, 403, "several roles");
    for role in ["admin", "operator"] {
        assert!(
            text(&asked).contains(&format!("/login?role={role}&amp;to=%2Fdevice")),
            "{}",
            text(&asked)
        );
    }
    assert_eq!(browser.session(), None);
    is_a_page(&browser.sign_in("/login", "none").await, 403, "gives a role");
    is_a_page(&browser.sign_in("/login?role=admin", "ines").await, 403, "do not give");
    world.fake.parts().away = true;
    browser.sign_in("/login?role=admin", "boss").await;
}

/// A command line begins; what it is told.
async fn begun(world: &World, form: &str) -> Value {
    let reply = world.ask(posted("/oauth/device_authorization", form)).await;
    assert_eq!(reply.status, 200, "{}", text(&reply));
    reply.json()
}

async fn poll(world: &World, begun: &Value) -> Reply {
    let code = begun["device_code"].as_str().unwrap();
    let form = format!("grant_type={GRANT}&client_id=qc&device_code={code}");
    world.ask(posted("/oauth/token", &form)).await
}

#[track_caller]
fn says(reply: &Reply, error: &str) {
    assert_eq!((reply.status, &reply.json()["error"]), (400, &json!(error)));
}

#[tokio::test]
async fn a_command_line_gets_a_session_that_its_user_confirms_in_a_browser() {
    let world = World::new().await;
    let told = begun(&world, "client_id=qc&role=operator").await;
    assert_eq!(told["verification_uri"], format!("{PUBLIC}/device"));
    assert_eq!((&told["interval"], &told["expires_in"]), (&json!(5), &json!(600)));
    says(&poll(&world, &told).await, "authorization_pending");
    says(&poll(&world, &told).await, "slow_down");
    let browser = Browser::new(&world);
    let complete = told["verification_uri_complete"].as_str().unwrap();
    let first = browser.get(complete).await;
    let login = leads(&first).to_owned();
    assert!(login.starts_with(&format!("{PUBLIC}/login?to=%2Fdevice%3Fuser_code")), "{login}");
    let arrived = browser.sign_in(login.strip_prefix(PUBLIC).unwrap(), "ines").await;
    let page = browser.get(leads(&arrived)).await;
    let code = told["user_code"].as_str().unwrap();
    is_a_page(&page, 200, code);
    assert!(text(&page).contains("127.0.0.1") && text(&page).contains("operator"));
    let answer = browser.post("/device", &format!("user_code={code}&answer=yes")).await;
    let back = world.fake.sign_in(leads(&answer), "ines");
    is_a_page(&browser.get(&back).await, 200, "command line is signed in");
    let given = poll(&world, &told).await;
    assert_eq!((given.status, given.header("cache-control")), (200, Some("no-store")));
    let token = given.json()["access_token"].as_str().unwrap().to_owned();
    assert!(token.starts_with("qcs_") && token != browser.session().unwrap());
    says(&poll(&world, &told).await, "expired_token");
    let runs = || Ask::get("/api/v1/runs").token(&token);
    assert_eq!(world.ask(runs()).await.status, 200);
    let listed = world.ask(Ask::get("/api/v1/access/sessions").token(&world.owner)).await.json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
    let out = world.ask(Ask::new("POST", "/logout").token(&token)).await.json();
    assert!(out["provider_url"].as_str().unwrap().starts_with(ISSUER), "{out}");
    world.ask(runs()).await.problem(401, "QC-A003");
    assert_eq!(browser.get("/api/v1/runs").await.status, 200);
}

#[tokio::test]
async fn a_command_line_that_nobody_confirms_gets_nothing() {
    let world = World::new().await;
    let told = begun(&world, "client_id=qc").await;
    let browser = Browser::new(&world);
    browser.sign_in("/login", "ines").await;
    let form = format!("user_code={}&answer=no", told["user_code"].as_str().unwrap());
    let unknown = Browser::new(&world).post("/device", &form).await;
    is_a_page(&unknown, 401, "QC-A001");
    is_a_page(&browser.post("/device", &form).await, 200, "Refused");
    says(&poll(&world, &told).await, "access_denied");
    for (form, error) in [
        ("", "invalid_client"),
        ("client_id=other", "invalid_client"),
        ("client_id=qc&role=root", "invalid_request"),
    ] {
        says(&world.ask(posted("/oauth/device_authorization", form)).await, error);
    }
    let form = format!("grant_type={GRANT}&client_id=qc");
    says(&world.ask(posted("/oauth/token", &form)).await, "invalid_request");
}

#[tokio::test]
async fn codes_of_users_cannot_be_tried_one_after_the_other() {
    let world = World::new().await;
    let browser = Browser::new(&world);
    browser.sign_in("/login", "ines").await;
    is_a_page(&browser.get("/device").await, 200, "name=\"user_code\"");
    for _ in 0..30 {
        is_a_page(&browser.get("/device?user_code=BCDF-GHJK").await, 404, "QC-A057");
    }
    is_a_page(&browser.get("/device?user_code=BCDF-GHJK").await, 429, "QC-A053");
    is_a_page(&browser.post("/device", "user_code=BCDF-GHJK&answer=yes").await, 429, "QC-A053");
    world.ask(posted("/login/break-glass", "credential=x&reason=y")).await.problem(429, "QC-A053");
    // So cannot sign-ins be begun without end.
    for _ in 0..60 {
        browser.get("/login").await;
    }
    is_a_page(&browser.get("/login").await, 429, "QC-A053");
    let form = posted("/oauth/device_authorization", "client_id=qc");
    assert_eq!(world.ask(form).await.status, 429);
}

#[tokio::test]
async fn the_provider_ends_a_session_from_behind() {
    let world = World::new().await;
    let browser = Browser::new(&world);
    browser.sign_in("/login", "ines").await;
    let claims = |event: &str| {
        let now = unix().as_secs();
        json!({
            "iss": ISSUER, "aud": "qc", "sub": "ines", "iat": now, "exp": now + 60, "jti": event,
            "events": { format!("http://schemas.openid.net/event/{event}"): {} },
        })
    };
    let head = json!({ "alg": "ES256", "kid": "k1", "typ": "logout+jwt" });
    for wrong in [world.fake.signed(head.clone(), &claims("other")), "x".to_owned()] {
        let form = format!("logout_token={wrong}");
        says(&world.ask(posted("/login/back-channel", &form)).await, "invalid_request");
    }
    assert_eq!(browser.get("/api/v1/runs").await.status, 200);
    let form = format!("logout_token={}", world.fake.signed(head, &claims("backchannel-logout")));
    let done = world.ask(posted("/login/back-channel", &form)).await;
    assert_eq!((done.status, done.header("cache-control")), (200, Some("no-store")));
    browser.get("/api/v1/runs").await.problem(401, "QC-A003");
}

#[tokio::test]
async fn who_follows_what_happens_does_so_no_longer_than_the_session_holds() {
    let world = World::new().await;
    let browser = Browser::new(&world);
    browser.sign_in("/login", "ines").await;
    let ask = Ask::get("/api/v1/happenings").token(&browser.session().unwrap());
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    stream.write_all(&ask.bytes()).await.unwrap();
    let mut head = [0; 512];
    let count = stream.read(&mut head).await.unwrap();
    assert!(String::from_utf8_lossy(&head[..count]).starts_with("HTTP/1.1 200"));
    let revoke = Ask::post("/api/v1/access/revoke", json!({ "user": "ines" }).to_string());
    assert_eq!(world.ask(revoke.token(&world.owner)).await.json()["sessions"], 1);
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "it goes on: {}", String::from_utf8_lossy(&rest));
}
