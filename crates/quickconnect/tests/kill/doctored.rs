//! The judge can fail: ledgers doctored in the ways in which a platform could go wrong are reported.

use std::collections::{BTreeMap, BTreeSet};

use qc_simulator::{Answered, LedgerBody, LedgerEntry};
use serde_json::json;

use crate::stage::{
    Clock as _, WallClock,
    judge::{Seen, judge, judge_holdings},
};

fn entry(
    provider: &str,
    operation: &str,
    case: &str,
    key: Option<&str>,
    body: &str,
) -> LedgerEntry {
    let target = match operation {
        "putCaseState" => format!("/customers/CUST-1/cases/{case}"),
        other => format!("/{other}"),
    };
    LedgerEntry {
        seq: 1,
        at: WallClock.now(),
        provider: provider.into(),
        operation: Some(operation.into()),
        method: "POST".to_owned(),
        target,
        headers: Vec::new(),
        key: key.map(str::to_owned),
        reference: Some(case.to_owned()),
        body_sha256: body.to_owned(),
        body: LedgerBody::Text(body.to_owned()),
        applied: true,
        replayed: false,
        fault: None,
        answered: Answered::Status(200),
        content: None,
    }
}

fn honest() -> (BTreeSet<String>, Seen) {
    let cases = BTreeSet::from(["A".to_owned(), "B".to_owned()]);
    let mut seen = Seen::default();
    for (case, key) in [("A", "k-a"), ("B", "k-b")] {
        seen.tracker.push(entry("tracker", "createIssue", case, Some(key), case));
        seen.crm.push(entry("crm", "putCaseState", case, None, case));
        seen.chat.push(entry("chat", "postMessage", case, None, case));
    }
    (cases, seen)
}

fn verdict(doctor: impl FnOnce(&mut Seen)) -> String {
    let (cases, mut seen) = honest();
    doctor(&mut seen);
    judge(&cases, &seen).join("\n")
}

#[test]
fn an_honest_ledger_passes_with_its_repeats() {
    let said = verdict(|seen| {
        // A repeat under the same key that got the remembered answer, a refused one, and the same state put twice.
        let mut repeat = seen.tracker[0].clone();
        (repeat.applied, repeat.replayed) = (false, true);
        let mut refused = seen.chat[1].clone();
        refused.applied = false;
        seen.tracker.push(repeat);
        seen.chat.push(refused);
        seen.crm.push(seen.crm[0].clone());
        seen.tracker.push(entry("tracker", "listIssues", "A", None, ""));
    });
    assert_eq!(said, "");
}

#[test]
fn a_double_under_a_changed_key_is_seen() {
    let said = verdict(|seen| {
        seen.tracker.push(entry("tracker", "createIssue", "A", Some("k-a2"), "A"));
    });
    assert!(said.contains("tracker: A: 2 effects"), "{said}");
    assert!(said.contains("tracker: A: 2 keys"), "{said}");
}

#[test]
fn a_changed_key_is_seen_also_when_it_did_no_harm_this_time() {
    let said = verdict(|seen| {
        let mut refused = entry("tracker", "createIssue", "B", Some("k-b2"), "B");
        refused.applied = false;
        seen.tracker.push(refused);
    });
    assert_eq!(said, "tracker: B: 2 keys: {\"k-b\", \"k-b2\"}");
}

#[test]
fn a_missing_key_and_a_shared_key_are_seen() {
    let said = verdict(|seen| seen.tracker[0].key = None);
    assert!(said.starts_with("tracker: A: 1 keys"), "{said}");
    let said = verdict(|seen| seen.tracker[0].key = Some("k-b".to_owned()));
    assert_eq!(said, "tracker: the key k-b bears {\"A\", \"B\"}");
}

#[test]
fn a_doubled_message_is_seen() {
    let said = verdict(|seen| seen.chat.push(seen.chat[0].clone()));
    assert_eq!(said, "chat: A: 2 effects");
}

#[test]
fn a_second_state_and_a_second_place_are_seen() {
    let said = verdict(|seen| seen.crm.push(entry("crm", "putCaseState", "A", None, "other")));
    assert_eq!(said, "crm: A: 2 different bodies were sent");
    let said = verdict(|seen| {
        let mut moved = seen.crm[0].clone();
        moved.target = "/customers/CUST-2/cases/A".to_owned();
        seen.crm.push(moved);
    });
    assert!(said.starts_with("crm: A: sent to 2 places"), "{said}");
}

#[test]
fn what_is_missing_is_seen_and_so_is_a_stranger() {
    let said = verdict(|seen| {
        seen.chat.remove(0);
        seen.crm[1].applied = false;
        seen.tracker.push(entry("tracker", "createIssue", "C", Some("k-c"), "C"));
    });
    for wrong in [
        "chat: A: no postMessage was ever received",
        "crm: B: no effect",
        "tracker: C: 1 requests for a case that nobody sent",
    ] {
        assert!(said.contains(wrong), "{wrong} is not in {said}");
    }
}

#[test]
fn holdings_that_do_not_agree_are_seen() {
    let outputs = BTreeMap::from([(
        "A".to_owned(),
        json!({"case_id": "A", "ticket": "TCK-1", "message": "MSG-1"}),
    )]);
    let tracker = json!({"/issues": [{"id": "TCK-1", "external_ref": "A"}]});
    let state = |ticket: &str| json!({"/customers/CUST-1/cases": [{"case_id": "A", "state": "escalated", "ticket": ticket}]});
    let message = json!({"id": "MSG-1", "ref": "A", "text": "A was escalated: TCK-1"});
    let chat = json!({"/channels/support/messages": [message]});
    let said = judge_holdings(&outputs, &[tracker.clone(), state("TCK-1"), chat.clone()]);
    assert_eq!(said, Vec::<String>::new());
    let said = judge_holdings(&outputs, &[tracker.clone(), state("TCK-2"), chat]);
    assert!(said.len() == 1 && said[0].contains("do not agree"), "{said:?}");
    let chat = json!({"/channels/support/messages": [message, message]});
    let said = judge_holdings(&outputs, &[tracker, state("TCK-1"), chat]);
    assert_eq!(said, ["A: more than one message"]);
}
