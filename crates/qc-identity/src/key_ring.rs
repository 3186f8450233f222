use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use jsonwebtoken::EncodingKey;
use qc_model::{Actor, EnvironmentName, Timestamp};
use qc_store::{Expect, PAGE_MAX, StoreError};
use qc_vault::{Vault, VaultError};
use serde_json::json;

use crate::{
    Ground,
    ground::body,
    jws::VerifyingKey,
    keys::{FreshKey, SigningKeys},
};

/// The kind of the documents that hold public keys; their name is the environment's.
const KEYS_KIND: &str = "signing-keys";
/// How long what was read is believed.
const FRESH: Duration = Duration::from_secs(3);
/// How soon after a reading an unknown key has the store asked again: strangers cannot have it asked for each token.
const AGAIN: Duration = Duration::from_secs(1);
/// How often a change is tried that others were faster with.
const TRIES: usize = 5;

/// The signing keys of all environments: the public halves in documents, the private ones in the vault.
pub struct KeyRing {
    ground: Ground,
    vault: Arc<Vault>,
    seen: RwLock<Arc<Seen>>,
    /// Private keys that were opened, by id.
    signers: RwLock<HashMap<String, EncodingKey>>,
}

#[derive(Default)]
struct Seen {
    read_at: Option<Timestamp>,
    sets: HashMap<EnvironmentName, SigningKeys>,
    by_id: HashMap<String, (EnvironmentName, VerifyingKey)>,
}

impl Seen {
    /// The key with this id, when it counts.
    fn live(&self, kid: &str, now: Timestamp) -> Option<&(EnvironmentName, VerifyingKey)> {
        let found = self.by_id.get(kid)?;
        let set = self.sets.get(&found.0)?;
        set.standing(now).any(|(key, _)| key.kid == kid).then_some(found)
    }
}

/// A key that signs.
pub(crate) struct Signer {
    pub(crate) kid: String,
    pub(crate) key: EncodingKey,
}

impl KeyRing {
    /// Nothing is read yet.
    pub fn new(ground: Ground, vault: Arc<Vault>) -> Self {
        Self { ground, vault, seen: RwLock::default(), signers: RwLock::default() }
    }

    /// The key with this id, and the only environment for which it signs.
    pub(crate) async fn find(
        &self,
        kid: &str,
    ) -> Result<Option<(EnvironmentName, VerifyingKey)>, StoreError> {
        let now = self.ground.clock.now();
        let seen = self.seen(FRESH).await?;
        if let Some(found) = seen.live(kid, now) {
            return Ok(Some(found.clone()));
        }
        Ok(self.seen(AGAIN).await?.live(kid, now).cloned())
    }

    /// Whether a key that verified before still does.
    pub(crate) async fn counts(&self, kid: &str) -> Result<bool, StoreError> {
        Ok(self.seen(FRESH).await?.live(kid, self.ground.clock.now()).is_some())
    }

    /// An environment's keys.
    pub async fn set(&self, environment: &EnvironmentName) -> Result<SigningKeys, StoreError> {
        Ok(self.seen(FRESH).await?.sets.get(environment).cloned().unwrap_or_default())
    }

    /// The environments that have keys, sorted.
    pub async fn environments(&self) -> Result<Vec<EnvironmentName>, StoreError> {
        let mut names: Vec<_> = self.seen(FRESH).await?.sets.keys().cloned().collect();
        names.sort_unstable();
        Ok(names)
    }

    /// What signs in this environment now; the first key is made when there is none.
    pub(crate) async fn signer(&self, environment: &EnvironmentName) -> Result<Signer, VaultError> {
        let mut set = self.set(environment).await?;
        if set.signing(self.ground.clock.now()).is_none() {
            set = self.add(environment, false, &Actor::platform("identity"), true).await?;
        }
        // Asked anew: the first key signs from when it was made, which is later.
        let kid = set.signing(self.ground.clock.now()).ok_or(VaultError::Busy)?.kid.clone();
        if let Some(key) = self.signers.read().unwrap_or_else(PoisonError::into_inner).get(&kid) {
            return Ok(Signer { key: key.clone(), kid });
        }
        let missing = || VaultError::Nothing(format!("signing key {kid} of `{environment}`"));
        let private = self.vault.kept(environment, &name(&kid)).await?.ok_or_else(missing)?;
        let der = STANDARD.decode(private.expose()).map_err(|_| missing())?;
        let key = EncodingKey::from_ec_der(&der);
        let mut signers = self.signers.write().unwrap_or_else(PoisonError::into_inner);
        signers.insert(kid.clone(), key.clone());
        Ok(Signer { kid, key })
    }

