//! Webhooks that come in: who signed them ([`SignatureScheme`]) and the handshakes by which providers make sure that
//! an address is theirs to send to ([`Challenge`]). Both are data that the user's files declare.

mod challenge;
mod read;
mod scheme;
mod sign;
mod verify;

#[cfg(test)]
mod tests;

pub use challenge::{Challenge, ChallengeAnswer, ChallengeKind};
pub use scheme::{
    Algorithm, ContentPart, Encoding, HmacScheme, SignatureScheme, TimestampHeader, TimestampUnit,
};
pub use verify::SignatureError;
