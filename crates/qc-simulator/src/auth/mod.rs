//! Who may call a simulated provider: the credentials that it accepts, the tokens that it issues
//! and the check of each request.

mod check;
mod credentials;
mod token;

pub(crate) use check::{Guard, Scheme, SchemeKind};
pub use credentials::Credentials;
pub(crate) use token::{TokenError, Tokens};
