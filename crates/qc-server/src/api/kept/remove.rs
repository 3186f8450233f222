use http::Method;
use qc_access::Action;
use qc_engine::KeptDeed;
use serde_json::Value;

use super::{object, scope};
use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, schema},
        wire::{ChangeState, Removed},
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "deleteState",
    method: Method::POST,
    path: "/api/v1/state/delete",
    action: Action::RunsResolve,
    summary: "Remove a value of a state",
    parameters: &[],
    body: Some(schema::<ChangeState>),
    status: 200,
    answer: Answer::Json(schema::<Removed>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let ChangeState { tenant, environment, integration, state, key, value: _, expect } =
        call.body()?;
    let permit = call.may(Some(&environment), Some(&integration)).await?;
    let scope = scope(&tenant, &environment, &integration)?;
    let arguments = object([("key", key.into()), ("expect", expect.unwrap_or(Value::Null))]);
    let engine = &permit.state.engine;
    let done = engine.tend(&scope, KeptDeed::Delete, &state, &arguments, &permit.actor).await?;
    Ok(Reply::ok(&Removed { removed: done["removed"] == true }))
}
