//! Consent: the account's holder is sent to the provider by a link that works once, and comes back with a code.
//!
//! The link holds a random code; everything else of a consent is derived from it, so that opening the link writes
//! nothing and can be done again: the `state` that comes back, the verifier of PKCE, and a cookie that says that who
//! comes back is who left (RFC 9700, section 2.1).

use aws_lc_rs::{digest, hmac};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use qc_model::{Entropy, EnvironmentName, Timestamp};
use qc_vault::{SealedValues, Secret};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use url::Url;

use crate::provider::{ConsentRules, Grant};

/// The kind of the documents of links; their name is `<hash of the state>`.
pub(crate) const LINK_KIND: &str = "connection-link";
/// How long a link works.
pub const LINK_LIFETIME: Duration = Duration::from_secs(3600);
/// Bytes of a link's code.
const CODE_BYTES: usize = 32;

/// A link, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The version of this body's form.
    pub schema_version: u32,
    /// The environment.
    pub environment: EnvironmentName,
    /// The connection.
    pub connection: String,
    /// The account that is expected, if one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The scopes that are asked for.
    pub scopes: Vec<String>,
    /// Until when it works.
    pub expires_at: Timestamp,
    /// Who made it, as `kind:id`.
    pub created_by: String,
    /// The link's code, as `code`.
    #[serde(default)]
    pub(crate) sealed: SealedValues,
}

/// What a link's code gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Journey {
    /// Goes to the provider and comes back.
    pub state: String,
    /// Stays here until the code is exchanged (RFC 7636, section 4.1).
    pub verifier: Secret,
    /// Stays in the browser.
    pub cookie: String,
}

/// A new code for a link: 32 random bytes in base64url.
pub fn new_code(entropy: &dyn Entropy) -> Secret {
    let bytes: Vec<u8> =
        (0..CODE_BYTES / 8).flat_map(|_| entropy.next_u64().to_le_bytes()).collect();
    Secret::new(URL_SAFE_NO_PAD.encode(bytes))
}

impl Journey {
    /// Of this code.
    pub fn of(code: &Secret) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, code.expose().as_bytes());
        let derived = |what: &str| {
            URL_SAFE_NO_PAD.encode(hmac::sign(&key, format!("quickconnect {what}").as_bytes()))
        };
        Self {
            state: derived("state"),
            verifier: Secret::new(derived("verifier")),
            cookie: derived("cookie"),
        }
    }
}

/// The name of a link's document.
pub(crate) fn link_name(state: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, state.as_bytes()))
}

/// The challenge of a verifier, by the method `S256` (RFC 7636, section 4.2).
pub fn challenge(verifier: &Secret) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.expose().as_bytes()))
}

/// Where the holder is sent (RFC 6749, section 4.1.1). The error says what is wrong with the connector's address.
pub fn authorization_url(
    grant: &Grant,
    rules: &ConsentRules,
    scopes: &[String],
    journey: &Journey,
) -> Result<String, String> {
    let mut url = Url::parse(&rules.authorization_url)
        .map_err(|error| format!("`authorization_url` is no URL: {error}"))?;
    let mut query = url.query_pairs_mut();
    query.append_pair("response_type", "code");
    query.append_pair("client_id", &grant.client_id);
    query.append_pair("redirect_uri", &rules.redirect_uri);
    if !scopes.is_empty() {
        query.append_pair("scope", &scopes.join(&grant.dialect.scope_separator));
    }
    query.append_pair("state", &journey.state);
    if rules.pkce {
        query.append_pair("code_challenge", &challenge(&journey.verifier));
        query.append_pair("code_challenge_method", "S256");
    }
    for (name, value) in &rules.authorization_params {
        query.append_pair(name, value);
    }
    drop(query);
    Ok(url.into())
}

/// The link that a person opens: beside the callback, which is registered at the provider.
pub fn link_url(rules: &ConsentRules, code: &Secret) -> Option<String> {
    let base = rules.redirect_uri.strip_suffix("/callback")?;
    Some(format!("{base}/{}", code.expose()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_is_that_of_the_standard_s_example() {
        // RFC 7636, appendix B.
        let verifier = Secret::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        assert_eq!(challenge(&verifier), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn what_a_code_gives_is_always_the_same_and_none_of_it_tells_another() {
        let one = Journey::of(&Secret::new("code"));
        assert_eq!(one, Journey::of(&Secret::new("code")));
        assert_ne!(one, Journey::of(&Secret::new("other")));
        assert_ne!(one.state, one.cookie);
        assert_ne!(one.state, one.verifier.expose());
        // RFC 7636: 43 to 128 characters.
        assert_eq!(one.verifier.expose().len(), 43);
    }
}
