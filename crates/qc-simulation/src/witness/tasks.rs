//! What people are asked, as journals tell it, and whether it is asked and answered once.

use qc_engine::{Decision, PersonTask, StuckAct, TaskId, TaskKind, TaskState};
use qc_model::Timestamp;
use qc_workflow::{CallId, CallOutput, CallTarget};
use serde::Deserialize;

use super::{Known, Run, Witness, commit::Look, entries::Journaled};
use crate::{Invariant, exercise::Exercise};

/// A step of a task as a journal holds it.
#[derive(Debug, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub(super) enum Step {
    Opened { task: Box<Asked> },
    Escalated { number: u32, level: u32 },
    Moved { number: u32, to: TaskState },
}

/// A task, and the call that waits for it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Asked {
    #[serde(flatten)]
    task: PersonTask,
    #[serde(default)]
    call: Option<CallId>,
}

/// The tasks of a run.
#[derive(Default)]
pub(super) struct Tasks(Vec<Asked>);

impl Asked {
    fn is_open(&self) -> bool {
        self.task.state.is_open()
    }

    fn is_question(&self) -> bool {
        self.task.kind != TaskKind::Stuck
    }
}

impl Tasks {
    fn open(&self) -> impl Iterator<Item = &Asked> {
        self.0.iter().filter(|one| one.is_open())
    }

    fn get(&mut self, number: u32) -> Option<&mut Asked> {
        self.0.iter_mut().find(|one| one.task.number == number)
    }

    /// Whether a person is asked for the answer of this call.
    pub(super) fn asks(&self, call: &CallId) -> bool {
        self.open().any(|one| one.is_question() && one.call.as_ref() == Some(call))
    }

    /// Whether a person is asked for the answer of some call.
    pub(super) fn is_asking(&self) -> bool {
        self.open().any(Asked::is_question)
    }

    /// When something happens to one of them by itself.
    pub(super) fn next_at(&self) -> Option<Timestamp> {
        self.open().filter_map(|one| one.task.next_at()).min()
    }

    /// The ids of those that wait for somebody.
    pub(super) fn open_ids(&self) -> impl Iterator<Item = TaskId> {
        self.open().map(|one| one.task.id())
    }

    /// How a task was decided.
    pub(super) fn decision(&self, number: u32) -> Option<&Decision> {
        match &self.0.iter().find(|one| one.task.number == number)?.task.state {
            TaskState::Decided { decision } => Some(decision),
            _ => None,
        }
    }
}

impl Run {
    /// Whether a call waits for a person, as its workflow says.
    fn is_human(&self, call: &CallId) -> bool {
        let wanted = self.machine().outstanding();
        wanted.iter().any(|one| one.id == *call && matches!(one.target, CallTarget::Human { .. }))
    }

    /// Whether this write has a person's answer for a call that was not made: it is to go on
    /// without it.
    pub(super) fn is_skipped(&self, look: &Look<'_>, call: &CallId) -> bool {
        let skipped = |one: &Asked| match &one.call {
            Some(of) => of == call,
            None => one.task.of["task"].as_str() == Some(&*call.pointer),
        };
        look.entries.iter().any(|entry| {
            let Journaled::Person { step: Step::Moved { number, to } } = entry else {
                return false;
            };
            matches!(to, TaskState::Acted { act: StuckAct::Skip, .. })
                && self.tasks.0.iter().any(|one| one.task.number == *number && skipped(one))
        })
    }
}

impl Witness {
    /// A step of a task of a run.
    pub(super) fn person(&self, known: &Known, seen: &mut Run, look: &Look<'_>, step: &Step) {
        match step {
            Step::Opened { task } => self.opened(seen, task),
            Step::Escalated { number, level } => self.escalated(known, seen, look, *number, *level),
            Step::Moved { number, to } => self.moved(known, seen, look, *number, to),
        }
    }

    fn opened(&self, seen: &mut Run, asked: &Asked) {
        let task = &asked.task;
        let twice = seen
            .tasks
            .open()
            .any(|one| one.is_question() == asked.is_question() && one.call == asked.call);
        if twice || seen.tasks.get(task.number).is_some() {
            self.broken(
                Invariant::AskedOnce,
                format_args!("{} asks a second time: {}", task.id(), task.title),
            );
        }
        let right = match (&asked.call, asked.is_question()) {
            (Some(call), true) => seen.is_human(call),
            (Some(call), false) => seen.parked.contains_key(call),
            (None, question) => !question && seen.machine().outcome().is_some(),
        };
        if !right {
            self.broken(
                Invariant::NobodyAskedInVain,
                format_args!("{} asks for nothing that is waited for: {:?}", task.id(), asked.call),
            );
        }
        seen.tasks.0.push(asked.clone());
    }

    fn escalated(&self, known: &Known, seen: &mut Run, look: &Look<'_>, number: u32, level: u32) {
        self.record.count(Exercise::TaskEscalated);
        let Some(asked) = seen.tasks.get(number) else { return };
        let next = asked.task.next_asked().map(|(_, at)| at);
        asked.task.level = level;
        let lives = asked.call.is_some();
        self.in_time(known, seen, look, next, lives);
    }

