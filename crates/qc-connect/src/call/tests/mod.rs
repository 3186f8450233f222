//! The stack against a scripted other side, and the HTTP client against a real socket.

mod batch;
mod bindings;
mod blobs;
mod capture;
mod credentials;
mod egress;
mod failures;
mod keys;
mod logins;
mod pages;
mod requests;
mod wire;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use qc_contract::OpenApi;
use qc_model::{
    Body, CallError, CallErrorKind, Caller, ClientIdentity, Clock, EnvironmentName, Failure,
    OutboundRequest, OutboundResponse, Reach, RunId, Severity, TenantName, Timestamp,
};
use qc_vault::{SecretRef, Secrets};
use qc_workflow::{CallId, CallRequest, CallTarget, Effect, OutputShape, SecretMark};
use serde_json::{Value, json};

use super::{Connectors, EffectContext, EnvironmentScope, Outbound, Performed, Verified};
use crate::connector::Connector;

/// 2026-11-22T14:40:00Z
pub(super) const NOW: i64 = 1_795_358_400_000;

/// The run that calls.
pub(super) const RUN: RunId = RunId::from_bits((NOW as u128) << 80);

/// A request as the other side saw it.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) method: String,
    pub(super) url: String,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
    pub(super) length: Option<u64>,
    pub(super) connect_timeout: Option<Duration>,
    pub(super) reach: Reach,
    pub(super) identity: Option<ClientIdentity>,
}

impl Seen {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

pub(super) type Reply = Result<OutboundResponse, CallError>;

/// The other side: answers in the scripted order.
#[derive(Default)]
pub(super) struct Script {
    replies: Mutex<VecDeque<Reply>>,
    seen: Mutex<Vec<Seen>>,
}

#[async_trait]
impl Caller for Script {
    async fn call(&self, request: OutboundRequest) -> Reply {
        let length = match &request.body {
            Body::Bytes(bytes) => Some(bytes.len() as u64),
            Body::Stream { length, .. } => *length,
        };
        let body = request.body.collect(1 << 20).await?;
        self.seen.lock().unwrap().push(Seen {
            method: request.method.to_string(),
            url: request.url,
            headers: request.headers,
            body: String::from_utf8_lossy(&body).into_owned(),
            length,
            connect_timeout: request.connect_timeout,
            reach: request.reach,
            identity: request.identity,
        });
        // Gives others their turn, as a network does.
        tokio::task::yield_now().await;
        let reply = self.replies.lock().unwrap().pop_front();
        reply.expect("the script has an answer for every request")
    }
}

#[derive(Default)]
pub(super) struct Hands(AtomicI64);

impl Hands {
    pub(super) fn forward(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1000, Ordering::SeqCst);
    }
}

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(NOW + self.0.load(Ordering::SeqCst))
    }
}

