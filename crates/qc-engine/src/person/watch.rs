//! Asks the next ones also when the run is at its end: its own timers are gone, its task is not.

use std::time::Duration;

use qc_model::{Actor, Timestamp};
use qc_store::StoreError;
use tokio::time::sleep;

use super::{OPEN, PersonTask};
use crate::{
    Engine,
    command::{Request, TaskDeed},
    operate::Asking,
};

/// One page of documents.
const PAGE: usize = 200;
/// The longest pause between two looks: a group of runs may have come from another node.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// The pause after the store failed to answer, and the shortest one between two looks.
const SOON: Duration = Duration::from_secs(1);

impl Engine {
    /// Watches the open tasks of runs that are at their end, until the drain.
    pub(crate) async fn watch_tasks(&self) {
        loop {
            let opened = self.shared.task_opened.notified();
            let pause = match self.look_at_tasks().await {
                Ok(next) => {
                    let now = self.shared.now();
                    next.map_or(LOOK_AGAIN, |at| at.since(now).clamp(SOON, LOOK_AGAIN))
                }
                Err(error) => {
                    tracing::warn!("the tasks of people cannot be read now: {error}");
                    SOON
                }
            };
            tokio::select! {
                biased;
                () = self.draining() => return,
                () = opened => {}
                () = sleep(pause) => {}
            }
        }
    }

    /// Asks the next ones of all tasks whose time has come; when the next time comes.
    async fn look_at_tasks(&self) -> Result<Option<Timestamp>, StoreError> {
        let mut next: Option<Timestamp> = None;
        let mut after: Option<String> = None;
        loop {
            let page = self.shared.store.documents(OPEN, after.as_deref(), PAGE).await?;
            for task in page.iter().filter_map(|one| PersonTask::parse(&one.body)) {
                // A run that goes on wakes for its tasks itself.
                if task.call.is_some() || !self.shared.leases.owns(task.run) {
                    continue;
                }
                match task.next_at() {
                    Some(at) if at <= self.shared.now() => {
                        self.wake_task(&task).await;
                        next = Some(self.shared.now());
                    }
                    later => next = next.into_iter().chain(later).min(),
                }
            }
            if page.len() < PAGE {
                return Ok(next);
            }
            after = page.last().map(|last| last.name.clone());
        }
    }

    async fn wake_task(&self, task: &PersonTask) {
        let request = Request::Task { number: task.number, deed: Box::new(TaskDeed::Wake) };
        let actor = Actor::platform("engine");
        match Box::pin(self.ask_here(task.run, &request, &actor, None)).await {
            Ok(()) | Err(Asking::Elsewhere) => {}
            Err(Asking::Failed(error)) => {
                tracing::warn!(task = %task.id(), "the next ones cannot be asked now: {error}");
            }
        }
    }
}
