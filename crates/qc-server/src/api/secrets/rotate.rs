use std::time::Duration;

use http::Method;
use qc_access::Action;
use qc_vault::{Cadence, SetSecret};

use super::{duration, named, shown};
use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, schema},
        wire::{RotateSecretRequest, StoredSecret},
    },
};

/// How long the value before stays valid when nothing is said.
const OVERLAP: Duration = Duration::from_secs(24 * 3600);

pub(in crate::api) const ROUTE: Route = Route {
    id: "rotateSecret",
    method: Method::POST,
    path: "/api/v1/secrets/rotate",
    action: Action::SecretsWrite,
    summary: "Give a secret a new value; the present one stays valid for a while",
    parameters: &[],
    body: Some(schema::<RotateSecretRequest>),
    status: 200,
    answer: Answer::Json(schema::<StoredSecret>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let RotateSecretRequest { environment, name, value, overlap } = call.body()?;
    let (environment, name) = named(&environment, &name)?;
    let permit = call.may(Some(environment.as_str()), Some(name.name())).await?;
    let overlap = overlap.as_deref().map(|text| duration("overlap", text)).transpose()?;
    let asked = SetSecret {
        environment,
        name,
        value: value.0,
        cadence: Cadence::Keep,
        overlap: Some(overlap.unwrap_or(OVERLAP)),
    };
    Ok(Reply::ok(&shown(&permit.state.vault.set(&asked, &permit.actor).await?)))
}
