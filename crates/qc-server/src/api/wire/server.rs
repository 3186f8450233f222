//! Tokens and the server.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A token, without its secret.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Token {
    /// Its id.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// The person to whom it belongs, by the id of the owner directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// The only environment in which it may act.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// What it is for.
    pub role: String,
    /// What it is narrowed to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// When it was made.
    pub created_at: String,
    /// By whom.
    pub created_by: String,
    /// When it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// `api_key`, or `local` for the key of the machine's owner.
    #[serde(default)]
    pub kind: String,
    /// The team or person who answers for it; left out of those that were made before owners were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// What it is for, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// Which version of the key this is; rises with each rotation.
    #[serde(default)]
    pub version: u32,
    /// Until when the version before counts, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_until: Option<String>,
    /// When it did anything last, to a few minutes; left out: not within 400 days, or not since it is counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<String>,
}

/// What a new token shall be.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateToken {
    /// What people call it.
    pub name: String,
    /// `admin`, `developer`, `operator`, `auditor`, `deployer`, `runtime` or `approver`.
    pub role: String,
    /// The person to whom it belongs, by the id of the owner directory; left out, it is a service's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// The only environment in which it may act; left out, all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// Narrower rights, as `environment/type/name-or-*:verb`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// How long it holds, such as `30d`; left out, 90 days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime: Option<String>,
    /// The team or person who answers for it; left out, its person, or who makes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// What it is for, in words; left out, its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
}

/// How a token is given a new version.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateToken {
    /// How long the present version holds on, such as `24h`, which it is when left out; at most 30 days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlap: Option<String>,
    /// How long the new version holds; left out, as long as the one before was to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime: Option<String>,
    /// Whether no earlier version counts from now on: for a key that leaked.
    #[serde(default)]
    pub at_once: bool,
}

/// A new token, or a new version of one; its text is shown here and never again.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct CreatedToken {
    /// The secret text.
    pub secret: String,
    /// The token.
    pub token: Token,
    /// What should be thought over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// The server itself.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Server {
    /// The version of this form.
    pub schema_version: u32,
    /// The program's version.
    pub version: String,
    /// The API's version.
    pub api_version: String,
    /// Its clock.
    pub now: String,
    /// When it started.
    pub started_at: String,
    /// Whether it takes work.
    pub ready: bool,
    /// The store's kind.
    pub store: String,
    /// Runs at work.
    pub runs_in_memory: usize,
    /// Its name among the nodes that share the store.
    pub node: String,
    /// How many nodes share the store, this one included.
    pub nodes: usize,
    /// How many of the 64 groups of runs are this node's.
    pub groups: usize,
    /// Whether it holds the right to run: some of the groups, or all.
    pub leased: bool,
    /// Runs without a reason to go on; must be 0.
    pub stuck: u64,
    /// Dead letters that nobody has settled; counted up to 500.
    pub open_dead_letters: usize,
    /// Problems of what is deployed.
    pub findings: Vec<Value>,
}
