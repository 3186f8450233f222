use http::Method;
use qc_access::Action;
use qc_model::Name;

use super::{keep, named, person, shown, unfit};
use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, path, schema},
        wire::Grant,
    },
};

pub(in crate::api) const APPROVE: Route = Route {
    id: "approveGrant",
    method: Method::POST,
    path: "/api/v1/grants/{grant}/approve",
    action: Action::GrantsApprove,
    summary: "Give somebody else the rights that are asked for; they hold from now on",
    parameters: &[path("grant", "The grant's id")],
    body: None,
    status: 200,
    answer: Answer::Json(schema::<Grant>),
    handler: |call| Box::pin(handle(call, true)),
};

pub(in crate::api) const REFUSE: Route = Route {
    id: "refuseGrant",
    path: "/api/v1/grants/{grant}/refuse",
    summary: "Refuse somebody else the rights that are asked for",
    handler: |call| Box::pin(handle(call, false)),
    ..APPROVE
};

async fn handle(call: Call, give: bool) -> Result<Reply, Problem> {
    let (grant, revision) = named(&call, &call.state).await?;
    let permit = call
        .may(Some(grant.environment.as_str()), grant.integration.as_ref().map(Name::as_str))
        .await?;
    let by = person(&call)?;
    let now = permit.state.clock.now();
    let decided = grant.decide(give, &by, call.units(), now).map_err(|error| unfit(&error))?;
    keep(&permit, &decided, Some(revision)).await?;
    Ok(Reply::ok(&shown(&decided, now)))
}
