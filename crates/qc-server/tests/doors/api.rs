//! The management API against its own committed description: every answer that comes here is held to it.

use std::collections::BTreeSet;

use qc_access::Role;
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
        Self::of(World::new().await)
    }

    pub(crate) fn of(world: World) -> Self {
        Self { world, described: described(), seen: std::sync::Mutex::default() }
    }

    async fn raw(&self, method: &str, path: &str, body: Option<&Value>) -> Reply {
        self.raw_as(&self.world.owner, method, path, body).await
    }

    async fn raw_as(&self, token: &str, method: &str, path: &str, body: Option<&Value>) -> Reply {
        let mut ask = Ask::new(method, path).token(token);
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

    /// Does something as the holder of another token.
    pub(crate) async fn act_as(
        &self,
        token: &str,
        method: &str,
        path: &str,
        body: &Value,
        status: u16,
    ) -> Value {
        let body = Some(body).filter(|body| !body.is_null());
        let reply = self.raw_as(token, method, path, body).await;
        assert_eq!(reply.status, status, "{path}: {}", String::from_utf8_lossy(&reply.body));
        if reply.body.is_empty() { Value::Null } else { reply.json() }
    }

    pub(crate) async fn run(&self, mode: &str, status: &str) -> String {
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
    triggers(&api).await;
    groups_of_failures(&api).await;
    crate::drifted::operations(&api).await;
    crate::used::operations(&api).await;
    bulks(&api).await;
    releases_and_deployments(&api).await;
    crate::rehearsals::operations(&api).await;
    state(&api).await;
    crossrefs(&api).await;
    crate::tasks::people(&api).await;
    tokens(&api).await;
    crate::secrets::secrets(&api).await;
    crate::drops::links(&api).await;
    crate::rights::rights(&api).await;
    crate::approvals::approvals(&api).await;
    crate::captures::operations(&api).await;
    subjects(&api).await;
    crate::connected::operations(&api).await;
    crate::identity::clients(&api).await;
    crate::people::operations(&api).await;
    events_and_schedules(&api).await;
    server_and_ledger(&api).await;
    crate::audited::every_change_left_what_the_audit_needs(&api).await;
    let seen = api.seen.lock().unwrap().clone();
    let all: BTreeSet<String> =
        api.described.operations().iter().map(|operation| operation.id.to_string()).collect();
    let never: Vec<_> = all.difference(&seen).collect();
    // One never ends, and is looked at below; one takes a day that is to come, and is looked at in `used`; of the others
    // only the refusal is seen: no run here waits for its turn, and none is parked.
    let known = ["discardLine", "endVersion", "followHappenings", "resumeLine", "skipLine"];
    assert_eq!(never, known);
}

/// Of a person about whom nothing is stored; what is found of one is a story of the whole program.
async fn subjects(api: &Api) {
    let of = |subject: &str, reason: &str| {
        json!({
            "environment": "production", "tenant": "default", "subject": subject, "reason": reason,
        })
    };
    let (export, erase) = ("/api/v1/subjects/export", "/api/v1/subjects/erase");
    let archive = api.act("POST", export, &of("nobody@example.com", "a test"), 200).await;
    assert_eq!((&archive["runs"], &archive["truncated"]), (&json!([]), &json!(false)));
    let erased = api.act("POST", erase, &of("nobody@example.com", "a test"), 200).await;
    assert_eq!((&erased["runs"], &erased["open"]), (&json!(0), &json!([])));
    api.act("POST", erase, &of("a", "a test"), 422).await;
    api.act("POST", export, &of("nobody@example.com", ""), 422).await;
    let operator = api.world.token(None, Role::Operator, None).await;
    let refused =
        api.act_as(&operator, "POST", erase, &of("nobody@example.com", "a test"), 403).await;
    assert_eq!(refused["status"], 403, "production takes a right for a time");
}

async fn state(api: &Api) {
    let of = |more: &Value| {
        let mut whole = json!({
            "tenant": "default", "environment": "production", "integration": "doors", "state": "notes",
        });
        let more = more.as_object().unwrap().clone();
        whole.as_object_mut().unwrap().extend(more);
        whole
    };
    let set = "/api/v1/state/set";
    let first = of(&json!({"key": "a/b", "value": {"n": 1}, "expect": "absent"}));
    let revision = api.act("POST", set, &first, 200).await["revision"].clone();
    let refused = api.act("POST", set, &first, 409).await;
    assert_eq!(refused["code"], "QC-R040");
    assert!(refused["detail"].to_string().contains(&revision.to_string()), "{refused}");
    let unknown = of(&json!({"key": "a", "state": "nots"}));
    assert_eq!(api.act("POST", set, &unknown, 404).await["code"], "QC-R048");
    let listed = "/api/v1/state?environment=production&integration=doors&state=notes";
    let page = api.get(listed).await;
    assert_eq!(
        (&page["items"][0]["key"], &page["items"][0]["value"]["n"]),
        (&json!("a/b"), &json!(1))
    );
    assert_eq!(api.get(&format!("{listed}&key=a%2Fb")).await["items"], page["items"]);
    assert_eq!(api.get(&format!("{listed}&tenant=other")).await["items"], json!([]));
    let gone = of(&json!({"key": "a/b", "expect": revision}));
    assert_eq!(api.act("POST", "/api/v1/state/delete", &gone, 200).await["removed"], true);
    assert_eq!(
        api.act("POST", "/api/v1/state/delete", &of(&json!({"key": "a/b"})), 200).await["removed"],
        false
    );
    assert_eq!(api.get(listed).await["items"], json!([]));
    let audit = api.get("/api/v1/ledger?kind=audit&limit=500").await;
    assert!(audit["items"].to_string().contains("state.put"), "{audit}");
}

async fn crossrefs(api: &Api) {
    let of = |links: &Value, plan: bool| {
        json!({
            "tenant": "default", "environment": "production", "integration": "doors",
            "table": "people", "links": links, "plan": plan,
        })
    };
    let link = "/api/v1/crossrefs/link";
    let both = json!([{"crm": "1", "erp": "a"}, {"crm": "2", "erp": "b"}, {"crm": "3", "x": "c"}]);
    let planned = api.act("POST", link, &of(&both, true), 200).await;
    let listed = "/api/v1/crossrefs?environment=production&integration=doors&table=people";
    assert_eq!(api.get(listed).await["items"], json!([]), "a plan writes nothing");
    let done = api.act("POST", link, &of(&both, false), 200).await;
    assert_eq!(planned, done);
    assert_eq!((&done["new"], &done["refused"][0]["number"]), (&json!(2), &json!(2)));
    let again = api
        .act(
            "POST",
            link,
            &of(&json!([{"crm": "1", "erp": "a"}, {"crm": 1, "erp": "b"}]), false),
            200,
        )
        .await;
    assert_eq!((&again["same"], &again["refused"][0]["number"]), (&json!(1), &json!(1)));
    assert_eq!(api.get(&format!("{listed}&limit=1")).await["next"], "1");
    let found = api.get(&format!("{listed}&system=erp&id=b")).await;
    assert_eq!(found["items"][0]["ids"], json!({"crm": "2", "erp": "b"}));
    let end = json!({
        "tenant": "default", "environment": "production", "integration": "doors",
        "table": "people", "ids": {"erp": "b"},
    });
    assert_eq!(api.act("POST", "/api/v1/crossrefs/unlink", &end, 200).await["removed"], true);
    assert_eq!(api.get(listed).await["items"].as_array().unwrap().len(), 1);
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
    // Whoever reads why learns where it is explained, at which hop it failed, and whom to ask.
    let journal = api.get(&format!("/api/v1/runs/{parked}/journal")).await["journal"].clone();
    let entry = journal.as_array().unwrap().iter().find(|entry| entry["what"] == "parked").unwrap();
    let told = |key: &str| entry["failure"][key].as_str().unwrap_or_default().to_owned();
    assert_eq!(told("page").rsplit('/').next(), Some("QC-R002"), "{entry}");
    assert_eq!(
        (told("hop"), told("owner"), told("contact")),
        ("ours".to_owned(), "team-desk".to_owned(), "desk@example.test".to_owned())
    );
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

#[tokio::test]
async fn a_run_is_found_by_what_its_sender_called_it() {
    let api = Api::new().await;
    let ask = Ask::post(&crate::world::door("json"), r#"{"order":"4711"}"#)
        .header("x-correlation-id", "corr-1")
        .header("x-request-id", "req-2")
        .header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    let run = api.world.ask(ask).await.run();
    let other = api.world.send("json", r#"{"order":"4712"}"#).await.run();
    api.world.until(&run, "completed").await;
    let shown = api.get(&format!("/api/v1/runs/{run}")).await;
    let keys = json!({"correlation_id": ["corr-1"], "order": ["4711"], "request_id": ["req-2"]});
    assert_eq!((&shown["keys"], shown["trace"].as_str().map(str::len)), (&keys, Some(32)));
    assert_eq!(api.get(&format!("/api/v1/runs/{run}/journal")).await["run"]["keys"], keys);
    let event = shown["event"].as_str().unwrap().to_owned();
    for query in [
        "key=order%3D4711",
        "value=corr-1",
        "find=4711",
        "find=req-2&environment=production",
        "find=0af7651916cd43dd8448eb211c80319c",
        "trace=0af7651916cd43dd8448eb211c80319c",
        &format!("find={event}"),
        &format!("event={event}"),
        &format!("find={run}&integration=doors"),
    ] {
        let items = api.get(&format!("/api/v1/runs?{query}")).await["items"].clone();
        let runs: Vec<_> = items.as_array().unwrap().iter().map(|one| &one["run"]).collect();
        assert_eq!(runs, [&json!(run)], "{query}");
    }
    let all = api.get("/api/v1/runs?trigger=json&until=2999-01-01T00:00:00Z").await;
    assert_eq!(all["items"].as_array().unwrap().len(), 2, "{other}: {all}");
    for query in ["key=order", "find=%20", "find=x&status=running", "event=1"] {
        api.act("GET", &format!("/api/v1/runs?{query}"), &Value::Null, 400).await;
    }
}

async fn dead_letters(api: &Api) {
    let (first, second) = (api.run("fault", "faulted").await, api.run("fault", "faulted").await);
    let open = api.get("/api/v1/dead-letters?state=open").await;
    let runs: Vec<_> = open["items"].as_array().unwrap().iter().map(|one| &one["run"]).collect();
    assert_eq!(runs, [&json!(second), &json!(first)], "newest first");
    api.act("POST", &format!("/api/v1/dead-letters/{first}/discard"), &json!({"reason": "x"}), 204)
        .await;
    api.world.desk.mend();
    let retry = format!("/api/v1/dead-letters/{second}/retry");
    api.act("POST", &retry, &json!({"release": "oldest"}), 422).await;
    api.act("POST", &retry, &json!({"release": "newest"}), 204).await;
    api.world.until(&second, "completed").await;
    assert_eq!(api.get("/api/v1/dead-letters?state=open").await["items"], json!([]));
    // Nothing is limited here.
    assert_eq!(api.get("/api/v1/limits").await["items"], json!([]));
    assert_eq!(api.get("/api/v1/limits/near").await["items"], json!([]));
    let outbound = api.get("/api/v1/limits/outbound").await;
    let called = |environment: &str, name: &str| {
        let items = outbound["items"].as_array().unwrap();
        let found =
            items.iter().find(|one| one["environment"] == environment && one["name"] == name);
        found.unwrap_or_else(|| panic!("{outbound}"))["called"].clone()
    };
    assert_eq!(
        (called("production", "desk"), called("production", "crm")),
        (json!(true), json!(false))
    );
    assert_eq!(called("sandbox", "desk"), json!(false));
    assert_eq!(api.get("/api/v1/limits/traffic").await["items"][0]["minute"], json!(0));
    // Nothing is ordered here: there is no line, and none goes on.
    assert_eq!(api.get("/api/v1/lines?environment=production").await["items"], json!([]));
    let line = json!({"tenant": "t", "environment": "production", "integration": "doors", "key": "k", "reason": "x"});
    let refused = api.act("POST", "/api/v1/lines/resume", &line, 404).await;
    assert_eq!(refused["code"], "QC-A023");
    let refused = api.act("POST", "/api/v1/lines/skip", &line, 404).await;
    assert_eq!(refused["code"], "QC-A023");
    let refused = api.act("POST", "/api/v1/lines/discard", &line, 404).await;
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

async fn triggers(api: &Api) {
    let which = json!({"environment": "production", "integration": "doors", "trigger": "json", "reason": "a test"});
    let state = async || {
        let all = api.get("/api/v1/triggers?environment=production&integration=doors").await;
        let all = all["items"].as_array().unwrap().clone();
        let json = all.iter().find(|one| one["trigger"] == "json").unwrap().clone();
        (json["state"].clone(), json["held"].clone())
    };
    assert_eq!(state().await, (json!("open"), json!(0)));
    let early = api.act("POST", "/api/v1/triggers/resume", &which, 409).await;
    assert_eq!(early["code"], "QC-I034");
    let paused = api.act("POST", "/api/v1/triggers/pause", &which, 200).await;
    assert_eq!((&paused["state"], &paused["reason"]), (&json!("paused"), &json!("a test")));
    let first = api.run("plain", "waiting").await;
    assert_eq!(api.get(&format!("/api/v1/runs/{first}")).await["cause"], "held");
    let second = api.run("plain", "waiting").await;
    assert_eq!(state().await, (json!("paused"), json!(2)));
    let plan = api.act("POST", "/api/v1/triggers/discard", &which, 200).await;
    assert_eq!((&plan["done"], &plan["runs"]), (&json!(false), &json!(2)));
    assert_eq!(state().await.1, json!(2), "a plan does nothing");
    let mut confirmed = which.clone();
    confirmed["confirm"] = json!("1-wrong");
    let wrong = api.act("POST", "/api/v1/triggers/discard", &confirmed, 409).await;
    assert_eq!(wrong["code"], "QC-I034");
    confirmed["confirm"] = plan["confirm"].clone();
    let done = api.act("POST", "/api/v1/triggers/discard", &confirmed, 200).await;
    assert_eq!(done["done"], true);
    for run in [&first, &second] {
        api.world.until(run, "cancelled").await;
    }
    let third = api.run("plain", "waiting").await;
    while state().await.0 != "paused" {
        tokio::task::yield_now().await;
    }
    let released = api.act("POST", "/api/v1/triggers/resume", &which, 200).await;
    let now = released["state"].as_str().unwrap();
    assert!(["releasing", "open"].contains(&now), "{released}");
    api.world.until(&third, "completed").await;
    // What comes before that is held behind them.
    while state().await.0 != "open" {
        tokio::task::yield_now().await;
    }
    let other = json!({"environment": "production", "integration": "doors", "trigger": "none", "reason": "x"});
    let none = api.act("POST", "/api/v1/triggers/pause", &other, 404).await;
    assert_eq!(none["code"], "QC-I033");
    let odd = json!({"environment": "production", "integration": "doors", "trigger": "No Name", "reason": "x"});
    api.act("POST", "/api/v1/triggers/pause", &odd, 422).await;
}

async fn groups_of_failures(api: &Api) {
    // Those of the test before: one is discarded, one went on.
    assert_eq!(api.get("/api/v1/failures").await["items"], json!([]));
    let all = api.get("/api/v1/failures?state=settled&integration=doors").await;
    let group = all["items"][0].clone();
    assert_eq!(
        (&group["state"], &group["open"], &group["total"]),
        (&json!("settled"), &json!(0), &json!(2))
    );
    assert_eq!(group["owner"], "team-doors");
    let place = format!("/api/v1/failures/{}", group["group"].as_str().unwrap());
    api.world.desk.tear();
    api.run("fault", "faulted").await;
    let known =
        api.act("POST", &format!("{place}/acknowledge"), &json!({"note": "I look"}), 200).await;
    assert_eq!(
        (&known["state"], &known["said"][0]["note"]),
        (&json!("acknowledged"), &json!("I look"))
    );
    let mute = format!("{place}/mute");
    for unusable in
        [json!({}), json!({"for": "1h", "until": "2999-01-01T00:00:00Z"}), json!({"for": "soon"})]
    {
        assert_eq!(api.act("POST", &mute, &unusable, 422).await["code"], "QC-A012");
    }
    for outside in [json!({"until": "2999-01-01T00:00:00Z"}), json!({"for": "31d"})] {
        assert_eq!(api.act("POST", &mute, &outside, 422).await["code"], "QC-I024");
    }
    let muted = api.act("POST", &mute, &json!({"for": "2h"}), 200).await;
    assert_eq!((&muted["state"], &muted["said"][1]["word"]), (&json!("muted"), &json!("mute")));
    assert_eq!(api.get("/api/v1/failures").await["items"], json!([]));
    let opened = api.act("POST", &format!("{place}/reopen"), &Value::Null, 200).await;
    assert_eq!(opened["state"], "open");
    api.act("POST", &format!("{place}/resolve"), &json!({}), 200).await;
    api.run("fault", "faulted").await;
    let back = api.get(&place).await;
    assert_eq!((&back["state"], &back["open"]), (&json!("regressed"), &json!(2)));
    assert_eq!(api.get("/api/v1/failures?code=QC-X1").await["items"], json!([]));
    let none = api.act("GET", "/api/v1/failures/0123456789abcdef", &Value::Null, 404).await;
    assert_eq!(none["code"], "QC-I023");
    api.act("GET", "/api/v1/failures?state=lost", &Value::Null, 400).await;
    api.world.desk.mend();
}

async fn bulks(api: &Api) {
    // Two dead letters are open, and the desk is mended.
    let plan = async |body: Value, status| api.act("POST", "/api/v1/bulks", &body, status).await;
    let reason = "the desk is back";
    let told = plan(json!({"deed": "retry", "reason": reason}), 422).await;
    assert_eq!(told["code"], "QC-I026", "an empty filter takes everything");
    let told = plan(json!({"deed": "love", "reason": reason, "integration": "doors"}), 422).await;
    assert_eq!(told["errors"][0]["pointer"], "/deed");
    for (pointer, wrong) in [
        ("/key", json!({"key": "order"})),
        ("/since", json!({"since": "today"})),
        ("/statuses", json!({"statuses": ["lost"]})),
        ("/event", json!({"event": "evt_1"})),
    ] {
        let mut body = json!({"deed": "replay", "reason": reason, "integration": "doors"});
        body.as_object_mut().unwrap().extend(wrong.as_object().unwrap().clone());
        assert_eq!(plan(body, 422).await["errors"][0]["pointer"], pointer);
    }
    let groups = api.get("/api/v1/failures?state=regressed").await;
    let group = groups["items"][0]["group"].as_str().unwrap().to_owned();
    let elsewhere =
        json!({"deed": "retry", "reason": reason, "group": group, "environment": "sandbox"});
    assert_eq!(plan(elsewhere, 422).await["errors"][0]["pointer"], "/group");
    let planned = plan(json!({"deed": "retry", "reason": reason, "group": group}), 201).await;
    assert_eq!((&planned["total"], &planned["state"]), (&json!(2), &json!("planned")));
    assert_eq!(planned["by_integration"], json!({"production/doors": 2}));
    let place = format!("/api/v1/bulks/{}", planned["bulk"].as_str().unwrap());
    assert_eq!(api.get(&place).await, planned);
    let start = format!("{place}/start");
    assert_eq!(api.act("POST", &start, &json!({"digest": "0"}), 409).await["code"], "QC-I029");
    assert_eq!(api.act("POST", &start, &json!({"rate": 0}), 422).await["code"], "QC-I026");
    let started =
        api.act("POST", &start, &json!({"rate": 50, "digest": planned["digest"]}), 200).await;
    assert_eq!((&started["state"], &started["rate"]), (&json!("running"), &json!(50)));
    for run in planned["sample"].as_array().unwrap() {
        api.world.until(run.as_str().unwrap(), "completed").await;
    }
    let none =
        plan(json!({"deed": "discard", "reason": reason, "integration": "doors"}), 201).await;
    assert_eq!(none["total"], 0);
    let abort = format!("/api/v1/bulks/{}/abort", none["bulk"].as_str().unwrap());
    let stopped = api.act("POST", &abort, &json!({"reason": "nothing to do"}), 200).await;
    assert_eq!(stopped["state"], "aborted");
    assert!(stopped["aborted"].as_str().unwrap().ends_with(": nothing to do"));
    let listed = api.get("/api/v1/bulks?integration=doors&limit=1").await;
    assert_eq!(listed["items"][0]["bulk"], none["bulk"], "newest first");
    let rest = api.get(&format!("/api/v1/bulks?before={}", listed["next"].as_str().unwrap())).await;
    assert_eq!(rest["items"][0]["bulk"], planned["bulk"]);
    let unknown = "/api/v1/bulks/blk_00000000000000000000000001";
    assert_eq!(api.act("GET", unknown, &Value::Null, 404).await["code"], "QC-I028");
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
    let judged = api.get(&format!("{place}/gate?release={hash}")).await;
    assert_eq!((&judged["is_first"], &judged["holds"]), (&json!(true), &json!(false)));
    let again = json!({"release": hash, "reason": "nothing holds it"});
    api.act("POST", &format!("{place}/override"), &again, 200).await;
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
    crate::reviews::operations(api, id).await;
    crate::keys::rotation(api, id, made["secret"].as_str().unwrap()).await;
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
    let ask = Ask::get("/api/v1/happenings").token(&api.world.owner);
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
