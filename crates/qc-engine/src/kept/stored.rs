//! The documents' bodies, with a version.

use bytes::Bytes;
use qc_model::{Failure, Timestamp};
use qc_store::Document;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::fault;

/// The version that is written.
const VERSION: u32 = 1;

/// A value of a state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct StoredValue {
    /// Rises with every change, also over a removal.
    pub(super) revision: u64,
    pub(super) value: Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) expires_at: Option<Timestamp>,
}

/// One direction of a link.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct StoredLink {
    pub(super) revision: u64,
    /// The id in the other system.
    pub(super) to: String,
}

#[derive(Serialize, Deserialize)]
struct Versioned<T> {
    v: u32,
    #[serde(flatten)]
    body: T,
}

pub(super) fn encode<T: Serialize>(body: T) -> Bytes {
    let whole = Versioned { v: VERSION, body };
    Bytes::from(serde_json::to_vec(&whole).expect("a body is plain data"))
}

pub(super) fn decode<T: DeserializeOwned>(document: &Document) -> Result<T, Box<Failure>> {
    let unreadable = |detail: String| fault::unreadable(&document.kind, detail);
    let read: Versioned<T> =
        serde_json::from_slice(&document.body).map_err(|error| unreadable(error.to_string()))?;
    if read.v > VERSION {
        let detail = format!("it has version {}, this program reads up to {VERSION}", read.v);
        return Err(unreadable(detail));
    }
    Ok(read.body)
}

/// A revision: it rises with every change and means nothing else. The first one is the time, so
/// that it also rises when something was removed and comes again.
pub(super) fn next_revision(before: Option<u64>, at: Timestamp) -> u64 {
    let now = u64::try_from(at.as_millis()).unwrap_or(0);
    before.map_or(now, |before| now.max(before.saturating_add(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_newer_version_wrote_is_not_misread() {
        let document = |body: &'static str| Document {
            kind: "state".to_owned(),
            name: "n".to_owned(),
            revision: 1,
            body: Bytes::from_static(body.as_bytes()),
            updated_at: Timestamp::from_millis(1),
        };
        let old = document(r#"{"v":1,"revision":7,"value":{"a":1}}"#);
        assert_eq!(decode::<StoredValue>(&old).unwrap().revision, 7);
        let newer = document(r#"{"v":2,"revision":7,"value":{"a":1}}"#);
        let failure = decode::<StoredValue>(&newer).unwrap_err();
        assert_eq!(failure.code, crate::codes::KEPT_UNREADABLE);
        assert!(decode::<StoredValue>(&document("nonsense")).is_err());
    }

    #[test]
    fn a_revision_rises_whatever_the_clock_does() {
        let at = Timestamp::from_millis;
        assert_eq!(next_revision(None, at(5)), 5);
        assert_eq!(next_revision(Some(5), at(9)), 9);
        assert_eq!(next_revision(Some(9), at(2)), 10);
    }
}
