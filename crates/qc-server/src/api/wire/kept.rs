//! What integrations keep.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A value of a state.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct StateValue {
    /// Its key.
    pub key: String,
    /// The value.
    pub value: Value,
    /// Rises with every change; for `expect`.
    pub revision: u64,
    /// Until when it is there, when it has a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
}

/// Writes or removes a value.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeState {
    /// Whose.
    pub tenant: String,
    /// Where.
    pub environment: String,
    /// Of which integration.
    pub integration: String,
    /// The state.
    pub state: String,
    /// The key.
    pub key: String,
    /// The value to be written; ignored where one is removed.
    #[serde(default)]
    pub value: Value,
    /// `absent`, or the revision that must be there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<Value>,
}

/// A value was written.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct StateChanged {
    /// Its revision.
    pub revision: u64,
}

/// Something was removed, or was not there.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Removed {
    /// Whether it was there.
    pub removed: bool,
}

/// A link of a cross-reference table.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct CrossLink {
    /// The ids, by system.
    pub ids: Map<String, Value>,
    /// Rises with every change.
    pub revision: u64,
}

/// Links ids of two systems.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkRequest {
    /// Whose.
    pub tenant: String,
    /// Where.
    pub environment: String,
    /// Of which integration.
    pub integration: String,
    /// The table.
    pub table: String,
    /// The links, each an object with the id in each system; at most 500.
    pub links: Vec<Map<String, Value>>,
    /// Only says what would be done.
    #[serde(default)]
    pub plan: bool,
}

/// What became of links that were to be made.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct Linked {
    /// That were not there.
    pub new: usize,
    /// That were there already.
    pub same: usize,
    /// That were not made.
    pub refused: Vec<LinkRefused>,
}

/// A link that was not made.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct LinkRefused {
    /// Its number in the list, from 0.
    pub number: usize,
    /// Why.
    pub why: String,
}

/// Ends a link.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UnlinkRequest {
    /// Whose.
    pub tenant: String,
    /// Where.
    pub environment: String,
    /// Of which integration.
    pub integration: String,
    /// The table.
    pub table: String,
    /// The id in one system or both, by system.
    pub ids: Map<String, Value>,
}
