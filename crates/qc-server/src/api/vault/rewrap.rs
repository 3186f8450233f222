use http::Method;
use qc_access::Action;

use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, schema},
        wire::Rewrapped,
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "rewrapVault",
    method: Method::POST,
    path: "/api/v1/vault/rewrap",
    action: Action::SecretsWrite,
    summary: "Wrap all data keys with the key-encryption key that is current now",
    parameters: &[],
    body: None,
    status: 200,
    answer: Answer::Json(schema::<Rewrapped>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let permit = call.may(None, None).await?;
    let keys = permit.state.vault.rewrap(&permit.actor).await?;
    Ok(Reply::ok(&Rewrapped { keys }))
}
