//! Bodies by their media type.

use serde_json::Value;

use super::http::compare_fields;
use super::rules::{Matcher, Part, Rules};
use super::values::{check_all_text, content_signature};
use super::{Body, Content, Difference, Query, json, multipart, xml};

/// Whether there may be more than is expected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Allowance {
    /// In a request: the provider may not be able to do anything with it.
    Exact,
    /// In a response or a message: the consumer does not look at it.
    More,
}

impl Content {
    /// Bytes of a declared media type, or of the one that they look like.
    pub fn bytes(bytes: Vec<u8>, declared: Option<String>) -> Self {
        let media_type = declared.unwrap_or_else(|| seen(&bytes));
        Self { bytes, media_type }
    }

    pub(super) fn text(text: &str, declared: Option<String>) -> Self {
        // A JSON string is written as text as well; what is no JSON is one.
        let is_json = declared.as_deref().is_some_and(|declared| kind(declared) == Kind::Json);
        if is_json
            && serde_json::from_str::<Value>(text).is_err()
            && !looks_like_xml(text.as_bytes())
        {
            return Self::json(Value::from(text), declared);
        }
        Self::bytes(text.as_bytes().to_vec(), declared)
    }

    pub(super) fn json(value: Value, declared: Option<String>) -> Self {
        let declared = declared.filter(|declared| kind(declared) == Kind::Json);
        Self {
            bytes: value.to_string().into_bytes(),
            media_type: declared.unwrap_or_else(|| "application/json".to_owned()),
        }
    }

    fn kind(&self) -> Kind {
        match kind(&self.media_type) {
            // A file may declare one thing and hold another.
            Kind::Json if looks_like_xml(&self.bytes) => Kind::Xml,
            kind => kind,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Json,
    Xml,
    Form,
    Multipart,
    Other,
}

fn base(media_type: &str) -> String {
    media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn kind(media_type: &str) -> Kind {
    let base = base(media_type);
    match base.as_str() {
        "application/x-www-form-urlencoded" => Kind::Form,
        "application/json" | "text/json" | "application/json-rpc" | "application/jsonrequest" => {
            Kind::Json
        }
        "application/xml" | "text/xml" => Kind::Xml,
        other if other.ends_with("+json") => Kind::Json,
        other if other.ends_with("+xml") => Kind::Xml,
        other if other.starts_with("multipart/") => Kind::Multipart,
        _ => Kind::Other,
    }
}

fn looks_like_xml(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().starts_with(b"<")
}

fn seen(bytes: &[u8]) -> String {
    let name = if let Some(signature) = content_signature(bytes) {
        signature
    } else if looks_like_xml(bytes) {
        let start = String::from_utf8_lossy(&bytes[..bytes.len().min(64)]).to_ascii_lowercase();
        if start.contains("<html") || start.contains("<!doctype html") {
            "text/html"
        } else {
            "application/xml"
        }
    } else if serde_json::from_slice::<Value>(bytes)
        .is_ok_and(|json| json.is_object() || json.is_array())
    {
        "application/json"
    } else if std::str::from_utf8(bytes).is_ok() {
        "text/plain"
    } else {
        "application/octet-stream"
    };
    name.to_owned()
}

pub(super) fn compare_bodies(
    expected: &Body,
    actual: &Body,
    rules: &Rules,
    allowance: Allowance,
    found: &mut Vec<Difference>,
) {
    match (expected, actual) {
        (Body::Null | Body::Empty, Body::Present(_)) => {
            found.push(Difference::new("/body", "must be empty"));
        }
        (Body::Missing | Body::Null | Body::Empty, _) => {}
        (Body::Present(wanted), Body::Present(given)) => {
            compare_contents(wanted, given, rules, allowance, found);
        }
        (Body::Present(_), _) => found.push(Difference::new("/body", "is missing")),
    }
}

fn compare_contents(
    wanted: &Content,
    given: &Content,
    rules: &Rules,
    allowance: Allowance,
    found: &mut Vec<Difference>,
) {
    let matchers = rules.best(Part::Body, &[]).map(|(matchers, _)| matchers);
    let content_types: Vec<&str> = matchers
        .into_iter()
        .flat_map(|matchers| &matchers.all)
        .filter_map(|matcher| match matcher {
            Matcher::ContentType(wanted) => Some(wanted.as_str()),
            _ => None,
        })
        .collect();
    if !content_types.is_empty() {
        for wanted in content_types {
            if !is_of_type(given, wanted) {
                let message = format!("must be `{wanted}`, but is `{}`", base(&given.media_type));
                found.push(Difference::new("/body", message));
            }
        }
        return;
    }
    let kind = wanted.kind();
    if kind != given.kind()
        || (kind == Kind::Other && base(&wanted.media_type) != base(&given.media_type))
    {
        let message =
            format!("must be `{}`, but is `{}`", base(&wanted.media_type), base(&given.media_type));
        found.push(Difference::new("/body", message));
        return;
    }
    match kind {
        Kind::Json => match parsed(wanted, given) {
            Ok((wanted, given)) => json::compare(&wanted, &given, rules, allowance, found),
            Err(why) => found.push(Difference::new("/body", why)),
        },
        Kind::Xml => xml::compare(&text(wanted), &text(given), rules, allowance, found),
        Kind::Form => {
            let (wanted, given) = (Query::parse(&text(wanted)), Query::parse(&text(given)));
            compare_fields(&wanted, &given, rules, Part::Body, "/body", found);
        }
        Kind::Multipart => multipart::compare(wanted, given, rules, allowance, found),
        Kind::Other => match matchers {
            Some(matchers) => {
                let why = check_all_text(matchers, &text(wanted), &text(given));
                found.extend(why.into_iter().map(|why| Difference::new("/body", why)));
            }
            None if wanted.bytes != given.bytes => {
                let message = "is not the expected content";
                found.push(Difference::new("/body", message));
            }
            None => {}
        },
    }
}

fn is_of_type(content: &Content, wanted: &str) -> bool {
    let declared = base(&content.media_type);
    let seen = seen(&content.bytes);
    declared == base(wanted) && (content_signature(&content.bytes).is_none() || seen == declared)
        || seen == base(wanted)
}

fn text(content: &Content) -> String {
    String::from_utf8_lossy(&content.bytes).into_owned()
}

fn parsed(wanted: &Content, given: &Content) -> Result<(Value, Value), String> {
    let wanted = serde_json::from_slice(&wanted.bytes);
    let wanted = wanted.map_err(|_| "the expected body is not JSON".to_owned())?;
    let given = serde_json::from_slice(&given.bytes);
    Ok((wanted, given.map_err(|error| format!("is not JSON: {error}"))?))
}
