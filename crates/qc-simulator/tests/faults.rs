//! Every fault, as a caller meets it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod scene;

use std::time::Duration;

use qc_simulator::{Answered, Fault, Provider, SimAnswer, SimResponse};
use scene::*;
use serde_json::{Value, json};

/// A chat with one fault, and its answer to the first message.
fn struck(then: &str) -> (Provider, SimAnswer) {
    let provider = provider("chat", &at_noon());
    provider.inject(fault(&format!("then: {then}"))).unwrap();
    let answer = post_message(&provider, "CASE-1");
    (provider, answer)
}

fn messages(provider: &Provider) -> usize {
    count(provider, "/channels/support/messages")
}

fn response(answer: SimAnswer) -> SimResponse {
    let SimAnswer::Respond(response) = answer else { panic!("no answer: {answer:?}") };
    response
}

#[test]
fn statuses_come_with_their_headers_and_bodies() {
    let (provider, answer) = struck("{throttle: {retry_after: 1500ms}}");
    let answer = response(answer);
    assert_eq!(
        (answer.status.as_u16(), &answer.headers["retry-after"]),
        (429, &"2".parse().unwrap())
    );
    assert_eq!(
        serde_json::from_slice::<Value>(&answer.body).unwrap()["ok"],
        false,
        "the document's shape"
    );
    assert_eq!(messages(&provider), 0);
    assert_eq!(post_message(&provider, "CASE-1").status(), Some(200), "once is once");
    let (provider, answer) = struck("unavailable");
    assert_eq!((answer.status(), messages(&provider)), (Some(503), 0));
    let (provider, answer) = struck("{status: {code: 418, body: {tea: true}}}");
    assert_eq!((answer.status(), answer.json()), (Some(418), Some(json!({"tea": true}))));
    assert_eq!(messages(&provider), 0);
    let (provider, answer) = struck("{status: {code: 500, applied: true}}");
    assert_eq!((answer.status(), messages(&provider)), (Some(500), 1), "applied and yet an error");
    let (provider, answer) = struck("{error_in_200: {ok: false, error: rate_limited}}");
    assert_eq!(answer.json(), Some(json!({"ok": false, "error": "rate_limited"})));
    assert_eq!((answer.status(), messages(&provider)), (Some(200), 0));
}

#[test]
fn silence_with_and_without_effect() {
    for (then, expected, applied, answered) in [
        ("drop_after_apply", SimAnswer::Drop, 1, Answered::Dropped),
        ("drop_before_apply", SimAnswer::Drop, 0, Answered::Dropped),
        ("hang", SimAnswer::Hang, 0, Answered::Hung),
        ("{hang: {applied: true}}", SimAnswer::Hang, 1, Answered::Hung),
    ] {
        let (provider, answer) = struck(then);
        assert_eq!((answer, messages(&provider)), (expected, applied), "{then}");
        let entries = provider.requests();
        assert_eq!((entries[0].applied, entries[0].answered), (applied == 1, answered), "{then}");
        assert!(entries[0].fault.is_some());
    }
}

#[test]
fn a_lost_answer_is_found_again_by_its_key() {
    let tracker = provider("tracker", &at_noon());
    tracker.inject(Fault::once(qc_simulator::Deed::DropAfterApply).on("createIssue")).unwrap();
    let (token, body) = (token(&tracker), json!({"title": "t"}));
    assert_eq!(create_issue(&tracker, &token, "k", &body), SimAnswer::Drop);
    let again = create_issue(&tracker, &token, "k", &body);
    assert_eq!((again.status(), count(&tracker, "/issues")), (Some(201), 1));
}

#[test]
fn answers_come_spoilt_after_the_effect() {
    let (provider, answer) = struck("{slow: 300ms}");
    let slow = response(answer);
    assert_eq!((slow.delay, slow.status.as_u16()), (Duration::from_millis(300), 200));
    assert_eq!(messages(&provider), 1);
    let (provider, answer) = struck("malformed");
    assert_eq!((answer.status(), answer.json(), messages(&provider)), (Some(200), None, 1));
    let (_, answer) = struck("{wrong_type: {at: /id}}");
    assert_eq!(answer.json().unwrap()["id"], 5, "a text became its length");
    let (_, answer) = struck("wrong_type");
    assert!(answer.json().unwrap().as_object().unwrap().values().any(|value| !value.is_string()));
    let (_, answer) = struck("{drift: {rename: {from: /id, to: message_id}}}");
    let drifted = answer.json().unwrap();
    assert_eq!((drifted.get("id"), &drifted["message_id"]), (None, &json!("MSG-1")));
    let (_, answer) = struck("{drift: {remove: /id}}");
    assert_eq!(answer.json().unwrap().get("id"), None);
    let (_, answer) = struck("{drift: {change_type: /id}}");
    assert!(answer.json().unwrap()["id"].is_number());
    let (_, answer) = struck("{oversize: {bytes: 100000}}");
    let large = response(answer);
    assert!(large.body.len() > 100_000 && serde_json::from_slice::<Value>(&large.body).is_ok());
}

