//! The sealed audit.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The newest checkpoint of the audit's log.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct AuditCheckpoint {
    /// The version of this form.
    pub schema_version: u32,
    /// Which log.
    pub origin: String,
    /// How many entries it has.
    pub size: u64,
    /// The key that signed it, as a verifier key of C2SP's signed notes.
    pub key: String,
    /// The signed checkpoint: a signed note with origin, size and root.
    pub checkpoint: String,
    /// When it was sealed.
    pub sealed_at: String,
}

/// Entries of the audit's log, in their order.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct AuditEntries {
    /// The version of this form.
    pub schema_version: u32,
    /// The number of the first of them.
    pub first: u64,
    /// The right edge of the tree before it: the roots of its perfect subtrees, the largest first.
    pub peaks: Vec<String>,
    /// The entries.
    pub items: Vec<AuditEntry>,
    /// The number of the entry behind the last of them, when there may be one: pass it on as `from`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

/// An entry of the audit's log.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct AuditEntry {
    /// Its number, from 0.
    pub index: u64,
    /// The hash of its leaf, in base64.
    pub hash: String,
    /// Its leaf, byte for byte: a line of JSON. Left out when the row of which it was made is not there any more, or is
    /// not as it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaf: Option<String>,
}

/// What shows that a smaller log became the present one.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct AuditConsistency {
    /// The version of this form.
    pub schema_version: u32,
    /// How many entries the smaller one had.
    pub from: u64,
    /// The consistency proof of RFC 9162, section 2.1.4, in base64.
    pub hashes: Vec<String>,
    /// The signed checkpoint of the present one.
    pub checkpoint: String,
    /// The key that signed it.
    pub key: String,
}
