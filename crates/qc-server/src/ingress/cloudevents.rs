use std::{borrow::Cow, collections::BTreeMap};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, header};
use percent_encoding::percent_decode_str;
use qc_document::{ParseLimits, parse_json_value};
use qc_model::{Event, EventData, EventError};
use serde_json::{Value, json};

use super::{body_hash, media::Media};
use crate::{PointedError, Problem, codes};

/// The most events in a batch.
const BATCH: usize = 256;
/// The most context attributes of one event.
const ATTRIBUTES: usize = 64;

/// One event as it was sent, with what tells a repeat from another event under the same key.
pub(super) struct Sent {
    pub(super) event: Event,
    pub(super) hash: [u8; 32],
}

/// What one request carried.
pub(super) enum Carried {
    One(Box<Sent>),
    Batch(Vec<Sent>),
}

/// Reads CloudEvents over HTTP: binary, structured or batched. Source: CloudEvents HTTP Protocol Binding 1.0.2.
pub(super) fn read(
    headers: &HeaderMap,
    media: Media,
    body: &Bytes,
    limits: &ParseLimits,
) -> Result<Carried, Problem> {
    match media {
        Media::CloudEvent => {
            let value = parse_json_value(body, limits).map_err(|error| Problem::json(&error))?;
            let event = structured(value, "")?;
            Ok(Carried::One(Box::new(Sent { event, hash: body_hash(body) })))
        }
        Media::CloudEventBatch => batch(body, limits).map(Carried::Batch),
        // The media type says structured: header fields do not make it another form.
        _ if media != Media::ForeignCloudEvent && headers.contains_key("ce-specversion") => {
            let event = binary(headers, media, body, limits)?;
            Ok(Carried::One(Box::new(Sent { event, hash: body_hash(body) })))
        }
        _ => Err(Problem::new(
            415,
            codes::MEDIA_TYPE,
            "Not a CloudEvent",
            "send `Content-Type: application/cloudevents+json` (structured), \
             `application/cloudevents-batch+json` (batched), or `ce-` header fields (binary)",
        )
        .header(
            header::ACCEPT,
            "application/cloudevents+json, application/cloudevents-batch+json",
        )),
    }
}

fn structured(value: Value, below: &str) -> Result<Event, Problem> {
    let event = Event::from_structured(value, |text| STANDARD.decode(text).ok())
        .map_err(|error| illegal(&error, below))?;
    check(&event, below)?;
    Ok(event)
}

fn batch(body: &Bytes, limits: &ParseLimits) -> Result<Vec<Sent>, Problem> {
    let value = parse_json_value(body, limits).map_err(|error| Problem::json(&error))?;
    let Value::Array(items) = value else {
        let error =
            EventError { pointer: String::new(), message: "a batch is a JSON array".into() };
        return Err(illegal(&error, ""));
    };
    if items.len() > BATCH {
        let detail = format!("the batch has {} events; send at most {BATCH} in one", items.len());
        let whole = PointedError::new("", detail.clone()).expecting(json!({ "maxItems": BATCH }));
        return Err(Problem::new(413, codes::BATCH_TOO_LARGE, "Batch too large", detail).at(whole));
    }
    let mut sent = Vec::with_capacity(items.len());
    let mut problem: Option<Problem> = None;
    for (at, item) in items.into_iter().enumerate() {
        // The same event always has the same text here, in whichever order its keys came.
        let mut sorted = item.clone();
        sorted.sort_all_objects();
        let hash = body_hash(sorted.to_string().as_bytes());
        match (structured(item, &format!("/{at}")), &mut problem) {
            (Ok(event), _) => sent.push(Sent { event, hash }),
            (Err(first), None) => problem = Some(first),
            (Err(next), Some(first)) => first.errors.extend(next.errors.iter().cloned()),
        }
    }
    problem.map_or(Ok(sent), Err)
}

