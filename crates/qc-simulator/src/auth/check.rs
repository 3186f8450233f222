//! The check of one request against the security requirements of its operation.

use http::{HeaderMap, StatusCode, header};
use qc_model::Timestamp;

use super::token::basic_login;
use super::{Credentials, TokenError, Tokens};

/// A security scheme of the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scheme {
    pub(crate) kind: SchemeKind,
    /// Scopes that the operation needs (OAuth 2 only).
    pub(crate) scopes: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SchemeKind {
    KeyInHeader(String),
    KeyInQuery(String),
    KeyInCookie(String),
    Basic,
    Bearer,
    /// An access token: one that the provider issued, or a listed bearer token as if it came from elsewhere.
    OAuth2 {
        /// Whether the provider has a token endpoint of its own. Where it has none, any accepted bearer token will do.
        issued_here: bool,
    },
    /// A certificate in the TLS handshake, whichever.
    Certificate,
    /// A scheme that cannot be checked here (OpenID Connect): refused, never waved through.
    Unsupported(String),
}

/// The request is refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Denied {
    pub(crate) status: StatusCode,
    pub(crate) challenge: Option<String>,
    pub(crate) why: String,
}

/// What stands at the door.
pub(crate) struct Guard<'a> {
    /// `None` once the credentials were revoked.
    pub(crate) accepted: Option<&'a Credentials>,
    pub(crate) tokens: &'a Tokens,
    /// Whether the sender showed a certificate.
    pub(crate) certified: bool,
    pub(crate) now: Timestamp,
}

impl Guard<'_> {
    /// Checks alternatives of schemes that must hold together; no alternatives need no proof.
    pub(crate) fn check(
        &self,
        alternatives: &[Vec<Scheme>],
        headers: &HeaderMap,
        query: &[(String, String)],
    ) -> Result<(), Denied> {
        let mut refused = None;
        for schemes in alternatives {
            match schemes.iter().try_for_each(|scheme| self.check_one(scheme, headers, query)) {
                Ok(()) => return Ok(()),
                Err(denied) => refused = Some(pick(refused, denied)),
            }
        }
        refused.map_or(Ok(()), Err)
    }

    fn check_one(
        &self,
        scheme: &Scheme,
        headers: &HeaderMap,
        query: &[(String, String)],
    ) -> Result<(), Denied> {
        match &scheme.kind {
            SchemeKind::KeyInHeader(name) => {
                self.api_key(name, headers.get(name.as_str()).and_then(|value| value.to_str().ok()))
            }
            SchemeKind::KeyInQuery(name) => {
                let value = query.iter().find(|(key, _)| key == name).map(|(_, v)| v.as_str());
                self.api_key(name, value)
            }
            SchemeKind::KeyInCookie(name) => self.api_key(name, cookie(headers, name)),
            SchemeKind::Basic => {
                let login = basic_login(headers);
                let known = login.as_ref().is_some_and(|(user, password)| {
                    self.accepted.is_some_and(|accepted| accepted.takes_login(user, password))
                });
                let challenge = || Some("Basic realm=\"api\"".to_owned());
                proof(login.is_some(), known, "user and password", challenge)
            }
            SchemeKind::Bearer => {
                let token = bearer(headers);
                let known = token.is_some_and(|token| {
                    self.accepted.is_some_and(|accepted| accepted.takes_bearer(token))
                        || self.tokens.check(token, &[], self.now).is_ok()
                });
                let challenge = || Some(bearer_challenge(token.is_some()));
                proof(token.is_some(), known, "bearer token", challenge)
            }
            SchemeKind::OAuth2 { issued_here } => {
                self.access_token(*issued_here, headers, &scheme.scopes)
            }
            SchemeKind::Certificate => proof(
                self.certified,
                self.certified && self.accepted.is_some(),
                "certificate",
                || None,
            ),
            SchemeKind::Unsupported(what) => Err(Denied {
                status: StatusCode::UNAUTHORIZED,
                challenge: None,
                why: format!("the simulated provider cannot check the security scheme {what}"),
            }),
        }
    }

    fn api_key(&self, name: &str, value: Option<&str>) -> Result<(), Denied> {
        let known = value
            .is_some_and(|key| self.accepted.is_some_and(|accepted| accepted.takes_api_key(key)));
        proof(value.is_some(), known, &format!("API key {name}"), || None)
    }

    fn access_token(
        &self,
        issued_here: bool,
        headers: &HeaderMap,
        scopes: &[String],
    ) -> Result<(), Denied> {
        let token = bearer(headers);
        let from_elsewhere = token.zip(self.accepted).is_some_and(|(token, accepted)| {
            accepted.lists_bearer(token) || (!issued_here && accepted.takes_bearer(token))
        });
        if from_elsewhere {
            return Ok(());
        }
        let verdict = token.map(|token| self.tokens.check(token, scopes, self.now));
        match verdict {
            Some(Ok(())) => Ok(()),
            Some(Err(TokenError::Scope(scope))) => Err(Denied {
                status: StatusCode::FORBIDDEN,
                challenge: Some(format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"")),
                why: format!("the access token lacks the scope {scope}"),
            }),
            Some(Err(TokenError::Invalid)) | None => {
                proof(token.is_some(), false, "access token", || {
                    Some(bearer_challenge(token.is_some()))
                })
            }
        }
    }
}

fn proof(
    present: bool,
    known: bool,
    what: &str,
    challenge: impl FnOnce() -> Option<String>,
) -> Result<(), Denied> {
    if known {
        return Ok(());
    }
    let why =
        if present { format!("the {what} is not valid") } else { format!("the {what} is missing") };
    Err(Denied { status: StatusCode::UNAUTHORIZED, challenge: challenge(), why })
}

/// A refusal for a missing scope says more than one for a missing proof.
fn pick(earlier: Option<Denied>, later: Denied) -> Denied {
    match earlier {
        Some(earlier) if earlier.status == StatusCode::FORBIDDEN => earlier,
        Some(earlier) if later.status != StatusCode::FORBIDDEN => earlier,
        _ => later,
    }
}

fn bearer_challenge(present: bool) -> String {
    if present { "Bearer error=\"invalid_token\"".to_owned() } else { "Bearer".to_owned() }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let cookies = headers.get(header::COOKIE)?.to_str().ok()?;
    cookies.split(';').find_map(|pair| {
        let (key, value) = pair.trim().split_once('=')?;
        (key == name).then_some(value)
    })
}
