use qc_contract::{OpenApi, Operation};
use qc_workflow::CallOutput;
use serde_json::Value;

use super::{Deviation, DriftNote, EndNotice, answer::Answer, job::Job, receive::Received};
use crate::connector::Repaired;

/// What was seen of the answers of one attempt, beside what they say.
#[derive(Debug, Default)]
pub(super) struct Observed {
    /// How they differed from the contract.
    pub(super) notes: Vec<DriftNote>,
    /// What the last answer says of limits.
    pub(super) said: qc_pace::Said,
    /// What the provider says of the operation's end.
    pub(super) notice: Option<EndNotice>,
    /// The content of an answer that breaks the contract, where that is enforced.
    pub(super) broken: Option<Value>,
    /// The whole of it.
    pub(super) unfit: Option<Box<CallOutput>>,
}

impl Observed {
    pub(super) fn push(&mut self, note: DriftNote) {
        self.notes.push(note);
    }
}

/// An answer, as far as contracts are about it.
pub(super) struct Given<'a> {
    pub(super) label: &'a str,
    pub(super) status: u16,
    pub(super) headers: &'a [(String, String)],
    pub(super) empty: bool,
    pub(super) content: &'a Value,
    /// The body passed by unseen.
    pub(super) streamed: bool,
}

/// How a successful answer differs from its contract.
pub(super) fn observe(job: &Job<'_>, answer: &Answer, content: &Value) -> Vec<DriftNote> {
    let (Some(api), Some(operation)) = (job.api, job.operation) else { return Vec::new() };
    let headers: Vec<(String, String)> = answer
        .headers
        .iter()
        .filter_map(|(name, value)| {
            Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
        })
        .collect();
    let given = Given {
        label: &job.label,
        status: answer.status,
        headers: &headers,
        empty: answer.body.is_empty(),
        content,
        streamed: matches!(answer.body, Received::Blob(_)),
    };
    differences(api, operation, &given)
}

/// The same of an answer in parts.
pub(super) fn differences(
    api: &OpenApi,
    operation: &Operation,
    given: &Given<'_>,
) -> Vec<DriftNote> {
    let Given { label, status, headers, empty, content, streamed } = *given;
    // Bytes are a text to JSON Schema; our own way of showing them is not the vendor's drift.
    let encoded = content.get("base64").filter(|_| content.get("mediaType").is_some());
    let body = if empty { None } else { Some(encoded.unwrap_or(content)) };
    let found = api.check_response(operation, status, headers, body).into_iter();
    // A blob passed by unseen, so nothing is said about what is in it.
    let found = found.filter(|mismatch| !streamed || mismatch.schema_pointer.is_empty());
    let notes = found.map(|mismatch| DriftNote {
        kind: kind(&mismatch.keyword, status, body.and_then(|it| it.pointer(&mismatch.pointer))),
        connector: label.to_owned(),
        operation: operation.id.to_string(),
        status,
        pointer: mismatch.pointer,
        schema_pointer: mismatch.schema_pointer,
        keyword: mismatch.keyword,
        message: mismatch.message,
    });
    let mut notes: Vec<DriftNote> = notes.collect();
    if let (Some(body), None, false) = (body, encoded, streamed) {
        let media_type = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        let media_type = media_type.map_or("application/json", |(_, value)| value);
        let more = api.undeclared(operation, status, media_type, body).into_iter();
        notes.extend(more.map(|one| DriftNote {
            kind: Deviation::Additive,
            connector: label.to_owned(),
            operation: operation.id.to_string(),
            status,
            pointer: one.pointer,
            schema_pointer: String::new(),
            keyword: "undeclared".to_owned(),
            message: format!("a field that the contract does not name: {}", one.kind),
        }));
    }
    notes
}

/// What whoever is tolerant may read over: more than was promised. Everything else breaks what was promised.
fn kind(keyword: &str, status: u16, at: Option<&Value>) -> Deviation {
    let more = match keyword {
        "additionalProperties" | "unevaluatedProperties" => true,
        "status" => (200..300).contains(&status),
        // A further word; a value of another kind is none.
        "enum" => at.is_some_and(Value::is_string),
        _ => false,
    };
    if more { Deviation::Additive } else { Deviation::Breaking }
}

/// A note about the answer as a whole.
pub(super) fn note(job: &Job<'_>, answer: &Answer, keyword: &str, message: String) -> DriftNote {
    DriftNote {
        kind: Deviation::Breaking,
        connector: job.label.clone(),
        operation: job.operation.map(|operation| operation.id.to_string()).unwrap_or_default(),
        status: answer.status,
        pointer: String::new(),
        schema_pointer: String::new(),
        keyword: keyword.to_owned(),
        message,
    }
}

/// That an answer was put right.
pub(super) fn repaired(job: &Job<'_>, answer: &Answer, made: Repaired) -> DriftNote {
    let message = format!("put right as declared: {}", made.what);
    DriftNote {
        kind: Deviation::Repaired,
        pointer: made.spot,
        ..note(job, answer, made.what, message)
    }
}

/// Whether the contract promises JSON, and nothing else, for this status.
pub(super) fn promises_json(job: &Job<'_>, status: u16) -> bool {
    let response = job.operation.and_then(|operation| operation.response(status));
    response.is_some_and(|response| {
        !response.content.is_empty()
            && response.content.iter().all(|one| qc_contract::is_json(&one.media_type))
    })
}
