use http::Method;
use qc_access::Action;
use qc_engine::{PersonTask, TaskFilter, TaskId};
use qc_model::{Name, RunId};

use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        call::bad_parameter,
        route::{Answer, query, schema},
        wire::{Page, Task},
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "listTasks",
    method: Method::GET,
    path: "/api/v1/tasks",
    action: Action::TasksRead,
    summary: "List what people are asked, oldest first; what they are shown is left out",
    parameters: &[
        query("state", "`open` (waits for somebody; when left out) or `over`"),
        query("assignee", "Only tasks for which this person or team is asked, by id"),
        query("environment", "Only this environment"),
        query("integration", "Only this integration"),
        query("run", "Only tasks of this run"),
        query("after", "Only tasks after this one: `next` of the page before"),
        query("limit", "At most so many (1 to 500; 50 when left out)"),
    ],
    body: None,
    status: 200,
    answer: Answer::Json(schema::<Page<Task>>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let (environment, integration, permit) = call.filter()?;
    let over = match call.query::<String>("state")?.as_deref() {
        None | Some("open") => false,
        Some("over") => true,
        Some(_) => return Err(bad_parameter("state", "it is `open` or `over`")),
    };
    let filter = TaskFilter {
        environment,
        integration,
        run: call.query::<RunId>("run")?,
        assignee: call.query::<Name>("assignee")?.map(|name| name.to_string()),
        over,
        after: call.query::<TaskId>("after")?,
        limit: call.limit()?,
    };
    let page = permit.state.engine.tasks(&filter).await?;
    Ok(Reply::ok(&Page {
        schema_version: 1,
        items: page.tasks.iter().map(|task: &PersonTask| Task::outside(task)).collect(),
        next: page.next.map(|next| next.to_string()),
    }))
}
