//! Pact files against providers that keep what consumers expect, and ones that do not.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use base64::Engine as _;
use http::{HeaderMap, HeaderValue, StatusCode};
use qc_model::{Body, CallError, Caller, OutboundRequest, OutboundResponse};
use qc_verify::{Credentials, Outcome, PactFile, Replay, Report, Target};
use serde_json::{Value, json};

use crate::scene;

/// Answers with these, by method and target; notes what was asked.
#[derive(Default)]
struct Answers {
    all: Vec<(&'static str, u16, Value)>,
    asked: Mutex<Vec<(String, Value)>>,
}

#[async_trait]
impl Caller for Answers {
    async fn call(&self, request: OutboundRequest) -> Result<OutboundResponse, CallError> {
        let asked = format!("{} {}", request.method, request.url);
        let authorization = request.headers.get("authorization").cloned();
        let body = request.body.collect(1 << 20).await?;
        let mut body: Value = serde_json::from_slice(&body).unwrap_or_default();
        if let Some(value) = authorization {
            body = json!({ "authorization": value.to_str().unwrap() });
        }
        let found = self.all.iter().find(|(known, _, _)| asked == *known);
        self.asked.lock().unwrap().push((asked, body));
        let (status, body) =
            found.map_or((404, Value::Null), |(_, status, body)| (*status, body.clone()));
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        let metadata = base64::engine::general_purpose::STANDARD.encode("{\"topic\":\"orders\"}");
        headers.insert("Pact-Message-Metadata", HeaderValue::from_str(&metadata).unwrap());
        let body =
            if body.is_null() { Body::empty() } else { Body::Bytes(body.to_string().into()) };
        Ok(OutboundResponse { status: StatusCode::from_u16(status).unwrap(), headers, body })
    }
}

fn pact(version: &str, interactions: &Value) -> PactFile {
    let key = if version == "3.0.0" && interactions[0].get("contents").is_some() {
        "messages"
    } else {
        "interactions"
    };
    let file = json!({
        "consumer": { "name": "web" },
        "provider": { "name": "shop" },
        key: interactions,
        "metadata": { "pactSpecification": { "version": version } },
    });
    PactFile::read("web-shop.json", &serde_json::to_string_pretty(&file).unwrap()).unwrap()
}

async fn replayed(answers: &Arc<Answers>, files: &[PactFile], told: bool) -> Report {
    let target = |address: &str| Target::new(address, &[]).unwrap();
    let replay = Replay {
        files,
        target: target("http://127.0.0.1:1/v1"),
        states: told.then(|| target("http://127.0.0.1:1/states")),
        messages: told.then(|| target("http://127.0.0.1:1/messages")),
        caller: Arc::clone(answers) as Arc<dyn Caller>,
        api: None,
        credentials: &Credentials::made(),
        rate: None,
    };
    replay.run().await
}

fn order(version: &str) -> PactFile {
    let rules = match version {
        "2.0.0" => json!({ "$.body.id": { "match": "type" } }),
        _ => json!({ "body": { "$.id": { "matchers": [{ "match": "type" }] } } }),
    };
    let states = match version {
        "1.0.0" => json!("there is an order"),
        _ => json!([{ "name": "there is an order", "params": { "id": "o 1" } }]),
    };
    let key = if version < "3" { "providerState" } else { "providerStates" };
    let states = if version == "2.0.0" { json!("there is an order") } else { states };
    let (mut body, mut kind) = (json!({ "id": "o 1", "total": 3 }), json!({}));
    if version == "4.0" {
        body = json!({ "content": body, "contentType": "application/json" });
        kind = json!({ "type": "Synchronous/HTTP" });
    }
    let query = if version < "3" { json!("full=true") } else { json!({ "full": ["true"] }) };
    let auth = if version == "4.0" { json!(["Bearer stale"]) } else { json!("Bearer stale") };
    let mut interaction = json!({
        "description": "an order",
        key: states,
        "request": { "method": "get", "path": "/orders/o 1", "query": query, "headers": { "Authorization": auth } },
        "response": { "status": 200, "body": body },
    });
    if version != "1.0.0" {
        interaction["response"]["matchingRules"] = rules;
    }
    if let (Some(all), Some(kind)) = (interaction.as_object_mut(), kind.as_object()) {
        all.extend(kind.clone());
    }
    pact(version, &json!([interaction]))
}

const ASKED: &str = "GET http://127.0.0.1:1/v1/orders/o%201?full=true";

#[tokio::test]
async fn every_version_is_replayed_with_its_states() {
    for version in ["1.0.0", "2.0.0", "3.0.0", "4.0"] {
        let other_id = if version == "1.0.0" { "o 1" } else { "another" };
        let answers = Arc::new(Answers {
            all: vec![
                (ASKED, 200, json!({ "id": other_id, "total": 3, "more": true })),
                ("POST http://127.0.0.1:1/states", 200, json!({})),
            ],
            ..Answers::default()
        });
        let report = replayed(&answers, &[order(version)], true).await;
        assert_eq!(report.count(Outcome::Passed), 1, "{version}: {:?}", report.results);
        let asked = answers.asked.lock().unwrap();
        assert_eq!(asked[0].1["state"], "there is an order", "{version}");
        assert_eq!(asked[0].1["action"], "setup");
        assert_eq!(asked[0].1["consumer"], "web");
        // The consumer's stale token is replaced by a valid one.
        assert_eq!(asked[1].1["authorization"], "Bearer verification-token");
        assert_eq!(report.requests, 2);
    }
}

#[tokio::test]
async fn what_is_not_as_expected_is_told_with_its_place() {
    let answers = Arc::new(Answers {
        all: vec![(ASKED, 200, json!({ "id": 7, "total": "v-secret" }))],
        ..Answers::default()
    });
    let report = replayed(&answers, &[order("4.0")], false).await;
    let result = &report.results[0];
    assert_eq!(result.outcome, Outcome::Failed);
    let all: Vec<&str> = result.problems.iter().map(|p| p.message.as_str()).collect();
    assert!(
        all.iter().any(|m| m.contains("/body/id")) && all.iter().any(|m| m.contains("/body/total")),
        "{all:?}"
    );
    assert!(result.problems.iter().all(|p| p.code.as_str() == "QC-C068"));
    // Nobody was told of the state, and that is what is to be done first.
    assert!(result.problems[0].action.contains("--states-url"), "{:?}", result.problems);
    assert!(report.not_tried[0].what.contains("there is an order"));
    assert_eq!(
        (result.pointer.as_str(), result.place.as_ref().unwrap().file.as_ref()),
        ("/interactions/0", "web-shop.json")
    );
    assert!(result.place.as_ref().unwrap().line > 1);
    assert!(!format!("{report:?}").contains("v-secret"));
}

#[tokio::test]
async fn a_state_that_cannot_be_set_up_is_no_verdict_on_the_answer() {
    let answers = Arc::new(Answers {
        all: vec![
            (ASKED, 200, json!({ "id": "o 1", "total": 3 })),
            ("POST http://127.0.0.1:1/states", 500, json!({})),
        ],
        ..Answers::default()
    });
    let report = replayed(&answers, &[order("3.0.0")], true).await;
    assert_eq!(report.results[0].outcome, Outcome::Failed);
    assert_eq!(report.results[0].problems[0].code.as_str(), "QC-C070");
    assert_eq!(answers.asked.lock().unwrap().len(), 1, "the request is not sent");
}

#[tokio::test]
async fn messages_are_asked_for_and_pending_failures_do_not_count() {
    let message = json!([{
        "type": "Asynchronous/Messages",
        "description": "an order was placed",
        "contents": { "content": { "order": "o1" }, "contentType": "application/json" },
        "metadata": { "topic": "orders" },
        "matchingRules": { "body": { "$.order": { "matchers": [{ "match": "regex", "regex": "o[0-9]+" }] } } },
    }, {
        "type": "Synchronous/HTTP",
        "pending": true,
        "description": "not there yet",
        "request": { "method": "GET", "path": "/later" },
        "response": { "status": 200 },
    }]);
    let file = pact("4.0", &message);
    for (order, outcome) in [("o7", Outcome::Passed), ("x", Outcome::Failed)] {
        let answers = Arc::new(Answers {
            all: vec![("POST http://127.0.0.1:1/messages", 200, json!({ "order": order }))],
            ..Answers::default()
        });
        let files = [pact("4.0", &message)];
        let report = replayed(&answers, &files, true).await;
        assert_eq!(report.results[0].outcome, outcome, "{:?}", report.results[0]);
        assert_eq!(report.results[1].outcome, Outcome::Undecided);
        assert_eq!(answers.asked.lock().unwrap()[0].1["description"], "an order was placed");
    }
    let report = replayed(&Arc::new(Answers::default()), &[file], false).await;
    assert_eq!(report.results.len(), 1);
    assert!(
        report.not_tried.iter().any(|not| not.why.contains("--messages-url")),
        "{:?}",
        report.not_tried
    );
}

#[tokio::test]
async fn a_description_says_how_requests_prove_who_sends_them() {
    let text = include_str!("shop.yaml");
    let (api, caller) = (scene::api(text), scene::simulator(text));
    let files = [pact(
        "4.0",
        &json!([{
            "type": "Synchronous/HTTP",
            "description": "a page of orders",
            "request": { "method": "GET", "path": "/orders", "headers": { "X-Trace": ["abcd"] } },
            "response": { "status": 200 },
        }]),
    )];
    let (made, none) = (Credentials::made(), Credentials::default());
    for (api, credentials, passes) in
        [(Some(&api), &made, true), (None, &made, false), (Some(&api), &none, false)]
    {
        let replay = Replay {
            files: &files,
            target: Target::simulated().unwrap(),
            states: None,
            messages: None,
            caller: Arc::clone(&caller),
            credentials,
            api,
            rate: None,
        };
        let report = replay.run().await;
        assert_eq!(report.count(Outcome::Passed) == 1, passes, "{:?}", report.results);
    }
}
