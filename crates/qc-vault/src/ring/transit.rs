use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use qc_model::{Body, CallError, Caller, Clock, OutboundRequest, Reach};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{KeyRing, KeyRingError, Wrapped};
use crate::{EngineLogin, Secret, engine_login::Session, kv::KvError, seal::KeyBytes};

/// How long a request may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The largest answer, in bytes.
const ANSWER_MAX: usize = 64 * 1024;

/// A key of a transit engine: `<address>/<mount>/<key>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransitKey {
    /// `https://vault.example:8200`.
    address: String,
    /// Where the engine is mounted, such as `transit`.
    mount: String,
    /// The key's name.
    key: String,
}

impl TransitKey {
    /// Reads `<address>/<mount>/<key>`; the mount may have several segments.
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        if !matches!(scheme, "http" | "https") {
            return None;
        }
        let (host, path) = rest.split_once('/')?;
        let (mount, key) = path.rsplit_once('/')?;
        let name = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let legal = |segment: &str| {
            !segment.is_empty() && segment.chars().all(name) && !segment.starts_with('.')
        };
        let host_legal = !host.is_empty()
            && host.chars().all(|c| c.is_ascii_alphanumeric() || "-.:[]".contains(c));
        let whole = host_legal && mount.split('/').all(legal) && legal(key);
        whole.then(|| Self {
            address: format!("{scheme}://{host}"),
            mount: mount.to_owned(),
            key: key.to_owned(),
        })
    }
}

impl fmt::Display for TransitKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.address, self.mount, self.key)
    }
}

/// The transit secrets engine of HashiCorp Vault and OpenBao, over its HTTP API: the key-encryption key never leaves
/// it. Its key must be of an authenticated type (`aes256-gcm96`, the engine's own default), as the place of a data key
/// is given as `associated_data`. Its token needs
/// `update` on `<mount>/encrypt/<key>` and `<mount>/decrypt/<key>`, and `read` on `<mount>/keys/<key>`.
pub struct TransitRing {
    key: TransitKey,
    session: Session,
    caller: Arc<dyn Caller>,
}

impl TransitRing {
    /// Over a key, how a token is got, and the way out.
    pub fn new(
        key: TransitKey,
        login: EngineLogin,
        caller: Arc<dyn Caller>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let session = Session::new(key.address.clone(), login, Arc::clone(&caller), clock);
        Self { key, session, caller }
    }

    /// Asks the engine, once more with another token when one is refused; `body` makes it a POST. Gives what stands under
    /// `data`.
    async fn ask(
        &self,
        deed: &str,
        body: Option<Zeroizing<String>>,
    ) -> Result<Value, KeyRingError> {
        // Whoever keeps a token's file, or a role, up may mend it.
        let no_token = |error: KvError| KeyRingError::Unavailable(format!("{deed}: {error}"));
        let token = self.session.token().await.map_err(no_token)?;
        let (mut status, mut text) = self.send(&token, deed, body.as_ref()).await?;
        if status == StatusCode::FORBIDDEN && self.session.forget(&token).await {
            let token = self.session.token().await.map_err(no_token)?;
            (status, text) = self.send(&token, deed, body.as_ref()).await?;
        }
        if !status.is_success() {
            return Err(refused(deed, status, &text));
        }
        let value: Value = serde_json::from_slice(&text)
            .map_err(|_| KeyRingError::Unavailable(format!("{deed}: the answer is no JSON")))?;
        Ok(value["data"].clone())
    }

    async fn send(
        &self,
        token: &Secret,
        deed: &str,
        body: Option<&Zeroizing<String>>,
    ) -> Result<(StatusCode, Bytes), KeyRingError> {
        let TransitKey { address, mount, key } = &self.key;
        let mut headers = HeaderMap::new();
        let mut token = HeaderValue::from_str(token.expose())
            .map_err(|_| KeyRingError::Unusable("the token has illegal characters".to_owned()))?;
        token.set_sensitive(true);
        headers.insert("x-vault-token", token);
        // Asked for by agents and proxies of the engine, against requests that somebody else has a server make.
        headers.insert("x-vault-request", HeaderValue::from_static("true"));
        let (method, body) = match body {
            Some(body) => {
                let json = HeaderValue::from_static("application/json");
                headers.insert(header::CONTENT_TYPE, json);
                (Method::POST, Body::Bytes(Bytes::copy_from_slice(body.as_bytes())))
            }
            None => (Method::GET, Body::empty()),
        };
        let request = OutboundRequest {
            method,
            url: format!("{address}/v1/{mount}/{deed}/{key}"),
            headers,
            body,
            timeout: TIMEOUT,
            connect_timeout: None,
            reach: Reach::Anywhere,
            identity: None,
        };
        let unavailable = |error: CallError| KeyRingError::Unavailable(format!("{deed}: {error}"));
        let answer = self.caller.call(request).await.map_err(unavailable)?;
        Ok((answer.status, answer.body.collect(ANSWER_MAX).await.map_err(unavailable)?))
    }
}

