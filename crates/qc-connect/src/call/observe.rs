use serde_json::Value;

use super::{DriftNote, answer::Answer, job::Job, receive::Received};

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
    // Bytes are a text to JSON Schema; our own way of showing them is not the vendor's drift.
    let encoded = content.get("base64").filter(|_| content.get("mediaType").is_some());
    let body = if answer.body.is_empty() { None } else { Some(encoded.unwrap_or(content)) };
    let streamed = matches!(answer.body, Received::Blob(_));
    api.check_response(operation, answer.status, &headers, body)
        .into_iter()
        // A blob passed by unseen, so nothing is said about what is in it.
        .filter(|mismatch| !streamed || mismatch.schema_pointer.is_empty())
        .map(|mismatch| DriftNote {
            connector: job.label.clone(),
            operation: operation.id.to_string(),
            status: answer.status,
            pointer: mismatch.pointer,
            schema_pointer: mismatch.schema_pointer,
            keyword: mismatch.keyword,
            message: mismatch.message,
        })
        .collect()
}

/// A note about the answer as a whole.
pub(super) fn note(job: &Job<'_>, answer: &Answer, keyword: &str, message: String) -> DriftNote {
    DriftNote {
        connector: job.label.clone(),
        operation: job.operation.map(|operation| operation.id.to_string()).unwrap_or_default(),
        status: answer.status,
        pointer: String::new(),
        schema_pointer: String::new(),
        keyword: keyword.to_owned(),
        message,
    }
}

/// Whether the contract promises JSON, and nothing else, for this status.
pub(super) fn promises_json(job: &Job<'_>, status: u16) -> bool {
    let response = job.operation.and_then(|operation| operation.response(status));
    response.is_some_and(|response| {
        !response.content.is_empty()
            && response.content.iter().all(|one| {
                let bare = one.media_type.split(';').next().unwrap_or_default().trim();
                super::answer::is_json(&bare.to_ascii_lowercase())
            })
    })
}
