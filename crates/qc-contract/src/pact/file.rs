//! Reading Pact files of versions 1 to 4.

use base64::Engine as _;
use qc_document::{Document, ParseLimits, Source, parse};
use qc_model::{Finding, Place};
use serde_json::{Map, Value};

use super::rules::{Rules, escaped};
use super::{
    Body, Content, Exchange, Interaction, Message, Pact, Query, Request, Response, Specification,
    State,
};
use crate::codes;

/// Most interactions in one file.
const INTERACTION_LIMIT: usize = 10_000;

/// What is wrong at a place of the file.
pub(super) struct Problem {
    pointer: String,
    code: qc_model::Code,
    message: String,
}

pub(super) type Problems = Vec<Problem>;

impl Problem {
    pub(super) fn malformed(pointer: &str, message: impl Into<String>) -> Self {
        Self { pointer: pointer.to_owned(), code: codes::PACT, message: message.into() }
    }

    pub(super) fn rule(pointer: &str, message: impl Into<String>) -> Self {
        Self { pointer: pointer.to_owned(), code: codes::PACT_RULE, message: message.into() }
    }

    pub(super) fn into_parts(self) -> (String, qc_model::Code, String) {
        (self.pointer, self.code, self.message)
    }

    fn finding(&self, document: &Document) -> Finding {
        let help = if self.code == codes::PACT_RULE {
            "mend the consumer's test that writes this file; a rule that is not understood would admit anything"
        } else {
            "write the file again with the consumer's Pact library"
        };
        Finding::error(self.code.clone(), self.message.clone())
            .at(place(document, &self.pointer))
            .help(help)
    }
}

fn place(document: &Document, pointer: &str) -> Place {
    let span = document.root.key_span_at(pointer);
    document.source.place(span.unwrap_or_else(|| document.root.nearest(pointer).span))
}

impl Pact {
    /// Reads a file. Findings are errors: with one, the file must not be relied on, though what was read is given.
    pub fn read(path: &str, text: &str) -> (Option<Self>, Vec<Finding>) {
        let document = match parse(Source::new(path, text), &ParseLimits::default()) {
            Ok(document) => document,
            Err(finding) => return (None, vec![*finding]),
        };
        let mut problems = Vec::new();
        let pact = read_pact(&document.root.to_value(), &mut problems);
        let findings = problems.iter().map(|problem| problem.finding(&document)).collect();
        (pact, findings)
    }
}

fn read_pact(root: &Value, problems: &mut Problems) -> Option<Pact> {
    let Some(map) = root.as_object() else {
        problems.push(Problem::malformed("", "a Pact file must be an object"));
        return None;
    };
    let specification = specification(map, problems)?;
    let mut party = |key: &str| {
        let name = map.get(key).and_then(|party| party.get("name")).and_then(Value::as_str);
        if name.is_none() {
            problems.push(Problem::malformed("", format!("`{key}` with its `name` is missing")));
        }
        name.unwrap_or_default().to_owned()
    };
    let (consumer, provider) = (party("consumer"), party("provider"));
    let mut interactions = Vec::new();
    let mut is_any = false;
    for key in ["interactions", "messages"] {
        let Some(list) = map.get(key) else { continue };
        is_any = true;
        let Some(list) = list.as_array() else {
            problems
                .push(Problem::malformed(&format!("/{key}"), format!("`{key}` must be a list")));
            continue;
        };
        if list.len() > INTERACTION_LIMIT {
            let message = format!("the file has more than {INTERACTION_LIMIT} {key}");
            problems.push(Problem::malformed(&format!("/{key}"), message));
        }
        for (index, value) in list.iter().take(INTERACTION_LIMIT).enumerate() {
            let pointer = format!("/{key}/{index}");
            let is_message = key == "messages";
            interactions.extend(interaction(value, specification, is_message, &pointer, problems));
        }
    }
    if !is_any {
        problems.push(Problem::malformed("", "the file has neither `interactions` nor `messages`"));
    }
    Some(Pact { consumer, provider, specification, interactions })
}

fn specification(map: &Map<String, Value>, problems: &mut Problems) -> Option<Specification> {
    let metadata = map.get("metadata");
    let named = ["pactSpecification", "pact-specification"]
        .iter()
        .find_map(|key| metadata?.get(key)?.get("version").and_then(Value::as_str));
    let named = named.or_else(|| metadata?.get("pactSpecificationVersion")?.as_str());
    let Some(named) = named else {
        // Version 2 was the last that writers left out.
        return Some(Specification::V2);
    };
    let known = Specification::named(named);
    if known.is_none() {
        let message =
            format!("version `{named}` of the Pact specification is not known; 1 to 4 are");
        problems.push(Problem::malformed("/metadata", message));
    }
    known
}

