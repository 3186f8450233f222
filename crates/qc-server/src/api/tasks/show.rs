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
    id: "showTask",
    method: Method::GET,
    path: "/api/v1/tasks/{task}",
    action: Action::TasksInspect,
    summary: "Show what a person is asked, with the data to look at and their hash",
    parameters: &[TASK],
    body: None,
    status: 200,
    answer: Answer::Json(schema::<Task>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let (task, _) = call.task().await?;
    Ok(Reply::ok(&Task::whole(&task)))
}
