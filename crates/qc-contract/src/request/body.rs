//! The body: which media type, and how the value is written in it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use qc_model::BlobValue;
use serde_json::{Map, Value};

use super::style::{plain_text, query_pairs};
use super::{BodyPlan, BodyValue, Part, PartContent, essence, is_form, is_json};
use crate::mismatch::{Direction, Mismatch, kind};
use crate::model::{Content, RequestBody, Style};
use crate::openapi::OpenApi;

/// The media type to send: the wanted one; else JSON, a form, multipart, text, in this order; else the first.
pub(super) fn choose<'c>(body: &'c RequestBody, wanted: Option<&str>) -> Option<&'c Content> {
    if let Some(wanted) = wanted {
        return content_for(&body.content, wanted);
    }
    let rank = |content: &&Content| match Kind::of(&content.media_type) {
        Kind::Json => 0,
        Kind::Form => 1,
        Kind::Multipart => 2,
        Kind::Text => 3,
        Kind::Binary => 4,
    };
    body.content.iter().min_by_key(rank)
}

/// The entry for a concrete media type: itself, then `type/*`, then `*/*`.
pub(crate) fn content_for<'c>(contents: &'c [Content], media_type: &str) -> Option<&'c Content> {
    let wanted = essence(media_type);
    let family = format!("{}/*", wanted.split('/').next().unwrap_or_default());
    let by = |name: &str| contents.iter().find(|content| essence(&content.media_type) == name);
    by(&wanted).or_else(|| by(&family)).or_else(|| by("*/*"))
}

/// Whether the body's properties can be given as arguments of their own.
pub(super) fn takes_fields(media_type: &str) -> bool {
    matches!(Kind::of(media_type), Kind::Json | Kind::Form | Kind::Multipart)
}

enum Kind {
    Json,
    Form,
    Multipart,
    Text,
    Binary,
}

impl Kind {
    fn of(media_type: &str) -> Self {
        let essence = essence(media_type);
        if is_json(&essence) || essence == "*/*" || essence == "application/*" {
            Self::Json
        } else if is_form(&essence) {
            Self::Form
        } else if essence.starts_with("multipart/") {
            Self::Multipart
        } else if essence.starts_with("text/")
            || essence.ends_with("/xml")
            || essence.ends_with("+xml")
        {
            Self::Text
        } else {
            Self::Binary
        }
    }
}

/// Checks the value against the schema and plans how it is written.
pub(super) fn plan(
    api: &OpenApi,
    content: &Content,
    media_type: &str,
    value: Value,
) -> Result<BodyPlan, Vec<Mismatch>> {
    let blob = BlobValue::of(&value);
    let kind = match Kind::of(media_type) {
        // Anything may be sent, so a blob is: as the bytes that it names.
        Kind::Json if blob.is_some() && media_type.ends_with("/*") => Kind::Binary,
        kind => kind,
    };
    let checked = match kind {
        Kind::Json | Kind::Form => content.schema.as_ref(),
        // Files are given as `{base64, …}` or `{blob, …}`, which is not what the schema describes.
        Kind::Multipart | Kind::Text | Kind::Binary => None,
    };
    if let Some(schema) = checked {
        let found = api.check(schema, Direction::Request, &value);
        if !found.is_empty() {
            return Err(found.into_iter().map(|mismatch| mismatch.below("/body")).collect());
        }
    }
    let named = value.get("mediaType").and_then(Value::as_str).filter(|text| !text.is_empty());
    let named = named.map(str::to_owned);
    let media_type = match (essence(media_type).as_str(), &kind) {
        (essence, Kind::Binary) if essence.ends_with("/*") => {
            named.unwrap_or_else(|| "application/octet-stream".to_owned())
        }
        ("*/*" | "application/*", _) => "application/json".to_owned(),
        ("text/*", _) => named.unwrap_or_else(|| "text/plain".to_owned()),
        _ => media_type.to_owned(),
    };
    let value = match (kind, blob) {
        (Kind::Text | Kind::Binary, Some(blob)) => BodyValue::Blob(blob.hash),
        (kind, _) => write(api, content, kind, value)?,
    };
    Ok(BodyPlan { media_type, value })
}

fn write(
    api: &OpenApi,
    content: &Content,
    kind: Kind,
    value: Value,
) -> Result<BodyValue, Vec<Mismatch>> {
    Ok(match kind {
        Kind::Json => BodyValue::Json(value),
        Kind::Form => BodyValue::Form(form_of(value)?),
        Kind::Multipart => BodyValue::Multipart(parts(&required_parts(api, content, value)?)?),
        Kind::Text => match plain_text(&value) {
            Some(text) => BodyValue::Text(text),
            None => return Err(wrong("must be text", &value)),
        },
        Kind::Binary => BodyValue::Binary(bytes(&value)?),
    })
}