fn interaction(
    value: &Value,
    specification: Specification,
    is_message: bool,
    pointer: &str,
    problems: &mut Problems,
) -> Option<Interaction> {
    let Some(map) = value.as_object() else {
        problems.push(Problem::malformed(pointer, "an interaction must be an object"));
        return None;
    };
    let Some(description) = map.get("description").and_then(Value::as_str) else {
        problems.push(Problem::malformed(pointer, "the interaction has no `description`"));
        return None;
    };
    let kind = map.get("type").and_then(Value::as_str);
    let kind =
        kind.unwrap_or(if is_message { "Asynchronous/Messages" } else { "Synchronous/HTTP" });
    let null = Value::Null;
    let part = |key: &str| (map.get(key).unwrap_or(&null), format!("{pointer}/{key}"));
    let exchange = match kind {
        "Synchronous/HTTP" => {
            for key in ["request", "response"] {
                if !map.get(key).is_some_and(Value::is_object) {
                    problems.push(Problem::malformed(pointer, format!("`{key}` is missing")));
                    return None;
                }
            }
            let (request, at) = part("request");
            let request = read_request(request, specification, &at, problems);
            let (response, at) = part("response");
            let response = read_response(response, specification, &at, problems);
            Exchange::Http { request: Box::new(request), response: Box::new(response) }
        }
        "Asynchronous/Messages" => {
            Exchange::Message(Box::new(read_message(value, specification, pointer, problems)))
        }
        "Synchronous/Messages" => {
            let (request, at) = part("request");
            let request = read_message(request, specification, &at, problems);
            let (responses, at) = part("response");
            let responses = responses.as_array().into_iter().flatten().enumerate();
            let responses = responses
                .map(|(index, one)| {
                    read_message(one, specification, &format!("{at}/{index}"), problems)
                })
                .collect();
            Exchange::SyncMessage { request: Box::new(request), responses }
        }
        other => {
            let message = format!("interactions of type `{other}` are not known");
            problems.push(Problem::malformed(&format!("{pointer}/type"), message));
            return None;
        }
    };
    Some(Interaction {
        description: description.to_owned(),
        states: states(map),
        is_pending: map.get("pending") == Some(&Value::Bool(true)),
        exchange,
    })
}

