use http::Method;
use qc_access::Action;

use super::TASK;
use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, schema},
        wire::Task,
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "claimTask",
    method: Method::POST,
    path: "/api/v1/tasks/{task}/claim",
    action: Action::TasksDecide,
    summary: "Take a task: its escalation stops, its deadline stays",
    parameters: &[TASK],
    body: None,
    status: 200,
    answer: Answer::Json(schema::<Task>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let (task, permit) = call.task().await?;
    let task = permit.state.engine.claim_task(task.id(), &permit.actor).await?;
    Ok(Reply::ok(&Task::outside(&task)))
}
