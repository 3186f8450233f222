use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::json;

use super::{Asking, Unsendable};
use crate::provider::{Grant, PrivateKey, SigningAlgorithm};

/// The type of an assertion (RFC 7523, section 2.2).
pub(super) const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// How long an assertion is valid, in seconds.
const LIFETIME_SECS: i64 = 60;

/// A client's assertion: who it is, to whom it speaks, once (RFC 7523, section 3).
pub(super) fn signed(
    grant: &Grant,
    key: &PrivateKey,
    asking: Asking<'_>,
) -> Result<String, Unsendable> {
    let pem = key.pem.expose().as_bytes();
    let (algorithm, signing) = match key.algorithm {
        SigningAlgorithm::Rs256 => (Algorithm::RS256, EncodingKey::from_rsa_pem(pem)),
        SigningAlgorithm::Ps256 => (Algorithm::PS256, EncodingKey::from_rsa_pem(pem)),
        SigningAlgorithm::Es256 => (Algorithm::ES256, EncodingKey::from_ec_pem(pem)),
    };
    // The library's errors name kinds of keys and nothing of their contents.
    let unusable = |error: jsonwebtoken::errors::Error| Unsendable::Key(error.to_string());
    let signing = signing.map_err(unusable)?;
    let header = Header { kid: key.id.clone(), ..Header::new(algorithm) };
    let claims = json!({
        "iss": grant.client_id,
        "sub": grant.client_id,
        "aud": key.audience.as_deref().unwrap_or(&grant.token_url),
        "jti": asking.unique,
        "iat": asking.now_secs,
        "exp": asking.now_secs + LIFETIME_SECS,
    });
    encode(&header, &claims, &signing).map_err(unusable)
}
