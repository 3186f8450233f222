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
    summary: "Say whether the effect took place for which a run is parked; `call` says of which call when several are in doubt",
    parameters: &[RUN],
    body: Some(schema::<ResolveRequest>),
    status: 204,
    answer: Answer::Nothing,
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let (head, permit) = call.run().await?;
    let (which, resolution) = match call.body()? {
        ResolveRequest::Applied { call, output } => (call, Resolution::Applied { output }),
        ResolveRequest::NotApplied { call } => (call, Resolution::NotApplied),
    };
    let (engine, run) = (&permit.state.engine, head.facts.id);
    match which {
        Some(which) => engine.resolve_call(run, &which, resolution, &permit.actor).await?,
        None => engine.resolve(run, resolution, &permit.actor).await?,
    }
    Ok(Reply::done())
}
