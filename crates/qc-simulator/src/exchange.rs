//! One request to a simulated provider, and what the provider does about it.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use serde_json::Value;

/// A request as it came over the wire.
#[derive(Debug, Clone)]
pub struct SimRequest {
    /// The method.
    pub method: Method,
    /// Path and query: `/issues?limit=2`.
    pub target: String,
    /// Header fields.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
    /// Whether its sender showed a certificate in the TLS handshake.
    pub certified: bool,
}

/// What the provider does about a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SimAnswer {
    /// Answers.
    Respond(SimResponse),
    /// Breaks the connection without an answer.
    Drop,
    /// Keeps the connection open and never answers.
    Hang,
}

/// A whole answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimResponse {
    /// The status.
    pub status: StatusCode,
    /// Header fields.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// How long the provider takes before the answer's first byte.
    pub delay: Duration,
}

impl SimResponse {
    /// An answer without a body.
    pub fn empty(status: StatusCode) -> Self {
        Self { status, headers: HeaderMap::new(), body: Bytes::new(), delay: Duration::ZERO }
    }

    /// A JSON answer.
    pub fn json(status: StatusCode, body: &Value) -> Self {
        Self::json_as(status, HeaderValue::from_static("application/json"), body)
    }

    /// A JSON answer of another media type.
    pub(crate) fn json_as(status: StatusCode, media_type: HeaderValue, body: &Value) -> Self {
        let mut answer = Self::empty(status);
        answer.headers.insert(header::CONTENT_TYPE, media_type);
        answer.body = serde_json::to_vec(body).unwrap_or_default().into();
        answer
    }

    /// Adds a header field; a value that cannot stand in a header is left out.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }
}

impl SimAnswer {
    /// The answer's status, when there is an answer.
    pub fn status(&self) -> Option<u16> {
        if let Self::Respond(response) = self { Some(response.status.as_u16()) } else { None }
    }

    /// The answer's body as JSON, when there is an answer and it is JSON.
    pub fn json(&self) -> Option<Value> {
        let Self::Respond(response) = self else { return None };
        serde_json::from_slice(&response.body).ok()
    }
}
