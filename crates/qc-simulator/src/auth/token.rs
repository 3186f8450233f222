//! The token endpoint: OAuth 2.0 client credentials (RFC 6749, section 4.4).

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, StatusCode, header};
use qc_model::Timestamp;
use serde_json::json;
use url::form_urlencoded;

use super::Credentials;
use crate::exchange::SimResponse;
use crate::random::Random;

/// Most tokens that live at once; the oldest dies first.
const TOKEN_LIMIT: usize = 10_000;

/// The tokens that a provider has issued.
pub(crate) struct Tokens {
    lifetime: Duration,
    random: Random,
    live: HashMap<String, Token>,
    order: VecDeque<String>,
}

struct Token {
    expires: Timestamp,
    scopes: Vec<String>,
}

/// Why a token is no proof.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum TokenError {
    /// Unknown, expired or revoked.
    Invalid,
    /// Lacks a scope.
    Scope(String),
}

impl Tokens {
    pub(crate) fn new(lifetime: Duration, seed: u64) -> Self {
        let random = Random::part(seed, u64::from_be_bytes(*b"tokens\0\0"));
        Self { lifetime, random, live: HashMap::new(), order: VecDeque::new() }
    }

    pub(crate) fn check(
        &self,
        token: &str,
        scopes: &[String],
        now: Timestamp,
    ) -> Result<(), TokenError> {
        let known = self.live.get(token).filter(|token| now < token.expires);
        let Some(known) = known else { return Err(TokenError::Invalid) };
        match scopes.iter().find(|scope| !known.scopes.contains(scope)) {
            Some(missing) => Err(TokenError::Scope(missing.clone())),
            None => Ok(()),
        }
    }

    /// Ends every token.
    pub(crate) fn expire_all(&mut self) {
        self.live.clear();
        self.order.clear();
    }

    fn issue(&mut self, scopes: Vec<String>, now: Timestamp) -> String {
        if self.live.len() >= TOKEN_LIMIT
            && let Some(oldest) = self.order.pop_front()
        {
            self.live.remove(&oldest);
        }
        let token = format!("sim_{:016x}{:016x}", self.random.next(), self.random.next());
        self.live.insert(token.clone(), Token { expires: now + self.lifetime, scopes });
        self.order.push_back(token.clone());
        token
    }

    /// Answers a request to the token endpoint. `offered` are the scopes that the document knows.
    pub(crate) fn answer(
        &mut self,
        headers: &HeaderMap,
        body: &[u8],
        accepted: Option<&Credentials>,
        offered: &[String],
        now: Timestamp,
    ) -> SimResponse {
        let form: HashMap<String, String> = form_urlencoded::parse(body).into_owned().collect();
        let is_form = headers
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| value.starts_with("application/x-www-form-urlencoded"));
        if !is_form {
            return refuse(StatusCode::BAD_REQUEST, "invalid_request", "the body must be a form");
        }
        let (id, secret) = match basic_login(headers) {
            Some(login) => login,
            None => match (form.get("client_id"), form.get("client_secret")) {
                (Some(id), Some(secret)) => (id.clone(), secret.clone()),
                _ => return unknown_client(),
            },
        };
        if !accepted.is_some_and(|accepted| accepted.takes_client(&id, &secret)) {
            return unknown_client();
        }
        match form.get("grant_type").map(String::as_str) {
            Some("client_credentials") => {}
            Some(_) => {
                let why = "only client_credentials is offered";
                return refuse(StatusCode::BAD_REQUEST, "unsupported_grant_type", why);
            }
            None => {
                return refuse(StatusCode::BAD_REQUEST, "invalid_request", "grant_type is missing");
            }
        }
        let asked: Vec<String> = form
            .get("scope")
            .map(|scope| scope.split_ascii_whitespace().map(str::to_owned).collect())
            .unwrap_or_default();
        if let Some(unknown) = asked.iter().find(|scope| !offered.contains(scope)) {
            let why = format!("the scope {unknown} is not offered");
            return refuse(StatusCode::BAD_REQUEST, "invalid_scope", &why);
        }
        let scopes = if asked.is_empty() { offered.to_vec() } else { asked };
        let scope = scopes.join(" ");
        let body = json!({
            "access_token": self.issue(scopes, now),
            "token_type": "Bearer",
            "expires_in": self.lifetime.as_secs(),
            "scope": scope,
        });
        no_store(SimResponse::json(StatusCode::OK, &body))
    }
}

/// User and password of an `Authorization: Basic` header.
pub(super) fn basic_login(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

fn unknown_client() -> SimResponse {
    refuse(StatusCode::UNAUTHORIZED, "invalid_client", "the client is not known here")
        .with_header(header::WWW_AUTHENTICATE, "Basic realm=\"token\"")
}

fn refuse(status: StatusCode, error: &str, why: &str) -> SimResponse {
    no_store(SimResponse::json(status, &json!({ "error": error, "error_description": why })))
}

fn no_store(answer: SimResponse) -> SimResponse {
    answer
        .with_header(header::CACHE_CONTROL, "no-store")
        .with_header(HeaderName::from_static("pragma"), "no-cache")
}
