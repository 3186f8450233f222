use std::collections::BTreeMap;

use qc_model::{EnvironmentName, Finding, Name, Severity};
use qc_workflow::{Backoff, Effect};
use serde_json::json;

use super::*;

const DOCUMENT: &str = r##"
openapi: 3.1.0
info: { title: Helpdesk, version: "2" }
servers: [{ url: https://api.helpdesk.test/v2 }]
paths:
  /tickets:
    get:
      operationId: listTickets
      parameters: [{ name: ref, in: query, schema: { type: string } }]
      responses:
        "200":
          description: ok
          content: { application/json: { schema: { type: object } } }
    post:
      operationId: createTicket
      requestBody:
        required: true
        content:
          application/json:
            schema: { $ref: "#/components/schemas/Draft" }
      responses: { "201": { description: made } }
  /tickets/{id}:
    delete:
      operationId: deleteTicket
      parameters: [{ name: id, in: path, required: true, schema: { type: string } }]
      responses: { "204": { description: gone } }
components:
  schemas:
    Draft: { type: object, required: [subject], properties: { subject: { type: string } } }
  securitySchemes:
    token: { type: http, scheme: bearer }
"##;

const CONNECTOR: &str = r#"
name: helpdesk
version: 1.2.0-rc.1
title: Helpdesk
owner: team-support
openapi: openapi.yaml
base_urls:
  production: https://api.helpdesk.test/v2/
  sandbox: https://${vars.helpdesk_host}/v2
auth:
  oauth2_client_credentials:
    token_url: https://login.helpdesk.test/token
    client_id: qc
    client_secret: secret://helpdesk/client-secret
    scopes: [tickets]
timeouts: { total: 20s, connect: 1500ms }
retry: { delay: 2s, backoff: linear, attempts: 3, jitter: { from: 0s, to: 1s } }
retryable_statuses: [429, 5xx]
limits: [{ requests: 100, per: 1m }]
errors:
  - match: { status: 409, body: '.code == "duplicate"' }
    class: conflict
    applied: no
    message: .message
  - match: { status: 200, body: '.ok == false' }
    class: invalid
response_validation: enforce
operations:
  createTicket:
    effect:
      class: keyed
      key: { in: header, name: Idempotency-Key, format: uuid, window: 24h, then: verify }
      verify:
        operation: listTickets
        parameters: '{ref: $key}'
        applied_when: '.items | length > 0'
        output: .items[0]
        settle: 3s
        not_found_means: not_applied
    timeout: 10s
  listTickets:
    pagination: { style: cursor, cursor: .next, parameter: ref, items: .items, max_pages: 5 }
webhook:
  signature: github
  secret: secret://helpdesk/webhook
"#;

fn load(connector: &str, document: &str) -> (Option<Connector>, Vec<Finding>) {
    let files = BTreeMap::from([
        ("connectors/helpdesk/connector.yaml".to_owned(), connector.to_owned()),
        ("connectors/helpdesk/openapi.yaml".to_owned(), document.to_owned()),
    ]);
    Connector::load(&files, "connectors/helpdesk")
}

fn environment(name: &str) -> EnvironmentName {
    EnvironmentName::new(name).unwrap()
}

#[test]
fn a_whole_package_loads() {
    let (connector, findings) = load(CONNECTOR, DOCUMENT);
    assert_eq!(findings, Vec::<Finding>::new());
    let connector = connector.unwrap();
    assert_eq!((connector.version(), connector.owner()), ("1.2.0-rc.1", Some("team-support")));
    let policy = connector.policy("createTicket").unwrap();
    assert_eq!((policy.effect, policy.timeout_ms), (Effect::Keyed, 10_000));
    assert_eq!((policy.retry.backoff, policy.retry.attempts), (Backoff::Linear, 3));
    assert_eq!(connector.policy("listTickets").unwrap().timeout_ms, 20_000);
    assert_eq!(connector.policy("deleteTicket").unwrap().effect, Effect::Idempotent);
    assert_eq!(connector.policy("nope"), None);
    let names: Vec<&str> = connector.secrets().into_iter().map(SecretRef::name).collect();
    assert_eq!(names, ["helpdesk/client-secret", "helpdesk/webhook"]);
    assert!(connector.pagination("listTickets").is_some());
    assert_eq!(connector.response_validation(), ResponseValidation::Enforce);
    assert!(connector.webhook().is_some());
}

#[test]
fn a_connection_takes_no_longer_than_the_whole() {
    let connector = load(CONNECTOR, DOCUMENT).0.unwrap();
    assert_eq!(connector.connect_timeout(), Some(Duration::from_millis(1500)));
    let usual = load(&CONNECTOR.replace(", connect: 1500ms", ""), DOCUMENT).0.unwrap();
    assert_eq!(usual.connect_timeout(), None);
    for (timeouts, message) in [
        ("{ total: 1s, connect: 1500ms }", "`connect` is longer than `total`"),
        ("{ connect: 31s }", "`connect` is longer than `total`"),
        ("{ connect: 0s }", "`connect` is more than 0 and at most 10m"),
        ("{ connect: soon }", "duration"),
    ] {
        let text = CONNECTOR.replace("{ total: 20s, connect: 1500ms }", timeouts);
        let (_, findings) = load(&text, DOCUMENT);
        let found = findings.iter().find(|f| f.severity == Severity::Error).unwrap();
        assert!(found.to_string().contains(message), "{found}");
    }
}

#[test]
fn addresses_belong_to_environments() {
    let connector = load(CONNECTOR, DOCUMENT).0.unwrap();
    let variables = BTreeMap::from([("helpdesk_host".to_owned(), json!("sandbox.test"))]);
    let url = |name| connector.base_url(&environment(name), &variables);
    assert_eq!(url("production").unwrap(), "https://api.helpdesk.test/v2");
    assert_eq!(url("sandbox").unwrap(), "https://sandbox.test/v2");
    assert_eq!(url("staging").unwrap_err().code, codes::NO_BASE_URL);
    let none = BTreeMap::new();
    let failure = connector.base_url(&environment("sandbox"), &none).unwrap_err();
    assert_eq!(failure.code, codes::MISSING_VARIABLE);
    let needed = connector.variables(&environment("sandbox"));
    assert_eq!(needed.into_iter().collect::<Vec<_>>(), ["helpdesk_host"]);
}

#[test]
fn all_problems_are_told_at_once() {
    let broken = CONNECTOR
        .replace("name: helpdesk\n", "name: helpdesc\n")
        .replace("1.2.0-rc.1", "1.2")
        .replace("secret://helpdesk/client-secret", "hunter2")
        .replace("https://api.helpdesk.test/v2/", "ftp://x")
        .replace("createTicket:", "createTickt:")
        .replace("class: conflict", "class: conflicting")
        .replace(".ok == false", ".ok ==")
        .replace("timeouts: { total", "timeouts: { totl")
        .replace("window: 24h, ", "");
    let (connector, findings) = load(&broken, DOCUMENT);
    assert!(connector.is_none());
    let codes_found: Vec<&str> = findings.iter().map(|finding| finding.code.as_str()).collect();
    for expected in [
        codes::NAME_MISMATCH.as_str(),
        qc_vault::codes::BAD_REFERENCE.as_str(),
        codes::BAD_BASE_URL.as_str(),
        codes::UNKNOWN_OPERATION.as_str(),
        codes::BAD_EXPRESSION.as_str(),
        "QC-Q012",
        "QC-Q013",
        "QC-Q015",
    ] {
        assert!(codes_found.contains(&expected), "{expected} in {findings:#?}");
    }
    let text = findings.iter().map(ToString::to_string).collect::<String>();
    assert!(!text.contains("hunter2"), "{text}");
    assert!(findings.iter().all(|f| f.place.is_some()));
    let helps = findings.iter().filter_map(|f| f.help.as_deref()).collect::<Vec<_>>();
    assert!(helps.contains(&"did you mean `createTicket`?"), "{helps:?}");
}

#[test]
fn effects_that_lack_something_are_refused() {
    for (effect, code) in [
        ("{ class: keyed }", codes::INCOMPLETE_EFFECT),
        ("{ class: verify }", codes::INCOMPLETE_EFFECT),
        (
            "{ class: keyed, key: { in: header, name: K, window: 1h, then: verify } }",
            codes::INCOMPLETE_EFFECT,
        ),
        ("{ class: once, key: { in: header, name: K, window: 1h } }", codes::INCOMPLETE_EFFECT),
        (
            "{ class: verify, verify: { operation: nope, parameters: '{}', applied_when: 'true' } }",
            codes::UNKNOWN_OPERATION,
        ),
        (
            "{ class: verify, verify: { operation: listTickets, parameters: '{a: $nope}', applied_when: 'true' } }",
            codes::BAD_EXPRESSION,
        ),
    ] {
        let yaml = format!(
            "name: helpdesk\nversion: 1.0.0\ntitle: t\nopenapi: openapi.yaml\noperations:\n  createTicket:\n    effect: {effect}\n"
        );
        let (_, findings) = load(&yaml, DOCUMENT);
        assert!(findings.iter().any(|f| f.code == code), "{effect}: {findings:#?}");
    }
}

#[test]
fn missing_files_are_named() {
    let files = BTreeMap::from([("connectors/a/connector.yaml".to_owned(), CONNECTOR.to_owned())]);
    let (connector, findings) = Connector::load(&files, "connectors/a");
    assert!(connector.is_none());
    let missing = findings.iter().find(|f| f.code == codes::MISSING_FILE).unwrap();
    assert!(missing.message.contains("connectors/a/openapi.yaml"), "{missing}");
    let (_, findings) = Connector::load(&files, "connectors/b");
    assert_eq!(findings[0].code, codes::MISSING_FILE);
}

#[test]
fn a_problem_in_the_document_is_placed_from_the_root() {
    let document = DOCUMENT.replace("#/components/schemas/Draft", "#/components/schemas/Nope");
    let (_, findings) = load(CONNECTOR, &document);
    let place =
        findings.iter().filter_map(|f| f.place.as_ref()).find(|p| p.file.ends_with("openapi.yaml"));
    assert_eq!(place.map(|p| &*p.file), Some("connectors/helpdesk/openapi.yaml"), "{findings:#?}");
}

#[test]
fn an_undeclared_change_is_a_warning() {
    let yaml = "name: helpdesk\nversion: 1.0.0\ntitle: t\nopenapi: openapi.yaml\n";
    let connector = load(yaml, DOCUMENT).0.unwrap();
    let finding = connector.undeclared_effect("createTicket").unwrap();
    assert_eq!((finding.code, finding.severity), (codes::UNDECLARED_EFFECT, Severity::Warning));
    assert_eq!(connector.undeclared_effect("deleteTicket"), None);
    assert_eq!(connector.policy("createTicket").unwrap().effect, Effect::Once);
    // Without declared addresses the document's own holds everywhere.
    let url = connector.base_url(&environment("any"), &BTreeMap::new()).unwrap();
    assert_eq!(url, "https://api.helpdesk.test/v2");
}

#[test]
fn an_error_that_nobody_says_the_meaning_of_is_a_warning() {
    let responses = |them: &str| {
        let made = r#""201": { description: made }"#;
        DOCUMENT.replace(made, &format!("{made}, {them}"))
    };
    let told = |rule: &str, them: &str| {
        let yaml = CONNECTOR.replace("errors:\n", &format!("errors:\n{rule}"));
        let (connector, findings) = load(&yaml, &responses(them));
        assert_eq!(findings, Vec::<Finding>::new(), "{rule}");
        let connector = connector.unwrap();
        assert_eq!(connector.unmapped_errors("listTickets"), None);
        connector.unmapped_errors("createTicket").map(|finding| {
            assert_eq!(finding.severity, Severity::Warning);
            assert_eq!(finding.code, codes::UNMAPPED_ERROR);
            finding.message
        })
    };
    let strange = r#""423": {description: l}, "520": {description: u}, "422": {description: i}"#;
    let message = told("", strange).unwrap();
    assert!(message.contains("`helpdesk.createTicket` may answer 423, 520, and"), "{message}");
    let one = "  - { match: { status: 423 }, class: transient }\n";
    assert!(told(one, strange).unwrap().contains("may answer 520, and"));
    let rest = "  - { match: { status: [5xx, 423] }, class: transient }\n";
    assert_eq!(told(rest, strange), None);
    let all = "  - { match: { status: other, body: .strange }, class: permanent }\n";
    assert_eq!(told(all, strange), None);
    // What every vendor means by it needs no rule, and a family says nothing.
    let plain = r#""404": {description: n}, "503": {description: o}, 4XX: {description: f}, default: {description: d}"#;
    assert_eq!(told("", plain), None);
}

#[test]
fn an_error_rule_behind_one_that_takes_all_of_it_can_never_decide() {
    let found = |rules: &[&str]| {
        let list = format!("  - {}\n", rules.join("\n  - "));
        let errors = CONNECTOR.find("errors:\n").unwrap();
        let end = CONNECTOR.find("response_validation").unwrap();
        let yaml = format!("{}errors:\n{list}{}", &CONNECTOR[..errors], &CONNECTOR[end..]);
        let findings = load(&yaml, DOCUMENT).1;
        findings.into_iter().map(|it| (it.code, it.message)).collect::<Vec<_>>()
    };
    let shadowed = |first| {
        let message = format!("rule {first} of `errors` fits wherever this one does");
        vec![(codes::SHADOWED_RULE, message)]
    };
    let conflict = "{ match: { status: 409 }, class: conflict }";
    let family = "{ match: { status: 4xx }, class: invalid }";
    let other = "{ match: { status: other }, class: permanent }";
    let in_body = "{ match: { status: 200, body: .failed }, class: invalid }";
    let header = "{ match: { header: x-busy }, class: overloaded }";
    let of_value = "{ match: { status: 409, header: { x-busy: yes } }, class: overloaded }";
    assert_eq!(found(&[in_body, conflict, family, other]), []);
    assert_eq!(found(&[family, conflict]), shadowed(1));
    assert_eq!(found(&[conflict, other, family]), shadowed(2));
    assert_eq!(found(&[other, in_body, other]), shadowed(1));
    assert_eq!(found(&[header, of_value]), shadowed(1));
    // One whose body, status or header may not fit leaves something to the next.
    assert_eq!(found(&[of_value, header, in_body, in_body]), []);
    assert_eq!(found(&["{ match: { status: 4xx, body: .x }, class: invalid }", conflict]), []);
    assert_eq!(found(&["{ match: { status: [400, 409] }, class: invalid }", family]), []);
    assert_eq!(found(&[other, header]), []);
    let both = "{ match: { status: [409, 500] }, class: conflict }";
    assert_eq!(found(&[conflict, both]), []);
    assert_eq!(found(&[both, conflict]), shadowed(1));
}

#[test]
fn a_release_keeps_what_it_uses_and_what_verifies_it() {
    let connector = load(CONNECTOR, DOCUMENT).0.unwrap();
    let (kept, findings) = connector.keep(["createTicket"]);
    assert!(findings.iter().all(|f| f.severity != Severity::Error), "{findings:#?}");
    assert_eq!(kept.operation_names(), ["listTickets", "createTicket"]);
    assert_eq!(kept.policy("createTicket"), connector.policy("createTicket"));
    assert_eq!(kept.operation("deleteTicket").map(|o| &o.id), None);
    // A connector that is there for its webhooks alone.
    let (kept, findings) = connector.keep([]);
    assert!(findings.iter().all(|f| f.severity != Severity::Error), "{findings:#?}");
    assert_eq!((kept.operation_names().len(), kept.webhook().is_some()), (0, true));
}

#[test]
fn an_overlay_is_applied() {
    let overlay = "overlay: 1.0.0\ninfo: { title: o, version: '1' }\nactions:\n  - target: $.paths['/tickets'].post\n    update: { operationId: openTicket }\n";
    let yaml =
        "name: helpdesk\nversion: 1.0.0\ntitle: t\nopenapi: openapi.yaml\noverlay: overlay.yaml\n";
    let files = BTreeMap::from([
        ("connectors/helpdesk/connector.yaml".to_owned(), yaml.to_owned()),
        ("connectors/helpdesk/openapi.yaml".to_owned(), DOCUMENT.to_owned()),
        ("connectors/helpdesk/overlay.yaml".to_owned(), overlay.to_owned()),
    ]);
    let (connector, findings) = Connector::load(&files, "connectors/helpdesk");
    assert!(connector.unwrap().policy("openTicket").is_some(), "{findings:#?}");
}

#[test]
fn a_scaffold_loads_and_says_what_is_open() {
    let name = Name::new("desk").unwrap();
    for scheme in [
        "{ type: http, scheme: bearer }",
        "{ type: http, scheme: basic }",
        "{ type: apiKey, in: header, name: X-Key }",
        "{ type: oauth2, flows: { clientCredentials: { tokenUrl: https://l.test/t, scopes: { a: b } } } }",
        "{ type: openIdConnect, openIdConnectUrl: https://l.test/o }",
    ] {
        let document = DOCUMENT.replace("{ type: http, scheme: bearer }", scheme);
        let environments = [environment("sandbox"), environment("production")];
        let made = scaffold(&name, &document, false, &environments).unwrap();
        assert!(made.decisions.len() >= 3, "{:?}", made.decisions);
        let files: BTreeMap<String, String> = made.files.into_iter().collect();
        let (connector, findings) = Connector::load(&files, "connectors/desk");
        let errors: Vec<_> = findings.iter().filter(|f| f.severity == Severity::Error).collect();
        assert_eq!(errors, Vec::<&Finding>::new(), "{}", files["connectors/desk/connector.yaml"]);
        let connector = connector.unwrap();
        assert!(connector.base_url(&environments[0], &BTreeMap::new()).is_ok());
    }
}

#[test]
fn versions_are_semantic() {
    for good in ["0.1.0", "1.20.300", "1.0.0-rc.1", "1.0.0+build.5", "1.0.0-a-b+c"] {
        let yaml = format!("name: helpdesk\nversion: {good}\ntitle: t\nopenapi: openapi.yaml\n");
        assert!(load(&yaml, DOCUMENT).0.is_some(), "{good}");
    }
    for bad in ["1.0", "01.0.0", "1.0.0-", "v1.0.0", "1.0.0.0", "1.-1.0"] {
        let yaml = format!("name: helpdesk\nversion: '{bad}'\ntitle: t\nopenapi: openapi.yaml\n");
        assert!(load(&yaml, DOCUMENT).0.is_none(), "{bad}");
    }
}

/// GitHub's description: 11 MB and over a thousand operations; a release holds three of them.
#[test]
fn a_large_document_is_cut_to_what_is_used() {
    let shared = std::env::var_os("QC_SHARED").map_or_else(
        || std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        std::path::PathBuf::from,
    );
    let path = shared.join("data/github-rest-api/octokit-openapi-19.1.0.json.gz");
    let Ok(file) = std::fs::File::open(&path) else {
        println!("skipped: {} is not there", path.display());
        return;
    };
    let mut document = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(file), &mut document).unwrap();
    let yaml = "name: github\nversion: 1.0.0\ntitle: GitHub\nopenapi: openapi.json\n";
    let files = BTreeMap::from([
        ("connectors/github/connector.yaml".to_owned(), yaml.to_owned()),
        ("connectors/github/openapi.json".to_owned(), document),
    ]);
    let (connector, findings) = Connector::load(&files, "connectors/github");
    assert!(findings.iter().all(|f| f.severity != Severity::Error), "{:#?}", &findings[..1]);
    let used = ["issues/create", "issues/get", "issues/create-comment"];
    let (kept, findings) = connector.unwrap().keep(used);
    assert_eq!(kept.operation_names().len(), 3);
    assert!(findings.iter().all(|f| f.severity != Severity::Error), "{findings:#?}");
    let kept_bytes = kept.api().keep_only(&used).to_string().len();
    assert!(kept_bytes < 200_000, "{kept_bytes}");
}

#[test]
fn a_connection_s_auth_is_read_and_what_is_wrong_in_it_is_said() {
    let of = |from: &str, to: &str| {
        let auth = "oauth2_authorization_code:
    authorization_url: https://login.helpdesk.test/authorize
    token_url: https://login.helpdesk.test/token
    redirect_uri: https://${vars.qc}/connect/callback
    client_id: qc
    client_secret: secret://helpdesk/client-secret
    rotating: true
    grace: 60s
    errors: { bad_token: invalid_grant }
    waiver: { reason: theirs, until: 2026-12-31 }
";
        let begin = CONNECTOR.find("oauth2_client_credentials").unwrap();
        let end = CONNECTOR.find("timeouts:").unwrap();
        let text = [&CONNECTOR[..begin], &auth.replace(from, to), &CONNECTOR[end..]].concat();
        let files = BTreeMap::from([
            ("connectors/helpdesk/connector.yaml".to_owned(), text),
            ("connectors/helpdesk/openapi.yaml".to_owned(), DOCUMENT.to_owned()),
        ]);
        let (connector, findings) = Connector::load(&files, "connectors/helpdesk");
        let errors = findings.iter().filter(|one| one.severity == Severity::Error).count();
        (connector, errors)
    };
    let (connector, errors) = of("qc", "qc");
    assert_eq!(errors, 0);
    let connector = connector.unwrap();
    let AuthProfile::Connection(oauth) = connector.auth() else { panic!() };
    let rotation = qc_connection::Rotation::Rotating { grace_ms: 60_000 };
    assert_eq!((oauth.dialect.rotation, oauth.dialect.words.len()), (rotation, 1));
    assert!(connector.auth().variables().contains(&"qc"));
    for (from, to) in [
        ("/connect/callback", "/elsewhere"),
        ("invalid_grant", "nonsense"),
        ("2026-12-31", "soon"),
        ("rotating: true", "rotating: false"),
        ("secret://helpdesk/client-secret", "in-the-clear"),
        ("grace: 60s", "unknown: 1"),
    ] {
        assert!(of(from, to).1 > 0, "{to} is taken");
    }
}

#[test]
fn only_what_reads_is_asked_on_a_schedule() {
    let with = |operations: &str| {
        let (head, _) = CONNECTOR.split_once("operations:\n").unwrap();
        load(&format!("{head}operations:\n{operations}"), DOCUMENT)
    };
    let (connector, findings) = with(
        "  listTickets: { canary: { every: 2m, with: { ref: a } } }\n  \
         createTicket: { effect: { class: idempotent }, canary: { with: { subject: a } } }\n",
    );
    let connector = connector.unwrap_or_else(|| panic!("{findings:#?}"));
    let rules: Vec<_> = connector.canaries().map(|(id, rule)| (id, rule.every.as_secs())).collect();
    assert_eq!(rules, [("createTicket", 300), ("listTickets", 120)]);
    for edge in ["1m", "7d"] {
        let (_, findings) = with(&format!(
            "  listTickets: {{ canary: {{ every: {edge}, with: {{ ref: a }} }} }}\n"
        ));
        let refused = findings.iter().any(|one| one.severity == qc_model::Severity::Error);
        assert!(!refused, "{edge}: {findings:#?}");
    }
    // A release that does not use an operation does not ask it.
    let (kept, _) = connector.keep(["listTickets"]);
    assert_eq!(kept.canaries().map(|(id, _)| id).collect::<Vec<_>>(), ["listTickets"]);
    for (operations, said) in [
        ("  deleteTicket: { canary: { with: { id: a } } }\n", "is a DELETE of the effect class"),
        (
            "  createTicket: { canary: { with: { subject: a } } }\n",
            "POST of the effect class `once`",
        ),
        (
            "  listTickets: { effect: { class: once }, canary: {} }\n",
            "GET of the effect class `once`",
        ),
        ("  listTickets: { canary: { every: 59s } }\n", "at least 1m and at most 7d"),
        ("  listTickets: { canary: { every: 8d } }\n", "at least 1m and at most 7d"),
        (
            "  listTickets: { canary: { with: { red: a } } }\n",
            "`with` is no legal call of `listTickets`",
        ),
        ("  listTickets: { canary: { with: [a] } }\n", "with"),
        ("  listTickets: { canary: { often: 5m } }\n", "often"),
    ] {
        let (_, findings) = with(operations);
        let told = findings.iter().any(|one| one.message.contains(said) && one.place.is_some());
        assert!(told, "{operations}: {findings:#?}");
    }
}

#[test]
fn a_call_counts_against_the_limits_that_name_its_operation_or_those_of_all_others() {
    let limits = "limits:
  - { requests: 100, per: 1m }
  - { requests: 5000, per: 1d, concurrent: 8 }
  - { requests: 2, per: 1s, operations: [createTicket] }";
    let text = CONNECTOR.replace("limits: [{ requests: 100, per: 1m }]", limits);
    let connector = load(&text, DOCUMENT).0.unwrap();
    let name = connector.name().to_string();
    let families = connector.families();
    let shown: Vec<_> = families.iter().map(|one| (&*one.limit, one.operations.len())).collect();
    assert_eq!(shown, [(&*name, 0), (&*format!("{name}/createTicket"), 1)]);
    let connectors = crate::call::Connectors::new([connector], []);
    let limit_of = |operation: &str| {
        let target = qc_workflow::CallTarget::Connector {
            connector: name.clone(),
            operation: operation.to_owned(),
            arguments: serde_json::Value::Null,
            output: qc_workflow::OutputShape::Content,
        };
        connectors.limit_of(&target).unwrap()
    };
    let (all, declared) = limit_of("listTickets");
    let seconds = std::time::Duration::from_secs;
    assert_eq!(declared.rates, [(100, seconds(60)), (5_000, seconds(86_400))]);
    assert_eq!(declared.concurrent, Some(8));
    assert_eq!(families[0].declared, declared);
    let (own, declared) = limit_of("createTicket");
    assert_eq!(families[1].declared, declared);
    assert_eq!((declared.rates, declared.concurrent), (vec![(2, seconds(1))], None));
    assert_eq!((all.as_str(), own.as_str()), (&*name, &*format!("{name}/createTicket")));
}

#[test]
fn a_limit_that_cannot_be_kept_is_a_finding() {
    for (limit, code) in [
        ("{ requests: 100 }", "QC-N011"),
        ("{ requests: 100, per: 1m, operations: [] }", "QC-N011"),
        ("{ per: 1m }", "QC-N011"),
        ("{ operations: [createTicket] }", "QC-N011"),
        (
            "{ requests: 1, per: 1s, operations: [createTicket, listTickets] }, { concurrent: 2, operations: [listTickets] }",
            "QC-N011",
        ),
        ("{ requests: 1, per: 1s, operations: [nothing] }", "QC-N003"),
    ] {
        let text = CONNECTOR.replace("{ requests: 100, per: 1m }", limit);
        let (_, findings) = load(&text, DOCUMENT);
        assert!(findings.iter().any(|one| one.code.as_str() == code), "{limit}: {findings:?}");
    }
    let text = CONNECTOR.replace("per: 1m }]", "per: 40d }]");
    assert!(load(&text, DOCUMENT).1.iter().any(|one| one.message.contains("31d")));
}

/// What is told of a connector with these rules of an operation, whose document takes many tickets at once.
fn batching(operation: &str, rules: &str) -> (Option<Connector>, String) {
    let document = format!(
        "{}  /tickets/all:
    post:
      operationId: createTickets
      requestBody: {{ content: {{ application/json: {{ schema: {{ type: array }} }} }} }}
      responses: {{ \"200\": {{ description: ok }} }}
  /export:
    post:
      operationId: export
      requestBody: {{ content: {{ text/csv: {{ schema: {{ type: string }} }} }} }}
      responses: {{ \"200\": {{ description: ok }} }}
  /teams:
    post:
      operationId: perTeam
      parameters: [{{ name: team, in: query, required: true, schema: {{ type: string }} }}]
      requestBody: {{ content: {{ application/json: {{ schema: {{ type: array }} }} }} }}
      responses: {{ \"200\": {{ description: ok }} }}
components:",
        DOCUMENT.split("components:").next().unwrap()
    );
    let document = document + DOCUMENT.split("components:").nth(1).unwrap();
    let connector = format!(
        "name: helpdesk\nversion: 1.0.0\ntitle: Helpdesk\nopenapi: openapi.yaml\nauth: {{ none: {{}} }}\noperations:\n  {operation}:\n{rules}"
    );
    let (connector, findings) = load(&connector, &document);
    let told = findings.iter().map(|one| format!("{}: {}", one.code, one.message));
    (connector, told.collect::<Vec<_>>().join("\n"))
}

fn batch(operation: &str) -> String {
    format!("    batch: {{ operation: {operation}, max: 10, results: . }}\n")
}

#[test]
fn what_cannot_go_together_is_said() {
    let (connector, told) = batching("createTicket", &batch("createTickets"));
    assert_eq!(told, "");
    let rule = connector.as_ref().and_then(|it| it.batch("createTicket")).unwrap();
    assert_eq!((rule.max, rule.operation.as_str()), (10, "createTickets"));
    let (kept, _) = connector.unwrap().keep(["createTicket"]);
    assert!(kept.operation("createTickets").is_some(), "a release holds what its batches need");

    let verify = "    effect: { class: verify, verify: { operation: listTickets, parameters: '{}', applied_when: 'true' } }\n";
    let read_back = "    effect: { class: keyed, key: { in: body, name: key, window: 1h, then: verify }, verify: { operation: listTickets, parameters: '{}', applied_when: 'true' } }\n";
    let header = "    effect: { class: keyed, key: { in: header, name: Key, window: 1h } }\n";
    for (operation, rules, wanted) in [
        (
            "createTicket",
            batch("createTicketz"),
            "QC-N003: the document has no operation `createTicketz`",
        ),
        ("createTicket", batch("createTicket"), "QC-N014: an operation is no batch of itself"),
        (
            "deleteTicket",
            batch("createTickets"),
            "QC-N014: `deleteTicket` needs `id`: only operations",
        ),
        ("createTicket", batch("perTeam"), "QC-N014: `perTeam` needs `team`, which no call"),
        ("createTicket", batch("export"), "QC-N014: `export` takes no JSON as its body"),
        ("listTickets", batch("createTickets"), "QC-N014: `listTickets` takes no JSON as its body"),
        (
            "createTicket",
            verify.to_owned() + &batch("createTickets"),
            "QC-N014: `createTicket` is read back",
        ),
        (
            "createTicket",
            header.to_owned() + &batch("createTickets"),
            "QC-N014: the key of `createTicket` is not in its body",
        ),
        (
            "createTicket",
            read_back.to_owned() + &batch("createTickets"),
            "QC-N014: `createTicket` is read back",
        ),
        (
            "createTicket",
            batch("createTickets")
                + "limits: [{ requests: 1, per: 1m, operations: [createTickets] }]\n",
            "are in different limits",
        ),
        (
            "createTicket",
            batch("createTickets") + "  createTickets: { pagination: { style: link, items: . } }\n",
            "`createTickets` has pages",
        ),
        (
            "createTicket",
            "    batch: { operation: createTickets, max: 1, results: . }\n".to_owned(),
            "max",
        ),
        ("createTicket", "    batch: { operation: createTickets, max: 2 }\n".to_owned(), "results"),
        (
            "createTicket",
            "    batch: { operation: createTickets, max: 2, results: '.[' }\n".to_owned(),
            "QC-N005",
        ),
    ] {
        let (_, told) = batching(operation, &rules);
        assert!(told.contains(wanted), "{operation} {rules}: {told}");
    }
}
