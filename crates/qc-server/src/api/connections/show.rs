use http::Method;
use qc_access::Action;

use super::{named, shown_of};
use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, path, schema},
        wire::Connection,
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "showConnection",
    method: Method::GET,
    path: "/api/v1/connections/{environment}/{name}",
    action: Action::ConnectionsRead,
    summary: "Show a connection, without its tokens",
    parameters: &[path("environment", "The environment"), path("name", "The connection")],
    body: None,
    status: 200,
    answer: Answer::Json(schema::<Connection>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let (environment, name): (String, String) = (call.path("environment")?, call.path("name")?);
    let permit = call.may(Some(&environment), Some(&name)).await?;
    let id = named(&environment, &name)?;
    Ok(Reply::ok(&shown_of(permit.state, &id).await?))
}
