//! `contracts/<name>.versions.yaml`: the versions of one contract that are served side by side.

mod file;
mod step;

use std::time::Duration;

use qc_model::Finding;
use qc_version::{Versions, codes};

use crate::Project;

pub use file::{SelectSpec, VersionSpec, VersionsFile};
pub use step::{Change, FillSpec, JqSpec, MapSpec, RenameSpec, StepSpec};

/// Ends the name of a file of versions.
pub(crate) const VERSIONS_SUFFIX: &str = ".versions.yaml";

impl Project {
    /// The versions of a trigger's contract.
    ///
    /// Errors: what is wrong with them, or that there are none.
    pub fn versions_of(&self, integration: &str, trigger: &str) -> Result<Versions, Vec<Finding>> {
        let folder = self.integration(integration).map_err(|finding| vec![*finding])?;
        let triggers = folder.definition.as_ref().map(|file| &file.value.triggers);
        let mut found = Vec::new();
        let spec = triggers.and_then(|triggers| triggers.get(trigger));
        let made = spec.and_then(|spec| crate::compile::versions(self, folder, spec, &mut found));
        match made {
            Some(versions) => Ok(versions),
            None if found.is_empty() => {
                let message =
                    format!("the trigger `{integration}/{trigger}` has no versions of a contract");
                let help =
                    crate::check::closest_or_list(trigger, self.versioned(integration).into_iter());
                Err(vec![Finding::error(codes::REFERENCE, message).help(help)])
            }
            None => Err(found),
        }
    }

    /// The triggers of an integration whose contract has versions.
    pub fn versioned(&self, integration: &str) -> Vec<&str> {
        let folder = self.integrations().get(integration);
        let file = folder.and_then(|folder| folder.definition.as_ref());
        let triggers = file.into_iter().flat_map(|file| file.value.triggers.iter());
        let with = triggers.filter(|(_, trigger)| trigger.versions.is_some());
        with.map(|(name, _)| name.value.as_str()).collect()
    }

    /// How long a deprecated version answers at least, by the organisation's policy.
    pub fn minimum_support(&self) -> Option<Duration> {
        self.organisation()?.value.versioning.as_ref()?.minimum_support
    }

    /// Who has not used a version or a field for so long does not use it any more.
    pub fn quiet(&self) -> Duration {
        let policy = self.organisation().and_then(|file| file.value.versioning.as_ref()?.quiet);
        policy.unwrap_or(qc_version::usage::QUIET)
    }
}
