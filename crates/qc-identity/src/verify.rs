use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use qc_access::{AuthenticationError, Principal};
use qc_model::{Clock, Timestamp};
use qc_store::StoreError;

use crate::{
    KeyRing, Place,
    claims::Claims,
    jws::{self, in_time},
    revocations::Revocations,
    text::sha256,
};

/// Verified tokens kept in memory; beyond it the cache starts anew.
const CACHED: usize = 10_000;
/// What the header of an access token says that it is (RFC 9068, section 2.1).
pub(crate) const TYPE: &str = "at+jwt";

/// Tells who holds an access token.
pub(crate) struct Verifier {
    place: Place,
    keys: Arc<KeyRing>,
    revocations: Arc<Revocations>,
    clock: Arc<dyn Clock>,
    cache: RwLock<HashMap<[u8; 32], Known>>,
}

/// A token whose signature and claims were looked at.
#[derive(Clone)]
struct Known {
    expires_at: Timestamp,
    /// The revocations that it is not among.
    epoch: u64,
    /// The key that signed it.
    kid: Arc<str>,
    claims: Arc<Claims>,
    principal: Arc<Principal>,
}

/// A token that counts.
pub(crate) struct Verified {
    pub(crate) claims: Arc<Claims>,
    pub(crate) principal: Arc<Principal>,
}

/// Why a token does not count.
pub(crate) enum Refusal {
    /// It never will; why, without anything of the token.
    Token(&'static str),
    /// That cannot be told now.
    Store(StoreError),
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<&'static str> for Refusal {
    fn from(why: &'static str) -> Self {
        Self::Token(why)
    }
}

impl From<Refusal> for AuthenticationError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Token(why) => Self::Refused(why),
            Refusal::Store(error) => Self::Store(error),
        }
    }
}

impl Verifier {
    pub(crate) fn new(
        place: Place,
        keys: Arc<KeyRing>,
        revocations: Arc<Revocations>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { place, keys, revocations, clock, cache: RwLock::default() }
    }

    /// Who holds this token. One that was seen before costs a hash and looks at memory: whether its key still counts, and,
    /// each time that the list of revocations is new, whether it is there.
    pub(crate) async fn verify(&self, text: &str) -> Result<Verified, Refusal> {
        let now = self.clock.now();
        let (revoked, epoch) = self.revocations.list().await?;
        let digest = sha256(text);
        let known = self.cache.read().unwrap_or_else(PoisonError::into_inner).get(&digest).cloned();
        let known = match known {
            Some(known) if known.expires_at <= now => return Err("its time is over".into()),
            Some(known) if !self.keys.counts(&known.kid).await? => {
                return Err("its key is not known here, or over".into());
            }
            Some(known) if known.epoch == epoch => return Ok(known.into()),
            Some(known) => Known { epoch, ..known },
            None => {
                let (kid, claims) = self.look_at(text, now).await?;
                let expires_at = Timestamp::from_millis(claims.exp.saturating_mul(1000));
                let principal = Arc::new(claims.principal()?);
                Known { expires_at, epoch, kid, claims: Arc::new(claims), principal }
            }
        };
        if revoked.has(&known.claims.jti, &known.claims.client_id) {
            return Err("it was revoked".into());
        }
        let mut cache = self.cache.write().unwrap_or_else(PoisonError::into_inner);
        if cache.len() >= CACHED {
            cache.clear();
        }
        cache.insert(digest, known.clone());
        Ok(known.into())
    }

    async fn look_at(&self, text: &str, now: Timestamp) -> Result<(Arc<str>, Claims), Refusal> {
        let header = jws::head(text)?;
        if header.typ.as_deref() != Some(TYPE) {
            return Err("its type is not `at+jwt`".into());
        }
        let kid = header.kid.ok_or("it does not name its key")?;
        let found = self.keys.find(&kid).await?;
        // The key says for which environment it signs; the token only repeats it.
        let (environment, key) = found.ok_or("its key is not known here, or over")?;
        let claims: Claims = jws::open(text, &key)?;
        if claims.iss != self.place.issuer(&environment) {
            return Err("its issuer is not the one of its key".into());
        }
        if claims.aud != self.place.audience(&environment) {
            return Err("it is for another audience".into());
        }
        if claims.environment != environment {
            return Err("its environment is not the one of its key".into());
        }
        in_time(now.as_secs(), claims.exp, Some(claims.iat), claims.nbf)?;
        Ok((kid.into(), claims))
    }
}

impl From<Known> for Verified {
    fn from(known: Known) -> Self {
        Self { claims: known.claims, principal: known.principal }
    }
}
