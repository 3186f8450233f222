//! Error answers, in the shape that the document declares for them.

use std::collections::BTreeMap;

use http::{HeaderValue, StatusCode};
use serde_json::{Map, Value, json};

use crate::exchange::SimResponse;

/// The declared error answers of an operation: a sample by status, and one for all others.
#[derive(Debug, Clone, Default)]
pub(crate) struct ErrorShapes {
    pub(crate) by_status: BTreeMap<u16, ErrorShape>,
    pub(crate) by_range: BTreeMap<u16, ErrorShape>,
    pub(crate) default: Option<ErrorShape>,
}

#[derive(Debug, Clone)]
pub(crate) struct ErrorShape {
    pub(crate) media_type: HeaderValue,
    pub(crate) sample: Option<Value>,
}

/// What went wrong with a request, field by field.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fields(pub(crate) Vec<(String, String)>);

impl ErrorShapes {
    /// Whether the document names this very status.
    pub(crate) fn names(&self, status: u16) -> bool {
        self.by_status.contains_key(&status)
    }

    fn of(&self, status: u16) -> Option<&ErrorShape> {
        self.by_status
            .get(&status)
            .or_else(|| self.by_range.get(&(status / 100)))
            .or(self.default.as_ref())
    }

    /// The error answer for a status. Where the document declares a shape, its sample is taken and
    /// the fields that commonly carry the status and the message are filled in; else it is a
    /// problem document (RFC 9457).
    pub(crate) fn answer(&self, status: StatusCode, detail: &str, fields: &Fields) -> SimResponse {
        let shape = self.of(status.as_u16());
        let declared = shape.and_then(|shape| {
            let mut body = shape.sample.clone()?;
            let map = body.as_object_mut()?;
            fill(map, status, detail, fields);
            Some(SimResponse::json_as(status, shape.media_type.clone(), &body))
        });
        declared.unwrap_or_else(|| problem(status, detail, fields))
    }
}

fn fill(map: &mut Map<String, Value>, status: StatusCode, detail: &str, fields: &Fields) {
    let text = match fields.0.first() {
        Some((pointer, message)) => format!("{detail}: {pointer} {message}"),
        None => detail.to_owned(),
    };
    let mut written = false;
    for (name, value) in map.iter_mut() {
        match name.as_str() {
            "status" | "statusCode" | "status_code" | "code" if value.is_number() => {
                *value = json!(status.as_u16());
            }
            "message" | "detail" | "error_description" | "description" if value.is_string() => {
                *value = json!(text);
                written = true;
            }
            "title" if value.is_string() => *value = json!(reason(status)),
            "errors" | "details" if value.is_array() => *value = field_list(value, fields),
            "error" | "problem" => {
                if let Value::Object(inner) = value {
                    fill(inner, status, detail, fields);
                    written = true;
                }
            }
            _ => {}
        }
    }
    if !written {
        for name in ["error", "title"] {
            if let Some(value) = map.get_mut(name).filter(|value| value.is_string()) {
                *value = json!(text);
                return;
            }
        }
    }
}

/// The field errors in the shape of the sample's first item. A list without one does not say what its items look like,
/// so it stays as it is.
fn field_list(sample: &Value, fields: &Fields) -> Value {
    if sample.get(0).is_none() {
        return sample.clone();
    }
    let as_text = sample.get(0).is_some_and(Value::is_string);
    let items = fields.0.iter().map(|(pointer, message)| {
        if as_text {
            return json!(format!("{pointer} {message}"));
        }
        let mut item = sample.get(0).and_then(Value::as_object).cloned().unwrap_or_default();
        for (name, value) in &mut item {
            match name.as_str() {
                "pointer" | "field" | "path" | "location" | "source" => *value = json!(pointer),
                "message" | "detail" | "description" | "reason" => *value = json!(message),
                _ => {}
            }
        }
        Value::Object(item)
    });
    Value::Array(items.collect())
}

fn problem(status: StatusCode, detail: &str, fields: &Fields) -> SimResponse {
    let errors: Vec<Value> = fields
        .0
        .iter()
        .map(|(pointer, message)| json!({ "pointer": pointer, "detail": message }))
        .collect();
    let mut body = json!({
        "type": "about:blank",
        "title": reason(status),
        "status": status.as_u16(),
        "detail": detail,
    });
    if let Some(map) = body.as_object_mut().filter(|_| !errors.is_empty()) {
        map.insert("errors".into(), Value::Array(errors));
    }
    SimResponse::json_as(status, HeaderValue::from_static("application/problem+json"), &body)
}

fn reason(status: StatusCode) -> &'static str {
    status.canonical_reason().unwrap_or("Error")
}
