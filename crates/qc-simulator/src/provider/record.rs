//! What the ledger keeps of a request. Credentials are left out.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use http::header;
use serde_json::Value;
use url::form_urlencoded;

use super::visit::Visit;
use super::{Provider, fingerprint};
use crate::blueprint::{Role, Routing};
use crate::exchange::SimAnswer;
use crate::fault::Struck;
use crate::ledger::{Answered, AnsweredContent, LedgerBody, LedgerEntry};
use crate::spec::ReferencePath;

pub(super) fn entry(
    provider: &Provider,
    visit: &Visit<'_>,
    seq: u64,
    struck: &Struck,
    applied: bool,
    replayed: bool,
    answer: &SimAnswer,
) -> LedgerEntry {
    let operation = match &visit.routing {
        Routing::Found { operation, .. } => Some(operation),
        _ => None,
    };
    let holds_credentials = operation.is_some_and(|o| matches!(o.role, Role::Token));
    LedgerEntry {
        seq,
        at: visit.now,
        provider: Arc::clone(&provider.name),
        operation: operation.map(|operation| Arc::clone(&operation.id)),
        method: visit.request.method.to_string(),
        target: target(provider, visit),
        headers: headers(provider, visit),
        key: visit.key.map(str::to_owned),
        reference: reference(&provider.references, visit),
        body_sha256: hex(&fingerprint(&visit.request.body)),
        body: body(&visit.request.body, holds_credentials),
        applied,
        replayed,
        fault: struck.name.map(str::to_owned),
        answered: match answer {
            SimAnswer::Respond(response) => Answered::Status(response.status.as_u16()),
            SimAnswer::Drop => Answered::Dropped,
            SimAnswer::Hang => Answered::Hung,
        },
        content: match answer {
            SimAnswer::Respond(response) if !holds_credentials => {
                let media_type = response.headers.get(header::CONTENT_TYPE);
                let media_type = media_type.and_then(|text| text.to_str().ok());
                let media_type = media_type.unwrap_or_default().to_owned();
                Some(AnsweredContent { media_type, body: response.body.clone() })
            }
            _ => None,
        },
    }
}

fn body(bytes: &[u8], withheld: bool) -> LedgerBody {
    if withheld {
        return LedgerBody::Withheld;
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => LedgerBody::Text(text.to_owned()),
        Err(_) => LedgerBody::Base64(STANDARD.encode(bytes)),
    }
}

fn target(provider: &Provider, visit: &Visit<'_>) -> String {
    let secret = &provider.blueprint.secret_query;
    if !visit.query.iter().any(|(name, _)| secret.contains(name)) {
        return visit.request.target.clone();
    }
    let mut kept = form_urlencoded::Serializer::new(String::new());
    for (name, value) in &visit.query {
        kept.append_pair(name, if secret.contains(name) { "withheld" } else { value });
    }
    format!("{}?{}", visit.path, kept.finish())
}

fn headers(provider: &Provider, visit: &Visit<'_>) -> Vec<(String, String)> {
    let secret = |name: &header::HeaderName| {
        [header::AUTHORIZATION, header::COOKIE, header::PROXY_AUTHORIZATION].contains(name)
            || provider.blueprint.secret_headers.contains(name)
    };
    let fields = visit.request.headers.iter().filter(|(name, _)| !secret(name));
    fields
        .map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        })
        .collect()
}

fn reference(paths: &[ReferencePath], visit: &Visit<'_>) -> Option<String> {
    paths.iter().find_map(|path| match path {
        ReferencePath::Body(pointer) => match visit.body.as_ref()?.pointer(pointer)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        },
        ReferencePath::Path(name) => match &visit.routing {
            Routing::Found { parameters, .. } => parameters.get(name).map(str::to_owned),
            _ => None,
        },
        ReferencePath::Query(name) => {
            visit.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone())
        }
    })
}

pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]])
        .map(char::from)
        .collect()
}
