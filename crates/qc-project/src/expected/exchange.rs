//! One request that a scenario made, with its answer.

use qc_contract::{OpenApi, Operation, ParameterLocation};
use qc_model::Name;
use qc_simulator::{Answered, LedgerBody, LedgerEntry};
use serde_json::{Value, json};

/// What the simulators' ledgers put in the place of credentials.
const WITHHELD: &str = "withheld";

/// A request and its answer, without credentials.
pub(super) struct Exchange<'a> {
    pub(super) connector: &'a Name,
    pub(super) scenario: &'a Name,
    pub(super) operation: &'a str,
    pub(super) method: &'a str,
    /// As the request had it; of the resource that it is about when the operation's path has parameters.
    pub(super) path: &'a str,
    pub(super) is_about_one: bool,
    pub(super) query: Vec<(String, String)>,
    /// The fields that the operation describes.
    pub(super) headers: Vec<(&'a str, String)>,
    pub(super) body: Option<Sent<'a>>,
    pub(super) status: u16,
    /// The answer, where it is JSON.
    pub(super) answer: Option<Value>,
}

/// A body that was sent.
pub(super) enum Sent<'a> {
    Json { media_type: &'a str, value: Value },
    Text { media_type: &'a str, text: &'a str },
}

impl<'a> Exchange<'a> {
    /// None: it is none that a consumer expects something of, such as the request for a token.
    ///
    /// Errors: why it can be in no file.
    pub(super) fn of(
        connector: &'a Name,
        api: &OpenApi,
        entry: &'a LedgerEntry,
        scenario: &'a Name,
    ) -> Result<Option<Self>, String> {
        let described = entry.operation.as_deref().and_then(|id| api.operation(id));
        let (Some(described), Answered::Status(status @ 200..=299)) = (described, entry.answered)
        else {
            return Ok(None);
        };
        if matches!(entry.body, LedgerBody::Withheld) {
            return Ok(None);
        }
        let operation = entry.operation.as_deref().unwrap_or_default();
        let (path, query) = entry.target.split_once('?').unwrap_or((&entry.target, ""));
        let query = url::form_urlencoded::parse(query.as_bytes()).into_owned();
        let header = |name: &str| {
            let found = entry.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.as_str())
        };
        let media_type = header("content-type").unwrap_or_default();
        let body = match &entry.body {
            LedgerBody::Text(text) if text.is_empty() => None,
            LedgerBody::Text(text) => Some(match serde_json::from_str(text) {
                Ok(value) if qc_contract::is_json(media_type) => Sent::Json { media_type, value },
                _ if media_type.starts_with("multipart/") => {
                    return Err(format!("`{connector}.{operation}` sends parts of a form"));
                }
                _ => Sent::Text { media_type, text },
            }),
            LedgerBody::Base64(_) | LedgerBody::Withheld => {
                return Err(format!("`{connector}.{operation}` sends bytes that are no text"));
            }
        };
        let answer =
            entry.content.as_ref().filter(|content| qc_contract::is_json(&content.media_type));
        Ok(Some(Self {
            connector,
            scenario,
            operation,
            method: &entry.method,
            path,
            is_about_one: described.path.contains('{'),
            query: query.filter(|(_, value)| value != WITHHELD).collect(),
            headers: described_headers(described, entry),
            body,
            status,
            answer: answer.and_then(|content| serde_json::from_slice(&content.body).ok()),
        }))
    }

    /// What two requests have in common that ask for the same in the same form, whatever their values.
    pub(super) fn form(&self) -> String {
        let names: Vec<&str> = self.query.iter().map(|(name, _)| name.as_str()).collect();
        let headers: Vec<&str> = self.headers.iter().map(|(name, _)| *name).collect();
        let body = match &self.body {
            None => Value::Null,
            Some(Sent::Json { value, .. }) => form(value),
            Some(Sent::Text { media_type, .. }) => json!(media_type),
        };
        json!([self.operation, self.status, names, headers, body]).to_string()
    }
}

/// A value with its kinds in the place of its scalars, and lists by their first item.
pub(super) fn form(value: &Value) -> Value {
    match value {
        Value::Null => json!("null"),
        Value::Bool(_) => json!("boolean"),
        Value::Number(_) => json!("number"),
        Value::String(_) => json!("text"),
        Value::Array(items) => Value::Array(items.iter().take(1).map(form).collect()),
        Value::Object(map) => {
            Value::Object(map.iter().map(|(name, inner)| (name.clone(), form(inner))).collect())
        }
    }
}

fn described_headers<'a>(operation: &Operation, entry: &'a LedgerEntry) -> Vec<(&'a str, String)> {
    let described = |name: &str| {
        operation.parameters.iter().any(|parameter| {
            parameter.location == ParameterLocation::Header
                && parameter.name.eq_ignore_ascii_case(name)
        })
    };
    let own = entry.headers.iter().filter(|(name, value)| described(name) && value != WITHHELD);
    let own = own.map(|(name, value)| {
        // A key is another one in each run; which one it is says nothing.
        let is_key = entry.key.as_ref() == Some(value);
        (name.as_str(), if is_key { format!("key-of-{}", operation.id) } else { value.clone() })
    });
    own.collect()
}
