use http::Method;
use qc_access::Action;

use super::{named, nothing, shown_of};
use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, schema},
        wire::{Connection, OfConnection},
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "revokeConnection",
    method: Method::POST,
    path: "/api/v1/connections/revoke",
    action: Action::ConnectionsWrite,
    summary: "End a connection: its tokens are removed, and the provider is told where it can be",
    parameters: &[],
    body: Some(schema::<OfConnection>),
    status: 200,
    answer: Answer::Json(schema::<Connection>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let OfConnection { environment, name } = call.body()?;
    let permit = call.may(Some(&environment), Some(&name)).await?;
    let id = named(&environment, &name)?;
    // Also one that nothing uses any more, or whose secrets are gone, can be ended.
    let grant = crate::connect::grant_of(permit.state, &id).ok().flatten();
    let done = permit.state.connections.revoke(&id, grant.as_ref(), &permit.actor).await;
    if !done.map_err(|failure| Problem::failure(&failure, None))? {
        return Err(nothing(&id));
    }
    Ok(Reply::ok(&shown_of(permit.state, &id).await?))
}
