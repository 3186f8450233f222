//! Tasks: what people are asked.

pub(super) mod act;
pub(super) mod claim;
pub(super) mod decide;
pub(super) mod list;
pub(super) mod show;

use qc_engine::{PersonTask, TaskId};

use super::{
    Call, Permit,
    route::{Parameter, path},
};
use crate::Problem;

pub(super) const TASK: Parameter = path("task", "The task's id");

impl Call {
    /// The task that the path names, when the caller may do the action to it.
    pub(super) async fn task(&self) -> Result<(PersonTask, Permit<'_>), Problem> {
        let id: TaskId = self.path("task")?;
        // Looked at before the decision, as its environment and integration are what is decided on.
        let task = self.state.engine.task(id).await?;
        let (environment, integration) = (&task.environment, &task.integration);
        let permit = self.may(Some(environment.as_str()), Some(integration.as_str())).await?;
        Ok((task, permit))
    }
}
