//! `contracts/<name>.versions.yaml`: the versions of one contract that are served side by side.

mod file;
mod step;

pub use file::{SelectSpec, VersionSpec, VersionsFile};
pub use step::{Change, FillSpec, JqSpec, MapSpec, RenameSpec, StepSpec};

/// Ends the name of a file of versions.
pub(crate) const VERSIONS_SUFFIX: &str = ".versions.yaml";
