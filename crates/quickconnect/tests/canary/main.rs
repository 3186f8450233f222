//! Secrets and personal data are planted wherever they go in, the called system says all of them back, and everything that comes out is
//! searched for them, but for personal data where payloads are asked for: logs at their most talkative, traces, metrics, every answer of the management API, every verb that
//! reads, refusals, exports, and the files of the database.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

#[path = "../stage/mod.rs"]
mod stage;

#[path = "../traces/collector.rs"]
mod collector;

mod echoing;
mod needles;
mod reading;
mod scene;
mod subject;
mod tokens;

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{
    collector::Collector,
    needles::Search,
    scene::{EMAIL, MODES, NAME, SECRETS, TASKS},
    stage::{
        http::{Line, Reply},
        process::PATIENCE,
        server::Server,
    },
};

/// What its holders send along and nobody keeps.
const COOKIE: &str = "cnry-cookie+of/\"the=sender";
/// Looks like a token and is none.
const NO_TOKEN: &str = "qc_sandbox_cnryNoTokenButItCouldBeOneOfSomeOther1";

/// Sends an event as a sender does, with more in its header than anybody needs.
async fn send(port: u16, token: String, event: Value) -> Reply {
    let headers = [
        ("authorization", format!("Bearer {token}")),
        ("content-type", "application/json".to_owned()),
        ("cookie", format!("session={COOKIE}")),
        ("x-api-key", COOKIE.to_owned()),
        ("prefer", "wait=2".to_owned()),
    ];
    let body = Bytes::from(event.to_string());
    let mut line = Line::to(port);
    line.send(Method::POST, "/in/sandbox/leaky/leaky", &headers, body).await.unwrap()
}

/// All bytes below a folder, file by file.
fn files(folder: &Path, look: &mut impl FnMut(&str, Vec<u8>)) {
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            files(&path, look);
        } else {
            look(&path.display().to_string(), fs::read(&path).unwrap());
        }
    }
}

