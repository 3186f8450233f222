use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Which person, and why.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SubjectRequest {
    /// Where.
    pub environment: String,
    /// Whose data it is.
    pub tenant: String,
    /// Who, as it stands in the events: what the `subject` of an object in the brief names.
    pub subject: String,
    /// Why, such as the number of the person's request.
    pub reason: String,
}

/// Everything that is stored of a person.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct SubjectExport {
    /// The version of this form.
    pub schema_version: u32,
    /// When it was gathered.
    pub at: String,
    /// Whose data it is.
    pub tenant: String,
    /// Where.
    pub environment: String,
    /// Who.
    pub subject: String,
    /// The person's runs, each with its event, its journal and its rows of the ledger.
    pub runs: Vec<Value>,
    /// Events on buses and in outboxes.
    pub events: Vec<Value>,
    /// Tasks of people, values of states, links and marks.
    pub documents: Vec<Value>,
    /// Whether there are more runs than one answer takes.
    pub truncated: bool,
}

/// What an erasure has removed.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct SubjectErasure {
    /// The version of this form.
    pub schema_version: u32,
    /// Runs, each with event, journal, dead letter and keys.
    pub runs: usize,
    /// Idempotency keys that stood for them.
    pub keys: usize,
    /// Events on buses and in outboxes.
    pub events: usize,
    /// Tasks of people, values of states, links and marks.
    pub documents: usize,
    /// Large bodies.
    pub blobs: usize,
    /// Runs that are not at their end and are still there: end them and erase again.
    pub open: Vec<String>,
}
