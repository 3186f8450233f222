//! Tasks of people.

use qc_engine::{PersonTask, StuckAct, TaskState};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a person is asked.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Task {
    /// The version of this form.
    pub schema_version: u32,
    /// Its id: the run's, a dot, a number.
    pub id: String,
    /// `approve`, `choose`, `fill`, or `stuck`: a run that cannot go on by itself.
    pub kind: String,
    /// `open`, `claimed`, `decided`, `acted`, `expired` or `closed`.
    pub state: String,
    /// What is asked, in a line.
    pub title: String,
    /// The run that asks.
    pub run: String,
    /// Whose run.
    pub tenant: String,
    /// Where it runs.
    pub environment: String,
    /// Of which integration.
    pub integration: String,
    /// What the run is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Who is asked: people and teams of the owner directory, the last one last.
    pub asked: Vec<String>,
    /// Who is asked next, and when, as long as nobody takes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<NextAsked>,
    /// When it was opened.
    pub opened_at: String,
    /// Until when it can be answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<String>,
    /// The answer that counts after that; left out, the call fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_expiry: Option<String>,
    /// Who took it, answered it or acted, by the id of the owner directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When that was, or when it ended by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// The answer, or the act.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<String>,
    /// Why; for a closed task, why it needs no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What can be answered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<TaskOption>,
    /// What can be done with a run that cannot go on by itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<Act>,
    /// The hash of `of`: it goes back with the answer.
    pub hash: String,
    /// What is asked in more words. Left out of lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The data to look at. Left out of lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<Value>,
    /// The JSON Schema of a form. Left out of lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Value>,
    /// The values of a form that was filled. Left out of lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
}

/// One of the answers that can be given.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct TaskOption {
    /// What is sent as the decision.
    pub id: String,
    /// What it means.
    pub title: String,
}

/// Who is asked next.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct NextAsked {
    /// The person or team.
    pub to: String,
    /// When.
    pub at: String,
}

/// How a run goes on that cannot by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Try again: what was in the way is mended, or the call certainly did not take effect.
    Resume,
    /// Go on without the call: `output` is its answer.
    Skip,
    /// End the run and undo what it did.
    Compensate,
    /// Give it up.
    Discard,
}

/// An answer to a task.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DecideTask {
    /// `approved` or `rejected`; the id of an option; `filled` for a form.
    pub decision: String,
    /// The values of a form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
    /// Why; it stands in the journal and in the audit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The hash of what was seen; needed when the task shows something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
}

/// How a run is to go on.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ActOnTask {
    /// How.
    pub act: Act,
    /// What the workflow sees as the call's answer; for `skip`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Value>,
    /// Why; it stands in the journal and in the audit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl From<Act> for StuckAct {
    fn from(act: Act) -> Self {
        match act {
            Act::Resume => Self::Resume,
            Act::Skip => Self::Skip,
            Act::Compensate => Self::Compensate,
            Act::Discard => Self::Discard,
        }
    }
}

impl From<StuckAct> for Act {
    fn from(act: StuckAct) -> Self {
        match act {
            StuckAct::Resume => Self::Resume,
            StuckAct::Skip => Self::Skip,
            StuckAct::Compensate => Self::Compensate,
            StuckAct::Discard => Self::Discard,
        }
    }
}

impl Task {
    /// Without what is shown to those who are asked.
    pub(crate) fn outside(task: &PersonTask) -> Self {
        let mut shown = Self {
            schema_version: 1,
            id: task.id().to_string(),
            kind: task.kind.as_str().to_owned(),
            state: task.state.as_str().to_owned(),
            title: task.title.clone(),
            run: task.run.to_string(),
            tenant: task.tenant.to_string(),
            environment: task.environment.to_string(),
            integration: task.integration.to_string(),
            subject: task.subject.clone(),
            asked: task.asked().map(str::to_owned).collect(),
            next: task
                .next_asked()
                .map(|(to, at)| NextAsked { to: to.to_owned(), at: at.to_string() }),
            opened_at: task.opened_at.to_string(),
            deadline: task.deadline.map(|at| at.to_string()),
            on_expiry: task.on_expiry.clone(),
            by: None,
            at: None,
            decision: None,
            reason: None,
            options: task
                .options
                .iter()
                .map(|one| TaskOption { id: one.id.clone(), title: one.title.clone() })
                .collect(),
            actions: task.actions.iter().map(|act| Act::from(*act)).collect(),
            hash: task.hash.clone(),
            description: None,
            of: None,
            schema: None,
            data: None,
        };
        match &task.state {
            TaskState::Open => {}
            TaskState::Claimed { by, at } => {
                (shown.by, shown.at) = (Some(by.id.clone()), Some(at.to_string()));
            }
            TaskState::Decided { decision } => {
                (shown.by, shown.at) =
                    (Some(decision.by.id.clone()), Some(decision.at.to_string()));
                (shown.decision, shown.reason) =
                    (Some(decision.answer.clone()), decision.reason.clone());
            }
            TaskState::Acted { act, by, at, reason } => {
                (shown.by, shown.at) = (Some(by.id.clone()), Some(at.to_string()));
                (shown.decision, shown.reason) = (Some(act.as_str().to_owned()), reason.clone());
            }
            TaskState::Expired { at, answer } => {
                (shown.at, shown.decision) = (Some(at.to_string()), answer.clone());
            }
            TaskState::Closed { at, why } => {
                (shown.at, shown.reason) = (Some(at.to_string()), Some(why.clone()));
            }
        }
        shown
    }

    /// With everything.
    pub(crate) fn whole(task: &PersonTask) -> Self {
        let data = match &task.state {
            TaskState::Decided { decision } => decision.data.clone(),
            _ => None,
        };
        Self {
            description: task.description.clone(),
            of: (!task.of.is_null()).then(|| task.of.clone()),
            schema: task.schema.clone(),
            data,
            ..Self::outside(task)
        }
    }
}
