use http::Method;
use qc_access::Action;

use super::BULK;
use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, schema},
        wire::{Bulk, StartBulk},
    },
};

/// Runs per second when none are asked for.
const USUAL_RATE: u32 = 10;

pub(in crate::api) const ROUTE: Route = Route {
    id: "startBulk",
    method: Method::POST,
    path: "/api/v1/bulks/{bulk}/start",
    action: Action::RunsBulk,
    summary: "Have a plan carried out, throttled; asking again starts nothing again",
    parameters: &[BULK],
    body: Some(schema::<StartBulk>),
    status: 200,
    answer: Answer::Json(schema::<Bulk>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let (bulk, permit) = super::bulk(&call).await?;
    super::permitted_deed(&call, bulk.deed, &bulk.filter)?;
    let StartBulk { rate, digest } = call.body()?;
    let rate = rate.unwrap_or(USUAL_RATE);
    let engine = &permit.state.engine;
    let bulk = engine.start_bulk(bulk.id, rate, digest.as_deref(), &permit.actor).await?;
    Ok(Reply::ok(&Bulk::from(&bulk)))
}
