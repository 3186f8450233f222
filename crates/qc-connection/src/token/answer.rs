use std::time::Duration;

use qc_vault::Secret;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::provider::{Dialect, Unit};

/// How long an access token is used that does not say how long it lives.
const UNSTATED_LIFETIME: Duration = Duration::from_secs(300);
/// No access token is used for longer, whatever it says.
pub const LIFETIME_MAX: Duration = Duration::from_secs(24 * 3600);
/// The longest that a refresh token is said to live.
const REFRESH_LIFETIME_MAX: Duration = Duration::from_secs(3_660 * 86_400);

/// What a token endpoint said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Here are tokens.
    Granted(Box<Tokens>),
    /// The refresh token or code is no longer good.
    InvalidGrant,
    /// The client is not known, or its proof is not good.
    InvalidClient,
    /// It will not do this, and asking again does not help.
    Refused(Word),
    /// It cannot do it now, for a reason that passes.
    Away {
        /// The pause that it asked for.
        pause: Option<Duration>,
    },
    /// It answered with success, and nobody knows what it did: there are no tokens in it.
    Unreadable,
}

/// Tokens as they were granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokens {
    /// The access token.
    pub access: Secret,
    /// The refresh token; None: the one before stays.
    pub refresh: Option<Secret>,
    /// How long the access token lives.
    pub lifetime: Duration,
    /// How long the refresh token lives, when that is said.
    pub refresh_lifetime: Option<Duration>,
    /// The scopes that were granted, sorted; None: those that were asked for (RFC 6749, section 5.1).
    pub scopes: Option<Vec<String>>,
}

/// The standard's words for errors (RFC 6749, sections 4.1.2.1 and 5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// The request is malformed.
    InvalidRequest,
    /// The client is not known or its proof is not good.
    InvalidClient,
    /// The code or refresh token is not good.
    InvalidGrant,
    /// The client may not use this grant.
    UnauthorizedClient,
    /// The endpoint does not know this grant.
    UnsupportedGrantType,
    /// The scopes are not good.
    InvalidScope,
    /// The account's holder said no.
    AccessDenied,
    /// The endpoint failed.
    ServerError,
    /// The endpoint has too much to do.
    TemporarilyUnavailable,
    /// Nothing the standard knows.
    Other,
}

impl Word {
    /// All, for tables.
    pub const ALL: [(Self, &'static str); 9] = [
        (Self::InvalidRequest, "invalid_request"),
        (Self::InvalidClient, "invalid_client"),
        (Self::InvalidGrant, "invalid_grant"),
        (Self::UnauthorizedClient, "unauthorized_client"),
        (Self::UnsupportedGrantType, "unsupported_grant_type"),
        (Self::InvalidScope, "invalid_scope"),
        (Self::AccessDenied, "access_denied"),
        (Self::ServerError, "server_error"),
        (Self::TemporarilyUnavailable, "temporarily_unavailable"),
    ];

    /// The word.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|row| row.0 == self).map_or("an unknown error", |row| row.1)
    }

    /// The standard's word of this text.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().find(|row| row.1 == text).map(|row| row.0)
    }
}

impl Answer {
    /// Reads an answer. `pause` is what its header asks for. A body can hold anything, so nothing of it is repeated.
    pub fn read(dialect: &Dialect, status: u16, pause: Option<Duration>, body: &[u8]) -> Self {
        let body: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
        let paths = &dialect.answer;
        let text = |path: &str| {
            let text = body.pointer(path).and_then(Value::as_str);
            text.filter(|text| !text.is_empty())
        };
        let success = (200..300).contains(&status);
        if let (true, Some(access)) = (success, text(&paths.access_token)) {
            let lifetime = |path: &str| duration(body.pointer(path)?, dialect.expires_in);
            let scopes = body.pointer(&paths.scope).and_then(|scope| scopes(scope, dialect));
            return Self::Granted(Box::new(Tokens {
                access: Secret::new(access),
                refresh: text(&paths.refresh_token).map(Secret::new),
                lifetime: lifetime(&paths.expires_in)
                    .unwrap_or(UNSTATED_LIFETIME)
                    .min(LIFETIME_MAX),
                refresh_lifetime: lifetime(&paths.refresh_expires_in)
                    .filter(|life| !life.is_zero())
                    .map(|life| life.min(REFRESH_LIFETIME_MAX)),
                scopes,
            }));
        }
        let said = text(&paths.error)
            .map(|word| dialect.words.get(word).copied().or_else(|| Word::parse(word)))
            .map(|word| word.unwrap_or(Word::Other));
        match (status, said) {
            (408 | 425 | 429 | 500.., _)
            | (_, Some(Word::ServerError | Word::TemporarilyUnavailable)) => Self::Away { pause },
            (_, Some(Word::InvalidGrant)) => Self::InvalidGrant,
            (_, Some(Word::InvalidClient)) | (401, _) => Self::InvalidClient,
            (_, Some(word)) => Self::Refused(word),
            (200..=299, None) => Self::Unreadable,
            // A proxy or a login page answered: nothing is known of the token.
            _ => Self::Refused(Word::Other),
        }
    }
}

fn duration(value: &Value, unit: Unit) -> Option<Duration> {
    let number = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    let seconds = match unit {
        Unit::Seconds => number,
        Unit::Milliseconds => number / 1000.0,
    };
    Duration::try_from_secs_f64(seconds).ok()
}

/// The scopes of an answer: a text with the provider's separator, or a list of texts.
fn scopes(value: &Value, dialect: &Dialect) -> Option<Vec<String>> {
    let mut scopes: Vec<String> = match value {
        // Providers that ask for commas answer with spaces, and the other way round.
        Value::String(text) => text
            .split(|c: char| c == ' ' || dialect.scope_separator.contains(c))
            .filter(|scope| !scope.is_empty())
            .map(str::to_owned)
            .collect(),
        Value::Array(items) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => return None,
    };
    scopes.sort_unstable();
    scopes.dedup();
    (!scopes.is_empty()).then_some(scopes)
}