fn binary(
    headers: &HeaderMap,
    media: Media,
    body: &Bytes,
    limits: &ParseLimits,
) -> Result<Event, Problem> {
    let mut attributes = BTreeMap::new();
    for (name, value) in headers {
        let Some(attribute) = name.as_str().strip_prefix("ce-") else { continue };
        let Some(text) = value.to_str().ok().and_then(decoded) else {
            return Err(attribute_fault(attribute, "is not percent-encoded UTF-8"));
        };
        if attributes.insert(attribute, text).is_some() {
            return Err(attribute_fault(attribute, "stands twice"));
        }
    }
    if attributes.remove("specversion").as_deref() != Some("1.0") {
        return Err(attribute_fault("specversion", "must be `1.0`"));
    }
    let mut required = |name: &'static str| match attributes.remove(name) {
        Some(text) if !text.is_empty() => Ok(text),
        Some(_) => Err(attribute_fault(name, "is empty")),
        None => Err(attribute_fault(name, "is missing")),
    };
    let (id, source, kind) = (required("id")?, required("source")?, required("type")?);
    let (subject, time) = (attributes.remove("subject"), attributes.remove("time"));
    let dataschema = attributes.remove("dataschema");
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let event = Event {
        id,
        source,
        kind,
        subject,
        time,
        datacontenttype: content_type.map(str::to_owned),
        dataschema,
        data: data(media, body, limits)?,
        extensions: attributes
            .into_iter()
            .map(|(name, text)| (name.to_owned(), Value::String(text)))
            .collect(),
    };
    check(&event, "")?;
    Ok(event)
}

/// An attribute's value from a header field: quoted strings are unquoted first, then comes one round of
/// percent-decoding. Source: HTTP Protocol Binding 1.0.2, section 3.1.3.2.
fn decoded(text: &str) -> Option<String> {
    let quoted = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let plain = match quoted {
        None => Cow::Borrowed(text),
        Some(inside) => {
            let mut plain = String::with_capacity(inside.len());
            let mut letters = inside.chars();
            while let Some(letter) = letters.next() {
                plain.push(if letter == '\\' { letters.next()? } else { letter });
            }
            Cow::Owned(plain)
        }
    };
    percent_decode_str(&plain).decode_utf8().ok().map(Cow::into_owned)
}

fn data(media: Media, body: &Bytes, limits: &ParseLimits) -> Result<EventData, Problem> {
    if body.is_empty() {
        return Ok(EventData::None);
    }
    match media {
        Media::Json | Media::Absent => parse_json_value(body, limits)
            .map(EventData::Json)
            .map_err(|error| Problem::json(&error)),
        Media::Text | Media::Form => {
            std::str::from_utf8(body).map(|text| EventData::Text(text.to_owned())).map_err(|_| {
                let detail = "the body is declared as text and is not UTF-8";
                Problem::new(400, codes::BODY_ENCODING, "Encoded body", detail)
            })
        }
        _ => Ok(EventData::Binary(body.clone())),
    }
}

/// What both forms must keep, beyond the shape.
fn check(event: &Event, below: &str) -> Result<(), Problem> {
    let fault = |pointer: &str, message: &str| {
        Err(illegal(&EventError { pointer: pointer.into(), message: message.into() }, below))
    };
    if event.extensions.len() > ATTRIBUTES {
        return fault("", "the event has too many extension attributes");
    }
    let legal = |name: &String| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    };
    for (name, value) in &event.extensions {
        let shown: String = name.chars().take(40).collect();
        let pointer = format!("/{shown}");
        if !legal(name) {
            return fault(&pointer, "an extension attribute's name has only a-z and 0-9");
        }
        // Names that have a meaning of their own elsewhere in an event.
        if ["data", "datacontenttype"].contains(&name.as_str()) {
            return fault(
                &pointer,
                "this is no extension attribute; in binary form the body and its `Content-Type` say it",
            );
        }
        // The type Integer of CloudEvents has 32 bits.
        if value.as_i64().is_some_and(|number| i32::try_from(number).is_err()) {
            return fault(
                &pointer,
                "an integer attribute is from -2,147,483,648 to 2,147,483,647; send it as a string",
            );
        }
    }
    // A URI reference has no spaces; so `source id` is unambiguous as a key.
    if event.source.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return fault(
            "/source",
            "`source` is a URI reference: it has neither spaces nor control characters",
        );
    }
    let optional = [("/subject", &event.subject), ("/dataschema", &event.dataschema)];
    if let Some((pointer, _)) = optional.iter().find(|(_, v)| v.as_deref() == Some("")) {
        return fault(pointer, "the attribute is empty; leave it out");
    }
    if let Some(time) = &event.time
        && time.parse::<qc_model::Timestamp>().is_err()
    {
        return fault("/time", "`time` is not an RFC 3339 time with an offset");
    }
    Ok(())
}

fn illegal(error: &EventError, below: &str) -> Problem {
    // The pointer is an attribute's name as it was sent: not yet escaped.
    let mut pointer = below.to_owned();
    if let Some(name) = error.pointer.strip_prefix('/') {
        qc_document::push_pointer(&mut pointer, name);
    }
    Problem::new(400, codes::NOT_AN_EVENT, "Not a legal CloudEvent", error.message.clone())
        .pointing(pointer, error.message.clone())
}

