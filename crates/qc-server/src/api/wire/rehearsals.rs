use std::collections::BTreeMap;

use qc_engine::{RehearsedRun, Rehearsing, Verdict};
use qc_model::Name;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// So many runs are named for each difference.
const NAMED: usize = 5;

/// Which past runs are played.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RehearseRuns {
    /// At most so many: 1 to 200; 50 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<usize>,
    /// Only runs accepted at or after this RFC 3339 time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Only this run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// Which of many are drawn: the same seed draws the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
}

/// Past runs, played on a candidate.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Rehearsal {
    /// The version of this form.
    pub schema_version: u32,
    /// Where the runs were.
    pub environment: String,
    /// The integration.
    pub integration: String,
    /// The candidate: its hash.
    pub release: String,
    /// With which seed the runs were drawn.
    pub seed: u64,
    /// From how many runs they were drawn.
    pub found: usize,
    /// Whether there were more than are looked at.
    pub more: bool,
    /// How many were compared.
    pub compared: usize,
    /// How many of those have the same effects.
    pub same: usize,
    /// How many have others.
    pub differ: usize,
    /// How many could not be compared.
    pub incomparable: usize,
    /// How many were not reached in the time that there is.
    pub left: usize,
    /// What differs, the same differences of several runs together; what most runs have comes first.
    pub differences: Vec<EffectDifference>,
    /// Every run that was played, the oldest first.
    pub runs: Vec<Rehearsed>,
}

/// An effect that is different.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct EffectDifference {
    /// In which way: `event`, `added`, `missing`, `changed`, `moved`, `attempts`, `policy`, `unfinished`, `outcome`,
    /// `reply`.
    pub kind: String,
    /// Which effect: `tracker.createTicket`, `emit order.paid`; empty where it is the run's end or its event.
    pub effect: String,
    /// The task; empty as above.
    pub task: String,
    /// The fields, where they changed.
    pub fields: Vec<FieldDiffers>,
    /// What more there is to say.
    pub detail: String,
    /// In how many runs.
    pub count: usize,
    /// Some of those.
    pub runs: Vec<String>,
}

/// A field that is different. Its values are not told.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct FieldDiffers {
    /// Where: a JSON Pointer. `*` stands for a name that may be data itself.
    pub pointer: String,
    /// What was there: the kind of value, and where it came from when that is plain.
    pub was: String,
    /// What is there now.
    pub is: String,
}

/// A run that was played.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Rehearsed {
    /// The run.
    pub run: String,
    /// The release that ran.
    pub release: String,
    /// When its event was accepted.
    pub accepted_at: String,
    /// `same`, `differs` or `incomparable`.
    pub verdict: String,
    /// Why it could not be compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Rehearsal {
    /// What was found.
    pub(crate) fn of(asked: &Rehearsing, played: &qc_engine::Rehearsal) -> Self {
        let count =
            |is: fn(&Verdict) -> bool| played.runs.iter().filter(|run| is(&run.verdict)).count();
        let same = count(|verdict| matches!(verdict, Verdict::Same));
        let differ = count(|verdict| matches!(verdict, Verdict::Differs(_)));
        let incomparable = count(|verdict| matches!(verdict, Verdict::Incomparable(_)));
        Self {
            schema_version: 1,
            environment: asked.environment.to_string(),
            integration: asked.integration.to_string(),
            release: played.release.clone(),
            seed: asked.seed,
            found: played.found,
            more: played.more,
            compared: same + differ,
            same,
            differ,
            incomparable,
            left: played.left,
            differences: together(&played.runs),
            runs: played.runs.iter().map(Rehearsed::from).collect(),
        }
    }
}

/// The same differences of several runs, told once.
fn together(runs: &[RehearsedRun]) -> Vec<EffectDifference> {
    let mut groups: BTreeMap<&qc_engine::Difference, Vec<&RehearsedRun>> = BTreeMap::new();
    for run in runs {
        let Verdict::Differs(differences) = &run.verdict else { continue };
        for difference in differences {
            let of = groups.entry(difference).or_default();
            // One that a run has several times counts once.
            if of.last().is_none_or(|last| last.run != run.run) {
                of.push(run);
            }
        }
    }
    let mut all: Vec<EffectDifference> = groups
        .into_iter()
        .map(|(one, of)| EffectDifference {
            kind: one.kind.as_str().to_owned(),
            effect: one.effect.clone(),
            task: one.task.clone(),
            fields: one
                .fields
                .iter()
                .map(|field| FieldDiffers {
                    pointer: field.pointer.clone(),
                    was: field.was.clone(),
                    is: field.is.clone(),
                })
                .collect(),
            detail: one.detail.clone(),
            count: of.len(),
            runs: of.iter().take(NAMED).map(|run| run.run.to_string()).collect(),
        })
        .collect();
    all.sort_by_key(|one| std::cmp::Reverse(one.count));
    all
}

impl From<&RehearsedRun> for Rehearsed {
    fn from(run: &RehearsedRun) -> Self {
        let (verdict, reason) = match &run.verdict {
            Verdict::Same => ("same", None),
            Verdict::Differs(_) => ("differs", None),
            Verdict::Incomparable(why) => ("incomparable", Some(why.as_str().to_owned())),
        };
        Self {
            run: run.run.to_string(),
            release: run.release.clone(),
            accepted_at: run.accepted_at.to_string(),
            verdict: verdict.to_owned(),
            reason,
        }
    }
}

/// Of which events fixtures are made.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordEvents {
    /// At most so many fixtures: 1 to 50; 5 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<usize>,
    /// Only of events accepted at or after this RFC 3339 time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Which of many are drawn: the same seed draws the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
}

/// Fixtures made of what really came in.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Recording {
    /// The version of this form.
    pub schema_version: u32,
    /// Where the events came in.
    pub environment: String,
    /// The integration.
    pub integration: String,
    /// The trigger.
    pub trigger: String,
    /// How many events were looked at.
    pub looked_at: usize,
    /// Each of another form; the form of most events comes first.
    pub fixtures: Vec<RecordedFixture>,
    /// How many forms there were beyond those that were asked for.
    pub more_forms: usize,
    /// Events that do not keep the contract that is deployed now.
    pub misfits: usize,
    /// Events that are too large, or no JSON.
    pub unusable: usize,
    /// Forms that could not be masked so that they keep the contract.
    pub unmaskable: usize,
    /// Some places at which no other value keeps the contract: JSON Pointers.
    pub places: Vec<String>,
}

/// An example of a contract, with nothing of anybody in it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct RecordedFixture {
    /// Tells it apart.
    pub name: String,
    /// The event's data, masked.
    pub document: Value,
    /// How many of the events that were looked at have its form.
    pub stands_for: usize,
}

impl Recording {
    /// What was made.
    pub(crate) fn of(asked: &Rehearsing, trigger: &Name, made: qc_engine::Recording) -> Self {
        let fixtures = made.fixtures.into_iter().map(|one| RecordedFixture {
            name: one.name,
            document: one.document,
            stands_for: one.stands_for,
        });
        Self {
            schema_version: 1,
            environment: asked.environment.to_string(),
            integration: asked.integration.to_string(),
            trigger: trigger.to_string(),
            looked_at: made.looked_at,
            fixtures: fixtures.collect(),
            more_forms: made.more_forms,
            misfits: made.misfits,
            unusable: made.unusable,
            unmaskable: made.unmaskable,
            places: made.places,
        }
    }
}
