use http::Method;
use qc_access::Action;

use super::named;
use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, schema},
        wire::{DiscardHeld, HeldDiscarded},
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "discardHeldRuns",
    method: Method::POST,
    path: "/api/v1/triggers/discard",
    action: Action::RunsCancel,
    summary: "Cancel the runs that a paused trigger holds; without `confirm`, say how many",
    parameters: &[],
    body: Some(schema::<DiscardHeld>),
    status: 200,
    answer: Answer::Json(schema::<HeldDiscarded>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let request: DiscardHeld = call.body()?;
    let permit = call.may(Some(&request.environment), Some(&request.integration)).await?;
    let name = named(&request.environment, &request.integration, &request.trigger)?;
    let engine = &permit.state.engine;
    let plan = match &request.confirm {
        Some(confirm) => {
            engine.discard_held(&name, confirm, &request.reason, &permit.actor).await?
        }
        None => engine.plan_discard(&name).await?,
    };
    let (first, last) = plan.accepted.unzip();
    Ok(Reply::ok(&HeldDiscarded {
        done: request.confirm.is_some(),
        runs: plan.runs,
        first_accepted_at: first.map(|at| at.to_string()),
        last_accepted_at: last.map(|at| at.to_string()),
        confirm: plan.confirm,
    }))
}
