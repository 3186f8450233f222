//! The management API against its own committed description: every answer that comes here is held to it.

use std::collections::BTreeSet;

use qc_contract::{OpenApi, Routed};
use serde_json::{Value, json};

use crate::{
    client::{Ask, Reply},
    sign,
    world::World,
};

/// The description as committed.
fn described() -> OpenApi {
    let text = include_str!("../../../../openapi/quickconnect-v1.json");
    OpenApi::from_text("quickconnect-v1.json", text).unwrap()
}

/// A server whose answers are compared with the description.
pub(crate) struct Api {
    pub(crate) world: World,
    described: OpenApi,
    seen: std::sync::Mutex<BTreeSet<String>>,
}

impl Api {
    pub(crate) async fn new() -> Self {
        Self {
            world: World::new().await,
            described: described(),
            seen: std::sync::Mutex::default(),
        }
    }

    async fn raw(&self, method: &str, path: &str, body: Option<&Value>) -> Reply {
        let mut ask = Ask::new(method, path).token(&self.world.admin);
        if let Some(body) = body {
            ask = ask.header("content-type", "application/json").body(body.to_string());
        }
        let reply = self.world.ask(ask).await;
        let plain = path.split('?').next().unwrap();
        let Routed::Found { operation, .. } = self.described.route(method, plain) else {
            panic!("{method} {plain} is not described");
        };
        if reply.status < 300 {
            self.seen.lock().unwrap().insert(operation.id.to_string());
            assert!(reply.header("quickconnect-version").is_some());
            assert_eq!(reply.header("cache-control"), Some("no-store"));
        }
        let content = (!reply.body.is_empty())
            .then(|| serde_json::from_slice(&reply.body).unwrap_or(Value::Null));
        let text = reply.header("content-type").is_some_and(|media| !media.contains("json"));
        let judged = if text { None } else { content.as_ref() };
        let wrong = self.described.check_response(operation, reply.status, &reply.headers, judged);
        let shown = String::from_utf8_lossy(&reply.body);
        assert!(wrong.is_empty(), "{method} {path}: {wrong:#?} {shown}");
        reply
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let reply = self.raw("GET", path, None).await;
        assert_eq!(reply.status, 200, "{path}: {}", String::from_utf8_lossy(&reply.body));
        reply.json()
    }

    /// Does something that answers with this status.
    pub(crate) async fn act(&self, method: &str, path: &str, body: &Value, status: u16) -> Value {
        let body = Some(body).filter(|body| !body.is_null());
        let reply = self.raw(method, path, body).await;
        assert_eq!(reply.status, status, "{path}: {}", String::from_utf8_lossy(&reply.body));
        if reply.body.is_empty() { Value::Null } else { reply.json() }
    }

    async fn run(&self, mode: &str, status: &str) -> String {
        let run = self.world.send("json", json!({ "mode": mode }).to_string()).await.run();
        self.world.until(&run, status).await;
        run
    }
}

#[tokio::test]
async fn every_operation_does_what_it_is_for_and_answers_as_described() {
    let api = Api::new().await;
    runs(&api).await;
    dead_letters(&api).await;
    releases_and_deployments(&api).await;
    tokens(&api).await;
    events_and_schedules(&api).await;
    server_and_ledger(&api).await;
    let seen = api.seen.lock().unwrap().clone();
    let all: BTreeSet<String> =
        api.described.operations().iter().map(|operation| operation.id.to_string()).collect();
    let never: Vec<_> = all.difference(&seen).collect();
    // The first never ends, and is looked at below; of the others only the refusal is seen: no run here waits for its
    // turn, and none is parked.
    assert_eq!(never, ["followHappenings", "resumeLine", "resumeRun"]);
}

