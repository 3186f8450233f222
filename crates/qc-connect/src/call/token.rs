use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderValue, Method, header};
use qc_model::{
    Applied, Body, CallError, Class, ClientIdentity, Failure, OutboundRequest, Reach, Timestamp,
};
use qc_vault::Secret;
use serde_json::Value;
use url::form_urlencoded;

use super::{
    Outbound, classify,
    exchange::{Deadline, USER_AGENT},
    login::LoginClient,
};
use crate::{codes, connector::ClientAuthMethod};

/// The largest answer of a token endpoint.
const ANSWER_LIMIT: usize = 64 * 1024;
/// How long a token is used that does not say how long it lives.
const UNSTATED_LIFETIME: Duration = Duration::from_secs(300);
/// No token is used for longer, whatever it says.
const LONGEST_LIFETIME: Duration = Duration::from_secs(24 * 3600);
/// For so long, a refused client is not presented again: a thousand runs must not each ask.
const REFUSAL_PAUSE: Duration = Duration::from_secs(1);
/// Connections whose tokens are kept; beyond it the cache starts anew.
const CONNECTIONS: usize = 10_000;

/// A client that asks for tokens, everything resolved.
pub(super) struct TokenClient {
    pub(super) environment: String,
    pub(super) url: String,
    pub(super) client_id: String,
    pub(super) client_secret: Secret,
    pub(super) scopes: Vec<String>,
    pub(super) audience: Option<String>,
    pub(super) method: ClientAuthMethod,
    pub(super) identity: Option<ClientIdentity>,
}

/// Who asks for a token.
pub(super) enum Applicant {
    /// A client, of its token endpoint.
    Client(TokenClient),
    /// An account, of the system itself.
    Login(LoginClient),
}

/// What makes two connections the same for a token. The secret is not part of it: a rotated secret does not end the
/// tokens that were given for the earlier one.
type ConnectionKey = Vec<String>;

impl Applicant {
    fn key(&self) -> ConnectionKey {
        match self {
            Self::Client(client) => client.key(),
            Self::Login(login) => login.key(),
        }
    }

    /// The secrets with which it proves itself.
    fn proof(&self) -> Vec<Secret> {
        match self {
            Self::Client(client) => vec![client.client_secret.clone()],
            Self::Login(login) => login.proof(),
        }
    }

    fn request(
        &self,
        timeout: Duration,
        connect: Option<Duration>,
    ) -> Result<OutboundRequest, Box<Failure>> {
        match self {
            Self::Client(client) => client.request(timeout, connect),
            Self::Login(login) => login.request(timeout, connect),
        }
    }
}

/// The tokens of all connections. One refresh at a time for each connection.
#[derive(Default)]
pub(super) struct Tokens {
    connections: Mutex<HashMap<ConnectionKey, Arc<Connection>>>,
}

#[derive(Default)]
struct Connection {
    held: Mutex<Held>,
    refreshing: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Held {
    token: Option<Token>,
    refusal: Option<Refusal>,
}

#[derive(Clone)]
pub(super) struct Token {
    value: Secret,
    /// From then on a new one is fetched: at four fifths of its life.
    renew_at: Timestamp,
    expires_at: Timestamp,
}

impl Token {
    pub(super) fn new(value: Secret, asked_at: Timestamp, life: Duration) -> Self {
        Self { value, renew_at: asked_at + life.mul_f64(0.8), expires_at: asked_at + life }
    }
}

struct Refusal {
    at: Timestamp,
    proof: Vec<Secret>,
    failure: Failure,
}

impl Outbound {
    /// An access token for the client. `refused` is one that the other system no longer takes.
    pub(super) async fn token(
        &self,
        client: &Applicant,
        refused: Option<&Secret>,
        deadline: &Deadline,
    ) -> Result<Secret, Box<Failure>> {
        let connection = self.tokens.connection(client);
        let now = self.clock.now();
        let current = connection.usable(now, refused);
        if let Some(token) = &current
            && now < token.renew_at
        {
            return Ok(token.value.clone());
        }
        // Due for renewal but still good: one caller renews, the others go on with what they have.
        let _one_at_a_time = match (&current, connection.refreshing.try_lock()) {
            (_, Ok(guard)) => guard,
            (Some(token), Err(_)) => return Ok(token.value.clone()),
            (None, Err(_)) => connection.refreshing.lock().await,
        };
        let now = self.clock.now();
        if let Some(token) = connection.usable(now, refused)
            && now < token.renew_at
        {
            return Ok(token.value);
        }
        if let Some(failure) = connection.refused_just_now(now, client) {
            return Err(Box::new(failure));
        }
        match self.fetch(client, deadline).await {
            Ok(token) => {
                let value = token.value.clone();
                let mut held = connection.held.lock().unwrap_or_else(PoisonError::into_inner);
                *held = Held { token: Some(token), refusal: None };
                Ok(value)
            }
            Err(failure) => {
                connection.remember(now, client, &failure);
                // A token endpoint that is away for a moment does no harm while the old token lives.
                match connection.usable(self.clock.now(), refused) {
                    Some(token) if failure.class != Class::Auth => Ok(token.value),
                    _ => Err(failure),
                }
            }
        }
    }

