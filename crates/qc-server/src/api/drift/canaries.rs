use http::Method;
use qc_access::Action;
use qc_engine::DriftFilter;

use crate::{
    Problem,
    api::{
        Call, Listed, Reply, Route,
        route::{Answer, query, schema},
        wire::{DriftCanary, Page},
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "listDriftCanaries",
    method: Method::GET,
    path: "/api/v1/drift/canaries",
    action: Action::RunsRead,
    summary: "List the operations that are asked on a schedule: when, and what came",
    parameters: &[
        query("environment", "Only this environment"),
        query("integration", "Only this integration"),
        query("connector", "Only this connector"),
        query("limit", "At most so many (1 to 500; 50 when left out)"),
    ],
    body: None,
    status: 200,
    answer: Answer::Json(schema::<Page<DriftCanary>>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let Listed { environment, integration, permit, cut } = call.filter()?;
    let limit = call.limit()?;
    let filter = DriftFilter { environment, integration, connector: call.query("connector")? };
    let mut all = permit.state.engine.drift_canaries(&filter).await?;
    all.retain(|one| cut.shows(one.environment.as_str(), one.integration.as_str()));
    let more = all.len() > limit;
    let items = all.iter().take(limit).map(DriftCanary::from).collect();
    let next = more.then(|| "there are more; ask for one integration or connector".to_owned());
    Ok(Reply::ok(&Page::whole(items, next).of(cut.units())))
}
