use http::Method;
use qc_access::Action;

use super::RUN;
use crate::{
    Problem,
    api::{Call, Reply, Route, route::Answer},
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "resumeRun",
    method: Method::POST,
    path: "/api/v1/runs/{run}/resume",
    action: Action::RunsResolve,
    summary: "Have a parked run try again now: what it waited for has been mended",
    parameters: &[RUN],
    body: None,
    status: 204,
    answer: Answer::Nothing,
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let (head, permit) = call.run().await?;
    permit.state.engine.resume(head.facts.id, &permit.actor).await?;
    Ok(Reply::done())
}