    fn moved(&self, known: &Known, seen: &mut Run, look: &Look<'_>, number: u32, to: &TaskState) {
        let Some(asked) = seen.tasks.get(number) else { return };
        if !asked.is_open() {
            self.broken(
                Invariant::AnswersCountOnce,
                format_args!("{} was {:?}, and is {to:?}", asked.task.id(), asked.task.state),
            );
        }
        let (deadline, lives) = (asked.task.deadline, asked.call.is_some());
        asked.task.state = to.clone();
        match to {
            TaskState::Expired { .. } => {
                self.record.count(Exercise::TaskExpired);
                self.in_time(known, seen, look, deadline, lives);
            }
            TaskState::Decided { .. } => self.record.count(Exercise::TaskAnswered),
            TaskState::Claimed { .. } => self.record.count(Exercise::TaskClaimed),
            TaskState::Acted { act: StuckAct::Resume, .. } => {
                self.record.count(Exercise::StuckResumed);
            }
            TaskState::Acted { act: StuckAct::Skip, .. } => {
                self.record.count(Exercise::StuckSkipped);
            }
            TaskState::Acted { .. } => self.record.count(Exercise::StuckDiscarded),
            TaskState::Open | TaskState::Closed { .. } => {}
        }
    }

    /// What happens to a task by itself does not happen before its time, and soon after it.
    fn in_time(
        &self,
        known: &Known,
        seen: &Run,
        look: &Look<'_>,
        due: Option<Timestamp>,
        lives: bool,
    ) {
        let Some(at) = due.filter(|at| *at <= look.now) else {
            return self.broken(
                Invariant::TimersFireOnceNotEarly,
                format_args!("a task of {}, due {due:?}, at {}", seen.facts.id, look.now),
            );
        };
        // Whoever watches the tasks of ended runs may come later.
        if lives {
            self.check_punctual(known, seen, look, at, "asking");
        }
    }

    /// A run is told the answer of a call that a person answers: somebody has given it. False: it
    /// is no such call.
    pub(super) fn answered_by_person(
        &self,
        seen: &Run,
        call: &CallId,
        output: &CallOutput,
    ) -> bool {
        if !seen.is_human(call) {
            return false;
        }
        let told = output.content["decision"].as_str();
        let given = seen.tasks.0.iter().rev().find(|one| one.call.as_ref() == Some(call));
        let right = match given.map(|one| &one.task.state) {
            Some(TaskState::Decided { decision }) => told == Some(&decision.answer),
            Some(TaskState::Expired { answer, .. }) => told == answer.as_deref(),
            _ => false,
        };
        if !right {
            self.broken(
                Invariant::ResultIsTrue,
                format_args!("{} was told {told:?} for {call}, not as given", seen.facts.id),
            );
        }
        true
    }

    /// Who is asked is asked for something, whatever waits for a person asks one, and an answer that
    /// was given is told.
    pub(super) fn check_tasks(&self, seen: &Run, look: &Look<'_>) {
        let run = seen.facts.id;
        let calls = seen.machine().outstanding();
        let ended = seen.machine().outcome().is_some();
        for asked in seen.tasks.open() {
            let waited_for = match &asked.call {
                Some(call) => !ended && calls.iter().any(|one| one.id == *call),
                None => seen.status == qc_store::RunStatus::Faulted,
            };
            if !waited_for {
                self.broken(
                    Invariant::NobodyAskedInVain,
                    format_args!("{} is open, and nothing waits for it", asked.task.id()),
                );
            }
        }
        for call in calls.iter().filter(|_| !ended) {
            let human = matches!(call.target, CallTarget::Human { .. });
            if human && !seen.tasks.asks(&call.id) {
                self.broken(
                    Invariant::LiveCause,
                    format_args!("{run} waits for a person at {}, and asks none", call.id),
                );
            }
        }
        let decided = look.entries.iter().filter(|entry| {
            let Journaled::Person { step: Step::Moved { to, .. } } = entry else { return false };
            matches!(to, TaskState::Decided { .. })
        });
        let told = look.entries.iter().filter(|entry| entry.tells_of_success());
        if decided.count() > told.count() {
            self.broken(
                Invariant::AnswersCountOnce,
                format_args!("{run} took an answer down, and its workflow does not hear of it"),
            );
        }
    }

    /// A person was told that an answer counts: it stands in the journal.
    pub(crate) fn was_answered(&self, id: TaskId, answer: &str, by: &str) {
        let known = self.known();
        let decision = known.runs.get(&id.run).and_then(|seen| seen.tasks.decision(id.number));
        if decision.is_none_or(|one| one.answer != answer || one.by.id != by) {
            self.broken(
                Invariant::AnswersCountOnce,
                format_args!("{by} was told that {answer} counts for {id}, where is {decision:?}"),
            );
        }
    }

    /// All tasks that wait for somebody.
    pub(crate) fn open_tasks(&self) -> Vec<TaskId> {
        let known = self.known();
        known.runs.values().flat_map(|seen| seen.tasks.open_ids()).collect()
    }
}
