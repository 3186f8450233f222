//! The codes of contract findings; each has a page in `docs/errors/`.

use qc_model::Code;

/// A file that was named is not in the folder.
pub const NO_FILE: Code = Code::new("QC-C001");
/// The document is neither OpenAPI 2.0 nor 3.x.
pub const VERSION: Code = Code::new("QC-C002");
/// A part of the document is not what OpenAPI says it is.
pub const MALFORMED: Code = Code::new("QC-C003");
/// A reference leads to nothing.
pub const UNRESOLVED: Code = Code::new("QC-C004");
/// A reference is a URL or leaves the folder.
pub const REMOTE: Code = Code::new("QC-C005");
/// References go round in a circle without ever reaching a value.
pub const CIRCULAR: Code = Code::new("QC-C006");
/// Two operations have one id.
pub const DUPLICATE_OPERATION: Code = Code::new("QC-C007");
/// An operation has no id and got a derived one.
pub const DERIVED_ID: Code = Code::new("QC-C008");
/// A path template and its path parameters do not fit.
pub const PATH_PARAMETER: Code = Code::new("QC-C009");
/// A feature of the document that is not supported.
pub const UNSUPPORTED: Code = Code::new("QC-C010");
/// An overlay document is malformed.
pub const OVERLAY: Code = Code::new("QC-C011");
/// An overlay action matches nothing.
pub const OVERLAY_NO_MATCH: Code = Code::new("QC-C012");
/// A schema cannot be compiled.
pub const SCHEMA: Code = Code::new("QC-C013");
/// More files or references than allowed.
pub const TOO_MANY: Code = Code::new("QC-C014");
/// A Pact file is not what the specification says it is.
pub const PACT: Code = Code::new("QC-C040");
/// A matching rule of a Pact file is not understood.
pub const PACT_RULE: Code = Code::new("QC-C041");
/// A profile of a comparison is wrong.
pub const PROFILE: Code = Code::new("QC-C030");
