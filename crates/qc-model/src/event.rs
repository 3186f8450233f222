use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Map, Value, json};

/// What came in, as a CloudEvent 1.0.2. Webhooks and API calls are wrapped as one.
/// Source: CloudEvents specification 1.0.2, sections "Context Attributes" and "JSON Event Format".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Unique within `source`.
    pub id: String,
    /// Who produced it: a URI reference.
    pub source: String,
    /// What happened, e.g. `com.example.case.escalated`.
    pub kind: String,
    /// What it is about, within `source`.
    pub subject: Option<String>,
    /// When it happened, RFC 3339, as sent.
    pub time: Option<String>,
    /// Media type of the data.
    pub datacontenttype: Option<String>,
    /// Schema of the data: a URI.
    pub dataschema: Option<String>,
    /// Extension attributes: lower-case letters and digits; string, boolean or integer values.
    pub extensions: BTreeMap<String, Value>,
    /// The payload.
    pub data: EventData,
}

/// An event's payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventData {
    /// No payload.
    None,
    /// A JSON value.
    Json(Value),
    /// Text of another media type.
    Text(String),
    /// Bytes.
    Binary(Bytes),
}

/// A JSON object is not a CloudEvent in structured form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct EventError {
    /// JSON Pointer of the attribute.
    pub pointer: String,
    /// What is wrong with it.
    pub message: String,
}

impl Event {
    /// The event as one JSON object in CloudEvents' structured form. Base64 is the caller's, so
    /// that this crate needs no encoder.
    pub fn to_structured(&self, encode_base64: impl Fn(&[u8]) -> String) -> Value {
        let mut object = Map::new();
        object.insert("specversion".into(), json!("1.0"));
        object.insert("id".into(), json!(self.id));
        object.insert("source".into(), json!(self.source));
        object.insert("type".into(), json!(self.kind));
        let optional = [
            ("subject", &self.subject),
            ("time", &self.time),
            ("datacontenttype", &self.datacontenttype),
            ("dataschema", &self.dataschema),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                object.insert(name.into(), json!(value));
            }
        }
        for (name, value) in &self.extensions {
            object.insert(name.clone(), value.clone());
        }
        match &self.data {
            EventData::None => {}
            EventData::Json(value) => drop(object.insert("data".into(), value.clone())),
            EventData::Text(text) => drop(object.insert("data".into(), json!(text))),
            EventData::Binary(bytes) => {
                drop(object.insert("data_base64".into(), json!(encode_base64(bytes))));
            }
        }
        Value::Object(object)
    }

    /// Reads a CloudEvent in structured JSON form.
    pub fn from_structured(
        value: Value,
        decode_base64: impl Fn(&str) -> Option<Vec<u8>>,
    ) -> Result<Self, EventError> {
        let Value::Object(mut object) = value else {
            return Err(fault("", "a CloudEvent in structured form is a JSON object"));
        };
        match object.remove("specversion") {
            Some(Value::String(v)) if v == "1.0" => {}
            Some(_) => return Err(fault("/specversion", "specversion must be \"1.0\"")),
            None => return Err(fault("/specversion", "a CloudEvent needs `specversion`")),
        }
        let id = required(&mut object, "id")?;
        let source = required(&mut object, "source")?;
        let kind = required(&mut object, "type")?;
        let subject = optional(&mut object, "subject")?;
        let time = optional(&mut object, "time")?;
        let datacontenttype = optional(&mut object, "datacontenttype")?;
        let dataschema = optional(&mut object, "dataschema")?;
        let data = match (object.remove("data"), object.remove("data_base64")) {
            (Some(_), Some(_)) => {
                return Err(fault("/data_base64", "`data` and `data_base64` exclude each other"));
            }
            (None, None) => EventData::None,
            (Some(value), None) => EventData::Json(value),
            (None, Some(Value::String(text))) => EventData::Binary(
                decode_base64(&text)
                    .ok_or_else(|| fault("/data_base64", "`data_base64` is not base64 (RFC 4648)"))?
                    .into(),
            ),
            (None, Some(_)) => return Err(fault("/data_base64", "`data_base64` is a string")),
        };
        let mut extensions = BTreeMap::new();
        for (name, value) in object {
            let legal_name = !name.is_empty()
                && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
            if !legal_name {
                return Err(fault(
                    &format!("/{name}"),
                    "an extension attribute's name has only a-z and 0-9",
                ));
            }
            if !(value.is_string() || value.is_boolean() || value.is_i64()) {
                return Err(fault(
                    &format!("/{name}"),
                    "an extension attribute is a string, a boolean or an integer",
                ));
            }
            extensions.insert(name, value);
        }
        Ok(Self { id, source, kind, subject, time, datacontenttype, dataschema, extensions, data })
    }

    /// The payload as a JSON value: binary data as null, since expressions cannot read it.
    pub fn data_value(&self) -> Value {
        match &self.data {
            EventData::None | EventData::Binary(_) => Value::Null,
            EventData::Json(value) => value.clone(),
            EventData::Text(text) => Value::String(text.clone()),
        }
    }
}

fn fault(pointer: &str, message: &str) -> EventError {
    EventError { pointer: pointer.to_owned(), message: message.to_owned() }
}

fn required(object: &mut Map<String, Value>, name: &str) -> Result<String, EventError> {
    optional(object, name)?.filter(|text| !text.is_empty()).ok_or_else(|| {
        fault(&format!("/{name}"), &format!("a CloudEvent needs a non-empty `{name}`"))
    })
}

fn optional(object: &mut Map<String, Value>, name: &str) -> Result<Option<String>, EventError> {
    match object.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(fault(&format!("/{name}"), &format!("`{name}` is a string"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn structured() -> Value {
        json!({"specversion": "1.0", "id": "1", "source": "/crm", "type": "case.escalated",
            "traceparent": "00-x", "data": {"case": 7}})
    }

    #[test]
    fn structured_form_survives_a_round_trip() {
        let event = Event::from_structured(structured(), |_| None).unwrap();
        assert_eq!(event.kind, "case.escalated");
        assert_eq!(event.to_structured(|_| String::new()), structured());
    }

    #[test]
    fn each_broken_attribute_is_named() {
        for (pointer, value) in [
            ("/id", json!("")),
            ("/source", Value::Null),
            ("/type", json!(4)),
            ("/specversion", json!("0.3")),
            ("/Bad_name", json!("x")),
            ("/nested", json!({})),
            ("/data_base64", json!("AA==")),
        ] {
            let mut broken = structured();
            broken[pointer.trim_start_matches('/')] = value;
            assert_eq!(Event::from_structured(broken, |_| None).unwrap_err().pointer, pointer);
        }
    }
}
