use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;

/// A successful answer.
pub(crate) struct Reply {
    status: StatusCode,
    media_type: &'static str,
    body: axum::body::Body,
}

impl Reply {
    /// 200 with JSON.
    pub(super) fn ok(value: &impl Serialize) -> Self {
        Self::json(StatusCode::OK, value)
    }

    /// 201 with JSON.
    pub(super) fn created(value: &impl Serialize) -> Self {
        Self::json(StatusCode::CREATED, value)
    }

    fn json(status: StatusCode, value: &impl Serialize) -> Self {
        let body = serde_json::to_vec(value).expect("wire types have only string keys");
        Self { status, media_type: "application/json", body: Bytes::from(body).into() }
    }

    /// 204.
    pub(super) fn done() -> Self {
        Self { status: StatusCode::NO_CONTENT, media_type: "", body: axum::body::Body::empty() }
    }

    /// 200 with something else.
    pub(super) fn other(media_type: &'static str, body: axum::body::Body) -> Self {
        Self { status: StatusCode::OK, media_type, body }
    }

    pub(super) fn into_response(self) -> Response<axum::body::Body> {
        let mut response = Response::new(self.body);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        if !self.media_type.is_empty() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.media_type));
        }
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}
