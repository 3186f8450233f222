//! A task of a person: what it is, and how it stands.

use std::{fmt, str::FromStr};

use qc_model::{Actor, EnvironmentName, Name, RunId, TenantName, Timestamp};
use qc_workflow::{CallId, HumanKind, HumanOption};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The version of a task as stored that is written.
pub(crate) const VERSION: u32 = 1;

/// Which task: the run's id and a number, `run_….1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskId {
    /// The run that asks.
    pub run: RunId,
    /// Its how many-th task, from 1.
    pub number: u32,
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.run, self.number)
    }
}

/// A text that names no task.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` names no task: expected a run's id, a dot and a number, such as `run_….1`")]
pub struct NoTaskId(String);

impl FromStr for TaskId {
    type Err = NoTaskId;
    fn from_str(text: &str) -> Result<Self, NoTaskId> {
        let parts = text.rsplit_once('.').and_then(|(run, number)| {
            Some(Self { run: run.parse().ok()?, number: number.parse().ok()? })
        });
        // One text for each task.
        parts.filter(|id| id.to_string() == text).ok_or_else(|| NoTaskId(text.to_owned()))
    }
}

/// What is asked of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskKind {
    /// Yes or no.
    Approve,
    /// One of several options.
    Choose,
    /// Values for a form.
    Fill,
    /// What becomes of a run that cannot go on by itself.
    Stuck,
}

impl TaskKind {
    /// The name as written and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Choose => "choose",
            Self::Fill => "fill",
            Self::Stuck => "stuck",
        }
    }
}

impl From<HumanKind> for TaskKind {
    fn from(kind: HumanKind) -> Self {
        match kind {
            HumanKind::Approve => Self::Approve,
            HumanKind::Choose => Self::Choose,
            HumanKind::Fill => Self::Fill,
        }
    }
}

/// What can be done with a run that cannot go on by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StuckAct {
    /// Try again: what was in the way is mended, or the call certainly did not take effect.
    Resume,
    /// Go on without the call: its answer is given by the person.
    Skip,
    /// End the run and undo what it did.
    Compensate,
    /// Give it up.
    Discard,
}

impl StuckAct {
    /// All, for tables.
    pub const ALL: [Self; 4] = [Self::Resume, Self::Skip, Self::Compensate, Self::Discard];

    /// The name as written and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Resume => "resume",
            Self::Skip => "skip",
            Self::Compensate => "compensate",
            Self::Discard => "discard",
        }
    }

    /// The act with this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|act| act.as_str() == name)
    }
}

/// A task of a person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PersonTask {
    /// The version as stored.
    pub(crate) v: u32,
    /// The run that asks.
    pub run: RunId,
    /// Its how many-th task, from 1.
    pub number: u32,
    /// What is asked.
    pub kind: TaskKind,
    /// Whose run.
    pub tenant: TenantName,
    /// Where it runs.
    pub environment: EnvironmentName,
    /// Of which integration.
    pub integration: Name,
    /// What the run is about, in business words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The call that waits; None: the whole run does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) call: Option<CallId>,
    /// The attempt of the call that waits.
    #[serde(default)]
    pub(crate) attempt: u32,
    /// What is asked, in a line.
    pub title: String,
    /// The same in more words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The data that the person looks at.
    #[serde(default)]
    pub of: Value,
    /// The hash of these data: see [`crate::shown_hash`].
    pub hash: String,
    /// What can be answered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<HumanOption>,
    /// What a form's values must fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Value>,
    /// What can be done with a run that is stuck.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<StuckAct>,
    /// Who is asked, and from when on.
    pub ladder: Vec<Rung>,
    /// How many of them have been asked.
    pub level: u32,
    /// When there is no answer any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
    /// The answer that counts then; None: the call fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_expiry: Option<String>,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// How it stands.
    pub state: TaskState,
}

/// One of those who are asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rung {
    /// The person or team.
    pub to: String,
    /// From when on.
    pub at: Timestamp,
}

/// How a task stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum TaskState {
    /// Nobody has taken it.
    Open,
    /// Somebody is at it.
    Claimed {
        /// Who.
        by: Actor,
        /// Since when.
        at: Timestamp,
    },
    /// It was answered.
    Decided {
        /// How.
        decision: Decision,
    },
    /// The run goes on as somebody said.
    Acted {
        /// How.
        act: StuckAct,
        /// Who said so.
        by: Actor,
        /// When.
        at: Timestamp,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// Nobody answered in time.
    Expired {
        /// When.
        at: Timestamp,
        /// The answer that counts; None: the call failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        answer: Option<String>,
    },
    /// It needs no answer any more.
    Closed {
        /// When.
        at: Timestamp,
        /// Why.
        why: String,
    },
}

/// An answer that somebody gave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// `approved`, `rejected`, `filled`, or the option.
    pub answer: String,
    /// The values of a form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
    /// Who gave it.
    pub by: Actor,
    /// When.
    pub at: Timestamp,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The hash of what was shown.
    pub hash: String,
}

impl TaskState {
    /// Whether it waits for somebody.
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Open | Self::Claimed { .. })
    }

    /// The name as shown.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Claimed { .. } => "claimed",
            Self::Decided { .. } => "decided",
            Self::Acted { .. } => "acted",
            Self::Expired { .. } => "expired",
            Self::Closed { .. } => "closed",
        }
    }
}

impl PersonTask {
    /// Its id.
    pub fn id(&self) -> TaskId {
        TaskId { run: self.run, number: self.number }
    }

    /// Those who have been asked, the last one last.
    pub fn asked(&self) -> impl DoubleEndedIterator<Item = &str> {
        let count = usize::try_from(self.level).unwrap_or(usize::MAX);
        self.ladder.iter().take(count).map(|rung| rung.to.as_str())
    }

    /// In whose hands the run is by it: all who have been asked, or who claimed it. None: in nobody's, the run goes on by
    /// itself.
    pub(crate) fn holder(&self) -> Option<String> {
        match &self.state {
            TaskState::Open => Some(self.asked().collect::<Vec<_>>().join(", ")),
            TaskState::Claimed { by, .. } => Some(by.id.clone()),
            _ => None,
        }
    }

    /// Who is asked next when nobody takes it, and when.
    pub fn next_asked(&self) -> Option<(&str, Timestamp)> {
        let level = usize::try_from(self.level).ok()?;
        let next = self.ladder.get(level).filter(|_| self.state == TaskState::Open)?;
        Some((&next.to, next.at))
    }

    /// The next moment at which something happens to it by itself.
    pub fn next_at(&self) -> Option<Timestamp> {
        match &self.state {
            TaskState::Open => {
                self.next_asked().map(|(_, at)| at).into_iter().chain(self.deadline).min()
            }
            // Whoever takes it is trusted to end it, and the deadline stays.
            TaskState::Claimed { .. } => self.deadline,
            _ => None,
        }
    }

    /// A task as stored. None: it is a newer program's, or damaged.
    pub(crate) fn parse(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok().filter(|task: &Self| task.v == VERSION)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_is_written_and_in_no_other_way() {
        let id = TaskId { run: RunId::from_bits(77), number: 12 };
        assert_eq!(id.to_string().parse(), Ok(id));
        for bad in
            ["", "run.1", &format!("{}.01", id.run), &format!("{}.+1", id.run), &id.run.to_string()]
        {
            assert!(bad.parse::<TaskId>().is_err(), "{bad}");
        }
    }
}