fn states(map: &Map<String, Value>) -> Vec<State> {
    let named = |name: &str| State { name: name.to_owned(), parameters: Map::new() };
    let listed = map.get("providerStates").or_else(|| map.get("providerState"));
    match listed.or_else(|| map.get("provider_state")) {
        Some(Value::String(name)) => vec![named(name)],
        Some(Value::Array(states)) => states
            .iter()
            .filter_map(|state| {
                let name = state.as_str().or_else(|| state.get("name")?.as_str())?;
                let parameters = state.get("params").and_then(Value::as_object).cloned();
                Some(State { name: name.to_owned(), parameters: parameters.unwrap_or_default() })
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// A request as it stands in an interaction.
pub(super) fn read_request(
    value: &Value,
    specification: Specification,
    pointer: &str,
    problems: &mut Problems,
) -> Request {
    let text = |key: &str| value.get(key).and_then(Value::as_str);
    let headers = headers(value.get("headers"), pointer, problems);
    Request {
        method: text("method").unwrap_or("GET").to_owned(),
        path: text("path").unwrap_or("/").to_owned(),
        query: query(value.get("query"), pointer, problems),
        body: body(value, "body", content_type(&headers), specification, pointer, problems),
        headers,
        rules: rules(value, pointer, problems),
        specification,
    }
}

/// A response as it stands in an interaction.
pub(super) fn read_response(
    value: &Value,
    specification: Specification,
    pointer: &str,
    problems: &mut Problems,
) -> Response {
    let headers = headers(value.get("headers"), pointer, problems);
    let status = match value.get("status") {
        None | Some(Value::Null) => None,
        Some(status) => {
            let number = status.as_u64().or_else(|| status.as_str()?.parse().ok());
            if number.is_none() {
                let message = "`status` must be a number";
                problems.push(Problem::malformed(&format!("{pointer}/status"), message));
            }
            number
        }
    };
    Response {
        status,
        body: body(value, "body", content_type(&headers), specification, pointer, problems),
        headers,
        rules: rules(value, pointer, problems),
    }
}

/// A message as it stands in a file.
pub(super) fn read_message(
    value: &Value,
    specification: Specification,
    pointer: &str,
    problems: &mut Problems,
) -> Message {
    let metadata = value.get("metadata").or_else(|| value.get("metaData"));
    let metadata = metadata.and_then(Value::as_object).cloned().unwrap_or_default();
    let declared = metadata.iter().find(|(name, _)| {
        let plain: String = name.chars().filter(char::is_ascii_alphabetic).collect();
        plain.eq_ignore_ascii_case("contenttype")
    });
    let declared = declared.and_then(|(_, value)| value.as_str()).map(str::to_owned);
    let key = if value.get("content").is_some() { "content" } else { "contents" };
    Message {
        body: body(value, key, declared, specification, pointer, problems),
        metadata,
        rules: rules(value, pointer, problems),
    }
}

fn rules(value: &Value, pointer: &str, problems: &mut Problems) -> Rules {
    let pointer = format!("{pointer}/matchingRules");
    Rules::read(value.get("matchingRules"), &pointer, problems)
}

fn headers(
    value: Option<&Value>,
    pointer: &str,
    problems: &mut Problems,
) -> Vec<(String, Vec<String>)> {
    let map = match value {
        None | Some(Value::Null) => return Vec::new(),
        Some(Value::Object(map)) => map,
        Some(_) => {
            problems.push(Problem::malformed(
                &format!("{pointer}/headers"),
                "`headers` must be an object",
            ));
            return Vec::new();
        }
    };
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let values = |value: &Value| match value {
        Value::Array(values) => values.iter().map(text).collect(),
        one => vec![text(one)],
    };
    map.iter().map(|(name, value)| (name.clone(), values(value))).collect()
}

fn content_type(headers: &[(String, Vec<String>)]) -> Option<String> {
    let found = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    found.and_then(|(_, values)| values.first()).cloned()
}

fn query(value: Option<&Value>, pointer: &str, problems: &mut Problems) -> Query {
    match value {
        None | Some(Value::Null) => Query::default(),
        Some(Value::String(text)) => Query::parse(text),
        Some(Value::Object(map)) => {
            let text = |value: &Value| match value {
                Value::Null => String::new(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let values = |value: &Value| match value {
                Value::Array(values) => values.iter().map(text).collect(),
                one => vec![text(one)],
            };
            let fields = map.iter().map(|(name, value)| (name.clone(), values(value))).collect();
            Query { raw: None, fields }
        }
        Some(_) => {
            let message = "`query` must be text or an object";
            problems.push(Problem::malformed(&format!("{pointer}/query"), message));
            Query::default()
        }
    }
}

fn body(
    value: &Value,
    key: &str,
    declared: Option<String>,
    specification: Specification,
    pointer: &str,
    problems: &mut Problems,
) -> Body {
    let pointer = format!("{pointer}/{}", escaped(key));
    match value.get(key) {
        None => Body::Missing,
        Some(Value::Null) => Body::Null,
        Some(Value::Object(map)) if specification == Specification::V4 => {
            body_of_version_4(map, declared, &pointer, problems)
        }
        Some(Value::String(text)) if text.is_empty() => Body::Empty,
        Some(Value::String(text)) => Body::Present(Content::text(text, declared)),
        Some(json) => Body::Present(Content::json(json.clone(), declared)),
    }
}

fn body_of_version_4(
    map: &Map<String, Value>,
    declared: Option<String>,
    pointer: &str,
    problems: &mut Problems,
) -> Body {
    let own = map.get("contentType").and_then(Value::as_str).map(str::to_owned);
    let declared = own.or(declared);
    let encoding = match map.get("encoded") {
        Some(Value::String(encoding)) => encoding.to_ascii_lowercase(),
        Some(Value::Bool(true)) => "base64".to_owned(),
        _ => String::new(),
    };
    match map.get("content") {
        None => Body::Missing,
        Some(Value::Null) => Body::Null,
        Some(Value::String(text)) if text.is_empty() => Body::Empty,
        Some(Value::String(text)) if encoding == "base64" => {
            if let Ok(bytes) = base64::engine::general_purpose::STANDARD.decode(text) {
                return Body::Present(Content::bytes(bytes, declared));
            }
            let message = "the content is said to be base64, but is not";
            problems.push(Problem::malformed(&format!("{pointer}/content"), message));
            Body::Missing
        }
        Some(Value::String(text)) if encoding == "json" => {
            Body::Present(Content::bytes(text.clone().into_bytes(), declared))
        }
        Some(Value::String(text)) => Body::Present(Content::text(text, declared)),
        Some(json) => Body::Present(Content::json(json.clone(), declared)),
    }
}
