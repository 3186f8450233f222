//! What answers and errors mean.

use std::time::Duration;

use qc_model::{Applied, Class, Retry};

use super::*;
use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{
    call::Deviation,
    codes,
    connector::{Coercion, Repairs},
};

#[tokio::test]
async fn statuses_have_their_classes() {
    let world = world();
    let after = Retry::After { stated_ms: None };
    for (status, class, applied, retry) in [
        (400, Class::Invalid, Applied::No, Retry::Never),
        (401, Class::Auth, Applied::No, Retry::OnEvent),
        (403, Class::Permission, Applied::No, Retry::Never),
        (404, Class::NotFound, Applied::No, Retry::Never),
        (409, Class::Conflict, Applied::No, Retry::Never),
        (429, Class::Throttled, Applied::No, after),
        (500, Class::Transient, Applied::Maybe, after),
        (501, Class::Permanent, Applied::No, Retry::Never),
        (502, Class::Transient, Applied::Maybe, after),
        (503, Class::Overloaded, Applied::Maybe, after),
        (504, Class::Timeout, Applied::Maybe, after),
    ] {
        world.will([answer(status, &json!({"secret": "payload"}))]);
        let done = world.desk("closeTicket", json!({"id": "1"})).await;
        let failure = failed(&done);
        assert_eq!(
            (failure.class, failure.applied, failure.retry),
            (class, applied, retry),
            "{status}"
        );
        assert_eq!((failure.status, failure.owner.as_deref()), (status, Some("team-desk")));
        assert!(!format!("{failure:?}").contains("payload"), "{failure:?}");
        assert_eq!(done.record.class, Some(class));
    }
}

