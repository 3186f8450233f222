use http::Method;
use qc_access::Action;

use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, path, schema},
        wire::Reason,
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "discardDeadLetter",
    method: Method::POST,
    path: "/api/v1/dead-letters/{run}/discard",
    action: Action::DlqDiscard,
    summary: "Give a dead letter up: it is not to be done",
    parameters: &[path("run", "The run's id")],
    body: Some(schema::<Reason>),
    status: 204,
    answer: Answer::Nothing,
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let (head, permit) = call.run().await?;
    let Reason { reason } = call.body()?;
    permit.state.engine.discard_dead(head.facts.id, &reason, &permit.actor).await?;
    Ok(Reply::done())
}
