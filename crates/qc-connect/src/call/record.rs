use qc_model::{Class, Timestamp};
use qc_workflow::{CallRequest, CallTarget};
use serde::{Deserialize, Serialize};

/// What the ledger keeps of one attempt of a call. Holds no secret, no payload and no header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallRecord {
    /// The connector, for its operations; the document's address for `call: openapi`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connector: Option<String>,
    /// The operation's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// The method; empty when no request could be built, or the attempt was cut off before its end.
    pub method: String,
    /// The address, with `***` where a secret stands. Empty as the method is.
    pub url: String,
    /// Which attempt of the task.
    pub attempt: u32,
    /// The stable key of the effect, as the engine gave it.
    pub key: String,
    /// The status of the last answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The class of the failure; none for a success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<Class>,
    /// Whether bytes may have reached the other side.
    pub sent: bool,
    /// HTTP requests made: one, and more for pages, redirects and a renewed credential.
    pub requests: u32,
    /// When the attempt began.
    pub started_at: Timestamp,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// How many calls went in its request, with others; 0: it went alone.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub together: u32,
    /// Bytes of bodies sent.
    pub request_bytes: u64,
    /// Bytes of bodies received.
    pub response_bytes: u64,
}

impl CallRecord {
    /// Of an attempt that begins: what is known before its request is built.
    pub fn begun(call: &CallRequest, key: &str, started_at: Timestamp) -> Self {
        let (connector, operation) = match &call.target {
            CallTarget::Connector { connector, operation, .. } => {
                (Some(connector), Some(operation))
            }
            CallTarget::OpenApi { document, operation, .. } => (Some(document), Some(operation)),
            // What the engine does itself, it says itself.
            CallTarget::Http { .. } | CallTarget::Kept { .. } | CallTarget::Human { .. } => {
                (None, None)
            }
        };
        Self {
            connector: connector.cloned(),
            operation: operation.cloned(),
            method: String::new(),
            url: String::new(),
            attempt: call.attempt,
            key: key.to_owned(),
            status: None,
            class: None,
            sent: false,
            requests: 0,
            together: 0,
            started_at,
            duration_ms: 0,
            request_bytes: 0,
            response_bytes: 0,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde asks")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// What a deviation means for whoever reads the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deviation {
    /// Something that was promised is not there, or is something else.
    #[default]
    Breaking,
    /// There is more than was promised; whoever is tolerant reads on.
    Additive,
    /// It was put right as the connector declares.
    Repaired,
}

impl Deviation {
    /// Its word, as lists show it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Breaking => "breaking",
            Self::Additive => "additive",
            Self::Repaired => "repaired",
        }
    }
}

/// One way in which an answer did not keep the contract. Names fields and kinds, never values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriftNote {
    /// What it means.
    #[serde(default)]
    pub kind: Deviation,
    /// The connector or document.
    pub connector: String,
    /// The operation.
    pub operation: String,
    /// The status of the answer.
    pub status: u16,
    /// JSON Pointer in the answer's body.
    pub pointer: String,
    /// JSON Pointer of the violated keyword in the schema; empty when no schema is involved.
    pub schema_pointer: String,
    /// The violated keyword; `status`, `content-type` or `body` when no schema is involved.
    pub keyword: String,
    /// What differs.
    pub message: String,
}
