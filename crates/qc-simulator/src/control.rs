//! The control endpoints of a served provider, under `/_sim/`. They are for tests and people on the
//! same machine: nothing about them is checked or recorded in the ledger.

use http::{Method, StatusCode, header};
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::exchange::SimResponse;
use crate::fault::Fault;
use crate::provider::Provider;

/// What every control path begins with.
pub(crate) const PREFIX: &str = "/_sim/";
/// Most ledger entries in one answer.
const PAGE_LIMIT: usize = 10_000;

impl Provider {
    /// Answers a control request: `GET health|state|requests|faults`, `POST faults` (one fault or
    /// a list, YAML or JSON), `DELETE faults`. `requests` takes `after` (a sequence number) and
    /// `limit`.
    pub fn control(&self, method: &Method, target: &str, body: &[u8]) -> SimResponse {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let name = path.strip_prefix(PREFIX).unwrap_or_default();
        match (method.as_str(), name) {
            ("GET", "health") => ok(&json!({
                "provider": self.name(),
                "received": self.received(),
                "operations": self.operations().collect::<Vec<_>>(),
            })),
            ("GET", "state") => ok(&self.state()),
            ("GET", "requests") => self.show_requests(query),
            ("GET", "faults") => ok(&self.faults()),
            ("POST", "faults") => self.take_faults(body),
            ("DELETE", "faults") => {
                self.clear();
                SimResponse::empty(StatusCode::NO_CONTENT)
            }
            (_, "health" | "state" | "requests") => wrong_method("GET"),
            (_, "faults") => wrong_method("GET, POST, DELETE"),
            _ => SimResponse::json(
                StatusCode::NOT_FOUND,
                &json!({ "detail": "there are /_sim/health, /_sim/state, /_sim/requests and /_sim/faults" }),
            ),
        }
    }

    fn show_requests(&self, query: &str) -> SimResponse {
        let asked = |name: &str| {
            let mut pairs = form_urlencoded::parse(query.as_bytes());
            pairs.find(|(key, _)| key == name).and_then(|(_, value)| value.parse::<u64>().ok())
        };
        let limit = asked("limit").and_then(|limit| usize::try_from(limit).ok());
        let limit = limit.unwrap_or(PAGE_LIMIT).min(PAGE_LIMIT);
        let entries = self.requests_after(asked("after").unwrap_or(0), limit);
        let entries: Vec<_> = entries.iter().map(|entry| &**entry).collect();
        ok(&json!({ "received": self.received(), "requests": entries }))
    }

    fn take_faults(&self, body: &[u8]) -> SimResponse {
        let findings = match std::str::from_utf8(body).map(Fault::parse) {
            Ok(Ok(faults)) => {
                let refused = faults.into_iter().filter_map(|fault| self.inject(fault).err());
                refused.map(|finding| *finding).collect()
            }
            Ok(Err(findings)) => findings,
            Err(_) => {
                let why = json!({ "detail": "the body is not UTF-8" });
                return SimResponse::json(StatusCode::BAD_REQUEST, &why);
            }
        };
        if findings.is_empty() {
            return SimResponse::json(StatusCode::CREATED, &self.faults());
        }
        SimResponse::json(StatusCode::UNPROCESSABLE_ENTITY, &json!({ "findings": findings }))
    }
}

fn ok(body: &Value) -> SimResponse {
    SimResponse::json(StatusCode::OK, body)
}

fn wrong_method(allowed: &str) -> SimResponse {
    SimResponse::empty(StatusCode::METHOD_NOT_ALLOWED).with_header(header::ALLOW, allowed)
}
