use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use qc_model::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    Client, Place,
    jws::{self, LEEWAY, in_time},
};

/// How far in the future an assertion may end, in seconds.
const LIFETIME: i64 = 300;
/// The longest `jti`, in bytes.
const JTI: usize = 200;

/// The claims of a client's assertion (RFC 7523, section 3).
#[derive(Debug, Deserialize)]
pub(crate) struct Assertion {
    iss: String,
    sub: String,
    aud: Value,
    pub(crate) exp: i64,
    pub(crate) jti: String,
    #[serde(default)]
    iat: Option<i64>,
    #[serde(default)]
    nbf: Option<i64>,
}

/// Which client an assertion claims to be of; nothing is proven by that.
pub(crate) fn claimed(text: &str) -> Option<String> {
    let payload = URL_SAFE_NO_PAD.decode(text.split('.').nth(1)?).ok()?;
    let claims: Value = serde_json::from_slice(&payload).ok()?;
    claims["sub"].as_str().map(str::to_owned)
}

/// Whether the client signed this assertion for us, and now. Whether it was used before is another question.
pub(crate) fn check(
    text: &str,
    client: &Client,
    place: &Place,
    now: Timestamp,
) -> Result<Assertion, &'static str> {
    let header = jws::head(text)?;
    if header.typ.as_deref().is_some_and(|typ| {
        !["JWT", "client-authentication+jwt"].iter().any(|it| it.eq_ignore_ascii_case(typ))
    }) {
        return Err("its type is not that of an assertion");
    }
    let key = client.key(header.kid.as_deref()).ok_or("the client has no such key")?;
    let claims: Assertion = jws::open(text, &key)?;
    if claims.iss != client.id.as_str() || claims.sub != claims.iss {
        return Err("`iss` and `sub` are not the client's id");
    }
    // One audience and no other: what is for us and somebody else, somebody else could use here.
    let audience = match &claims.aud {
        Value::String(one) => Some(one.as_str()),
        Value::Array(list) if list.len() == 1 => list[0].as_str(),
        _ => None,
    };
    let ours = [place.issuer(&client.environment), place.token_endpoint()];
    if !audience.is_some_and(|audience| ours.iter().any(|own| own == audience)) {
        return Err("its audience is not exactly this server's issuer or token endpoint");
    }
    in_time(now.as_secs(), claims.exp, claims.iat, claims.nbf)?;
    if claims.exp > now.as_secs() + LIFETIME + LEEWAY {
        return Err("it ends later than in five minutes");
    }
    if claims.jti.is_empty() || claims.jti.len() > JTI {
        return Err("its `jti` has 1 to 200 bytes");
    }
    Ok(claims)
}
