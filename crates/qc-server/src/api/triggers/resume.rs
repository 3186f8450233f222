use http::Method;
use qc_access::Action;

use super::named;
use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, schema},
        wire::{ChangeTrigger, TriggerStanding},
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "resumeTrigger",
    method: Method::POST,
    path: "/api/v1/triggers/resume",
    action: Action::TriggersPause,
    summary: "Begin the runs that a pause held, in their order, and those that come",
    parameters: &[],
    body: Some(schema::<ChangeTrigger>),
    status: 200,
    answer: Answer::Json(schema::<TriggerStanding>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let request: ChangeTrigger = call.body()?;
    let permit = call.may(Some(&request.environment), Some(&request.integration)).await?;
    let name = named(&request.environment, &request.integration, &request.trigger)?;
    let engine = &permit.state.engine;
    let view = engine.resume_trigger(&name, &request.reason, &permit.actor).await?;
    Ok(Reply::ok(&TriggerStanding::from(&view)))
}
