//! A request as it is sent and an answer as it came: built from the description, changed by cases, sent at a pace.

pub(crate) use qc_contract::is_json;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use qc_contract::{BodyPlan, BodyValue, BuiltRequest, PartContent};
use qc_model::{Body, CallError, Caller, OutboundRequest, OutboundResponse, Reach};
use serde_json::Value;
use tokio::time::{Interval, MissedTickBehavior};

use crate::target::Target;

/// RFC 3986 unreserved characters stay bare.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// Largest answer that is read, in bytes.
const ANSWER_LIMIT: usize = 4 << 20;
/// How long one answer may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// What separates the parts of a form with files; no generated value has it.
const BOUNDARY: &str = "qc-verify-5d1f0a";

/// A request, ready to be sent to a target.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Wire {
    pub(crate) method: String,
    /// Percent-encoded, without the query.
    pub(crate) path: String,
    /// Not yet encoded.
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) media_type: Option<String>,
    pub(crate) body: Bytes,
}

impl Wire {
    pub(crate) fn bare(method: &str, path: &str) -> Self {
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: Vec::new(),
            headers: Vec::new(),
            media_type: None,
            body: Bytes::new(),
        }
    }

    pub(crate) fn of(built: &BuiltRequest) -> Self {
        let (media_type, body) = match &built.body {
            Some(plan) => {
                let (media_type, body) = written(plan);
                (Some(media_type), body)
            }
            None => (None, Bytes::new()),
        };
        Self {
            method: built.method.as_str().to_owned(),
            path: built.path.clone(),
            query: match &built.query_text {
                Some(text) => vec![(text.clone(), String::new())],
                None => built.query.clone(),
            },
            headers: built.headers.clone(),
            media_type,
            body,
        }
    }

    /// Path and query, encoded.
    pub(crate) fn target(&self) -> String {
        let mut target = self.path.clone();
        for (at, (name, value)) in self.query.iter().enumerate() {
            let mark = if at == 0 { '?' } else { '&' };
            let _ = write!(target, "{mark}{}", encoded(name));
            if !value.is_empty() {
                let _ = write!(target, "={}", encoded(value));
            }
        }
        target
    }

    pub(crate) fn set_header(&mut self, name: &str, value: &str) {
        self.drop_header(name);
        self.headers.push((name.to_owned(), value.to_owned()));
    }

    pub(crate) fn drop_header(&mut self, name: &str) {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    }

    /// The request to a base address.
    pub(crate) fn outbound(&self, base: &str) -> Option<OutboundRequest> {
        self.outbound_to(format!("{base}{}", self.target()))
    }

    fn outbound_to(&self, url: String) -> Option<OutboundRequest> {
        Some(OutboundRequest {
            method: Method::from_bytes(self.method.as_bytes()).ok()?,
            url,
            headers: self.header_map()?,
            body: Body::Bytes(self.body.clone()),
            timeout: TIMEOUT,
            connect_timeout: None,
            reach: Reach::Anywhere,
            identity: None,
        })
    }

    fn header_map(&self) -> Option<HeaderMap> {
        let mut map = HeaderMap::new();
        let media_type = self.media_type.iter().map(|media_type| ("content-type", media_type));
        let pairs = self.headers.iter().map(|(name, value)| (name.as_str(), value));
        for (name, value) in pairs.chain(media_type) {
            let name = HeaderName::try_from(name).ok()?;
            map.append(name, HeaderValue::from_str(value).ok()?);
        }
        Some(map)
    }
}

/// Text as it stands in a path segment or a query.
pub(crate) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

