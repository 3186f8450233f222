use http::Method;
use qc_access::Action;
use qc_engine::Resolution;

use super::RUN;
use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, schema},
        wire::ResolveRequest,
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "resolveRun",
    method: Method::POST,
    path: "/api/v1/runs/{run}/resolve",
    action: Action::RunsResolve,
    summary: "Say whether the effect took place for which a run is parked",
    parameters: &[RUN],
    body: Some(schema::<ResolveRequest>),
    status: 204,
    answer: Answer::Nothing,
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let (head, permit) = call.run().await?;
    let resolution = match call.body()? {
        ResolveRequest::Applied { output } => Resolution::Applied { output },
        ResolveRequest::NotApplied {} => Resolution::NotApplied,
    };
    permit.state.engine.resolve(head.facts.id, resolution, &permit.actor).await?;
    Ok(Reply::done())
}
