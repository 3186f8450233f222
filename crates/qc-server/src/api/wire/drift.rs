//! Drift of others.

use std::collections::BTreeMap;

use qc_connect::connector::{Coercion, Repairs, Spot};
use qc_engine::{CanaryOutcome, CanaryStanding, DriftFinding, DriftReleased, DriftSeen};
use qc_model::RunId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One way in which an operation's answers are no longer what an integration was told they are.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct DriftFound {
    /// Its name.
    pub finding: String,
    /// `breaking` (a contract is broken) or `end` (the provider says that the operation ends).
    pub kind: String,
    /// Where.
    pub environment: String,
    /// Who calls the operation.
    pub integration: String,
    /// The connector, or the document's address.
    pub connector: String,
    /// The operation.
    pub operation: String,
    /// Whose it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The release that saw it last.
    pub release: String,
    /// When it was first seen.
    pub first_at: String,
    /// When it was last seen.
    pub last_at: String,
    /// In how many answers.
    pub count: u64,
    /// How many of those came to canary calls.
    #[serde(default)]
    pub canaries: u64,
    /// What differs: fields and kinds, never values.
    pub diff: Vec<DriftDiffers>,
    /// The parked runs that met it, the newest first; at most 100.
    pub parked: Vec<String>,
}

/// One difference.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct DriftDiffers {
    /// JSON Pointer in the answer, `*` for the items of a list.
    pub pointer: String,
    /// The violated keyword; `deprecation` or `sunset` for what the provider says.
    pub keyword: String,
    /// What differs.
    pub message: String,
}

/// One finding.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct DriftShown {
    /// The version of this form.
    pub schema_version: u32,
    /// The finding.
    #[serde(flatten)]
    pub finding: DriftFound,
}

/// What was seen of an operation's answers.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct DriftOperation {
    /// Where.
    pub environment: String,
    /// Who calls it.
    pub integration: String,
    /// The connector, or the document's address.
    pub connector: String,
    /// The operation.
    pub operation: String,
    /// Whose the connector is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The shapes, at most 64.
    pub shapes: Vec<DriftSeenShape>,
    /// How many times something was seen for which there was no room.
    pub left_out: u64,
    /// Whether the provider says that it is deprecated.
    pub deprecated: bool,
    /// From when on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deprecated_at: Option<String>,
    /// When it is expected to stop answering.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sunset: Option<String>,
    /// Where the provider says more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

/// One shape.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct DriftSeenShape {
    /// `breaking`, `additive` (more than was promised) or `repaired` (put right as the connector declares).
    pub kind: String,
    /// JSON Pointer in the answer, `*` for the items of a list.
    pub pointer: String,
    /// The keyword that it is about.
    pub keyword: String,
    /// What was seen.
    pub message: String,
    /// The status of the answer that came last.
    pub status: u16,
    /// When it was first seen.
    pub first_at: String,
    /// When it was last seen.
    pub last_at: String,
    /// In how many answers.
    pub count: u64,
    /// The release that saw it last.
    pub release: String,
}

/// An operation that is asked on a schedule.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct DriftCanary {
    /// Where.
    pub environment: String,
    /// Against whose contract the answer is held.
    pub integration: String,
    /// The connector.
    pub connector: String,
    /// The operation.
    pub operation: String,
    /// How often it is asked, in seconds.
    pub every_seconds: u64,
    /// Whether it is asked in this environment at all.
    pub on: bool,
    /// When it was asked last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_at: Option<String>,
    /// When it is asked next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_at: Option<String>,
    /// What came last: `fits`, `breaks` (see `finding`), `failed` (see `code`), or `none` when nothing came yet.
    pub outcome: String,
    /// The finding of an answer that breaks the contract.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finding: Option<String>,
    /// The code of a call that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What that was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// How often it was asked.
    pub sent: u64,
    /// How often it failed.
    pub failed: u64,
}

/// How answers are put right.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResumeDrift {
    /// The place of a field that came under a new name (a JSON Pointer, `*` for every item of a list), and the name that
    /// the contract has for it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub aliases: BTreeMap<String, String>,
    /// The place of a value that came in another form, and the form that the contract wants: `number`, `text`, `boolean`,
    /// `absent`, `list` or `single`. Only what can be had back is changed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub coerce: BTreeMap<String, String>,
    /// Only runs before this one: `next` of the answer before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
}

