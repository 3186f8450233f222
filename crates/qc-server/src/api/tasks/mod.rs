//! Tasks: what people are asked.

pub(super) mod act;
pub(super) mod claim;
pub(super) mod decide;
pub(super) mod list;
pub(super) mod show;

use qc_access::Resource;
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
        let environment = Some(task.environment.as_str());
        let name = Some(task.integration.as_str());
        let permit = if self.is_asked(&task) {
            // Who is asked answers, whosever integration asks.
            self.may_on(Resource { environment, name, units: &[] }).await?
        } else {
            self.may(environment, name).await?
        };
        Ok((task, permit))
    }

    /// Whether a task asks the person who asks here.
    fn is_asked(&self, task: &PersonTask) -> bool {
        let person = self.principal().person.as_ref();
        person.is_some_and(|person| self.state.engine.asks(task, person.as_str()))
    }
}
