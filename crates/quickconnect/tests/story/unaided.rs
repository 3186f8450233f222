//! A program that reads nothing but `next_action`, and what each action says it reads, comes through by itself. It knows no
//! code, no class and no status, but that 2xx is a success.

use std::{collections::BTreeMap, fs, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::Method;
use qc_model::{Clock, Timestamp};
use serde_json::{Value, json};

use crate::stage::{
    WallClock,
    http::{Line, Reply},
    project::replace,
    server::Server,
};

/// The most requests for one deed.
const PATIENCE: usize = 12;

/// How a deed ended.
#[derive(Debug, PartialEq)]
enum End {
    /// It was accepted, in so many pieces.
    Done(usize),
    /// Somebody has to be asked.
    Asked(String, String),
    /// There is nothing to be done.
    Nothing,
}

/// What is to be sent.
struct Deed {
    path: String,
    headers: BTreeMap<String, String>,
    body: Value,
}

/// The program. `client` is how it proves itself when it gets a credential.
struct Program {
    line: Line,
    client: (String, String),
    authorization: String,
    /// What it did, in order.
    did: Vec<String>,
    fresh: u32,
}

impl Program {
    async fn post(&mut self, deed: &Deed) -> Reply {
        // The stage's line takes names that live as long as the program.
        let mut headers = vec![("authorization", self.authorization.clone())];
        for (name, value) in &deed.headers {
            let name: &'static str = Box::leak(name.clone().into_boxed_str());
            headers.push((name, value.clone()));
        }
        let body = Bytes::from(deed.body.to_string());
        self.line.send(Method::POST, &deed.path, &headers, body).await.unwrap()
    }

    /// Sends until it is accepted or somebody has to be asked.
    async fn carry_out(&mut self, deed: Deed) -> End {
        let (mut waiting, mut pieces) = (vec![deed], 0);
        for _ in 0..PATIENCE {
            let Some(mut deed) = waiting.pop() else { return End::Done(pieces) };
            let reply = self.post(&deed).await;
            if (200..300).contains(&reply.status) {
                pieces += 1;
                continue;
            }
            let problem = reply.json();
            let text = |key: &str| problem[key].as_str().unwrap_or_default().to_owned();
            for always in ["class", "code", "page", "detail", "next_action", "hop"] {
                assert!(!text(always).is_empty(), "{always}: {problem}");
            }
            self.did.push(text("next_action"));
            match text("next_action").as_str() {
                "wait_until" | "retry" => {
                    if let Ok(moment) = text("not_before").parse::<Timestamp>() {
                        let now = WallClock.now();
                        let left = moment.as_millis().saturating_sub(now.as_millis());
                        let left = Duration::from_millis(u64::try_from(left).unwrap_or(0));
                        tokio::time::sleep(left).await;
                    }
                    waiting.push(deed);
                }
                "refresh_token" => {
                    self.renew(&problem["credential"]).await;
                    waiting.push(deed);
                }
                "migrate" => {
                    let of = |key: &str| problem["migration"][key].as_str().unwrap().to_owned();
                    deed.headers.insert(of("header").to_lowercase(), of("to"));
                    waiting.push(deed);
                }
                "fix_request" => waiting.extend(self.fixed(deed, &problem)),
                "contact_owner" | "reconsent" => return End::Asked(text("owner"), text("contact")),
                _ => return End::Nothing,
            }
        }
        panic!("it never ends: {:?}", self.did);
    }

    async fn renew(&mut self, credential: &Value) {
        let endpoint = credential["token_endpoint"].as_str().unwrap();
        let path = endpoint.split_once("://").and_then(|(_, rest)| rest.split_once('/')).unwrap().1;
        let (id, secret) = &self.client;
        let headers = [
            ("authorization", format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))),
            ("content-type", "application/x-www-form-urlencoded".to_owned()),
        ];
        let form = format!("grant_type={}", credential["grant_type"].as_str().unwrap());
        let path = format!("/{path}");
        let reply = self.line.send(Method::POST, &path, &headers, form.into()).await.unwrap();
        let answer = reply.json();
        let token = answer["access_token"].as_str().unwrap_or_else(|| panic!("{}", reply.shown()));
        self.authorization = format!("Bearer {token}");
    }

    /// The request with everything put right that `errors` names; several, when it is to be cut.
    fn fixed(&mut self, mut deed: Deed, problem: &Value) -> Vec<Deed> {
        let errors = problem["errors"].as_array().cloned().unwrap_or_default();
        assert!(!errors.is_empty(), "there is nothing to go by: {problem}");
        for error in &errors {
            let expected = &error["expected"];
            self.fresh += 1;
            if let Some(most) = expected["maxItems"].as_u64()
                && error["pointer"] == ""
            {
                let most = usize::try_from(most).unwrap();
                let items = deed.body.as_array().unwrap();
                let piece = |items: &[Value]| Deed {
                    path: deed.path.clone(),
                    headers: deed.headers.clone(),
                    body: json!(items),
                };
                return items.chunks(most).map(piece).collect();
            }
            if let Some(header) = error["header"].as_str() {
                let value = suited(&Value::Null, expected, self.fresh);
                let text = value.as_str().unwrap().to_owned();
                deed.headers.insert(header.to_lowercase(), text);
                continue;
            }
            let place = deed.body.pointer_mut(error["pointer"].as_str().unwrap()).unwrap();
            *place = suited(place, expected, self.fresh);
        }
        vec![deed]
    }
}

