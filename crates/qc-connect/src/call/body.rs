use base64::{
    Engine,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD},
};
use http::{HeaderMap, HeaderValue, header};
use qc_contract::{BodyPlan, BodyValue, Part, PartContent};
use qc_model::{BlobValue, Failure};
use serde_json::Value;
use url::form_urlencoded;

use super::{
    key,
    payload::Payload,
    prepare::{query_pairs, scalar, unsendable},
};
use crate::connector::KeyFormat;

/// The media type of bytes of which nobody says what they are.
const UNSAID: &str = "application/octet-stream";
/// Most blobs in one request: each is an open file while it is sent.
const BLOBS: usize = 64;

fn content_type(headers: &mut HeaderMap, text: &str) -> Result<(), Box<Failure>> {
    let value =
        HeaderValue::from_str(text).map_err(|_| unsendable("the media type is malformed"))?;
    headers.insert(header::CONTENT_TYPE, value);
    Ok(())
}

pub(super) fn encode_body(
    headers: &mut HeaderMap,
    plan: Option<BodyPlan>,
    key: &str,
) -> Result<Payload, Box<Failure>> {
    let Some(BodyPlan { media_type, value }) = plan else { return Ok(Payload::default()) };
    let (payload, media_type) = match value {
        BodyValue::Json(value) => (value.to_string().into(), media_type),
        BodyValue::Text(text) => (text.into(), media_type),
        BodyValue::Binary(bytes) => (bytes.into(), media_type),
        BodyValue::Blob(hash) => (Payload::blob(hash), media_type),
        BodyValue::Form(pairs) => (form(&pairs).into(), media_type),
        BodyValue::Multipart(parts) => {
            let boundary = boundary(key);
            (multipart(parts, &boundary)?, format!("{media_type}; boundary={boundary}"))
        }
    };
    content_type(headers, &media_type)?;
    Ok(payload)
}

fn form(pairs: &[(String, String)]) -> Vec<u8> {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(pairs);
    form.finish().into_bytes()
}

/// The body of a plain call, as its content type says; JSON when it says nothing.
pub(super) fn plain_body(
    headers: &mut HeaderMap,
    body: &Value,
    key: &str,
) -> Result<Payload, Box<Failure>> {
    let declared = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let declared = declared.map(str::to_owned);
    let essence =
        declared.as_deref().unwrap_or("application/json").split(';').next().unwrap_or_default();
    let essence = essence.trim().to_ascii_lowercase();
    if let Some(blob) = BlobValue::of(body) {
        if declared.is_none() {
            content_type(headers, blob.media_type.as_deref().unwrap_or(UNSAID))?;
        }
        return Ok(Payload::blob(blob.hash));
    }
    if let Some(encoded) = body.get("base64").and_then(Value::as_str) {
        // The form in which binary answers come, so that a download can be sent on.
        let bytes = STANDARD.decode(encoded).or_else(|_| STANDARD_NO_PAD.decode(encoded));
        let bytes = bytes.map_err(|_| unsendable("`base64` of the body is not base64"))?;
        if declared.is_none() {
            let media_type =
                body.get("mediaType").and_then(Value::as_str).filter(|t| !t.is_empty());
            content_type(headers, media_type.unwrap_or(UNSAID))?;
        }
        return Ok(bytes.into());
    }
    if qc_contract::is_json(&essence) {
        if declared.is_none() {
            content_type(headers, "application/json")?;
        }
        return Ok(body.to_string().into());
    }
    let fields = || body.as_object().ok_or_else(|| unsendable("a form's body is an object"));
    match essence.as_str() {
        "application/x-www-form-urlencoded" => {
            let pairs = query_pairs(body)?;
            fields()?;
            let pairs: Vec<_> =
                pairs.into_iter().map(|(name, text)| (name.to_owned(), text)).collect();
            Ok(form(&pairs).into())
        }
        "multipart/form-data" => {
            let parts = fields()?.iter().map(|(name, value)| part(name, value)).collect();
            let boundary = boundary(key);
            content_type(headers, &format!("multipart/form-data; boundary={boundary}"))?;
            multipart(parts, &boundary)
        }
        _ => match body {
            Value::String(text) => Ok(text.clone().into()),
            _ => Err(unsendable(
                "a body of this media type is a text, or an object with `base64` or `blob` for bytes",
            )),
        },
    }
}

fn part(name: &str, value: &Value) -> Part {
    let name = name.to_owned();
    if let Some(blob) = BlobValue::of(value) {
        let filename = Some(blob.filename.unwrap_or_else(|| name.clone()));
        let content = PartContent::Blob(blob.hash);
        return Part { name, filename, media_type: blob.media_type, content };
    }
    let bytes =
        value.get("base64").and_then(Value::as_str).and_then(|text| STANDARD.decode(text).ok());
    let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    if let Some(bytes) = bytes {
        let filename = Some(text("filename").unwrap_or_else(|| name.clone()));
        let content = PartContent::Bytes(bytes);
        return Part { name, filename, media_type: text("mediaType"), content };
    }
    let content = scalar(value).unwrap_or_else(|| value.to_string()).into_bytes();
    Part {
        name,
        filename: None,
        media_type: (!value.is_string()).then(|| "application/json".to_owned()),
        content: PartContent::Bytes(content),
    }
}

/// The same call has the same boundary, so that a repeat is the same request byte for byte.
fn boundary(key: &str) -> String {
    format!("qc-{}", &key::written(key, KeyFormat::Hash)[..40])
}

fn multipart(parts: Vec<Part>, boundary: &str) -> Result<Payload, Box<Failure>> {
    let quoted = |text: &str| text.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A");
    let mut payload = Payload::default();
    // What stands between blobs.
    let mut bytes = Vec::new();
    for part in parts {
        let mut head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"",
            quoted(&part.name)
        );
        if let Some(filename) = &part.filename {
            head.push_str("; filename=\"");
            head.push_str(&quoted(filename));
            head.push('"');
        }
        if let Some(media_type) = part.media_type.as_deref().filter(|t| !t.contains(['\r', '\n'])) {
            head.push_str("\r\nContent-Type: ");
            head.push_str(media_type);
        }
        head.push_str("\r\n\r\n");
        bytes.extend_from_slice(head.as_bytes());
        match part.content {
            PartContent::Bytes(content) => bytes.extend_from_slice(&content),
            PartContent::Blob(hash) => {
                payload.push(std::mem::take(&mut bytes));
                payload.push(Payload::blob(hash));
            }
        }
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    payload.push(bytes);
    if payload.blobs() > BLOBS {
        return Err(unsendable(&format!("one request sends at most {BLOBS} blobs")));
    }
    Ok(payload)
}
