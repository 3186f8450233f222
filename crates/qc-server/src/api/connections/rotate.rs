use http::Method;
use qc_access::Action;

use super::{WAIT, grant, named, nothing, shown_of};
use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, schema},
        wire::{Connection, OfConnection},
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "rotateConnection",
    method: Method::POST,
    path: "/api/v1/connections/rotate",
    action: Action::ConnectionsWrite,
    summary: "Have new tokens brought now",
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
    let grant = grant(permit.state, &id)?;
    let done = permit.state.connections.rotate(grant, &permit.actor, WAIT).await;
    if !done.map_err(|failure| Problem::failure(&failure, None))? {
        return Err(nothing(&id));
    }
    Ok(Reply::ok(&shown_of(permit.state, &id).await?))
}
