//! Arguments sorted into path, query, headers and body, checked, and written down.

use std::collections::BTreeSet;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};

use super::style::{TooDeep, header_text, path_text, plain_text, query_pairs};
use super::{BuiltRequest, body, is_form};
use crate::mismatch::{Direction, Mismatch, kind};
use crate::model::{Operation, Parameter, ParameterLocation, SchemaAt, Style};
use crate::openapi::OpenApi;

/// RFC 3986 unreserved characters stay bare in a path segment.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

impl OpenApi {
    /// Builds a request of an operation from named arguments, checked against the contract.
    ///
    /// `arguments` is an object. Each key is the name of a parameter, or `path.x`, `query.x`, `header.x`, `cookie.x`
    /// where a bare name would be ambiguous, or `body`. When the operation takes a JSON object or form as its body
    /// and there is no `body`, the remaining keys are the body's properties. `header.Content-Type` chooses between
    /// several media types of the body. A parameter whose value is `null` is left out. All that is wrong is answered
    /// at once.
    pub fn build(
        &self,
        operation: &Operation,
        arguments: &Value,
    ) -> Result<BuiltRequest, Vec<Mismatch>> {
        let empty = Map::new();
        let arguments = match arguments {
            Value::Object(map) => map,
            Value::Null => &empty,
            other => {
                let message = format!("the arguments must be an object, but are {}", kind(other));
                return Err(vec![Mismatch::argument(String::new(), message)]);
            }
        };
        let mut building = Building {
            api: self,
            operation,
            arguments,
            used: BTreeSet::new(),
            path: operation.path.to_string(),
            request: BuiltRequest {
                method: operation.method,
                path: String::new(),
                query: Vec::new(),
                query_text: None,
                headers: Vec::new(),
                body: None,
            },
            mismatches: Vec::new(),
        };
        for parameter in &operation.parameters {
            building.parameter(parameter);
        }
        building.body();
        building.finish()
    }
}

struct Building<'b> {
    api: &'b OpenApi,
    operation: &'b Operation,
    arguments: &'b Map<String, Value>,
    used: BTreeSet<String>,
    path: String,
    request: BuiltRequest,
    mismatches: Vec<Mismatch>,
}

