use http::Method;
use qc_access::Action;

use crate::{
    Problem,
    api::{
        Call, Listed, Reply, Route,
        route::{Answer, query, schema},
        wire::{Page, TriggerStanding},
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "listTriggers",
    method: Method::GET,
    path: "/api/v1/triggers",
    action: Action::DeploymentsRead,
    summary: "List the deployed triggers and how they stand, by name",
    parameters: &[
        query("environment", "Only this environment"),
        query("integration", "Only this integration"),
        query("limit", "At most so many (1 to 500; 50 when left out)"),
    ],
    body: None,
    status: 200,
    answer: Answer::Json(schema::<Page<TriggerStanding>>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let Listed { environment, integration, permit, cut } = call.filter()?;
    let limit = call.limit()?;
    let mut triggers = permit.state.engine.triggers().await?;
    triggers.retain(|view| {
        environment.as_ref().is_none_or(|wanted| *wanted == view.name.environment)
            && integration.as_ref().is_none_or(|wanted| *wanted == view.name.integration)
            && cut.shows(view.name.environment.as_str(), view.name.integration.as_str())
    });
    let more = triggers.len() > limit;
    let items = triggers.iter().take(limit).map(TriggerStanding::from).collect();
    let next = more.then(|| "there are more; ask for one environment or integration".to_owned());
    Ok(Reply::ok(&Page::whole(items, next).of(cut.units())))
}
