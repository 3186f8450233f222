use http::Method;
use qc_access::Action;
use qc_model::EnvironmentName;

use super::shown;
use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, query, schema},
        wire::{Page, StoredSecret},
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "listSecrets",
    method: Method::GET,
    path: "/api/v1/secrets",
    action: Action::SecretsRead,
    summary: "List the secrets of the vault, without their values",
    parameters: &[
        query("environment", "Only this environment"),
        query("after", "Only secrets after this `environment/name`: `next` of the page before"),
        query("limit", "At most so many (1 to 500; 50 when left out)"),
    ],
    body: None,
    status: 200,
    answer: Answer::Json(schema::<Page<StoredSecret>>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let environment: Option<EnvironmentName> = call.query("environment")?;
    let environment = environment.or_else(|| call.principal().environment.clone());
    let (permit, cut) = call.list(environment.as_ref().map(EnvironmentName::as_str), None)?;
    let (limit, after) = (call.limit()?, call.query::<String>("after")?);
    let place = |secret: &StoredSecret| format!("{}/{}", secret.environment, secret.name);
    permit.state.vault.refresh().await?;
    let secrets = permit.state.vault.list(environment.as_ref());
    let rest = secrets.iter().map(shown);
    let rest = rest.filter(|secret| {
        after.as_ref().is_none_or(|after| place(secret) > *after)
            && cut.shows(&secret.environment, &secret.name)
    });
    Ok(Reply::ok(&Page::new(rest.take(limit + 1).collect(), limit, place).of(cut.units())))
}
