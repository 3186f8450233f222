//! The error codes of this crate. Each has a page in `docs/errors/`.

use qc_model::Code;

/// A connection waits for its account's holder to consent.
pub const CONSENT_NEEDED: Code = Code::new("QC-N301");
/// What became of a connection's last refresh is not known.
pub const OUTCOME_UNKNOWN: Code = Code::new("QC-N302");
/// A connection was revoked.
pub const REVOKED: Code = Code::new("QC-N303");
/// The token endpoint refuses the client of a connection, or what it asks for.
pub const CLIENT_REFUSED: Code = Code::new("QC-N304");
/// The token endpoint of a connection is not available.
pub const UNAVAILABLE: Code = Code::new("QC-N305");
/// A connection was not granted the scopes that a call needs.
pub const SCOPES_MISSING: Code = Code::new("QC-N306");
/// A connection was granted more scopes than it needs.
pub const SCOPES_EXCESS: Code = Code::new("QC-N307");
/// Connections cannot be kept on this server.
pub const NOT_KEPT: Code = Code::new("QC-N308");
/// A link to consent, or what came back from the provider, is not good.
pub const LINK: Code = Code::new("QC-N309");
/// Another account than the expected one consented.
pub const OTHER_ACCOUNT: Code = Code::new("QC-N310");
/// There is no such connection.
pub const NO_CONNECTION: Code = Code::new("QC-N311");
/// A connection ends soon, and nothing renews it.
pub const ENDS_SOON: Code = Code::new("QC-N312");
/// A connection cannot be drilled so.
pub const NO_DRILL: Code = Code::new("QC-N313");

/// Whether a failure with this code tells nothing of how the connection works: it is about the connection itself, or the
/// other system was not asked, as a quota of ours is used up or its turn is far away.
pub(crate) fn tells_nothing(code: &Code) -> bool {
    code.as_str().starts_with("QC-N3") || matches!(code.as_str(), "QC-N125" | "QC-N127")
}
