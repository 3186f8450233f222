use std::collections::BTreeMap;

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
    /// When it ends for good unless somebody consents again; absent where it is renewed, or where nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<String>,
    /// Whether that is within two weeks (`QC-N312`).
    #[serde(default)]
    pub ends_soon: bool,
    /// What its probe heard last: `well`, `refused` or `away`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<String>,
    /// When its probe was asked last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probed_at: Option<String>,
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

/// A drill of a connection that is to be made.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DrillConnection {
    /// The environment.
    pub environment: String,
    /// The connection.
    pub name: String,
    /// How long, in seconds: 5 to 600.
    pub seconds: u64,
    /// How many calls in a second: 1 to 50.
    pub rate: u32,
    /// That production is meant, where it is production.
    #[serde(default)]
    pub production: bool,
    /// Why; needed in production.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A drill: a connection's tokens are renewed while calls go on.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ConnectionDrill {
    /// The version of this form.
    pub schema_version: u32,
    /// Which drill of the connection.
    pub id: String,
    /// Where.
    pub environment: String,
    /// The connection.
    pub name: String,
    /// `running`, `passed`, `failed` or `interrupted`.
    pub state: String,
    /// The operation that was called.
    pub operation: String,
    /// How long, in seconds.
    pub seconds: u64,
    /// How many calls in a second.
    pub rate: u32,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it began.
    pub began_at: String,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
    /// The calls.
    pub requests: u64,
    /// Those that failed.
    pub failures: u64,
    /// How often each code failed a call.
    pub failure_codes: BTreeMap<String, u64>,
    /// So many times new tokens came.
    pub refreshes: u64,
    /// The middle one of the calls' times, in milliseconds.
    pub median_ms: u64,
    /// The longest of them.
    pub slowest_ms: u64,
    /// What was done to the connection.
    pub steps: Vec<DrillStep>,
}

/// A step of a drill.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct DrillStep {
    /// What was done: `rotate`.
    pub step: String,
    /// When, in milliseconds after the drill's begin.
    pub at_ms: u64,
    /// How long it took.
    pub took_ms: u64,
    /// The generation of tokens after it.
    pub generation: u64,
    /// What failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}
