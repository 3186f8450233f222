//! The error codes of identity. Each has a page in `docs/errors/`.

use qc_model::Code;

/// The server does not know its own public address, or signing in is not set up.
pub const NOT_SET_UP: Code = Code::new("QC-A040");
/// There is no such client, or it cannot be changed so.
pub const NO_CLIENT: Code = Code::new("QC-A041");
/// A client as it was asked for cannot be made.
pub const CLIENT_UNFIT: Code = Code::new("QC-A042");
/// Who signs in has no role here, or not the one that was asked for.
pub const NO_ROLE: Code = Code::new("QC-A043");
/// A sign-in cannot go on: it is too old, was begun elsewhere, or the provider refused it.
pub const SIGN_IN: Code = Code::new("QC-A044");
/// The identity provider cannot be used now.
pub const PROVIDER: Code = Code::new("QC-A045");
/// Too many failed attempts from one address.
pub const TOO_MANY_ATTEMPTS: Code = Code::new("QC-A046");
/// A code or credential that is not known here, or was used.
pub const NO_SUCH_CODE: Code = Code::new("QC-A047");
