//! Every code that this crate can put in front of a user. Each has a page in `docs/errors`.

use qc_model::Code;

/// The text is not a jq expression.
pub const SYNTAX: Code = Code::new("QC-E001");
/// A `$name` that nothing binds.
pub const UNKNOWN_VARIABLE: Code = Code::new("QC-E002");
/// A function that does not exist with that number of arguments.
pub const UNKNOWN_FUNCTION: Code = Code::new("QC-E003");
/// A jq function that would look out of the expression (environment, input, clock zone, halt).
pub const REFUSED_FUNCTION: Code = Code::new("QC-E004");
/// A `def` that calls itself.
pub const RECURSION: Code = Code::new("QC-E005");
/// The source text is longer than [`crate::SOURCE_LIMIT`].
pub const SOURCE_TOO_LONG: Code = Code::new("QC-E006");
/// Nested too deeply, or too large once its own functions are written out.
pub const TOO_COMPLEX: Code = Code::new("QC-E007");
/// Text around a `${ … }`, such as `Hello ${ .name }`.
pub const PARTIAL_INTERPOLATION: Code = Code::new("QC-E008");
/// A regular expression written in the source that does not compile.
pub const BAD_REGEX: Code = Code::new("QC-E009");

/// The expression produced nothing.
pub const NO_OUTPUT: Code = Code::new("QC-E020");
/// The expression produced several outputs where one is needed.
pub const MANY_OUTPUTS: Code = Code::new("QC-E021");
/// The expression used up its steps.
pub const OUT_OF_FUEL: Code = Code::new("QC-E022");
/// The expression used up its memory.
pub const OUT_OF_BYTES: Code = Code::new("QC-E023");
/// The expression, or the data it built, nested too deeply.
pub const TOO_DEEP: Code = Code::new("QC-E024");
/// An operation does not apply to the value it met.
pub const FAILED: Code = Code::new("QC-E025");
/// The expression called `error`.
pub const RAISED: Code = Code::new("QC-E026");
/// More outputs than the caller takes.
pub const TOO_MANY_OUTPUTS: Code = Code::new("QC-E027");
/// The caller gave fewer variables than the expression was read with.
pub const MISSING_VARIABLE: Code = Code::new("QC-E028");
