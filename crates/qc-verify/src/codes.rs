//! The codes of this crate's findings; each has a page in `docs/errors/`.

use qc_model::Code;

/// An address that is neither on this machine nor declared as a test endpoint.
pub const TARGET: Code = Code::new("QC-C060");
/// An answer's status is not one that the description, or the case, allows.
pub const STATUS: Code = Code::new("QC-C061");
/// An answer's headers or body are not as described.
pub const ANSWER: Code = Code::new("QC-C062");
/// A request that the description rules out was accepted.
pub const ACCEPTED: Code = Code::new("QC-C063");
/// A request brought a failure of the server, or no answer.
pub const BROKE: Code = Code::new("QC-C064");
/// A request that the description admits was refused.
pub const REFUSED: Code = Code::new("QC-C065");
/// A request without valid credentials was served.
pub const UNPROTECTED: Code = Code::new("QC-C066");
/// A documented example does not fit its own schema.
pub const EXAMPLE: Code = Code::new("QC-C067");
/// An answer or message is not what a consumer expects.
pub const UNMET: Code = Code::new("QC-C068");
/// A consumer did not take a payload that its contract admits.
pub const UNTAKEN: Code = Code::new("QC-C069");
/// A state of the provider could not be set up.
pub const STATE: Code = Code::new("QC-C070");
/// A file with credentials or values for the cases is wrong.
pub const SETTINGS: Code = Code::new("QC-C071");
