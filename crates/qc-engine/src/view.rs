//! An event as expressions and contracts see it.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use qc_model::{Event, EventData};
use serde_json::Value;

/// Shows an event as expressions and contracts see it: in structured form. The payload is moved there and back, not
/// copied: it may be large.
pub(crate) fn structured<T>(event: &mut Event, look: impl FnOnce(&Value) -> T) -> T {
    let data = std::mem::replace(&mut event.data, EventData::None);
    let mut view = event.to_structured(|_| String::new());
    let Value::Object(object) = &mut view else { unreachable!("a structured event is an object") };
    let binary = match data {
        EventData::None => None,
        EventData::Json(value) => {
            object.insert("data".to_owned(), value);
            None
        }
        EventData::Text(text) => {
            object.insert("data".to_owned(), Value::String(text));
            Some(None)
        }
        EventData::Binary(bytes) => {
            object.insert("data_base64".to_owned(), Value::String(STANDARD.encode(&bytes)));
            Some(Some(bytes))
        }
    };
    let result = look(&view);
    let Value::Object(mut object) = view else { unreachable!("still the object from above") };
    event.data = match (binary, object.remove("data")) {
        (Some(Some(bytes)), _) => EventData::Binary(bytes),
        (Some(None), Some(Value::String(text))) => EventData::Text(text),
        (None, Some(value)) => EventData::Json(value),
        _ => EventData::None,
    };
    result
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    #[test]
    fn the_event_is_unchanged_afterwards() {
        for data in [
            EventData::None,
            EventData::Json(json!({"a": [1]})),
            EventData::Json(json!("text")),
            EventData::Text("text".into()),
            EventData::Binary(vec![0, 255].into()),
        ] {
            let mut event = Event {
                id: "1".into(),
                source: "s".into(),
                kind: "t".into(),
                subject: None,
                time: None,
                datacontenttype: None,
                dataschema: None,
                extensions: BTreeMap::new(),
                data,
            };
            let before = event.clone();
            let seen = structured(&mut event, Value::clone);
            assert_eq!(event, before);
            assert_eq!(seen, before.to_structured(|bytes| STANDARD.encode(bytes)));
        }
    }
}
