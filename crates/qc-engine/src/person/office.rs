//! Where tasks are kept for those who look, and what people do with them.

use bytes::Bytes;
use qc_model::{Actor, ActorKind, Class, EnvironmentName, Name, RunId, Timestamp};
use qc_store::{DocumentOp, Expect, Op};
use serde_json::Value;

use super::{
    OPEN, OVER, PersonTask, StuckAct, TaskAnswer, TaskId, TaskState, TaskStep,
    answer::{check_reason, check_size, refused},
};
use crate::{
    Engine, EngineError, People, codes,
    command::{Request, TaskDeed},
    entry::{self, Journaled},
};

/// One page of documents.
const PAGE: usize = 200;
/// So many tasks are looked at for one answer.
const LOOKED_AT_MAX: usize = 20_000;
/// A run has at most so many open tasks that are looked for at its end.
const OPEN_MAX: usize = 1_000;

/// Which tasks are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskFilter {
    /// Those of this environment.
    pub environment: Option<EnvironmentName>,
    /// Those of this integration.
    pub integration: Option<Name>,
    /// Those of this run.
    pub run: Option<RunId>,
    /// Those for which this person is asked, or this team.
    pub assignee: Option<String>,
    /// Those that are over, in place of those that wait.
    pub over: bool,
    /// Those after this one.
    pub after: Option<TaskId>,
    /// At most so many.
    pub limit: usize,
}

/// Some tasks, in the order of their ids.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TaskPage {
    /// The tasks.
    pub tasks: Vec<PersonTask>,
    /// There are more after this one.
    pub next: Option<TaskId>,
}

impl PersonTask {
    /// What keeps this task for those who look, as it stands.
    pub(crate) fn documents(&self, at: Timestamp) -> Vec<DocumentOp> {
        let name = self.id().to_string();
        let body = Bytes::from(serde_json::to_vec(self).expect("tasks are plain data"));
        let put = |kind: &str, name: String| DocumentOp::Put {
            kind: kind.to_owned(),
            name,
            // Only the run writes it, and a run has one owner: the commit is fenced.
            expect: Expect::Any,
            body,
            at,
        };
        if self.state.is_open() {
            return vec![put(OPEN, name)];
        }
        let gone =
            DocumentOp::Delete { kind: OPEN.to_owned(), name: name.clone(), expect: Expect::Any };
        vec![gone, put(OVER, name)]
    }
}

impl Engine {
    /// Tasks, in the order of their ids: of those that wait, or of those that are over.
    pub async fn tasks(&self, filter: &TaskFilter) -> Result<TaskPage, EngineError> {
        let kind = if filter.over { OVER } else { OPEN };
        let directory = filter.assignee.as_ref().map(|_| self.directories());
        let fits = |task: &PersonTask| {
            filter.environment.as_ref().is_none_or(|wanted| *wanted == task.environment)
                && filter.integration.as_ref().is_none_or(|wanted| *wanted == task.integration)
                && filter.run.is_none_or(|wanted| wanted == task.run)
                && filter.assignee.as_ref().is_none_or(|wanted| {
                    task.asked().any(|asked| {
                        asked == wanted
                            || directory
                                .iter()
                                .flatten()
                                .any(|people| people.is_meant(asked, wanted))
                    })
                })
        };
        // A run's own tasks stand together, under its id.
        let from = filter.after.map(|after| after.to_string());
        let mut after = from.or_else(|| filter.run.map(|run| run.to_string()));
        let mut page = TaskPage::default();
        for _ in 0..LOOKED_AT_MAX / PAGE {
            let found = self.shared.store.documents(kind, after.as_deref(), PAGE).await?;
            let all = found.len() < PAGE;
            after = found.last().map(|last| last.name.clone());
            for task in found.iter().filter_map(|one| PersonTask::parse(&one.body)) {
                if filter.run.is_some_and(|run| task.run != run) {
                    return Ok(page);
                }
                if !fits(&task) {
                    continue;
                }
                if page.tasks.len() == filter.limit {
                    page.next = page.tasks.last().map(PersonTask::id);
                    return Ok(page);
                }
                page.tasks.push(task);
            }
            if all {
                return Ok(page);
            }
        }
        // Whoever asks goes on from where this look ended.
        page.next = after.and_then(|name| name.parse().ok());
        Ok(page)
    }

    /// One task.
    pub async fn task(&self, id: TaskId) -> Result<PersonTask, EngineError> {
        let name = id.to_string();
        for kind in [OPEN, OVER] {
            if let Some(found) = self.shared.store.document(kind, &name).await?
                && let Some(task) = PersonTask::parse(&found.body)
            {
                return Ok(task);
            }
        }
        Err(EngineError::NoTask(name))
    }

    /// Says that a person is at a task: nobody else is asked for now.
    pub async fn claim_task(&self, id: TaskId, actor: &Actor) -> Result<PersonTask, EngineError> {
        Box::pin(self.on_task(id, TaskDeed::Claim, actor)).await
    }

    /// Answers a task.
    pub async fn answer_task(
        &self,
        id: TaskId,
        given: TaskAnswer,
        actor: &Actor,
    ) -> Result<PersonTask, EngineError> {
        Box::pin(self.on_task(id, TaskDeed::Answer { given }, actor)).await
    }