fn wrong(message: &str, value: &Value) -> Vec<Mismatch> {
    let message = format!("{message}, but is {}", kind(value));
    vec![Mismatch::argument("/body".to_owned(), message)]
}

fn fields(value: Value) -> Result<Map<String, Value>, Vec<Mismatch>> {
    match value {
        Value::Object(map) => Ok(map),
        other => Err(wrong("must be an object of form fields", &other)),
    }
}

/// Multipart bodies are not checked as a whole; that the required fields are there is.
fn required_parts(
    api: &OpenApi,
    content: &Content,
    value: Value,
) -> Result<Map<String, Value>, Vec<Mismatch>> {
    let fields = fields(value)?;
    let Some(schema) = &content.schema else { return Ok(fields) };
    let schema = api.schema(schema, Direction::Request);
    let required = schema.get("required").and_then(Value::as_array);
    let names = required.into_iter().flatten().filter_map(Value::as_str);
    let missing: Vec<Mismatch> = names
        .filter(|name| !fields.contains_key(*name))
        .map(|name| Mismatch::argument("/body".to_owned(), format!("`{name}` is missing")))
        .collect();
    if missing.is_empty() { Ok(fields) } else { Err(missing) }
}

/// A value as the fields of a form.
pub(super) fn form_of(value: Value) -> Result<Vec<(String, String)>, Vec<Mismatch>> {
    form(&fields(value)?)
}

/// Form fields: lists repeat the name, objects become JSON text, as OpenAPI's default for forms says.
fn form(fields: &Map<String, Value>) -> Result<Vec<(String, String)>, Vec<Mismatch>> {
    let mut pairs = Vec::new();
    for (name, value) in fields {
        match value {
            Value::Null => {}
            Value::Object(_) => pairs.push((name.clone(), value.to_string())),
            Value::Array(items) if items.iter().any(|item| item.is_array() || item.is_object()) => {
                pairs.push((name.clone(), value.to_string()));
            }
            value => {
                let written = query_pairs(Style::Form, true, name, value);
                pairs.extend(written.map_err(|_| wrong("must be flat", value))?);
            }
        }
    }
    Ok(pairs)
}

fn parts(fields: &Map<String, Value>) -> Result<Vec<Part>, Vec<Mismatch>> {
    let mut parts = Vec::new();
    for (name, value) in fields {
        match value {
            Value::Null => {}
            Value::Array(items) => {
                for item in items {
                    parts.push(part(name, item)?);
                }
            }
            value => parts.push(part(name, value)?),
        }
    }
    Ok(parts)
}

/// A file is `{base64: …}` or `{blob: …}`, with `filename` and `mediaType` as it likes; another object is sent as JSON, a
/// scalar as text.
fn part(name: &str, value: &Value) -> Result<Part, Vec<Mismatch>> {
    let text = |key: &str| {
        let text = value.get(key).and_then(Value::as_str);
        text.filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let name = name.to_owned();
    if let Some(blob) = BlobValue::of(value) {
        // Without a file's name it would count as a field.
        let filename = Some(blob.filename.unwrap_or_else(|| name.clone()));
        let content = PartContent::Blob(blob.hash);
        return Ok(Part { name, filename, media_type: blob.media_type, content });
    }
    if value.get("base64").is_some_and(Value::is_string) {
        let media_type = text("mediaType").or_else(|| text("media_type"));
        let content = PartContent::Bytes(bytes(value)?);
        return Ok(Part { name, filename: text("filename"), media_type, content });
    }
    let (content, media_type) = match plain_text(value) {
        Some(text) => (text, None),
        None => (value.to_string(), Some("application/json".to_owned())),
    };
    let content = PartContent::Bytes(content.into_bytes());
    Ok(Part { name, filename: None, media_type, content })
}

/// Bytes are given as text, or as `{base64: …}`; those of a blob are not read here.
fn bytes(value: &Value) -> Result<Vec<u8>, Vec<Mismatch>> {
    if let Value::String(text) = value {
        return Ok(text.clone().into_bytes());
    }
    let Some(encoded) = value.get("base64").and_then(Value::as_str) else {
        return Err(wrong("must be text, `{base64: …}` or `{blob: …}` with a blob's hash", value));
    };
    STANDARD.decode(encoded).map_err(|_| {
        let message = "`base64` is not valid base64";
        vec![Mismatch::argument("/body".to_owned(), message)]
    })
}
