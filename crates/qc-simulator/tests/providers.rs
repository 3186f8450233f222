//! The three providers of the example do what their documents say.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod scene;

use std::time::Duration;

use http::StatusCode;
use qc_contract::OpenApi;
use qc_simulator::{Answered, LedgerBody, Provider, SimAnswer, load_folder};
use scene::*;
use serde_json::{Value, json};

#[test]
fn an_issue_is_created_read_changed_and_listed() {
    let tracker = provider("tracker", &at_noon());
    let token = token(&tracker);
    let bearer = format!("Bearer {token}");
    let auth = [("authorization", bearer.as_str())];
    let body = json!({"title": "Checkout is down", "priority": "high", "external_ref": "CASE-1"});
    let SimAnswer::Respond(created) = create_issue(&tracker, &token, "k1", &body) else { panic!() };
    assert_eq!(created.status, StatusCode::CREATED);
    assert_eq!(created.headers["location"], "/issues/TCK-1");
    let issue: Value = serde_json::from_slice(&created.body).unwrap();
    assert_eq!(
        issue,
        json!({
            "id": "TCK-1", "title": "Checkout is down", "priority": "high", "external_ref": "CASE-1",
            "status": "open", "created_at": "2026-11-20T12:00:00.000Z", "updated_at": "2026-11-20T12:00:00.000Z",
        })
    );
    let get = |target: &str| tracker.handle(request("GET", target, &auth, &Value::Null));
    assert_eq!(get("/issues/TCK-1").json(), Some(issue));
    let change = request("PATCH", "/issues/TCK-1", &auth, &json!({"status": "closed"}));
    assert_eq!(tracker.handle(change).json().unwrap()["status"], "closed");
    assert_eq!(get("/issues?status=closed").json().unwrap()["issues"].as_array().unwrap().len(), 1);
    assert_eq!(get("/issues?status=open").json().unwrap()["issues"], json!([]));
    assert_eq!(get("/issues?external_ref=CASE-2").json().unwrap()["issues"], json!([]));
    let missing = get("/issues/TCK-2");
    assert_eq!(missing.status(), Some(404));
    assert_eq!(missing.json().unwrap()["error"]["code"], "not_found");
}

#[test]
fn comments_live_below_an_issue_that_must_be_there() {
    let tracker = provider("tracker", &at_noon());
    let bearer = format!("Bearer {}", token(&tracker));
    let auth = [("authorization", bearer.as_str())];
    let comment = |issue: &str| {
        let path = format!("/issues/{issue}/comments");
        tracker.handle(request("POST", &path, &auth, &json!({"text": "hello"})))
    };
    assert_eq!(comment("TCK-1").status(), Some(404));
    tracker.handle(request("POST", "/issues", &auth, &json!({"title": "t"})));
    let made = comment("TCK-1").json().unwrap();
    assert_eq!((&made["id"], &made["issue_id"]), (&json!("CMT-1"), &json!("TCK-1")));
}

#[test]
fn what_does_many_does_for_each_what_another_does_for_one() {
    let document = "
openapi: 3.1.0
info: { title: Desk, version: '1' }
paths:
  /tickets:
    post:
      operationId: open
      requestBody:
        content: { application/json: { schema: { type: object, required: [n], properties: { n: { type: integer } } } } }
      responses: { '201': { description: made, content: { application/json: { schema: { type: object, properties: { id: { type: string }, n: { type: integer } } } } } } }
    get: { operationId: list, responses: { '200': { description: ok, content: { application/json: { schema: { type: array } } } } } }
  /tickets/{id}:
    get:
      operationId: read
      parameters: [{ name: id, in: path, required: true, schema: { type: string } }]
      responses: { '200': { description: ok, content: { application/json: { schema: { type: object } } } } }
  /many:
    post:
      operationId: many
      requestBody: { content: { application/json: { schema: { type: object } } } }
      responses: { '207': { description: ok } }
";
    let rule = |each: &str| {
        format!(
            "id: {{ /tickets: 'T-{{n}}' }}\nbatches: {{ many: {{ each: {each}, items: .all, answer: '{{ results: . }}' }} }}\n"
        )
    };
    let desk = provider_of(document, &rule("open"));
    let many = |body: &Value| desk.handle(request("POST", "/many", &[], body));
    let answer = many(&json!({"all": [{"n": 1}, {"n": "two"}, {"n": 3}]}));
    assert_eq!(answer.status(), Some(207));
    let results = answer.json().unwrap()["results"].clone();
    let status = |at: usize| results[at]["status"].as_u64().unwrap();
    assert_eq!([status(0), status(1), status(2)], [201, 400, 201]);
    assert_eq!((&results[0]["body"]["n"], &results[2]["body"]["id"]), (&json!(1), &json!("T-2")));
    assert_eq!(desk.state()["/tickets"].as_array().unwrap().len(), 2);
    assert_eq!(many(&json!({"some": []})).status(), Some(400));
    for (each, code) in [("read", "QC-T010"), ("many", "QC-T010"), ("opens", "QC-T001")] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("openapi.yaml"), document).unwrap();
        std::fs::write(folder.path().join("simulator.yaml"), rule(each)).unwrap();
        let (openapi, spec) = load_folder(folder.path()).unwrap();
        let found = Provider::new(openapi, spec, setup("made", &at_noon(), None)).err().unwrap();
        assert_eq!(found.iter().map(|one| one.code.to_string()).collect::<Vec<_>>(), [code]);
    }
}

