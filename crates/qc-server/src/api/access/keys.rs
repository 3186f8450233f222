use http::Method;
use qc_access::Action;
use qc_identity::SigningKeys;
use qc_model::{EnvironmentName, Timestamp};

use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, schema},
        unusable, wire,
    },
};

pub(in crate::api) const LIST: Route = Route {
    id: "listSigningKeys",
    method: Method::GET,
    path: "/api/v1/access/keys",
    action: Action::TokensRead,
    summary: "List the keys that sign access tokens, by environment",
    parameters: &[],
    body: None,
    status: 200,
    answer: Answer::Json(schema::<wire::Page<wire::SigningKey>>),
    handler: |call| Box::pin(list(call)),
};

pub(in crate::api) const ROTATE: Route = Route {
    id: "rotateSigningKey",
    method: Method::POST,
    path: "/api/v1/access/keys/rotate",
    action: Action::TokensWrite,
    summary: "Make an environment's next signing key; it signs after a day, or at once in place of a leaked one",
    parameters: &[],
    body: Some(schema::<wire::RotateSigningKey>),
    status: 200,
    answer: Answer::Json(schema::<wire::Page<wire::SigningKey>>),
    handler: |call| Box::pin(rotate(call)),
};

async fn list(call: Call) -> Result<Reply, Problem> {
    let permit = call.may(None, None).await?;
    let keys = permit.state.authority.keys();
    let mut all = Vec::new();
    for environment in keys.environments().await? {
        let set = keys.set(&environment).await?;
        all.extend(shown(&environment, &set, permit.state.clock.now()));
    }
    Ok(Reply::ok(&page(all)))
}

async fn rotate(call: Call) -> Result<Reply, Problem> {
    let permit = call.may(None, None).await?;
    let wire::RotateSigningKey { environment, at_once } = call.body()?;
    let environment: EnvironmentName =
        environment.parse().map_err(|error| unusable("environment", &error))?;
    let keys = permit.state.authority.keys();
    let set = keys.rotate(&environment, at_once, &permit.actor).await?;
    Ok(Reply::ok(&page(shown(&environment, &set, permit.state.clock.now()))))
}

/// All of them: an environment has two or three.
fn page(keys: Vec<wire::SigningKey>) -> wire::Page<wire::SigningKey> {
    let limit = keys.len();
    wire::Page::new(keys, limit, |key| key.kid.clone())
}

fn shown(
    environment: &EnvironmentName,
    set: &SigningKeys,
    now: Timestamp,
) -> Vec<wire::SigningKey> {
    set.standing(now)
        .map(|(key, state)| wire::SigningKey {
            environment: environment.to_string(),
            kid: key.kid.clone(),
            state: state.as_str().to_owned(),
            created_at: key.created_at.to_string(),
            signs_from: key.signs_from.to_string(),
        })
        .collect()
}