    /// Says how a run is to go on that cannot by itself.
    pub async fn act_on_task(
        &self,
        id: TaskId,
        act: StuckAct,
        output: Option<Value>,
        reason: Option<String>,
        actor: &Actor,
    ) -> Result<PersonTask, EngineError> {
        check_reason(reason.as_deref())?;
        output.as_ref().map_or(Ok(()), check_size)?;
        match (act, &output) {
            (StuckAct::Skip, None) => {
                return Err(refused(
                    Class::Invalid,
                    codes::TASK_ANSWER,
                    "The answer does not fit the task",
                    "`output` is missing: what the workflow is to see as the call's answer",
                ));
            }
            (StuckAct::Skip, Some(_)) | (_, None) => {}
            (_, Some(_)) => {
                return Err(refused(
                    Class::Invalid,
                    codes::TASK_ANSWER,
                    "The answer does not fit the task",
                    format!("`output` belongs to `skip`, not to `{}`", act.as_str()),
                ));
            }
        }
        let task = self.task(id).await?;
        if act == StuckAct::Discard
            && task.call.is_none()
            && task.state.is_open()
            && task.actions.contains(&act)
        {
            // A run at its end: its dead letter is given up, and the task is closed with that.
            self.may_answer(&task, actor).await?;
            let reason = reason.unwrap_or_else(|| format!("by {id}"));
            self.discard_dead(id.run, &reason, actor).await?;
            return self.task(id).await;
        }
        Box::pin(self.on_task(id, TaskDeed::Act { act, output, reason }, actor)).await
    }

    async fn on_task(
        &self,
        id: TaskId,
        deed: TaskDeed,
        actor: &Actor,
    ) -> Result<PersonTask, EngineError> {
        let task = self.task(id).await?;
        self.may_answer(&task, actor).await?;
        self.ask(id.run, Request::Task { number: id.number, deed: Box::new(deed) }, actor).await?;
        self.task(id).await
    }

    /// Whether a person is asked by a task, by the directory that is deployed now.
    pub fn asks(&self, task: &PersonTask, person: &str) -> bool {
        let deployments = self.deployments();
        let now = deployments.lookup(task.environment.as_str(), task.integration.as_str());
        now.is_some_and(|now| task.asked().any(|asked| now.release.people.is_meant(asked, person)))
    }

    /// Whether this is one of those who are asked.
    async fn may_answer(&self, task: &PersonTask, actor: &Actor) -> Result<(), EngineError> {
        if actor.kind != ActorKind::Human {
            return Err(refused(
                Class::Permission,
                codes::NOT_A_PERSON,
                "Not a person",
                "a task is a person's: use a token that belongs to one (`qc tokens create NAME \
                 --person ID`)",
            ));
        }
        let people = self.people_of(task).await?;
        if task.asked().any(|asked| people.is_meant(asked, &actor.id)) {
            return Ok(());
        }
        let asked: Vec<&str> = task.asked().collect();
        let detail = format!(
            "{} is for {}, and `{}` is not among them",
            task.id(),
            asked.join(", "),
            actor.id
        );
        Err(refused(Class::Permission, codes::NOT_ASKED, "Not asked", detail))
    }

    /// The directory that counts: the one that is deployed now, else the one of the run's release.
    async fn people_of(&self, task: &PersonTask) -> Result<People, EngineError> {
        let deployments = self.deployments();
        if let Some(now) = deployments.lookup(task.environment.as_str(), task.integration.as_str())
        {
            return Ok(now.release.people.clone());
        }
        let head = self.shared.store.run(task.run).await?.ok_or(EngineError::NoRun(task.run))?;
        let journal = self.shared.store.journal(head.facts.id).await?;
        Ok(self.release_of(&head, &journal).await?.release.people.clone())
    }

    /// The directories of everything that is deployed.
    fn directories(&self) -> Vec<People> {
        let deployments = self.deployments();
        let mut all: Vec<People> = Vec::new();
        for deployment in deployments.iter() {
            if !all.contains(&deployment.release.people) {
                all.push(deployment.release.people.clone());
            }
        }
        all
    }

    /// The open tasks of a run.
    pub(crate) async fn open_tasks(&self, run: RunId) -> Result<Vec<PersonTask>, EngineError> {
        let filter = TaskFilter { run: Some(run), limit: OPEN_MAX, ..TaskFilter::default() };
        Ok(self.tasks(&filter).await?.tasks)
    }

    /// Removes the tasks of runs that are gone from the store. Looks at one page of them; gives where the next page
    /// begins, None at the end.
    pub async fn tidy_tasks(&self, after: Option<&str>) -> Result<Option<String>, EngineError> {
        let shared = &self.shared;
        // A run whose task is open is there: its dead letter is.
        let page = shared.store.documents(OVER, after, PAGE).await?;
        let next = page.last().filter(|_| page.len() == PAGE).map(|last| last.name.clone());
        for document in page {
            let Ok(id) = document.name.parse::<TaskId>() else { continue };
            if shared.store.run(id.run).await?.is_none() {
                let (kind, name) = (document.kind, document.name);
                let expect = Expect::Revision(document.revision);
                self.change(vec![DocumentOp::Delete { kind, name, expect }]).await?;
            }
        }
        Ok(next)
    }
}

/// What a commit writes that ends a run's tasks without the run.
pub(crate) fn closing(tasks: &[PersonTask], why: &str, at: Timestamp) -> Vec<Op> {
    let mut ops = Vec::new();
    for task in tasks {
        let to = TaskState::Closed { at, why: why.to_owned() };
        let step = TaskStep::Moved { number: task.number, to: to.clone() };
        ops.push(Op::Journal(entry::encode(at, &Journaled::Person { step })));
        let closed = PersonTask { state: to, ..task.clone() };
        ops.extend(closed.documents(at).into_iter().map(Op::Document));
    }
    ops
}