#[test]
fn a_put_makes_once_and_replaces_then() {
    let crm_provider = provider("crm", &at_noon());
    let path = "/customers/CUST-7/cases/CASE-1";
    let body = json!({"state": "escalated", "severity": "high", "ticket": "TCK-1"});
    let first = crm(&crm_provider, "PUT", path, &body);
    assert_eq!(first.status(), Some(201));
    assert_eq!(first.json().unwrap()["case_id"], "CASE-1");
    assert_eq!(first.json().unwrap()["customer_id"], "CUST-7");
    let second = crm(&crm_provider, "PUT", path, &json!({"state": "closed"}));
    assert_eq!(second.status(), Some(200));
    assert_eq!(second.json().unwrap().get("ticket"), None, "replaced, not merged");
    assert_eq!(count(&crm_provider, "/customers/CUST-7/cases"), 1);
    assert_eq!(crm(&crm_provider, "DELETE", path, &Value::Null).status(), Some(204));
    assert_eq!(crm(&crm_provider, "GET", path, &Value::Null).status(), Some(404));
}

#[test]
fn requests_that_break_the_contract_are_refused_by_pointer() {
    let crm_provider = provider("crm", &at_noon());
    let path = "/customers/CUST-7/cases/CASE-1";
    let refused = crm(&crm_provider, "PUT", path, &json!({"state": "on fire", "colour": 1}));
    assert_eq!(refused.status(), Some(422));
    let problem = refused.json().unwrap();
    assert_eq!(problem["status"], 422);
    let pointers: Vec<&str> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["pointer"].as_str().unwrap())
        .collect();
    assert!(pointers.contains(&"/body/state"), "{problem}");
    assert_eq!(crm(&crm_provider, "PUT", path, &Value::Null).status(), Some(400));
    assert_eq!(
        crm(&crm_provider, "GET", "/customers?limit=many", &Value::Null).status(),
        Some(400)
    );
    assert_eq!(crm(&crm_provider, "GET", "/nowhere", &Value::Null).status(), Some(404));
    let SimAnswer::Respond(wrong) = crm(&crm_provider, "POST", path, &json!({})) else { panic!() };
    assert_eq!(wrong.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(wrong.headers["allow"], "GET, PUT, DELETE");
    assert_eq!(count(&crm_provider, "/customers/CUST-7/cases"), 0);
    let mut broken = request("PUT", path, &[("x-api-key", "crm-key")], &json!({}));
    broken.body = bytes::Bytes::from_static(b"{\"state\":");
    assert_eq!(crm_provider.handle(broken).status(), Some(400), "not JSON at all");
}

