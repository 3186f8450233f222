use http::Method;
use qc_access::{Action, Approved};
use qc_model::{EnvironmentName, Name};
use qc_release::ReleaseError;

use super::{ENVIRONMENT, INTEGRATION, gate, take_effect, within_units};
use crate::{
    Problem,
    api::{
        Call, Reply, Route, approvals, releases,
        route::{Answer, schema},
        wire::{DeployRequest, Deployment},
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "deploy",
    method: Method::POST,
    path: "/api/v1/deployments/{environment}/{integration}",
    action: Action::DeploymentsWrite,
    summary: "Deploy a release: new runs use it, runs at work keep theirs",
    parameters: &[ENVIRONMENT, INTEGRATION],
    body: Some(schema::<DeployRequest>),
    status: 200,
    answer: Answer::Json(schema::<Deployment>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let DeployRequest { release } = call.body()?;
    deployed(&call, &release, None).await
}

/// Deploys a release. `reason`: why, where the gate holds it.
pub(super) async fn deployed(
    call: &Call,
    release: &str,
    reason: Option<&gate::Reason>,
) -> Result<Reply, Problem> {
    let environment: EnvironmentName = call.path("environment")?;
    let integration: Name = call.path("integration")?;
    let permit = call.may(Some(environment.as_str()), Some(integration.as_str())).await?;
    let record = releases::find(permit.state, release).await?;
    if record.manifest.integration != integration {
        return Err(ReleaseError::NoRelease(format!("{release} of {integration}")).into());
    }
    // What does not compile must not be deployed.
    let deployment = permit.state.catalogue.compiled(&environment, &record.hash).await?;
    within_units(call, &deployment)?;
    let change = Approved {
        action: Action::DeploymentsWrite,
        environment: Some(environment.clone()),
        integration: Some(integration),
        what: record.hash.clone(),
    };
    approvals::demand(&permit, &change, &[&record.built_by, &permit.actor]).await?;
    let judged = gate::hold(&permit, &environment, &record, reason).await?;
    let (hash, actor) = (&record.hash, &permit.actor);
    let record = qc_release::deploy(permit.office(), &environment, hash, actor, &judged).await?;
    Ok(Reply::ok(&take_effect(&permit, &record).await?))
}