async fn runs(api: &Api) {
    let done = api.run("plain", "completed").await;
    let shown = api.get(&format!("/api/v1/runs/{done}")).await;
    assert_eq!((&shown["run"], &shown["status"]), (&json!(done), &json!("completed")));
    let journal = api.get(&format!("/api/v1/runs/{done}/journal")).await;
    assert_eq!(
        journal["end"],
        json!({"status": "completed", "output": {"echo": {"mode": "plain"}}})
    );
    let replay = format!("/api/v1/runs/{done}/replay");
    let again = api.act("POST", &replay, &json!({}), 201).await["run"].as_str().unwrap().to_owned();
    api.world.until(&again, "completed").await;
    assert_eq!(api.get(&format!("/api/v1/runs/{again}")).await["replay_of"], done);
    let edited = json!({"new_effects": true, "input": {"x": 1}});
    let other = api.act("POST", &replay, &edited, 201).await["run"].as_str().unwrap().to_owned();
    api.world.until(&other, "completed").await;
    let refused = api.act("POST", &replay, &json!({"input": {}}), 409).await;
    assert_eq!(refused["code"], "QC-A015");

    let slow = api.run("slow", "waiting").await;
    assert!(api.get(&format!("/api/v1/runs/{slow}")).await["wake_at"].is_string());
    api.act("POST", &format!("/api/v1/runs/{slow}/cancel"), &json!({"reason": "enough"}), 204)
        .await;
    api.world.until(&slow, "cancelled").await;
    let twice =
        api.act("POST", &format!("/api/v1/runs/{slow}/cancel"), &json!({"reason": "x"}), 409).await;
    assert_eq!(twice["code"], "QC-A015");
    api.act("POST", &format!("/api/v1/runs/{slow}/cancel"), &json!({}), 422).await;

    let parked = api.run("once", "parked").await;
    api.act("POST", &format!("/api/v1/runs/{parked}/resume"), &Value::Null, 409).await;
    let resolve = format!("/api/v1/runs/{parked}/resolve");
    api.act("POST", &resolve, &json!({"resolution": "maybe"}), 422).await;
    api.act("POST", &resolve, &json!({"resolution": "applied", "output": {"ok": true}}), 204).await;
    api.world.until(&parked, "completed").await;
    api.act("POST", &resolve, &json!({"resolution": "not_applied"}), 409).await;

    let listed = api.get("/api/v1/runs?status=cancelled,completed&environment=production").await;
    assert_eq!(listed["items"].as_array().unwrap().len(), 5);
    assert_eq!(api.get("/api/v1/runs?environment=sandbox").await["items"], json!([]));
    assert_eq!(api.get("/api/v1/runs?since=2999-01-01T00:00:00Z").await["items"], json!([]));
}

async fn dead_letters(api: &Api) {
    let (first, second) = (api.run("fault", "faulted").await, api.run("fault", "faulted").await);
    let open = api.get("/api/v1/dead-letters?state=open").await;
    let runs: Vec<_> = open["items"].as_array().unwrap().iter().map(|one| &one["run"]).collect();
    assert_eq!(runs, [&json!(second), &json!(first)], "newest first");
    api.act("POST", &format!("/api/v1/dead-letters/{first}/discard"), &json!({"reason": "x"}), 204)
        .await;
    api.world.desk.mend();
    api.act("POST", &format!("/api/v1/dead-letters/{second}/retry"), &Value::Null, 204).await;
    api.world.until(&second, "completed").await;
    assert_eq!(api.get("/api/v1/dead-letters?state=open").await["items"], json!([]));
    // Nothing is ordered here: there is no line, and none goes on.
    assert_eq!(api.get("/api/v1/lines?environment=production").await["items"], json!([]));
    let line = json!({"tenant": "t", "environment": "production", "integration": "doors", "key": "k", "reason": "x"});
    let refused = api.act("POST", "/api/v1/lines/resume", &line, 404).await;
    assert_eq!(refused["code"], "QC-A023");
    let failures = api.get("/api/v1/questions/failures?last=1h&integration=doors").await;
    assert!(
        failures["groups"].as_array().unwrap().iter().any(|group| group["count"] == 2),
        "{failures}"
    );
    accounted_for(api).await;
}

