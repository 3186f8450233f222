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
        wire::{ChangeState, StateChanged},
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "setState",
    method: Method::POST,
    path: "/api/v1/state/set",
    action: Action::RunsResolve,
    summary: "Write a value of a state",
    parameters: &[],
    body: Some(schema::<ChangeState>),
    status: 200,
    answer: Answer::Json(schema::<StateChanged>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let ChangeState { tenant, environment, integration, state, key, value, expect } =
        call.body()?;
    let permit = call.may(Some(&environment), Some(&integration)).await?;
    let scope = scope(&tenant, &environment, &integration)?;
    let expect = expect.unwrap_or(Value::Null);
    let arguments = object([("key", key.into()), ("value", value), ("expect", expect)]);
    let engine = &permit.state.engine;
    let done = engine.tend(&scope, KeptDeed::Put, &state, &arguments, &permit.actor).await?;
    let revision = done["revision"].as_u64().unwrap_or_default();
    Ok(Reply::ok(&StateChanged { revision }))
}
