use std::{collections::BTreeMap, time::Duration};

use qc_model::EnvironmentName;
use qc_vault::Secret;
use serde::{Deserialize, Serialize};

use crate::token::Word;

/// Which connection: an account at another system, in one environment.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId {
    /// The environment.
    pub environment: EnvironmentName,
    /// Its name there.
    pub name: String,
}

impl ConnectionId {
    /// The name of its documents, and what people call it: `<environment>/<name>`.
    pub fn text(&self) -> String {
        format!("{}/{}", self.environment, self.name)
    }
}

/// How a connection gets its tokens, with everything resolved for its environment. Holds secrets; never stored.
#[derive(Debug, Clone)]
pub struct Grant {
    /// Whose tokens.
    pub id: ConnectionId,
    /// The connector that uses them.
    pub connector: String,
    /// By which grant.
    pub kind: GrantKind,
    /// Where tokens come from.
    pub token_url: String,
    /// The client.
    pub client_id: String,
    /// How the client proves itself there.
    pub proof: ClientProof,
    /// The scopes that are needed, sorted.
    pub scopes: Vec<String>,
    /// Parameters of every token request.
    pub token_params: Vec<(String, String)>,
    /// Further parameters of a refresh.
    pub refresh_params: Vec<(String, String)>,
    /// What sets this provider apart.
    pub dialect: Dialect,
    /// Until when, and why, more scopes than these may be used in production.
    pub waiver: Option<Waiver>,
    /// With what certificate the client proves itself to the token endpoint (RFC 8705).
    pub identity: Option<qc_model::ClientIdentity>,
}

/// The grants by which tokens are got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GrantKind {
    /// Client credentials (RFC 6749, section 4.4).
    ClientCredentials,
    /// A refresh token that somebody brought (section 6). Another one in its place begins anew.
    RefreshToken {
        /// The refresh token to begin with.
        seed: Secret,
    },
    /// An authorization code that an account's holder consented to (section 4.1), with PKCE (RFC 7636).
    AuthorizationCode(Box<ConsentRules>),
}

/// How an account's holder is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentRules {
    /// Where the holder is sent.
    pub authorization_url: String,
    /// Where the provider sends the holder back: this server's `/connect/callback`, as it is registered there.
    pub redirect_uri: String,
    /// Further parameters of the authorization request.
    pub authorization_params: Vec<(String, String)>,
    /// Whether PKCE is used; some providers refuse its parameters.
    pub pkce: bool,
    /// The issuer that the answer must name when it names one (RFC 9207).
    pub issuer: Option<String>,
    /// Where the account is asked for, when the token's answer does not say it.
    pub userinfo_url: Option<String>,
    /// Where the account stands, in the answer of `userinfo_url` or of the token endpoint: a JSON Pointer (RFC 6901).
    pub account: Option<String>,
}

/// How a client proves itself at the token endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientProof {
    /// It does not: a public client.
    None,
    /// HTTP basic (`client_secret_basic`).
    Basic(Secret),
    /// In the body (`client_secret_post`).
    Post(Secret),
    /// An assertion signed with its key (`private_key_jwt`, RFC 7523).
    PrivateKey(PrivateKey),
}

/// The key of a client, and what its assertions say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrivateKey {
    /// The key, PEM.
    pub pem: Secret,
    /// The key's id (`kid`).
    pub id: Option<String>,
    /// How it signs.
    pub algorithm: SigningAlgorithm,
    /// To whom assertions are addressed: the issuer, or the token endpoint when nothing is said.
    pub audience: Option<String>,
}

/// The algorithms of client assertions (RFC 7518, section 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SigningAlgorithm {
    /// RSA, PKCS#1 v1.5, SHA-256.
    Rs256,
    /// RSA, PSS, SHA-256.
    Ps256,
    /// ECDSA, P-256, SHA-256.
    Es256,
}

/// What sets a provider's token endpoint apart from the standard. The default is the standard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialect {
    /// The form of request bodies.
    pub body: BodyFormat,
    /// What stands between scopes.
    pub scope_separator: String,
    /// Where the parts of an answer stand.
    pub answer: AnswerPaths,
    /// In what `expires_in` is counted.
    pub expires_in: Unit,
    /// The vendor's own words for errors, and the standard's words for them.
    pub words: BTreeMap<String, Word>,
    /// What a refresh does to the refresh token.
    pub rotation: Rotation,
    /// Where tokens are revoked (RFC 7009).
    pub revocation_url: Option<String>,
}

/// The form of a request's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum BodyFormat {
    /// `application/x-www-form-urlencoded`, as the standard has it.
    #[default]
    Form,
    /// `application/json`.
    Json,
}

/// Where the parts of a token endpoint's answer stand, as JSON Pointers (RFC 6901).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerPaths {
    /// The access token.
    pub access_token: String,
    /// The refresh token.
    pub refresh_token: String,
    /// How long the access token lives.
    pub expires_in: String,
    /// How long the refresh token lives.
    pub refresh_expires_in: String,
    /// The scopes that were granted.
    pub scope: String,
    /// The error's word.
    pub error: String,
}

/// What durations are counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Unit {
    /// Seconds, as the standard has it.
    #[default]
    Seconds,
    /// Milliseconds.
    Milliseconds,
}

/// What a refresh does to the refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Rotation {
    /// Nothing: it can be used again. Also where there is none.
    #[default]
    Fixed,
    /// It is replaced. The old one works for this time longer, in milliseconds; using it later ends all tokens of its
    /// family at a provider that detects reuse.
    Rotating {
        /// The grace, in milliseconds; 0: none.
        grace_ms: u64,
    },
}

impl Rotation {
    /// For how long a refresh token can be sent again whose use had no answer; None: always.
    pub fn grace(self) -> Option<Duration> {
        match self {
            Self::Fixed => None,
            Self::Rotating { grace_ms } => Some(Duration::from_millis(grace_ms)),
        }
    }
}

/// A permission, with an end, to use more scopes than are needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiver {
    /// Why.
    pub reason: String,
    /// Until when.
    pub until: qc_model::Timestamp,
}

impl Default for Dialect {
    fn default() -> Self {
        Self {
            body: BodyFormat::Form,
            scope_separator: " ".to_owned(),
            answer: AnswerPaths::default(),
            expires_in: Unit::Seconds,
            words: BTreeMap::new(),
            rotation: Rotation::Fixed,
            revocation_url: None,
        }
    }
}

impl Default for AnswerPaths {
    fn default() -> Self {
        Self {
            access_token: "/access_token".to_owned(),
            refresh_token: "/refresh_token".to_owned(),
            expires_in: "/expires_in".to_owned(),
            refresh_expires_in: "/refresh_token_expires_in".to_owned(),
            scope: "/scope".to_owned(),
            error: "/error".to_owned(),
        }
    }
}
