use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderValue, header};
use qc_store::blobs::BlobRef;
use qc_workflow::OutputShape;
use serde_json::{Value, json};

use super::receive::Received;

/// A complete answer.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Received,
    /// The `Link` header as it came; a page's address may repeat a key that is taken out of what is shown.
    pub(super) links: Vec<HeaderValue>,
    /// The address that answered, after redirects.
    pub(super) url: String,
}

/// A body that is not what its media type says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed {
    /// Whether it ends too early, as when a connection broke in the wrong moment.
    pub(super) cut_off: bool,
    pub(super) message: String,
}

impl Answer {
    /// The media type without parameters, in lower case; empty when there is none.
    pub(super) fn media_type(&self) -> String {
        media_type_of(&self.headers)
    }

    /// The body as a value: JSON parsed, text as text, anything else as `{"base64": …, "mediaType": …}`; null when there
    /// is none. With [`OutputShape::Raw`] base64 text. A blob is `{"blob": …, "size": …, "mediaType": …}` in any shape.
    pub(super) fn content(&self, shape: OutputShape) -> Result<Value, Malformed> {
        let media_type = self.media_type();
        let body = match &self.body {
            Received::Whole(body) => body,
            Received::Blob(BlobRef { hash, size }) => {
                let hash = hash.to_string();
                return Ok(json!({ "blob": hash, "size": size, "mediaType": media_type }));
            }
        };
        if shape == OutputShape::Raw {
            return Ok(Value::String(STANDARD.encode(body)));
        }
        if body.is_empty() {
            return Ok(Value::Null);
        }
        if qc_contract::is_json(&media_type) {
            return json_content(body);
        }
        if media_type.is_empty() {
            // Unnamed bodies are JSON more often than not.
            if let Ok(value) = json_content(body) {
                return Ok(value);
            }
        }
        match std::str::from_utf8(body) {
            Ok(text) if is_text(&media_type) => Ok(Value::String(text.to_owned())),
            _ => Ok(json!({ "base64": STANDARD.encode(body), "mediaType": media_type })),
        }
    }
}

/// The media type without parameters, in lower case; empty when there is none.
pub(super) fn media_type_of(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let bare = value.unwrap_or_default().split(';').next().unwrap_or_default();
    bare.trim().to_ascii_lowercase()
}

fn is_text(media_type: &str) -> bool {
    media_type.is_empty()
        || media_type.starts_with("text/")
        || media_type.ends_with("+xml")
        || [
            "application/xml",
            "application/x-www-form-urlencoded",
            "application/javascript",
            "application/yaml",
        ]
        .contains(&media_type)
}

/// Tolerant where the answer of another system may be tolerated: of two equal keys the last one counts.
fn json_content(body: &[u8]) -> Result<Value, Malformed> {
    serde_json::from_slice(body).map_err(|error| Malformed {
        cut_off: error.is_eof(),
        // The error's own text can quote a part of the body.
        message: format!(
            "the body is not the JSON that its media type promises (line {}, column {})",
            error.line(),
            error.column()
        ),
    })
}

/// Header fields as texts, names in lower case; repeated fields joined by `, `.
pub(super) fn header_texts(headers: &HeaderMap) -> BTreeMap<String, String> {
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in headers {
        // `Set-Cookie` is a credential of the other side's making; nothing here uses cookies.
        if name == header::SET_COOKIE {
            continue;
        }
        let value = String::from_utf8_lossy(value.as_bytes());
        texts
            .entry(name.as_str().to_owned())
            .and_modify(|whole| {
                whole.push_str(", ");
                whole.push_str(&value);
            })
            .or_insert_with(|| value.into_owned());
    }
    texts
}
