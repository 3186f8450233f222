//! The journal's entries as stored. A body is JSON with a version; old versions are upcast here.

use std::borrow::Cow;

use bytes::Bytes;
use qc_model::{Actor, Failure, RunId, Timestamp};
use qc_store::Entry;
use qc_workflow::{CallId, CallOutput, Input, Start};
use serde::{Deserialize, Serialize};

use crate::{chain::EarlierCall, drift::Unfit, line::Line, person::TaskStep};

/// The version that is written, of all that an older binary folds alike.
const VERSION: u32 = 1;
/// The version of a start with a deadline: who does not know of it would number the run's timers otherwise.
const WITH_DEADLINE: u32 = 2;

/// What a journal says, in order. The run's state is the fold of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub(crate) enum Journaled {
    /// The first entry: the machine's start.
    Start {
        /// What the machine began with.
        start: Box<Start>,
        /// The sender's trace, as W3C `traceparent`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        traceparent: Option<String>,
        /// What earlier runs of the replay chain did: not done again.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        earlier: Vec<EarlierCall>,
        /// The idempotency key with which the event came: a repeat is recognised by it also when nothing of it may be
        /// written.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        keyed: Option<Keyed>,
        /// The line in which the run stands: it begins with the entry that says so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        line: Option<Line>,
        /// Its trigger was paused, or a limit had it wait: it begins with the entry that says so.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        held: bool,
        /// From where it comes.
        #[serde(default, skip_serializing_if = "Lineage::is_none")]
        lineage: Lineage,
    },
    /// Its turn has come: the machine starts, at this entry's time.
    Begun,
    /// It was cancelled while it waited for its turn.
    NeverBegun {
        /// Why.
        reason: String,
    },
    /// From here on the run is worked on by another release of the same workflow.
    Repinned {
        /// The release's hash.
        release: String,
        /// Who wanted that.
        by: Actor,
    },
    /// A call is about to be sent: from here on it may have been.
    Intent {
        /// Which call.
        call: CallId,
        /// Which attempt.
        attempt: u32,
    },
    /// Something happened to the machine.
    Input {
        /// What.
        input: Box<Input>,
    },
    /// What the integration keeps was changed with this entry: the call's answer, of which the
    /// machine hears next.
    Kept {
        /// Which call.
        call: CallId,
        /// Which attempt.
        attempt: u32,
        /// The answer.
        output: CallOutput,
    },
    /// A call waits for a person, or for something outside to be mended.
    Parked {
        /// Which call.
        call: CallId,
        /// Why.
        failure: Failure,
        /// It was answered, and its answer waits to be put right: it is not sent again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unfit: Option<Box<Unfit>>,
    },
    /// A parked call was decided: it did not take effect and may be sent.
    NotApplied {
        /// Which call.
        call: CallId,
        /// Who decided.
        by: Actor,
    },
    /// Something happened to what a person is asked.
    Person {
        /// What.
        step: TaskStep,
    },
}

/// What an idempotency key stands for, beside the run: its text is the store's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Keyed {
    /// The body's SHA-256, as base64.
    pub(crate) body_sha256: String,
    /// Until when it is remembered.
    pub(crate) until: Timestamp,
}

/// From where a run comes, when not from an event from outside.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Lineage {
    /// How many runs stand between the event with which it began and one from outside.
    #[serde(default)]
    pub(crate) hops: u32,
    /// Who runs it as a child.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) parent: Option<Parent>,
}

/// Who runs a run as a child.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Parent {
    /// The run.
    pub(crate) run: RunId,
    /// The task, and which visit of it.
    pub(crate) task: CallId,
    /// Which attempt of it.
    pub(crate) attempt: u32,
}

impl Lineage {
    fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

#[derive(Serialize)]
struct Out<'a> {
    v: u32,
    entry: &'a Journaled,
}

