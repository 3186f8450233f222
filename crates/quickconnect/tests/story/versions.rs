//! With `--json` every verb's result has its `schema_version`, and a list says that there is more only when there is.

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    drifted::{SHOTS, VET, drifted},
    replayed::replayed,
    stage::{project::replace, server::Server},
};

/// How long anything here may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Verbs without a result of their own: they print a script or a schema, or serve. `simulate`, `demo` and `login` are looked
/// at where their stories are told.
const WITHOUT: [&str; 8] =
    ["completions", "schema", "access schema", "serve", "dev", "simulate", "demo", "login"];

/// Every verb that does something, by the program's help.
fn verbs(server: &Server, above: &[&str]) -> BTreeSet<String> {
    let help = server.well(&[above, &["--help"]].concat());
    let below = help.split_once("Commands:\n").map_or("", |(_, below)| below);
    let names: Vec<&str> = below
        .lines()
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    if names.is_empty() {
        return BTreeSet::from([above.join(" ")]);
    }
    names.into_iter().flat_map(|name| verbs(server, &[above, &[name]].concat())).collect()
}

/// Asks for a verb's JSON; it must go well and have its version.
pub(crate) struct Asked<'a> {
    pub(crate) server: &'a Server,
    seen: BTreeSet<String>,
}

impl Asked<'_> {
    pub(crate) fn told(&mut self, verb: &str, rest: &[&str]) -> Value {
        let words: Vec<&str> = verb.split(' ').chain(rest.iter().copied()).collect();
        let told = self.server.told(&words);
        assert_eq!(told["schema_version"], json!(1), "qc {verb}: {told}");
        self.seen.insert(verb.to_owned());
        told
    }

    /// Sends an event of this id; its run, once it has this status.
    pub(crate) fn run(&mut self, id: &str, status: &str) -> String {
        fs::write(self.server.folder.join("event.json"), json!({"id": id}).to_string()).unwrap();
        let sent =
            self.told("trigger", &["sandbox", "orders/orders", "--data", "event.json", "--low"]);
        let run = sent["answer"]["run"].as_str().unwrap().to_owned();
        self.until(id, status);
        assert_eq!(self.told("runs show", &[&run])["run"]["priority"], "low", "{run}");
        run
    }

    /// Waits until the run of this event has this status.
    pub(crate) fn until(&mut self, id: &str, status: &str) {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            let found = self.told("runs list", &["--subject", id, "--status", status]);
            if found["items"].as_array().is_some_and(|runs| !runs.is_empty()) {
                return;
            }
        }
        panic!("{id} is never {status}:\n{}", self.server.well(&["runs", "list"]));
    }
}

/// A till that takes what it is sent and hangs up without an answer; for `/barred` it knows nobody, and for `/token` it
/// gives tokens.
fn till() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut caller in listener.incoming().map_while(Result::ok) {
            let mut begin = [0; 4096];
            let count = caller.read(&mut begin).unwrap_or(0);
            if String::from_utf8_lossy(&begin[..count]).contains("/barred") {
                let refusal =
                    b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                drop(caller.write_all(refusal));
            }
            if String::from_utf8_lossy(&begin[..count]).contains("POST /shots") {
                // Not what the contract says any more: its `id` has another name, and its `dose` is a text.
                let shot = r#"{"shot_id":"s1","dose":"2.5"}"#;
                let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nsunset: Sun, 30 Jun 2030 23:59:59 GMT\r\n";
                let end =
                    format!("content-length: {}\r\nconnection: close\r\n\r\n{shot}", shot.len());
                drop(caller.write_all((head.to_owned() + &end).as_bytes()));
            }
            if String::from_utf8_lossy(&begin[..count]).contains("GET /shots/last") {
                let last = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 8\r\nconnection: close\r\n\r\n{\"id\":7}";
                drop(caller.write_all(last));
            }
            if String::from_utf8_lossy(&begin[..count]).contains("GET /pets") {
                let pets = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n[]";
                drop(caller.write_all(pets));
            }
            if String::from_utf8_lossy(&begin[..count]).contains("/token") {
                let tokens =
                    r#"{"access_token":"a-token","refresh_token":"r-token","expires_in":900}"#;
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n", tokens.len());
                let answer = format!("{head}connection: close\r\n\r\n{tokens}");
                drop(caller.write_all(answer.as_bytes()));
            }
        }
    });
    port
}

