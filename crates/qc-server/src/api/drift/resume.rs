use http::Method;
use qc_access::Action;

use super::PLACE;
use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, schema},
        unusable,
        wire::{DriftResumed, ResumeDrift},
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "resumeDrift",
    method: Method::POST,
    path: "/api/v1/drift/{environment}/{integration}/{finding}/resume",
    action: Action::RunsResolve,
    summary: "Let parked runs go on with their answers put right, as the deployed connector declares and as is given; nothing \
              is sent again; at most 200 at once",
    parameters: &PLACE,
    body: Some(schema::<ResumeDrift>),
    status: 200,
    answer: Answer::Json(schema::<DriftResumed>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let request: ResumeDrift = call.body()?;
    let (found, permit) = super::finding(&call).await?;
    let repairs = request.repairs().map_err(|why| unusable("aliases, coerce", &why))?;
    let before = request.before.as_deref().map(str::parse::<qc_model::RunId>).transpose();
    let before = before.map_err(|error| unusable("before", &error))?;
    let engine = &permit.state.engine;
    let done = engine.release_drift(&found, &repairs, before, &permit.actor).await?;
    Ok(Reply::ok(&DriftResumed::from(done)))
}
