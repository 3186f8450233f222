use http::Method;
use qc_access::Action;

use super::BULK;
use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, schema},
        wire::{Bulk, Reason},
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "abortBulk",
    method: Method::POST,
    path: "/api/v1/bulks/{bulk}/abort",
    action: Action::RunsBulk,
    summary: "Stop a bulk: what is in hand is finished, what was done stays",
    parameters: &[BULK],
    body: Some(schema::<Reason>),
    status: 200,
    answer: Answer::Json(schema::<Bulk>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let (bulk, permit) = super::bulk(&call).await?;
    let Reason { reason } = call.body()?;
    let bulk = permit.state.engine.abort_bulk(bulk.id, &reason, &permit.actor).await?;
    Ok(Reply::ok(&Bulk::from(&bulk)))
}
