//! Drift of others: what answers of third parties were seen to be that their contracts do not say.

pub(super) mod canaries;
pub(super) mod list;
pub(super) mod resume;
pub(super) mod shapes;
pub(super) mod show;

use qc_engine::DriftFinding;

use super::{
    Call, Permit,
    route::{Parameter, path},
};
use crate::Problem;

const PLACE: [Parameter; 3] = [
    path("environment", "The environment"),
    path("integration", "The integration that calls the operation"),
    path("finding", "The finding's id, as the list shows it"),
];

/// So many runs of a finding are named.
const RUNS: usize = 100;

/// The finding that the path names, when the caller may do the action to it.
async fn finding(call: &Call) -> Result<(DriftFinding, Permit<'_>), Problem> {
    let (environment, integration): (String, String) =
        (call.path("environment")?, call.path("integration")?);
    let permit = call.may(Some(&environment), Some(&integration)).await?;
    let id: String = call.path("finding")?;
    let found = permit.state.engine.drift_finding(&id).await?;
    // One of somebody else is none.
    let found = found.filter(|one| {
        one.environment.as_str() == environment && one.integration.as_str() == integration
    });
    let found = found.ok_or_else(|| {
        let id: String = id.chars().take(64).collect();
        let detail = format!("there is no finding `{id}` of `{integration}` in `{environment}`");
        Problem::new(404, qc_engine::codes::NO_FINDING, "No such finding", detail)
    })?;
    Ok((found, permit))
}
