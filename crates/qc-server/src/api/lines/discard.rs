use http::Method;
use qc_access::Action;

use super::named;
use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, schema},
        wire::{DiscardLine, LineDiscarded},
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "discardLine",
    method: Method::POST,
    path: "/api/v1/lines/discard",
    action: Action::DlqDiscard,
    summary: "Give up the failed run at the head of a line and all that wait behind it; without `confirm`, say which",
    parameters: &[],
    body: Some(schema::<DiscardLine>),
    status: 200,
    answer: Answer::Json(schema::<LineDiscarded>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let request: DiscardLine = call.body()?;
    let permit = call.may(Some(&request.environment), Some(&request.integration)).await?;
    let DiscardLine { tenant, environment, integration, key, reason, confirm } = request;
    let line = named(&tenant, &environment, &integration, key)?;
    let engine = &permit.state.engine;
    let plan = match &confirm {
        Some(confirm) => {
            Box::pin(engine.discard_line(&line, confirm, &reason, &permit.actor)).await?
        }
        None => engine.plan_discard_line(&line).await?,
    };
    Ok(Reply::ok(&LineDiscarded {
        done: confirm.is_some(),
        first: plan.first.to_string(),
        waiting: plan.behind.len(),
        confirm: plan.confirm,
    }))
}
