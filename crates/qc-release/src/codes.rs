//! The codes of this crate.

use qc_model::Code;

/// There is no such release.
pub const NO_RELEASE: Code = Code::new("QC-D001");
/// A stored release is damaged.
pub const DAMAGED: Code = Code::new("QC-D002");
/// Nothing is deployed there.
pub const NOT_DEPLOYED: Code = Code::new("QC-D003");
/// There is no earlier release to go back to.
pub const NOTHING_BEFORE: Code = Code::new("QC-D004");
/// Somebody else deployed at the same time.
pub const CONCURRENT: Code = Code::new("QC-D005");
/// A release with more files or bytes than it may have.
pub const TOO_LARGE: Code = Code::new("QC-D006");
/// The abbreviation of a release's hash fits several.
pub const AMBIGUOUS: Code = Code::new("QC-D007");