/// A value that is as expected, as near as may be to the one that is there.
fn suited(present: &Value, expected: &Value, fresh: u32) -> Value {
    let Some((keyword, wanted)) = expected.as_object().and_then(|it| it.iter().next()) else {
        panic!("nothing is expected of {present}");
    };
    match keyword.as_str() {
        "type" => match wanted.as_str().unwrap() {
            "string" => json!(present.to_string()),
            "integer" | "number" => json!(0),
            other => panic!("no value of type {other}"),
        },
        "enum" => wanted.as_array().unwrap().last().unwrap().clone(),
        "maximum" | "minimum" | "const" => wanted.clone(),
        "required" => {
            let mut object = present.clone();
            for name in wanted.as_array().unwrap() {
                object[name.as_str().unwrap()] = json!(format!("fresh-{fresh}"));
            }
            object
        }
        "maxLength" => {
            let most = usize::try_from(wanted.as_u64().unwrap()).unwrap();
            json!(present.as_str().unwrap().chars().take(most).collect::<String>())
        }
        "new" => json!(format!("new-{fresh}")),
        other => panic!("`{other}` is not known"),
    }
}

const CONTRACT: &str = r#"{
  "type": "object",
  "required": ["id"],
  "properties": {
    "id": {"type": "string", "maxLength": 20},
    "level": {"enum": ["note", "alarm"]},
    "count": {"type": "integer", "maximum": 9}
  }
}"#;

const VERSIONS: &str = "
versions:
  1.0.0: { contract: contracts/orders.schema.json, deprecated: 2024-01-01, sunset: 2025-01-01 }
  2.0.0: { contract: contracts/orders.schema.json }
";

const LIMITS: &str = "
limits:
  - {name: slowly, scope: trigger, rate: 30/min, burst: 1, protects: The till., on_excess: reject}
";

const SLOW: &str = r#"
document: { dsl: "1.0.3", namespace: example, name: slow, version: "0.1.0" }
do:
  - note: { wait: { seconds: 2 } }
"#;

const ONE_AT_ONCE: &str = "
limits:
  - {name: one, scope: trigger, concurrency: 1, protects: The people who look., on_excess: reject}
";

/// The workflow refuses on purpose, or dies of a mistake of its own.
const FAILING: &str = r#"
document: { dsl: "1.0.3", namespace: example, name: failing, version: "0.1.0" }
do:
  - note: { set: { n: '${ .id | tonumber }' } }
"#;

fn integration(server: &Server, name: &str, changes: &[(&str, &str)]) {
    server.told(&["new", "integration", name, "--folder", "mine"]);
    let brief = server.folder.join(format!("mine/integrations/{name}/integration.yaml"));
    for (from, to) in changes {
        replace(&brief, from, to);
    }
}

fn add(server: &Server, path: &str, text: &str, append: bool) {
    let path = server.folder.join("mine/integrations").join(path);
    let before = if append { fs::read_to_string(&path).unwrap() } else { String::new() };
    fs::write(path, before + text).unwrap();
}

fn project(server: &Server) {
    server.told(&["init", "mine", "--template", "notify"]);
    let contract = "    contract: contracts/orders.schema.json\n";
    let versions = format!("{contract}    versions: contracts/orders.versions.yaml\n");
    integration(server, "orders", &[(contract, &versions)]);
    add(server, "orders/contracts/orders.schema.json", CONTRACT, false);
    add(server, "orders/contracts/orders.versions.yaml", VERSIONS, false);
    integration(server, "paced", &[]);
    add(server, "paced/integration.yaml", LIMITS, true);
    integration(server, "slow", &[]);
    add(server, "slow/integration.yaml", ONE_AT_ONCE, true);
    add(server, "slow/workflow.yaml", SLOW, false);
    integration(server, "failing", &[]);
    add(server, "failing/workflow.yaml", FAILING, false);
    let kind = (
        "    kind: json\n    event_type: com.example.many\n",
        "    kind: cloudevents\n    types: [com.example.many]\n",
    );
    integration(server, "many", &[kind, ("    idempotency: {key: .data.id, window: 72h}\n", "")]);
    for name in ["orders", "paced", "slow", "failing", "many"] {
        let built = server.told(&["release", "build", name, "--folder", "mine"]);
        let hash = built["release"].as_str().unwrap_or_else(|| panic!("{built}")).to_owned();
        server.told(&["deploy", "sandbox", &hash]);
    }
}

fn deed(integration: &str, body: Value) -> Deed {
    let kind = if body.is_array() {
        "application/cloudevents-batch+json"
    } else if body["specversion"].is_string() {
        "application/cloudevents+json"
    } else {
        "application/json"
    };
    Deed {
        path: format!("/in/sandbox/{integration}/{integration}"),
        headers: BTreeMap::from([("content-type".to_owned(), kind.to_owned())]),
        body,
    }
}

