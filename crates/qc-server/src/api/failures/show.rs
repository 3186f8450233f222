use http::Method;
use qc_access::Action;

use super::GROUP;
use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, schema},
        wire::{DeadGroup, DeadGroupShown},
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "showFailures",
    method: Method::GET,
    path: "/api/v1/failures/{group}",
    action: Action::DlqRead,
    summary: "Show a group of failures with everything that was said of it",
    parameters: &[GROUP],
    body: None,
    status: 200,
    answer: Answer::Json(schema::<DeadGroupShown>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let (group, _) = super::group(&call).await?;
    Ok(Reply::ok(&DeadGroupShown { schema_version: 1, group: DeadGroup::from(&group) }))
}