impl Building<'_> {
    /// The argument for a parameter: by its prefixed name, else by its bare name when no other parameter has that.
    fn argument(&mut self, parameter: &Parameter) -> Option<Value> {
        let prefixed = format!("{}.{}", parameter.location.as_str(), parameter.name);
        if let Some(value) = self.arguments.get(&prefixed) {
            self.used.insert(prefixed);
            return Some(value.clone());
        }
        let value = self.arguments.get(&*parameter.name)?;
        let namesakes = self.operation.parameters.iter().filter(|p| p.name == parameter.name);
        if namesakes.count() > 1 {
            // Reported by `finish` as an unused argument unless every namesake was given by its prefixed name.
            return None;
        }
        self.used.insert(parameter.name.to_string());
        Some(value.clone())
    }

    fn parameter(&mut self, parameter: &Parameter) {
        let pointer = format!("/{}/{}", parameter.location.as_str(), parameter.name);
        let value = self.argument(parameter).filter(|value| !value.is_null());
        let Some(value) = value else {
            if parameter.required {
                let message = format!(
                    "the {} parameter `{}` is missing",
                    parameter.location.as_str(),
                    parameter.name
                );
                self.mismatches.push(Mismatch::argument(pointer, message));
            }
            return;
        };
        let value = match &parameter.schema {
            Some(schema) => match self.fitting(parameter, schema, value) {
                Ok(value) => value,
                Err(found) => {
                    self.mismatches.extend(found.into_iter().map(|m| m.below(&pointer)));
                    return;
                }
            },
            None => value,
        };
        if parameter.location == ParameterLocation::Querystring
            && parameter.media_type.as_deref().is_some_and(is_form)
        {
            if let Ok(pairs) = body::form_of(value) {
                self.request.query = pairs;
            } else {
                let message = "all of a query is an object of form fields";
                self.mismatches.push(Mismatch::argument(pointer, message));
            }
            return;
        }
        // `content` instead of `schema`: the value travels as a document.
        let value = if parameter.media_type.is_some() && !value.is_string() {
            Value::String(value.to_string())
        } else {
            value
        };
        let problem = match self.write(parameter, &value) {
            Ok(()) => return,
            Err(Unwritable::TooDeep) => {
                "a list or object inside another cannot be written in this place"
            }
            Err(Unwritable::EmptySegment) => {
                "an empty value or a lone `.` or `..` cannot stand in a path"
            }
            Err(Unwritable::BadHeader) => "a header cannot carry line breaks or control characters",
        };
        self.mismatches.push(Mismatch::argument(pointer, problem));
    }

    /// On the wire a parameter is text: `12` and `"12"` are the same, and so are a list of one and its item. What
    /// fits the schema in another spelling is taken.
    fn fitting(
        &self,
        parameter: &Parameter,
        schema: &SchemaAt,
        value: Value,
    ) -> Result<Value, Vec<Mismatch>> {
        let found = self.api.check(schema, Direction::Request, &value);
        if found.is_empty() {
            return Ok(value);
        }
        let admits = |value: &Value| self.api.admits(schema, Direction::Request, value);
        let other = respelled(&value);
        if other.as_ref().is_some_and(admits) {
            return Ok(value);
        }
        // A document is not styled text: in it, a list is a list.
        let styled = parameter.media_type.is_none() && parameter.style != Style::DeepObject;
        if styled && (value.is_string() || value.is_number() || value.is_boolean()) {
            let items = [Some(value), other].into_iter().flatten();
            let mut lists = items.map(|item| Value::Array(vec![item]));
            return lists.find(admits).ok_or(found);
        }
        Err(found)
    }

    fn write(&mut self, parameter: &Parameter, value: &Value) -> Result<(), Unwritable> {
        match parameter.location {
            ParameterLocation::Path => {
                let encode = |text: &str| utf8_percent_encode(text, SEGMENT).to_string();
                let text = path_text(parameter, value, &encode)?;
                if matches!(text.as_str(), "" | "." | "..") {
                    return Err(Unwritable::EmptySegment);
                }
                let template = format!("{{{}}}", parameter.name);
                self.path = self.path.replace(&template, &text);
            }
            ParameterLocation::Query => {
                let pairs =
                    query_pairs(parameter.style, parameter.explode, &parameter.name, value)?;
                self.request.query.extend(pairs);
            }
            ParameterLocation::Querystring => self.request.query_text = plain_text(value),
            ParameterLocation::Header => {
                let text = header_text(parameter, value)?;
                if text.chars().any(|c| c.is_control() && c != '\t') {
                    return Err(Unwritable::BadHeader);
                }
                self.request.headers.push((parameter.name.to_string(), text));
            }
            ParameterLocation::Cookie => {
                let pairs =
                    query_pairs(parameter.style, parameter.explode, &parameter.name, value)?;
                self.cookies(&pairs)?;
            }
        }
        Ok(())
    }

    /// All cookies share one header.
    fn cookies(&mut self, pairs: &[(String, String)]) -> Result<(), Unwritable> {
        let written: Vec<String> =
            pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let text = written.join("; ");
        if text.chars().any(char::is_control) {
            return Err(Unwritable::BadHeader);
        }
        match self.request.headers.iter_mut().find(|(name, _)| name == "Cookie") {
            Some((_, cookies)) => {
                cookies.push_str("; ");
                cookies.push_str(&text);
            }
            None => self.request.headers.push(("Cookie".to_owned(), text)),
        }
        Ok(())
    }

    fn body(&mut self) {
        const CHOICE: &str = "header.Content-Type";
        let wanted = self.arguments.get(CHOICE).and_then(Value::as_str);
        if wanted.is_some() {
            self.used.insert(CHOICE.to_owned());
        }
        let Some(described) = &self.operation.request_body else { return };
        let Some(content) = body::choose(described, wanted) else {
            if wanted.is_some() || described.required {
                let message = "the operation has no body of this media type";
                self.mismatches.push(Mismatch::argument("/body".to_owned(), message));
            }
            return;
        };
        let value = if let Some(body) = self.arguments.get("body") {
            self.used.insert("body".to_owned());
            body.clone()
        } else if body::takes_fields(&content.media_type) {
            let rest: Map<String, Value> = self
                .arguments
                .iter()
                .filter(|(name, _)| !self.used.contains(*name) && !is_prefixed(name))
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect();
            self.used.extend(rest.keys().cloned());
            if rest.is_empty() && !described.required {
                return;
            }
            Value::Object(rest)
        } else if described.required {
            let message = "the argument `body` is missing";
            return self.mismatches.push(Mismatch::argument("/body".to_owned(), message));
        } else {
            return;
        };
        let media_type = wanted.unwrap_or(&content.media_type);
        match body::plan(self.api, content, media_type, value) {
            Ok(plan) => self.request.body = Some(plan),
            Err(found) => self.mismatches.extend(found),
        }
    }

    fn finish(mut self) -> Result<BuiltRequest, Vec<Mismatch>> {
        for name in self.arguments.keys() {
            if self.used.contains(name) {
                continue;
            }
            let namesakes = self.operation.parameters.iter().filter(|p| *p.name == **name);
            let places: Vec<String> =
                namesakes.map(|p| format!("`{}.{name}`", p.location.as_str())).collect();
            let message = if places.len() > 1 {
                format!("`{name}` is ambiguous; say one of {}", places.join(", "))
            } else {
                let known = self.operation.parameters.iter().map(|p| &*p.name);
                match qc_document::closest(name, known.chain(["body"])) {
                    Some(known) => format!(
                        "`{}` takes no argument `{name}`; did you mean `{known}`?",
                        self.operation.id
                    ),
                    None => format!("`{}` takes no argument `{name}`", self.operation.id),
                }
            };
            self.mismatches.push(Mismatch::argument(format!("/{name}"), message));
        }
        if !self.mismatches.is_empty() {
            self.mismatches.truncate(Mismatch::LIMIT);
            return Err(self.mismatches);
        }
        self.request.path = self.path;
        Ok(self.request)
    }
}

/// A scalar in the other spelling that is the same text: `12` for `"12"`, `"true"` for `true`.
fn respelled(value: &Value) -> Option<Value> {
    match value {
        Value::Number(_) | Value::Bool(_) => Some(Value::String(value.to_string())),
        Value::String(text) => match &**text {
            "true" => Some(Value::Bool(true)),
            "false" => Some(Value::Bool(false)),
            _ => {
                let number: serde_json::Number = text.parse().ok()?;
                (number.to_string() == *text).then_some(Value::Number(number))
            }
        },
        _ => None,
    }
}

fn is_prefixed(name: &str) -> bool {
    ["path.", "query.", "header.", "cookie."].iter().any(|prefix| name.starts_with(prefix))
}

enum Unwritable {
    TooDeep,
    EmptySegment,
    BadHeader,
}

impl From<TooDeep> for Unwritable {
    fn from(_: TooDeep) -> Self {
        Self::TooDeep
    }
}
