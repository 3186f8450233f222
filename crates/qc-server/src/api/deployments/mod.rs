//! Deployments: which release runs where.

pub(super) mod deploy;
pub(super) mod history;
pub(super) mod list;
pub(super) mod rollback;

use qc_model::Name;
use qc_release::DeploymentRecord;

use super::{
    Permit,
    route::{Parameter, path},
    wire::Deployment,
};
use crate::{Problem, codes};

const ENVIRONMENT: Parameter = path("environment", "The environment");
const INTEGRATION: Parameter = path("integration", "The integration");

/// A deployment as it stands in the store and on this node.
fn shown(permit: &Permit<'_>, record: &DeploymentRecord) -> Deployment {
    let (environment, integration) = (record.environment.as_str(), record.integration.as_str());
    let running = permit.state.engine.deployments();
    let running = running
        .lookup(environment, integration)
        .filter(|deployment| deployment.release.hash == record.release);
    let address = |trigger: &Name| format!("/in/{environment}/{integration}/{trigger}");
    Deployment {
        environment: environment.to_owned(),
        integration: integration.to_owned(),
        release: record.release.clone(),
        version: record.version.clone(),
        previous: record.before.last().cloned(),
        at: record.at.to_string(),
        by: record.by.id.clone(),
        triggers: running.map_or_else(Vec::new, |d| {
            let sent = d.release.triggers.values().filter(|trigger| trigger.kind.is_sent());
            sent.map(|trigger| address(&trigger.name)).collect()
        }),
        live: running.is_some(),
    }
}

/// Makes a change of the store count on this node.
async fn take_effect(
    permit: &Permit<'_>,
    record: &DeploymentRecord,
) -> Result<Deployment, Problem> {
    permit.state.catalogue.reload(&permit.state.engine).await?;
    let deployment = shown(permit, record);
    if deployment.live {
        return Ok(deployment);
    }
    let detail = "the change is stored, and another one has followed it already";
    Err(Problem::new(409, codes::CHANGED_MEANWHILE, "Changed meanwhile", detail))
}
