//! A case's request: the valid one of its operation, changed; and whether the description still admits it.

use bytes::Bytes;
use qc_contract::{IncomingRequest, Mismatch, OpenApi, Operation, ParameterLocation, Routed};
use serde_json::{Map, Value};

use super::Change;
use crate::wire::{Wire, encoded, essence, form, is_json};

/// Whether a request is one that the description admits for the operation.
pub(super) fn admits(api: &OpenApi, operation: &Operation, wire: &Wire) -> bool {
    mismatches(api, operation, wire).is_empty()
}

/// What of a request the description rules out: the violated keyword and where in the request.
pub(crate) fn mismatches(api: &OpenApi, operation: &Operation, wire: &Wire) -> Vec<Mismatch> {
    let Routed::Found { path, .. } = api.route(operation.method.as_str(), &wire.path) else {
        return Vec::new();
    };
    let body = decoded(wire);
    let incoming = IncomingRequest {
        path: &path,
        query: &wire.query,
        headers: &wire.headers,
        media_type: wire.media_type.as_deref(),
        body: body.as_ref(),
    };
    api.check_request(operation, &incoming)
}

/// The body as a value, when it is JSON or a form.
fn decoded(wire: &Wire) -> Option<Value> {
    let media_type = wire.media_type.as_deref()?;
    if is_json(media_type) {
        return serde_json::from_slice(&wire.body).ok();
    }
    if essence(media_type) == "application/x-www-form-urlencoded" {
        let pairs = url::form_urlencoded::parse(&wire.body).into_owned();
        return Some(Value::Object(
            pairs.map(|(name, text)| (name, Value::String(text))).collect(),
        ));
    }
    None
}

/// The request of a change. `known` are path parameters of resources that are there: they replace sampled ones.
pub(crate) fn changed(
    api: &OpenApi,
    operation: &Operation,
    wire: &Wire,
    change: &Change,
    known: &Map<String, Value>,
) -> Option<Wire> {
    let mut wire = wire.clone();
    if let Change::Arguments(arguments) = change {
        let built = api.build(operation, &Value::Object(arguments.clone())).ok()?;
        wire = Wire::of(&built);
    }
    for (name, value) in known {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        put_in_path(&operation.path, &mut wire.path, name, &text);
    }
    match change {
        Change::Nothing | Change::Arguments(_) => {}
        Change::Body(value) => wire.body = encoded_body(&wire, value)?,
        Change::Raw { body, media_type } => {
            wire.body = body.clone();
            wire.media_type.clone_from(media_type);
        }
        Change::Parameter { location, name, text } => match location {
            ParameterLocation::Path => {
                put_in_path(&operation.path, &mut wire.path, name, text.as_deref()?);
            }
            ParameterLocation::Query => {
                wire.query.retain(|(known, _)| known != name);
                wire.query.extend(text.clone().map(|text| (name.clone(), text)));
            }
            ParameterLocation::Querystring => {
                wire.query = text.clone().map(|text| (text, String::new())).into_iter().collect();
            }
            ParameterLocation::Header => {
                wire.drop_header(name);
                wire.headers.extend(text.clone().map(|text| (name.clone(), text)));
            }
            ParameterLocation::Cookie => {
                wire.drop_header("cookie");
                let text =
                    text.as_ref().map(|text| ("Cookie".to_owned(), format!("{name}={text}")));
                wire.headers.extend(text);
            }
        },
        Change::Method(method) => {
            (*method).clone_into(&mut wire.method);
            wire.body = Bytes::new();
            wire.media_type = None;
        }
        Change::Elsewhere(path) => wire = Wire::bare("GET", path),
    }
    Some(wire)
}

fn encoded_body(wire: &Wire, value: &Value) -> Option<Bytes> {
    let media_type = wire.media_type.as_deref()?;
    if is_json(media_type) {
        return Some(value.to_string().into());
    }
    if essence(media_type) != "application/x-www-form-urlencoded" {
        return None;
    }
    let fields = value.as_object()?.iter().filter(|(_, value)| !value.is_null());
    let pairs = fields.map(|(name, value)| match value {
        Value::String(text) => Some((name.clone(), text.clone())),
        Value::Number(_) | Value::Bool(_) => Some((name.clone(), value.to_string())),
        _ => None,
    });
    let pairs: Option<Vec<_>> = pairs.collect();
    Some(form(&pairs?).into())
}

/// Puts a value into the segment that is the parameter's.
fn put_in_path(template: &str, path: &mut String, name: &str, text: &str) {
    let wanted = format!("{{{name}}}");
    let segments = template.split('/').zip(path.split('/'));
    let replaced: Vec<String> = segments
        .map(
            |(template, segment)| {
                if template == wanted { encoded(text) } else { segment.to_owned() }
            },
        )
        .collect();
    *path = replaced.join("/");
}
