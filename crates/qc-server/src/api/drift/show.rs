use http::Method;
use qc_access::Action;

use super::{PLACE, RUNS};
use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, schema},
        wire::{DriftFound, DriftShown},
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "showDrift",
    method: Method::GET,
    path: "/api/v1/drift/{environment}/{integration}/{finding}",
    action: Action::RunsRead,
    summary: "Show a finding of drift: what differs, whose it is, and the runs that are parked",
    parameters: &PLACE,
    body: None,
    status: 200,
    answer: Answer::Json(schema::<DriftShown>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let (found, permit) = super::finding(&call).await?;
    let runs = permit.state.engine.drift_runs(&found, RUNS).await?;
    Ok(Reply::ok(&DriftShown { schema_version: 1, finding: DriftFound::of(&found, &runs) }))
}
