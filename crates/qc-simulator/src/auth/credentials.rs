//! What a provider accepts as proof. Given at start, never written in a project's file.

use std::fmt;

/// The accepted credentials, by kind. Kinds that are left empty accept nothing, unless the whole
/// set is [`Credentials::any`].
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Credentials {
    anything: bool,
    api_keys: Vec<String>,
    bearer_tokens: Vec<String>,
    logins: Vec<(String, String)>,
    clients: Vec<(String, String)>,
}

impl Credentials {
    /// Accepts nothing; for adding what is accepted.
    pub fn none() -> Self {
        Self::default()
    }

    /// Accepts every non-empty API key, bearer token, login and OAuth client.
    pub fn any() -> Self {
        Self { anything: true, ..Self::default() }
    }

    /// Accepts an API key.
    #[must_use]
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        self.api_keys.push(key.into());
        self
    }

    /// Accepts a static bearer token.
    #[must_use]
    pub fn bearer(mut self, token: impl Into<String>) -> Self {
        self.bearer_tokens.push(token.into());
        self
    }

    /// Accepts a user and password (HTTP Basic).
    #[must_use]
    pub fn login(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        self.logins.push((user.into(), password.into()));
        self
    }

    /// Accepts an OAuth 2 client.
    #[must_use]
    pub fn client(mut self, id: impl Into<String>, secret: impl Into<String>) -> Self {
        self.clients.push((id.into(), secret.into()));
        self
    }

    pub(crate) fn takes_api_key(&self, key: &str) -> bool {
        (self.anything && !key.is_empty()) || self.api_keys.iter().any(|known| known == key)
    }

    pub(crate) fn takes_bearer(&self, token: &str) -> bool {
        (self.anything && !token.is_empty()) || self.lists_bearer(token)
    }

    /// Whether this very token was listed.
    pub(crate) fn lists_bearer(&self, token: &str) -> bool {
        self.bearer_tokens.iter().any(|known| known == token)
    }

    pub(crate) fn takes_login(&self, user: &str, password: &str) -> bool {
        (self.anything && !user.is_empty())
            || self.logins.iter().any(|(u, p)| u == user && p == password)
    }

    pub(crate) fn takes_client(&self, id: &str, secret: &str) -> bool {
        (self.anything && !id.is_empty() && !secret.is_empty())
            || self.clients.iter().any(|(i, s)| i == id && s == secret)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("anything", &self.anything)
            .field("api_keys", &self.api_keys.len())
            .field("bearer_tokens", &self.bearer_tokens.len())
            .field("logins", &self.logins.len())
            .field("clients", &self.clients.len())
            .finish()
    }
}