#[test]
fn lists_are_cut_into_pages_that_add_up() {
    let chat_provider = provider("chat", &at_noon());
    for n in 0..7 {
        post_message(&chat_provider, if n % 2 == 0 { "even" } else { "odd" });
    }
    let mut seen = Vec::new();
    let mut target = "/channels/support/messages?ref=even&limit=3".to_owned();
    loop {
        let page = chat(&chat_provider, "GET", &target, &Value::Null).json().unwrap();
        seen.extend(
            page["messages"]
                .as_array()
                .unwrap()
                .iter()
                .map(|m| m["id"].as_str().unwrap().to_owned()),
        );
        assert_eq!(page["has_more"], json!(page.get("next_cursor").is_some()));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        target = format!("/channels/support/messages?ref=even&limit=3&cursor={cursor}");
    }
    assert_eq!(seen, ["MSG-1", "MSG-3", "MSG-5", "MSG-7"]);
    let bad = chat(&chat_provider, "GET", "/channels/support/messages?cursor=12", &Value::Null);
    assert_eq!(bad.status(), Some(400));
    let crm_provider = provider("crm", &at_noon());
    let page =
        crm(&crm_provider, "GET", "/customers?limit=1&offset=1", &Value::Null).json().unwrap();
    assert_eq!(page["items"][0]["id"], "CUST-8");
    assert_eq!(page["total"], 2);
}

#[test]
fn bare_lists_name_the_next_page_in_a_link() {
    let provider = provider_of(
        r"
openapi: 3.1.0
info: {title: Notes, version: 1.0.0}
paths:
  /notes:
    get:
      operationId: listNotes
      parameters:
        - {name: per_page, in: query, schema: {type: integer}}
        - {name: page, in: query, schema: {type: integer}}
      responses:
        '200':
          description: Notes.
          content: {application/json: {schema: {type: array, items: {$ref: '#/components/schemas/Note'}}}}
    post:
      operationId: createNote
      requestBody: {content: {application/json: {schema: {type: object}}}}
      responses:
        '201': {description: Made., content: {application/json: {schema: {$ref: '#/components/schemas/Note'}}}}
  /notes/{note_id}:
    get:
      operationId: getNote
      parameters: [{name: note_id, in: path, required: true, schema: {type: integer}}]
      responses:
        '200': {description: One., content: {application/json: {schema: {$ref: '#/components/schemas/Note'}}}}
  /ping:
    post:
      operationId: ping
      responses:
        '200': {description: Pong., content: {application/json: {schema: {type: object, required: [pong], properties: {pong: {type: string, enum: [pong]}}}}}}
components:
  schemas:
    Note: {type: object, required: [id], properties: {id: {type: integer}, text: {type: string}}}
",
        "",
    );
    for n in 0..3 {
        let made = provider.handle(request("POST", "/notes", &[], &json!({"text": n.to_string()})));
        assert_eq!(made.json().unwrap()["id"], n + 1, "ids are integers");
    }
    let list = provider.handle(request("GET", "/notes?per_page=2&page=1", &[], &Value::Null));
    let SimAnswer::Respond(first) = list else { panic!() };
    assert_eq!(first.headers["link"], "</notes?per_page=2&page=2>; rel=\"next\"");
    let last = provider.handle(request("GET", "/notes?per_page=2&page=2", &[], &Value::Null));
    let SimAnswer::Respond(last) = last else { panic!() };
    assert_eq!(last.headers.get("link"), None);
    assert_eq!(serde_json::from_slice::<Value>(&last.body).unwrap()[0]["text"], "2");
    assert_eq!(
        provider.handle(request("GET", "/notes/2", &[], &Value::Null)).json().unwrap()["id"],
        2
    );
    let ping = provider.handle(request("POST", "/ping", &[], &Value::Null));
    assert_eq!(ping.json(), Some(json!({"pong": "pong"})));
}

#[test]
fn each_kind_of_credential_is_checked() {
    let clock = at_noon();
    let chat_provider = provider("chat", &clock);
    let with = |value: &str| request("GET", "/channels", &[("authorization", value)], &Value::Null);
    assert_eq!(chat_provider.handle(with("Bearer chat-token")).status(), Some(200));
    let SimAnswer::Respond(wrong) = chat_provider.handle(with("Bearer other")) else { panic!() };
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    assert_eq!(wrong.headers["www-authenticate"], "Bearer error=\"invalid_token\"");
    assert_eq!(chat_provider.handle(with("Basic chat-token")).status(), Some(401));
    let crm_provider = provider("crm", &clock);
    let key = |key: &str| request("GET", "/customers", &[("x-api-key", key)], &Value::Null);
    assert_eq!(crm_provider.handle(key("crm-key")).status(), Some(200));
    assert_eq!(crm_provider.handle(key("crm-keys")).status(), Some(401));
    assert_eq!(
        crm_provider.handle(request("GET", "/customers", &[], &Value::Null)).status(),
        Some(401)
    );
}

