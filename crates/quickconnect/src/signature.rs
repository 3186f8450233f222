//! Signing an event as a sender would, for trying out triggers that demand a signature.

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use qc_model::Timestamp;
use qc_vault::Secret;

/// The header fields of Standard Webhooks 1.0 (symmetric, `v1`) for a body. None: the secret is not `whsec_` and base64,
/// or base64 alone.
pub(crate) fn standard_webhooks(
    secret: &Secret,
    id: &str,
    at: Timestamp,
    body: &[u8],
) -> Option<[(&'static str, String); 3]> {
    let text = secret.expose().trim();
    let key = STANDARD.decode(text.strip_prefix("whsec_").unwrap_or(text)).ok()?;
    let seconds = at.as_secs().to_string();
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &key));
    context.update(format!("{id}.{seconds}.").as_bytes());
    context.update(body);
    let signature = format!("v1,{}", STANDARD.encode(context.sign().as_ref()));
    Some([
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", seconds),
        ("webhook-signature", signature),
    ])
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use qc_connect::webhook::SignatureScheme;

    use super::*;

    #[test]
    fn the_door_accepts_what_is_signed_here() {
        let secret = Secret::new("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD");
        let at = Timestamp::from_millis(1_795_358_400_000);
        let mut headers = HeaderMap::new();
        for (name, value) in standard_webhooks(&secret, "msg_1", at, b"{}").unwrap() {
            headers.insert(name, value.parse().unwrap());
        }
        let scheme = SignatureScheme::standard_webhooks();
        let secrets = [secret];
        scheme.verify(&headers, b"{}", &secrets, at).unwrap();
        assert!(scheme.verify(&headers, b"{ }", &secrets, at).is_err());
        assert!(standard_webhooks(&Secret::new("not base64!"), "1", at, b"").is_none());
    }
}
