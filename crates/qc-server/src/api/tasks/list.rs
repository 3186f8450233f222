use http::Method;
use qc_access::Action;
use qc_engine::{PersonTask, TaskFilter, TaskId};
use qc_model::{Name, RunId};

use crate::{
    Problem,
    api::{
        Call, LOOKS, Listed, Reply, Route,
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
    let Listed { environment, integration, permit, cut } = call.filter()?;
    let over = match call.query::<String>("state")?.as_deref() {
        None | Some("open") => false,
        Some("over") => true,
        Some(_) => return Err(bad_parameter("state", "it is `open` or `over`")),
    };
    let mut filter = TaskFilter {
        environment,
        integration,
        run: call.query::<RunId>("run")?,
        assignee: call.query::<Name>("assignee")?.map(|name| name.to_string()),
        over,
        after: call.query::<TaskId>("after")?,
        limit: call.limit()?,
    };
    let (limit, engine) = (filter.limit, &permit.state.engine);
    let mut tasks: Vec<Task> = Vec::new();
    for _ in 0..LOOKS {
        let page = engine.tasks(&filter).await?;
        let shown = page.tasks.iter().filter(|task| {
            // Who is asked sees it, whosever integration asks.
            cut.shows(task.environment.as_str(), task.integration.as_str()) || call.is_asked(task)
        });
        tasks.extend(shown.map(|task: &PersonTask| Task::outside(task)));
        filter.after = page.next;
        filter.limit = limit.saturating_sub(tasks.len());
        if filter.limit == 0 || page.next.is_none() {
            break;
        }
    }
    let next = filter.after.map(|next| next.to_string());
    Ok(Reply::ok(&Page::whole(tasks, next).of(cut.units())))
}
