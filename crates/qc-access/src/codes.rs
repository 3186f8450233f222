//! The error codes of access. Each has a page in `docs/errors/`.

use qc_model::Code;

/// A request without a token, where one is needed.
pub const NO_TOKEN: Code = Code::new("QC-A001");
/// A text that is no token: wrong form or wrong checksum.
pub const MALFORMED_TOKEN: Code = Code::new("QC-A002");
/// A token that is unknown here, or was revoked.
pub const UNKNOWN_TOKEN: Code = Code::new("QC-A003");
/// A token whose time is over.
pub const EXPIRED_TOKEN: Code = Code::new("QC-A004");
/// A token that does not allow this.
pub const NOT_PERMITTED: Code = Code::new("QC-A005");
/// A signed token, or a session, that is not accepted.
pub const REFUSED_TOKEN: Code = Code::new("QC-A007");
/// Tokens cannot be checked now, as the store does not answer.
pub const CANNOT_CHECK: Code = Code::new("QC-A006");
/// A key that two versions of count already, or whose time is over.
pub const NOT_ROTATED: Code = Code::new("QC-A008");
/// Policies were not reviewed: their matrix is another.
pub const NOT_REVIEWED: Code = Code::new("QC-A043");
/// A policy cannot be used.
pub const POLICY: Code = Code::new("QC-A044");
