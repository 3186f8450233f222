//! Lines: runs of a key that go one after the other.

pub(super) mod discard;
pub(super) mod list;
pub(super) mod resume;
pub(super) mod skip;

use qc_engine::LineName;

use crate::{Problem, api::unusable};

/// The line of a request.
fn named(
    tenant: &str,
    environment: &str,
    integration: &str,
    key: String,
) -> Result<LineName, Problem> {
    Ok(LineName {
        tenant: tenant.parse().map_err(|e| unusable("tenant", &e))?,
        environment: environment.parse().map_err(|e| unusable("environment", &e))?,
        integration: integration.parse().map_err(|e| unusable("integration", &e))?,
        key,
    })
}
