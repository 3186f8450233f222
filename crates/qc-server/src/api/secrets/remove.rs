use http::Method;
use qc_access::Action;

use super::named;
use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, schema},
        wire::RemoveSecretRequest,
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "removeSecret",
    method: Method::POST,
    path: "/api/v1/secrets/remove",
    action: Action::SecretsWrite,
    summary: "Remove a secret from the vault: at once on this node, within five seconds elsewhere",
    parameters: &[],
    body: Some(schema::<RemoveSecretRequest>),
    status: 204,
    answer: Answer::Nothing,
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let RemoveSecretRequest { environment, name } = call.body()?;
    let (environment, name) = named(&environment, &name)?;
    let permit = call.may(Some(environment.as_str()), Some(name.name())).await?;
    permit.state.vault.remove(&environment, &name, &permit.actor).await?;
    Ok(Reply::done())
}
