use http::Method;
use qc_access::Action;

use super::{WAIT, grant, named, shown_of};
use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, schema},
        wire::{Connection, OfConnection},
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "testConnection",
    method: Method::POST,
    path: "/api/v1/connections/test",
    action: Action::ConnectionsWrite,
    summary: "See whether a connection gives a token now; one that is due is brought",
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
    let (scopes, waiver) = (grant.scopes.clone(), grant.waiver.clone());
    let need = qc_connection::Need { scopes: &scopes, waiver: waiver.as_ref() };
    let access = permit.state.connections.access(grant, need, WAIT).await;
    access.map_err(|failure| Problem::failure(&failure, None))?;
    Ok(Reply::ok(&shown_of(permit.state, &id).await?))
}
