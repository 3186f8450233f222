use http::Method;
use qc_access::Action;

use super::RUN;
use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, schema},
        wire::CancelRequest,
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "cancelRun",
    method: Method::POST,
    path: "/api/v1/runs/{run}/cancel",
    action: Action::RunsCancel,
    summary: "End a run that is not at its end; effects already made stay, or are undone with `compensate`",
    parameters: &[RUN],
    body: Some(schema::<CancelRequest>),
    status: 204,
    answer: Answer::Nothing,
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let (head, permit) = call.run().await?;
    let CancelRequest { reason, compensate } = call.body()?;
    let (engine, run) = (&permit.state.engine, head.facts.id);
    if compensate {
        engine.cancel_and_undo(run, &reason, &permit.actor).await?;
    } else {
        engine.cancel(run, &reason, &permit.actor).await?;
    }
    Ok(Reply::done())
}