    async fn fetch(&self, client: &Applicant, deadline: &Deadline) -> Result<Token, Box<Failure>> {
        let timeout = deadline.remaining(self.clock.now())?;
        let asked_at = self.clock.now();
        let answer = self
            .caller
            .call(client.request(timeout, deadline.connect)?)
            .await
            .map_err(unavailable)?;
        let status = answer.status.as_u16();
        let stated = qc_pace::said(&answer.headers, self.clock.now()).pause();
        let headers = answer.headers;
        let body = answer.body.collect(ANSWER_LIMIT).await.map_err(unavailable)?;
        let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
        let good = (200..300).contains(&status);
        match client {
            Applicant::Client(client) if good => client.token(&body, asked_at),
            Applicant::Client(client) => Err(Box::new(client.refusal(status, &body, stated))),
            // Some log in with a redirect to their first page.
            Applicant::Login(login) if good || (300..400).contains(&status) => {
                login.token(&headers, &body, asked_at)
            }
            Applicant::Login(login) => Err(Box::new(login.refusal(status, stated))),
        }
    }
}

impl Tokens {
    fn connection(&self, client: &Applicant) -> Arc<Connection> {
        let key = client.key();
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        if connections.len() >= CONNECTIONS && !connections.contains_key(&key) {
            connections.clear();
        }
        Arc::clone(connections.entry(key).or_default())
    }
}

impl Connection {
    fn usable(&self, now: Timestamp, refused: Option<&Secret>) -> Option<Token> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let token = held.token.as_ref()?;
        (now < token.expires_at && Some(&token.value) != refused).then(|| token.clone())
    }

    fn refused_just_now(&self, now: Timestamp, client: &Applicant) -> Option<Failure> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let refusal = held.refusal.as_ref()?;
        let recent = now.since(refusal.at) < REFUSAL_PAUSE && refusal.proof == client.proof();
        recent.then(|| refusal.failure.clone())
    }

    fn remember(&self, now: Timestamp, client: &Applicant, failure: &Failure) {
        if failure.class == Class::Auth {
            let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            let (proof, failure) = (client.proof(), failure.clone());
            held.refusal = Some(Refusal { at: now, proof, failure });
        }
    }
}