const WORKFLOW: &str = r#"
document: { dsl: "1.0.3", namespace: example, name: orders, version: "0.1.0" }
do:
  - refuse:
      if: ${ .id | startswith("bad") }
      raise:
        error: { type: https://open-workflow-specification.org/dsl/errors/types/validation, status: 400, title: Refused }
  - ask:
      if: ${ .id | startswith("barred") }
      call: http
      with: { method: post, endpoint: "http://127.0.0.1:PORT/barred", body: {} }
  - approve: { if: '${ .id | startswith("approve") }', call: human.approve, with: { title: Pay?, of: { id: '${ .id }' }, assignee: me } }
  - choose: { if: '${ .id == "choose" }', call: human.choose, with: { title: Which?, options: [a, { id: b, title: The b }], assignee: operations } }
  - fill: { if: '${ .id == "fill" }', call: human.fill, with: { title: How many?, schema: { type: object, required: [n] } } }
  - note:
      if: ${ .id == "doubtful" }
      fork:
        branches:
          - one: { call: http, with: { method: post, endpoint: "http://127.0.0.1:PORT/cut", body: { n: 1 } } }
          - other: { call: http, with: { method: post, endpoint: "http://127.0.0.1:PORT/cut", body: { n: 2 } } }
  - pets: { if: '${ (.id? // "") == "pets" }', call: pets.listPets, with: {} }
  - last: { if: '${ (.id? // "") == "nobody asks" }', call: vet.lastShot, with: {} }
  - shot: { if: '${ (.id? // "") | tostring | startswith("shot") }', call: vet.giveShot, with: {} }
"#;

const RULES: &str = "escalation:
  - {to: operations, after: 0s}

systems:
  till: {direction: outbound, criticality: low, owner: operations, on_unavailable: {queue: {ttl: 24h}}, hosts: [127.0.0.1]}
  vet: {direction: outbound, criticality: low, owner: operations, on_unavailable: fail}
  pets: {direction: outbound, criticality: low, owner: operations, on_unavailable: fail}
  shop: {direction: inbound, criticality: low, owner: operations, on_unavailable: fail}

lifecycle_events: true
state: {notes: {}}
crossrefs: {people: {between: [till, shop]}}

tasks:
  one: {effect: once, retry: {attempts: 1}}
  other: {effect: once, retry: {attempts: 1}}
  ask: {effect: once, retry: {attempts: 1}}

ordering: {key: .data.id}
";

const OPENAPI: &str = "
openapi: 3.1.0
info: { title: Pets, version: 1.0.0 }
servers: [{ url: https://pets.example }]
paths:
  /pets: { get: { operationId: listPets, responses: { '200': { description: ok } } } }
";

/// Pets behind an account.
const PETS: &str = "
name: pets
version: 1.0.0
title: Pets
openapi: openapi.yaml
base_urls:
  sandbox: http://127.0.0.1:PORT
  staging: http://127.0.0.1:PORT
  production: http://127.0.0.1:PORT
auth:
  oauth2_authorization_code:
    authorization_url: http://127.0.0.1:PORT/authorize
    token_url: http://127.0.0.1:PORT/token
    redirect_uri: http://qc.example/connect/callback
    client_id: qc
    client_secret: secret://pets/client
    scopes: [pets]
    probe: { operation: listPets }
";

const VERSIONS: &str = "
versions:
  1.0.0: { contract: contracts/orders.schema.json, deprecated: 2024-01-01, sunset: 2025-01-01 }
  2.0.0: { contract: contracts/orders.schema.json }
";

/// A project made by the program's own verbs, whose one integration calls the till.
fn project(asked: &mut Asked<'_>) {
    asked.told("init", &["mine", "--template", "notify"]);
    fs::write(asked.server.folder.join("pets.yaml"), OPENAPI).unwrap();
    asked.told("new connector", &["pets", "--openapi", "pets.yaml", "--folder", "mine"]);
    fs::write(asked.server.folder.join("vet.yaml"), SHOTS).unwrap();
    asked.told("new connector", &["vet", "--openapi", "vet.yaml", "--folder", "mine"]);
    asked.told("new integration", &["orders", "--folder", "mine"]);
    asked.told("test", &["mine", "--integration", "notify"]);
    let notify = asked.server.folder.join("mine/integrations/notify/integration.yaml");
    replace(&notify, "    tenant: ", "    expected_rate: 1/s\n    tenant: ");
    asked.told("loadtest", &["notify", "--folder", "mine", "--seconds", "1"]);
    let orders = asked.server.folder.join("mine/integrations/orders");
    let port = till().to_string();
    let workflow = WORKFLOW.replace("PORT", &port);
    let pets = asked.server.folder.join("mine/connectors/pets/connector.yaml");
    fs::write(pets, PETS.replace("PORT", &port)).unwrap();
    let vet = asked.server.folder.join("mine/connectors/vet/connector.yaml");
    fs::write(vet, VET.replace("PORT", &port)).unwrap();
    fs::write(orders.join("workflow.yaml"), workflow).unwrap();
    let integration = orders.join("integration.yaml");
    replace(
        &integration,
        "tasks: [note]",
        "tasks: [note, one, other, ask, pets, last, shot, approve, choose, fill]",
    );
    replace(&integration, "systems: {}", RULES);
    let nightly = "triggers:\n  nightly: {kind: schedule, cron: '0 3 29 2 *', tenant: default}\n";
    replace(&integration, "triggers:\n", nightly);
    let contract = "    contract: contracts/orders.schema.json\n";
    let versions = "    versions: contracts/orders.versions.yaml\n";
    replace(&integration, contract, &format!("{contract}{versions}"));
    fs::write(orders.join("contracts/orders.versions.yaml"), VERSIONS).unwrap();
    asked.told("check", &["mine"]);
}

/// Versions of a contract, in the example that has some.
fn contracts(asked: &mut Asked<'_>) {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/order-paid");
    let told = asked.told("gate", &["--against", example, "--project", example]);
    assert_eq!((&told["holds"], &told["gone"]), (&json!(false), &json!([])), "{told}");
    let told = asked.told("contract versions", &["orders", "--project", example]);
    let items = told["items"].as_array().unwrap();
    let names: Vec<&Value> = items.iter().map(|item| &item["version"]).collect();
    assert_eq!(names, [&json!("1.0.0"), &json!("2.0.0")], "{told}");
    assert_eq!(items[0]["sunset"], "2027-09-01");
    assert_eq!(items[1]["is_default"], true);
    let old = format!("{example}/integrations/orders/contracts/examples/valid/v1/order.one.json");
    let ways = ["--from", "1.0.0", "--to", "2.0.0", "--trigger", "orders/placed"];
    let convert = [&[old.as_str()][..], &ways, &["--project", example]].concat();
    let told = asked.told("contract convert", &convert);
    assert_eq!(told["document"], json!({"order_id": "O-1001", "amount": 49.9}));
    assert_eq!(told["loses"], json!(["the value of `.coupon`"]));
    let told =
        asked.told("contract changelog", &["orders", "--against", example, "--project", example]);
    assert_eq!((&told["is_empty"], &told["edits"]), (&json!(true), &json!(0)), "{told}");
    let ways = ["--from", "1.0.0", "--to", "2.0.0", "--project", example];
    let told = asked.told("contract guide", &[&["orders/placed"][..], &ways].concat());
    assert_eq!(told["pairs"][0]["after"], json!({"order_id": "O-1001", "amount": 49.9}));
    let told = asked.told("contract expect", &["team-notice", "--project", example]);
    assert_eq!((&told["systems"][0]["connector"], &told["files"]), (&json!("chat"), &json!([])));
    fs::copy(&old, asked.server.folder.join("own.json")).unwrap();
    let own = ["own.json", "--trigger", "orders/placed"];
    let told = asked.told("migrate", &[&own[..], &ways].concat());
    assert_eq!(told["items"][0]["changed"], 1, "{told}");
}

/// Of the contract of orders, of which one version has ended long ago.
fn used(asked: &mut Asked<'_>) {
    let told = asked.told("contract usage", &["sandbox", "orders"]);
    assert_eq!((&told["environment"], &told["integration"]), (&json!("sandbox"), &json!("orders")));
    let pact = json!({
        "consumer": { "name": "shop" }, "provider": { "name": "qc" }, "interactions": [],
    });
    fs::write(asked.server.folder.join("shop.json"), pact.to_string()).unwrap();
    asked.told("contract publish", &["sandbox", "orders", "shop.json", "--as", "r1"]);
    let told = asked.told("contract matrix", &["orders", "--environment", "sandbox"]);
    assert_eq!(told["items"], json!([]), "it expects nothing");
    let end = ["sandbox", "orders/orders", "1.0.0", "--reason", "a try"];
    let told = asked.told("contract end", &end);
    assert_eq!((&told["version"], &told["consumers"]), (&json!("1.0.0"), &json!([])));
}

fn deployed(asked: &mut Asked<'_>) {
    for version in ["0.1.0", "0.1.1"] {
        let integration = asked.server.folder.join("mine/integrations/orders/integration.yaml");
        replace(&integration, "version: 0.1.0", &format!("version: {version}"));
        let built = asked.told("release build", &["orders", "--folder", "mine"]);
        asked.told("deploy", &["sandbox", built["release"].as_str().unwrap()]);
    }
    asked.told("rollback", &["sandbox"]);
    used(asked);
    asked.told("release list", &[]);
    asked.told("deployments", &[]);
    asked.told("export", &["out", "--environment", "sandbox"]);
}

/// What a verb says beside its result.
fn said(server: &Server, arguments: &[&str]) -> String {
    String::from_utf8(server.qc(arguments).stderr).unwrap()
}

fn mended(asked: &mut Asked<'_>) {
    let of = |table: &'static str| ["sandbox", "orders", table];
    asked.told("state set", &[&of("notes")[..], &["k", "{\"n\": 1}"]].concat());
    let one = asked.told("state get", &[&of("notes")[..], &["k"]].concat());
    assert_eq!(one["value"]["n"], 1, "{one}");
    asked.told("state list", &of("notes"));
    let revision = one["revision"].to_string();
    asked.told("state delete", &[&of("notes")[..], &["k", "--expect", &revision]].concat());
    asked.told("crossref link", &[&of("people")[..], &["till=1", "shop=a"]].concat());
    let refused =
        asked
            .server
            .qc(&[&["crossref", "link"][..], &of("people"), &["till=2", "shop=a"]].concat());
    assert_eq!(refused.status.code(), Some(5));
    let links = "{\"till\": \"1\", \"shop\": \"a\"}\n{\"till\": 2, \"shop\": \"b\"}\n";
    fs::write(asked.server.folder.join("links.jsonl"), links).unwrap();
    let planned =
        asked.told("crossref import", &[&of("people")[..], &["links.jsonl", "--plan"]].concat());
    assert_eq!((&planned["new"], &planned["same"]), (&json!(1), &json!(1)));
    asked.told("crossref import", &[&of("people")[..], &["links.jsonl"]].concat());
    let again = asked.told("crossref import", &[&of("people")[..], &["links.jsonl"]].concat());
    assert_eq!((&again["new"], &again["same"]), (&json!(0), &json!(2)));
    let found = asked.told("crossref find", &[&of("people")[..], &["shop=b"]].concat());
    assert_eq!(found["ids"]["till"], "2");
    asked.told("crossref unlink", &[&of("people")[..], &["shop=b"]].concat());
    asked.told("crossref list", &of("people"));
    let out = asked.told("crossref export", &of("people"));
    assert_eq!(out["items"].as_array().unwrap().len(), 1, "{out}");
}

/// People answer, each with a token of their own.
fn answered(asked: &mut Asked<'_>) {
    let server = asked.server;
    let made = asked.told("tokens create", &["me", "--role", "approver", "--person", "me"]);
    assert_eq!(made["token"]["person"], "me");
    context_of(server, "me", &made);
    fs::write(server.folder.join("form.json"), r#"{"n": 3}"#).unwrap();
    let me = ["--context", "me.json"];
    let task = |asked: &mut Asked<'_>, id: &str, status: &str| {
        let run = asked.run(id, status);
        let open = asked.told("tasks list", &["--run", &run]);
        open["items"][0]["id"].as_str().unwrap_or_else(|| panic!("{open}")).to_owned()
    };
    let first = task(asked, "approve1", "waiting");
    let shown = server.well(&["tasks", "show", &first]);
    let command = format!("qc tasks approve {first} --reason WHY");
    assert!(shown.contains(&command) && shown.contains("approve1"), "{shown}");
    asked.told("tasks show", &[&first]);
    asked.told("tasks claim", &[&[first.as_str()], &me[..]].concat());
    let nobody = said(server, &["tasks", "approve", &first]);
    assert!(nobody.contains("QC-H006") && nobody.contains("--person"), "{nobody}");
    let why = ["--reason", "fits", "--context", "me.json"];
    let done = asked.told("tasks approve", &[&[first.as_str()], &why[..]].concat());
    assert_eq!((&done["decision"], &done["by"]), (&json!("approved"), &json!("me")));
    asked.until("approve1", "completed");
    let journal = server.well(&["runs", "show", done["run"].as_str().unwrap()]);
    assert!(journal.contains("task 1: approved by me"), "{journal}");
    let second = task(asked, "approve2", "waiting");
    asked.told("tasks reject", &[&[second.as_str()], &why[..]].concat());
    let third = task(asked, "choose", "waiting");
    asked.told("tasks choose", &[&[third.as_str(), "b"], &me[..]].concat());
    let fourth = task(asked, "fill", "waiting");
    let form = ["--data", "form.json", "--context", "me.json"];
    asked.told("tasks fill", &[&[fourth.as_str()], &form[..]].concat());
    let stuck = task(asked, "bad", "faulted");
    let act = ["discard", "--reason", "a test", "--context", "me.json"];
    asked.told("tasks act", &[&[stuck.as_str()], &act[..]].concat());
    let open = asked.told("tasks list", &[]);
    assert_eq!(open["items"], json!([]));
    let over = asked.told("tasks list", &["--over"]);
    assert_eq!(over["items"].as_array().unwrap().len(), 5, "{over}");
}

fn worked_on(asked: &mut Asked<'_>) {
    let server = asked.server;
    let doubtful = asked.run("doubtful", "parked");
    // Two calls are in doubt: each is decided by its name, and none without one.
    let refused = server.qc(&["runs", "resolve", &doubtful, "--applied"]);
    let text = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(5), "{text}");
    let (one, other) = ("/do/5/note/fork/branches/0/one:0", "/do/5/note/fork/branches/1/other:0");
    assert!(text.contains(one) && text.contains(other) && text.contains("`call`"), "{text}");
    asked.told("runs resolve", &[&doubtful, "--applied", "--call", other, "--output", "{}"]);
    let again = said(server, &["runs", "resolve", &doubtful, "--not-applied", "--call", other]);
    assert!(again.contains("is not ambiguous"), "{again}");
    asked.told("runs resolve", &[&doubtful, "--applied", "--call", one]);
    asked.until("doubtful", "completed");
    let barred = asked.run("barred", "parked");
    asked.told("runs resume", &[&barred]);
    asked.told("runs cancel", &[&barred, "--reason", "a test"]);
    let dead: Vec<String> = (0..3).map(|n| asked.run(&format!("bad{n}"), "faulted")).collect();
    let full = said(server, &["dlq", "list", "--limit", "3"]);
    assert_eq!(full, "", "a full page is no sign of another one");
    let more = said(server, &["dlq", "list", "--limit", "2"]);
    assert_eq!(more, format!("there is more: --before {}\n", dead[1]));
    let rest = asked.told("dlq list", &["--limit", "2", "--before", &dead[1]]);
    assert_eq!(rest["items"].as_array().unwrap().len(), 1, "{rest}");
    let count = asked.told("runs list", &[])["items"].as_array().unwrap().len().to_string();
    assert_eq!(said(server, &["runs", "list", "--limit", &count]), "");
    assert!(said(server, &["runs", "list", "--limit", "1"]).starts_with("there is more: "));
    let groups = asked.told("failures list", &["--integration", "orders"]);
    let group = groups["items"][0]["group"].as_str().unwrap().to_owned();
    assert_eq!(groups["items"][0]["open"], json!(3), "{groups}");
    asked.told("failures acknowledge", &[&group, "--note", "a test"]);
    asked.told("failures mute", &[&group, "--for", "2h"]);
    asked.told("failures reopen", &[&group]);
    assert_eq!(asked.told("failures show", &[&group])["said"].as_array().unwrap().len(), 3);
    assert_eq!(asked.told("failures resolve", &[&group])["state"], "resolved");
    let planned = ["discard", "--integration", "orders", "--reason", "a test"];
    let bulk = asked.told("bulk plan", &planned)["bulk"].as_str().unwrap().to_owned();
    assert_eq!(asked.told("bulk show", &[&bulk])["total"], json!(3));
    assert_eq!(asked.told("bulk list", &[])["items"][0]["bulk"], json!(bulk));
    assert_eq!(asked.told("bulk abort", &[&bulk, "--reason", "a test"])["state"], "aborted");
    let none = ["retry", "--code", "QC-X999", "--reason", "a test"];
    let none = asked.told("bulk plan", &none)["bulk"].as_str().unwrap().to_owned();
    assert_eq!(asked.told("bulk start", &["--plan", &none, "--wait"])["state"], "done");
    asked.told("limits list", &[]);
    asked.told("limits explain", &["/in/sandbox/orders/orders"]);
    asked.told("limits near", &[]);
    asked.told("limits outbound", &[]);
    asked.told("limits traffic", &[]);
    asked.told("lines list", &[]);
    asked.told("lines show", &["bad2"]);
    asked.told("lines resume", &["sandbox", "orders", "bad2", "--reason", "a test"]);
    asked.told("runs show", &[&dead[0]]);
    asked.told("runs replay", &[&dead[0]]);
    asked.told("dlq retry", &[&dead[1]]);
    asked.told("dlq discard", &[&dead[2], "--reason", "a test"]);
    asked.told("ask failures", &[]);
    asked.run("bad-skipped", "faulted");
    asked.told("lines skip", &["sandbox", "orders", "bad-skipped", "--reason", "a test"]);
    asked.run("bad-left", "faulted");
    let whole = ["sandbox", "orders", "bad-left", "--reason", "a test"];
    let plan = asked.told("lines discard", &whole);
    assert_eq!((&plan["done"], &plan["waiting"]), (&json!(false), &json!(0)), "{plan}");
    let confirm = plan["confirm"].as_str().unwrap();
    let done = asked.told("lines discard", &[&whole[..], &["--confirm", confirm]].concat());
    assert_eq!(done["done"], json!(true), "{done}");
    let of = ["sandbox", "nobody@example.com", "--reason", "a test"];
    asked.told("subject export", &[&of[..], &["--to", "nobody.json"]].concat());
    assert_eq!(asked.told("subject erase", &of)["runs"], json!(0));
    asked.told("reconcile", &[]);
    asked.told("backup", &["--to", "a.qcbackup"]);
    asked.told("restore", &["--check", "--from", "a.qcbackup"]);
}

/// A schedule is paused and goes on, and the bus tells of the runs' lives.
fn timed(asked: &mut Asked<'_>) {
    let listed = asked.told("schedules list", &[]);
    assert_eq!(listed["items"][0]["trigger"], "nightly", "{listed}");
    let which = ["sandbox", "orders", "nightly"];
    asked.told("schedules pause", &which);
    assert!(asked.told("schedules list", &[])["items"][0]["paused"].is_string());
    asked.told("schedules resume", &which);
    let types = asked.told("events list", &[]);
    assert!(types["items"].as_array().is_some_and(|items| !items.is_empty()), "{types}");
    let lines = asked.server.well(&["events", "tail", "--once", "--json"]);
    assert!(lines.lines().count() > 1, "{lines}");
    for line in lines.lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        assert!(event["seq"].is_number() && event["event"]["type"].is_string(), "{line}");
    }
    asked.seen.insert("events tail".to_owned());
}

/// A trigger is paused: what comes is held, is counted, is cancelled, and what comes later begins in the end.
fn paused(asked: &mut Asked<'_>) {
    let which = ["sandbox", "orders", "orders", "--reason", "a test"];
    asked.told("triggers pause", &which);
    asked.run("held-1", "waiting");
    let listed = asked.told("triggers list", &[]);
    let orders = listed["items"].as_array().unwrap().iter().find(|one| one["trigger"] == "orders");
    assert_eq!(
        (&orders.unwrap()["state"], &orders.unwrap()["held"]),
        (&json!("paused"), &json!(1))
    );
    let plan = asked.told("triggers discard", &which);
    assert_eq!((&plan["done"], &plan["runs"]), (&json!(false), &json!(1)), "{plan}");
    let confirm = plan["confirm"].as_str().unwrap();
    asked.told("triggers discard", &[&which[..], &["--confirm", confirm]].concat());
    asked.until("held-1", "cancelled");
    asked.run("held-2", "waiting");
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        let listed = asked.told("triggers list", &["--integration", "orders"]);
        if listed["items"][0]["state"] == "paused" {
            break;
        }
    }
    asked.told("triggers resume", &which);
    asked.until("held-2", "completed");
}