fn event(id: &str, note: &str) -> Value {
    json!({
        "specversion": "1.0", "type": "com.example.many", "source": "/shop", "id": id,
        "data": {"id": id, "note": note},
    })
}

/// A server with all of it, and a program that may send.
async fn stage(folder: &std::path::Path) -> (Server, Program) {
    let mut server = Server::new(folder);
    server.turn_vault_on();
    server.set("QC_PUBLIC_URL", &format!("http://127.0.0.1:{}", server.port));
    server.set("QC_OPERATOR", "Platform team <platform@example.com>");
    server.start().await;
    project(&server);
    let of = ["--environment", "sandbox", "--role", "runtime", "--owner", "team", "--purpose", "x"];
    let made = server.told(&[&["access", "clients", "create", "billing"][..], &of].concat());
    let secret = made["secret"].as_str().unwrap().to_owned();
    let program = Program {
        line: Line::to(server.port),
        client: ("billing".to_owned(), secret),
        authorization: String::new(),
        did: Vec::new(),
        fresh: 0,
    };
    (server, program)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_program_that_only_reads_the_next_action_comes_through() {
    let folder = tempfile::tempdir().unwrap();
    let (mut server, mut program) = stage(folder.path()).await;
    let did = |program: &mut Program| std::mem::take(&mut program.did).join(" ");

    // A credential that counts no more is renewed where the answer says.
    let of = ["--role", "runtime", "--environment", "sandbox"];
    let made = server.told(&[&["tokens", "create", "old"][..], &of].concat());
    program.authorization = format!("Bearer {}", made["secret"].as_str().unwrap());
    server.told(&["tokens", "revoke", made["token"]["id"].as_str().unwrap()]);
    let good = json!({"id": "a", "level": "note"});
    assert_eq!(program.carry_out(deed("orders", good)).await, End::Done(1));
    assert_eq!(did(&mut program), "refresh_token");

    // What breaks the contract is put right where it says, as it says; several places at once.
    let bad = json!({"id": "b".repeat(30), "level": "loud", "count": 70});
    assert_eq!(program.carry_out(deed("orders", bad)).await, End::Done(1));
    assert_eq!(did(&mut program), "fix_request");
    let missing = program.carry_out(deed("orders", json!({"id": 7}))).await;
    assert_eq!(missing, End::Done(1), "{:?}", program.did);
    assert!(did(&mut program).starts_with("fix_request"));

    // A version that has ended, and one that never was.
    for version in ["1.0.0", "7.0.0"] {
        let mut old = deed("orders", json!({"id": format!("v{version}"), "level": "note"}));
        old.headers.insert("x-contract-version".to_owned(), version.to_owned());
        assert_eq!(program.carry_out(old).await, End::Done(1));
    }
    assert_eq!(did(&mut program), "migrate fix_request");

    // A limit that is used up, and one on what is open: the same request comes in, later.
    for name in ["paced", "slow"] {
        for id in ["1", "2"] {
            let end = program.carry_out(deed(name, json!({"id": id}))).await;
            assert_eq!(end, End::Done(1), "{name} {id}");
        }
        let waited = did(&mut program);
        assert!(waited.split(' ').all(|it| it == "wait_until") && !waited.is_empty(), "{waited}");
    }

    // A key that stood for something else.
    for (note, how) in [("one", ""), ("other", "fix_request")] {
        assert_eq!(program.carry_out(deed("many", event("k", note))).await, End::Done(1));
        assert_eq!(did(&mut program), how);
        let mut keyed = deed("many", event(&format!("h-{note}"), note));
        keyed.headers.insert("idempotency-key".to_owned(), "same".to_owned());
        assert_eq!(program.carry_out(keyed).await, End::Done(1));
        assert_eq!(did(&mut program), how);
    }

    // Too much at once is sent in pieces.
    let many: Vec<Value> = (0..300).map(|n| event(&format!("e{n}"), "")).collect();
    assert_eq!(program.carry_out(deed("many", json!(many))).await, End::Done(2));
    assert_eq!(did(&mut program), "fix_request");

    asked(&mut program).await;
    server.kill();
}

/// Where the program cannot help itself it is told whom to ask.
async fn asked(program: &mut Program) {
    let who = |name: &str, contact: &str| End::Asked(name.to_owned(), contact.to_owned());
    // The workflow's own mistake: to send it again would be no help.
    let mut waits = deed("failing", json!({"id": "none"}));
    waits.headers.insert("prefer".to_owned(), "wait=30".to_owned());
    assert_eq!(program.carry_out(waits).await, who("operations", "#operations"));
    // Nothing is there: the platform's operator.
    let nowhere = program.carry_out(deed("nobody", json!({}))).await;
    assert_eq!(nowhere, who("Platform team", "platform@example.com"));
    // Not allowed.
    let mut forbidden = deed("orders", json!({"name": "x"}));
    "/api/v1/tokens".clone_into(&mut forbidden.path);
    assert_eq!(program.carry_out(forbidden).await, who("Platform team", "platform@example.com"));
}
