use http::Method;
use qc_access::Action;

use super::RUN;
use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, schema},
        wire::Reason,
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "cancelRun",
    method: Method::POST,
    path: "/api/v1/runs/{run}/cancel",
    action: Action::RunsCancel,
    summary: "End a run that is not at its end; effects already made stay",
    parameters: &[RUN],
    body: Some(schema::<Reason>),
    status: 204,
    answer: Answer::Nothing,
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let (head, permit) = call.run().await?;
    let Reason { reason } = call.body()?;
    permit.state.engine.cancel(head.facts.id, &reason, &permit.actor).await?;
    Ok(Reply::done())
}
