//! Servers that break one thing each, written by hand: what must be noticed does not come from what notices it.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use qc_model::{Body, CallError, CallErrorKind, Caller, OutboundRequest, OutboundResponse};
use qc_verify::Outcome;
use serde_json::{Value, json};

use crate::scene::{SHOP, Wishes, simulator};

/// A request as it came in.
struct Asked {
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Asked {
    fn is(&self, method: &str, path: &str) -> bool {
        self.method == method && self.path.split('?').next() == Some(path)
    }

    fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

struct Told {
    status: u16,
    headers: HeaderMap,
    body: Bytes,
}

impl Told {
    fn edit(&mut self, change: impl FnOnce(&mut Value)) {
        let mut body: Value = serde_json::from_slice(&self.body).unwrap();
        change(&mut body);
        self.body = body.to_string().into();
    }
}

type Before = fn(&mut Asked);
type After = fn(&Asked, &mut Told) -> bool;

/// Changes requests before the simulator sees them, or answers after; an `after` that says no breaks the connection.
struct Broken {
    inner: Arc<dyn Caller>,
    before: Before,
    after: After,
}

#[async_trait]
impl Caller for Broken {
    async fn call(&self, request: OutboundRequest) -> Result<OutboundResponse, CallError> {
        let base = qc_verify::Target::SIMULATED;
        let path = request.url.strip_prefix(base).unwrap().to_owned();
        let body = request.body.collect(1 << 24).await?;
        let mut asked = Asked { method: request.method, path, headers: request.headers, body };
        let original = Asked {
            method: asked.method.clone(),
            path: asked.path.clone(),
            headers: asked.headers.clone(),
            body: asked.body.clone(),
        };
        (self.before)(&mut asked);
        let passed = OutboundRequest {
            method: asked.method,
            url: format!("{base}{}", asked.path),
            headers: asked.headers,
            body: Body::Bytes(asked.body),
            timeout: request.timeout,
            connect_timeout: None,
            reach: request.reach,
            identity: None,
        };
        let response = self.inner.call(passed).await?;
        let status = response.status.as_u16();
        let body = response.body.collect(1 << 24).await?;
        let mut told = Told { status, headers: response.headers, body };
        if !(self.after)(&original, &mut told) {
            let message = "the connection broke off".to_owned();
            return Err(CallError { kind: CallErrorKind::Reset, sent: true, message });
        }
        let status = StatusCode::from_u16(told.status).unwrap();
        Ok(OutboundResponse { status, headers: told.headers, body: Body::Bytes(told.body) })
    }
}

/// As `from`, when the body has it; so a wrong one looks right to the simulator.
fn put(asked: &mut Asked, field: &str, wrong: impl Fn(Option<&Value>) -> bool, right: Value) {
    let Some(mut body) = asked.json().filter(Value::is_object) else { return };
    if asked.is("POST", "/orders") && wrong(body.get(field)) {
        body[field] = right;
        asked.body = body.to_string().into();
    }
}

fn nothing(_: &mut Asked) {}

fn unchanged(_: &Asked, _: &mut Told) -> bool {
    true
}

/// What is broken, which case must notice it, and with which code.
const BREAKS: &[(&str, Before, After, &str, &str)] = &[
    (
        "a required field is missing",
        nothing,
        |asked, told| {
            if asked.is("GET", "/orders") && told.status == 200 {
                told.edit(|body| drop(body.as_object_mut().unwrap().remove("total")));
            }
            true
        },
        "listOrders/valid",
        "QC-C062",
    ),
    (
        "a number is a text",
        nothing,
        |asked, told| {
            if asked.is("GET", "/orders") && told.status == 200 {
                told.edit(|body| body["total"] = json!("3"));
            }
            true
        },
        "listOrders/valid",
        "QC-C062",
    ),
    (
        "a value is not one of the described",
        nothing,
        |asked, told| {
            if asked.is("POST", "/orders") && told.status == 201 {
                told.edit(|body| body["currency"] = json!("GBP"));
            }
            true
        },
        "createOrder/valid",
        "QC-C062",
    ),
    (
        "an id is null",
        nothing,
        |asked, told| {
            if asked.is("POST", "/orders") && told.status == 201 {
                told.edit(|body| body["id"] = Value::Null);
            }
            true
        },
        "createOrder/valid",
        "QC-C062",
    ),
    (
        "200 instead of 201",
        nothing,
        |asked, told| {
            if asked.is("POST", "/orders") && told.status == 201 {
                told.status = 200;
            }
            true
        },
        "createOrder/valid",
        "QC-C061",
    ),
    (
        "a required header is missing",
        nothing,
        |_, told| {
            told.headers.remove(header::LOCATION);
            true
        },
        "createOrder/valid",
        "QC-C062",
    ),
    (
        "a page of HTML",
        nothing,
        |asked, told| {
            if asked.is("GET", "/health") {
                told.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
                told.body = "<html>up</html>".into();
            }
            true
        },
        "getHealth/valid",
        "QC-C062",
    ),
    (
        "a success without its body",
        nothing,
        |asked, told| {
            if asked.is("GET", "/health") {
                told.body = Bytes::new();
            }
            true
        },
        "getHealth/valid",
        "QC-C062",
    ),
    (
        "JSON that is cut off",
        nothing,
        |asked, told| {
            if asked.is("GET", "/health") {
                told.body = told.body.slice(..told.body.len() - 1);
            }
            true
        },
        "getHealth/valid",
        "QC-C062",
    ),
    (
        "a missing field is made up",
        |asked| {
            put(asked, "customer", |value| value.is_none(), json!("somebody"));
        },
        unchanged,
        "createOrder/body/customer/missing",
        "QC-C063",
    ),
    (
        "the maximum is not looked at",
        |asked| {
            put(asked, "amount", |value| value == Some(&json!(10_001)), json!(1));
        },
        unchanged,
        "createOrder/body/amount/above-maximum",
        "QC-C063",
    ),
    (
        "the minimum is not looked at",
        |asked| {
            put(asked, "amount", |value| value == Some(&json!(-1)), json!(1));
        },
        unchanged,
        "createOrder/body/amount/below-minimum",
        "QC-C063",
    ),
    (
        "the length is not looked at",
        |asked| {
            let is_long =
                |value: Option<&Value>| value.and_then(Value::as_str).is_some_and(|t| t.len() > 20);
            put(asked, "customer", is_long, json!("c"));
        },
        unchanged,
        "createOrder/body/customer/too-long",
        "QC-C063",
    ),
    (
        "texts are taken for numbers",
        |asked| {
            put(asked, "amount", |value| value.is_some_and(Value::is_string), json!(1));
        },
        unchanged,
        "createOrder/body/amount/wrong-type",
        "QC-C063",
    ),
    (
        "null is taken for a value",
        |asked| {
            put(asked, "currency", |value| value == Some(&Value::Null), json!("EUR"));
        },
        unchanged,
        "createOrder/body/currency/null",
        "QC-C063",
    ),
    (
        "the allowed values are not looked at",
        |asked| {
            put(asked, "currency", |value| value == Some(&json!("qc-none-of-these")), json!("EUR"));
        },
        unchanged,
        "createOrder/body/currency/not-in-enum",
        "QC-C063",
    ),
    (
        "addresses are not looked at",
        |asked| {
            let is_odd = |value: Option<&Value>| {
                value.and_then(Value::as_str).is_some_and(|t| !t.contains('@'))
            };
            put(asked, "email", is_odd, json!("a@example.com"));
        },
        unchanged,
        "createOrder/body/email/off-format",
        "QC-C063",
    ),
    (
        "a list may be empty",
        |asked| {
            put(
                asked,
                "lines",
                |value| value == Some(&json!([])),
                json!([{ "sku": "AB-1", "count": 1 }]),
            );
        },
        unchanged,
        "createOrder/body/lines/too-few-items",
        "QC-C063",
    ),
    (
        "unknown fields are ignored",
        |asked| {
            if let Some(mut body) = asked.json().filter(Value::is_object)
                && body.as_object_mut().unwrap().remove("qc_not_described").is_some()
            {
                asked.body = body.to_string().into();
            }
        },
        unchanged,
        "createOrder/body/extra-field",
        "QC-C063",
    ),
    (
        "a parameter out of range is ignored",
        |asked| {
            if asked.path.contains("limit=101") {
                "/orders".clone_into(&mut asked.path);
            }
        },
        unchanged,
        "listOrders/query/limit/above-maximum",
        "QC-C063",
    ),
    (
        "a required header is not asked for",
        |asked| {
            if asked.is("GET", "/orders") && !asked.headers.contains_key("x-trace") {
                asked.headers.insert("x-trace", HeaderValue::from_static("abcd"));
            }
        },
        unchanged,
        "listOrders/header/X-Trace/missing",
        "QC-C063",
    ),
    (
        "half a document fails",
        nothing,
        |asked, told| {
            if told.status == 400 && asked.body.starts_with(b"{") && asked.json().is_none() {
                told.status = 500;
            }
            true
        },
        "createOrder/truncated",
        "QC-C064",
    ),
    (
        "a deep document ends the process",
        nothing,
        |asked, _| !asked.body.starts_with(b"[[[[[[[["),
        "createOrder/deep",
        "QC-C064",
    ),
    (
        "bytes that are no text fail",
        nothing,
        |asked, told| {
            if std::str::from_utf8(&asked.body).is_err() {
                told.status = 502;
            }
            true
        },
        "createOrder/invalid-utf8",
        "QC-C064",
    ),
    (
        "nobody asks who it is",
        |asked| {
            asked.headers.insert(
                header::AUTHORIZATION,
                HeaderValue::from_static("Bearer verification-token"),
            );
        },
        unchanged,
        "getOrder/no-credentials",
        "QC-C066",
    ),
    (
        "any token will do",
        |asked| {
            if asked.headers.contains_key(header::AUTHORIZATION) {
                asked.headers.insert(
                    header::AUTHORIZATION,
                    HeaderValue::from_static("Bearer verification-token"),
                );
            }
        },
        unchanged,
        "deleteOrder/malformed-credentials",
        "QC-C066",
    ),
    (
        "no challenge",
        nothing,
        |_, told| {
            told.headers.remove(header::WWW_AUTHENTICATE);
            true
        },
        "listOrders/no-credentials",
        "QC-C062",
    ),
    (
        "everything is there",
        nothing,
        |asked, told| {
            if asked.method == Method::GET
                && told.status == 404
                && asked.path.starts_with("/orders/")
            {
                told.status = 200;
                told.headers
                    .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
                let order = json!({ "id": "x", "customer": "c", "amount": 1, "currency": "EUR" });
                told.body = order.to_string().into();
            }
            true
        },
        "getOrder/unknown-resource",
        "QC-C061",
    ),
    (
        "a problem tells another status",
        nothing,
        |_, told| {
            if told.status == 400 {
                told.edit(|body| body["status"] = json!(422));
            }
            true
        },
        "createOrder/not-json",
        "QC-C062",
    ),
    (
        "problems of another media type",
        nothing,
        |_, told| {
            if told.status == 422 {
                told.headers
                    .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            }
            true
        },
        "createOrder/body/amount/above-maximum",
        "QC-C062",
    ),
    (
        "a status of its own",
        nothing,
        |_, told| {
            if told.status == 400 {
                told.status = 418;
            }
            true
        },
        "listOrders/query/limit/below-minimum",
        "QC-C061",
    ),
    (
        "a 405 without its methods",
        nothing,
        |_, told| {
            told.headers.remove(header::ALLOW);
            true
        },
        "listOrders/other-method",
        "QC-C062",
    ),
    (
        "every path is there",
        nothing,
        |asked, told| {
            if asked.path.starts_with("/qc-not-described") {
                told.status = 200;
            }
            true
        },
        "listOrders/other-path",
        "QC-C061",
    ),
    (
        "a 204 with a body",
        nothing,
        |asked, told| {
            if asked.method == Method::DELETE && told.status == 204 {
                told.body = "gone".into();
            }
            true
        },
        "deleteOrder/valid",
        "QC-C062",
    ),
    (
        "the maximum itself is refused",
        |asked| {
            put(asked, "amount", |value| value == Some(&json!(10_000)), json!(10_001));
        },
        unchanged,
        "createOrder/body/amount/at-maximum",
        "QC-C065",
    ),
    (
        "an allowed null is refused",
        |asked| {
            put(asked, "note", |value| value == Some(&Value::Null), json!(1));
        },
        unchanged,
        "createOrder/body/note/null",
        "QC-C065",
    ),
    (
        "the documented example is refused",
        |asked| {
            put(asked, "customer", |value| value == Some(&json!("c-1")), json!(1));
        },
        unchanged,
        "createOrder/example-1",
        "QC-C065",
    ),
    (
        "a redirect",
        nothing,
        |asked, told| {
            if asked.is("GET", "/health") {
                told.status = 302;
                told.headers
                    .insert(header::LOCATION, HeaderValue::from_static("https://api.example.com/"));
            }
            true
        },
        "getHealth/valid",
        "QC-C061",
    ),
];

#[tokio::test]
async fn each_break_is_noticed_by_the_case_that_is_about_it() {
    let mut missed = Vec::new();
    for (name, before, after, id, code) in BREAKS {
        let broken = Broken { inner: simulator(SHOP), before: *before, after: *after };
        let report = Wishes::of(Arc::new(broken)).report(SHOP).await;
        let Some(result) = report.results.iter().find(|result| result.id == *id) else {
            missed.push(format!("{name}: there is no case {id}"));
            continue;
        };
        let has_code = result.problems.iter().any(|problem| problem.code.as_str() == *code);
        if result.outcome != Outcome::Failed || !has_code {
            missed.push(format!("{name}: {id} {:?} {:?}", result.outcome, result.problems));
        }
        let is_told = result.problems.iter().all(|problem| !problem.action.is_empty());
        assert!(is_told && result.place.is_some() && !result.expected.is_empty(), "{result:?}");
    }
    assert_eq!(missed, Vec::<String>::new());
}

#[tokio::test]
async fn what_is_not_broken_does_not_fail() {
    let broken = Broken { inner: simulator(SHOP), before: nothing, after: unchanged };
    let report = Wishes::of(Arc::new(broken)).report(SHOP).await;
    let bad = report.results.iter().filter(|result| result.outcome != Outcome::Passed);
    assert_eq!(bad.map(|result| &result.id).collect::<Vec<_>>(), Vec::<&String>::new());
}
