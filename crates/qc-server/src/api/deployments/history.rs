use http::Method;
use qc_access::Action;
use qc_model::{EnvironmentName, Name};
use qc_release::Past;

use super::{ENVIRONMENT, INTEGRATION};
use crate::{
    Problem,
    api::{
        Call, Reply, Route,
        route::{Answer, query, schema},
        wire::{DeploymentChange, Page},
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "listDeploymentChanges",
    method: Method::GET,
    path: "/api/v1/deployments/{environment}/{integration}/history",
    action: Action::DeploymentsRead,
    summary: "List the changes of a deployment, oldest first",
    parameters: &[
        ENVIRONMENT,
        INTEGRATION,
        query("after", "Only changes after this number: `next` of the page before"),
    ],
    body: None,
    status: 200,
    answer: Answer::Json(schema::<Page<DeploymentChange>>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let environment: EnvironmentName = call.path("environment")?;
    let integration: Name = call.path("integration")?;
    let permit = call.may(Some(environment.as_str()), Some(integration.as_str())).await?;
    let after = call.query("after")?.unwrap_or(0);
    let past = qc_release::history(&*permit.state.store, &environment, &integration, after).await?;
    let changes = past.into_iter().map(shown).collect();
    // One less than the store gives at once, so that it is seen whether there is more.
    let page =
        Page::new(changes, qc_store::PAGE_MAX - 1, |c: &DeploymentChange| c.change.to_string());
    Ok(Reply::ok(&page))
}

fn shown(past: Past) -> DeploymentChange {
    DeploymentChange {
        change: past.change,
        how: past.how,
        release: past.release,
        version: past.version,
        previous: past.previous,
        at: past.at.to_string(),
        by: past.by.id,
    }
}
