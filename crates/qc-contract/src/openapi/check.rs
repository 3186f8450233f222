//! Requests and answers that passed by, judged by the contract.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::OpenApi;
use crate::mismatch::{Direction, Mismatch};
use crate::model::{Content, Operation, Parameter, ParameterLocation, SchemaAt, Style};
use crate::request::{content_for, essence, is_form, is_json, plain_text, read_styled};

/// A request as a server received it.
#[derive(Clone, Copy, Debug, Default)]
pub struct IncomingRequest<'a> {
    /// Path parameters, decoded, as [`OpenApi::route`] answers them.
    pub path: &'a [(String, String)],
    /// Query parameters, decoded, in order.
    pub query: &'a [(String, String)],
    /// Headers.
    pub headers: &'a [(String, String)],
    /// The content type, if there is a body.
    pub media_type: Option<&'a str>,
    /// The body as JSON, when it is JSON or a form (then an object of its fields); `None` when there is none.
    pub body: Option<&'a Value>,
}

impl OpenApi {
    /// What in a received request breaks the contract.
    pub fn check_request(
        &self,
        operation: &Operation,
        request: &IncomingRequest<'_>,
    ) -> Vec<Mismatch> {
        let mut found = Vec::new();
        let values = self.read_parameters(operation, request);
        for parameter in &operation.parameters {
            let pointer = format!("/{}/{}", parameter.location.as_str(), parameter.name);
            let key = (parameter.location, parameter.name.to_string());
            match (values.get(&key), &parameter.schema) {
                (Some(value), Some(schema)) => {
                    let mismatches = self.check(schema, Direction::Request, value);
                    found.extend(mismatches.into_iter().map(|m| m.below(&pointer)));
                }
                (None, _) if parameter.required => {
                    let message = format!(
                        "the {} parameter `{}` is missing",
                        parameter.location.as_str(),
                        parameter.name
                    );
                    found.push(Mismatch::argument(pointer, message));
                }
                _ => {}
            }
        }
        found.extend(self.check_received_body(operation, request));
        found.truncate(Mismatch::LIMIT);
        found
    }

    fn check_received_body(
        &self,
        operation: &Operation,
        request: &IncomingRequest<'_>,
    ) -> Vec<Mismatch> {
        let Some(described) = &operation.request_body else { return Vec::new() };
        let at_body = |message: &str| vec![Mismatch::argument("/body".to_owned(), message)];
        let Some(body) = request.body else {
            let other = request.media_type.filter(|media_type| !is_json(media_type));
            if other.is_some_and(|other| content_for(&described.content, other).is_none()) {
                return at_body("a body of this media type is not described");
            }
            let missing = described.required && other.is_none();
            return if missing { at_body("the body is missing") } else { Vec::new() };
        };
        let media_type = request.media_type.unwrap_or("application/json");
        let Some(content) = content_for(&described.content, media_type) else {
            return at_body("a body of this media type is not described");
        };
        let Some(schema) = &content.schema else { return Vec::new() };
        let value = if is_json(media_type) { body.clone() } else { self.form_value(schema, body) };
        let found = self.check(schema, Direction::Request, &value);
        found.into_iter().map(|mismatch| mismatch.below("/body")).collect()
    }

    /// Form fields are text; each is read as what the schema's property wants.
    fn form_value(&self, schema: &SchemaAt, body: &Value) -> Value {
        if self.admits(schema, Direction::Request, body) {
            return body.clone();
        }
        let Value::Object(fields) = body else { return body.clone() };
        let properties = self.schema(schema, Direction::Request);
        let typed = fields.iter().map(|(name, value)| {
            let kinds = &properties["properties"][name]["type"];
            let wants = |kind: &str| {
                kinds == kind || kinds.as_array().is_some_and(|all| all.iter().any(|k| k == kind))
            };
            let read = match value {
                Value::String(text) if wants("array") => serde_json::from_str(text)
                    .ok()
                    .or_else(|| Some(Value::from(vec![text.clone()]))),
                Value::String(text) if !wants("string") => serde_json::from_str(text).ok(),
                _ => None,
            };
            (name.clone(), read.unwrap_or_else(|| value.clone()))
        });
        Value::Object(typed.collect())
    }

