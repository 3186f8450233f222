use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use jsonwebtoken::jwk::{Jwk, PublicKeyUse};
use qc_model::{Body, Caller, Clock, OutboundRequest, Timestamp};
use qc_vault::Secret;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;
use url::{Url, form_urlencoded};

use super::OidcSettings;
use crate::{
    IdentityError,
    jws::{self, VerifyingKey, in_time},
};

/// How long the provider may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The largest answer of the provider that is read, in bytes.
const ANSWER: usize = 256 << 10;
/// How long the provider's description and keys are believed.
const FRESH: Duration = Duration::from_secs(3600);
/// How soon the keys are read again, for a key that is not known or after a failure: strangers cannot have the provider
/// asked for each token.
const AGAIN: Duration = Duration::from_secs(5);
/// The most keys that are looked at.
const KEYS: usize = 100;
/// The longest subject, in bytes (OpenID Connect Core, section 2).
const SUBJECT: usize = 255;

/// What the provider says of itself (OpenID Connect Discovery).
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Discovered {
    issuer: String,
    pub(crate) authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    #[serde(default)]
    pub(crate) userinfo_endpoint: Option<String>,
    #[serde(default)]
    pub(crate) end_session_endpoint: Option<String>,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Vec<String>,
    /// Whether it says who it is where it sends browsers back (RFC 9207).
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl Discovered {
    fn addresses(&self) -> impl Iterator<Item = &str> {
        let needed = [&self.authorization_endpoint, &self.token_endpoint, &self.jwks_uri];
        let others = self.userinfo_endpoint.iter().chain(&self.end_session_endpoint);
        needed.into_iter().chain(others).map(String::as_str)
    }
}

/// What the provider gave for a code or a refresh token.
#[derive(Deserialize)]
pub(crate) struct Given {
    #[serde(rename = "access_token")]
    pub(crate) access: String,
    #[serde(rename = "id_token", default)]
    pub(crate) id: Option<String>,
    #[serde(rename = "refresh_token", default)]
    pub(crate) refresh: Option<String>,
}

/// Why the provider gave nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NotGiven {
    /// It says no: the person, or the right, is gone.
    Refused(String),
    /// It cannot be asked now.
    Unavailable(String),
}

impl From<NotGiven> for IdentityError {
    fn from(error: NotGiven) -> Self {
        match error {
            NotGiven::Refused(why) => Self::SignIn(why),
            NotGiven::Unavailable(why) => Self::Provider(why),
        }
    }
}

/// The identity provider.
pub struct Provider {
    pub(crate) settings: OidcSettings,
    caller: Arc<dyn Caller>,
    clock: Arc<dyn Clock>,
    discovered: RwLock<Option<(Timestamp, Arc<Discovered>)>>,
    keys: Mutex<Keys>,
}

/// The provider's keys as they are known here.
#[derive(Default)]
struct Keys {
    /// When they were asked for, with or without an answer.
    asked_at: Option<Timestamp>,
    read_at: Option<Timestamp>,
    set: Arc<[Jwk]>,
}

impl Provider {
    /// Nothing is read yet: a provider that is away does not keep the server from starting.
    pub fn new(settings: OidcSettings, caller: Arc<dyn Caller>, clock: Arc<dyn Clock>) -> Self {
        Self { settings, caller, clock, discovered: RwLock::default(), keys: Mutex::default() }
    }

