//! Ledger rows of the engine: what is said of events, calls and runs, and what is left out.
//! No payload and no secret; payloads appear as hashes under the installation's own key.

use aws_lc_rs::hmac;
use bytes::Bytes;
use qc_connect::call::{CallRecord, DriftNote};
use qc_data::Sent;
use qc_model::{Actor, Failure, TenantName, Timestamp};
use qc_store::{LedgerKind, LedgerRow, RunFacts};
use serde_json::{Value, json};

use crate::{PersonTask, TenantRule, Trigger, codes, entry::Parent};

/// Whose rows are of which the tenant is not known.
const PLATFORM: &str = "platform";
/// The engine, in rows about what it does by itself.
const ENGINE: &str = "platform:engine";

/// The engine of a node.
pub(crate) fn engine_of(node: &str) -> String {
    format!("{ENGINE}/{node}")
}

/// Says which node did what the engine did.
pub(crate) fn signed(row: &mut LedgerRow, node: &str) {
    if row.actor == ENGINE {
        row.actor = format!("{ENGINE}/{node}");
    }
}

/// Says by which letter of another node a deed was asked for.
pub(crate) fn by_letter(row: &mut LedgerRow, id: &str) {
    if let Ok(Value::Object(mut facts)) = serde_json::from_slice(&row.facts) {
        facts.insert(LETTER.to_owned(), json!(id));
        row.facts = to_bytes(&Value::Object(facts));
    }
}

/// Whether a deed was asked for by this letter.
pub(crate) fn is_of_letter(row: &LedgerRow, id: &str) -> bool {
    serde_json::from_slice::<Value>(&row.facts).is_ok_and(|facts| facts[LETTER] == id)
}

/// The name of the fact.
const LETTER: &str = "letter";

/// Whose rows are that belong to nobody.
pub(crate) fn platform() -> TenantName {
    TenantName::new(PLATFORM).expect("is a legal name")
}

/// Whose a row is that belongs to a trigger and no event.
pub(crate) fn tenant_of(trigger: &Trigger) -> TenantName {
    match &trigger.tenant {
        TenantRule::Fixed(tenant) => tenant.clone(),
        TenantRule::FromEvent(_) => platform(),
    }
}

/// Begins the hash of a payload. Those without it are of before tenants had keys of their own, and are like none of these.
pub(crate) const FORM: &str = "v2:";

/// HMAC-SHA-256 of a payload under its tenant's key, in hex behind the form's version: tells whether two payloads of a
/// tenant are the same without telling what they are, and nothing of payloads of two tenants.
pub(crate) fn payload_hash(root: &[u8; 32], tenant: &TenantName, payload: &[u8]) -> String {
    // The tenant's key, derived from the installation's; names have no zero byte.
    let key = tag(root, format!("payload\0{tenant}").as_bytes());
    format!("{FORM}{}", hex(tag(key.as_ref(), payload).as_ref()))
}

/// The payload of an event as it is hashed: its data, with the members of objects in order, so that it is the same text
/// whatever envelope it comes in.
pub(crate) fn canonical_payload(event: &Value) -> String {
    let data = event.get("data").or_else(|| event.get("data_base64"));
    let mut data = data.cloned().unwrap_or(Value::Null);
    data.sort_all_objects();
    data.to_string()
}

/// The payload of a body as it is hashed: that of an event where it is one, else the body, in one spelling where it is
/// JSON.
pub(crate) fn canonical_body(body: &[u8]) -> Vec<u8> {
    let Ok(mut value) = serde_json::from_slice::<Value>(body) else { return body.to_vec() };
    if value.get("specversion").is_some() {
        return canonical_payload(&value).into_bytes();
    }
    value.sort_all_objects();
    value.to_string().into_bytes()
}

/// HMAC-SHA-256 of a text under the installation's key, in hex: for texts that say themselves whose they are.
pub(crate) fn keyed_hash(root: &[u8; 32], text: &[u8]) -> String {
    hex(tag(root, text).as_ref())
}

fn tag(key: &[u8], text: &[u8]) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text)
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

fn row(
    facts: &RunFacts,
    at: Timestamp,
    kind: LedgerKind,
    subject: String,
    outcome: &str,
) -> LedgerRow {
    LedgerRow {
        at,
        kind,
        tenant: facts.tenant.clone(),
        environment: Some(facts.environment.clone()),
        integration: Some(facts.integration.clone()),
        run: Some(facts.id),
        event: Some(facts.event),
        actor: ENGINE.to_owned(),
        subject,
        outcome: outcome.to_owned(),
        code: None,
        facts: Bytes::from_static(b"{}"),
    }
}