    /// The parameters of a received request as values.
    pub fn read_parameters(
        &self,
        operation: &Operation,
        request: &IncomingRequest<'_>,
    ) -> BTreeMap<(ParameterLocation, String), Value> {
        let mut values = BTreeMap::new();
        for parameter in &operation.parameters {
            if let Some(value) = self.read_parameter(parameter, request) {
                values.insert((parameter.location, parameter.name.to_string()), value);
            }
        }
        values
    }

    fn read_parameter(
        &self,
        parameter: &Parameter,
        request: &IncomingRequest<'_>,
    ) -> Option<Value> {
        let admits = |value: &Value| {
            let schema = parameter.schema.as_ref();
            schema.is_none_or(|schema| self.admits(schema, Direction::Request, value))
        };
        if parameter.style == Style::DeepObject && parameter.location == ParameterLocation::Query {
            return deep_object(&parameter.name, request.query, &admits);
        }
        if parameter.location == ParameterLocation::Querystring {
            return self.read_querystring(parameter, request.query);
        }
        let texts = texts(parameter, request);
        let first = texts.first()?;
        if parameter.media_type.as_deref().is_some_and(is_json) {
            return serde_json::from_str(first).ok().or_else(|| Some(Value::from(*first)));
        }
        let is_list = parameter.schema.as_ref().is_some_and(|schema| self.is_list(schema));
        Some(read_styled(parameter, &texts, is_list, &admits))
    }

    /// All of a query as one value. What is no form has come as one text without `=`.
    fn read_querystring(&self, parameter: &Parameter, query: &[(String, String)]) -> Option<Value> {
        let (text, _) = query.first()?;
        if !parameter.media_type.as_deref().is_some_and(is_form) {
            let read = serde_json::from_str(text);
            return read.ok().or_else(|| Some(Value::from(text.as_str())));
        }
        let fields =
            Value::Object(gathered(query.iter().map(|(name, text)| (name.as_str(), text))));
        let schema = parameter.schema.as_ref();
        Some(schema.map_or(fields.clone(), |schema| self.form_value(schema, &fields)))
    }

    fn is_list(&self, schema: &SchemaAt) -> bool {
        let value = self.schema(schema, Direction::Request);
        let kinds = resolve(&value, &value).get("type").cloned().unwrap_or_default();
        kinds == "array" || kinds.as_array().is_some_and(|all| all.iter().any(|k| k == "array"))
    }

    /// What in an answer breaks the contract. `body` is `None` when there was none; a body that is not JSON is not
    /// judged. An undocumented status or media type is a mismatch.
    pub fn check_response(
        &self,
        operation: &Operation,
        status: u16,
        headers: &[(String, String)],
        body: Option<&Value>,
    ) -> Vec<Mismatch> {
        let of = |message: String, keyword: &str| Mismatch {
            pointer: String::new(),
            schema_pointer: String::new(),
            message,
            keyword: keyword.to_owned(),
            expected: None,
            direction: Direction::Response,
        };
        let Some(response) = operation.response(status) else {
            let message = format!("status {status} is not described for `{}`", operation.id);
            return vec![of(message, "status")];
        };
        let mut found = Vec::new();
        let header = |name: &str| {
            let found = headers.iter().find(|(header, _)| header.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.as_str())
        };
        for described in &response.headers {
            if described.required && header(&described.name).is_none() {
                let message = format!("the header `{}` is missing", described.name);
                found.push(of(message, "header"));
            }
        }
        let Some(body) = body else {
            return found;
        };
        if response.content.is_empty() {
            return found;
        }
        let media_type = header("content-type").unwrap_or("application/json");
        if let Some(content) = answered(&response.content, media_type) {
            if let Some(schema) = &content.schema {
                found.extend(self.check(schema, Direction::Response, body));
            }
        } else {
            let message = format!("the media type `{}` is not described", essence(media_type));
            found.push(of(message, "content"));
        }
        found.truncate(Mismatch::LIMIT);
        found
    }
}

