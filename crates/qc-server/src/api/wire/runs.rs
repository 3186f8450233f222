//! Runs and dead letters.

use std::collections::BTreeMap;

use qc_store::{DeadLetter, Priority, RunHead, RunKey};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::failures::Meant;

/// A run as it stands.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Run {
    /// Its id.
    pub run: String,
    /// `running`, `waiting`, `parked`, `completed`, `faulted` or `cancelled`.
    pub status: String,
    /// Why it will go on: `activity`, `timer`, `event`, `child`, `parked`, `turn` (it stands in a line); `ended` when it is at its end.
    pub cause: String,
    /// The failure, or what it is parked for, in a line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// Whose it is.
    pub tenant: String,
    /// Where it runs.
    pub environment: String,
    /// Which integration.
    pub integration: String,
    /// Which trigger took the event.
    pub trigger: String,
    /// The release to which it is pinned.
    pub release: String,
    /// The event.
    pub event: String,
    /// What the event is about in business words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The sender's trace, when it named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// Its business keys, by name: what the integration's `search_keys` found and ids that the sender gave. In lists they
    /// are left out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub keys: BTreeMap<String, Vec<String>>,
    /// The first run of its chain of replays.
    pub origin: String,
    /// The run that it replays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay_of: Option<String>,
    /// `high` when it goes before the others, `low` when behind them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<String>,
    /// When its event was accepted.
    pub accepted_at: String,
    /// When it changed last.
    pub updated_at: String,
    /// When its next timer is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wake_at: Option<String>,
    /// Rises with every step.
    pub version: u64,
    /// The run that runs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// The runs that it runs, the newest first; only where one run is shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<ChildRun>,
}

/// A run that another one runs.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ChildRun {
    /// Its id.
    pub run: String,
    /// Which integration.
    pub integration: String,
    /// How it stands.
    pub status: String,
}

impl Run {
    /// With the run that runs it and those that it runs.
    pub(crate) fn with_family(
        head: &RunHead,
        (parent, children): (Option<qc_model::RunId>, Vec<RunHead>),
    ) -> Self {
        let child = |head: &RunHead| ChildRun {
            run: head.facts.id.to_string(),
            integration: head.facts.integration.to_string(),
            status: head.state.status.as_str().to_owned(),
        };
        Self {
            parent: parent.map(|run| run.to_string()),
            children: children.iter().map(child).collect(),
            ..Self::from(head)
        }
    }
}

impl From<&RunHead> for Run {
    fn from(head: &RunHead) -> Self {
        let (facts, state) = (&head.facts, &head.state);
        Self {
            run: facts.id.to_string(),
            status: state.status.as_str().to_owned(),
            cause: state.cause.as_str().to_owned(),
            summary: state.summary.clone(),
            tenant: facts.tenant.to_string(),
            environment: facts.environment.to_string(),
            integration: facts.integration.to_string(),
            trigger: facts.trigger.to_string(),
            release: facts.release.clone(),
            event: facts.event.to_string(),
            subject: facts.subject.clone(),
            trace: facts.trace.clone(),
            keys: BTreeMap::new(),
            origin: facts.origin.to_string(),
            replay_of: facts.replay_of.map(|run| run.to_string()),
            priority: match facts.priority {
                Priority::High => Some("high".to_owned()),
                Priority::Normal => None,
                Priority::Low => Some("low".to_owned()),
            },
            accepted_at: facts.accepted_at.to_string(),
            updated_at: state.updated_at.to_string(),
            wake_at: state.wake_at.map(|at| at.to_string()),
            version: head.version,
            parent: None,
            children: Vec::new(),
        }
    }
}

impl Run {
    /// The same with its business keys.
    pub(crate) fn with_keys(mut self, keys: Vec<RunKey>) -> Self {
        for RunKey { name, value } in keys {
            self.keys.entry(name).or_default().push(value);
        }
        self
    }
}

/// A run with its payloads and everything that happened in it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct RunJournal {
    /// The version of this form.
    pub schema_version: u32,
    /// The run.
    pub run: Run,
    /// The workflow's input.
    pub input: Value,
    /// How it ended, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<RunEnd>,
    /// What was undone after its failure or cancellation, the last task first: the task's call, and the failure when it
    /// could not be undone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub undone: Vec<Value>,
    /// What was done in another way than by its call, while a system was not there; of a run that is at its end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub substituted: Vec<Substituted>,
    /// The journal, oldest first; each entry has `at` and `what`.
    pub journal: Vec<Value>,
}