/// Everything received is somewhere: seven runs of the one integration, and two that failed among them.
async fn accounted_for(api: &Api) {
    let answer = api.get("/api/v1/questions/reconciliation").await;
    assert_eq!(
        (&answer["balanced"], &answer["truncated"]),
        (&json!(true), &json!(false)),
        "{answer}"
    );
    let runs = api.get("/api/v1/runs?limit=500").await["items"].as_array().unwrap().len();
    let account = &answer["accounts"][0];
    assert_eq!(answer["accounts"].as_array().unwrap().len(), 1, "{answer}");
    assert_eq!(
        (&account["environment"], &account["integration"]),
        (&json!("production"), &json!("doors"))
    );
    assert_eq!((&account["received"], &account["replays"]), (&json!(runs), &json!(2)), "{answer}");
    let sum: u64 = ["completed", "cancelled", "failed", "running", "waiting", "parked"]
        .iter()
        .map(|name| account[name].as_u64().unwrap())
        .sum();
    assert_eq!(sum, runs as u64, "{answer}");
    assert_eq!(
        (&account["failed"], &account["open_dead_letters"]),
        (&json!(1), &json!(0)),
        "{answer}"
    );
    let other = api.get("/api/v1/questions/reconciliation?environment=sandbox").await;
    assert_eq!(
        (&other["total"]["received"], &other["accounts"]),
        (&json!(0), &json!([])),
        "{other}"
    );
}

async fn releases_and_deployments(api: &Api) {
    let files = json!({"a.txt": sign::base64(b"one"), "b/c": sign::base64(b"\0two")});
    let body = json!({"integration": "doors", "files": files, "built_from": "abc123"});
    let stored = api.act("POST", "/api/v1/releases", &body, 201).await;
    let hash = stored["release"].as_str().unwrap().to_owned();
    assert_eq!(
        api.act("POST", "/api/v1/releases", &body, 201).await,
        stored,
        "the same is the same"
    );
    assert_eq!(api.get(&format!("/api/v1/releases/{}", &hash[..8])).await, stored);
    assert_eq!(api.get(&format!("/api/v1/releases/{hash}/files")).await["files"], files);
    api.act("GET", "/api/v1/releases/00000000", &Value::Null, 404).await;
    api.act("GET", "/api/v1/releases/abc", &Value::Null, 404).await;
    let listed = api.get("/api/v1/releases?integration=doors").await;
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);

    let expecting = json!({"integration": "doors", "files": files, "expect": "0"});
    let told = api.act("POST", "/api/v1/releases", &expecting, 422).await;
    assert_eq!(told["errors"][0]["pointer"], "/expect");
    let garbled = json!({"integration": "doors", "files": {"a/b~c": "%"}});
    let told = api.act("POST", "/api/v1/releases", &garbled, 422).await;
    assert_eq!(told["errors"][0]["pointer"], "/files/a~1b~0c");
    let broken = json!({"integration": "doors", "files": {"broken": ""}});
    let told = api.act("POST", "/api/v1/releases", &broken, 422).await;
    assert_eq!(told["findings"][0]["code"], "QC-P999");

    let place = "/api/v1/deployments/production/doors";
    let before = api.get("/api/v1/deployments?environment=production").await["items"][0].clone();
    assert_eq!(before["live"], true);
    assert!(before["triggers"].as_array().unwrap().contains(&json!("/in/production/doors/json")));
    let deployed = api.act("POST", place, &json!({"release": hash}), 200).await;
    assert_eq!((&deployed["release"], &deployed["previous"]), (&json!(hash), &before["release"]));
    let run = api.world.send("json", "{}").await.run();
    assert_eq!(api.get(&format!("/api/v1/runs/{run}")).await["release"], hash);
    let back = api.act("POST", &format!("{place}/rollback"), &Value::Null, 200).await;
    assert_eq!(back["release"], before["release"]);
    api.act("POST", &format!("{place}/rollback"), &Value::Null, 409).await;
    api.act("POST", "/api/v1/deployments/staging/doors/rollback", &Value::Null, 404).await;
    api.act("POST", "/api/v1/deployments/Not%20a%20name/doors", &json!({"release": hash}), 400)
        .await;
    let history = api.get(&format!("{place}/history")).await;
    let told: Vec<_> = history["items"].as_array().unwrap().iter().map(|one| &one["how"]).collect();
    assert_eq!(told, ["deployed", "deployed", "rolled_back"]);
    let later = api.get(&format!("{place}/history?after=2")).await;
    assert_eq!(later["items"].as_array().unwrap().len(), 1);
}