/// Consents for the account.
async fn consent(server: &Server, search: &mut Search) {
    let link = server.told(&["conn", "connect", "sandbox", "accounts"])["url"]
        .as_str()
        .unwrap()
        .to_owned();
    search.plant("the code of a link", link.rsplit('/').next().unwrap());
    let path = link.strip_prefix("https://qc.example").unwrap();
    let mut line = Line::to(server.port);
    let asked = line.send(Method::GET, path, &[], Bytes::new()).await.unwrap();
    let header = |name: &str| asked.headers[name].to_str().unwrap().to_owned();
    let cookie = header("set-cookie").split(';').next().unwrap().to_owned();
    let location = header("location");
    let state = location.split("state=").nth(1).unwrap().split('&').next().unwrap().to_owned();
    search.plant("a browser's cookie", cookie.split_once('=').unwrap().1);
    let code = "cnry-authorization-code";
    search.plant("a code of the provider", code);
    let back = format!("/connect/callback?code={code}&state={state}");
    let page = line.send(Method::GET, &back, &[("cookie", cookie)], Bytes::new()).await.unwrap();
    assert!(page.shown().contains("<h1>Connected</h1>"), "{}", page.shown());
    search.look("the page after consent", page.shown());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_secret_comes_out_anywhere() {
    let folder = tempfile::tempdir().unwrap();
    let collector = Collector::start().await;
    let mut search = Search::default();
    let mut server = Server::new(folder.path());
    server.turn_vault_on();
    server.set("QC_PUBLIC_URL", "https://qc.example");
    server.set("QC_OTLP_ENDPOINT", &collector.endpoint());
    server.set("QC_LOG_LEVEL", "trace");
    server.set("QC_LOG_FORMAT", "json");
    let hook = stage::signing::secret();
    for (name, value) in SECRETS.into_iter().chain([("leaky/hook", &*hook)]) {
        search.plant(&format!("the secret {name}"), value);
    }
    search.plant_personal("a name", NAME);
    search.plant_personal("a mail address", EMAIL);
    search.plant("a cookie", COOKIE);
    search.plant("a token that is none", NO_TOKEN);
    search.plant("an access token of a provider", echoing::ACCESS);
    search.plant("a refresh token of a provider", echoing::REFRESH);
    let kek = fs::read_to_string(server.folder.join("kek")).unwrap();
    search.plant("the vault's key", kek.trim());
    server.start().await;
    search.plant("the first token", &server.token());
    for (name, value) in SECRETS.into_iter().chain([("leaky/hook", &*hook)]) {
        let body = json!({"environment": "sandbox", "name": name, "value": value});
        let reply = server.post("/api/v1/secrets/set", &body).await;
        assert_eq!(reply.status, 200, "{}", reply.shown());
        search.look("the answer to a secret", reply.shown());
    }
    scene::deploy(&server, echoing::start());
    let made = server.told(&[
        "tokens",
        "create",
        "sender",
        "--role",
        "runtime",
        "--environment",
        "sandbox",
    ]);
    let token = made["secret"].as_str().unwrap().to_owned();
    search.plant("a sender's token", &token);
    let of = ["--environment", "sandbox", "--role", "runtime", "--owner", "team", "--purpose", "x"];
    let client = server.told(&[&["access", "clients", "create", "billing"][..], &of].concat());
    search.plant("a client's secret", client["secret"].as_str().unwrap());
    consent(&server, &mut search).await;

    let mut sending = JoinSet::new();
    for (task, mode) in
        TASKS.iter().flat_map(|task| MODES.map(|mode| (*task, mode))).chain([("ask", "ok")])
    {
        let event = json!({
            "id": format!("{task}-{mode}"), "task": task, "mode": mode, "said": format!("by {NAME}"),
            "person": {"name": NAME, "email": EMAIL},
        });
        sending.spawn(send(server.port, token.clone(), event));
    }
    for reply in sending.join_all().await {
        if reply.status == 200 {
            search.look_at_payload("an output", reply.shown());
        } else {
            search.look("a sender's answer", reply.shown());
        }
        search.look("its header", format!("{:?}", reply.headers));
    }
    refusals(&server, &token, &mut search).await;
    settle(&server).await;
    reading::through_the_api(&server, &mut search).await;
    reading::through_the_verbs(&server, &mut search).await;
    server.terminate();
    assert_eq!(server.ended(PATIENCE).await.code(), Some(0), "{}", server.log_end());
    search.look("traces", collector.text());
    for (name, bytes) in reading::exports(&server) {
        search.look_at_payload(&name, bytes);
    }
    search.look("the log", fs::read(server.log_file()).unwrap());
    files(&server.data, &mut |path, bytes| search.look_at_payload(path, bytes));
    search.ends(200);
}

/// Requests that are turned away say why, and not what.
async fn refusals(server: &Server, token: &str, search: &mut Search) {
    let mut line = Line::to(server.port);
    let bearer = |token: &str| ("authorization", format!("Bearer {token}"));
    let json = ("content-type", "application/json".to_owned());
    for (path, headers, body) in [
        ("/in/sandbox/leaky/leaky", vec![bearer(NO_TOKEN), json.clone()], "{}".to_owned()),
        (
            "/in/sandbox/leaky/leaky",
            vec![bearer(token), json.clone()],
            format!("{{\"id\": {token}}}"),
        ),
        ("/in/sandbox/leaky/signed", vec![bearer(token), json.clone()], "{}".to_owned()),
        ("/in/sandbox/leaky/nothing", vec![bearer(token), json.clone()], "{}".to_owned()),
        ("/api/v1/tokens", vec![bearer(token), json.clone()], "{}".to_owned()),
        ("/api/v1/tokens", vec![bearer(NO_TOKEN)], token.to_owned()),
    ] {
        let reply = line.send(Method::POST, path, &headers, Bytes::from(body)).await.unwrap();
        assert!(reply.status >= 400, "{path}: {}", reply.shown());
        search.look(&format!("the refusal of {path}"), reply.shown());
    }
}

/// Waits until no run is under way.
async fn settle(server: &Server) {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        let running = server.ask_all("/api/v1/runs?status=running").await;
        if running.is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("runs do not end");
}
