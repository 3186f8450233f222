//! People in scenarios: what they do with tasks, and what has become of the tasks.

use std::time::Duration;

use qc_engine::{Engine, EngineError, PersonTask, StuckAct, TaskAnswer, TaskFilter, TaskState};
use qc_model::{Actor, ActorKind, Finding, Name};
use qc_store::StoreError;
use serde_json::Value;

use super::send::Door;
use crate::{
    codes,
    shape::{Definitions, Fields, Record, Shape, Spanned, read_word, word_schema},
};

/// So long, in virtual time, a scenario's person waits for a task to be there.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// A scenario has at most so many tasks that are judged.
const TASKS_MAX: usize = 10_000;

/// What a person does with a task.
#[derive(Debug, Clone)]
pub struct TaskDeed {
    /// Who, by id.
    pub by: Spanned<Name>,
    /// Of which title; any when left out.
    pub title: Option<String>,
    /// What they do.
    pub deed: Deed,
    /// Why.
    pub reason: Option<String>,
    /// The code with which it must be refused.
    pub refused: Option<Spanned<String>>,
}

/// What is done with a task.
#[derive(Debug, Clone)]
pub enum Deed {
    /// It is taken.
    Claim,
    /// It is answered.
    Decide {
        /// With this.
        decision: Spanned<String>,
        /// The values of a form.
        data: Option<Value>,
    },
    /// The run goes on so.
    Act {
        /// How.
        act: ActWord,
        /// The answer of the call that is skipped.
        output: Option<Value>,
    },
}

/// How a run goes on that cannot by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActWord(pub StuckAct);

const ACTS: &[(&str, ActWord)] = &[
    ("resume", ActWord(StuckAct::Resume)),
    ("skip", ActWord(StuckAct::Skip)),
    ("compensate", ActWord(StuckAct::Compensate)),
    ("discard", ActWord(StuckAct::Discard)),
];

impl Shape for ActWord {
    fn read(
        node: &qc_document::Node,
        what: &str,
        reader: &qc_document::Reader<'_>,
    ) -> Option<Self> {
        read_word(ACTS, node, what, reader)
    }
    fn schema(_: &mut Definitions) -> Value {
        word_schema(ACTS)
    }
}

impl Record for TaskDeed {
    const NAME: &'static str = "task_deed";
    const DOC: &'static str =
        "What a person does with the oldest open task: one of `claim`, `decision`, `act`.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let by = f.required("by", "Who does it: id of a person.");
        let title = f.optional("title", "The task's title, when there are several.");
        let claim = f.optional::<bool>("claim", "The person takes the task.");
        let decision = f.optional::<Spanned<String>>(
            "decision",
            "The answer: `approved`, `rejected`, an option, or `filled`.",
        );
        let data = f.optional::<Value>("data", "The values of a form.");
        let act = f.optional::<ActWord>("act", "How a run goes on that cannot by itself.");
        let output = f.optional::<Value>("output", "The answer of the call that is skipped.");
        let reason = f.optional("reason", "Why.");
        let refused =
            f.optional("refused", "The code with which it must be refused; nothing happens then.");
        let given = ["claim", "decision", "act"].iter().filter(|key| f.has(key)).count();
        if given != 1 {
            f.report(
                qc_document::codes::CONFLICTING_KEYS,
                f.span(),
                "a `task` step has exactly one of `claim`, `decision`, `act`",
                "write one step for each deed",
            );
            return None;
        }
        let deed = claim
            .map(|_| Deed::Claim)
            .or_else(|| decision.map(|decision| Deed::Decide { decision, data }))
            .or_else(|| act.map(|act| Deed::Act { act, output }));
        Some(Self { by: by?, title, deed: deed?, reason, refused })
    }
}

/// A task as it must be at the end.
#[derive(Debug, Clone)]
pub struct TaskWanted {
    /// Its title.
    pub title: Option<String>,
    /// How it stands.
    pub state: Spanned<StateWord>,
    /// The answer, or the act.
    pub decision: Option<String>,
    /// Who answered.
    pub by: Option<Name>,
    /// All who were asked, in this order.
    pub asked: Option<Vec<Name>>,
}