/// What became of the runs.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct DriftResumed {
    /// The version of this form.
    pub schema_version: u32,
    /// These go on.
    pub going_on: Vec<String>,
    /// These stay parked.
    pub staying: Vec<DriftStaying>,
    /// There are more: pass it on as `before`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A run that stays parked.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct DriftStaying {
    /// The run.
    pub run: String,
    /// Why.
    pub reason: String,
}

impl ResumeDrift {
    /// What is given. Errors: in words, why it cannot be used.
    pub(crate) fn repairs(&self) -> Result<Repairs, String> {
        let mut repairs = Repairs::default();
        for (spot, name) in &self.aliases {
            repairs.aliases.insert(spot.parse::<Spot>()?, name.clone());
        }
        for (spot, word) in &self.coerce {
            let how = Coercion::parse(word).ok_or_else(|| {
                format!("`{word}` is none of number, text, boolean, absent, list, single")
            })?;
            repairs.coerce.insert(spot.parse::<Spot>()?, how);
        }
        repairs.refused().map_or(Ok(repairs), Err)
    }
}

impl DriftFound {
    pub(crate) fn of(finding: &DriftFinding, runs: &[RunId]) -> Self {
        let differs = finding.diff.iter().map(|one| DriftDiffers {
            pointer: one.pointer.clone(),
            keyword: one.keyword.clone(),
            message: one.message.clone(),
        });
        Self {
            finding: finding.id.clone(),
            kind: finding.kind.as_str().to_owned(),
            environment: finding.environment.to_string(),
            integration: finding.integration.to_string(),
            connector: finding.connector.clone(),
            operation: finding.operation.clone(),
            owner: finding.owner.clone(),
            release: finding.release.clone(),
            first_at: finding.first_at.to_string(),
            last_at: finding.last_at.to_string(),
            count: finding.count,
            canaries: finding.canaries,
            diff: differs.collect(),
            parked: runs.iter().map(ToString::to_string).collect(),
        }
    }
}

impl From<&CanaryStanding> for DriftCanary {
    fn from(one: &CanaryStanding) -> Self {
        let (outcome, finding, failure) = match &one.outcome {
            None => ("none", None, None),
            Some(CanaryOutcome::Fits) => ("fits", None, None),
            Some(CanaryOutcome::Breaks { finding }) => ("breaks", Some(finding.clone()), None),
            Some(CanaryOutcome::Failed { code, title }) => {
                ("failed", None, Some((code.clone(), title.clone())))
            }
        };
        let (code, title) = failure.unzip();
        Self {
            environment: one.environment.to_string(),
            integration: one.integration.to_string(),
            connector: one.connector.clone(),
            operation: one.operation.clone(),
            every_seconds: one.every.as_secs(),
            on: one.next_at.is_some(),
            last_at: one.last_at.map(|at| at.to_string()),
            next_at: one.next_at.map(|at| at.to_string()),
            outcome: outcome.to_owned(),
            finding,
            code,
            title,
            sent: one.sent,
            failed: one.failed,
        }
    }
}

impl From<&DriftSeen> for DriftOperation {
    fn from(seen: &DriftSeen) -> Self {
        let end = seen.end.as_ref();
        let shapes = seen.shapes.iter().map(|one| DriftSeenShape {
            kind: one.kind.as_str().to_owned(),
            pointer: one.pointer.clone(),
            keyword: one.keyword.clone(),
            message: one.message.clone(),
            status: one.status,
            first_at: one.first_at.to_string(),
            last_at: one.last_at.to_string(),
            count: one.count,
            release: one.release.clone(),
        });
        Self {
            environment: seen.environment.to_string(),
            integration: seen.integration.to_string(),
            connector: seen.connector.clone(),
            operation: seen.operation.clone(),
            owner: seen.owner.clone(),
            shapes: shapes.collect(),
            left_out: seen.left_out,
            deprecated: end.is_some_and(|end| end.deprecated),
            deprecated_at: end.and_then(|end| end.deprecated_at).map(|at| at.to_string()),
            sunset: end.and_then(|end| end.sunset).map(|at| at.to_string()),
            link: end.and_then(|end| end.link.clone()),
        }
    }
}

impl From<DriftReleased> for DriftResumed {
    fn from(done: DriftReleased) -> Self {
        let staying = done.staying.into_iter();
        Self {
            schema_version: 1,
            going_on: done.going_on.iter().map(ToString::to_string).collect(),
            staying: staying
                .map(|(run, reason)| DriftStaying { run: run.to_string(), reason })
                .collect(),
            next: done.next.map(|run| run.to_string()),
        }
    }
}
