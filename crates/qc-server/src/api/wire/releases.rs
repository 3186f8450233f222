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
