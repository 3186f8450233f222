//! The systems that the tests' workflow calls: a desk, and customers behind a provider of tokens.

use std::sync::{
    Mutex,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use http::{HeaderMap, StatusCode};
use qc_model::{Body, CallError, CallErrorKind, Caller, OutboundRequest, OutboundResponse};

/// Refuses tickets until it is mended, and breaks off charges after it took them.
#[derive(Default)]
pub(crate) struct Desk(AtomicBool, Mutex<Login>);

/// What the provider of tokens does, and what it was sent.
#[derive(Default)]
struct Login {
    account: String,
    scope: String,
    requests: Vec<String>,
}

impl Desk {
    /// From now on tickets are taken.
    pub(crate) fn mend(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whose account logs in from now on, and what it grants.
    pub(crate) fn log_in(&self, account: &str, scope: &str) {
        let mut login = self.1.lock().unwrap();
        (login.account, login.scope) = (account.to_owned(), scope.to_owned());
    }

    /// What the provider of tokens was sent since.
    pub(crate) fn logged(&self) -> Vec<String> {
        std::mem::take(&mut self.1.lock().unwrap().requests)
    }

    /// The provider of tokens, and the customers, who take what it gave last.
    async fn behind_login(&self, request: OutboundRequest) -> (u16, String) {
        if request.url.starts_with("http://crm.test") {
            let good =
                request.headers.get("authorization").is_some_and(|one| one == "Bearer access");
            return if good { (200, "[]".to_owned()) } else { (401, "{}".to_owned()) };
        }
        let body = request.body.collect(1 << 16).await.unwrap();
        let mut login = self.1.lock().unwrap();
        let path = request.url.rsplit('/').next().unwrap_or_default();
        login.requests.push(format!("{path}: {}", String::from_utf8_lossy(&body)));
        let (account, scope) = (&login.account, &login.scope);
        let said = serde_json::json!({
            "access_token": "access", "refresh_token": "refresh", "expires_in": 3600,
            "scope": scope, "account": account,
        });
        (200, said.to_string())
    }

    /// From now on they are refused again.
    pub(crate) fn tear(&self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

#[async_trait]
impl Caller for Desk {
    async fn call(&self, request: OutboundRequest) -> Result<OutboundResponse, CallError> {
        if request.url.ends_with("/charges") {
            let message = "the test says so".to_owned();
            return Err(CallError { kind: CallErrorKind::Reset, sent: true, message });
        }
        if !request.url.starts_with("http://desk.test") {
            let (status, body) = self.behind_login(request).await;
            let mut headers = HeaderMap::new();
            headers.insert("content-type", "application/json".parse().unwrap());
            let status = StatusCode::from_u16(status).unwrap();
            return Ok(OutboundResponse { status, headers, body: Body::Bytes(body.into()) });
        }
        let mended = self.0.load(Ordering::SeqCst);
        let (status, body) = if mended { (200, r#"{"id":7}"#) } else { (422, r#"{"error":"no"}"#) };
        let mut headers = HeaderMap::new();
        headers.insert("content-type", "application/json".parse().unwrap());
        Ok(OutboundResponse {
            status: StatusCode::from_u16(status).unwrap(),
            headers,
            body: Body::Bytes(body.into()),
        })
    }
}