#[test]
fn tokens_are_issued_expire_and_carry_scopes() {
    let clock = at_noon();
    let tracker = provider("tracker", &clock);
    let ask = |id: &str, secret: &str, form: &str| tracker.handle(token_request(id, secret, form));
    let refused = ask("tracker-client", "wrong", "grant_type=client_credentials");
    assert_eq!(
        (refused.status(), refused.json().unwrap()["error"].clone()),
        (Some(401), json!("invalid_client"))
    );
    let refused = ask("tracker-client", "tracker-secret", "grant_type=password");
    assert_eq!(refused.json().unwrap()["error"], "unsupported_grant_type");
    let refused =
        ask("tracker-client", "tracker-secret", "grant_type=client_credentials&scope=root");
    assert_eq!(refused.json().unwrap()["error"], "invalid_scope");
    let narrow = ask(
        "tracker-client",
        "tracker-secret",
        "grant_type=client_credentials&scope=issues%3Aread",
    );
    let narrow = narrow.json().unwrap();
    assert_eq!(narrow["expires_in"], 3600);
    let body = json!({"title": "t"});
    let forbidden = create_issue(&tracker, narrow["access_token"].as_str().unwrap(), "k", &body);
    assert_eq!(forbidden.status(), Some(403));
    assert_eq!(create_issue(&tracker, "chat-token", "e", &body).status(), Some(201), "listed");
    let token = token(&tracker);
    assert_eq!(create_issue(&tracker, &token, "k", &body).status(), Some(201));
    clock.advance(Duration::from_secs(3600));
    assert_eq!(create_issue(&tracker, &token, "k2", &body).status(), Some(401));
    assert_eq!(count(&tracker, "/issues"), 2);
}

#[test]
fn a_key_gets_its_first_answer_again() {
    let clock = at_noon();
    let tracker = provider("tracker", &clock);
    let body = json!({"title": "one"});
    let first = create_issue(&tracker, &token(&tracker), "k", &body);
    assert_eq!(create_issue(&tracker, &token(&tracker), "k", &body), first);
    let other = create_issue(&tracker, &token(&tracker), "k", &json!({"title": "two"}));
    assert_eq!(other.status(), Some(409));
    assert_eq!(other.json().unwrap()["error"]["code"], "idempotency_conflict");
    let refused = create_issue(&tracker, &token(&tracker), "bad", &json!({}));
    assert_eq!(refused.status(), Some(422));
    let mended = create_issue(&tracker, &token(&tracker), "bad", &json!({"title": "three"}));
    assert_eq!(mended.status(), Some(201), "a refusal is not remembered");
    assert_eq!(count(&tracker, "/issues"), 2);
    let entries = tracker.requests();
    let creations: Vec<_> = entries.iter().filter(|e| e.key.as_deref() == Some("k")).collect();
    let flags: Vec<_> = creations.iter().map(|e| (e.applied, e.replayed)).collect();
    assert_eq!(flags, [(true, false), (false, true), (false, false)]);
    clock.advance(Duration::from_secs(24 * 3600));
    create_issue(&tracker, &token(&tracker), "k", &body);
    assert_eq!(count(&tracker, "/issues"), 3, "past the window the key is new");
}

