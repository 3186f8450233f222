use http::Method;
use qc_access::Action;

use crate::{
    Problem,
    api::{
        Call, Listed, Reply, Route,
        route::{Answer, query, schema},
        wire::{Bulk, Page},
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "listBulks",
    method: Method::GET,
    path: "/api/v1/bulks",
    action: Action::RunsRead,
    summary: "List work on many runs, planned, at work and of the last 30 days, newest first",
    parameters: &[
        query("environment", "Only work in this environment"),
        query("integration", "Only work on this integration"),
        query("before", "Only bulks older than this one: `next` of the page before"),
        query("limit", "At most so many (1 to 500; 50 when left out)"),
    ],
    body: None,
    status: 200,
    answer: Answer::Json(schema::<Page<Bulk>>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let Listed { environment, integration, permit, cut } = call.filter()?;
    let (limit, before) = (call.limit()?, call.query::<qc_engine::BulkId>("before")?);
    let mut bulks = permit.state.engine.bulks().await?;
    bulks.retain(|bulk| {
        (environment.is_none() || bulk.filter.environment == environment)
            && (integration.is_none() || bulk.filter.integration == integration)
            && before.is_none_or(|before| bulk.id < before)
            && cut.shows_of(bulk.filter.environment.as_ref(), bulk.filter.integration.as_ref())
    });
    let items = bulks.iter().take(limit + 1).map(Bulk::from).collect();
    let page = Page::new(items, limit, |bulk: &Bulk| bulk.bulk.clone());
    Ok(Reply::ok(&page.of(cut.units())))
}
