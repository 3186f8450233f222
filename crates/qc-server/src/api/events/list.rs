use http::Method;
use qc_access::Action;
use qc_model::TenantName;

use crate::{
    Problem,
    api::{
        Call, LOOKS, Listed, Reply, Route,
        route::{Answer, query, schema},
        wire::{Page, PublishedEvent},
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "listEvents",
    method: Method::GET,
    path: "/api/v1/events",
    action: Action::RunsInspect,
    summary: "Read the events on the buses with their payloads, oldest first",
    parameters: &[
        query("environment", "Only this environment"),
        query("integration", "Only what this integration published"),
        query("tenant", "Only this tenant's bus"),
        query("type", "Only this type"),
        query("after", "Only events after this place: `next` of the page before"),
        query("limit", "Look at so many at most (1 to 500; 50 when left out)"),
    ],
    body: None,
    status: 200,
    answer: Answer::Json(schema::<Page<PublishedEvent>>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let Listed { environment, integration, permit, cut } = call.filter()?;
    let limit = call.limit()?;
    let tenant: Option<TenantName> = call.query("tenant")?;
    let kind: Option<String> = call.query("type")?;
    let mut after = call.query("after")?.unwrap_or(0);
    let mut items: Vec<PublishedEvent> = Vec::new();
    let mut more = false;
    for _ in 0..LOOKS {
        let engine = &permit.state.engine;
        let (events, last) = engine.bus_events(after, kind.as_deref(), limit).await?;
        let Some(last) = last else {
            more = false;
            break;
        };
        for event in events {
            let wanted = environment.as_ref().is_none_or(|name| *name == event.environment)
                && integration.as_ref().is_none_or(|name| *name == event.integration)
                && tenant.as_ref().is_none_or(|name| *name == event.tenant)
                && cut.shows(event.environment.as_str(), event.integration.as_str());
            if wanted && items.len() < limit {
                after = event.seq;
                items.push(event.into());
            }
        }
        more = true;
        if items.len() == limit {
            break;
        }
        after = last;
    }
    // Also without a full page there may be more behind what was passed over.
    let next = (more || !items.is_empty()).then(|| after.to_string());
    Ok(Reply::ok(&Page::whole(items, next).of(cut.units())))
}
