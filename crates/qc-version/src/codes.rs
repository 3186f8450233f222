//! The codes of what is wrong with versions; each has a page in `docs/errors/`.

use qc_model::Code;

/// A version's name is not what the naming policy says.
pub const NAME: Code = Code::new("QC-C040");
/// A version is not newer than the one before it.
pub const ORDER: Code = Code::new("QC-C041");
/// A version's dates contradict each other, or the policy.
pub const WINDOW: Code = Code::new("QC-C042");
/// More major versions are served side by side than the policy allows.
pub const MAJORS: Code = Code::new("QC-C043");
/// A step between two versions cannot be understood.
pub const STEP: Code = Code::new("QC-C044");
/// A step breaks a law: what is valid before is not after, or does not come back.
pub const LAW: Code = Code::new("QC-C045");
/// No document could be made with which to check the steps.
pub const UNCHECKED: Code = Code::new("QC-C046");
/// The version that the workflow works with is not the trigger's contract.
pub const CURRENT: Code = Code::new("QC-C047");
/// A default or a pin names a version that cannot be had.
pub const REFERENCE: Code = Code::new("QC-C048");
/// A document cannot be converted.
pub const CONVERSION: Code = Code::new("QC-C049");
/// A pair of a migration guide does not hold: an example that one of the versions does not admit.
pub const PAIR: Code = Code::new("QC-C052");