    /// What it says of itself.
    pub(crate) async fn discovered(&self) -> Result<Arc<Discovered>, NotGiven> {
        let now = self.clock.now();
        let known = self.discovered.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, found)) = known.filter(|(at, _)| now < *at + FRESH) {
            return Ok(found);
        }
        let issuer = &self.settings.issuer;
        let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let found: Discovered = self.read(self.get(&url, None)?).await?;
        if found.issuer != *issuer {
            let why = format!(
                "the provider calls itself `{}`, and `oidc_issuer` says `{issuer}`",
                found.issuer
            );
            return Err(NotGiven::Unavailable(why));
        }
        // Whoever may read along at one of its addresses could sign in as anybody.
        if issuer.starts_with("https:")
            && let Some(open) = found.addresses().find(|url| !url.starts_with("https:"))
        {
            let why = format!("the provider's address {open} is not https");
            return Err(NotGiven::Unavailable(why));
        }
        let found = Arc::new(found);
        let mut own = self.discovered.write().unwrap_or_else(PoisonError::into_inner);
        *own = Some((now, Arc::clone(&found)));
        Ok(found)
    }

    /// Whether an answer that says to be of this issuer is of this provider (RFC 9207, section 2.4).
    pub(crate) async fn sends(&self, issuer: Option<&str>) -> Result<bool, NotGiven> {
        Ok(match issuer {
            Some(issuer) => issuer == self.settings.issuer,
            None => !self.discovered().await?.authorization_response_iss_parameter_supported,
        })
    }

    /// Changes a code into tokens (with PKCE, RFC 7636).
    pub(crate) async fn exchange(
        &self,
        code: &str,
        verifier: &str,
        callback: &str,
    ) -> Result<Given, NotGiven> {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", callback),
            ("code_verifier", verifier),
        ];
        self.tokens(&form).await
    }

    /// Changes a refresh token into new tokens.
    pub(crate) async fn refresh(&self, token: &Secret) -> Result<Given, NotGiven> {
        self.tokens(&[("grant_type", "refresh_token"), ("refresh_token", token.expose())]).await
    }

    async fn tokens(&self, form: &[(&str, &str)]) -> Result<Given, NotGiven> {
        let found = self.discovered().await?;
        self.read(self.token_request(&found, form)?).await
    }

    /// A request to the token endpoint, with the proof that it is ours.
    fn token_request(
        &self,
        found: &Discovered,
        form: &[(&str, &str)],
    ) -> Result<OutboundRequest, NotGiven> {
        let id = &self.settings.client_id;
        let mut headers = HeaderMap::new();
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(form);
        let methods = &found.token_endpoint_auth_methods_supported;
        let posts = !methods.is_empty() && !methods.iter().any(|it| it == "client_secret_basic");
        match self.settings.client_secret().map_err(NotGiven::Unavailable)? {
            Some(secret) if posts => {
                body.append_pair("client_id", id).append_pair("client_secret", secret.expose());
            }
            Some(secret) => {
                let encode = |text: &str| {
                    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>()
                };
                let both = format!("{}:{}", encode(id), encode(secret.expose()));
                let value = format!("Basic {}", STANDARD.encode(both));
                let mut value = HeaderValue::from_str(&value).expect("base64 is legal in a field");
                value.set_sensitive(true);
                headers.insert(header::AUTHORIZATION, value);
            }
            None => drop(body.append_pair("client_id", id)),
        }
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(header::CONTENT_TYPE, form);
        Ok(self.request(Method::POST, &found.token_endpoint, headers, body.finish()))
    }

    /// What the provider says of who holds an access token.
    pub(crate) async fn userinfo(&self, token: &Secret) -> Result<Value, NotGiven> {
        let found = self.discovered().await?;
        let url = found.userinfo_endpoint.as_deref();
        let none = || NotGiven::Unavailable("the provider has no userinfo endpoint".to_owned());
        self.read(self.get(url.ok_or_else(none)?, Some(token))?).await
    }

    /// The claims of an id token that is for us, and holds (OpenID Connect Core, section 3.1.3.7). At a refresh there is
    /// no nonce.
    pub(crate) async fn id_claims(
        &self,
        text: &str,
        nonce: Option<&str>,
    ) -> Result<Value, NotGiven> {
        let claims = self.signed(text).await?;
        let refused = |why: &str| Err(NotGiven::Refused(format!("the id token is refused: {why}")));
        let seconds = |name: &str| claims[name].as_i64();
        if claims["sub"].as_str().is_none_or(|sub| sub.is_empty() || sub.len() > SUBJECT) {
            return refused("it has no subject");
        }
        let (Some(exp), Some(iat)) = (seconds("exp"), seconds("iat")) else {
            return refused("it has no `exp` or no `iat`");
        };
        if let Err(why) = in_time(self.clock.now().as_secs(), exp, Some(iat), seconds("nbf")) {
            return refused(why);
        }
        if nonce.is_some_and(|nonce| claims["nonce"].as_str() != Some(nonce)) {
            return refused("its nonce is not ours");
        }
        Ok(claims)
    }

    /// The claims of what the provider signed for us; nothing is said of time or of a subject.
    pub(crate) async fn signed(&self, text: &str) -> Result<Value, NotGiven> {
        let refused =
            |why: &str| NotGiven::Refused(format!("the provider's token is refused: {why}"));
        let head = jws::head(text).map_err(refused)?;
        let key = self.key(head.kid.as_deref()).await?;
        let key = key.ok_or_else(|| refused("its key is not among the provider's"))?;
        let claims: Value = jws::open(text, &key).map_err(refused)?;
        if claims["iss"].as_str() != Some(self.settings.issuer.as_str()) {
            return Err(refused("its issuer is not the provider"));
        }
        let own = self.settings.client_id.as_str();
        let (ours, others) = match &claims["aud"] {
            Value::String(one) => (one == own, false),
            Value::Array(list) => (list.iter().any(|one| one == own), list.len() > 1),
            _ => (false, false),
        };
        let party = claims["azp"].as_str();
        if !ours || party.is_some_and(|party| party != own) || (others && party.is_none()) {
            return Err(refused("it is not for us"));
        }
        Ok(claims)
    }

    /// The key with this id; its only one for signing, when none is named. One that is not known has the keys read again.
    async fn key(&self, kid: Option<&str>) -> Result<Option<VerifyingKey>, NotGiven> {
        for within in [FRESH, AGAIN] {
            let set = self.keys(within).await?;
            let mut signing = set.iter().filter(|key| {
                key.common.public_key_use.as_ref().is_none_or(|it| *it == PublicKeyUse::Signature)
            });
            let found = match kid {
                Some(kid) => signing.find(|key| key.common.key_id.as_deref() == Some(kid)),
                None => signing.next().filter(|_| signing.next().is_none()),
            };
            if let Some(key) = found {
                return Ok(VerifyingKey::of(key).ok());
            }
        }
        Ok(None)
    }

    /// One at a time asks for them; who comes meanwhile waits for that.
    async fn keys(&self, within: Duration) -> Result<Arc<[Jwk]>, NotGiven> {
        let now = self.clock.now();
        let mut own = self.keys.lock().await;
        let young = |at: Option<Timestamp>, time| at.is_some_and(|at| at <= now && now < at + time);
        if young(own.read_at, within) {
            return Ok(Arc::clone(&own.set));
        }
        if young(own.asked_at, AGAIN) {
            let none = || NotGiven::Unavailable("the provider's keys cannot be had".to_owned());
            return young(own.read_at, FRESH).then(|| Arc::clone(&own.set)).ok_or_else(none);
        }
        own.asked_at = Some(now);
        let url = self.discovered().await?.jwks_uri.clone();
        let told: Value = self.read(self.get(&url, None)?).await?;
        // One that is of no kind known here does not spoil the others.
        let keys = told["keys"].as_array().map(Vec::as_slice).unwrap_or_default().iter();
        own.set = keys.take(KEYS).filter_map(|key| Jwk::deserialize(key).ok()).collect();
        own.read_at = Some(now);
        Ok(Arc::clone(&own.set))
    }

    /// The address to which a browser is sent to sign in.
    pub(crate) async fn sign_in_url(
        &self,
        callback: &str,
        (state, nonce, challenge): (&str, &str, &str),
    ) -> Result<String, NotGiven> {
        let found = self.discovered().await?;
        let mut url = Url::parse(&found.authorization_endpoint).map_err(|_| {
            NotGiven::Unavailable("the provider's authorization endpoint is no URL".to_owned())
        })?;
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.settings.client_id)
            .append_pair("redirect_uri", callback)
            .append_pair("scope", &self.settings.scopes)
            .append_pair("state", state)
            .append_pair("nonce", nonce)
            .append_pair("code_challenge", challenge)
            .append_pair("code_challenge_method", "S256");
        // Without it most providers keep a right to refresh tokens to themselves (OpenID Connect Core, section 11).
        if self.settings.scopes.split(' ').any(|scope| scope == "offline_access") {
            url.query_pairs_mut().append_pair("prompt", "consent");
        }
        Ok(url.into())
    }

    /// Whether it can be asked who holds an access token.
    pub(crate) async fn has_userinfo(&self) -> Result<bool, NotGiven> {
        Ok(self.discovered().await?.userinfo_endpoint.is_some())
    }

    /// The address to which a browser is sent to sign out, when there is one; from there it comes back to `back`.
    pub(crate) async fn sign_out_url(&self, hint: Option<&Secret>, back: &str) -> Option<String> {
        let found = self.discovered().await.ok()?;
        let mut url = Url::parse(found.end_session_endpoint.as_deref()?).ok()?;
        let mut pairs = url.query_pairs_mut();
        pairs.append_pair("client_id", &self.settings.client_id);
        pairs.append_pair("post_logout_redirect_uri", back);
        if let Some(hint) = hint {
            pairs.append_pair("id_token_hint", hint.expose());
        }
        drop(pairs);
        Some(url.into())
    }

    fn get(&self, url: &str, bearer: Option<&Secret>) -> Result<OutboundRequest, NotGiven> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(token) = bearer {
            let value = HeaderValue::from_str(&format!("Bearer {}", token.expose()));
            let broken = |_| NotGiven::Refused("the provider's token cannot be sent".to_owned());
            let mut value = value.map_err(broken)?;
            value.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, value);
        }
        Ok(self.request(Method::GET, url, headers, String::new()))
    }

    /// Sends a request and reads the answer as JSON. 400 and 401 mean that the provider says no; everything else that is
    /// no success, that it cannot be asked now.
    async fn read<T: for<'de> Deserialize<'de>>(
        &self,
        request: OutboundRequest,
    ) -> Result<T, NotGiven> {
        let url = request.url.clone();
        let away =
            |why: String| NotGiven::Unavailable(format!("the identity provider at {url}: {why}"));
        let response = self.caller.call(request).await.map_err(|error| away(error.to_string()))?;
        let status = response.status;
        let body = response.body.collect(ANSWER).await.map_err(|error| away(error.to_string()))?;
        if status.is_success() {
            return serde_json::from_slice(&body)
                .map_err(|_| away("its answer is not what the standard says".to_owned()));
        }
        let told: Value = serde_json::from_slice(&body).unwrap_or_default();
        let error: String = told["error"].as_str().unwrap_or_default().chars().take(80).collect();
        match status {
            // Our own credentials are wrong: nothing is said about the person.
            _ if ["invalid_client", "unauthorized_client"].contains(&error.as_str()) => {
                Err(away(format!("it does not accept our own credentials: {error}")))
            }
            StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(NotGiven::Refused(format!("the identity provider says no: {status} {error}")))
            }
            _ => Err(away(format!("it answers {status}"))),
        }
    }

    fn request(
        &self,
        method: Method,
        url: &str,
        headers: HeaderMap,
        body: String,
    ) -> OutboundRequest {
        OutboundRequest {
            method,
            url: url.to_owned(),
            headers,
            body: Body::Bytes(body.into()),
            timeout: PATIENCE,
            connect_timeout: None,
            reach: self.settings.reach(url),
            identity: None,
        }
    }
}
