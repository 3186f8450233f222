//! The check of a request against the document.

use http::header;
use qc_contract::IncomingRequest;
use serde_json::Value;

use super::rule::Operation;
use super::{Blueprint, Parameters};
use crate::exchange::SimRequest;
use crate::problem::Fields;

impl Blueprint {
    /// Where a request breaks the contract: pointers begin with `/path`, `/query`, `/header`,
    /// `/cookie` or `/body`.
    pub(crate) fn check(
        &self,
        operation: &Operation,
        parameters: &Parameters,
        query: &[(String, String)],
        request: &SimRequest,
        body: Option<&Value>,
    ) -> Fields {
        let Some(listed) = operation.listed.and_then(|at| self.openapi.operations().get(at)) else {
            return Fields::default();
        };
        let media_type = request.headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
        let unreadable = body.is_none() && !request.body.is_empty();
        if unreadable && media_type.is_some_and(qc_contract::is_json) {
            return Fields(vec![("/body".into(), "is not JSON".into())]);
        }
        let path: Vec<(String, String)> =
            parameters.0.iter().map(|(name, value)| (name.to_string(), value.clone())).collect();
        let headers: Vec<(String, String)> = request
            .headers
            .iter()
            .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
            .collect();
        let incoming = IncomingRequest { path: &path, query, headers: &headers, media_type, body };
        let mismatches = self.openapi.check_request(listed, &incoming);
        let fields = mismatches.into_iter().map(|mismatch| (mismatch.pointer, mismatch.message));
        Fields(fields.collect())
    }
}
