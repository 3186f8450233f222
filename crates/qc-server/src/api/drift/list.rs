use http::Method;
use qc_access::Action;
use qc_engine::DriftFilter;

use super::RUNS;
use crate::{
    Problem,
    api::{
        Call, Listed, Reply, Route,
        route::{Answer, query, schema},
        wire::{DriftFound, Page},
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "listDrift",
    method: Method::GET,
    path: "/api/v1/drift",
    action: Action::RunsRead,
    summary: "List in which ways operations of others broke their contracts or are said to end, the one seen last first",
    parameters: &[
        query("environment", "Only this environment"),
        query("integration", "Only this integration"),
        query("connector", "Only this connector"),
        query("limit", "At most so many (1 to 500; 50 when left out)"),
    ],
    body: None,
    status: 200,
    answer: Answer::Json(schema::<Page<DriftFound>>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let Listed { environment, integration, permit, cut } = call.filter()?;
    let limit = call.limit()?;
    let filter = DriftFilter { environment, integration, connector: call.query("connector")? };
    let engine = &permit.state.engine;
    let mut found = engine.drift_findings(&filter).await?;
    found.retain(|one| cut.shows(one.environment.as_str(), one.integration.as_str()));
    let more = found.len() > limit;
    let mut items = Vec::new();
    for one in found.iter().take(limit) {
        let runs = engine.drift_runs(one, RUNS).await?;
        items.push(DriftFound::of(one, &runs));
    }
    let next = more.then(|| "there are more; ask for one integration or connector".to_owned());
    Ok(Reply::ok(&Page::whole(items, next).of(cut.units())))
}