/// A secret comes, changes and goes, and so do keys; its values stand in files.
fn secrets(asked: &mut Asked<'_>) {
    let of = ["sandbox", "api/key"];
    for value in ["one", "two"] {
        fs::write(asked.server.folder.join(value), format!("the value {value}\n")).unwrap();
    }
    let every = ["--file", "one", "--rotate-every", "90d"];
    assert_eq!(asked.told("secrets set", &[&of[..], &every].concat())["version"], 1);
    let next = ["--file", "two", "--overlap", "2h"];
    assert_eq!(asked.told("secrets rotate", &[&of[..], &next].concat())["version"], 2);
    let listed = asked.told("secrets list", &["--environment", "sandbox"]);
    assert_eq!(listed["items"][0]["name"], "api/key");
    let shown = listed.to_string() + &asked.server.well(&["secrets", "list"]);
    assert!(shown.contains("previous until") && !shown.contains("the value"), "{shown}");
    let empty = asked.server.qc(&[&["secrets", "set"][..], &of].concat());
    let said = String::from_utf8(empty.stderr).unwrap();
    assert!(said.contains("QC-V010"), "its standard input is empty: {said}");
    asked.told("vault rotate-dek", &["sandbox"]);
    assert_eq!(asked.told("vault rewrap", &[])["keys"], 0);
    assert_eq!(asked.told("vault drill", &["sandbox"])["failures"], 0);
    assert_eq!(asked.told("vault status", &[])["not_opening"], 0);
    let due = asked.told("vault due", &[]);
    assert!(due["items"].as_array().is_some_and(|all| !all.is_empty()), "{due}");
    let status = asked.server.well(&["vault", "status"]);
    assert!(status.starts_with("key-encryption key "), "{status}");
    asked.told("secrets remove", &of);
    let made =
        asked.told("secrets drop", &["api/given", "--environment", "sandbox", "--expires", "1h"]);
    let (_, code) = made["url"].as_str().unwrap().split_once("/drop/").unwrap();
    let path = format!("/drop/{code}");
    assert!(browsed(asked.server, &path, "").contains("<b>api/given</b>"));
    let listed = asked.told("secrets drops", &["--environment", "sandbox"]);
    assert_eq!(listed["items"][0]["id"], made["link"]["id"]);
    asked.told("secrets revoke-drop", &[made["link"]["id"].as_str().unwrap()]);
}

