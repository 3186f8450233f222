//! With `--json` every verb's result has its `schema_version`, and a list says that there is more only when there is.

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, TcpListener},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::stage::{project::replace, server::Server};

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Verbs without a result of their own: they print a script or a schema, or serve. `simulate` and `demo` are looked at
/// where their stories are told.
const WITHOUT: [&str; 6] = ["completions", "schema", "serve", "dev", "simulate", "demo"];

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
struct Asked<'a> {
    server: &'a Server,
    seen: BTreeSet<String>,
}

impl Asked<'_> {
    fn told(&mut self, verb: &str, rest: &[&str]) -> Value {
        let words: Vec<&str> = verb.split(' ').chain(rest.iter().copied()).collect();
        let told = self.server.told(&words);
        assert_eq!(told["schema_version"], json!(1), "qc {verb}: {told}");
        self.seen.insert(verb.to_owned());
        told
    }

    /// Sends an event of this id; its run, once it has this status.
    fn run(&mut self, id: &str, status: &str) -> String {
        fs::write(self.server.folder.join("event.json"), json!({"id": id}).to_string()).unwrap();
        let sent =
            self.told("trigger", &["sandbox", "orders/orders", "--data", "event.json", "--low"]);
        let run = sent["answer"]["run"].as_str().unwrap().to_owned();
        self.until(id, status);
        assert_eq!(self.told("runs show", &[&run])["run"]["priority"], "low", "{run}");
        run
    }

    /// Waits until the run of this event has this status.
    fn until(&mut self, id: &str, status: &str) {
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

/// A till that takes what it is sent and hangs up without an answer; for `/barred` it knows nobody.
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
  - note:
      if: ${ .id == "doubtful" }
      fork:
        branches:
          - one: { call: http, with: { method: post, endpoint: "http://127.0.0.1:PORT/cut", body: { n: 1 } } }
          - other: { call: http, with: { method: post, endpoint: "http://127.0.0.1:PORT/cut", body: { n: 2 } } }
"#;

const RULES: &str = "systems:
  till: {direction: outbound, criticality: low, owner: operations, on_unavailable: queue, hosts: [127.0.0.1]}

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

/// A project made by the program's own verbs, whose one integration calls the till.
fn project(asked: &mut Asked<'_>) {
    asked.told("init", &["mine", "--template", "notify"]);
    fs::write(asked.server.folder.join("pets.yaml"), OPENAPI).unwrap();
    asked.told("new connector", &["pets", "--openapi", "pets.yaml", "--folder", "mine"]);
    asked.told("new integration", &["orders", "--folder", "mine"]);
    asked.told("test", &["mine", "--integration", "notify"]);
    let orders = asked.server.folder.join("mine/integrations/orders");
    let workflow = WORKFLOW.replace("PORT", &till().to_string());
    fs::write(orders.join("workflow.yaml"), workflow).unwrap();
    let integration = orders.join("integration.yaml");
    replace(&integration, "tasks: [note]", "tasks: [note, one, other, ask]");
    replace(&integration, "systems: {}", RULES);
    asked.told("check", &["mine"]);
}

fn deployed(asked: &mut Asked<'_>) {
    for version in ["0.1.0", "0.1.1"] {
        let integration = asked.server.folder.join("mine/integrations/orders/integration.yaml");
        replace(&integration, "version: 0.1.0", &format!("version: {version}"));
        let built = asked.told("release build", &["orders", "--folder", "mine"]);
        asked.told("deploy", &["sandbox", built["release"].as_str().unwrap()]);
    }
    asked.told("rollback", &["sandbox"]);
    asked.told("release list", &[]);
    asked.told("deployments", &[]);
    asked.told("export", &["out", "--environment", "sandbox"]);
}

/// What a verb says beside its result.
fn said(server: &Server, arguments: &[&str]) -> String {
    String::from_utf8(server.qc(arguments).stderr).unwrap()
}

fn worked_on(asked: &mut Asked<'_>) {
    let server = asked.server;
    let doubtful = asked.run("doubtful", "parked");
    // Two calls are in doubt: each is decided by its name, and none without one.
    let refused = server.qc(&["runs", "resolve", &doubtful, "--applied"]);
    let text = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(5), "{text}");
    let (one, other) = ("/do/2/note/fork/branches/0/one:0", "/do/2/note/fork/branches/1/other:0");
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
    asked.told("lines list", &[]);
    asked.told("lines show", &["bad2"]);
    asked.told("lines resume", &["sandbox", "orders", "bad2", "--reason", "a test"]);
    asked.told("runs show", &[&dead[0]]);
    asked.told("runs replay", &[&dead[0]]);
    asked.told("dlq retry", &[&dead[1]]);
    asked.told("dlq discard", &[&dead[2], "--reason", "a test"]);
    asked.told("ask failures", &[]);
    asked.told("reconcile", &[]);
    asked.told("backup", &["--to", "a.qcbackup"]);
    asked.told("restore", &["--check", "--from", "a.qcbackup"]);
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

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_result_has_a_schema_version_and_a_list_says_truly_whether_there_is_more() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::new(folder.path());
    server.start().await;
    let wanted = verbs(&server, &[]);
    let mut asked = Asked { server: &server, seen: BTreeSet::new() };
    project(&mut asked);
    deployed(&mut asked);
    worked_on(&mut asked);
    followed(&mut asked);
    asked.told("config explain", &[]);
    // This machine may have findings; that is no matter here.
    let doctor: Value = serde_json::from_slice(&server.qc(&["doctor", "--json"]).stdout).unwrap();
    assert_eq!(doctor["schema_version"], json!(1), "{doctor}");
    asked.seen.insert("doctor".to_owned());
    asked.told("tokens list", &[]);
    let made = asked.told("tokens create", &["ci", "--role", "deployer"]);
    asked.told("tokens revoke", &[made["token"]["id"].as_str().unwrap()]);
    let mut seen = asked.seen;
    seen.extend(WITHOUT.map(str::to_owned));
    server.terminate();
    assert_eq!(server.ended(PATIENCE).await.code(), Some(0), "{}", server.log_end());
    let mut asked = Asked { server: &server, seen };
    asked.told("tokens recover", &[]);
    assert_eq!(asked.seen, wanted, "a verb whose JSON nobody looks at");
}