/// What a refusal means. The engine's own words are kept short; they name keys and versions, never their bytes.
fn refused(deed: &str, status: StatusCode, text: &[u8]) -> KeyRingError {
    /// What the engine says of a ciphertext that does not authenticate, before and since it takes associated data.
    const CHANGED: [&str; 2] =
        ["cipher: message authentication failed", "invalid ciphertext: unable to decrypt"];
    let said: Value = serde_json::from_slice(text).unwrap_or_default();
    let said = said["errors"][0].as_str().unwrap_or_default();
    let said: String = said.chars().filter(|c| !c.is_control()).take(200).collect();
    let why = format!("{deed}: the transit engine answered {}: {said}", status.as_u16());
    match status {
        // 412: a replica that is behind; 472, 473, 503: standing by, or sealed.
        StatusCode::TOO_MANY_REQUESTS | StatusCode::PRECONDITION_FAILED => {
            KeyRingError::Unavailable(why)
        }
        _ if status.is_server_error() || matches!(status.as_u16(), 472 | 473) => {
            KeyRingError::Unavailable(why)
        }
        StatusCode::BAD_REQUEST if CHANGED.contains(&said.as_str()) => KeyRingError::Changed,
        _ => KeyRingError::Unusable(why),
    }
}

#[async_trait]
impl KeyRing for TransitRing {
    fn place(&self) -> String {
        format!("transit:{}", self.key)
    }

    async fn current(&self) -> Result<String, KeyRingError> {
        let data = self.ask("keys", None).await?;
        let version = data["latest_version"].as_u64().ok_or_else(|| {
            KeyRingError::Unusable("the transit engine names no latest version".to_owned())
        })?;
        Ok(format!("{}:v{version}", self.key.key))
    }

    async fn wrap(&self, key: &KeyBytes, binding: &[u8]) -> Result<Wrapped, KeyRingError> {
        let plain = Zeroizing::new(STANDARD.encode(key.expose()));
        let body = json!({ "plaintext": *plain, "associated_data": STANDARD.encode(binding) });
        let data = self.ask("encrypt", Some(Zeroizing::new(body.to_string()))).await?;
        let text = data["ciphertext"].as_str().unwrap_or_default();
        // `vault:v<version>:<base64>`
        let version = text.split(':').nth(1).filter(|part| part.starts_with('v'));
        let version = version.ok_or_else(|| {
            KeyRingError::Unusable("the transit engine gave no ciphertext".to_owned())
        })?;
        Ok(Wrapped { kek: format!("{}:{version}", self.key.key), text: text.to_owned() })
    }

    async fn unwrap_key(
        &self,
        wrapped: &Wrapped,
        binding: &[u8],
    ) -> Result<KeyBytes, KeyRingError> {
        // A key of a file's ring, found here after the setting was changed: this engine cannot have wrapped it.
        if !wrapped.kek.starts_with(&format!("{}:v", self.key.key)) {
            return Err(KeyRingError::UnknownKey(wrapped.kek.clone()));
        }
        let body = json!({
            "ciphertext": wrapped.text, "associated_data": STANDARD.encode(binding),
        });
        let data = self.ask("decrypt", Some(Zeroizing::new(body.to_string()))).await?;
        let text = data["plaintext"].as_str().unwrap_or_default();
        let bytes = Zeroizing::new(STANDARD.decode(text).unwrap_or_default());
        KeyBytes::from_slice(&bytes).ok_or(KeyRingError::Changed)
    }
}

#[cfg(test)]
mod tests;
