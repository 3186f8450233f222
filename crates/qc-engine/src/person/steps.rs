//! What happens to the tasks of a run, as its journal says it; and the tasks that come of it.

use qc_model::Timestamp;
use qc_workflow::CallId;
use serde::{Deserialize, Serialize};

use super::{PersonTask, TaskKind, TaskState};

/// One change of a run's tasks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "step")]
pub(crate) enum TaskStep {
    /// Somebody is asked.
    Opened {
        /// The task.
        task: Box<PersonTask>,
    },
    /// The next one is asked as well.
    Escalated {
        /// Which task.
        number: u32,
        /// So many have been asked now.
        level: u32,
    },
    /// It stands otherwise.
    Moved {
        /// Which task.
        number: u32,
        /// How.
        to: TaskState,
    },
}

/// The tasks of a run: the fold of its steps.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tasks(Vec<PersonTask>);

impl Tasks {
    /// Takes a step in; the task that it is of. None: there is no such task.
    pub(crate) fn apply(&mut self, step: TaskStep) -> Option<&PersonTask> {
        match step {
            TaskStep::Opened { task } => {
                self.0.push(*task);
                self.0.last()
            }
            TaskStep::Escalated { number, level } => {
                let task = self.at(number)?;
                task.level = level;
                Some(task)
            }
            TaskStep::Moved { number, to } => {
                let task = self.at(number)?;
                task.state = to;
                Some(task)
            }
        }
    }

    fn at(&mut self, number: u32) -> Option<&mut PersonTask> {
        self.0.iter_mut().find(|task| task.number == number)
    }

    /// The number of the next task.
    pub(crate) fn next_number(&self) -> u32 {
        self.0.last().map_or(1, |last| last.number + 1)
    }

    pub(crate) fn get(&self, number: u32) -> Option<&PersonTask> {
        self.0.iter().find(|task| task.number == number)
    }

    /// Those that wait for somebody.
    pub(crate) fn open(&self) -> impl Iterator<Item = &PersonTask> {
        self.0.iter().filter(|task| task.state.is_open())
    }

    /// The open task by which this call waits for its answer.
    pub(crate) fn asking(&self, call: &CallId) -> Option<&PersonTask> {
        self.open().find(|task| task.kind != TaskKind::Stuck && task.call.as_ref() == Some(call))
    }

    /// The open task about this call, or the whole run, that cannot go on.
    pub(crate) fn stuck(&self, call: Option<&CallId>) -> Option<&PersonTask> {
        self.open().find(|task| task.kind == TaskKind::Stuck && task.call.as_ref() == call)
    }

    /// Whether a call waits for a person's answer.
    pub(crate) fn is_asking(&self) -> bool {
        self.open().any(|task| task.kind != TaskKind::Stuck)
    }

    /// The next moment at which something happens to one of them by itself.
    pub(crate) fn next_at(&self) -> Option<Timestamp> {
        self.open().filter_map(PersonTask::next_at).min()
    }
}
