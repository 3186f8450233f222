use http::Method;
use qc_access::Action;
use qc_engine::KeptDeed;

use super::{asked, needed, object};
use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, query, schema},
        wire::{Page, StateValue},
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "listState",
    method: Method::GET,
    path: "/api/v1/state",
    action: Action::RunsInspect,
    summary: "List the values of a state by key, or one of them",
    parameters: &[
        query("environment", "The environment"),
        query("integration", "The integration"),
        query("tenant", "The tenant; `default` when left out"),
        query("state", "The state"),
        query("key", "Only the value of this key"),
        query("after", "Only keys after this one: `next` of the page before"),
        query("limit", "At most so many (1 to 500; 50 when left out)"),
    ],
    body: None,
    status: 200,
    answer: Answer::Json(schema::<Page<StateValue>>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let (scope, permit) = asked(&call)?;
    let (state, limit) = (needed(&call, "state")?, call.limit()?);
    let engine = &permit.state.engine;
    if let Some(key) = call.query::<String>("key")? {
        let arguments = object([("key", key.clone().into())]);
        let found = engine.tend(&scope, KeptDeed::Get, &state, &arguments, &permit.actor).await?;
        let value = (found["found"] == true).then(|| StateValue {
            key,
            value: found["value"].clone(),
            revision: found["revision"].as_u64().unwrap_or_default(),
            expires_at: found["expires_at"].as_str().map(str::to_owned),
        });
        return Ok(Reply::ok(&Page::new(value.into_iter().collect(), 1, |one| one.key.clone())));
    }
    let after = call.query::<String>("after")?;
    let values = engine.kept_values(&scope, &state, after.as_deref(), limit + 1).await?;
    let items = values.into_iter().map(|view| StateValue {
        key: view.key,
        value: view.value,
        revision: view.revision,
        expires_at: view.expires_at.map(|at| at.to_string()),
    });
    Ok(Reply::ok(&Page::new(items.collect(), limit, |one| one.key.clone())))
}
