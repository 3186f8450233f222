//! The error codes of this crate. Each has a page in `docs/errors/`.

use qc_model::Code;

/// A secret that is referred to is nowhere to be found.
pub const MISSING_SECRET: Code = Code::new("QC-V001");
/// A text is not a secret reference.
pub const BAD_REFERENCE: Code = Code::new("QC-V002");
/// A secret's file can be read by everybody.
pub const WORLD_READABLE: Code = Code::new("QC-V003");
/// A file holds what has the form of a credential.
pub const LEAKED: Code = Code::new("QC-V030");
/// A file holds what stands where a credential would, and looks like one.
pub const MAY_BE_LEAKED: Code = Code::new("QC-V031");
/// A secret was found but cannot be used: unreadable, empty, too large, or not text.
pub const UNUSABLE_SECRET: Code = Code::new("QC-V004");
