use std::{
    net::{IpAddr, SocketAddr},
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use axum::Router;
use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, header};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use tokio::sync::Semaphore;
use tower::ServiceExt;

use crate::{
    Problem, State, api, asker::Sent, codes, connect, drops, health, identity, ingress, leaving,
    page::unreferred,
};

/// The body of every answer.
pub(crate) type AnswerBody = Either<Full<Bytes>, axum::body::Body>;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The longest request id that is taken over from a trusted proxy.
const LONGEST_ID: usize = 64;

/// What a door is for. Every door answers the probes of health.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// Events and the management API.
    All,
    /// Events only: `/in/…`.
    Events,
    /// The management API only: `/api/v1/…`.
    Management,
}

/// Answers requests: triggers straight, as they are the hot path; the management API through its router.
#[derive(Clone)]
pub struct Service {
    state: Arc<State>,
    door: Door,
    api: Router,
    /// One for each operation of the management API that may be under way; of all its doors.
    operations: Arc<Semaphore>,
    /// Begins this process's request ids.
    prefix: u32,
    count: Arc<AtomicU64>,
}

/// The id of a request, as the log and problems name it.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(pub(crate) String);

/// The token of an `Authorization: Bearer` field.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = text.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

impl Service {
    /// Over the server's state.
    pub fn new(state: &Arc<State>, door: Door) -> Self {
        let prefix = u32::try_from(state.entropy.next_u64() >> 32).unwrap_or_default();
        Self {
            state: Arc::clone(state),
            door,
            api: api::router(state),
            operations: Arc::new(Semaphore::new(state.settings.operations)),
            prefix,
            count: Arc::new(AtomicU64::new(0)),
        }
    }

    pub(crate) fn state(&self) -> &Arc<State> {
        &self.state
    }

    /// Answers one request. Never fails: whatever goes wrong is a problem document.
    pub async fn answer(
        &self,
        request: Request<Incoming>,
        peer: SocketAddr,
    ) -> Response<AnswerBody> {
        let since = Instant::now();
        let id = self.request_id(peer.ip(), request.headers());
        let client = self.client(peer.ip(), request.headers());
        let line = Line::of(&request, client);
        let answering = AssertUnwindSafe(Box::pin(self.route(request, &id, client))).catch_unwind();
        let mut response = answering.await.unwrap_or_else(|_| {
            tracing::error!(request = %id.0, method = %line.method, path = %line.path, "a request panicked");
            Problem::internal(&id.0).into_response(Some(&id.0)).map(Either::Left)
        });
        if let Some(problem) = response.extensions_mut().remove::<Problem>() {
            response = leaving::completed(&self.state, problem, response, &id.0);
        }
        if let Ok(value) = HeaderValue::from_str(&id.0) {
            response.headers_mut().insert(REQUEST_ID, value);
        }
        line.log(&id, response.status().as_u16(), since);
        response
    }

    async fn route(
        &self,
        mut request: Request<Incoming>,
        id: &RequestId,
        client: IpAddr,
    ) -> Response<AnswerBody> {
        let sent = Sent { request: id.0.clone(), address: Some(client) };
        let path = request.uri().path();
        let refuse = |problem: Problem| problem.into_response(Some(&id.0)).map(Either::Left);
        if path.starts_with(ingress::PREFIX) {
            if self.door == Door::Management {
                return refuse(elsewhere("events are taken at another address of this server"));
            }
            return Box::pin(ingress::handle(&self.state, request, &sent))
                .await
                .unwrap_or_else(|problem| problem.into_response(Some(&id.0)))
                .map(Either::Left);
        }
        if let Some(response) = health::answer(&self.state, request.method(), path, &id.0) {
            return response.map(Either::Left);
        }
        if path.starts_with(connect::PREFIX) {
            let page = connect::answer(&self.state, request.map(drop)).await;
            return unreferred(page).map(Either::Left);
        }
        let of_identity = identity::is_ours(path);
        if path.starts_with(drops::PREFIX) {
            let page = Box::pin(drops::answer(&self.state, request, &sent)).await;
            return unreferred(page).map(Either::Left);
        }
        // Who sends events gets access tokens where it sends them, too.
        if self.door == Door::Events && !(of_identity && identity::is_for_services(path)) {
            return refuse(elsewhere("this address takes events only (`/in/…`)"));
        }
        // Refused, not queued: whoever operates a server in trouble must see that it is busy.
        let Ok(_operation) = self.operations.try_acquire() else {
            let detail = "as many operations of the management API as may be are under way";
            return refuse(Problem::new(503, codes::API_BUSY, "Busy", detail).retry_after(1));
        };
        if of_identity {
            return identity::handle(&self.state, request, &sent).await.map(Either::Left);
        }
        request.extensions_mut().insert(id.clone());
        request.extensions_mut().insert(sent);
        let request = request.map(axum::body::Body::new);
        match self.api.clone().oneshot(request).await {
            Ok(response) => response.map(Either::Right),
            Err(never) => match never {},
        }
    }

    fn request_id(&self, peer: IpAddr, headers: &HeaderMap) -> RequestId {
        let from_proxy = headers
            .get(REQUEST_ID)
            .filter(|_| self.state.settings.trusted_proxies.trusts(peer.to_canonical()))
            .and_then(|value| value.to_str().ok())
            .filter(|text| !text.is_empty() && text.len() <= LONGEST_ID)
            .filter(|text| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)));
        RequestId(from_proxy.map_or_else(
            || format!("{:08x}-{:x}", self.prefix, self.count.fetch_add(1, Ordering::Relaxed)),
            str::to_owned,
        ))
    }

    fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        self.state.settings.trusted_proxies.client(peer, headers)
    }
}

fn elsewhere(detail: &str) -> Problem {
    Problem::new(404, codes::NO_ROUTE, "No such address", detail)
}

/// What the access log says of a request. Queries are left out: challenges carry tokens in them.
struct Line {
    method: http::Method,
    path: String,
    client: IpAddr,
}

impl Line {
    fn of(request: &Request<Incoming>, client: IpAddr) -> Self {
        // A link to consent, or to give a secret, is a credential.
        let path = request.uri().path();
        let path = match path.strip_prefix(connect::PREFIX) {
            Some(rest) if rest != "callback" => format!("{}…", connect::PREFIX),
            _ if path.starts_with(drops::PREFIX) => format!("{}…", drops::PREFIX),
            _ => path.chars().take(200).collect(),
        };
        Self { method: request.method().clone(), path, client }
    }

    fn log(&self, id: &RequestId, status: u16, since: Instant) {
        let micros = u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX);
        let Self { method, path, client } = self;
        // What goes well at the hot door is counted, not told: thousands of lines a second help nobody.
        if status < 400 && path.starts_with(ingress::PREFIX) {
            tracing::debug!(target: "access", request = %id.0, %method, %path, %client, status, micros);
        } else {
            tracing::info!(target: "access", request = %id.0, %method, %path, %client, status, micros);
        }
    }
}
