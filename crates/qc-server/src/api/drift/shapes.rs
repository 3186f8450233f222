use http::Method;
use qc_access::Action;
use qc_engine::DriftFilter;

use crate::{
    Problem,
    api::{
        Call, Listed, Reply, Route,
        route::{Answer, query, schema},
        wire::{DriftOperation, Page},
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "listDriftShapes",
    method: Method::GET,
    path: "/api/v1/drift/shapes",
    action: Action::RunsRead,
    summary: "List what was seen of the answers of each operation that its contract does not say: shapes, never values",
    parameters: &[
        query("environment", "Only this environment"),
        query("integration", "Only this integration"),
        query("connector", "Only this connector"),
        query("limit", "At most so many operations (1 to 500; 50 when left out)"),
    ],
    body: None,
    status: 200,
    answer: Answer::Json(schema::<Page<DriftOperation>>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let Listed { environment, integration, permit, cut } = call.filter()?;
    let limit = call.limit()?;
    let filter = DriftFilter { environment, integration, connector: call.query("connector")? };
    let mut seen = permit.state.engine.drift_seen(&filter).await?;
    seen.retain(|one| cut.shows(one.environment.as_str(), one.integration.as_str()));
    let more = seen.len() > limit;
    let items = seen.iter().take(limit).map(DriftOperation::from).collect();
    let next = more.then(|| "there are more; ask for one integration or connector".to_owned());
    Ok(Reply::ok(&Page::whole(items, next).of(cut.units())))
}
