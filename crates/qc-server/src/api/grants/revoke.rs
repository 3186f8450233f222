use http::Method;
use qc_access::Action;
use qc_model::Name;

use super::{keep, named, shown, unfit};
use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, path, schema},
        wire::Grant,
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "revokeGrant",
    method: Method::POST,
    path: "/api/v1/grants/{grant}/revoke",
    action: Action::GrantsApprove,
    summary: "Take rights back before their time is over: at once on this node, within a second elsewhere",
    parameters: &[path("grant", "The grant's id")],
    body: None,
    status: 200,
    answer: Answer::Json(schema::<Grant>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let (grant, revision) = named(&call, &call.state).await?;
    let permit = call
        .may(Some(grant.environment.as_str()), grant.integration.as_ref().map(Name::as_str))
        .await?;
    let now = permit.state.clock.now();
    let revoked = grant.revoke(now).map_err(|error| unfit(&error))?;
    keep(&permit, &revoked, Some(revision)).await?;
    Ok(Reply::ok(&shown(&revoked, now)))
}