/// A task that was done in another way than by its call.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Substituted {
    /// The task.
    pub task: String,
    /// Its place and visit.
    pub call: String,
    /// The system that was not there.
    pub system: String,
    /// `fallback`: another operation was called; `value`: a declared output stands for it.
    pub by: String,
    /// The code of the failure.
    pub code: String,
}

impl From<&qc_engine::Substitution> for Substituted {
    fn from(one: &qc_engine::Substitution) -> Self {
        let by = match one.by {
            qc_engine::Substitute::Fallback => "fallback",
            qc_engine::Substitute::Value => "value",
        };
        Self {
            task: one.task.to_string(),
            call: one.call.to_string(),
            system: one.system.to_string(),
            by: by.to_owned(),
            code: one.code.to_string(),
        }
    }
}

/// How a run ended.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum RunEnd {
    /// Well.
    Completed {
        /// The workflow's output.
        output: Value,
    },
    /// In failure.
    Faulted {
        /// The failure: class, code, page, title, detail, whether it was applied, what to do, the hop at which it
        /// failed, its owner and how the owner is reached.
        failure: Value,
        /// The workflow language's error object.
        error: Value,
    },
    /// By somebody's decision.
    Cancelled {
        /// Why.
        reason: String,
    },
}

/// A run that ended in failure and waits for a person.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Dead {
    /// The run.
    pub run: String,
    /// Whose.
    pub tenant: String,
    /// Where.
    pub environment: String,
    /// Which integration.
    pub integration: String,
    /// When it died.
    pub at: String,
    /// `open`, `retried` or `discarded`.
    pub state: String,
    /// Groups like failures.
    pub fingerprint: String,
    /// The failure's code.
    pub code: String,
    /// What that means.
    #[serde(flatten)]
    pub meant: Meant,
    /// What happened, in a line.
    pub summary: String,
}

impl From<&DeadLetter> for Dead {
    fn from(letter: &DeadLetter) -> Self {
        Self {
            run: letter.run.to_string(),
            tenant: letter.tenant.to_string(),
            environment: letter.environment.to_string(),
            integration: letter.integration.to_string(),
            at: letter.at.to_string(),
            state: letter.state.as_str().to_owned(),
            fingerprint: letter.fingerprint.clone(),
            code: letter.code.clone(),
            meant: Meant::of(&letter.code, &letter.fingerprint),
            summary: letter.summary.clone(),
        }
    }
}

/// How to replay a run.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplayRequest {
    /// Make all effects anew. Required with another input.
    #[serde(default)]
    pub new_effects: bool,
    /// Run with this input in place of the old one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
    /// Begin at once, whoever else stands in the line of its key.
    #[serde(default)]
    pub out_of_order: bool,
}

/// How to open a dead letter's run again.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RetryRequest {
    /// Also when the line of its key has gone on without it.
    #[serde(default)]
    pub out_of_order: bool,
    /// With which release: `own` (when left out) or `newest`, the one that is deployed now; refused when that has another
    /// workflow.
    #[serde(default)]
    pub release: WhichRelease,
}

/// With which release a run goes on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WhichRelease {
    /// Its own.
    #[default]
    Own,
    /// The one that is deployed now.
    Newest,
}

/// Why something is done; it stands in the audit.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// In words.
    pub reason: String,
}

/// How to end a run.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelRequest {
    /// Why; it stands in the audit.
    pub reason: String,
    /// Undo what it did, as its integration's `compensation` says.
    #[serde(default)]
    pub compensate: bool,
}

/// Whether an ambiguous effect took place.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "resolution", rename_all = "snake_case", deny_unknown_fields)]
pub enum ResolveRequest {
    /// It did.
    Applied {
        /// Of which call, `<task pointer>:<visit>`; needed when several are ambiguous.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        call: Option<String>,
        /// What the workflow sees as the call's answer.
        #[serde(default)]
        output: Value,
    },
    /// It did not: the call is sent again.
    NotApplied {
        /// Which call, `<task pointer>:<visit>`; needed when several are ambiguous.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        call: Option<String>,
    },
}

/// The id of a run.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct RunReference {
    /// The run.
    pub run: String,
    /// Where to ask for it.
    pub status_url: String,
}

/// One thing that just happened; more fields by `what`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Happening {
    /// When.
    pub at: String,
    /// In which run.
    pub run: String,
    /// Of which integration.
    pub integration: String,
    /// `accepted`, `task`, `attempt`, `parked`, `ended` or `missed` (the reader was too slow).
    pub what: String,
}