/// A journal entry that this version of the platform cannot read.
#[derive(Debug, thiserror::Error)]
#[error("journal entry {index} cannot be read: {reason}")]
pub(crate) struct EntryError {
    /// Which entry, from 0.
    pub(crate) index: usize,
    /// Why.
    pub(crate) reason: String,
}

/// The entry as stored.
pub(crate) fn encode(at: Timestamp, entry: &Journaled) -> Entry {
    let bounded = matches!(entry, Journaled::Start { start, .. } if start.deadline.is_some());
    let v = if bounded { WITH_DEADLINE } else { VERSION };
    let body = serde_json::to_vec(&Out { v, entry }).expect("journal entries are plain data");
    Entry { at, body: Bytes::from(body) }
}

/// The release by which a run is worked on: the one to which it was pinned last.
pub(crate) fn pinned<'a>(first: &'a str, journal: &[Entry]) -> Result<Cow<'a, str>, EntryError> {
    /// Stands in every entry that pins anew, and hardly in any other one.
    const TELLS: &[u8] = b"\"repinned\"";
    for (index, entry) in journal.iter().enumerate().rev() {
        if entry.body.windows(TELLS.len()).any(|part| part == TELLS)
            && let Journaled::Repinned { release, .. } = decode(index, entry)?
        {
            return Ok(Cow::Owned(release));
        }
    }
    Ok(Cow::Borrowed(first))
}

/// The entry as written by this or an earlier version.
pub(crate) fn decode(index: usize, entry: &Entry) -> Result<Journaled, EntryError> {
    #[derive(Deserialize)]
    struct Version {
        v: u32,
    }
    #[derive(Deserialize)]
    struct In {
        entry: Journaled,
    }
    let unreadable = |reason: String| EntryError { index, reason };
    let version: Version =
        serde_json::from_slice(&entry.body).map_err(|e| unreadable(e.to_string()))?;
    match version.v {
        VERSION | WITH_DEADLINE => serde_json::from_slice::<In>(&entry.body)
            .map(|stored| stored.entry)
            .map_err(|e| unreadable(e.to_string())),
        newer => Err(unreadable(format!(
            "it has version {newer}, this binary reads up to {WITH_DEADLINE}: use the binary that wrote it, or a newer one"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use qc_workflow::{Deadline, RuntimeFacts};
    use serde_json::{Value, json};

    use super::*;

    fn start(deadline: Option<Deadline>) -> Journaled {
        let runtime =
            RuntimeFacts { name: "qc".into(), version: "0".into(), metadata: Value::Null };
        let (at, input) = (Timestamp::from_millis(5), json!({}));
        let (run, origin) = ("r".to_owned(), "r".to_owned());
        let start = Start { run, origin, input, at, entropy: 1, runtime, depth: 0, deadline };
        Journaled::Start {
            start: Box::new(start),
            traceparent: None,
            earlier: Vec::new(),
            keyed: None,
            line: None,
            held: false,
            lineage: Lineage::default(),
        }
    }

    /// Beside an older binary, during an upgrade, a run with a deadline is one that it says it cannot read.
    #[test]
    fn only_a_start_that_an_older_binary_would_fold_otherwise_has_a_newer_version() {
        let deadline = Deadline { at: Timestamp::from_millis(9), within_ms: 4 };
        for (deadline, version) in [(None, 1), (Some(deadline), 2)] {
            let entry = encode(Timestamp::from_millis(5), &start(deadline));
            let body: Value = serde_json::from_slice(&entry.body).unwrap();
            assert_eq!(body["v"], version);
            let Ok(Journaled::Start { start, .. }) = decode(0, &entry) else {
                panic!("unreadable")
            };
            assert_eq!(start.deadline, deadline);
        }
        let newer = Entry {
            at: Timestamp::from_millis(5),
            body: Bytes::from_static(br#"{"v":3,"entry":{"what":"begun"}}"#),
        };
        let error = decode(0, &newer).unwrap_err().to_string();
        assert!(error.contains("it has version 3, this binary reads up to 2"), "{error}");
    }
}