impl TokenClient {
    fn request(
        &self,
        timeout: Duration,
        connect: Option<Duration>,
    ) -> Result<OutboundRequest, Box<Failure>> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "client_credentials");
        if !self.scopes.is_empty() {
            form.append_pair("scope", &self.scopes.join(" "));
        }
        if let Some(audience) = &self.audience {
            form.append_pair("audience", audience);
        }
        let mut headers = HeaderMap::with_capacity(4);
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        );
        match self.method {
            ClientAuthMethod::Post => {
                form.append_pair("client_id", &self.client_id);
                form.append_pair("client_secret", self.client_secret.expose());
            }
            ClientAuthMethod::Basic => {
                // RFC 6749, section 2.3.1: both parts are form-encoded before they are joined.
                let encode = |text: &str| {
                    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>()
                };
                let pair =
                    format!("{}:{}", encode(&self.client_id), encode(self.client_secret.expose()));
                headers.insert(header::AUTHORIZATION, super::credentials::basic(&pair)?);
            }
        }
        Ok(OutboundRequest {
            method: Method::POST,
            url: self.url.clone(),
            headers,
            body: Body::Bytes(form.finish().into_bytes().into()),
            timeout,
            connect_timeout: connect,
            reach: Reach::Anywhere,
            identity: self.identity.clone(),
        })
    }

    fn token(&self, body: &Value, asked_at: Timestamp) -> Result<Token, Box<Failure>> {
        let value =
            body.get("access_token").and_then(Value::as_str).filter(|text| !text.is_empty());
        let Some(value) = value else {
            let detail =
                format!("the token endpoint `{}` answered without `access_token`", self.shown());
            return Err(Box::new(Failure::new(
                Class::Transient,
                codes::TOKEN_UNAVAILABLE,
                "No usable answer of the token endpoint",
                detail,
            )));
        };
        let lifetime = match body.get("expires_in") {
            Some(Value::Number(number)) => number.as_f64(),
            Some(Value::String(text)) => text.trim().parse().ok(),
            _ => None,
        };
        let lifetime = lifetime
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
            .unwrap_or(UNSTATED_LIFETIME)
            .min(LONGEST_LIFETIME);
        Ok(Token::new(Secret::new(value), asked_at, lifetime))
    }

    /// The failure of an error answer (RFC 6749, section 5.2). A refused client is dead until somebody does something;
    /// everything else passes.
    fn refusal(&self, status: u16, body: &Value, stated: Option<Duration>) -> Failure {
        let error = body.get("error").and_then(Value::as_str).unwrap_or_default();
        // Only the words of the standard are repeated: a body can hold anything.
        let words = [
            "invalid_client",
            "invalid_grant",
            "unauthorized_client",
            "invalid_scope",
            "invalid_request",
            "unsupported_grant_type",
            "access_denied",
        ];
        let said = words.iter().find(|word| **word == error).map(|word| format!(" `{word}`"));
        let detail = format!(
            "the token endpoint `{}` answered {status}{}",
            self.shown(),
            said.clone().unwrap_or_default()
        );
        if said.is_some() || matches!(status, 400 | 401 | 403) {
            let mut failure = Failure::new(
                Class::Auth,
                codes::TOKEN_REFUSED,
                "The token endpoint refused the client",
                detail,
            );
            failure.next_action = qc_model::NextAction::Reconsent;
            return failure;
        }
        away(status, detail, stated)
    }

    fn shown(&self) -> &str {
        shown(&self.url)
    }

    fn key(&self) -> ConnectionKey {
        let method = match self.method {
            ClientAuthMethod::Basic => "basic",
            ClientAuthMethod::Post => "post",
        };
        let audience = self.audience.as_deref().unwrap_or_default();
        let parts = ["client", &self.environment, &self.url, &self.client_id, method, audience];
        parts.into_iter().map(str::to_owned).chain(self.scopes.iter().cloned()).collect()
    }
}

/// An address without what may hold a secret.
pub(super) fn shown(url: &str) -> &str {
    url.split('?').next().unwrap_or_default()
}

/// Whoever gives tokens is away; the request that needed one was not sent.
pub(super) fn away(status: u16, detail: String, stated: Option<Duration>) -> Failure {
    let class = match Class::of_status(status) {
        class @ (Class::Throttled | Class::Overloaded | Class::Timeout) => class,
        _ => Class::Transient,
    };
    let title = "The token endpoint is not available";
    let mut failure = Failure::new(class, codes::TOKEN_UNAVAILABLE, title, detail);
    failure.retry = qc_model::Retry::After {
        stated_ms: stated.map(|pause| u64::try_from(pause.as_millis()).unwrap_or(u64::MAX)),
    };
    failure
}

/// The token request failed; the request that needed the token was not sent.
fn unavailable(error: CallError) -> Box<Failure> {
    let mut failure = classify::call_error(&error);
    failure.code = codes::TOKEN_UNAVAILABLE;
    "The token endpoint is not available".clone_into(&mut failure.title);
    failure.applied = Applied::No;
    Box::new(failure)
}

/// `Basic` with this pair.
pub(super) fn basic_value(pair: &str) -> String {
    format!("Basic {}", STANDARD.encode(pair))
}
