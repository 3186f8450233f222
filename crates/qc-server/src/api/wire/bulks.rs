//! Work on many runs.

use std::collections::BTreeMap;

use qc_engine::BulkState;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{WhichRelease, failures::actor};

/// What is to be done to which runs. At least one of integration, group, fingerprint, code, trigger, release, subject,
/// key, value, event, trace, since and until is needed.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanBulk {
    /// `replay`, `retry`, `discard` or `cancel`.
    pub deed: String,
    /// Why; it stands in the audit of each run.
    pub reason: String,
    /// Only this environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// Only this integration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub integration: Option<String>,
    /// Only this tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Only these statuses; all to which the deed can be done when left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub statuses: Vec<String>,
    /// Only runs accepted (of dead letters: that died) at or after this RFC 3339 time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Only runs accepted (of dead letters: that died) before this RFC 3339 time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Only runs of this trigger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger: Option<String>,
    /// Only runs of this release: its whole hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    /// Only runs with this business subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Only runs with this business key: `name=value`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Only runs with a business key of this value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Only runs of this event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// Only runs of this sender's trace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// Only runs that died of what this group of failures died of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Only runs that died of this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// Only runs that died with this code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Of replay and retry: also when the line of a run's key has gone on without it.
    #[serde(default)]
    pub out_of_order: bool,
    /// Of cancel: undo what the runs did, as their integration's `compensation` says.
    #[serde(default)]
    pub compensate: bool,
    /// Of retry: with which release, `own` (when left out) or `newest`; runs of another workflow are refused one by one.
    #[serde(default)]
    pub retry_release: WhichRelease,
}

/// How to carry a plan out.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StartBulk {
    /// Runs per second, 1 to 1,000; 10 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<u32>,
    /// The digest of the plan that was looked at; another plan is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// Work on many runs.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Bulk {
    /// The version of this form.
    pub schema_version: u32,
    /// Its id.
    pub bulk: String,
    /// `replay`, `retry`, `discard` or `cancel`.
    pub deed: String,
    /// Why.
    pub reason: String,
    /// `planned`, `running`, `done` or `aborted`.
    pub state: String,
    /// Where, when it is in one environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// Of which integration, when it is of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub integration: Option<String>,
    /// When it was planned.
    pub planned_at: String,
    /// By whom.
    pub planned_by: String,
    /// Until when a plan may be started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub startable_until: Option<String>,
    /// SHA-256 over what is done to which runs: two plans with one digest do the same.
    pub digest: String,
    /// How many runs it has.
    pub total: u64,
    /// Those by environment and integration.
    pub by_integration: BTreeMap<String, u64>,
    /// Those by their status when it was planned.
    pub by_status: BTreeMap<String, u64>,
    /// Those by what they died of.
    pub by_fingerprint: BTreeMap<String, u64>,
    /// Some of the runs, the oldest first.
    pub sample: Vec<String>,
    /// Runs per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<u32>,
    /// When it was started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    /// By whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_by: Option<String>,
    /// When it came to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
    /// Why and by whom it was stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aborted: Option<String>,
    /// How many of its runs were gone through.
    pub looked_at: u64,
    /// To how many it was done.
    pub done: u64,
    /// To how many it could not be done as they were.
    pub refused: u64,
    /// The last of those, with the reason; at most 50.
    pub refusals: Vec<BulkRefusal>,
}

/// A run to which it could not be done.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct BulkRefusal {
    /// The run.
    pub run: String,
    /// Why.
    pub reason: String,
}

impl From<&qc_engine::Bulk> for Bulk {
    fn from(bulk: &qc_engine::Bulk) -> Self {
        let text = |at: qc_model::Timestamp| at.to_string();
        let (ended_at, aborted) = match &bulk.state {
            BulkState::Planned | BulkState::Running => (None, None),
            BulkState::Done { at } => (Some(*at), None),
            BulkState::Aborted { at, by, reason } => {
                (Some(*at), Some(format!("{}: {reason}", actor(by))))
            }
        };
        let planned = bulk.state == BulkState::Planned;
        let refusals = bulk.progress.refusals.iter();
        Self {
            schema_version: 1,
            bulk: bulk.id.to_string(),
            deed: bulk.deed.as_str().to_owned(),
            reason: bulk.reason.clone(),
            state: bulk.state.as_str().to_owned(),
            environment: bulk.filter.environment.as_ref().map(ToString::to_string),
            integration: bulk.filter.integration.as_ref().map(ToString::to_string),
            planned_at: text(bulk.planned_at),
            planned_by: actor(&bulk.planned_by),
            startable_until: planned.then(|| text(bulk.startable_until())),
            digest: bulk.digest.clone(),
            total: bulk.total,
            by_integration: bulk.by_integration.clone(),
            by_status: bulk.by_status.clone(),
            by_fingerprint: bulk.by_fingerprint.clone(),
            sample: bulk.sample.iter().map(ToString::to_string).collect(),
            rate: bulk.started.is_some().then_some(bulk.rate),
            started_at: bulk.started.as_ref().map(|(at, _)| text(*at)),
            started_by: bulk.started.as_ref().map(|(_, by)| actor(by)),
            ended_at: ended_at.map(text),
            aborted,
            looked_at: bulk.progress.looked_at,
            done: bulk.progress.done,
            refused: bulk.progress.refused,
            refusals: refusals
                .map(|it| BulkRefusal { run: it.run.to_string(), reason: it.reason.clone() })
                .collect(),
        }
    }
}