async fn tokens(api: &Api) {
    let body = json!({"name": "ci", "role": "deployer", "environment": "sandbox", "lifetime": "1h",
        "scopes": ["sandbox/deployments/doors:write"]});
    let made = api.act("POST", "/api/v1/tokens", &body, 201).await;
    let id = made["token"]["id"].as_str().unwrap();
    assert!(made["secret"].as_str().unwrap().starts_with("qc_sandbox_"));
    let listed = api.get("/api/v1/tokens").await;
    assert!(listed["items"].as_array().unwrap().contains(&made["token"]));
    assert!(!listed.to_string().contains(made["secret"].as_str().unwrap()));
    api.act("DELETE", &format!("/api/v1/tokens/{id}"), &Value::Null, 204).await;
    api.act("DELETE", &format!("/api/v1/tokens/{id}"), &Value::Null, 404).await;
    let endless = json!({"name": "x", "role": "admin", "lifetime": "999999999999h"});
    let told = api.act("POST", "/api/v1/tokens", &endless, 422).await;
    assert_eq!(told["errors"][0]["pointer"], "/lifetime");
}

async fn events_and_schedules(api: &Api) {
    let body = r#"{"order":7}"#;
    let published = api.world.send("published", body).await;
    assert_eq!(published.status, 202);
    let event = published.json()["event"].as_str().unwrap().to_owned();
    let events = api.get("/api/v1/events?environment=production&type=test").await;
    let [one] = &events["items"].as_array().unwrap()[..] else { panic!("{events}") };
    assert_eq!((&one["event"]["id"], &one["event"]["data"]), (&json!(event), &json!({"order": 7})));
    assert_eq!(one["run"], Value::Null, "nobody but its sender published it");
    let after = format!("/api/v1/events?after={}", events["next"].as_str().unwrap());
    assert_eq!(api.get(&after).await["items"], json!([]));
    assert_eq!(api.get("/api/v1/events?tenant=other").await["items"], json!([]));
    let types = api.get("/api/v1/event-types?environment=production").await;
    let wanted = json!({"type": "test", "role": "publishes", "environment": "production",
        "integration": "doors", "place": "trigger published"});
    assert!(types["items"].as_array().unwrap().contains(&wanted), "{types}");

    let schedule =
        async || api.get("/api/v1/schedules?integration=doors").await["items"][0].clone();
    let before = schedule().await;
    assert_eq!((&before["trigger"], &before["plan"]), (&json!("hourly"), &json!("every 1h")));
    assert!(before["next"].is_string() && before["paused"].is_null(), "{before}");
    let place = "/api/v1/schedules/production/doors";
    api.act("POST", &format!("{place}/hourly/pause"), &Value::Null, 204).await;
    let paused = schedule().await;
    assert!(paused["next"].is_null() && paused["paused"].is_string(), "{paused}");
    api.act("POST", &format!("{place}/hourly/resume"), &Value::Null, 204).await;
    assert!(schedule().await["next"].is_string());
    api.act("POST", &format!("{place}/none/pause"), &Value::Null, 404).await;
}

