use http::Method;
use qc_access::Action;

use super::{grant, named};
use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, schema},
        wire::{ConnectionLink, LinkConnection},
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "linkConnection",
    method: Method::POST,
    path: "/api/v1/connections/link",
    action: Action::ConnectionsWrite,
    summary: "Make a link by which the holder of an account consents: once, within an hour",
    parameters: &[],
    body: Some(schema::<LinkConnection>),
    status: 200,
    answer: Answer::Json(schema::<ConnectionLink>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let LinkConnection { environment, name, account } = call.body()?;
    let permit = call.may(Some(&environment), Some(&name)).await?;
    let id = named(&environment, &name)?;
    let grant = grant(permit.state, &id)?;
    let made = permit.state.connections.link(&grant, account, &permit.actor).await;
    let made = made.map_err(|failure| Problem::failure(&failure, None))?;
    Ok(Reply::ok(&ConnectionLink {
        schema_version: 1,
        url: made.url.expose().to_owned(),
        expires_at: made.expires_at.to_string(),
        account: made.account,
        scopes: made.scopes,
    }))
}