#[expect(clippy::unnecessary_wraps, reason = "a reply can also be an error")]
pub(super) fn reply(
    status: u16,
    fields: &[(&'static str, &str)],
    body: impl Into<String>,
) -> Reply {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    }
    let body: String = body.into();
    Ok(OutboundResponse {
        status: StatusCode::from_u16(status).unwrap(),
        headers,
        body: Body::Bytes(body.into_bytes().into()),
    })
}

pub(super) fn answer(status: u16, body: &Value) -> Reply {
    reply(status, &[("content-type", "application/json")], body.to_string())
}

pub(super) fn broken(kind: CallErrorKind, sent: bool) -> Reply {
    Err(CallError { kind, sent, message: "the connection broke".to_owned() })
}

pub(super) const DOCUMENT: &str = include_str!("desk.openapi.yaml");
pub(super) const CONNECTOR: &str = include_str!("desk.connector.yaml");

pub(super) struct World {
    pub(super) script: Arc<Script>,
    pub(super) clock: Arc<Hands>,
    pub(super) secrets: Arc<Secrets>,
    pub(super) outbound: Outbound,
    pub(super) release: Connectors,
    pub(super) scope: EnvironmentScope,
    pub(super) effect: EffectContext,
}

/// A world with the connector `desk`, changed as the closure says.
pub(super) fn world_with(change: impl FnOnce(String) -> String) -> World {
    let files = BTreeMap::from([
        ("connectors/desk/connector.yaml".to_owned(), change(CONNECTOR.to_owned())),
        ("connectors/desk/openapi.yaml".to_owned(), DOCUMENT.to_owned()),
    ]);
    let (connector, findings) = Connector::load(&files, "connectors/desk");
    assert!(findings.iter().all(|f| f.severity != Severity::Error), "{findings:#?}");
    let document = OpenApi::from_text("desk.yaml", DOCUMENT).unwrap();
    let documents = [("https://desk.test/openapi.yaml".to_owned(), document)];
    let script = Arc::new(Script::default());
    let clock = Arc::new(Hands::default());
    let secrets = Arc::new(Secrets::none().with_value("sandbox", "desk/token", "t0ken-one"));
    let declared = [("api", "desk/token"), ("pair", "desk/pair")];
    let declared = declared
        .map(|(name, to)| (name.to_owned(), SecretRef::parse(&format!("secret://{to}")).unwrap()));
    World {
        outbound: Outbound::new(script.clone(), clock.clone(), secrets.clone()),
        script,
        clock,
        secrets,
        release: Connectors::new(connector, documents),
        scope: EnvironmentScope {
            name: EnvironmentName::new("sandbox").unwrap(),
            tenant: TenantName::new("acme").unwrap(),
            vars: Arc::new(BTreeMap::from([("desk_host".to_owned(), json!("desk.test"))])),
        },
        effect: EffectContext {
            integration: "escalation".parse().unwrap(),
            of_platform: false,
            run: RUN,
            key: "qc:run_1:/do/0/open:0".to_owned(),
            first_sent_at: Some(Timestamp::from_millis(NOW)),
            traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned(),
            hops: 0,
            secrets: Arc::new(BTreeMap::from(declared)),
        },
    }
}

pub(super) fn world() -> World {
    world_with(|connector| connector)
}

impl World {
    pub(super) fn will(&self, replies: impl IntoIterator<Item = Reply>) {
        self.script.replies.lock().unwrap().extend(replies);
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        assert_eq!(self.script.replies.lock().unwrap().len(), 0, "not everything was asked for");
        self.script.seen.lock().unwrap().clone()
    }

    pub(super) fn seen_last(&self) -> Seen {
        self.script.seen.lock().unwrap().last().unwrap().clone()
    }

    pub(super) async fn perform(&self, call: &CallRequest) -> Performed {
        self.outbound.perform(&self.release, &self.scope, call, &self.effect).await
    }

    pub(super) async fn desk(&self, operation: &str, arguments: Value) -> Performed {
        self.perform(&self.call(operation, arguments)).await
    }

    pub(super) async fn verify(&self, call: &CallRequest) -> Verified {
        self.outbound.verify(&self.release, &self.scope, call, &self.effect).await.verified
    }

    pub(super) fn call(&self, operation: &str, arguments: Value) -> CallRequest {
        let policy = self.release.policy("desk", operation).unwrap();
        let target = CallTarget::Connector {
            connector: "desk".to_owned(),
            operation: operation.to_owned(),
            arguments,
            output: OutputShape::Content,
        };
        CallRequest { effect: policy.effect, ..request(target) }
    }
}

pub(super) fn mark() -> SecretMark {
    SecretMark::new(7)
}

pub(super) fn request(target: CallTarget) -> CallRequest {
    CallRequest {
        id: CallId { pointer: "/do/0/open".into(), visit: "0".into() },
        task: "open".into(),
        attempt: 1,
        target,
        effect: Effect::Once,
        timeout_ms: 30_000,
        secrets: mark(),
    }
}

/// A plain HTTP call from its parts.
pub(super) fn plain(parts: &Value) -> CallTarget {
    let part = |name: &str| parts.get(name).cloned().unwrap_or(Value::Null);
    CallTarget::Http {
        method: part("method").as_str().unwrap_or("GET").to_owned(),
        endpoint: part("endpoint").as_str().unwrap_or("https://desk.test/x").to_owned(),
        headers: part("headers"),
        query: part("query"),
        body: parts.get("body").cloned(),
        authentication: parts
            .get("authentication")
            .map(|value| serde_json::from_value(value.clone()).unwrap()),
        output: OutputShape::Content,
        redirect: parts.get("redirect") == Some(&Value::Bool(true)),
    }
}

pub(super) fn failed(performed: &Performed) -> &Failure {
    performed.result.as_ref().unwrap_err()
}
