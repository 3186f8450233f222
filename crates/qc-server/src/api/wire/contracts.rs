//! Contracts where they are served.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who sends to an integration.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ContractUsage {
    /// The version of this body's form.
    pub schema_version: u32,
    /// The environment.
    pub environment: String,
    /// The integration.
    pub integration: String,
    /// By trigger and version.
    pub items: Vec<UsedVersion>,
}

/// One version of a trigger's contract.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct UsedVersion {
    /// The trigger.
    pub trigger: String,
    /// The version; empty where there is one only.
    pub version: String,
    /// How it stands: `draft`, `current`, `supported`, `deprecated`, `overdue` (its end has come, and it goes on because
    /// somebody speaks it) or `retired`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Since when it is known who speaks it.
    pub since: String,
    /// When somebody did last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<String>,
    /// Who does.
    pub consumers: Vec<ContractConsumer>,
}

/// One consumer.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ContractConsumer {
    /// The name of its key or client, or of the queue.
    pub consumer: String,
    /// When it was seen first.
    pub first: String,
    /// When last.
    pub last: String,
    /// How many events of it were taken.
    pub events: u64,
    /// The fields that it sent, with when it did last.
    pub fields: BTreeMap<String, String>,
    /// Whether there are more of them than are written down.
    pub more_fields: bool,
}

/// Why a version ends that somebody speaks.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EndVersion {
    /// For the audit.
    pub reason: String,
}

/// A version that does not answer any more.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct EndedVersion {
    /// The version of this body's form.
    pub schema_version: u32,
    /// The trigger.
    pub trigger: String,
    /// The version.
    pub version: String,
    /// Who spoke it lately; empty when it had ended without anybody's doing.
    pub consumers: Vec<String>,
}

/// What a version of a consumer expects.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PublishExpectations {
    /// The consumer's version: letters, digits, `.`, `-`, `_` and `+`. What it expects does not change any more.
    pub version: String,
    /// The text of a Pact file (version 1 to 4) with the consumer's name.
    pub pact: String,
}

/// Which consumer can speak which version.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ContractMatrix {
    /// The version of this body's form.
    pub schema_version: u32,
    /// The environment.
    pub environment: String,
    /// The integration.
    pub integration: String,
    /// The release that runs there.
    pub release: String,
    /// By consumer, trigger and version.
    pub items: Vec<ConsumerAtVersion>,
}

/// One consumer at one version.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ConsumerAtVersion {
    /// The consumer.
    pub consumer: String,
    /// The trigger.
    pub trigger: String,
    /// The version; empty where there is one only.
    pub version: String,
    /// How the version stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Whether the consumer speaks it.
    pub is_spoken: bool,
    /// When it really did last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<String>,
    /// The version of the consumer that expects this, where it was published here; else the release has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<String>,
    /// When that was published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published_at: Option<String>,
    /// How many of its interactions were looked at.
    pub interactions: usize,
    /// Whether all of them go.
    pub fits: bool,
    /// Those that do not.
    pub unmet: Vec<ConsumerMiss>,
}

/// One interaction that does not go.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ConsumerMiss {
    /// In the consumer's words.
    pub interaction: String,
    /// Why.
    pub why: String,
}