fn to_bytes(facts: &Value) -> Bytes {
    Bytes::from(facts.to_string())
}

/// An event was accepted.
pub(crate) fn event_accepted(
    facts: &RunFacts,
    actor: &Actor,
    payload_hash: &str,
    size: usize,
) -> LedgerRow {
    LedgerRow {
        actor: actor.text(),
        facts: Bytes::from(format!("{{\"bytes\":{size},\"payload_hmac\":\"{payload_hash}\"}}")),
        ..row(facts, facts.accepted_at, LedgerKind::Event, facts.trigger.to_string(), "accepted")
    }
}

/// One attempt of a call came to its end.
pub(crate) fn call_made(
    facts: &RunFacts,
    at: Timestamp,
    record: &CallRecord,
    pointer: &str,
    failure: Option<&Failure>,
) -> LedgerRow {
    let mut details = serde_json::to_value(record).unwrap_or_else(|_| json!({}));
    if let Value::Object(details) = &mut details {
        details.insert("task".into(), json!(pointer));
        if let Some(failure) = failure {
            details.insert("applied".into(), json!(failure.applied));
            details.insert("detail".into(), json!(failure.detail));
        }
    }
    LedgerRow {
        code: failure.map(|f| f.code.to_string()),
        facts: to_bytes(&details),
        ..row(
            facts,
            at,
            LedgerKind::Call,
            called(record, pointer),
            if failure.is_some() { "failed" } else { "ok" },
        )
    }
}

/// `connector.operation`, or the address of a plain request; its task when no address is known.
fn called(record: &CallRecord, pointer: &str) -> String {
    match (&record.connector, &record.operation) {
        (Some(connector), Some(operation)) => format!("{connector}.{operation}"),
        _ if record.url.is_empty() => pointer.to_owned(),
        _ => record.url.clone(),
    }
}

/// An answer did not keep its contract.
pub(crate) fn drift_seen(facts: &RunFacts, at: Timestamp, note: &DriftNote) -> LedgerRow {
    let details = serde_json::to_value(note).unwrap_or_else(|_| json!({}));
    LedgerRow {
        facts: to_bytes(&details),
        ..row(
            facts,
            at,
            LedgerKind::Decision,
            format!("{}.{}", note.connector, note.operation),
            "drift",
        )
    }
}

/// A task will be tried again, failed, or was skipped.
pub(crate) fn task_changed(
    facts: &RunFacts,
    at: Timestamp,
    pointer: &str,
    outcome: &str,
    failure: Option<&Failure>,
) -> LedgerRow {
    let details = match failure {
        Some(failure) => json!({"class": failure.class, "detail": failure.detail}),
        None => json!({}),
    };
    LedgerRow {
        code: failure.map(|f| f.code.to_string()),
        facts: to_bytes(&details),
        ..row(facts, at, LedgerKind::Task, pointer.to_owned(), outcome)
    }
}

/// Data went out in another form than it has here.
pub(crate) fn data_changed(
    facts: &RunFacts,
    at: Timestamp,
    place: &str,
    to: &str,
    sent: &Sent,
) -> LedgerRow {
    let details = json!({
        "to": to, "masked": sent.masked, "tokenised": sent.tokenised, "changed": sent.changed,
    });
    LedgerRow {
        facts: to_bytes(&details),
        ..row(facts, at, LedgerKind::Decision, place.to_owned(), "data_changed")
    }
}

/// Data did not go out.
pub(crate) fn data_denied(
    facts: &RunFacts,
    at: Timestamp,
    place: &str,
    failure: &Failure,
) -> LedgerRow {
    LedgerRow {
        code: Some(failure.code.to_string()),
        facts: to_bytes(&json!({"class": failure.class, "detail": failure.detail})),
        ..row(facts, at, LedgerKind::Decision, place.to_owned(), "data_denied")
    }
}

/// The run was parked, ended, or opened again.
pub(crate) fn run_changed(
    facts: &RunFacts,
    at: Timestamp,
    outcome: &str,
    failure: Option<&Failure>,
) -> LedgerRow {
    let details = match failure {
        Some(f) => {
            json!({"class": f.class, "title": f.title, "detail": f.detail, "owner": f.owner})
        }
        None => {
            json!({"millis": u64::try_from(at.since(facts.accepted_at).as_millis()).unwrap_or(u64::MAX)})
        }
    };
    LedgerRow {
        code: failure.map(|f| f.code.to_string()),
        facts: to_bytes(&details),
        ..row(facts, at, LedgerKind::Run, facts.release.clone(), outcome)
    }
}