    /// Makes the next key of an environment; see [`SigningKeys`] for when it signs. While one is coming no other is made,
    /// unless it is to sign at once.
    pub async fn rotate(
        &self,
        environment: &EnvironmentName,
        at_once: bool,
        actor: &Actor,
    ) -> Result<SigningKeys, VaultError> {
        self.add(environment, at_once, actor, false).await
    }

    async fn add(
        &self,
        environment: &EnvironmentName,
        at_once: bool,
        actor: &Actor,
        only_first: bool,
    ) -> Result<SigningKeys, VaultError> {
        let fresh = FreshKey::make();
        let kid = &fresh.public.0;
        // Kept before it is published: a published key is never one that nobody can open.
        self.vault.keep(environment, &name(kid), fresh.private.clone(), actor).await?;
        for _ in 0..TRIES {
            let now = self.ground.clock.now();
            let read = self.ground.read::<SigningKeys>(KEYS_KIND, environment.as_str()).await?;
            let (before, expect) = match read {
                Some((set, revision)) => (set, Expect::Revision(revision)),
                None => (SigningKeys::default(), Expect::Absent),
            };
            let coming = before.keys.last().is_some_and(|last| last.signs_from > now);
            let others = only_first && before.signing(now).is_some();
            if others || (coming && !at_once) {
                self.vault.let_go(environment, &name(kid), actor).await?;
                self.forget();
                return Ok(before);
            }
            let after = before.with(&fresh, at_once, now);
            let put = self.ground.put((KEYS_KIND, environment.as_str()), expect, &after);
            let facts = json!({ "kid": kid, "at_once": at_once });
            let said = ("signing key", if at_once { "replaced" } else { "created" });
            let row = self.ground.audit(actor, said, Some(environment), facts);
            if self.ground.change(vec![put], vec![row]).await? {
                self.forget();
                self.clear(environment, &before, &after, actor).await?;
                return Ok(after);
            }
        }
        Err(VaultError::Busy)
    }

    /// Private halves of keys that are gone from the set go, too.
    async fn clear(
        &self,
        environment: &EnvironmentName,
        before: &SigningKeys,
        after: &SigningKeys,
        actor: &Actor,
    ) -> Result<(), VaultError> {
        for gone in before.keys.iter().filter(|key| !after.keys.contains(key)) {
            self.signers.write().unwrap_or_else(PoisonError::into_inner).remove(&gone.kid);
            self.vault.let_go(environment, &name(&gone.kid), actor).await?;
        }
        Ok(())
    }

    /// Makes the keys that are due. Called now and then on every node.
    pub async fn tend(&self) -> Result<(), VaultError> {
        let now = self.ground.clock.now();
        let seen = self.seen(FRESH).await?;
        for (environment, set) in &seen.sets {
            if set.is_due(now) {
                self.add(environment, false, &Actor::platform("identity"), false).await?;
            }
        }
        Ok(())
    }

    fn forget(&self) {
        *self.seen.write().unwrap_or_else(PoisonError::into_inner) = Arc::default();
    }

    /// What the store holds, read again when that is longer ago.
    async fn seen(&self, within: Duration) -> Result<Arc<Seen>, StoreError> {
        let now = self.ground.clock.now();
        let seen = Arc::clone(&self.seen.read().unwrap_or_else(PoisonError::into_inner));
        if seen.read_at.is_some_and(|at| at <= now && now < at + within) {
            return Ok(seen);
        }
        let mut fresh = Seen { read_at: Some(now), ..Seen::default() };
        for document in self.ground.store.documents(KEYS_KIND, None, PAGE_MAX).await? {
            let Ok(environment) = document.name.parse::<EnvironmentName>() else { continue };
            let set: SigningKeys = body(&document)?;
            for key in &set.keys {
                if let Some(verifying) = VerifyingKey::p256(&key.x, &key.y) {
                    fresh.by_id.insert(key.kid.clone(), (environment.clone(), verifying));
                }
            }
            fresh.sets.insert(environment, set);
        }
        let fresh = Arc::new(fresh);
        *self.seen.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&fresh);
        Ok(fresh)
    }
}

/// The name of a private key in the vault.
fn name(kid: &str) -> String {
    format!("signing-key/{kid}")
}
