//! Triggers: how they stand, and pausing them.

pub(super) mod discard;
pub(super) mod list;
pub(super) mod pause;
pub(super) mod resume;

use qc_engine::TriggerName;

use crate::{Problem, api::unusable};

/// The trigger of a request.
fn named(environment: &str, integration: &str, trigger: &str) -> Result<TriggerName, Problem> {
    Ok(TriggerName {
        environment: environment.parse().map_err(|e| unusable("environment", &e))?,
        integration: integration.parse().map_err(|e| unusable("integration", &e))?,
        trigger: trigger.parse().map_err(|e| unusable("trigger", &e))?,
    })
}
