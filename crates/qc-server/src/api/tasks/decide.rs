use http::Method;
use qc_access::Action;
use qc_engine::TaskAnswer;

use super::TASK;
use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, schema},
        wire::{DecideTask, Task},
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "decideTask",
    method: Method::POST,
    path: "/api/v1/tasks/{task}/decide",
    action: Action::TasksDecide,
    summary: "Answer a task, naming by its hash what was seen; the same answer twice is one",
    parameters: &[TASK],
    body: Some(schema::<DecideTask>),
    status: 200,
    answer: Answer::Json(schema::<Task>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let (task, permit) = call.task().await?;
    let DecideTask { decision, data, reason, hash } = call.body()?;
    let given = TaskAnswer { answer: decision, data, reason, hash };
    let task = permit.state.engine.answer_task(task.id(), given, &permit.actor).await?;
    Ok(Reply::ok(&Task::outside(&task)))
}
