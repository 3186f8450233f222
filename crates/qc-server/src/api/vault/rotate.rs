use http::Method;
use qc_access::Action;
use qc_model::EnvironmentName;

use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, schema},
        unusable,
        wire::{DataKeyRotated, RotateDataKey},
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "rotateDataKey",
    method: Method::POST,
    path: "/api/v1/vault/rotate-dek",
    action: Action::SecretsWrite,
    summary: "Begin to seal an environment's secrets under a new data key",
    parameters: &[],
    body: Some(schema::<RotateDataKey>),
    status: 200,
    answer: Answer::Json(schema::<DataKeyRotated>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let RotateDataKey { environment } = call.body()?;
    let permit = call.may(Some(&environment), None).await?;
    let environment: EnvironmentName =
        environment.parse().map_err(|error| unusable("environment", &error))?;
    let version = permit.state.vault.rotate_key(&environment, &permit.actor).await?;
    Ok(Reply::ok(&DataKeyRotated { version }))
}
