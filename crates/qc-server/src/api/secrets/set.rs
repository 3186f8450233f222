use http::Method;
use qc_access::Action;
use qc_vault::{Cadence, SetSecret};

use super::{duration, named, shown};
use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, schema},
        wire::{SetSecretRequest, StoredSecret},
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "setSecret",
    method: Method::POST,
    path: "/api/v1/secrets/set",
    action: Action::SecretsWrite,
    summary: "Store a secret; a value that is there ends at once",
    parameters: &[],
    body: Some(schema::<SetSecretRequest>),
    status: 200,
    answer: Answer::Json(schema::<StoredSecret>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let SetSecretRequest { environment, name, value, rotate_every } = call.body()?;
    let (environment, name) = named(&environment, &name)?;
    let permit = call.may(Some(environment.as_str()), Some(name.name())).await?;
    let cadence = match rotate_every.as_deref() {
        None => Cadence::Keep,
        Some("never") => Cadence::Never,
        Some(text) => Cadence::Every(duration("rotate_every", text)?),
    };
    let asked = SetSecret { environment, name, value: value.0, cadence, overlap: None };
    Ok(Reply::ok(&shown(&permit.state.vault.set(&asked, &permit.actor).await?)))
}