async fn server_and_ledger(api: &Api) {
    let server = api.get("/api/v1/server").await;
    assert_eq!((&server["ready"], &server["stuck"]), (&json!(true), &json!(0)));
    assert_eq!(api.get("/api/v1/openapi.json").await["openapi"], "3.1.0");
    let metrics = api.raw("GET", "/metrics", None).await;
    assert!(metrics.body.ends_with(b"# EOF\n"));
    let audit = api.get("/api/v1/ledger?kind=audit&limit=500").await;
    let outcomes: BTreeSet<&str> = audit["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|line| line["outcome"].as_str())
        .collect();
    for outcome in
        ["built", "deployed", "rolled_back", "issued", "revoked", "run.cancel", "dlq.discard"]
    {
        assert!(outcomes.contains(outcome), "{outcome}: {outcomes:?}");
    }
}

#[tokio::test]
async fn pages_neither_skip_nor_repeat_while_more_comes_in() {
    let api = Api::new().await;
    let mut before = Vec::new();
    for n in 0..25 {
        before.push(api.world.send("json", format!(r#"{{"n":{n}}}"#)).await.run());
    }
    for run in &before {
        api.world.until(run, "completed").await;
    }
    let (mut seen, mut path) = (Vec::new(), "/api/v1/runs?limit=4".to_owned());
    loop {
        let page = api.get(&path).await;
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 4);
        seen.extend(items.iter().map(|item| item["run"].as_str().unwrap().to_owned()));
        api.world.send("json", "{}").await.run();
        match page["next"].as_str() {
            Some(next) => path = format!("/api/v1/runs?limit=4&before={next}"),
            None => break,
        }
    }
    assert!(seen.windows(2).all(|pair| pair[0] > pair[1]), "newest first: {seen:?}");
    // Ids of one millisecond are in no order of arrival: what came meanwhile may stand among them.
    before.retain(|run| !seen.contains(run));
    assert!(before.is_empty(), "skipped: {before:?}");

    let (mut rows, mut path) = (Vec::new(), "/api/v1/ledger?limit=7".to_owned());
    for _ in 0..100 {
        let page = api.get(&path).await;
        let items = page["items"].as_array().unwrap();
        rows.extend(items.iter().map(|item| item["seq"].as_u64().unwrap()));
        match page["next"].as_str() {
            Some(next) => path = format!("/api/v1/ledger?limit=7&after={next}"),
            None => break,
        }
    }
    assert!(rows.windows(2).all(|pair| pair[0] < pair[1]), "{rows:?}");
    assert!(rows.len() > 50);

    let mut names = BTreeSet::new();
    for n in 0..9 {
        api.act(
            "POST",
            "/api/v1/tokens",
            &json!({"name": format!("t{n}"), "role": "runtime"}),
            201,
        )
        .await;
        let files = json!({"n": sign::base64(&[n])});
        api.act("POST", "/api/v1/releases", &json!({"integration": "doors", "files": files}), 201)
            .await;
    }
    let mut path = "/api/v1/tokens?limit=3".to_owned();
    while let page = api.get(&path).await
        && let Some(next) = page["next"].as_str()
    {
        for item in page["items"].as_array().unwrap() {
            assert!(names.insert(item["id"].as_str().unwrap().to_owned()));
        }
        path = format!("/api/v1/tokens?limit=3&after={next}");
    }
    assert!(names.len() >= 9);
    let (mut hashes, mut path) = (BTreeSet::new(), "/api/v1/releases?limit=3".to_owned());
    loop {
        let page = api.get(&path).await;
        for item in page["items"].as_array().unwrap() {
            assert!(hashes.insert(item["release"].as_str().unwrap().to_owned()));
        }
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/api/v1/releases?limit=3&before={next}");
    }
    assert_eq!(hashes.len(), 10, "a list that is cut off says where it goes on");
}

#[tokio::test]
async fn what_happens_can_be_followed() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let api = Api::new().await;
    let mut stream = tokio::net::TcpStream::connect(api.world.address).await.unwrap();
    let ask = Ask::get("/api/v1/happenings").token(&api.world.admin);
    stream.write_all(&ask.bytes()).await.unwrap();
    let mut heard = String::new();
    let mut piece = [0; 4096];
    let head = stream.read(&mut piece).await.unwrap();
    heard.push_str(std::str::from_utf8(&piece[..head]).unwrap());
    assert!(heard.contains("application/x-ndjson"), "{heard}");
    let run = api.world.send("json", r#"{"a":"private"}"#).await.run();
    while !heard.contains("ended") {
        let count = stream.read(&mut piece).await.unwrap();
        assert!(count > 0, "{heard}");
        heard.push_str(std::str::from_utf8(&piece[..count]).unwrap());
    }
    assert!(
        heard.contains(&run) && heard.contains("accepted") && !heard.contains("private"),
        "{heard}"
    );
}
