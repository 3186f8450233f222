use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A debug capture: what is recorded, why, and how it stands. Holds nothing of what was recorded.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Capture {
    /// The version of this form.
    pub schema_version: u32,
    /// Its id.
    pub id: String,
    /// Who asked, by the id of the owner directory.
    pub person: String,
    /// Whose data it may see.
    pub tenant: String,
    /// Where.
    pub environment: String,
    /// Of which integration.
    pub integration: String,
    /// Of which task only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// Of calls to which system only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// Whether the events that come in are recorded, too.
    pub events: bool,
    /// Why.
    pub reason: String,
    /// The ticket.
    pub ticket: String,
    /// `requested`, `lapsed`, `refused`, `recording`, `kept`, `over`, `emptied`, or `purged`.
    pub state: String,
    /// For how long is recorded, from when a second person agrees.
    pub seconds: u64,
    /// How long what was recorded is kept after that.
    pub keep_seconds: u64,
    /// How much is recorded at most.
    pub max: u32,
    /// How much was recorded.
    pub taken: u32,
    /// When it was asked for.
    pub requested_at: String,
    /// Who agreed or refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<String>,
    /// Until when it records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records_until: Option<String>,
    /// When all that it recorded is removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
}

/// Asks for a debug capture.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestCapture {
    /// Where.
    pub environment: String,
    /// Of which integration.
    pub integration: String,
    /// Whose data; `default` when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Of which task only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// Of calls to which system only: a connector, or a host that is called without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// Whether the events that come in are recorded, too.
    #[serde(default)]
    pub events: bool,
    /// Why.
    pub reason: String,
    /// The ticket.
    pub ticket: String,
    /// For how long is recorded, such as `30m`; at most 4 hours. Half an hour when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime: Option<String>,
    /// How long what was recorded is kept after that; at most 24 hours. One hour when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<String>,
    /// How much is recorded at most, calls and events together: up to 1000. 100 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<u32>,
}

/// What was recorded once: a call or an event, credentials masked.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct CaptureEntry {
    /// Its name, which begins the next page.
    pub name: String,
    /// When.
    pub at: String,
    /// By which run.
    pub run: String,
    /// A call (`what` is `call`: task, attempt, system, request, answer or failure), or an event (`what` is `event`).
    /// A body is `{"is": "text", "text": …, "size": …}`, in base64 where it is no text, and cut after 64 KiB.
    pub recorded: Value,
}
