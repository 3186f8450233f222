//! Deployments: which release runs where.

pub(super) mod deploy;
pub(super) mod gate;
pub(super) mod history;
pub(super) mod list;
pub(super) mod override_gate;
pub(super) mod rollback;

use qc_access::Denial;
use qc_model::Name;
use qc_release::DeploymentRecord;

use super::{
    Call, Permit,
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

/// Refuses a deployment by which whoever asks would have more to do with others' than before. Who is of no unit is not
/// asked.
fn within_units(call: &Call, deployment: &qc_engine::Deployment) -> Result<(), Problem> {
    let own = call.units();
    if own.is_empty() {
        return Ok(());
    }
    let refused = |why: String| Err(of_others(call, why));
    if let Some(unit) = &deployment.release.people.unit
        && !own.contains(unit)
    {
        return refused(format!(
            "this release belongs to the unit `{unit}`: who is of it deploys it"
        ));
    }
    let directory = call.state.catalogue.directory();
    if let [first, ..] = &directory.taken(deployment, own)[..] {
        let why = format!(
            "this release begins to use {first}, which is another unit's: who is of that unit, too, or of \
             none shares it by deploying this"
        );
        return refused(why);
    }
    stays_in_units(call, deployment)
}

/// Refuses a deployment by which whoever asks would be of other units than now.
fn stays_in_units(call: &Call, deployment: &qc_engine::Deployment) -> Result<(), Problem> {
    let own = call.units();
    if own.is_empty() {
        return Ok(());
    }
    let after = call.state.catalogue.directory_with(&call.state.engine, deployment);
    let then = after.of_principal(call.principal());
    if then.is_empty() || !then.iter().all(|unit| own.contains(unit)) {
        let why = "by this release's owner directory whoever asks is of other units than now: \
                   somebody else deploys it";
        return Err(of_others(call, why.to_owned()));
    }
    Ok(())
}

/// The refusal of what is another unit's, in these words.
fn of_others(call: &Call, why: String) -> Problem {
    let mut problem = call.asker.refuse(call.route.action, Denial::Unit, None);
    problem.detail = why;
    problem
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