/// A context file with a token that was made, `NAME.json`.
fn context_of(server: &Server, name: &str, made: &Value) -> String {
    let context = fs::read_to_string(server.folder.join("context.json")).unwrap();
    let mut context: Value = serde_json::from_str(&context).unwrap();
    context["token"] = made["secret"].clone();
    let file = server.folder.join(format!("{name}.json"));
    fs::write(&file, context.to_string()).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    file.to_str().unwrap().to_owned()
}

/// Who may do what, and for a time more.
fn rights(asked: &mut Asked<'_>) {
    let matrix = asked.told("access matrix", &["mine"]);
    assert!(matrix["cells"].as_u64().unwrap() > 500, "{matrix}");
    assert_eq!(asked.told("access diff", &["mine"])["changes"], json!([]));
    let why = ["--role", "operator", "--action", "runs:inspect", "--production", "mine"];
    let why = asked.told("access explain", &why);
    assert_eq!((&why["decision"], &why["policies"]), (&json!("denied"), &json!(["grant"])));
    let set = asked.told("access apply", &["mine"]);
    assert_eq!((&set["version"], &set["files"]), (&matrix["version"], &json!([])));
    let mut persons = Vec::new();
    for (person, role) in [("ada", "operator"), ("grace", "admin")] {
        let made = asked.told("tokens create", &[person, "--role", role, "--person", person]);
        persons.push(context_of(asked.server, person, &made));
    }
    let (ada, grace) = (["--context", &persons[0]], ["--context", &persons[1]]);
    let request =
        ["sandbox", "--action", "runs:inspect", "--reason", "it failed", "--ticket", "OPS-1"];
    let mut ids = Vec::new();
    for _ in 0..2 {
        let grant = asked.told("grants request", &[&request[..], &ada].concat());
        ids.push(grant["id"].as_str().unwrap().to_owned());
    }
    for (verb, id) in [("approve", &ids[0]), ("revoke", &ids[0]), ("refuse", &ids[1])] {
        asked.told(&format!("grants {verb}"), &[&[&**id][..], &grace].concat());
    }
    assert_eq!(asked.told("grants list", &[])["items"].as_array().unwrap().len(), 2);
    let start = ["sandbox", "--integration", "orders", "--reason", "a test", "--ticket", "OPS-7"];
    for deeds in [&["approve", "show", "end"][..], &["refuse"]] {
        let made = asked.told("debug capture start", &[&start[..], &ada].concat());
        let id = made["id"].as_str().unwrap().to_owned();
        for deed in deeds {
            let by = if ["show", "end"].contains(deed) { &ada } else { &grace };
            asked.told(&format!("debug capture {deed}"), &[&[&*id][..], by].concat());
        }
    }
    let listed = asked.told("debug capture list", &[]);
    assert_eq!(listed["items"].as_array().unwrap().len(), 2, "{listed}");
    // Changes of the policies are approved from now on.
    let rules = "approvals: [{ action: 'policies:write', need: 1, of: [me] }]\n";
    fs::write(asked.server.folder.join("mine/access/approvals.yaml"), rules).unwrap();
    asked.told("access apply", &["mine"]);
    let me = ["me", "--role", "approver", "--person", "me"];
    let made = asked.told("tokens create", &me);
    let me = context_of(asked.server, "me", &made);
    let me = ["--context", &*me];
    let version = set["version"].as_str().unwrap();
    let given = asked.told("approvals give", &[&["policies:write", version][..], &me].concat());
    let id = given["id"].as_str().unwrap();
    assert_eq!(asked.told("approvals list", &[])["items"][0]["id"], id);
    asked.told("approvals withdraw", &[&[id][..], &me].concat());
}

