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
/// Who signs in has no role here, or not the one that was asked for.
pub const NO_ROLE: Code = Code::new("QC-A054");
/// A sign-in that cannot go on.
pub const SIGN_IN: Code = Code::new("QC-A055");
/// The identity provider cannot be used now.
pub const PROVIDER: Code = Code::new("QC-A056");
/// A code or credential that is not known here, was used, or is over.
pub const NO_SUCH_CODE: Code = Code::new("QC-A057");
/// The break-glass account was opened, and is not sealed.
pub const BREAK_GLASS: Code = Code::new("QC-A058");
/// A request that changes something came from another place.
pub const CROSS_SITE: Code = Code::new("QC-A059");
