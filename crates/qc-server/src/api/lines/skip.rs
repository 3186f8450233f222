use http::Method;
use qc_access::Action;

use super::named;
use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, schema},
        wire::{LineResumed, ResumeLine},
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "skipLine",
    method: Method::POST,
    path: "/api/v1/lines/skip",
    action: Action::DlqDiscard,
    summary: "Have a line go on without the failed run at its head, and give its dead letter up",
    parameters: &[],
    body: Some(schema::<ResumeLine>),
    status: 200,
    answer: Answer::Json(schema::<LineResumed>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let request: ResumeLine = call.body()?;
    let permit = call.may(Some(&request.environment), Some(&request.integration)).await?;
    let ResumeLine { tenant, environment, integration, key, reason } = request;
    let line = named(&tenant, &environment, &integration, key)?;
    let left = permit.state.engine.skip_line(&line, &reason, &permit.actor).await?;
    Ok(Reply::ok(&LineResumed { left: left.to_string() }))
}
