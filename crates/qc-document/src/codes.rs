//! The codes of document findings; each has a page in `docs/errors/`.

use qc_model::Code;

/// The text is not YAML or not JSON.
pub const SYNTAX: Code = Code::new("QC-Q001");
/// A key stands twice in one object.
pub const DUPLICATE_KEY: Code = Code::new("QC-Q002");
/// The nesting is deeper than allowed.
pub const TOO_DEEP: Code = Code::new("QC-Q003");
/// The text is longer, or has more values, than allowed.
pub const TOO_LARGE: Code = Code::new("QC-Q004");
/// The bytes are not UTF-8 without a byte order mark, or an escape is no Unicode character.
pub const ENCODING: Code = Code::new("QC-Q005");
/// A number that JSON cannot carry, or that would be changed by being read.
pub const NUMBER: Code = Code::new("QC-Q006");
/// A YAML alias without anchor, inside its own anchor, or expanding to too much.
pub const ALIAS: Code = Code::new("QC-Q007");
/// A YAML merge key `<<`.
pub const MERGE_KEY: Code = Code::new("QC-Q008");
/// More than one YAML document in a file.
pub const SEVERAL_DOCUMENTS: Code = Code::new("QC-Q009");
/// A YAML tag outside the core schema, or one that its value does not fit.
pub const TAG: Code = Code::new("QC-Q010");
/// A key that is a list or an object.
pub const KEY_KIND: Code = Code::new("QC-Q011");
/// A key that the schema does not know.
pub const UNKNOWN_KEY: Code = Code::new("QC-Q012");
/// A key that must be there is not.
pub const MISSING_KEY: Code = Code::new("QC-Q013");
/// A value of another kind than the schema says.
pub const WRONG_KIND: Code = Code::new("QC-Q014");
/// A value of the right kind that is not allowed.
pub const INVALID_VALUE: Code = Code::new("QC-Q015");
/// Keys of which exactly one (or at most one) may be there.
pub const CONFLICTING_KEYS: Code = Code::new("QC-Q016");
