//! Providers behind the outbound seam.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod scene;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use qc_model::{Body, CallError, CallErrorKind, Caller, OutboundRequest, OutboundResponse, Reach};
use qc_simulator::{Provider, SimulatedCaller};
use scene::*;
use serde_json::{Value, json};

fn stage() -> (Arc<Provider>, SimulatedCaller) {
    let chat_provider = Arc::new(provider("chat", &at_noon()));
    let other = Arc::new(provider("crm", &at_noon()));
    let caller = SimulatedCaller::new()
        .with("https://example.test", other)
        .with("https://example.test/chat/", Arc::clone(&chat_provider));
    (chat_provider, caller)
}

async fn post(caller: &SimulatedCaller, url: &str) -> Result<OutboundResponse, CallError> {
    let body = Bytes::from(json!({"text": "hi"}).to_string());
    let pairs = [("authorization", "Bearer chat-token"), ("content-type", "application/json")];
    caller
        .call(OutboundRequest {
            method: http::Method::POST,
            url: url.to_owned(),
            headers: headers(&pairs),
            body: Body::Bytes(body),
            timeout: Duration::from_secs(1),
            connect_timeout: None,
            reach: Reach::Anywhere,
            identity: None,
        })
        .await
}

const URL: &str = "https://example.test/chat/channels/support/messages";

#[tokio::test]
async fn the_longest_base_url_is_meant() {
    let (chat_provider, caller) = stage();
    let answer = post(&caller, URL).await.unwrap();
    assert_eq!(answer.status, 200);
    let body: Value = serde_json::from_slice(&answer.body.collect(1000).await.unwrap()).unwrap();
    assert_eq!(body["id"], "MSG-1");
    assert_eq!(chat_provider.received(), 1);
    let error = post(&caller, "https://example.testing/x?token=secret").await.unwrap_err();
    assert_eq!((error.kind, error.sent), (CallErrorKind::Resolve, false));
    assert!(!error.message.contains("secret"));
}

#[tokio::test]
async fn silence_is_an_error_at_once_and_delays_are_counted() {
    let (chat_provider, caller) = stage();
    for (text, kind) in [
        ("then: drop_after_apply", CallErrorKind::Reset),
        ("then: hang", CallErrorKind::Timeout),
        ("then: {slow: 5s}", CallErrorKind::Timeout),
    ] {
        chat_provider.inject(fault(text)).unwrap();
        let error = post(&caller, URL).await.unwrap_err();
        assert_eq!((error.kind, error.sent), (kind, true), "{text}");
    }
    assert_eq!(caller.delayed(), Duration::from_secs(2));
    chat_provider.inject(fault("then: {slow: 300ms}")).unwrap();
    assert!(post(&caller, URL).await.is_ok());
    assert_eq!(caller.delayed(), Duration::from_millis(2300));
    assert_eq!(count(&chat_provider, "/channels/support/messages"), 3);
}
