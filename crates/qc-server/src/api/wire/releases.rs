//! Releases and deployments.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A release as stored.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Release {
    /// Its hash.
    pub release: String,
    /// Of which integration.
    pub integration: String,
    /// The integration's version.
    pub version: String,
    /// The connectors and their versions.
    pub connectors: std::collections::BTreeMap<String, String>,
    /// How many files it has.
    pub files: usize,
    /// From what it was built.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub built_from: Option<String>,
    /// When it was stored.
    pub built_at: String,
    /// By whom.
    pub built_by: String,
}

/// A release to store: the original files of one integration; the server bundles them itself.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StoreRelease {
    /// The integration.
    pub integration: String,
    /// The hash that the sender computed; a different outcome here is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<String>,
    /// From what it was built, such as a commit's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub built_from: Option<String>,
    /// The files: path from the project's root to base64.
    pub files: std::collections::BTreeMap<String, String>,
}

/// The files of a release.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ReleaseFiles {
    /// The version of this form.
    pub schema_version: u32,
    /// The release.
    pub release: String,
    /// The files: path from the project's root to base64.
    pub files: std::collections::BTreeMap<String, String>,
}

/// What runs of one integration in one environment.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Deployment {
    /// Where.
    pub environment: String,
    /// What.
    pub integration: String,
    /// The release.
    pub release: String,
    /// The integration's version in it.
    pub version: String,
    /// The release before, to go back to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<String>,
    /// When.
    pub at: String,
    /// Who.
    pub by: String,
    /// The addresses of its triggers; empty when it does not run on this node.
    pub triggers: Vec<String>,
    /// Whether it runs on this node.
    pub live: bool,
}

/// Which release to deploy.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeployRequest {
    /// Its hash, or the beginning of it.
    pub release: String,
}

/// Which release to deploy although the gate holds it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OverrideRequest {
    /// Its hash, or the beginning of it.
    pub release: String,
    /// Why it has to go out.
    pub reason: String,
    /// Whether it mends a weakness: then it waits for nobody, and the audit says that it did not.
    #[serde(default)]
    pub security_fix: bool,
}

/// What the gate says of a release.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Gate {
    /// The version of this body's form.
    pub schema_version: u32,
    /// The environment.
    pub environment: String,
    /// The integration.
    pub integration: String,
    /// The release's hash.
    pub release: String,
    /// Whether there is no other release whose place it would take.
    pub is_first: bool,
    /// Whether it must not be deployed as it is.
    pub holds: bool,
    /// Why it does not pass, a line each.
    pub reasons: Vec<String>,
    /// The comparison, as `qc contract diff --format json` writes it, and under `gate` what follows.
    pub report: serde_json::Value,
}

/// One change of a deployment.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct DeploymentChange {
    /// Counts the changes, from 1.
    pub change: u64,
    /// `deployed` or `rolled_back`.
    pub how: String,
    /// The release.
    pub release: String,
    /// The integration's version in it.
    pub version: String,
    /// The release before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<String>,
    /// When.
    pub at: String,
    /// Who.
    pub by: String,
}
