use http::Method;
use qc_access::Action;
use qc_vault::Drill;

use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, schema},
        secrets::named,
        wire::{DrillVault, Drilled},
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "drillVault",
    method: Method::POST,
    path: "/api/v1/vault/drill",
    action: Action::SecretsWrite,
    summary: "Rotate an environment's keys and a secret while everything is looked up, and count what failed",
    parameters: &[],
    body: Some(schema::<DrillVault>),
    status: 200,
    answer: Answer::Json(schema::<Drilled>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let DrillVault { environment, secret } = call.body()?;
    // It touches all secrets of the environment, so a scope for one of them is not enough.
    let permit = call.may(Some(&environment), None).await?;
    let name = secret.as_ref().map_or("drill", |secret| secret.name.as_str());
    let (environment, name) = named(&environment, name)?;
    let drill = Drill { environment, secret: secret.map(|secret| (name, secret.value.0)) };
    let state = permit.state;
    let done = Box::pin(state.vault.drill(&drill, &state.secrets, &permit.actor)).await?;
    Ok(Reply::ok(&Drilled {
        schema_version: 1,
        requests: done.requests,
        failures: done.failures,
        first_failure: done.first_failure,
        rewrapped: done.rewrapped,
        data_key: done.data_key,
        secrets: done.secrets,
        millis: u64::try_from(done.took.as_millis()).unwrap_or(u64::MAX),
    }))
}
