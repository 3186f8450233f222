//! Tokens as an attacker, or a broken client, would make them.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use crate::world::{URL, World};

/// A token with this header and these claims, signed by that.
pub(crate) fn signed(header: &Value, claims: &Value, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(header), part(claims));
    let signature = URL_SAFE_NO_PAD.encode(sign(message.as_bytes()));
    format!("{message}.{signature}")
}

/// Signs with a private key (PKCS #8) by ES256.
pub(crate) fn es256(der: &[u8]) -> impl Fn(&[u8]) -> Vec<u8> + use<> {
    let key = EncodingKey::from_ec_der(der);
    move |message| {
        let text = jsonwebtoken::crypto::sign(message, &key, Algorithm::ES256).unwrap();
        URL_SAFE_NO_PAD.decode(text).unwrap()
    }
}

/// Signs by HS256 with whatever the attacker takes for the secret.
pub(crate) fn hs256(secret: &[u8]) -> impl Fn(&[u8]) -> Vec<u8> + use<> {
    let key = EncodingKey::from_secret(secret);
    move |message| {
        let text = jsonwebtoken::crypto::sign(message, &key, Algorithm::HS256).unwrap();
        URL_SAFE_NO_PAD.decode(text).unwrap()
    }
}

/// The header that our tokens have.
pub(crate) fn header(kid: &str) -> Value {
    json!({ "typ": "at+jwt", "alg": "ES256", "kid": kid })
}

/// The claims that our tokens have.
pub(crate) fn claims(world: &World, environment: &str) -> Value {
    json!({
        "iss": format!("{URL}/{environment}"), "aud": format!("{URL}/{environment}/api"),
        "sub": "billing", "client_id": "billing", "jti": "j1",
        "iat": world.now(), "exp": world.now() + 300,
        "role": "runtime", "environment": environment,
    })
}

/// The parts of a token.
pub(crate) fn parts(token: &str) -> (Header, Value) {
    let header = jsonwebtoken::decode_header(token).unwrap();
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    (header, serde_json::from_slice(&payload).unwrap())
}
