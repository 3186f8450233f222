//! The one system that the tests' workflow calls.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use http::{HeaderMap, StatusCode};
use qc_model::{Body, CallError, CallErrorKind, Caller, OutboundRequest, OutboundResponse};

/// Refuses tickets until it is mended, and breaks off charges after it took them.
#[derive(Default)]
pub(crate) struct Desk(AtomicBool);

impl Desk {
    /// From now on tickets are taken.
    pub(crate) fn mend(&self) {
        self.0.store(true, Ordering::SeqCst);
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