#[test]
fn drift_reaches_into_lists() {
    let provider = provider("chat", &at_noon());
    post_message(&provider, "CASE-1");
    let drift =
        "{when: {operation: listMessages}, then: {drift: {rename: {from: /messages/id, to: key}}}}";
    provider.inject(fault(drift)).unwrap();
    let list = chat(&provider, "GET", "/channels/support/messages", &Value::Null).json().unwrap();
    assert_eq!(list["messages"][0]["key"], "MSG-1");

    post_message(&provider, "CASE-2");
    provider.clear();
    let drift = "{when: {operation: listMessages}, then: {drift: {remove: [/messages/*/id, /next]}}, times: always}";
    provider.inject(fault(drift)).unwrap();
    let list = chat(&provider, "GET", "/channels/support/messages", &Value::Null).json().unwrap();
    let messages = list["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 2);
    assert!(messages.iter().all(|one| one.get("id").is_none() && one.get("text").is_some()));
}

#[test]
fn an_expired_token_is_refused_and_a_new_one_taken() {
    let tracker = provider("tracker", &at_noon());
    let old = token(&tracker);
    tracker.inject(fault("{when: {operation: createIssue}, then: expire_token}")).unwrap();
    let body = json!({"title": "t"});
    assert_eq!(create_issue(&tracker, &old, "k", &body).status(), Some(401));
    assert_eq!(create_issue(&tracker, &token(&tracker), "k", &body).status(), Some(201));
}

#[test]
fn revoked_credentials_stay_dead_until_cleared() {
    let tracker = provider("tracker", &at_noon());
    let old = token(&tracker);
    tracker.inject(fault("{when: {operation: createIssue}, then: revoke_credentials}")).unwrap();
    let body = json!({"title": "t"});
    assert_eq!(create_issue(&tracker, &old, "k", &body).status(), Some(401));
    let form = "grant_type=client_credentials";
    let refused = tracker.handle(token_request("tracker-client", "tracker-secret", form));
    assert_eq!(refused.json().unwrap()["error"], "invalid_client");
    tracker.clear();
    assert_eq!(create_issue(&tracker, &token(&tracker), "k", &body).status(), Some(201));
    let (chat_provider, answer) = struck("revoke_credentials");
    assert_eq!(answer.status(), Some(401));
    assert_eq!(post_message(&chat_provider, "CASE-1").status(), Some(401));
}

#[test]
fn conditions_choose_the_requests() {
    let clock = at_noon();
    let statuses = |provider: &Provider, references: &[&str]| -> Vec<u16> {
        references.iter().map(|r| post_message(provider, r).status().unwrap()).collect()
    };
    let with = |text: &str| {
        let provider = provider("chat", &clock);
        provider.inject(fault(text)).unwrap();
        provider
    };
    let six = ["1", "2", "3", "4", "5", "6"];
    let provider = with("{when: {nth: 2}, then: unavailable, times: 2}");
    assert_eq!(statuses(&provider, &six), [200, 503, 503, 200, 200, 200]);
    let provider = with("{when: {every: 3}, then: unavailable}");
    assert_eq!(statuses(&provider, &six), [200, 200, 503, 200, 200, 503]);
    let provider = with("{when: {body_contains: about 4}, then: unavailable}");
    assert_eq!(statuses(&provider, &six), [200, 200, 200, 503, 200, 200]);
    let provider = with("{when: {body: {at: /ref, equals: '5'}}, then: unavailable}");
    assert_eq!(statuses(&provider, &six), [200, 200, 200, 200, 503, 200]);
    let provider = with("{when: {operation: listMessages}, then: unavailable}");
    assert_eq!(statuses(&provider, &["1"]), [200]);
    let provider = with("{when: {after: 10s, until: 20s}, then: unavailable}");
    assert_eq!(statuses(&provider, &["1"]), [200]);
    clock.advance(Duration::from_secs(10));
    assert_eq!(statuses(&provider, &["2", "3"]), [503, 503]);
    clock.advance(Duration::from_secs(10));
    assert_eq!(statuses(&provider, &["4"]), [200]);
}

#[test]
fn side_faults_go_beside_the_first_main_one() {
    let provider = provider("chat", &at_noon());
    for text in
        ["then: {slow: 5ms}", "then: unavailable", "then: {slow: 7ms}", "then: {throttle: {}}"]
    {
        provider.inject(fault(text)).unwrap();
    }
    let first = response(post_message(&provider, "1"));
    assert_eq!((first.status.as_u16(), first.delay), (503, Duration::from_millis(12)));
    assert_eq!(post_message(&provider, "2").status(), Some(429), "the second waited for its turn");
    assert_eq!(post_message(&provider, "3").status(), Some(200));
    assert_eq!(provider.faults(), json!([]));
}

#[test]
fn faults_for_unknown_operations_are_refused() {
    let provider = provider("chat", &at_noon());
    let finding =
        provider.inject(fault("{when: {operation: postMesage}, then: hang}")).unwrap_err();
    assert_eq!(finding.code.as_str(), "QC-T001");
    assert_eq!(finding.help.as_deref(), Some("did you mean `postMessage`?"));
}
