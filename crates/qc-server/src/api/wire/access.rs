//! Who may do what: policies, and rights for a time.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Rights for a time.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Grant {
    /// The version of this form.
    pub schema_version: u32,
    /// Its id.
    pub id: String,
    /// For whom, by the id of the owner directory.
    pub person: String,
    /// To do what.
    pub actions: Vec<String>,
    /// Where.
    pub environment: String,
    /// To which integration; left out: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub integration: Option<String>,
    /// Why.
    pub reason: String,
    /// The ticket.
    pub ticket: String,
    /// `requested`, `given`, `refused`, `revoked`, or `over`.
    pub state: String,
    /// For how long, from when it is given.
    pub seconds: u64,
    /// When it was asked for.
    pub requested_at: String,
    /// Who decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<String>,
    /// When it ends, or ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
}

/// Asks for rights for a time.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestGrant {
    /// To do what: `runs:inspect`, `runs:replay`, `runs:bulk`, `dlq:retry`.
    pub actions: Vec<String>,
    /// Where.
    pub environment: String,
    /// To which integration; left out: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub integration: Option<String>,
    /// Why.
    pub reason: String,
    /// The ticket.
    pub ticket: String,
    /// For how long, such as `30m`; at most 4 hours. One hour when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime: Option<String>,
}

/// A file of policies.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyFile {
    /// Its name in the project's `access/` folder.
    pub name: String,
    /// Its text, in Cedar.
    pub text: String,
}

/// Policies that are, or were, in force.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct PolicySet {
    /// The version of this form.
    pub schema_version: u32,
    /// The version of the policies: of the program's own and of these files together.
    pub version: String,
    /// The files beside the program's own policies.
    pub files: Vec<PolicyFile>,
    /// By whom they were put in force; left out for the program's own alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
}

/// Puts policies in force.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApplyPolicies {
    /// All files beside the program's own policies.
    pub files: Vec<PolicyFile>,
    /// The matrix that was reviewed: it must be that of these policies.
    pub matrix: String,
}
