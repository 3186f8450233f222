//! What happened, and what failed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One thing that happened in the platform.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct LedgerLine {
    /// Its place.
    pub seq: u64,
    /// When.
    pub at: String,
    /// `event`, `run`, `task`, `call`, `decision` or `audit`.
    pub kind: String,
    /// Whose.
    pub tenant: String,
    /// Where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// Which integration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub integration: Option<String>,
    /// Which run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// Who, as `kind:id`.
    pub actor: String,
    /// What it concerns.
    pub subject: String,
    /// How it went.
    pub outcome: String,
    /// The error code, when it went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Further facts.
    pub facts: Value,
}

/// The failures of a time, grouped.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Failures {
    /// The version of this form.
    pub schema_version: u32,
    /// From when on.
    pub since: String,
    /// The groups, the most frequent first.
    pub groups: Vec<FailureGroup>,
    /// Whether there were more rows than were looked at.
    pub truncated: bool,
}

/// Failures of one kind.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct FailureGroup {
    /// `call`, `task`, `run`, `event` or `decision`.
    pub kind: String,
    /// The error code.
    pub code: String,
    /// What failed: a connector's operation, a task, a trigger.
    pub subject: String,
    /// Which integration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub integration: Option<String>,
    /// Where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// How often.
    pub count: u64,
    /// The first of them.
    pub first_at: String,
    /// The last of them.
    pub last_at: String,
    /// What the last one said, when it said something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// A run to look at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example_run: Option<String>,
    /// The code's page.
    pub page: String,
}
