//! Signing as the providers do it, written here from their documentation and not taken from the code under test.

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::STANDARD};

pub(crate) fn mac(secret: &[u8], pieces: &[&[u8]]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    hmac::sign(&key, &pieces.concat()).as_ref().to_vec()
}

pub(crate) fn mac512(secret: &[u8], pieces: &[&[u8]]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA512, secret);
    hmac::sign(&key, &pieces.concat()).as_ref().to_vec()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |n: u8| char::from_digit(u32::from(n), 16).unwrap();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// GitHub: `X-Hub-Signature-256`.
pub(crate) fn github(secret: &str, body: &[u8]) -> String {
    format!("sha256={}", hex(&mac(secret.as_bytes(), &[body])))
}
