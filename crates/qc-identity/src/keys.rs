use std::time::Duration;

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use qc_model::Timestamp;
use qc_vault::Secret;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::text::{base64url, sha256_text};

/// A new key is published so long before it signs, so that whoever keeps the key set for a day has it by then.
pub const PUBLISHED_BEFORE: Duration = Duration::from_secs(24 * 3600);
/// How long a key signs.
pub const SIGNS_FOR: Duration = Duration::from_secs(90 * 86_400);
/// A key verifies so long after the next one signs: as long as its last token lives, and the leeway.
const VERIFIES_ON: Duration = Duration::from_secs(360);

/// The public halves of an environment's signing keys, in the order in which they sign.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SigningKeys {
    /// The version of this body's form.
    pub schema_version: u32,
    /// The keys.
    pub keys: Vec<PublicKey>,
}

/// The public half of a signing key: P-256.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicKey {
    /// Its id: the thumbprint of the key (RFC 7638).
    pub kid: String,
    /// The coordinates, base64url.
    pub x: String,
    /// The coordinates, base64url.
    pub y: String,
    /// When it was made and first published.
    pub created_at: Timestamp,
    /// When it begins to sign.
    pub signs_from: Timestamp,
}

/// How a key stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// Published, and does not sign yet.
    Coming,
    /// Signs.
    Signing,
    /// Only verifies what it signed.
    Leaving,
    /// Counts no more.
    Over,
}

impl KeyState {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Coming => "coming",
            Self::Signing => "signing",
            Self::Leaving => "leaving",
            Self::Over => "over",
        }
    }
}

/// A key that was just made, with its private half (PKCS #8, base64).
pub(crate) struct FreshKey {
    pub(crate) public: (String, String, String),
    pub(crate) private: Secret,
}

impl FreshKey {
    /// Makes one. Its randomness is the cryptographic library's own: it takes no other.
    pub(crate) fn make() -> Self {
        let document =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
                .expect("the operating system has randomness");
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref())
            .expect("just made");
        // Uncompressed: 4, then both coordinates of 32 bytes.
        let point = pair.public_key().as_ref();
        let (x, y) = (base64url(&point[1..33]), base64url(&point[33..65]));
        let kid = sha256_text(&format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#));
        Self { public: (kid, x, y), private: Secret::new(STANDARD.encode(document.as_ref())) }
    }

    /// Its public half, signing from then on.
    pub(crate) fn public(&self, created_at: Timestamp, signs_from: Timestamp) -> PublicKey {
        let (kid, x, y) = self.public.clone();
        PublicKey { kid, x, y, created_at, signs_from }
    }
}

impl SigningKeys {
    /// How the key at this place stands.
    fn state(&self, at: usize, now: Timestamp) -> KeyState {
        if now < self.keys[at].signs_from {
            return KeyState::Coming;
        }
        match self.keys.get(at + 1) {
            Some(next) if next.signs_from + VERIFIES_ON <= now => KeyState::Over,
            Some(next) if next.signs_from <= now => KeyState::Leaving,
            _ => KeyState::Signing,
        }
    }

    /// The keys that count, and how each stands.
    pub fn standing(&self, now: Timestamp) -> impl Iterator<Item = (&PublicKey, KeyState)> {
        let all = self.keys.iter().enumerate().map(move |(at, key)| (key, self.state(at, now)));
        all.filter(|(_, state)| *state != KeyState::Over)
    }

    /// The key that signs now.
    pub fn signing(&self, now: Timestamp) -> Option<&PublicKey> {
        self.standing(now).find(|(_, state)| *state == KeyState::Signing).map(|(key, _)| key)
    }

    /// Whether the next key is due: so that it is published long enough before this one is too old.
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        self.keys.last().is_some_and(|last| last.signs_from + SIGNS_FOR <= now + PUBLISHED_BEFORE)
    }

    /// With a further key: the first signs at once, others when they were published long enough. `at_once` takes the
    /// others away, for a key that leaked. The keys whose time is over go.
    pub(crate) fn with(&self, fresh: &FreshKey, at_once: bool, now: Timestamp) -> Self {
        let mut keys: Vec<PublicKey> = if at_once {
            Vec::new()
        } else {
            self.standing(now).map(|(key, _)| key.clone()).collect()
        };
        let signs_from = if keys.is_empty() { now } else { now + PUBLISHED_BEFORE };
        keys.push(fresh.public(now, signs_from));
        Self { schema_version: 1, keys }
    }

    /// As a JSON Web Key Set (RFC 7517).
    pub fn jwks(&self, now: Timestamp) -> Value {
        let key = |(key, _): (&PublicKey, KeyState)| {
            json!({
                "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256",
                "kid": key.kid, "x": key.x, "y": key.y,
            })
        };
        json!({ "keys": self.standing(now).map(key).collect::<Vec<_>>() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: u64) -> Timestamp {
        Timestamp::from_millis(1_000_000_000_000) + Duration::from_secs(3600 * hours)
    }

    #[test]
    fn a_key_is_published_a_day_before_it_signs_and_verifies_until_its_last_token_ends() {
        let one = SigningKeys::default().with(&FreshKey::make(), false, at(0));
        assert_eq!(one.signing(at(0)), Some(&one.keys[0]));
        let two = one.with(&FreshKey::make(), false, at(10));
        let states = |now| two.standing(now).map(|(_, state)| state).collect::<Vec<_>>();
        assert_eq!(states(at(10)), [KeyState::Signing, KeyState::Coming]);
        assert_eq!(two.jwks(at(10))["keys"].as_array().unwrap().len(), 2);
        assert_eq!(states(at(34)), [KeyState::Leaving, KeyState::Signing]);
        assert_eq!(states(at(34) + Duration::from_secs(359)).len(), 2);
        assert_eq!(states(at(34) + Duration::from_secs(360)), [KeyState::Signing]);
        let three = two.with(&FreshKey::make(), true, at(11));
        assert_eq!(three.keys.len(), 1, "a leaked key goes at once");
        assert_eq!(three.signing(at(11)), Some(&three.keys[0]));
    }

    #[test]
    fn the_next_key_is_due_a_day_before_the_present_one_is_too_old() {
        let one = SigningKeys::default().with(&FreshKey::make(), false, at(0));
        assert!(!one.is_due(at(89 * 24 - 1)));
        assert!(one.is_due(at(89 * 24)));
        let two = one.with(&FreshKey::make(), false, at(89 * 24));
        assert!(!two.is_due(at(89 * 24)));
    }
}
