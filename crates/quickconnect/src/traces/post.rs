//! Hands batches of spans to the collector: OTLP over HTTP, in JSON.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use qc_model::{Body, Caller, Finding, OutboundRequest, Reach};
use serde::Serialize;
use serde_json::Value;
use url::Url;

use super::span::{Attribute, Span, text};
use crate::codes;

/// How long one request to the collector may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often a batch is sent at most, and the pauses between; a collector may ask for longer ones.
const TRIES: u32 = 4;
const PAUSE_FIRST: Duration = Duration::from_secs(1);
const PAUSE_LAST: Duration = Duration::from_secs(30);
/// So much of a collector's answer is read.
const ANSWER_MAX: usize = 64 * 1024;

/// The way to the collector.
pub(super) struct Post {
    caller: Arc<dyn Caller>,
    url: Url,
    resource: Vec<Attribute>,
}

/// Spans that the collector did not take.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Lost {
    pub(super) spans: u64,
    pub(super) why: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Export<'e> {
    resource_spans: [ResourceSpans<'e>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceSpans<'e> {
    resource: Resource<'e>,
    scope_spans: [ScopeSpans<'e>; 1],
}

#[derive(Serialize)]
struct Resource<'e> {
    attributes: &'e [Attribute],
}

#[derive(Serialize)]
struct ScopeSpans<'e> {
    scope: Scope,
    spans: &'e [Span],
}

#[derive(Serialize)]
struct Scope {
    name: &'static str,
    version: &'static str,
}

/// What came of one request.
enum Answer {
    Taken,
    Refused(Lost),
    Again { why: String, pause: Option<Duration> },
}

impl Post {
    /// The way to the collector at `endpoint`, for the node of this name.
    pub(super) fn new(
        caller: Arc<dyn Caller>,
        endpoint: &str,
        node: &str,
    ) -> Result<Self, Box<Finding>> {
        let wrong = |why: &str| {
            let message = format!("the setting `otlp_endpoint`: {why}");
            let help =
                "name a collector nearby that adds credentials, such as http://127.0.0.1:4318";
            Box::new(Finding::error(codes::BAD_SETTING, message).help(help))
        };
        let mut url = Url::parse(endpoint).map_err(|_| wrong("it is no URL"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("it holds a user or a password, which would not be sent"));
        }
        url.path_segments_mut()
            .map_err(|()| wrong("it is no http or https URL"))?
            .pop_if_empty()
            .extend(["v1", "traces"]);
        let resource = vec![
            text("service.name", "quickconnect"),
            text("service.version", env!("CARGO_PKG_VERSION")),
            text("service.instance.id", node),
        ];
        Ok(Self { caller, url, resource })
    }

    /// Sends a batch, again where that may help. A batch sent twice is harmless: its ids are the same.
    pub(super) async fn send(&self, spans: &[Span]) -> Result<(), Lost> {
        let lost = |why: String| Lost { spans: spans.len() as u64, why };
        let body = match serde_json::to_vec(&self.export(spans)) {
            Ok(body) => Bytes::from(body),
            Err(error) => return Err(lost(format!("they cannot be written: {error}"))),
        };
        let mut pause = PAUSE_FIRST;
        let mut tries = 1;
        loop {
            match self.once(body.clone(), spans.len()).await {
                Answer::Taken => return Ok(()),
                Answer::Refused(lost) => return Err(lost),
                Answer::Again { why, .. } if tries >= TRIES => return Err(lost(why)),
                Answer::Again { pause: asked, .. } => {
                    tokio::time::sleep(asked.unwrap_or(pause).min(PAUSE_LAST)).await;
                    pause = (pause * 2).min(PAUSE_LAST);
                    tries += 1;
                }
            }
        }
    }

    fn export<'e>(&'e self, spans: &'e [Span]) -> Export<'e> {
        let scope = Scope { name: "quickconnect", version: env!("CARGO_PKG_VERSION") };
        Export {
            resource_spans: [ResourceSpans {
                resource: Resource { attributes: &self.resource },
                scope_spans: [ScopeSpans { scope, spans }],
            }],
        }
    }

    async fn once(&self, body: Bytes, spans: usize) -> Answer {
        let json = HeaderValue::from_static("application/json");
        let request = OutboundRequest {
            method: Method::POST,
            url: self.url.to_string(),
            headers: HeaderMap::from_iter([(header::CONTENT_TYPE, json)]),
            body: Body::Bytes(body),
            timeout: PATIENCE,
            connect_timeout: None,
            reach: Reach::Anywhere,
            identity: None,
        };
        let response = match self.caller.call(request).await {
            Ok(response) => response,
            Err(error) => {
                return Answer::Again { why: format!("the collector: {error}"), pause: None };
            }
        };
        let (status, headers) = (response.status, response.headers);
        // Read to its end also when nobody wants it: the connection can be used again.
        let answer = response.body.collect(ANSWER_MAX).await.unwrap_or_default();
        let why = format!("the collector answered {status}");
        match status {
            status if status.is_success() => {
                rejected(&answer).map_or(Answer::Taken, Answer::Refused)
            }
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => Answer::Again { why, pause: retry_after(&headers) },
            _ => Answer::Refused(Lost { spans: spans as u64, why }),
        }
    }
}

/// What a collector says it did not take of a batch that it took otherwise.
fn rejected(answer: &[u8]) -> Option<Lost> {
    let answer: Value = serde_json::from_slice(answer).ok()?;
    let partial = &answer["partialSuccess"];
    let count = &partial["rejectedSpans"];
    let spans =
        count.as_u64().or_else(|| count.as_str()?.parse().ok()).filter(|spans| *spans > 0)?;
    let said: String =
        partial["errorMessage"].as_str().unwrap_or_default().chars().take(256).collect();
    Some(Lost { spans, why: format!("the collector refused them: {said}") })
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}
