use http::Method;
use qc_access::Action;
use qc_engine::KeptDeed;
use serde_json::Value;

use super::scope;
use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, schema},
        wire::{Removed, UnlinkRequest},
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "unlinkIds",
    method: Method::POST,
    path: "/api/v1/crossrefs/unlink",
    action: Action::RunsResolve,
    summary: "End the link of an id",
    parameters: &[],
    body: Some(schema::<UnlinkRequest>),
    status: 200,
    answer: Answer::Json(schema::<Removed>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let UnlinkRequest { tenant, environment, integration, table, ids } = call.body()?;
    let permit = call.may(Some(&environment), Some(&integration)).await?;
    let scope = scope(&tenant, &environment, &integration)?;
    let (engine, ids) = (&permit.state.engine, Value::Object(ids));
    let done = engine.tend(&scope, KeptDeed::Unlink, &table, &ids, &permit.actor).await?;
    Ok(Reply::ok(&Removed { removed: done["removed"] == true }))
}
