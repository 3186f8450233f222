//! A project whose calls use every kind of secret, against the system that says all of them back.

use std::{fs, path::Path};

use crate::stage::{project::replace, server::Server};

/// The secrets by their names in the vault. Their values have what each encoding changes.
pub(crate) const SECRETS: [(&str, &str); 10] = [
    ("leaky/bearer", "cnry-bearer+1/\"&=k~z"),
    ("leaky/header", "cnry-header+2/\"&=k~z"),
    ("leaky/query", "cnry-query+3/\"&=k~z"),
    ("leaky/body", "cnry-body+4/\"&=k~z"),
    ("leaky/path", "cnry-path+5/\"&=k~z"),
    ("basic/user", "cnry-user+6/\"&=k~z"),
    ("basic/password", "cnry-password+7/\"&=k~z"),
    ("keyed/key", "cnry-key+8/\"&=k~z"),
    ("tokens/secret", "cnry-client-secret+9/\"&=k~z"),
    ("accounts/secret", "cnry-account-secret+10/\"&=k~z"),
];

/// How the system answers.
pub(crate) const MODES: [&str; 7] = ["ok", "bad", "refused", "gone", "broken", "garbage", "cut"];
/// By which of its tasks a run calls it.
pub(crate) const TASKS: [&str; 7] =
    ["inline", "places", "keyed", "basic", "tokens", "accounts", "raise"];

/// Whom the events are about.
pub(crate) const NAME: &str = "Cnry Perśon \"of\" the/events";
pub(crate) const EMAIL: &str = "cnry.person+of@the-events.example";

const WORKFLOW: &str = r#"
document: { dsl: "1.0.3", namespace: example, name: leaky, version: "0.1.0" }
use: { secrets: [bearer, header, query, body, path] }
do:
  - inline:
      if: ${ .task == "inline" }
      call: http
      with:
        method: post
        endpoint: { uri: "http://127.0.0.1:PORT/{mode}", authentication: { bearer: { token: '${ $secrets.bearer }' } } }
        body: ${ . }
  - places:
      if: ${ .task == "places" }
      input: { from: '${ . + {key: $secrets.path} }' }
      call: http
      with:
        method: post
        endpoint: { uri: "http://127.0.0.1:PORT/{mode}/{key}" }
        headers: { x-key: '${ $secrets.header }' }
        query: { key: '${ $secrets.query }', who: '${ .person.email }' }
        body: { key: '${ "is \($secrets.body)" }', said: '${ . }' }
  - keyed: { if: '${ .task == "keyed" }', call: keyed.say, with: { mode: '${ .mode }', said: '${ .said }' } }
  - basic: { if: '${ .task == "basic" }', call: basic.say, with: { mode: '${ .mode }', said: '${ .said }' } }
  - tokens: { if: '${ .task == "tokens" }', call: tokens.say, with: { mode: '${ .mode }', said: '${ .said }' } }
  - accounts: { if: '${ .task == "accounts" }', call: accounts.say, with: { mode: '${ .mode }', said: '${ .said }' } }
  - raise:
      if: ${ .task == "raise" }
      raise:
        error:
          type: https://open-workflow-specification.org/dsl/errors/types/validation
          status: 400
          title: ${ "Not for \(.person.name)" }
          detail: ${ "nothing is known of \(.person.email)" }
  - ask:
      if: ${ .task == "ask" }
      call: human.approve
      with: { title: Pay?, of: { id: '${ .id }', person: '${ .person }' }, assignee: operations }
"#;

const OPENAPI: &str = "
openapi: 3.1.0
info: { title: Echo, version: 1.0.0 }
servers: [{ url: 'http://127.0.0.1:PORT' }]
paths:
  /{mode}:
    post:
      operationId: say
      parameters: [{ name: mode, in: path, required: true, schema: { type: string } }]
      requestBody: { content: { application/json: { schema: { type: object, properties: { said: {} } } } } }
      responses: { '200': { description: ok } }
";

const RULES: &str = "systems:
  till: {direction: outbound, criticality: low, owner: operations, on_unavailable: fail, hosts: [127.0.0.1]}
  keyed: {direction: outbound, criticality: low, owner: operations, on_unavailable: fail}
  basic: {direction: outbound, criticality: low, owner: operations, on_unavailable: fail}
  tokens: {direction: outbound, criticality: low, owner: operations, on_unavailable: fail}
  accounts: {direction: outbound, criticality: low, owner: operations, on_unavailable: fail}