#[tokio::test]
async fn pauses_that_the_other_side_states_are_taken_over() {
    let world = world();
    world.will([
        reply(429, &[("retry-after", "7")], ""),
        reply(503, &[("retry-after", "Sun, 22 Nov 2026 14:41:00 GMT")], ""),
        reply(403, &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1795358430")], ""),
        reply(403, &[("x-ratelimit-remaining", "5")], ""),
    ]);
    let mut found = Vec::new();
    for _ in 0..4 {
        let done = world.desk("closeTicket", json!({"id": "1"})).await;
        let failure = failed(&done);
        found.push((failure.class, failure.applied, failure.stated_pause().map(|p| p.as_secs())));
    }
    assert_eq!(
        found,
        [
            (Class::Throttled, Applied::No, Some(7)),
            (Class::Overloaded, Applied::No, Some(60)),
            (Class::Throttled, Applied::No, Some(30)),
            (Class::Permission, Applied::No, None),
        ]
    );
}

#[tokio::test]
async fn what_a_quickconnect_has_tried_again_itself_is_not_tried_again() {
    let world = world();
    let again = |fields: &'static [(&'static str, &'static str)]| reply(503, fields, "");
    world.will([
        again(&[]),
        again(&[("qc-retry", "never")]),
        again(&[("qc-retry", "never"), ("retry-after", "7")]),
        again(&[("qc-retry", "later")]),
    ]);
    let mut retries = Vec::new();
    for _ in 0..4 {
        let done = world.desk("closeTicket", json!({"id": "1"})).await;
        retries.push(failed(&done).retry != qc_model::Retry::Never);
    }
    assert_eq!(retries, [true, false, false, true]);
}

#[tokio::test]
async fn the_error_map_speaks_first() {
    let world = world();
    world.will([
        answer(409, &json!({"code": "duplicate", "message": "there is one"})),
        answer(409, &json!({"code": "other"})),
        answer(200, &json!({"ok": false, "error": "no_channel"})),
        reply(418, &[("x-busy", "yes"), ("retry-after", "3")], ""),
    ]);
    let mut found = Vec::new();
    for _ in 0..4 {
        let done = world.desk("closeTicket", json!({"id": "1"})).await;
        let failure = failed(&done).clone();
        let said = failure.data.as_ref().map(|data| data["message"].as_str().unwrap().to_owned());
        found.push((
            failure.class,
            failure.code.clone(),
            failure.applied,
            said,
            failure.stated_pause(),
        ));
    }
    let said = |text: &str| Some(text.to_owned());
    assert_eq!(
        found[0],
        (Class::Conflict, codes::MAPPED_ERROR, Applied::No, said("there is one"), None)
    );
    assert_eq!(found[1], (Class::Conflict, codes::ERROR_STATUS, Applied::No, None, None));
    assert_eq!(found[2].3, said("no_channel with 200"));
    assert_eq!((found[2].0, found[2].2), (Class::Invalid, Applied::No));
    assert_eq!((found[3].0, found[3].4), (Class::Overloaded, Some(Duration::from_secs(3))));
}

#[tokio::test]
async fn what_no_rule_tells_the_meaning_of_is_a_careful_guess_that_says_so() {
    let world = world();
    for (status, class, applied, guessed) in [
        (423, Class::Invalid, Applied::No, true),
        (520, Class::Permanent, Applied::Maybe, true),
        (422, Class::Invalid, Applied::No, false),
        (502, Class::Transient, Applied::Maybe, false),
        (302, Class::Permanent, Applied::No, false),
    ] {
        world.will([answer(status, &json!({}))]);
        let failure = failed(&world.desk("closeTicket", json!({"id": "1"})).await).clone();
        assert_eq!((failure.class, failure.applied), (class, applied), "{status}");
        assert_eq!(failure.data, guessed.then(|| json!({"unmapped": true})), "{status}");
        assert!(!guessed || failure.retry == Retry::Never, "a guess is never repeated: {status}");
    }
    let rule = "  - match: {status: other}\n    class: dependency\n    next_action: reconsent\n";
    let world = world_with(|yaml| yaml.replacen("errors:\n", &format!("errors:\n{rule}"), 1));
    world.will([answer(423, &json!({})), answer(200, &json!({"id": "1"}))]);
    let failure = failed(&world.desk("closeTicket", json!({"id": "1"})).await).clone();
    assert_eq!((failure.class, failure.data), (Class::Dependency, None));
    assert_eq!(failure.next_action, qc_model::NextAction::Reconsent);
    assert!(
        world.desk("closeTicket", json!({"id": "1"})).await.result.is_ok(),
        "no success is an error"
    );
}

#[tokio::test]
async fn a_list_of_retryable_statuses_decides_over_the_table() {
    let world = world_with(|yaml| format!("{yaml}retryable_statuses: [404, 5xx]\n"));
    world.will([
        answer(404, &json!({})),
        answer(429, &json!({})),
        answer(500, &json!({})),
        answer(409, &json!({"code": "duplicate"})),
    ]);
    let mut retries = Vec::new();
    for _ in 0..4 {
        retries.push(failed(&world.desk("closeTicket", json!({"id": "1"})).await).retry);
    }
    let after = Retry::After { stated_ms: None };
    assert_eq!(retries, [after, Retry::Never, after, Retry::Never]);
}

#[tokio::test]
async fn errors_of_the_connection_say_whether_something_was_sent() {
    let world = world();
    for (kind, sent, class, applied) in [
        (CallErrorKind::Resolve, false, Class::Dependency, Applied::No),
        (CallErrorKind::Connect, false, Class::Dependency, Applied::No),
        (CallErrorKind::Tls, false, Class::Dependency, Applied::No),
        (CallErrorKind::Timeout, false, Class::Timeout, Applied::No),
        (CallErrorKind::Timeout, true, Class::Timeout, Applied::Maybe),
        (CallErrorKind::Reset, true, Class::Transient, Applied::Maybe),
        (CallErrorKind::Protocol, true, Class::Transient, Applied::Maybe),
    ] {
        world.will([broken(kind, sent)]);
        let done = world.desk("closeTicket", json!({"id": "1"})).await;
        let failure = failed(&done);
        assert_eq!((failure.class, failure.applied), (class, applied), "{kind:?}");
        assert_eq!((done.record.sent, done.record.status), (sent, None));
        assert!(matches!(failure.retry, Retry::After { .. }));
    }
}

#[tokio::test]
async fn an_answer_that_ends_early_or_lies_is_a_failure() {
    let world = world();
    let json_of = |body: &str| reply(200, &[("content-type", "application/json")], body);
    world.will([
        json_of("{\"id\": 1"),
        json_of("{\"id\" oops}"),
        reply(200, &[("content-type", "text/html")], "<h1>Maintenance</h1>"),
    ]);
    let mut found = Vec::new();
    for _ in 0..3 {
        let done = world.desk("readTicket", json!({"id": "1"})).await;
        let failure = failed(&done);
        assert_eq!(failure.code, codes::RESPONSE_MALFORMED);
        assert_eq!(done.drift.len(), 1);
        found.push((failure.class, failure.applied));
    }
    assert_eq!(
        found,
        [
            (Class::Transient, Applied::Maybe),
            (Class::Drift, Applied::Yes),
            (Class::Transient, Applied::Maybe)
        ]
    );
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_not_held() {
    let mut world = world();
    world.outbound = world.outbound.with_response_limit(10);
    world.will([answer(200, &json!({"id": 1, "subject": "long"}))]);
    let done = world.desk("readTicket", json!({"id": "1"})).await;
    let failure = failed(&done);
    assert_eq!((&failure.code, failure.class), (&codes::RESPONSE_TOO_LARGE, Class::Permanent));
    // It was answered with success: sending it again would repeat the effect.
    assert_eq!((failure.applied, done.record.status), (Applied::Yes, Some(200)));
}

#[tokio::test]
async fn drift_is_noted_or_enforced() {
    let wrong = json!({"id": "seven", "subject": "private text"});
    let observing = world();
    observing.will([answer(200, &wrong)]);
    let done = observing.desk("readTicket", json!({"id": "1"})).await;
    assert_eq!(done.result.unwrap().content, wrong);
    assert_eq!((done.drift[0].pointer.as_str(), done.drift[0].keyword.as_str()), ("/id", "type"));
    assert!(!format!("{:?}", done.drift).contains("private"));

    let enforcing = world_with(|yaml| format!("{yaml}response_validation: enforce\n"));
    enforcing.will([answer(200, &wrong)]);
    let done = enforcing.desk("readTicket", json!({"id": "1"})).await;
    let failure = failed(&done);
    assert_eq!((failure.class, &failure.code), (Class::Drift, &codes::CONTRACT_DRIFT));
    assert_eq!((failure.applied, failure.retry), (Applied::Yes, Retry::OnEvent));
    assert_eq!(done.drift.len(), 1);
}

#[tokio::test]
async fn what_the_release_does_not_hold_is_not_called() {
    let world = world();
    let target = CallTarget::Connector {
        connector: "desk".to_owned(),
        operation: "nope".to_owned(),
        arguments: json!({}),
        output: OutputShape::Content,
    };
    let done = world.perform(&request(target)).await;
    assert_eq!(failed(&done).code, codes::UNKNOWN_TARGET);
}

/// What is put right as declared is no drift; what is not is kept whole.
#[tokio::test]
async fn an_answer_is_put_right_before_it_is_judged_and_kept_when_it_does_not_fit() {
    const REPAIRS: &str = "response_validation: enforce\n";
    let declared = |yaml: String| {
        let repaired = yaml.replacen(
            "operations:\n",
            "operations:\n  readTicket:\n    repairs: {aliases: {/ticket_id: id}, coerce: {/id: number}}\n",
            1,
        );
        assert_ne!(repaired, yaml);
        format!("{repaired}{REPAIRS}")
    };
    let came = json!({"ticket_id": "7", "subject": "private text"});
    let world = world_with(declared);
    world.will([answer(200, &came)]);
    let done = world.desk("readTicket", json!({"id": "1"})).await;
    let output = done.result.clone().unwrap();
    assert_eq!(output.content, json!({"id": 7, "subject": "private text"}));
    let kinds: Vec<_> = done.drift.iter().map(|note| (note.kind, &*note.pointer)).collect();
    assert_eq!(kinds, [(Deviation::Repaired, "/ticket_id"), (Deviation::Repaired, "/id")]);
    assert_eq!(done.unfit, None);

    // What loses something is not done.
    world.will([answer(200, &json!({"id": "007", "subject": "x"}))]);
    let done = world.desk("readTicket", json!({"id": "1"})).await;
    assert_eq!(failed(&done).code, codes::CONTRACT_DRIFT);

    let plain = world_with(|yaml| format!("{yaml}{REPAIRS}"));
    plain.will([answer(200, &came)]);
    let done = plain.desk("readTicket", json!({"id": "1"})).await;
    assert_eq!(failed(&done).code, codes::CONTRACT_DRIFT);
    let kept = done.unfit.clone().unwrap();
    assert_eq!(kept.content, came);
    assert!(!format!("{:?}", done.drift).contains("private"));

    // Put right by a newer release, or as somebody says.
    let target = plain.call("readTicket", json!({"id": "1"})).target;
    let newer = world_with(declared);
    let repairs = newer.release.repairs(&target).unwrap().clone();
    let fits = plain.release.refit(&target, &kept, &[&repairs]).unwrap();
    assert_eq!(fits.content, output.content);
    let given = Repairs { coerce: BTreeMap::new(), ..repairs };
    let still = plain.release.refit(&target, &kept, &[&given]).unwrap_err();
    assert_eq!((&*still[0].pointer, &*still[0].keyword), ("/id", "type"));
    // What is only more keeps nobody waiting.
    let mut more = kept.clone();
    more.content["more"] = json!(1);
    plain.release.refit(&target, &more, &[newer.release.repairs(&target).unwrap()]).unwrap();

    // Bytes stay as they came, also later.
    let mut bytes = newer.call("readTicket", json!({"id": "1"}));
    let CallTarget::Connector { output, .. } = &mut bytes.target else { panic!("a connector's") };
    *output = OutputShape::Raw;
    newer.will([answer(200, &came)]);
    let done = newer.perform(&bytes).await;
    assert_eq!(failed(&done).code, codes::CONTRACT_DRIFT);
    let kept = *done.unfit.clone().unwrap();
    let list = Repairs {
        coerce: BTreeMap::from([("".parse().unwrap(), Coercion::List)]),
        ..Repairs::default()
    };
    let all = [newer.release.repairs(&target).unwrap(), &list];
    let still = newer.release.refit(&bytes.target, &kept, &all).unwrap_err();
    assert_eq!(&*still[0].keyword, "required");
    let mut right = kept;
    right.content = Value::from(STANDARD.encode(json!({"id": 7, "subject": "x"}).to_string()));
    let fits = newer.release.refit(&bytes.target, &right, &all).unwrap();
    assert_eq!(fits.content, right.content);
}

/// More than was promised lets an answer pass, also where the contract is enforced.
#[tokio::test]
async fn more_than_was_promised_is_noted_and_passes() {
    let world = world_with(|yaml| format!("{yaml}response_validation: enforce\n"));
    let headers = [
        ("content-type", "application/json"),
        ("deprecation", "@1688169599"),
        ("sunset", "Sun, 30 Jun 2024 23:59:59 GMT"),
    ];
    world.will([reply(202, &headers, r#"{"id": 7, "subject": "x"}"#)]);
    let done = world.desk("readTicket", json!({"id": "1"})).await;
    assert!(done.result.is_ok(), "{:?}", done.result);
    assert_eq!((done.drift[0].kind, &*done.drift[0].keyword), (Deviation::Additive, "status"));
    let notice = done.notice.clone().unwrap();
    assert!(notice.deprecated && notice.sunset.is_some());
}