/// How a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateWord(pub &'static str);

const STATES: &[(&str, StateWord)] = &[
    ("open", StateWord("open")),
    ("claimed", StateWord("claimed")),
    ("decided", StateWord("decided")),
    ("acted", StateWord("acted")),
    ("expired", StateWord("expired")),
    ("closed", StateWord("closed")),
];

impl Shape for StateWord {
    fn read(
        node: &qc_document::Node,
        what: &str,
        reader: &qc_document::Reader<'_>,
    ) -> Option<Self> {
        read_word(STATES, node, what, reader)
    }
    fn schema(_: &mut Definitions) -> Value {
        word_schema(STATES)
    }
}

impl Record for TaskWanted {
    const NAME: &'static str = "task_wanted";
    const DOC: &'static str = "A task of a person as it must be at the end.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let title = f.optional("title", "Its title; any when left out.");
        let state = f.required("state", "How it stands.");
        let decision = f.optional("decision", "The answer, or the act.");
        let by = f.optional("by", "Who took it, answered or acted: id of a person.");
        let asked = f.optional("asked", "All who were asked, in this order: people and teams.");
        Some(Self { title, state: state?, decision, by, asked })
    }
}

impl Door<'_> {
    /// Does what a person does; what is wrong with that.
    pub(super) async fn person(&self, engine: &Engine, deed: &TaskDeed) -> Option<Finding> {
        let broken =
            |message: String| Some(self.file.error(codes::SCENARIO_BROKEN, deed.by.span, message));
        let task = match self.task(engine, deed).await {
            Ok(Some(task)) => task,
            Ok(None) => {
                let which = deed
                    .title
                    .as_ref()
                    .map_or_else(|| "no task".to_owned(), |title| format!("no task \"{title}\""));
                return broken(format!("{which} waits for somebody"));
            }
            Err(error) => return broken(format!("the tasks cannot be read: {error}")),
        };
        let actor = Actor::new(ActorKind::Human, deed.by.value.to_string());
        let until = tokio::time::Instant::now() + PATIENCE;
        let done = loop {
            match Box::pin(do_it(engine, &task, deed, &actor)).await {
                // The platform has just begun: a person tries again.
                Err(EngineError::Store(StoreError::Unavailable(_)))
                    if tokio::time::Instant::now() < until =>
                {
                    tokio::time::sleep(LOOK_AGAIN).await;
                }
                done => break done,
            }
        };
        let expected =
            |message: String, span| Some(self.file.error(codes::EXPECTATION, span, message));
        match (done, &deed.refused) {
            (Ok(_), None) => None,
            (Ok(_), Some(code)) => {
                expected(format!("it is taken, not refused with `{}`", code.value), code.span)
            }
            (Err(error), Some(code)) if code_of(&error).as_deref() == Some(&code.value) => None,
            (Err(error), wanted) => {
                let code = code_of(&error).map_or_else(String::new, |code| format!(" {code}"));
                let span = wanted.as_ref().map_or(deed.by.span, |code| code.span);
                expected(format!("it is refused:{code} {error}"), span)
            }
        }
    }

    async fn task(
        &self,
        engine: &Engine,
        deed: &TaskDeed,
    ) -> Result<Option<PersonTask>, EngineError> {
        let filter = TaskFilter { limit: TASKS_MAX, ..TaskFilter::default() };
        let until = tokio::time::Instant::now() + PATIENCE;
        loop {
            let mut open = engine.tasks(&filter).await?.tasks;
            open.retain(|task| {
                let fits = match deed.deed {
                    Deed::Claim => true,
                    Deed::Decide { .. } => task.actions.is_empty(),
                    Deed::Act { .. } => !task.actions.is_empty(),
                };
                fits && deed.title.as_ref().is_none_or(|title| *title == task.title)
            });
            open.sort_by_key(|task| (task.opened_at, task.id()));
            if let Some(first) = open.into_iter().next() {
                return Ok(Some(first));
            }
            if tokio::time::Instant::now() >= until {
                return Ok(None);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

async fn do_it(
    engine: &Engine,
    task: &PersonTask,
    deed: &TaskDeed,
    actor: &Actor,
) -> Result<PersonTask, EngineError> {
    let id = task.id();
    match &deed.deed {
        Deed::Claim => engine.claim_task(id, actor).await,
        Deed::Decide { decision, data } => {
            let given = TaskAnswer {
                answer: decision.value.clone(),
                data: data.clone(),
                reason: deed.reason.clone(),
                hash: Some(task.hash.clone()),
            };
            engine.answer_task(id, given, actor).await
        }
        Deed::Act { act, output } => {
            engine.act_on_task(id, act.0, output.clone(), deed.reason.clone(), actor).await
        }
    }
}

fn code_of(error: &EngineError) -> Option<String> {
    match error {
        EngineError::Refused(failure) | EngineError::Failed(failure) => {
            Some(failure.code.to_string())
        }
        _ => None,
    }
}

/// All tasks, those that wait first.
pub(super) async fn all_tasks(engine: &Engine) -> Result<Vec<PersonTask>, EngineError> {
    let mut all = Vec::new();
    for over in [false, true] {
        let filter = TaskFilter { over, limit: TASKS_MAX, ..TaskFilter::default() };
        all.extend(engine.tasks(&filter).await?.tasks);
    }
    all.sort_by_key(|task| (task.opened_at, task.id()));
    Ok(all)
}

impl TaskWanted {
    fn fits(&self, task: &PersonTask) -> bool {
        let (decision, by) = match &task.state {
            TaskState::Claimed { by, .. } => (None, Some(by)),
            TaskState::Decided { decision } => (Some(decision.answer.as_str()), Some(&decision.by)),
            TaskState::Acted { act, by, .. } => (Some(act.as_str()), Some(by)),
            TaskState::Expired { answer, .. } => (answer.as_deref(), None),
            TaskState::Open | TaskState::Closed { .. } => (None, None),
        };
        self.state.value.0 == task.state.as_str()
            && self.title.as_ref().is_none_or(|title| *title == task.title)
            && self.decision.as_ref().is_none_or(|wanted| decision == Some(wanted))
            && self.by.as_ref().is_none_or(|wanted| by.is_some_and(|by| by.id == wanted.as_str()))
            && self
                .asked
                .as_ref()
                .is_none_or(|wanted| task.asked().eq(wanted.iter().map(Name::as_str)))
    }
}

/// Whether the tasks are those that are wanted, each once.
pub(super) fn judge(door: &Door<'_>, tasks: &[PersonTask]) -> Vec<Finding> {
    let Some(wanted) = &door.file.value.then.tasks else { return Vec::new() };
    let mut left: Vec<&PersonTask> = tasks.iter().collect();
    let mut findings = Vec::new();
    for one in wanted {
        if let Some(at) = left.iter().position(|task| one.fits(task)) {
            left.remove(at);
        } else {
            let there: Vec<String> = tasks.iter().map(told).collect();
            let there = if there.is_empty() { "none".to_owned() } else { there.join("; ") };
            let message = "there is no such task of a person".to_owned();
            let finding = door.file.error(codes::EXPECTATION, one.state.span, message);
            findings.push(finding.help(format!("there is: {there}")));
        }
    }
    for task in left {
        let message = format!("there is a task that `tasks` does not list: {}", told(task));
        let span = wanted.first().map_or(door.file.value.then.ends.span, |one| one.state.span);
        findings.push(door.file.error(codes::EXPECTATION, span, message));
    }
    findings
}

fn told(task: &PersonTask) -> String {
    let asked: Vec<&str> = task.asked().collect();
    let how = match &task.state {
        TaskState::Decided { decision } => {
            format!("decided `{}` by {}", decision.answer, decision.by.id)
        }
        TaskState::Acted { act, by, .. } => format!("acted {} by {}", act.as_str(), by.id),
        TaskState::Closed { why, .. } => format!("closed: {why}"),
        state => state.as_str().to_owned(),
    };
    format!("\"{}\" ({how}; asked: {})", task.title, asked.join(", "))
}
