//! The token endpoint's side of OAuth 2.0, pure: requests are made, answers are read. Nothing is sent here.

mod answer;
mod assertion;
mod request;

#[cfg(test)]
mod tests;

pub use answer::{Answer, LIFETIME_MAX, Tokens, Word};
pub use request::{Asking, Purpose, Unsendable, revocation, token_request};