secrets:
  bearer: secret://leaky/bearer
  header: secret://leaky/header
  query: secret://leaky/query
  body: secret://leaky/body
  path: secret://leaky/path

lifecycle_events: true

objects:
  event:
    schema: contracts/leaky.schema.json
    fields: {person: personal}
    subject: person.email
    default: internal

tasks:
  inline: {effect: once, retry: {attempts: 1}}
  places: {effect: idempotent, retry: {attempts: 1}}
  keyed: {effect: idempotent, retry: {attempts: 1}}
  basic: {effect: idempotent, retry: {attempts: 2, delay: 10ms}}
  tokens: {effect: once, retry: {attempts: 1}}
  accounts: {effect: idempotent, retry: {attempts: 1}}
";

/// How each connector proves who calls.
const PROOFS: [(&str, &str); 4] = [
    ("keyed", "api_key: {in: query, name: key, value: secret://keyed/key}"),
    ("basic", "basic: {username: secret://basic/user, password: secret://basic/password}"),
    (
        "tokens",
        "oauth2_client_credentials: {token_url: 'http://127.0.0.1:PORT/token', client_id: qc, client_secret: secret://tokens/secret}",
    ),
    (
        "accounts",
        "oauth2_authorization_code: {authorization_url: 'http://127.0.0.1:PORT/authorize', token_url: 'http://127.0.0.1:PORT/token', redirect_uri: 'https://qc.example/connect/callback', client_id: qc, client_secret: secret://accounts/secret, scopes: [all]}",
    ),
];

/// Makes the project in the folder `mine` and deploys it.
pub(crate) fn deploy(server: &Server, port: u16) {
    deploy_doctored(server, port, |_| {});
}

/// The same with a project that was changed before.
pub(crate) fn deploy_doctored(server: &Server, port: u16, doctor: impl FnOnce(&Path)) {
    let port = port.to_string();
    let here = |text: &str| text.replace("PORT", &port);
    server.well(&["init", "mine", "--template", "notify"]);
    fs::write(server.folder.join("echo.yaml"), here(OPENAPI)).unwrap();
    for (name, proof) in PROOFS {
        server.well(&["new", "connector", name, "--openapi", "echo.yaml", "--folder", "mine"]);
        let text = format!(
            "name: {name}\nversion: 1.0.0\ntitle: {name}\nowner: operations\nopenapi: openapi.yaml\nauth: {{{}}}\n\
             errors: [{{match: {{status: 400}}, class: permanent, message: .error}}]\n\
             operations: {{say: {{effect: {{class: idempotent}}}}}}\n",
            here(proof)
        );
        fs::write(server.folder.join(format!("mine/connectors/{name}/connector.yaml")), text)
            .unwrap();
    }
    server.well(&["new", "integration", "leaky", "--folder", "mine"]);
    let folder = server.folder.join("mine/integrations/leaky");
    fs::write(folder.join("workflow.yaml"), here(WORKFLOW)).unwrap();
    let integration = folder.join("integration.yaml");
    replace(
        &integration,
        "tasks: [note]",
        "tasks: [inline, places, keyed, basic, tokens, accounts, ask]",
    );
    replace(&integration, "systems: {}", RULES);
    replace(&integration, "triggers:\n", HOOK);
    replace(&integration, "subject: .data.id", "subject: .data.person.email");
    let contract = folder.join("contracts/leaky.schema.json");
    let person = "\"properties\": {\n    \"person\": {\"properties\": {\"email\": {}}},";
    replace(&contract, "\"properties\": {", person);
    forget_scenario(&folder);
    doctor(&server.folder.join("mine"));
    let built = server.told(&["release", "build", "leaky", "--folder", "mine"]);
    server.well(&["deploy", "sandbox", built["release"].as_str().unwrap()]);
}

/// Beside the trigger that a token opens, one for whoever signs.
const HOOK: &str = "triggers:
  signed: {kind: json, event_type: com.example.signed, auth: signature, signature: standard-webhooks, secret: secret://leaky/hook, tenant: default, idempotency: {key: .data.id, window: 1h}}
";

/// What it says of the workflow that was there before is not true any more.
fn forget_scenario(folder: &Path) {
    let path = folder.join("acceptance/happy-path.yaml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(path, text.replace("output: ['.id == \"1\"']\n", "")).unwrap();
}
