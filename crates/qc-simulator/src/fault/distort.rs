//! Answers that come, but wrong.

use std::borrow::Cow;

use bytes::Bytes;
use http::{StatusCode, header};
use qc_document::pointer_segments;
use serde_json::{Map, Value, json};

use super::{Deed, Drift};
use crate::exchange::SimResponse;

/// Spoils a right answer as a fault says. Faults that do not look at the answer leave it alone.
pub(crate) fn distort(mut answer: SimResponse, deed: &Deed) -> SimResponse {
    match deed {
        Deed::Malformed => {
            let half = answer.body.len() / 2;
            answer.body = if half == 0 {
                Bytes::from_static(b"{\"cut\":")
            } else {
                answer.body.slice(..half)
            };
            if answer.status == StatusCode::NO_CONTENT {
                answer.status = StatusCode::OK;
            }
        }
        Deed::WrongType { at } => reshape(&mut answer, |body| {
            let first =
                || body.as_object().and_then(|map| map.keys().next()).map(|key| pointer(key));
            let at = at.clone().or_else(first).unwrap_or_default();
            change_type(body, &at);
        }),
        Deed::Drift(Drift::Rename { from, to }) => reshape(&mut answer, |body| {
            if let Some((map, name)) = parent(body, from)
                && let Some(value) = map.remove(&name)
            {
                map.insert(to.clone(), value);
            }
        }),
        Deed::Drift(Drift::Remove { at }) => reshape(&mut answer, |body| {
            for pointer in at {
                let segments: Vec<String> =
                    pointer_segments(pointer).map(Cow::into_owned).collect();
                remove(body, &segments);
            }
        }),
        Deed::Drift(Drift::ChangeType { at }) => reshape(&mut answer, |body| change_type(body, at)),
        Deed::Oversize { bytes } => reshape(&mut answer, |body| {
            let padding = json!("x".repeat(*bytes));
            match body {
                Value::Object(map) => drop(map.insert("padding".into(), padding)),
                other => *other = json!([other.take(), padding]),
            }
        }),
        _ => {}
    }
    answer.headers.remove(header::CONTENT_LENGTH);
    answer
}

fn reshape(answer: &mut SimResponse, change: impl FnOnce(&mut Value)) {
    let mut body = serde_json::from_slice(&answer.body).unwrap_or_else(|_| json!({}));
    change(&mut body);
    answer.body = serde_json::to_vec(&body).unwrap_or_default().into();
}

fn pointer(key: &str) -> String {
    let mut pointer = String::new();
    qc_document::push_pointer(&mut pointer, key);
    pointer
}

/// The object that holds the field at a pointer, and the field's name. A list on the way stands
/// for its first item, so that `/issues/id` reaches into `{"issues": [{"id": 1}]}`.
fn parent<'v>(body: &'v mut Value, at: &str) -> Option<(&'v mut Map<String, Value>, String)> {
    let mut segments: Vec<String> = pointer_segments(at).map(Cow::into_owned).collect();
    let name = segments.pop()?;
    let mut value = body;
    for segment in segments {
        value = match value {
            Value::Object(map) => map.get_mut(&segment)?,
            Value::Array(items) => items.get_mut(segment.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    while let Value::Array(items) = value {
        value = items.first_mut()?;
    }
    value.as_object_mut().map(|map| (map, name))
}

/// Removes the field at a pointer, of which `*` stands for every item of a list. A list before the last name stands for its
/// first item.
fn remove(value: &mut Value, segments: &[String]) {
    match (value, segments) {
        (Value::Array(items), [every, rest @ ..]) if every == "*" => {
            for item in items {
                remove(item, rest);
            }
        }
        (Value::Array(items), [name]) => {
            if let Some(first) = items.first_mut() {
                remove(first, std::slice::from_ref(name));
            }
        }
        (Value::Array(items), [index, rest @ ..]) => {
            let index = index.parse::<usize>();
            if let Some(item) = index.ok().and_then(|index| items.get_mut(index)) {
                remove(item, rest);
            }
        }
        (Value::Object(map), [name]) => drop(map.remove(name)),
        (Value::Object(map), [name, rest @ ..]) => {
            if let Some(inner) = map.get_mut(name) {
                remove(inner, rest);
            }
        }
        _ => {}
    }
}

fn change_type(body: &mut Value, at: &str) {
    let place = if at.is_empty() { Some(&mut *body) } else { body.pointer_mut(at) };
    let Some(value) = place else { return };
    *value = match value.take() {
        Value::Null => json!("null"),
        Value::Bool(flag) => json!(flag.to_string()),
        Value::Number(number) => json!(number.to_string()),
        Value::String(text) => json!(text.len()),
        Value::Array(items) => json!({ "items": items }),
        Value::Object(map) => json!([map]),
    };
}