/// A person's keys end, and the sealed account opens once.
fn people(asked: &mut Asked<'_>) {
    assert_eq!(asked.told("whoami", &[])["kind"], "local");
    let ended = asked.told("access revoke", &["grace"]);
    assert_eq!((&ended["sessions"], &ended["tokens"]), (&json!(0), &json!(1)), "{ended}");
    let sealed = asked.told("access break-glass seal", &[]);
    let file = asked.server.folder.join("credential");
    fs::write(&file, sealed["credential"].as_str().unwrap()).unwrap();
    let open = ["--reason", "a test", "--file", "credential"];
    let me = asked.told("access break-glass open", &open);
    assert_eq!((&me["kind"], &me["role"]), (&json!("break_glass"), &json!("admin")));
    let listed = asked.told("access sessions", &[]);
    assert_eq!(listed["items"][0]["kind"], "break_glass", "{listed}");
    let again = said(asked.server, &[&["access", "break-glass", "open"][..], &open].concat());
    assert!(again.contains("QC-A057"), "{again}");
    let doctor = asked.server.qc(&["doctor"]);
    assert!(String::from_utf8_lossy(&doctor.stdout).contains("QC-A058"), "{doctor:?}");
    asked.told("logout", &[]);
    assert_eq!(asked.told("whoami", &[])["kind"], "local");
    asked.told("access break-glass seal", &[]);
}

