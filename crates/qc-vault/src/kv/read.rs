use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use qc_model::{Body, Caller, Code, OutboundRequest, Reach};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::{Secret, codes, sources::LARGEST};

/// How long a request may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The largest answer, in bytes: the largest secret as JSON, with others beside it.
const ANSWER_MAX: usize = 1 << 20;

/// Why an engine does not give a value. Never holds one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KvError {
    /// It cannot be reached, is too slow, or stands by.
    #[error("the secrets engine cannot be used now: {0}")]
    Unavailable(String),
    /// It is sealed: somebody must unseal it.
    #[error("the secrets engine is sealed")]
    Sealed,
    /// It does not let us in: who we are, or how we say so.
    #[error("the secrets engine refuses the login: {0}")]
    Login(String),
    /// It does not let us see this one: the policy of the token.
    #[error("the secrets engine refuses: {0}")]
    Denied(String),
    /// What it says cannot be used.
    #[error("{0}")]
    Unusable(String),
}

impl KvError {
    /// The stable code.
    pub fn code(&self) -> Code {
        match self {
            Self::Unavailable(_) => codes::KV_UNAVAILABLE,
            Self::Sealed => codes::KV_SEALED,
            Self::Login(_) | Self::Denied(_) => codes::KV_DENIED,
            Self::Unusable(_) => codes::UNUSABLE_SECRET,
        }
    }

    /// Whether the engine itself is the matter, or the way in, so that asking for the next secret is no use.
    pub(crate) fn is_everywhere(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Sealed | Self::Login(_))
    }
}

/// A version of a secret.
#[derive(Debug, Clone)]
pub(super) struct Version {
    pub(super) number: u64,
    pub(super) value: Secret,
}

/// Asks the engine; `body` makes it a POST. None: there is nothing (404).
pub(crate) async fn ask(
    caller: &Arc<dyn Caller>,
    url: String,
    token: Option<&Secret>,
    body: Option<Zeroizing<String>>,
) -> Result<Option<Value>, KvError> {
    let mut headers = HeaderMap::new();
    if let Some(token) = token {
        let mut token = HeaderValue::from_str(token.expose())
            .map_err(|_| KvError::Login("the token has illegal characters".to_owned()))?;
        token.set_sensitive(true);
        headers.insert("x-vault-token", token);
    }
    // Asked for by agents and proxies of the engine, against requests that somebody else has a server make.
    headers.insert("x-vault-request", HeaderValue::from_static("true"));
    let (method, body) = match body {
        Some(body) => {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            (Method::POST, Body::Bytes(Bytes::copy_from_slice(body.as_bytes())))
        }
        None => (Method::GET, Body::empty()),
    };
    let request = OutboundRequest {
        method,
        url,
        headers,
        body,
        timeout: TIMEOUT,
        connect_timeout: None,
        reach: Reach::Anywhere,
        identity: None,
    };
    let unavailable = |error: qc_model::CallError| KvError::Unavailable(error.to_string());
    let answer = caller.call(request).await.map_err(unavailable)?;
    let status = answer.status;
    let text = answer.body.collect(ANSWER_MAX).await.map_err(unavailable)?;
    let value: Option<Value> = serde_json::from_slice(&text).ok();
    if status.is_success() {
        let broken = || KvError::Unavailable("the answer is no JSON".to_owned());
        return value.map(Some).ok_or_else(broken);
    }
    let said = value.as_ref().and_then(|value| value["errors"][0].as_str()).unwrap_or_default();
    let said: String = said.chars().filter(|c| !c.is_control()).take(200).collect();
    match status {
        // An engine that is not mounted says so in words; a secret that is not there has none.
        StatusCode::NOT_FOUND if said.is_empty() => Ok(None),
        StatusCode::NOT_FOUND => Err(KvError::Unusable(format!("the secrets engine: {said}"))),
        StatusCode::SERVICE_UNAVAILABLE if said.to_lowercase().contains("sealed") => {
            Err(KvError::Sealed)
        }
        StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => {
            Err(KvError::Denied(format!("{}: {said}", status.as_u16())))
        }
        // Of a login, this is what a wrong role or secret gets.
        StatusCode::BAD_REQUEST => Err(KvError::Denied(format!("400: {said}"))),
        _ => Err(KvError::Unavailable(format!("it answered {}: {said}", status.as_u16()))),
    }
}

/// The newest version in an answer of `GET <mount>/data/<path>`.
pub(super) fn newest(answer: &Value, field: &str) -> Result<Version, KvError> {
    let number = answer["data"]["metadata"]["version"].as_u64();
    let number = number.ok_or_else(|| {
        KvError::Unusable("the answer is not that of a KV engine of version 2".to_owned())
    })?;
    let value = answer["data"]["data"][field].as_str().unwrap_or_default();
    match value.len() as u64 {
        0 => Err(KvError::Unusable(format!("it has no text in its field `{field}`"))),
        1..=LARGEST => Ok(Version { number, value: Secret::new(value) }),
        _ => Err(KvError::Unusable(format!("it is larger than {LARGEST} bytes"))),
    }
}
