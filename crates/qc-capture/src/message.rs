use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use http::HeaderMap;
use serde::{Deserialize, Serialize};

use crate::mask::{MASK, is_credential, masked};

/// So much of a body is kept at most, in bytes.
pub const BODY_MAX: usize = 64 << 10;
/// So much of a body is looked at: what is cut off afterwards may hold the end of what is masked.
const LOOKED_AT: usize = 2 * BODY_MAX;

/// What is recorded. It cannot be printed: it may hold personal data, and belongs into a sealed document only.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Recorded {
    /// A request that went out, and what became of it.
    Call {
        /// The task.
        task: String,
        /// Which attempt.
        attempt: u32,
        /// The connector, or the host.
        system: String,
        /// The operation of the connector.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        operation: Option<String>,
        /// How long the answer took, in milliseconds.
        took_ms: u64,
        /// What was sent.
        request: Box<Message>,
        /// What came back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        answer: Option<Box<Message>>,
        /// Why nothing came back, or not all of it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failure: Option<String>,
    },
    /// An event that was accepted.
    Event {
        /// By which trigger.
        trigger: String,
        /// The event, as a structured CloudEvent.
        event: Content,
    },
}

/// A request or an answer, credentials masked.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Method and address, or the status.
    pub line: String,
    /// The header fields, as many times as they came.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Content,
}

/// A body.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Content {
    /// There is none.
    Nothing,
    /// A text, or the beginning of it.
    Text {
        /// The text, credentials masked.
        text: String,
        /// How many bytes the whole has.
        size: u64,
    },
    /// No text, or the beginning of it.
    Bytes {
        /// In base64.
        base64: String,
        /// How many bytes the whole has.
        size: u64,
    },
    /// It passed by in pieces and was not recorded.
    Apart {
        /// How many bytes it has, when that is known.
        size: Option<u64>,
    },
}

impl Message {
    /// From its parts. What was sent as a credential must not be in them any more, but for fields that are marked as
    /// sensitive or are named as credentials are.
    pub fn new(line: &str, headers: &HeaderMap, body: Content) -> Self {
        let field = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
            let hidden = value.is_sensitive() || is_credential(name.as_str());
            let text = String::from_utf8_lossy(value.as_bytes());
            let text = if hidden { MASK.to_owned() } else { masked(&text) };
            (name.as_str().to_owned(), text)
        };
        Self { line: masked(line), headers: headers.iter().map(field).collect(), body }
    }
}

/// A body as it is kept: the beginning of it, credentials masked.
pub fn content(body: &[u8]) -> Content {
    if body.is_empty() {
        return Content::Nothing;
    }
    let size = body.len() as u64;
    let looked_at = &body[..body.len().min(LOOKED_AT)];
    // The end may have cut a letter in two.
    let text = match std::str::from_utf8(looked_at) {
        Ok(text) => Some(text),
        Err(error) if error.error_len().is_none() && body.len() > LOOKED_AT => {
            std::str::from_utf8(&looked_at[..error.valid_up_to()]).ok()
        }
        Err(_) => None,
    };
    let Some(text) = text else {
        let base64 = STANDARD.encode(&body[..body.len().min(BODY_MAX)]);
        return Content::Bytes { base64, size };
    };
    let mut text = masked(text);
    let mut end = text.len().min(BODY_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    Content::Text { text, size }
}

impl fmt::Debug for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recorded(…)")
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Message(…)")
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Content(…)")
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_body_is_cut_at_a_letter_and_says_how_long_it_was() {
        let long = "ä".repeat(BODY_MAX);
        let Content::Text { text, size } = content(long.as_bytes()) else {
            unreachable!("it is a text")
        };
        assert_eq!((text.len(), size), (BODY_MAX, 2 * BODY_MAX as u64));
        let odd = format!("a{}", "ä".repeat(LOOKED_AT));
        assert!(
            matches!(content(odd.as_bytes()), Content::Text { text, .. } if text.len() < BODY_MAX + 1)
        );
        assert_eq!(content(&[0xff, 0xfe]), Content::Bytes { base64: "//4=".to_owned(), size: 2 });
        assert_eq!(content(b""), Content::Nothing);
    }

    #[test]
    fn fields_that_are_or_may_be_credentials_are_masked() {
        let mut headers = HeaderMap::new();
        let mut marked = HeaderValue::from_static("s3cret");
        marked.set_sensitive(true);
        headers.insert("x-plain", marked);
        headers.insert("authorization", HeaderValue::from_static("Basic abc"));
        headers.append("set-cookie", HeaderValue::from_static("a=b"));
        headers.insert("location", HeaderValue::from_static("https://h/?access_token=abc&x=1"));
        let message = Message::new("GET https://h/?api_key=abc", &headers, Content::Nothing);
        let told = serde_json::to_string(&message).unwrap();
        assert!(
            !told.contains("abc") && !told.contains("s3cret") && !told.contains("a=b"),
            "{told}"
        );
        assert!(told.contains("&x=1") && told.contains("GET https://h/?api_key=***"), "{told}");
        assert_eq!(format!("{message:?}"), "Message(…)");
    }
}
