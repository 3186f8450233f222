use http::Method;
use qc_access::Action;

use super::{CHILDREN, RUN};
use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, schema},
        wire::Run,
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "showRun",
    method: Method::GET,
    path: "/api/v1/runs/{run}",
    action: Action::RunsRead,
    summary: "Show how a run stands, without its payloads",
    parameters: &[RUN],
    body: None,
    status: 200,
    answer: Answer::Json(schema::<Run>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let (head, permit) = call.run().await?;
    let keys = permit.state.store.keys_of(head.facts.id).await?;
    let family = permit.state.engine.family(head.facts.id, CHILDREN).await?;
    Ok(Reply::ok(&Run::with_family(&head, family).with_keys(keys)))
}
