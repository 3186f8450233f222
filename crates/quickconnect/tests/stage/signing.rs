//! Signatures as a sender of Standard Webhooks makes them, written from the standard's text.

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::STANDARD};
use qc_model::Clock;

use super::WallClock;

/// The bytes of the secret that sender and server share.
const KEY: &[u8] = b"a secret of the story, 32 bytes!";

/// The secret as it is written down.
pub(crate) fn secret() -> String {
    format!("whsec_{}", STANDARD.encode(KEY))
}

/// The three header fields of a signed delivery, stamped now.
pub(crate) fn signed(id: &str, body: &[u8]) -> [(&'static str, String); 3] {
    let stamp = (WallClock.now().as_millis() / 1000).to_string();
    let mut signing = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, KEY));
    for piece in [id.as_bytes(), b".", stamp.as_bytes(), b".", body] {
        signing.update(piece);
    }
    let signature = format!("v1,{}", STANDARD.encode(signing.sign()));
    [("webhook-id", id.to_owned()), ("webhook-timestamp", stamp), ("webhook-signature", signature)]
}
