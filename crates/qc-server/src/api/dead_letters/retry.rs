use http::Method;
use qc_access::Action;
use qc_engine::Retry;

use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, path, schema},
        wire::{RetryRequest, WhichRelease},
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "retryDeadLetter",
    method: Method::POST,
    path: "/api/v1/dead-letters/{run}/retry",
    action: Action::DlqRetry,
    summary: "Open a dead letter's run again: the same run goes on at the task that failed",
    parameters: &[path("run", "The run's id")],
    body: Some(schema::<RetryRequest>),
    status: 204,
    answer: Answer::Nothing,
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let (head, permit) = call.run().await?;
    let RetryRequest { out_of_order, release } = call.body()?;
    let how = Retry { out_of_order, newest: release == WhichRelease::Newest };
    permit.state.engine.retry(head.facts.id, how, &permit.actor).await?;
    Ok(Reply::done())
}
