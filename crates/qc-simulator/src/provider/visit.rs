//! One request as the provider sees it: routed, its query and body read.

use http::{StatusCode, header};
use qc_model::Timestamp;
use serde_json::{Map, Value};
use url::form_urlencoded;

use super::multipart;
use crate::blueprint::{Blueprint, Routing};
use crate::exchange::SimRequest;
use crate::problem::{ErrorShapes, Fields};

pub(super) struct Visit<'a> {
    pub(super) request: &'a SimRequest,
    pub(super) now: Timestamp,
    /// The path as sent, without the query.
    pub(super) path: &'a str,
    pub(super) query: Vec<(String, String)>,
    pub(super) routing: Routing<'a>,
    /// The body, when it is JSON or a form.
    pub(super) body: Option<Value>,
    /// The fields of a form with files. They are not what its schema describes, so they are not checked against it.
    parts: Option<Map<String, Value>>,
    /// The idempotency key.
    pub(super) key: Option<&'a str>,
}

impl<'a> Visit<'a> {
    pub(super) fn begin(blueprint: &'a Blueprint, request: &'a SimRequest, now: Timestamp) -> Self {
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        let key = blueprint.key_header.as_ref().and_then(|name| request.headers.get(name));
        Self {
            request,
            now,
            path,
            query: form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
            routing: blueprint.route(&request.method, path),
            body: read_body(request),
            parts: read_parts(request),
            key: key.and_then(|value| value.to_str().ok()),
        }
    }

    /// The operation's id; `token` for an unlisted token endpoint; empty for none.
    pub(super) fn operation_name(&self) -> &str {
        match &self.routing {
            Routing::Found { operation, .. } => &operation.id,
            _ => "",
        }
    }

    /// Where the request breaks the contract.
    pub(super) fn mismatches(&self, blueprint: &Blueprint) -> Fields {
        match &self.routing {
            Routing::Found { operation, parameters } => blueprint.check(
                operation,
                parameters,
                &self.query,
                self.request,
                self.body.as_ref(),
            ),
            _ => Fields::default(),
        }
    }

    /// 422 for a body that breaks its schema where the document names 422; 400 for everything else, a body that
    /// cannot be read at all included.
    pub(super) fn refusal_status(&self, errors: &ErrorShapes, mismatches: &Fields) -> StatusCode {
        let in_body = mismatches.0.iter().all(|(pointer, _)| {
            pointer
                .strip_prefix("/body")
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
        if in_body && self.body.is_some() && errors.names(422) {
            StatusCode::UNPROCESSABLE_ENTITY
        } else {
            StatusCode::BAD_REQUEST
        }
    }

    /// The body's fields, when it is an object.
    pub(super) fn fields(&self) -> Map<String, Value> {
        let fields = self.body.as_ref().and_then(Value::as_object);
        fields.or(self.parts.as_ref()).cloned().unwrap_or_default()
    }
}

fn read_parts(request: &SimRequest) -> Option<Map<String, Value>> {
    let media_type = request.headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let multipart = media_type.to_ascii_lowercase().starts_with("multipart/form-data");
    multipart.then(|| multipart::read(media_type, &request.body)).flatten()
}

fn read_body(request: &SimRequest) -> Option<Value> {
    if request.body.is_empty() {
        return None;
    }
    let media_type = request.headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    if media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        let pairs = form_urlencoded::parse(&request.body).into_owned();
        return Some(Value::Object(
            pairs.map(|(name, text)| (name, Value::String(text))).collect(),
        ));
    }
    let is_json =
        media_type.eq_ignore_ascii_case("application/json") || media_type.ends_with("+json");
    if is_json { serde_json::from_slice(&request.body).ok() } else { None }
}
