use http::Method;
use qc_access::Action;
use qc_engine::topics;

use crate::{
    Problem,
    api::{
        Call, Listed, Reply, Route,
        route::{Answer, query, schema},
        wire::{EventUse, Page},
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "listEventTypes",
    method: Method::GET,
    path: "/api/v1/event-types",
    action: Action::DeploymentsRead,
    summary: "List the types of events that are published, subscribed to and listened for, from what is deployed",
    parameters: &[
        query("environment", "Only this environment"),
        query("integration", "Only this integration"),
    ],
    body: None,
    status: 200,
    answer: Answer::Json(schema::<Page<EventUse>>),
    handler: |call| Box::pin(handle(call)),
};

#[expect(clippy::unused_async, reason = "handlers are")]
async fn handle(call: Call) -> Result<Reply, Problem> {
    let Listed { environment, integration, permit, cut } = call.filter()?;
    let deployments = permit.state.engine.deployments();
    let wanted = deployments.iter().filter(|one| {
        environment.as_ref().is_none_or(|name| *name == one.environment)
            && integration.as_ref().is_none_or(|name| *name == one.release.integration)
            && cut.shows(one.environment.as_str(), one.release.integration.as_str())
    });
    let mut items: Vec<EventUse> = wanted
        .flat_map(|one| {
            let (place, name) = (one.environment.as_str(), one.release.integration.as_str());
            topics(&one.release)
                .into_iter()
                .map(|topic| EventUse::of(topic, Some(place), name))
                .collect::<Vec<_>>()
        })
        .collect();
    items.sort_by(|a, b| {
        let key = |one: &EventUse| {
            (
                one.event_type.clone(),
                one.role.clone(),
                one.environment.clone(),
                one.integration.clone(),
            )
        };
        key(a).cmp(&key(b))
    });
    Ok(Reply::ok(&Page::whole(items, None).of(cut.units())))
}
