use aws_lc_rs::{constant_time, hmac};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, Method};
use qc_document::{ParseLimits, parse_json_value};
use qc_vault::{Secret, SecretRef};
use serde_json::{Value, json};
use url::form_urlencoded;

use super::{scheme::Algorithm, verify};

/// The longest text that is handed back to a provider.
const LONGEST_ECHO: usize = 4096;

/// A handshake by which a provider makes sure that the receiver agrees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// Whose.
    pub kind: ChallengeKind,
    /// The handshake's own secret, where it is not the signing secret.
    pub secret: Option<SecretRef>,
}

/// The handshakes that are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChallengeKind {
    /// Slack: POST of `{"type": "url_verification", "challenge": …}`, itself signed; the challenge is handed back.
    Slack,
    /// Meta: GET with `hub.mode=subscribe`, `hub.verify_token` (the secret) and `hub.challenge`, which is handed back.
    Meta,
    /// X: GET with `crc_token`, answered with its HMAC-SHA-256 under the secret.
    Crc,
    /// Microsoft Graph: POST (or GET) with `validationToken`, handed back as plain text.
    MicrosoftGraph,
    /// CloudEvents HTTP webhooks, "abuse protection": OPTIONS with `WebHook-Request-Origin`.
    CloudEvents {
        /// The origins that may send; all when empty.
        origins: Vec<String>,
    },
}

/// What to answer to a handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChallengeAnswer {
    /// The status.
    pub status: u16,
    /// Header fields.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Challenge {
    /// Whether the request of the handshake is signed as other deliveries are, and so is verified before it is answered.
    pub fn is_signed(&self) -> bool {
        self.kind == ChallengeKind::Slack
    }

    /// The answer, when the request is a handshake; None when it is an ordinary delivery. `query` is the raw query
    /// string; `secrets` are the values of [`Challenge::secret`] or, without one, of the signing secret.
    pub fn answer(
        &self,
        method: &Method,
        query: &str,
        headers: &HeaderMap,
        body: &[u8],
        secrets: &[Secret],
    ) -> Option<ChallengeAnswer> {
        let parameter = |name: &str| {
            form_urlencoded::parse(query.as_bytes())
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.into_owned())
                .filter(|value| value.len() <= LONGEST_ECHO)
        };
        match &self.kind {
            ChallengeKind::Slack if method == Method::POST => slack(body),
            ChallengeKind::Meta if method == Method::GET => {
                if parameter("hub.mode").as_deref() != Some("subscribe") {
                    return None;
                }
                let (token, challenge) =
                    (parameter("hub.verify_token")?, parameter("hub.challenge")?);
                let right = secrets.iter().any(|secret| {
                    let secret = secret.expose().as_bytes();
                    constant_time::verify_slices_are_equal(secret, token.as_bytes()).is_ok()
                });
                Some(if right { plain(challenge) } else { refused() })
            }
            ChallengeKind::Crc if method == Method::GET => {
                let token = parameter("crc_token")?;
                let Some(secret) = secrets.first() else { return Some(refused()) };
                let key = verify::key(Algorithm::Sha256, secret.expose().as_bytes());
                let tag = hmac::sign(&key, token.as_bytes());
                let answer = format!("sha256={}", STANDARD.encode(tag.as_ref()));
                Some(json_answer(&json!({ "response_token": answer })))
            }
            ChallengeKind::MicrosoftGraph if [Method::POST, Method::GET].contains(method) => {
                parameter("validationToken").map(plain)
            }
            ChallengeKind::CloudEvents { origins } if method == Method::OPTIONS => {
                cloud_events(headers, origins)
            }
            _ => None,
        }
    }
}

fn slack(body: &[u8]) -> Option<ChallengeAnswer> {
    let value = parse_json_value(body, &ParseLimits::ingress()).ok()?;
    if value.get("type").and_then(Value::as_str) != Some("url_verification") {
        return None;
    }
    let challenge = value.get("challenge").and_then(Value::as_str)?;
    (challenge.len() <= LONGEST_ECHO).then(|| json_answer(&json!({ "challenge": challenge })))
}

fn cloud_events(headers: &HeaderMap, origins: &[String]) -> Option<ChallengeAnswer> {
    let origin = headers.get("webhook-request-origin")?.to_str().ok()?.trim();
    let allowed = origins.is_empty() || origins.iter().any(|one| one.eq_ignore_ascii_case(origin));
    if !allowed || origin.is_empty() || origin.len() > LONGEST_ECHO {
        return Some(refused());
    }
    let mut fields =
        vec![("allow", "POST".to_owned()), ("webhook-allowed-origin", origin.to_owned())];
    if headers.contains_key("webhook-request-rate") {
        // Our limits answer 429 with a pause; no fixed rate is promised at the handshake.
        fields.push(("webhook-allowed-rate", "*".to_owned()));
    }
    Some(ChallengeAnswer { status: 200, headers: fields, body: Vec::new() })
}

/// Handed-back text is never HTML: whoever makes a browser follow a prepared link must not get a page from us.
fn plain(text: String) -> ChallengeAnswer {
    ChallengeAnswer {
        status: 200,
        headers: vec![
            ("content-type", "text/plain; charset=utf-8".to_owned()),
            ("x-content-type-options", "nosniff".to_owned()),
        ],
        body: text.into_bytes(),
    }
}

fn json_answer(value: &Value) -> ChallengeAnswer {
    ChallengeAnswer {
        status: 200,
        headers: vec![
            ("content-type", "application/json".to_owned()),
            ("x-content-type-options", "nosniff".to_owned()),
        ],
        body: value.to_string().into_bytes(),
    }
}

fn refused() -> ChallengeAnswer {
    ChallengeAnswer { status: 403, headers: Vec::new(), body: Vec::new() }
}
