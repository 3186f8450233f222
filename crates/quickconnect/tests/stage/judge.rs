//! The verdict. It knows the business ids that were sent and the raw requests that each system received, and joins the
//! two on the business id: a platform that changed a key between attempts could not hide a double from it.

use std::collections::{BTreeMap, BTreeSet};

use qc_simulator::LedgerEntry;
use serde_json::Value;

use super::server::Server;

/// The raw requests that reached each system, from its own ledger.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    pub(crate) tracker: Vec<LedgerEntry>,
    pub(crate) crm: Vec<LedgerEntry>,
    pub(crate) chat: Vec<LedgerEntry>,
}

/// How a system's operation may be called.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Takes effect once, and every request for one case bears the same key.
    Keyed,
    /// May be sent again: all requests for one case say the same of the same.
    Idempotent,
    /// Takes effect once, without the other side's help.
    Verify,
}

/// What is wrong with the effects; nothing when every case has exactly one of each, under one key.
pub(crate) fn judge(cases: &BTreeSet<String>, seen: &Seen) -> Vec<String> {
    let mut wrongs = Vec::new();
    for (system, operation, kind, entries) in [
        ("tracker", "createIssue", Kind::Keyed, &seen.tracker),
        ("crm", "putCaseState", Kind::Idempotent, &seen.crm),
        ("chat", "postMessage", Kind::Verify, &seen.chat),
    ] {
        let mut of_case: BTreeMap<&str, Vec<&LedgerEntry>> = BTreeMap::new();
        for entry in entries.iter().filter(|entry| entry.operation.as_deref() == Some(operation)) {
            of_case.entry(entry.reference.as_deref().unwrap_or("nobody")).or_default().push(entry);
        }
        let mut say = |case: &str, what: String| wrongs.push(format!("{system}: {case}: {what}"));
        for case in cases {
            match of_case.remove(case.as_str()) {
                Some(requests) => judge_case(kind, &requests, |what| say(case, what)),
                None => say(case, format!("no {operation} was ever received")),
            }
        }
        for (stranger, requests) in of_case {
            say(stranger, format!("{} requests for a case that nobody sent", requests.len()));
        }
        wrongs.extend(shared_keys(system, entries));
    }
    wrongs
}

fn judge_case(kind: Kind, requests: &[&LedgerEntry], mut say: impl FnMut(String)) {
    let effects = requests.iter().filter(|request| request.applied && !request.replayed).count();
    match (kind, effects) {
        (_, 0) => say("no effect".to_owned()),
        (_, 1) | (Kind::Idempotent, _) => {}
        (Kind::Keyed | Kind::Verify, doubled) => say(format!("{doubled} effects")),
    }
    let distinct =
        |of: fn(&LedgerEntry) -> &str| requests.iter().map(|one| of(one)).collect::<BTreeSet<_>>();
    let keys = distinct(|request| request.key.as_deref().unwrap_or(""));
    if kind == Kind::Keyed && (keys.len() != 1 || keys.contains("")) {
        say(format!("{} keys: {keys:?}", keys.len()));
    }
    let targets = distinct(|request| &request.target);
    if targets.len() != 1 {
        say(format!("sent to {} places: {targets:?}", targets.len()));
    }
    let bodies = distinct(|request| &request.body_sha256);
    if bodies.len() != 1 {
        say(format!("{} different bodies were sent", bodies.len()));
    }
}

/// Keys under which more than one case was sent.
fn shared_keys(system: &str, entries: &[LedgerEntry]) -> Vec<String> {
    let mut cases: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for entry in entries {
        if let (Some(key), Some(case)) = (&entry.key, &entry.reference) {
            cases.entry(key).or_default().insert(case);
        }
    }
    cases
        .into_iter()
        .filter(|(_, cases)| cases.len() > 1)
        .map(|(key, cases)| format!("{system}: the key {key} bears {cases:?}"))
        .collect()
}

/// What is wrong with what the systems hold in the end, given each run's output: one ticket, one state and one message a
/// case, and they speak of each other.
pub(crate) fn judge_holdings(
    outputs: &BTreeMap<String, Value>,
    holdings: &[Value; 3],
) -> Vec<String> {
    let [tracker, crm, chat] = holdings;
    let mut wrongs = Vec::new();
    let tickets = by(&tracker["/issues"], "external_ref", "ticket", &mut wrongs);
    let messages = by(&chat["/channels/support/messages"], "ref", "message", &mut wrongs);
    let mut states = BTreeMap::new();
    for (path, list) in crm.as_object().into_iter().flatten() {
        if path.ends_with("/cases") {
            states.extend(by(list, "case_id", "state", &mut wrongs));
        }
    }
    for (name, count) in
        [("tickets", tickets.len()), ("states", states.len()), ("messages", messages.len())]
    {
        if count != outputs.len() {
            wrongs.push(format!("{count} {name} for {} cases", outputs.len()));
        }
    }
    for (case, output) in outputs {
        let (Some(ticket), Some(state), Some(message)) =
            (tickets.get(case), states.get(case), messages.get(case))
        else {
            wrongs.push(format!("{case}: a ticket, a state or a message is not there"));
            continue;
        };
        let id = &ticket["id"];
        let text = message["text"].as_str().unwrap_or_default();
        let agree = state["ticket"] == *id
            && state["state"] == "escalated"
            && output["ticket"] == *id
            && output["message"] == message["id"]
            && output["case_id"] == **case
            && id.as_str().is_some_and(|id| text.ends_with(&format!(": {id}")));
        if !agree {
            wrongs.push(format!("{case}: {output}, {ticket}, {state} and {message} do not agree"));
        }
    }
    wrongs
}

fn by<'a>(
    list: &'a Value,
    field: &str,
    what: &str,
    wrongs: &mut Vec<String>,
) -> BTreeMap<String, &'a Value> {
    let mut found = BTreeMap::new();
    for one in list.as_array().into_iter().flatten() {
        let case = one[field].as_str().unwrap_or_default().to_owned();
        if found.insert(case.clone(), one).is_some() {
            wrongs.push(format!("{case}: more than one {what}"));
        }
    }
    found
}

/// What the platform itself cannot account for, by `qc reconcile`: everything received is somewhere.
pub(crate) fn unaccounted(server: &Server) -> Vec<String> {
    let output = server.qc(&["reconcile"]);
    if output.status.success() {
        return Vec::new();
    }
    vec![format!("reconcile: {}: {}", output.status, String::from_utf8_lossy(&output.stderr))]
}
