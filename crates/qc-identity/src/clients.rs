use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use jsonwebtoken::jwk::JwkSet;
use qc_access::{Holding, Principal, Role, Scope, TokenKind, mint};
use qc_model::{Actor, Entropy, EnvironmentName, Name, Timestamp};
use qc_vault::Secret;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{jws::VerifyingKey, text::sha256_text};

/// The kind of the documents that hold clients; their name is the client's id.
pub(crate) const CLIENT_KIND: &str = "oauth-client";
/// How long a client is there when nothing else is said.
pub const CLIENT_LIFETIME: Duration = Duration::from_secs(365 * 86_400);
/// The longest time in which two secrets of a client are valid.
pub const OVERLAP_MAX: Duration = Duration::from_secs(30 * 86_400);
/// The most keys of a client.
const KEYS_MAX: usize = 10;
/// The longest purpose or owner, in bytes.
const TEXT: usize = 200;

/// A service that proves who it is, and gets access tokens.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Client {
    /// The version of this body's form.
    pub schema_version: u32,
    /// Its id, which is never used for another one.
    pub id: Name,
    /// The only environment in which it acts.
    pub environment: EnvironmentName,
    /// What it is for.
    pub role: Role,
    /// What it is narrowed to; None for all that the role may do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<Scope>>,
    /// The team or person who answers for it.
    pub owner: String,
    /// What it does.
    pub purpose: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// By whom, as `kind:id`.
    pub created_by: String,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Its secrets, the newest first; two at most. None when it signs assertions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<StoredSecret>,
    /// Its public keys, when it signs assertions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<JwkSet>,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
}

/// What is stored of a client's secret.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StoredSecret {
    /// SHA-256, base64url.
    pub(crate) digest: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends; None: when the client does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Timestamp>,
}

/// What a new client shall be.
#[derive(Debug, Clone)]
pub struct NewClient {
    /// Its id.
    pub id: Name,
    /// Its environment.
    pub environment: EnvironmentName,
    /// What it is for.
    pub role: Role,
    /// What it is narrowed to; None for all that the role may do.
    pub scopes: Option<Vec<Scope>>,
    /// Who answers for it.
    pub owner: String,
    /// What it does.
    pub purpose: String,
    /// How long it is there.
    pub lifetime: Duration,
    /// Its public keys (a JSON Web Key Set), when it signs assertions; None: it gets a secret.
    pub keys: Option<Value>,
}

impl NewClient {
    /// The client, and its secret when it has one; the error says what does not fit.
    pub(crate) fn made(
        self,
        actor: &Actor,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<(Client, Option<Secret>), String> {
        for (what, text) in [("owner", &self.owner), ("purpose", &self.purpose)] {
            if text.trim().is_empty() || text.len() > TEXT {
                return Err(format!("`{what}` has 1 to {TEXT} bytes"));
            }
        }
        if self.environment.as_str() == qc_access::PLATFORM {
            return Err("`platform` stands for what belongs to no environment".to_owned());
        }
        let keys = self.keys.map(|keys| public_keys(&keys)).transpose()?;
        let mut client = Client {
            schema_version: 1,
            id: self.id,
            environment: self.environment,
            role: self.role,
            scopes: self.scopes,
            owner: self.owner,
            purpose: self.purpose,
            created_at: now,
            created_by: actor.text(),
            expires_at: now + self.lifetime,
            secrets: Vec::new(),
            keys,
            revoked_at: None,
        };
        let secret = client.keys.is_none().then(|| client.add_secret(Duration::ZERO, now, entropy));
        Ok((client, secret))
    }
}

impl Client {
    /// As those look at it who ask whether it should be.
    pub fn holding(self) -> Holding {
        Holding {
            principal: Principal {
                id: self.id.to_string(),
                kind: TokenKind::AccessToken,
                name: self.id.to_string(),
                person: None,
                owner: Some(self.owner.clone()),
                environment: Some(self.environment),
                role: self.role,
                scopes: self.scopes,
            },
            owner: Some(self.owner),
            purpose: Some(self.purpose),
            created_at: self.created_at,
            expires_at: Some(self.expires_at),
        }
    }

    /// Whether it may get tokens now.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && now < self.expires_at
    }

    /// Gives it a new secret; the present one ends after the overlap, one before that at once.
    pub(crate) fn add_secret(
        &mut self,
        overlap: Duration,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Secret {
        let minted = mint(Some(&self.environment), entropy);
        let digest = sha256_text(minted.text.expose());
        let before = self.secrets.first().filter(|_| !overlap.is_zero()).cloned();
        self.secrets = vec![StoredSecret { digest, created_at: now, ends_at: None }];
        self.secrets.extend(before.map(|before| {
            let ends_at = before.ends_at.unwrap_or(now + overlap).min(now + overlap);
            StoredSecret { ends_at: Some(ends_at), ..before }
        }));
        minted.text
    }

    /// Whether this is one of its secrets that count. Each is compared, in a time that tells nothing.
    pub(crate) fn has_secret(&self, text: &str, now: Timestamp) -> bool {
        let digest = sha256_text(text);
        let fits = |secret: &StoredSecret| {
            let same = verify_slices_are_equal(secret.digest.as_bytes(), digest.as_bytes()).is_ok();
            same && secret.ends_at.is_none_or(|end| now < end)
        };
        self.secrets.iter().filter(|secret| fits(secret)).count() > 0
    }

    /// The key with which it signed, by the id that the text names; its only one when it names none.
    pub(crate) fn key(&self, kid: Option<&str>) -> Option<VerifyingKey> {
        let keys = &self.keys.as_ref()?.keys;
        let key = match kid {
            Some(kid) => keys.iter().find(|key| key.common.key_id.as_deref() == Some(kid))?,
            None => keys.first().filter(|_| keys.len() == 1)?,
        };
        VerifyingKey::of(key).ok()
    }
}

/// Reads a key set; one that holds a private key is refused, as it is no secret of its owner any more.
fn public_keys(value: &Value) -> Result<JwkSet, String> {
    let list = value["keys"].as_array().ok_or("a key set is `{\"keys\": […]}` (RFC 7517)")?;
    if list.is_empty() || list.len() > KEYS_MAX {
        return Err(format!("a key set has 1 to {KEYS_MAX} keys"));
    }
    for key in list {
        if ["d", "p", "q", "dp", "dq", "qi", "k"].iter().any(|part| key.get(*part).is_some()) {
            return Err(
                "the key set holds a private key; make a new one, and give the public half"
                    .to_owned(),
            );
        }
        if list.len() > 1 && !key["kid"].is_string() {
            return Err("each of several keys has a `kid`".to_owned());
        }
    }
    let set: JwkSet = serde_json::from_value(value.clone())
        .map_err(|error| format!("the key set cannot be read: {error}"))?;
    for key in &set.keys {
        VerifyingKey::of(key)?;
    }
    Ok(set)
}
