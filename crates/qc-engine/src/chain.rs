//! What the earlier runs of a chain of replays have done to the outside: a replay under the same
//! keys does none of it again.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use qc_model::{BlobHash, BlobValue, Timestamp};
use qc_workflow::{CallId, CallOutput, Effect, Happening as Told};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Deployment,
    entry::{self, Journaled},
    recover::{RecoverError, fold},
};

/// One call of an earlier run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct EarlierCall {
    /// Which.
    pub(crate) call: CallId,
    /// What became of it.
    #[serde(flatten)]
    pub(crate) outcome: Earlier,
}

/// What became of a call of an earlier run.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "earlier", rename_all = "snake_case")]
pub(crate) enum Earlier {
    /// It took effect: this was its answer.
    Answered {
        /// The answer.
        output: CallOutput,
    },
    /// It may have taken effect.
    Doubtful {
        /// When it may have been sent first.
        first_sent_at: Timestamp,
    },
}

/// What an ended run knows of the calls that must not be made twice: its own, and those that it
/// knew from the runs before it.
pub(crate) fn effects_of(
    deployment: &Deployment,
    journal: &[qc_store::Entry],
) -> Result<Vec<EarlierCall>, RecoverError> {
    let repeatable: HashSet<&str> = deployment
        .release
        .program
        .calls()
        .filter(|site| site.policy.effect == Effect::Idempotent)
        .map(|site| &*site.pointer)
        .collect();
    let mut known = BTreeMap::new();
    for (index, stored) in journal.iter().enumerate() {
        match entry::decode(index, stored)? {
            Journaled::Start { earlier, .. } => {
                known.extend(earlier.into_iter().map(|one| (one.call, one.outcome)));
            }
            Journaled::Input { input } => {
                if let Told::CallSucceeded { call, output, .. } = input.happening {
                    known.insert(call, Earlier::Answered { output });
                }
            }
            Journaled::Kept { call, output, .. } => {
                known.insert(call, Earlier::Answered { output });
            }
            Journaled::NotApplied { call, .. } => {
                known.remove(&call);
            }
            Journaled::Begun
            | Journaled::NeverBegun { .. }
            | Journaled::Repinned { .. }
            | Journaled::Intent { .. }
            | Journaled::Parked { .. }
            | Journaled::Person { .. } => {}
        }
    }
    for (call, log) in fold(deployment, journal)?.log {
        if log.doubtful || log.unanswered > 0 {
            let first_sent_at = log.first_sent_at;
            known.entry(call).or_insert(Earlier::Doubtful { first_sent_at });
        }
    }
    let kept = known.into_iter().filter(|(call, _)| !repeatable.contains(&*call.pointer));
    Ok(kept.map(|(call, outcome)| EarlierCall { call, outcome }).collect())
}

/// The blobs that the answers of earlier runs name: whoever inherits the answers needs them.
pub(crate) fn blobs_in(earlier: &[EarlierCall]) -> BTreeSet<BlobHash> {
    let mut found = BTreeSet::new();
    for call in earlier {
        if let Earlier::Answered { output } = &call.outcome {
            collect_blobs(&output.content, &mut found);
        }
    }
    found
}

/// As deep as the value is: what is stored was parsed within the limits of JSON.
fn collect_blobs(value: &Value, found: &mut BTreeSet<BlobHash>) {
    if let Some(blob) = BlobValue::of(value) {
        found.insert(blob.hash);
        return;
    }
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect_blobs(item, found)),
        Value::Object(fields) => fields.values().for_each(|field| collect_blobs(field, found)),
        _ => {}
    }
}
