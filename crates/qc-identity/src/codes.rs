//! The error codes of identity. Each has a page in `docs/errors/`.

use qc_model::Code;

/// The server does not know its own public address, or signing in is not set up.
pub const NOT_SET_UP: Code = Code::new("QC-A050");
/// There is no such client, or it cannot be changed so.
pub const NO_CLIENT: Code = Code::new("QC-A051");
/// A client as it was asked for cannot be made.
pub const CLIENT_UNFIT: Code = Code::new("QC-A052");
/// Too many failed attempts from one address.
pub const TOO_MANY_ATTEMPTS: Code = Code::new("QC-A053");
