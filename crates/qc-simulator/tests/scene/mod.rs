//! A provider of the example with a clock that stands still until told.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]
#![allow(missing_docs, reason = "names and bodies say it")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use qc_model::{Clock, HandClock, Timestamp};
use qc_simulator::{Credentials, Fault, Provider, Setup, SimAnswer, SimRequest, load_folder};
use serde_json::{Value, json};

pub fn folder(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.join("examples/customer-escalation/connectors").join(name)
}

pub fn credentials() -> Credentials {
    Credentials::none()
        .api_key("crm-key")
        .bearer("chat-token")
        .client("tracker-client", "tracker-secret")
        .login("someone", "pass:word")
}

/// A clock that stands at noon.
pub fn at_noon() -> Arc<HandClock> {
    let noon: Timestamp = "2026-11-20T12:00:00Z".parse().unwrap();
    Arc::new(HandClock::at(noon.as_millis()))
}

pub fn setup(name: &str, clock: &Arc<HandClock>, ledger: Option<PathBuf>) -> Setup {
    Setup {
        name: name.to_owned(),
        clock: Arc::clone(clock) as Arc<dyn Clock>,
        seed: 7,
        credentials: credentials(),
        ledger,
    }
}

pub fn provider(name: &str, clock: &Arc<HandClock>) -> Provider {
    let (openapi, spec) = load_folder(&folder(name)).unwrap();
    Provider::new(openapi, spec, setup(name, clock, None)).unwrap()
}

/// A provider from texts instead of the example.
pub fn provider_of(openapi: &str, simulator: &str) -> Provider {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("openapi.yaml"), openapi).unwrap();
    std::fs::write(folder.path().join("simulator.yaml"), simulator).unwrap();
    let (openapi, spec) = load_folder(folder.path()).unwrap();
    Provider::new(openapi, spec, setup("made", &at_noon(), None)).unwrap()
}

pub fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&str, &str)| {
        (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap())
    };
    pairs.iter().map(pair).collect()
}

pub fn request(method: &str, target: &str, pairs: &[(&str, &str)], body: &Value) -> SimRequest {
    let mut headers = headers(pairs);
    let body = if body.is_null() {
        Bytes::new()
    } else {
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        serde_json::to_vec(body).unwrap().into()
    };
    let method: Method = method.parse().unwrap();
    SimRequest { method, target: target.to_owned(), headers, body, certified: false }
}

pub fn chat(provider: &Provider, method: &str, target: &str, body: &Value) -> SimAnswer {
    provider.handle(request(method, target, &[("authorization", "Bearer chat-token")], body))
}

pub fn crm(provider: &Provider, method: &str, target: &str, body: &Value) -> SimAnswer {
    provider.handle(request(method, target, &[("x-api-key", "crm-key")], body))
}

pub fn post_message(provider: &Provider, reference: &str) -> SimAnswer {
    let body = json!({ "text": format!("about {reference}"), "ref": reference });
    chat(provider, "POST", "/channels/support/messages", &body)
}

pub fn token_request(id: &str, secret: &str, form: &str) -> SimRequest {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let login = format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")));
    let mut request = request("POST", "/oauth/token", &[("authorization", &login)], &Value::Null);
    request
        .headers
        .insert("content-type", HeaderValue::from_static("application/x-www-form-urlencoded"));
    request.body = Bytes::copy_from_slice(form.as_bytes());
    request
}

pub fn token(provider: &Provider) -> String {
    let form = "grant_type=client_credentials";
    let answer = provider.handle(token_request("tracker-client", "tracker-secret", form));
    answer.json().unwrap()["access_token"].as_str().unwrap().to_owned()
}

pub fn create_issue(provider: &Provider, token: &str, key: &str, body: &Value) -> SimAnswer {
    let bearer = format!("Bearer {token}");
    let pairs = [("authorization", bearer.as_str()), ("idempotency-key", key)];
    provider.handle(request("POST", "/issues", &pairs, body))
}

pub fn fault(text: &str) -> Fault {
    Fault::parse(text).unwrap().remove(0)
}

pub fn count(provider: &Provider, collection: &str) -> usize {
    provider.state()[collection].as_array().map_or(0, Vec::len)
}
