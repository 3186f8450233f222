use http::Method;
use qc_access::Action;

use super::TASK;
use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, schema},
        wire::{ActOnTask, Task},
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "actOnTask",
    method: Method::POST,
    path: "/api/v1/tasks/{task}/act",
    action: Action::TasksAct,
    summary: "Say how a run is to go on that cannot by itself: resume, skip, compensate or discard",
    parameters: &[TASK],
    body: Some(schema::<ActOnTask>),
    status: 200,
    answer: Answer::Json(schema::<Task>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let (task, permit) = call.task().await?;
    let ActOnTask { act, output, reason } = call.body()?;
    let engine = &permit.state.engine;
    let act = act.into();
    let task = engine.act_on_task(task.id(), act, output, reason, &permit.actor).await?;
    Ok(Reply::ok(&Task::outside(&task)))
}
