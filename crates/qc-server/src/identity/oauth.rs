use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use hyper::body::Incoming;
use qc_identity::{Form, OauthError};
use serde_json::{Value, json};

use super::{Answer, FORM, device, json_answer};
use crate::{State, asker::Sent, body};

/// Answers a client, in the words of RFC 6749: its errors are not problem documents.
pub(super) async fn answer(
    state: &State,
    deed: &str,
    request: Request<Incoming>,
    sent: &Sent,
) -> Answer {
    let (parts, body) = request.into_parts();
    match Box::pin(go_on(state, deed, &parts.headers, body, sent)).await {
        Ok(value) => json_answer(StatusCode::OK, &value),
        Err(error) => refused(&error, &parts.headers),
    }
}

async fn go_on(
    state: &State,
    deed: &str,
    headers: &HeaderMap,
    body: Incoming,
    sent: &Sent,
) -> Result<Value, OauthError> {
    state.may_try(sent).map_err(|_| OauthError::too_many())?;
    let form = form(state, headers, body).await?;
    let basic = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let basic = basic.and_then(|text| {
        let (scheme, rest) = text.split_once(' ')?;
        scheme.eq_ignore_ascii_case("basic").then_some(rest)
    });
    let done = match deed {
        "device_authorization" => device::begin(state, &form, sent).await,
        "token" if form.get("grant_type") == Some(device::GRANT) => {
            device::poll(state, &form).await
        }
        "token" => state.authority.token(&form, basic).await,
        "revoke" => state.authority.revoke(&form, basic).await.map(|()| json!({})),
        _ => state.authority.introspect(&form, basic).await,
    };
    done.inspect_err(|error| {
        if error.is_guess() {
            state.throttle.failed(super::address(sent), state.clock.now());
            tracing::warn!(client = ?sent.address, deed, "a client did not prove who it is");
        }
    })
}

/// Reads a form.
pub(super) async fn form(
    state: &State,
    headers: &HeaderMap,
    body: Incoming,
) -> Result<Form, OauthError> {
    let media = headers.get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    let essence = media.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    if !essence.eq_ignore_ascii_case(b"application/x-www-form-urlencoded") {
        return Err(OauthError::request("send a form: `application/x-www-form-urlencoded`"));
    }
    let body = body::read(body, headers, FORM, state.settings.body_timeout)
        .await
        .map_err(|problem| OauthError::request(problem.detail.clone()))?;
    Form::parse(&body)
}

/// The answer that is no success (RFC 6749, section 5.2).
pub(super) fn refused(error: &OauthError, asked: &HeaderMap) -> Answer {
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST);
    let mut answer = json_answer(status, &error.to_json());
    let headers = answer.headers_mut();
    if status == StatusCode::UNAUTHORIZED && asked.contains_key(header::AUTHORIZATION) {
        let scheme = HeaderValue::from_static("Basic realm=\"quickconnect\"");
        headers.insert(header::WWW_AUTHENTICATE, scheme);
    }
    if matches!(error.status, 429 | 503) {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    }
    answer
}
