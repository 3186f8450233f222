use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, header};
use http_body_util::Full;

use crate::{Problem, State, codes};

/// Answers the probes of whoever watches the process: the only addresses that need neither token nor signature, and
/// so tell nothing but yes or no.
pub(crate) fn answer(
    state: &State,
    method: &Method,
    path: &str,
    id: &str,
) -> Option<Response<Full<Bytes>>> {
    let (status, body) = match path {
        "/healthz" => (StatusCode::OK, r#"{"status":"live"}"#),
        "/readyz" if state.is_ready() => (StatusCode::OK, r#"{"status":"ready"}"#),
        "/readyz" => (StatusCode::SERVICE_UNAVAILABLE, r#"{"status":"not_ready"}"#),
        _ => return None,
    };
    if *method != Method::GET && *method != Method::HEAD {
        let detail = "this address takes GET and HEAD";
        let problem = Problem::new(405, codes::ROUTE_METHOD, "Method not allowed", detail)
            .header(header::ALLOW, "GET, HEAD");
        return Some(problem.into_response(Some(id)));
    }
    let mut response = Response::new(Full::new(Bytes::from_static(body.as_bytes())));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Some(response)
}
