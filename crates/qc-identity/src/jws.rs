//! Signed texts of others: which algorithm a key is for, and whether it signed.
//!
//! The library checks signatures and nothing else: its checks of time look at the wall clock, and those of claims pass
//! what has none. Claims are typed values here, and their readers judge them.

use jsonwebtoken::{
    Algorithm, DecodingKey, Header, Validation,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk},
};
use serde::de::DeserializeOwned;

/// The longest text that is looked at, in bytes.
const LONGEST: usize = 16 << 10;
/// How far clocks may be apart, in seconds.
pub(crate) const LEEWAY: i64 = 60;

/// The head of a signed text, not proven by anything.
pub(crate) fn head(text: &str) -> Result<Header, &'static str> {
    if text.len() > LONGEST {
        return Err("it is too long");
    }
    let header = jsonwebtoken::decode_header(text).map_err(|_| "its header cannot be read")?;
    // Whatever is critical there is not understood here (RFC 7515, section 4.1.11).
    if header.crit.is_some() {
        return Err("its header has a `crit`");
    }
    Ok(header)
}

/// The claims of a text that this key signed, with the one algorithm that the key is for.
pub(crate) fn open<T: DeserializeOwned>(text: &str, key: &VerifyingKey) -> Result<T, &'static str> {
    if head(text)?.alg != key.algorithm {
        return Err("its algorithm is not that of the key");
    }
    let mut validation = Validation::new(key.algorithm);
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    match jsonwebtoken::decode(text, &key.key, &validation) {
        Ok(data) => Ok(data.claims),
        Err(error) => Err(match error.kind() {
            jsonwebtoken::errors::ErrorKind::InvalidSignature => "its signature is wrong",
            jsonwebtoken::errors::ErrorKind::Json(_) => "a claim is missing or malformed",
            _ => "it cannot be read",
        }),
    }
}

/// A public key, and the only algorithm with which it verifies: the text does not choose.
#[derive(Clone)]
pub(crate) struct VerifyingKey {
    algorithm: Algorithm,
    key: DecodingKey,
}

impl VerifyingKey {
    /// Reads a public JSON Web Key (RFC 7517): P-256, RSA or Ed25519.
    pub(crate) fn of(jwk: &Jwk) -> Result<Self, String> {
        let algorithm = match &jwk.algorithm {
            AlgorithmParameters::EllipticCurve(curve) if curve.curve == EllipticCurve::P256 => {
                Algorithm::ES256
            }
            AlgorithmParameters::RSA(_) => Algorithm::RS256,
            AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => {
                Algorithm::EdDSA
            }
            _ => return Err("a key is for ES256, RS256 or EdDSA".to_owned()),
        };
        if let Some(stated) = jwk.common.key_algorithm
            && stated.to_string() != format!("{algorithm:?}")
        {
            return Err(format!("the key says it is for {stated}; only {algorithm:?} fits it"));
        }
        let key = DecodingKey::from_jwk(jwk).map_err(|_| "the key cannot be read".to_owned())?;
        Ok(Self { algorithm, key })
    }

    /// A key of P-256, by its coordinates in base64url.
    pub(crate) fn p256(x: &str, y: &str) -> Option<Self> {
        let key = DecodingKey::from_ec_components(x, y).ok()?;
        Some(Self { algorithm: Algorithm::ES256, key })
    }
}

/// Whether what ends at `exp` and began at `iat` (and `nbf`) holds now; seconds since 1970.
pub(crate) fn in_time(
    now: i64,
    exp: i64,
    iat: Option<i64>,
    nbf: Option<i64>,
) -> Result<(), &'static str> {
    if exp <= now {
        return Err("its time is over");
    }
    if [iat, nbf].into_iter().flatten().any(|begin| begin > now + LEEWAY) {
        return Err("its time has not begun");
    }
    Ok(())
}