/// The entry for an answer's media type; any JSON type stands in for another when only one is described.
pub(super) fn answered<'c>(contents: &'c [Content], media_type: &str) -> Option<&'c Content> {
    content_for(contents, media_type).or_else(|| {
        let mut json = contents.iter().filter(|content| is_json(&content.media_type));
        let only = json.next().filter(|_| is_json(media_type))?;
        json.next().is_none().then_some(only)
    })
}

fn texts<'a>(parameter: &Parameter, request: &IncomingRequest<'a>) -> Vec<&'a str> {
    let named = |pairs: &'a [(String, String)], any_case: bool| {
        let same = move |name: &str| {
            if any_case {
                name.eq_ignore_ascii_case(&parameter.name)
            } else {
                name == &*parameter.name
            }
        };
        let found = pairs.iter().filter(|(name, _)| same(name));
        found.map(|(_, value)| value.as_str()).collect::<Vec<_>>()
    };
    match parameter.location {
        ParameterLocation::Path => named(request.path, false),
        ParameterLocation::Query => named(request.query, false),
        // Is read as a whole.
        ParameterLocation::Querystring => Vec::new(),
        ParameterLocation::Header => named(request.headers, true),
        ParameterLocation::Cookie => {
            let cookies = request.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case("cookie"));
            let pairs = cookies.flat_map(|(_, value)| value.split(';'));
            let pairs = pairs.filter_map(|pair| pair.trim().split_once('='));
            pairs.filter(|(name, _)| *name == &*parameter.name).map(|(_, value)| value).collect()
        }
    }
}

fn deep_object(
    name: &str,
    query: &[(String, String)],
    admits: &dyn Fn(&Value) -> bool,
) -> Option<Value> {
    let object = gathered(query.iter().filter_map(|(key, text)| {
        let member = key.strip_prefix(name).and_then(|rest| rest.strip_prefix('['));
        Some((member.and_then(|rest| rest.strip_suffix(']'))?, text))
    }));
    if object.is_empty() {
        return None;
    }
    let as_text = Value::Object(object.clone());
    if admits(&as_text) {
        return Some(as_text);
    }
    let typed = object.into_iter().map(|(key, value)| {
        let parsed = value.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
        (key, parsed.filter(|parsed| !parsed.is_object()).unwrap_or(value))
    });
    Some(Value::Object(typed.collect()))
}

/// Pairs as an object: what comes more than once is a list.
fn gathered<'q>(pairs: impl Iterator<Item = (&'q str, &'q String)>) -> Map<String, Value> {
    let mut object = Map::new();
    for (key, text) in pairs {
        match object.get_mut(key) {
            Some(Value::Array(items)) => items.push(Value::from(text.as_str())),
            Some(other) => {
                *other = Value::from(vec![plain_text(other).unwrap_or_default(), text.clone()]);
            }
            None => {
                object.insert(key.to_owned(), Value::from(text.as_str()));
            }
        }
    }
    object
}

/// Follows the `$ref` of a self-contained schema, a few steps at most.
pub(crate) fn resolve<'v>(root: &'v Value, schema: &'v Value) -> &'v Value {
    let mut schema = schema;
    for _ in 0..16 {
        let Some(reference) = schema.get("$ref").and_then(Value::as_str) else { break };
        let pointer = reference.trim_start_matches('#');
        let decoded = percent_encoding::percent_decode_str(pointer).decode_utf8_lossy();
        match root.pointer(&decoded) {
            Some(found) => schema = found,
            None => break,
        }
    }
    schema
}
