//! The declared answers of an operation, with samples.

use http::{HeaderValue, StatusCode};
use qc_contract::{Content, Direction, OpenApi, Response, StatusPattern};
use serde_json::Value;

use super::rule::Success;
use super::shape::ObjectShape;
use crate::problem::{ErrorShape, ErrorShapes};

/// Samples are the same for every provider made from the same document.
const SAMPLE_SEED: u64 = 1;

pub(super) fn success(openapi: &OpenApi, operation: &qc_contract::Operation) -> Success {
    let mut statuses: Vec<u16> = operation
        .responses
        .iter()
        .filter_map(|response| match response.status {
            StatusPattern::Exact(status) if (200..300).contains(&status) => Some(status),
            StatusPattern::Range(2) => Some(200),
            _ => None,
        })
        .collect();
    statuses.sort_unstable();
    // A POST that declares 200 and 201 makes something: 201 says so.
    let made = operation.method.as_str() == "POST" && statuses.contains(&201);
    let status = if made { 201 } else { statuses.first().copied().unwrap_or(200) };
    let response = operation.response(status);
    let Some(content) = response.and_then(preferred) else {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
        return Success { status, statuses, media_type: None, ..plain_success() };
    };
    let schema = schema_of(openapi, content);
    Success {
        status: StatusCode::from_u16(status).unwrap_or(StatusCode::OK),
        statuses,
        media_type: HeaderValue::from_str(&content.media_type).ok(),
        fields: schema.as_ref().map(|s| ObjectShape::of(s, s).names()).unwrap_or_default(),
        sample: openapi.sample_response(operation, status, SAMPLE_SEED).unwrap_or_default(),
    }
}

/// 200 without a body.
pub(super) fn plain_success() -> Success {
    Success {
        status: StatusCode::OK,
        statuses: vec![200],
        media_type: None,
        sample: Value::Null,
        fields: std::collections::BTreeSet::new(),
    }
}

/// The declared error answers. Each one's sample is taken from a status that only it is for.
pub(super) fn errors(openapi: &OpenApi, operation: &qc_contract::Operation) -> ErrorShapes {
    let mut shapes = ErrorShapes::default();
    for response in &operation.responses {
        let shape = |status: u16| {
            let declared =
                preferred(response).filter(|content| qc_contract::is_json(&content.media_type));
            ErrorShape {
                media_type: declared
                    .and_then(|content| HeaderValue::from_str(&content.media_type).ok())
                    .unwrap_or(HeaderValue::from_static("application/problem+json")),
                sample: declared
                    .and_then(|_| openapi.sample_response(operation, status, SAMPLE_SEED)),
            }
        };
        match response.status {
            StatusPattern::Exact(status) if status >= 400 => {
                shapes.by_status.insert(status, shape(status));
            }
            StatusPattern::Range(range) if range >= 4 => {
                let range = u16::from(range);
                let free = (range * 100..range * 100 + 100).find(|status| {
                    let exact = StatusPattern::Exact(*status);
                    !operation.responses.iter().any(|response| response.status == exact)
                });
                shapes.by_range.insert(range, shape(free.unwrap_or(range * 100)));
            }
            // A status outside the ranges that HTTP has.
            StatusPattern::Default => shapes.default = Some(shape(900)),
            _ => {}
        }
    }
    shapes
}

/// JSON where it is offered, else the first.
pub(super) fn preferred(response: &Response) -> Option<&Content> {
    let json = response.content.iter().find(|content| qc_contract::is_json(&content.media_type));
    json.or_else(|| response.content.first())
}

pub(super) fn schema_of(openapi: &OpenApi, content: &Content) -> Option<Value> {
    content.schema.as_ref().map(|at| openapi.schema(at, Direction::Response))
}

/// The schema of the answer that an operation gives on success.
pub(super) fn success_schema(
    openapi: &OpenApi,
    operation: &qc_contract::Operation,
) -> Option<Value> {
    let status = success_status(operation);
    operation.response(status).and_then(preferred).and_then(|content| schema_of(openapi, content))
}

fn success_status(operation: &qc_contract::Operation) -> u16 {
    let mut statuses = operation.responses.iter().filter_map(|response| match response.status {
        StatusPattern::Exact(status) if (200..300).contains(&status) => Some(status),
        _ => None,
    });
    statuses.find(|status| *status != 204).unwrap_or(200)
}
