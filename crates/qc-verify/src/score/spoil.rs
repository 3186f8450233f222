//! Answers, spoiled in one place.

use qc_contract::{OpenApi, Operation, StatusPattern};
use serde_json::{Value, json};

use crate::vary::{kinds, properties, required, spread};
use crate::wire::Answer;

/// How deep bodies are spoiled.
const DEPTH_LIMIT: usize = 6;
/// Most ways of spoiling one body.
const BODY_LIMIT: usize = 200;

/// Answers of one status, spoiled.
#[derive(Clone, Debug)]
pub(crate) struct Spoiled {
    pub(super) status: u16,
    pub(super) spoil: Spoil,
}

/// What is done to an answer.
#[derive(Clone, Debug)]
pub(crate) enum Spoil {
    Status(u16),
    /// The described success instead of a refusal.
    Success,
    DropHeader(String),
    MediaType,
    NoBody,
    NotJson,
    DropField(String),
    /// This value at this place.
    Put(String, Value),
}

impl Spoiled {
    pub(super) fn apply(&self, api: &OpenApi, operation: &Operation, mut answer: Answer) -> Answer {
        if answer.status != self.status {
            return answer;
        }
        match &self.spoil {
            Spoil::Status(status) => answer.status = *status,
            Spoil::Success => return success(api, operation).unwrap_or(answer),
            Spoil::DropHeader(name) => {
                answer.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
            }
            Spoil::MediaType => {
                answer.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("content-type"));
                let other = "application/x-qc-not-described".to_owned();
                answer.headers.push(("content-type".to_owned(), other));
            }
            Spoil::NoBody => answer.body = bytes::Bytes::new(),
            Spoil::NotJson => answer.body = answer.body.slice(..answer.body.len() - 1),
            Spoil::DropField(pointer) => {
                let Some(mut body) = answer.json() else { return answer };
                let Some((above, name)) = pointer.rsplit_once('/') else { return answer };
                let name = name.replace("~1", "/").replace("~0", "~");
                if let Some(Value::Object(fields)) = body.pointer_mut(above) {
                    fields.shift_remove(&name);
                }
                answer.body = body.to_string().into();
            }
            Spoil::Put(pointer, value) => {
                let Some(mut body) = answer.json() else { return answer };
                if let Some(place) = body.pointer_mut(pointer) {
                    place.clone_from(value);
                }
                answer.body = body.to_string().into();
            }
        }
        answer
    }
}

fn success(api: &OpenApi, operation: &Operation) -> Option<Answer> {
    let status = operation.responses.iter().find_map(|response| match response.status {
        StatusPattern::Exact(status) if (200..300).contains(&status) => Some(status),
        StatusPattern::Range(2) => Some(200),
        _ => None,
    })?;
    let body = api.sample_response(operation, status, 1);
    let content = operation.response(status)?.content.first();
    let mut answer = Answer { status, headers: Vec::new(), body: bytes::Bytes::new() };
    if let (Some(body), Some(content)) = (body, content) {
        answer.headers.push(("content-type".to_owned(), content.media_type.to_string()));
        answer.body = body.to_string().into();
    }
    Some(answer)
}

/// The ways of spoiling a body that its schema speaks of.
pub(super) fn of_body(schema: &Value, body: &Value) -> Vec<(&'static str, String, Spoil)> {
    let mut all = Vec::new();
    walk(schema, &[schema], body, &mut String::new(), 0, &mut all);
    all
}

fn walk<'a>(
    root: &'a Value,
    schemas: &[&'a Value],
    value: &Value,
    pointer: &mut String,
    depth: usize,
    all: &mut Vec<(&'static str, String, Spoil)>,
) {
    if depth > DEPTH_LIMIT || all.len() >= BODY_LIMIT {
        return;
    }
    let schemas = spread(root, schemas);
    let at = pointer.clone();
    let admitted: Vec<&str> = schemas.iter().flat_map(|schema| kinds(schema)).collect();
    let mut put = |kind: &'static str, words: String, with: Value| {
        all.push((kind, words, Spoil::Put(at.clone(), with)));
    };
    let other = match value {
        Value::String(_) if !admitted.contains(&"integer") && !admitted.contains(&"number") => {
            json!(7)
        }
        Value::Number(_) | Value::Bool(_) if !admitted.contains(&"string") => json!("qc"),
        Value::Number(_) | Value::Bool(_) => json!(["qc"]),
        Value::String(_) | Value::Array(_) => json!({ "qc": 1 }),
        Value::Object(_) | Value::Null => json!("qc"),
    };
    put("change-type", format!("`{at}` is of another type"), other);
    if !admitted.is_empty() && !admitted.contains(&"null") && !value.is_null() {
        put("null", format!("`{at}` is null"), Value::Null);
    }
    if schemas.iter().any(|schema| schema.get("enum").is_some()) && value.is_string() {
        put("unknown-value", format!("`{at}` has a value that is not described"), json!("qc-new"));
    }
    match value {
        Value::Object(fields) => {
            for name in required(&schemas).into_iter().filter(|name| fields.contains_key(*name)) {
                let field = crate::vary::below(pointer, name);
                all.push(("drop-field", format!("without `{field}`"), Spoil::DropField(field)));
            }
            for (name, inner) in fields {
                let below = properties(&schemas, name);
                if below.is_empty() {
                    continue;
                }
                let length = pointer.len();
                qc_document::push_pointer(pointer, name);
                walk(root, &below, inner, pointer, depth + 1, all);
                pointer.truncate(length);
            }
        }
        Value::Array(items) => {
            let below: Vec<&Value> =
                schemas.iter().filter_map(|schema| schema.get("items")).collect();
            if let (Some(first), false) = (items.first(), below.is_empty()) {
                let length = pointer.len();
                pointer.push_str("/0");
                walk(root, &below, first, pointer, depth + 1, all);
                pointer.truncate(length);
            }
        }
        _ => {}
    }
}