#[test]
fn the_ledger_tells_what_happened_and_keeps_no_credentials() {
    let tracker = provider("tracker", &at_noon());
    let token = token(&tracker);
    create_issue(&tracker, &token, "k", &json!({"title": "t", "external_ref": "CASE-9"}));
    let entries = tracker.requests();
    assert_eq!(entries.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(entries[0].operation.as_deref(), Some("issueToken"));
    assert_eq!(entries[0].body, LedgerBody::Withheld);
    let entry = &entries[1];
    assert_eq!(entry.operation.as_deref(), Some("createIssue"));
    assert_eq!((entry.key.as_deref(), entry.reference.as_deref()), (Some("k"), Some("CASE-9")));
    assert_eq!(entry.answered, Answered::Status(201));
    assert!(entry.applied && entry.fault.is_none());
    assert_eq!(entry.body_sha256.len(), 64);
    let all = serde_json::to_string(&entries).unwrap();
    for secret in [token.as_str(), "tracker-secret"] {
        assert!(!all.contains(secret));
    }
}

#[test]
fn equal_seeds_give_equal_providers() {
    let transcript = || {
        let chat_provider = provider("chat", &at_noon());
        chat_provider
            .inject(fault("{when: {probability: 0.5}, then: {status: {code: 500}}}"))
            .unwrap();
        let answers: Vec<SimAnswer> =
            (0..50).map(|n| post_message(&chat_provider, &n.to_string())).collect();
        (answers, serde_json::to_string(&chat_provider.requests()).unwrap())
    };
    let (answers, ledger) = transcript();
    assert_eq!((answers.clone(), ledger), transcript());
    let failed = answers.iter().filter(|answer| answer.status() == Some(500)).count();
    assert!((10..40).contains(&failed), "{failed}");
}

#[test]
fn what_providers_answer_fits_their_own_documents() {
    for name in ["tracker", "crm", "chat"] {
        let clock = at_noon();
        let provider = provider(name, &clock);
        let (openapi, _) = load_folder(&folder(name)).unwrap();
        let token = if name == "tracker" { token(&provider) } else { "chat-token".to_owned() };
        let bearer = format!("Bearer {token}");
        let auth = [("authorization", bearer.as_str()), ("x-api-key", "crm-key")];
        for operation in openapi.operations() {
            check_answers(&openapi, operation, &provider, &auth);
        }
    }
}

fn check_answers(
    openapi: &OpenApi,
    operation: &qc_contract::Operation,
    provider: &qc_simulator::Provider,
    auth: &[(&str, &str)],
) {
    for seed in 0..3 {
        let arguments = openapi.sample_arguments(operation, seed);
        let built = openapi.build(operation, &arguments).unwrap();
        let body = arguments.get("body").cloned().unwrap_or_default();
        let answer = provider.handle(request(operation.method.as_str(), &built.path, auth, &body));
        let SimAnswer::Respond(response) = answer else { panic!() };
        let headers: Vec<(String, String)> = response
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect();
        let body = serde_json::from_slice::<Value>(&response.body).ok();
        let status = response.status.as_u16();
        let found = openapi.check_response(operation, status, &headers, body.as_ref());
        assert!(found.is_empty(), "{} {status}: {found:?} {body:?}", operation.id);
    }
}

/// The recorded examples of the connectors are what their providers answer, but for the time of day.
#[test]
fn fixtures_are_answered_as_recorded() {
    for name in ["tracker", "crm", "chat"] {
        let provider = provider(name, &at_noon());
        let (openapi, _) = load_folder(&folder(name)).unwrap();
        let token = if name == "tracker" { token(&provider) } else { "chat-token".to_owned() };
        let bearer = format!("Bearer {token}");
        let auth = [("authorization", bearer.as_str()), ("x-api-key", "crm-key")];
        for file in std::fs::read_dir(folder(name).join("fixtures")).unwrap() {
            let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
            let fixture: Value = serde_json::from_str(&text).unwrap();
            let operation = openapi.operation(fixture["operation"].as_str().unwrap()).unwrap();
            let mut path = operation.path.to_string();
            for (name, value) in fixture["request"]["path"].as_object().into_iter().flatten() {
                path = path.replace(&format!("{{{name}}}"), value.as_str().unwrap());
            }
            let body = &fixture["request"]["body"];
            let answer = provider.handle(request(operation.method.as_str(), &path, &auth, body));
            let recorded = &fixture["response"];
            assert_eq!(json!(answer.status()), recorded["status"], "{name}");
            let timeless = |mut body: Value| {
                let fields = body.as_object_mut().unwrap();
                fields.retain(|name, _| {
                    !["created_at", "updated_at", "posted_at"].contains(&name.as_str())
                });
                body
            };
            assert_eq!(
                timeless(answer.json().unwrap()),
                timeless(recorded["body"].clone()),
                "{name}"
            );
        }
    }
}