/// A run failed, and those of its key wait until somebody decides. The key is payload: it is not told.
pub(crate) fn key_parked(facts: &RunFacts, at: Timestamp, key: &str) -> LedgerRow {
    LedgerRow {
        code: Some(codes::KEY_PARKED.to_string()),
        facts: to_bytes(&json!({"key_bytes": key.len()})),
        ..row(facts, at, LedgerKind::Decision, facts.id.to_string(), "key_parked")
    }
}

/// An event was emitted by a workflow.
pub(crate) fn event_emitted(facts: &RunFacts, at: Timestamp, event: &Value) -> LedgerRow {
    let details = json!({"id": event["id"], "source": event["source"], "type": event["type"]});
    LedgerRow {
        facts: to_bytes(&details),
        ..row(
            facts,
            at,
            LedgerKind::Event,
            event["type"].as_str().unwrap_or_default().to_owned(),
            "emitted",
        )
    }
}

/// A run was begun by another one.
pub(crate) fn child_begun(facts: &RunFacts, parent: &Parent) -> LedgerRow {
    let details =
        json!({"parent": parent.run, "task": parent.task.pointer, "attempt": parent.attempt});
    LedgerRow {
        facts: to_bytes(&details),
        ..row(facts, facts.accepted_at, LedgerKind::Run, facts.release.clone(), "begun")
    }
}

/// A person did something to a run.
pub(crate) fn operated(
    facts: &RunFacts,
    at: Timestamp,
    actor: &Actor,
    deed: &str,
    reason: &str,
) -> LedgerRow {
    LedgerRow {
        actor: actor.text(),
        facts: to_bytes(&actor.with_origin(json!({"reason": reason}))),
        ..row(facts, at, LedgerKind::Audit, facts.id.to_string(), deed)
    }
}

/// Something happened to what a person is asked; the title as everybody may see it.
pub(crate) fn person_asked(
    facts: &RunFacts,
    at: Timestamp,
    task: &PersonTask,
    (title, outcome): (&str, &str),
    (from, who): (Option<String>, Option<&str>),
) -> LedgerRow {
    // A handoff: from whom to whom the run goes (nobody is the run itself), and of what they saw the hash.
    let details = json!({
        "kind": task.kind, "title": title, "level": task.level, "who": who,
        "from": from, "to": task.holder(),
        "deadline": task.deadline, "hash": task.hash,
    });
    LedgerRow {
        facts: to_bytes(&details),
        ..row(facts, at, LedgerKind::Task, task.id().to_string(), outcome)
    }
}

/// What a person did to a task, with which one it was and what more there is to say.
pub(crate) fn of_task(mut deed: LedgerRow, task: &PersonTask, more: Value) -> LedgerRow {
    if let Ok(Value::Object(mut facts)) = serde_json::from_slice(&deed.facts) {
        facts.insert("task".to_owned(), json!(task.id().to_string()));
        if let Value::Object(more) = more {
            facts.extend(more);
        }
        deed.facts = to_bytes(&Value::Object(facts));
    }
    deed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(tenant: &str, payload: &[u8]) -> String {
        payload_hash(&[7; 32], &tenant.parse().unwrap(), &canonical_body(payload))
    }

    #[test]
    fn equal_payloads_of_a_tenant_have_one_hash_whatever_holds_them() {
        let plain = hash("acme", br#"{"b": [1, {"d": 4, "c": 3}], "a": "x"}"#);
        let again = hash("acme", br#"{"a":"x","b":[1,{"c":3,"d":4}]}"#);
        assert_eq!(plain, again, "one spelling");
        let event =
            br#"{"specversion":"1.0","id":"e1","type":"t","data":{"a":"x","b":[1,{"d":4,"c":3}]}}"#;
        assert_eq!(plain, hash("acme", event), "the envelope is no part of it");
        assert_ne!(plain, hash("acme", br#"{"a":"x","b":[{"c":3,"d":4},1]}"#), "another order");
        assert_ne!(hash("acme", b"not json"), hash("acme", b"not  json"));
        assert!(plain.len() == FORM.len() + 64 && plain.starts_with(FORM), "{plain}");
    }

    #[test]
    fn payloads_of_two_tenants_cannot_be_compared() {
        let body = br#"{"a": 1}"#;
        assert_ne!(hash("acme", body), hash("globex", body));
        let other = payload_hash(&[8; 32], &"acme".parse().unwrap(), &canonical_body(body));
        assert_ne!(hash("acme", body), other, "nor those of two installations");
        // Neither the installation's key nor that of a tenant's tokens.
        assert!(!hash("acme", body).ends_with(&keyed_hash(&[7; 32], b"{\"a\":1}")));
    }
}
