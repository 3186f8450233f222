use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A connection: an account at another system, in one environment. Everything but its tokens.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Connection {
    /// The version of this form.
    pub schema_version: u32,
    /// Where.
    pub environment: String,
    /// Its name there.
    pub name: String,
    /// The connector that uses it.
    pub connector: String,
    /// `pending_consent`, `active`, `refreshing`, `rotating`, `degraded`, `suspect`, `reauth_required`, `scope_drift` or
    /// `revoked`.
    pub state: String,
    /// Whether it has an access token that may be used now.
    pub usable: bool,
    /// Rises by one with every set of tokens.
    pub generation: u64,
    /// The account, when the provider says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The scopes that were granted.
    pub scopes: Vec<String>,
    /// The scopes that it lacks.
    pub missing_scopes: Vec<String>,
    /// The scopes that were granted and that nobody asked for.
    pub excess_scopes: Vec<String>,
    /// When its access token ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// When new tokens are asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renew_at: Option<String>,
    /// When its refresh token ends, if the provider says so: then somebody has to consent again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_expires_at: Option<String>,
    /// The code of what went wrong last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_code: Option<String>,
    /// What went wrong last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// Tokens that came too late for their place and are kept beside it.
    pub recoverable: usize,
}

/// Which connection.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OfConnection {
    /// The environment.
    pub environment: String,
    /// The name.
    pub name: String,
}

/// Whose consent is asked for.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkConnection {
    /// The environment.
    pub environment: String,
    /// The connection.
    pub name: String,
    /// The account that is expected; that of the last consent when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}

/// A link by which an account's holder consents.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ConnectionLink {
    /// The version of this form.
    pub schema_version: u32,
    /// The link. Whoever has it can connect an account, once.
    pub url: String,
    /// Until when it works.
    pub expires_at: String,
    /// The account that is expected, if one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The scopes that are asked for.
    pub scopes: Vec<String>,
}
