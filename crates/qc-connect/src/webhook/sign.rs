//! Signing as a provider does, for sending what a trigger will take.

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue};
use qc_model::Timestamp;
use qc_vault::Secret;

use super::{
    scheme::{Algorithm, Encoding, HmacScheme, SignatureScheme, TimestampUnit},
    verify::{SignatureError, key, malformed, standard_key},
};
use crate::call::key::hex;

impl SignatureScheme {
    /// Adds the header fields that prove to a trigger of this scheme that a body comes from who has the secret. `id` is
    /// the delivery's, where the scheme has one. Errors: the secret is none of this scheme, or a header that is signed,
    /// too, is not there.
    pub fn sign(
        &self,
        headers: &mut HeaderMap,
        body: &[u8],
        secret: &Secret,
        id: &str,
        now: Timestamp,
    ) -> Result<(), SignatureError> {
        match self {
            Self::StandardWebhooks { .. } => {
                let seconds = now.as_secs().to_string();
                let signed = [id.as_bytes(), b".", seconds.as_bytes(), b".", body];
                let tag = tag(&standard_key(secret)?, &signed);
                let signature = format!("v1,{}", STANDARD.encode(tag));
                put(headers, HeaderName::from_static("webhook-id"), id)?;
                put(headers, HeaderName::from_static("webhook-timestamp"), &seconds)?;
                put(headers, HeaderName::from_static("webhook-signature"), &signature)
            }
            Self::Stripe { .. } => {
                let seconds = now.as_secs().to_string();
                let key = key(Algorithm::Sha256, secret.expose().as_bytes());
                let tag = tag(&key, &[seconds.as_bytes(), b".", body]);
                let signature = format!("t={seconds},v1={}", hex(tag.as_ref()));
                put(headers, HeaderName::from_static("stripe-signature"), &signature)
            }
            Self::Hmac(scheme) => scheme.sign(headers, body, secret, now),
            Self::Token { header } => put(headers, header.clone(), secret.expose()),
        }
    }
}

impl HmacScheme {
    fn sign(
        &self,
        headers: &mut HeaderMap,
        body: &[u8],
        secret: &Secret,
        now: Timestamp,
    ) -> Result<(), SignatureError> {
        let mut stamp = String::new();
        if let Some(timestamp) = &self.timestamp {
            stamp = match timestamp.unit {
                TimestampUnit::Seconds => now.as_secs().to_string(),
                TimestampUnit::Milliseconds => now.as_millis().to_string(),
            };
            put(headers, timestamp.header.clone(), &stamp)?;
        }
        let pieces = self.pieces(headers, &stamp, body)?;
        let tag = tag(&key(self.algorithm, secret.expose().as_bytes()), &pieces);
        let written = match self.encoding {
            Encoding::Hex => hex(tag.as_ref()),
            Encoding::Base64 => STANDARD.encode(tag),
        };
        put(headers, self.header.clone(), &format!("{}{written}", self.prefix))
    }
}

fn tag(key: &hmac::Key, pieces: &[&[u8]]) -> hmac::Tag {
    let mut context = hmac::Context::with_key(key);
    for piece in pieces {
        context.update(piece);
    }
    context.sign()
}

fn put(headers: &mut HeaderMap, name: HeaderName, value: &str) -> Result<(), SignatureError> {
    let mut written = HeaderValue::from_str(value)
        .map_err(|_| malformed(format!("what belongs into `{name}` is no header field's value")))?;
    written.set_sensitive(true);
    headers.insert(name, written);
    Ok(())
}
