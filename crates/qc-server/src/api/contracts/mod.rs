//! Contracts where they are served: who uses them, what consumers expect, and how a version
//! ends that somebody still speaks.

pub(super) mod end;
pub(super) mod matrix;
pub(super) mod publish;
pub(super) mod usage;

use qc_version::Versions;

use super::route::{Parameter, path};

const ENVIRONMENT: Parameter = path("environment", "The environment");
const INTEGRATION: Parameter = path("integration", "The integration");

/// The versions of a deployed trigger's contract, where it has several.
fn versions<'a>(
    deployment: Option<&'a qc_engine::Deployment>,
    trigger: &str,
) -> Option<&'a Versions> {
    let triggers = deployment?.release.triggers.values();
    triggers.into_iter().find(|it| it.name.as_str() == trigger)?.versions.as_deref()
}