fn written(plan: &BodyPlan) -> (String, Bytes) {
    let mut media_type = plan.media_type.clone();
    let body: Vec<u8> = match &plan.value {
        BodyValue::Json(value) => value.to_string().into_bytes(),
        BodyValue::Form(fields) => form(fields).into_bytes(),
        BodyValue::Text(text) => text.clone().into_bytes(),
        BodyValue::Binary(bytes) => bytes.clone(),
        // Generated arguments never name a blob.
        BodyValue::Blob(_) => Vec::new(),
        BodyValue::Multipart(parts) => {
            media_type = format!("{media_type}; boundary={BOUNDARY}");
            let mut body = Vec::new();
            for part in parts {
                let mut head = format!(
                    "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{}\"",
                    quoted(&part.name)
                );
                if let Some(name) = &part.filename {
                    let _ = write!(head, "; filename=\"{}\"", quoted(name));
                }
                if let Some(media_type) = &part.media_type {
                    let _ = write!(head, "\r\nContent-Type: {}", quoted(media_type));
                }
                body.extend_from_slice(head.as_bytes());
                body.extend_from_slice(b"\r\n\r\n");
                if let PartContent::Bytes(bytes) = &part.content {
                    body.extend_from_slice(bytes);
                }
                body.extend_from_slice(b"\r\n");
            }
            body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
            body
        }
    };
    (media_type, body.into())
}

fn quoted(text: &str) -> String {
    text.replace(['"', '\r', '\n'], "_")
}

/// A form as `application/x-www-form-urlencoded`.
pub(crate) fn form(fields: &[(String, String)]) -> String {
    let pairs: Vec<String> = fields
        .iter()
        .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)))
        .collect();
    pairs.join("&")
}

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) async fn read(response: OutboundResponse) -> Result<Self, CallError> {
        let status = response.status.as_u16();
        let headers = response.headers.iter().map(|(name, value)| {
            (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        });
        let headers = headers.collect();
        let body = response.body.collect(ANSWER_LIMIT).await?;
        Ok(Self { status, headers, body })
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The media type without its parameters, lower case.
    pub(crate) fn media_type(&self) -> Option<String> {
        let declared = self.header("content-type")?;
        Some(essence(declared))
    }

    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    pub(crate) fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

pub(crate) fn essence(media_type: &str) -> String {
    media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Sends to one target, at most so many requests a second, one after the other.
pub(crate) struct Courier {
    caller: Arc<dyn Caller>,
    target: Target,
    pace: Option<Interval>,
    sent: usize,
}

impl Courier {
    pub(crate) fn new(caller: Arc<dyn Caller>, target: Target, per_second: Option<u32>) -> Self {
        let pace = per_second.map(|rate| {
            let between = Duration::from_secs(1) / rate.max(1);
            let mut pace = tokio::time::interval(between);
            pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
            pace
        });
        Self { caller, target, pace, sent: 0 }
    }

    /// How many requests were sent.
    pub(crate) fn sent(&self) -> usize {
        self.sent
    }

    /// Sends one request. An error says why there is no answer.
    pub(crate) async fn send(&mut self, wire: &Wire) -> Result<Answer, Unanswered> {
        let url = self.target.url(&wire.target()).ok_or(Unanswered::Unsendable)?;
        self.deliver(wire, url).await
    }

    /// Sends one request to the address of the target itself; the request's own path does not count.
    pub(crate) async fn post(&mut self, wire: &Wire) -> Result<Answer, Unanswered> {
        self.deliver(wire, self.target.address().to_owned()).await
    }

    async fn deliver(&mut self, wire: &Wire, url: String) -> Result<Answer, Unanswered> {
        let request = wire.outbound_to(url).ok_or(Unanswered::Unsendable)?;
        if let Some(pace) = &mut self.pace {
            pace.tick().await;
        }
        self.sent += 1;
        Ok(Answer::read(self.caller.call(request).await?).await?)
    }
}

/// Why a request has no answer.
#[derive(Debug)]
pub(crate) enum Unanswered {
    /// It cannot be written as HTTP at all.
    Unsendable,
    /// What happened on the way.
    Failed(CallError),
}

impl From<CallError> for Unanswered {
    fn from(error: CallError) -> Self {
        Self::Failed(error)
    }
}

/// `Basic` credentials (RFC 7617).
pub(crate) fn basic(user: &str, password: &str) -> String {
    let engine = base64::engine::general_purpose::STANDARD;
    format!("Basic {}", engine.encode(format!("{user}:{password}")))
}