/// A service comes, changes its secret and goes, and so does a key.
fn services(asked: &mut Asked<'_>) {
    let of = ["--environment", "sandbox", "--role", "runtime", "--owner", "team", "--purpose", "x"];
    let made = asked.told("access clients create", &[&["billing"][..], &of].concat());
    let next = asked.told("access clients rotate", &["billing", "--overlap", "1h"]);
    assert_ne!(made["secret"], next["secret"]);
    let listed = asked.told("access clients list", &[]);
    assert_eq!(listed["items"][0]["secrets"].as_array().unwrap().len(), 2, "{listed}");
    asked.told("access keys rotate", &["sandbox"]);
    assert!(!asked.told("access keys list", &[])["items"].as_array().unwrap().is_empty());
    let radius = asked.told("access blast-radius", &["--client", "billing"]);
    assert!(radius["reaches"].to_string().contains("events:send"), "{radius}");
    asked.told("access clients revoke", &["billing"]);
}

/// What the server answers to a browser: the head of it.
fn browsed(server: &Server, path: &str, cookie: &str) -> String {
    let at = format!("127.0.0.1:{}", server.port);
    let mut stream = TcpStream::connect(&at).unwrap();
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: {at}\r\ncookie: {cookie}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// An account is connected, renewed, and let go.
fn connections(asked: &mut Asked<'_>) {
    let of = ["sandbox", "pets"];
    fs::write(asked.server.folder.join("client"), "a client's secret\n").unwrap();
    asked.told("secrets set", &["sandbox", "pets/client", "--file", "client"]);
    let link = asked.told("conn connect", &of)["url"].as_str().unwrap().to_owned();
    let head = browsed(asked.server, link.strip_prefix("http://qc.example").unwrap(), "");
    let field = |name: &str| {
        let lines = head.lines().find_map(|line| line.strip_prefix(name));
        lines.unwrap_or_else(|| panic!("{name} is missing: {head}")).trim().to_owned()
    };
    let cookie = field("set-cookie:").split(';').next().unwrap().to_owned();
    let location = field("location:");
    let state = location.split("state=").nth(1).unwrap().split('&').next().unwrap();
    let back = format!("/connect/callback?code=c0de&state={state}");
    let page = browsed(asked.server, &back, &cookie);
    assert!(page.contains("<h1>Connected</h1>"), "{page}");
    let listed = asked.told("conn list", &["--environment", "sandbox"]);
    assert_eq!(listed["items"][0]["state"], "active", "{listed}");
    assert_eq!(asked.told("conn test", &of)["usable"], true);
    assert_eq!(asked.told("conn rotate", &of)["generation"], 2);
    asked.told("conn show", &of);
    let drill = asked.told("conn drill", &[&of[..], &["--for", "5s", "--rate", "4"]].concat());
    assert_eq!((&drill["state"], &drill["refreshes"]), (&json!("passed"), &json!(2)), "{drill}");
    assert!(asked.told("conn reconnect", &of)["url"].is_string());
    let shown = asked.server.well(&["conn", "list"]);
    assert!(shown.contains("active") && !shown.contains("-token"), "{shown}");
    assert_eq!(asked.told("conn revoke", &of)["state"], "revoked");
    let log = fs::read_to_string(asked.server.log_file()).unwrap();
    let code = link.rsplit('/').next().unwrap();
    assert!(!log.contains(code), "the log has a link's code");
}

/// `qc tail`, as long as this value is.
struct Tail(Child);

impl Drop for Tail {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// The first line that `qc tail` prints while events come in.
fn followed(asked: &mut Asked<'_>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_qc"));
    command.args(["tail", "--json"]).env_clear();
    command.env("QC_CONTEXT", asked.server.folder.join("context.json"));
    let mut tail = Tail(command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap());
    let (say, told) = mpsc::channel();
    let mut lines = BufReader::new(tail.0.stdout.take().unwrap()).lines();
    thread::spawn(move || say.send(lines.next()));
    // It follows from some moment on: events come in until it has seen one.
    let line = (0..100).find_map(|n| {
        asked.run(&format!("fine{n}"), "completed");
        told.try_recv().ok().flatten()
    });
    let line: Value = serde_json::from_str(&line.expect("a line").unwrap()).unwrap();
    assert_eq!(line["schema_version"], json!(1), "{line}");
    asked.seen.insert("tail".to_owned());
}

fn compared(asked: &mut Asked<'_>) {
    let api = |version: &str, path: &str| {
        format!(
            "openapi: 3.0.3\ninfo: {{title: A, version: '{version}'}}\npaths:\n  {path}:\n    get:\n      \
             responses: {{'200': {{description: ok}}}}\n"
        )
    };
    let folder = &asked.server.folder;
    fs::write(folder.join("old.yaml"), api("1.0.0", "/a")).unwrap();
    fs::write(folder.join("new.yaml"), api("1.1.0", "/a") + "  /b:\n    get: {responses: {}}\n")
        .unwrap();
    let told = asked.told("contract diff", &["old.yaml", "new.yaml"]);
    assert_eq!(told["verdict"], "non-breaking", "{told}");
    assert_eq!(told["findings"][0]["id"], "operation-added", "{told}");
    assert_eq!(told["findings"][0]["new"]["place"]["line"], 8, "{told}");
    let told = asked.told("contract test", &["old.yaml", "--simulator"]);
    assert_eq!(told["outcome"], "passed", "{told}");
}

fn audited(asked: &mut Asked<'_>) {
    let shown = asked.told("audit checkpoint", &[]);
    let key = shown["key"].as_str().unwrap().to_owned();
    assert_eq!(asked.told("audit list", &["--limit", "2"])["items"].as_array().unwrap().len(), 2);
    let all = asked.told("audit list", &["--limit", "100000"]);
    assert!(all["next"].is_null(), "{all}");
    assert!(!asked.told("audit list", &["--from", "0", "--limit", "1"])["next"].is_null());
    asked.told("audit export", &["audit.txt"]);
    assert_eq!(asked.told("audit verify", &["audit.txt", "--key", &key])["key_given"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_result_has_a_schema_version_and_a_list_says_truly_whether_there_is_more() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::new(folder.path());
    server.turn_vault_on();
    server.set("QC_PUBLIC_URL", "https://qc.example");
    server.start().await;
    let wanted = verbs(&server, &[]);
    let mut asked = Asked { server: &server, seen: BTreeSet::new() };
    project(&mut asked);
    contracts(&mut asked);
    deployed(&mut asked);
    mended(&mut asked);
    answered(&mut asked);
    worked_on(&mut asked);
    paused(&mut asked);
    timed(&mut asked);
    drifted(&mut asked);
    replayed(&mut asked);
    followed(&mut asked);
    asked.told("config explain", &[]);
    asked.told("support bundle", &["--to", "bundle.json"]);
    compared(&mut asked);
    // This machine may have findings; that is no matter here.
    let doctor: Value = serde_json::from_slice(&server.qc(&["doctor", "--json"]).stdout).unwrap();
    assert_eq!(doctor["schema_version"], json!(1), "{doctor}");
    asked.seen.insert("doctor".to_owned());
    audited(&mut asked);
    asked.told("tokens list", &[]);
    secrets(&mut asked);
    rights(&mut asked);
    services(&mut asked);
    people(&mut asked);
    connections(&mut asked);
    let made = asked.told("tokens create", &["ci", "--role", "deployer"]);
    let id = made["token"]["id"].as_str().unwrap();
    asked.told("access reassign", &["--token", id, "--owner", "me"]);
    let review = asked.server.qc(&["access", "review", "--json"]);
    let review: Value = serde_json::from_slice(&review.stdout).unwrap();
    assert_eq!(review["schema_version"], json!(1), "{review}");
    asked.seen.insert("access review".to_owned());
    let next = asked.told("tokens rotate", &[id, "--overlap", "2h"]);
    assert_eq!((&next["token"]["version"], &next["token"]["id"]), (&json!(2), &json!(id)));
    asked.told("tokens revoke", &[id]);
    let mut seen = asked.seen;
    seen.extend(WITHOUT.map(str::to_owned));
    server.terminate();
    assert_eq!(server.ended(PATIENCE).await.code(), Some(0), "{}", server.log_end());
    let mut asked = Asked { server: &server, seen };
    asked.told("tokens recover", &[]);
    assert_eq!(asked.seen, wanted, "a verb whose JSON nobody looks at");
}