fn attribute_fault(name: &str, what: &str) -> Problem {
    let name: String = name.chars().take(40).collect();
    let detail = format!("the header field `ce-{name}` {what}");
    Problem::new(400, codes::NOT_AN_EVENT, "Not a legal CloudEvent", detail.clone())
        .pointing(format!("/{name}"), detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(headers: &[(&str, &str)], body: &str) -> Result<Carried, Problem> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name.parse::<http::HeaderName>().unwrap(), value.parse().unwrap());
        }
        let media = Media::of(&map)?;
        read(&map, media, &Bytes::copy_from_slice(body.as_bytes()), &ParseLimits::ingress())
    }

    fn one(carried: Result<Carried, Problem>) -> Event {
        match carried {
            Ok(Carried::One(sent)) => sent.event,
            Ok(Carried::Batch(_)) => panic!("a batch"),
            Err(problem) => panic!("{problem:?}"),
        }
    }

    const BINARY: [(&str, &str); 5] = [
        ("ce-specversion", "1.0"),
        ("ce-id", "1"),
        ("ce-source", "/crm"),
        ("ce-type", "case"),
        ("content-type", "application/json"),
    ];

    #[test]
    fn binary_and_structured_give_the_same_event() {
        let mut headers = BINARY.to_vec();
        headers.push(("ce-subject", "Caf%C3%A9"));
        headers.push(("ce-extra", "7"));
        let binary = one(request(&headers, r#"{"a":1}"#));
        let structured = one(request(
            &[("content-type", "application/cloudevents+json")],
            r#"{"specversion":"1.0","id":"1","source":"/crm","type":"case","subject":"Café","extra":"7",
               "datacontenttype":"application/json","data":{"a":1}}"#,
        ));
        assert_eq!(binary, structured);
    }

    #[test]
    fn all_wrong_events_of_a_batch_are_named() {
        let body = r#"[{"specversion":"1.0","id":"1","source":"s","type":"t"},
                       {"specversion":"1.0","source":"s","type":"t"},
                       {"specversion":"0.3","id":"1","source":"s","type":"t"}]"#;
        let headers = [("content-type", "application/cloudevents-batch+json")];
        let Err(problem) = request(&headers, body) else { panic!("accepted") };
        let pointers: Vec<_> = problem.errors.iter().map(|e| e.pointer.as_str()).collect();
        assert_eq!(pointers, ["/1/id", "/2/specversion"]);
    }

    #[test]
    fn refuses_what_is_no_event() {
        let wrong = |headers: &[(&str, &str)], body: &str, code| {
            let Err(problem) = request(headers, body) else { panic!("accepted {headers:?}") };
            assert_eq!(problem.code, code, "{problem:?}");
        };
        wrong(&[("content-type", "application/json")], "{}", codes::MEDIA_TYPE);
        wrong(&BINARY[..3], "{}", codes::NOT_AN_EVENT);
        let mut late = BINARY.to_vec();
        late.push(("ce-time", "yesterday"));
        wrong(&late, "{}", codes::NOT_AN_EVENT);
        let mut odd = BINARY.to_vec();
        odd.push(("ce-odd-name", "x"));
        wrong(&odd, "{}", codes::NOT_AN_EVENT);
        let structured = [("content-type", "application/cloudevents+json")];
        wrong(&structured, "[]", codes::NOT_AN_EVENT);
        wrong(&structured, "{\"a\":1,\"a\":2}", qc_document::codes::DUPLICATE_KEY);
    }

    #[test]
    fn data_keep_their_kind() {
        let mut headers = BINARY[..4].to_vec();
        headers.push(("content-type", "text/plain"));
        assert_eq!(one(request(&headers, "hi")).data, EventData::Text("hi".into()));
        headers[4].1 = "image/png";
        let binary = EventData::Binary(Bytes::from_static(b"\x89PNG"[..4].as_ref()));
        let carried = {
            let mut map = HeaderMap::new();
            for (name, value) in &headers {
                map.append(name.parse::<http::HeaderName>().unwrap(), value.parse().unwrap());
            }
            read(&map, Media::Other, &Bytes::from_static(b"\x89PNG"), &ParseLimits::ingress())
        };
        assert_eq!(one(carried).data, binary);
        assert_eq!(one(request(&headers, "")).data, EventData::None);
    }
}
