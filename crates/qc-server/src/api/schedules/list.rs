use http::Method;
use qc_access::Action;

use crate::{
    Problem,
    api::{
        Call, Listed, Reply, Route,
        route::{Answer, query, schema},
        wire::{Page, Schedule},
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "listSchedules",
    method: Method::GET,
    path: "/api/v1/schedules",
    action: Action::DeploymentsRead,
    summary: "List the schedules of what is deployed, with their last and next occurrence",
    parameters: &[
        query("environment", "Only this environment"),
        query("integration", "Only this integration"),
    ],
    body: None,
    status: 200,
    answer: Answer::Json(schema::<Page<Schedule>>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let Listed { environment, integration, permit, cut } = call.filter()?;
    let all = permit.state.engine.schedules().await?;
    let wanted = all.into_iter().filter(|one| {
        environment.as_ref().is_none_or(|name| *name == one.environment)
            && integration.as_ref().is_none_or(|name| *name == one.integration)
            && cut.shows(one.environment.as_str(), one.integration.as_str())
    });
    let items: Vec<Schedule> = wanted.map(Schedule::from).collect();
    Ok(Reply::ok(&Page::whole(items, None).of(cut.units())))
}
