use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use qc_model::{Clock, Code, Timestamp};
use qc_store::{Store, StoreError};

use crate::{
    PresentedToken, Principal, TOKEN_KIND, TokenError, TokenId, TokenRecord, codes, record::hex,
};

/// How long a record is believed without asking the store: a revoked token ends within this time.
const FRESH: Duration = Duration::from_secs(1);
/// Records kept in memory; beyond it the cache starts anew.
const CACHED: usize = 10_000;

/// Why somebody is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthenticationError {
    /// The text is no token.
    #[error("this is not a token of QuickConnect: {0}")]
    Malformed(#[from] TokenError),
    /// It was never issued here, or it was revoked.
    #[error("the token is not known here, or was revoked")]
    Unknown,
    /// Its time is over.
    #[error("the token ended at {0}")]
    Expired(Timestamp),
    /// It is signed, and not accepted; why, without anything of the token.
    #[error("the token is not accepted: {0}")]
    Refused(&'static str),
    /// The store did not answer.
    #[error("tokens cannot be checked now: {0}")]
    Store(#[from] StoreError),
}

impl AuthenticationError {
    /// The stable code.
    pub fn code(&self) -> Code {
        match self {
            Self::Malformed(_) => codes::MALFORMED_TOKEN,
            Self::Unknown => codes::UNKNOWN_TOKEN,
            Self::Expired(_) => codes::EXPIRED_TOKEN,
            Self::Refused(_) => codes::REFUSED_TOKEN,
            Self::Store(_) => codes::CANNOT_CHECK,
        }
    }
}

/// Tells who holds a token, by the records in the store.
pub struct Tokens {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    cache: RwLock<HashMap<TokenId, Cached>>,
}

#[derive(Clone)]
struct Cached {
    read_at: Timestamp,
    digest: [u8; 32],
    /// The version before, and when it ends.
    previous: Option<([u8; 32], Timestamp)>,
    expires_at: Option<Timestamp>,
    principal: Arc<Principal>,
}

impl Tokens {
    /// Over a store.
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock, cache: RwLock::default() }
    }

    /// Who holds this token.
    pub async fn authenticate(&self, text: &str) -> Result<Arc<Principal>, AuthenticationError> {
        let presented = PresentedToken::parse(text)?;
        let now = self.clock.now();
        if let Some(known) = self.cached(presented.id, now)
            && let Some(told) = known.tell(&presented, now)
        {
            return told;
        }
        // Also when what is remembered does not fit: the key may have been rotated on another node just now.
        let known = self.read(presented.id, now).await?;
        known.tell(&presented, now).unwrap_or(Err(AuthenticationError::Unknown))
    }

    /// Forgets what it knows of a token, so that its end counts at once on this node.
    pub fn forget(&self, id: &str) {
        if let Some(id) = TokenId::parse(id) {
            self.cache.write().unwrap_or_else(PoisonError::into_inner).remove(&id);
        }
    }

    fn cached(&self, id: TokenId, now: Timestamp) -> Option<Cached> {
        let cache = self.cache.read().unwrap_or_else(PoisonError::into_inner);
        cache.get(&id).filter(|known| now < known.read_at + FRESH).cloned()
    }

    async fn read(&self, id: TokenId, now: Timestamp) -> Result<Cached, AuthenticationError> {
        let document = self.store.document(TOKEN_KIND, id.as_str()).await?;
        let document = document.ok_or(AuthenticationError::Unknown)?;
        let record: TokenRecord = serde_json::from_slice(&document.body).map_err(|error| {
            StoreError::Corrupt(format!("the record of token {id} cannot be read: {error}"))
        })?;
        let digest = |text: &str| {
            let corrupt = || StoreError::Corrupt(format!("the record of token {id} has no digest"));
            unhex(text).ok_or_else(corrupt)
        };
        let previous = match &record.previous {
            Some(earlier) => Some((digest(&earlier.digest)?, earlier.ends_at)),
            None => None,
        };
        let (digest, principal) = (digest(&record.digest)?, Arc::new(record.principal()));
        let expires_at = record.expires_at;
        let known = Cached { read_at: now, digest, previous, expires_at, principal };
        let mut cache = self.cache.write().unwrap_or_else(PoisonError::into_inner);
        if cache.len() >= CACHED {
            cache.clear();
        }
        cache.insert(id, known.clone());
        Ok(known)
    }
}

impl Cached {
    /// Who holds the version that is presented, unless it is over; None: it is no version of this key. Both are compared
    /// each time, in a time that tells nothing.
    fn tell(
        &self,
        presented: &PresentedToken,
        now: Timestamp,
    ) -> Option<Result<Arc<Principal>, AuthenticationError>> {
        let same = |digest: &[u8; 32]| verify_slices_are_equal(digest, &presented.digest).is_ok();
        let present = same(&self.digest);
        let earlier = self.previous.filter(|(digest, _)| same(digest));
        let end = if present { self.expires_at } else { Some(earlier?.1) };
        Some(match end {
            Some(end) if end <= now => Err(AuthenticationError::Expired(end)),
            _ => Ok(Arc::clone(&self.principal)),
        })
    }
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    (hex(&bytes) == text).then_some(bytes)
}

#[cfg(test)]
mod tests {

    use qc_model::{Actor, HandClock, Seeded};
    use qc_store::{Write, memory::MemoryStore};

    use super::*;
    use crate::{IssueRequest, Issued, Role, issue, revoke};

    async fn issued(store: &MemoryStore, now: Timestamp, lifetime: Option<Duration>) -> Issued {
        let request = IssueRequest {
            name: "t".into(),
            kind: crate::TokenKind::ApiKey,
            person: None,
            environment: None,
            role: Role::Admin,
            scopes: None,
            lifetime,
            owner: "team".into(),
            purpose: "tests".into(),
        };
        let entropy = Seeded::new(1);
        let issued = issue(request, &Actor::platform("test"), now, &entropy);
        store.write(vec![Write::Change(Box::new(issued.change.clone()))]).await.unwrap();
        issued
    }

    #[tokio::test]
    async fn a_token_counts_until_it_ends_or_is_revoked() {
        let (store, clock) = (Arc::new(MemoryStore::new()), Arc::new(HandClock::at(1_000)));
        let tokens = Tokens::new(store.clone(), clock.clone());
        let token = issued(&store, clock.now(), Some(Duration::from_secs(60))).await;
        let text = token.text.expose().to_owned();
        assert_eq!(tokens.authenticate(&text).await.unwrap().id, token.record.id);
        clock.set(61_000);
        let ended = tokens.authenticate(&text).await;
        assert!(matches!(ended, Err(AuthenticationError::Expired(_))), "{ended:?}");
        clock.set(2_000);
        let entropy = Seeded::new(9);
        let change = revoke(&token.record, &Actor::platform("test"), clock.now(), &entropy);
        store.write(vec![Write::Change(Box::new(change))]).await.unwrap();
        clock.set(2_000 + 61_000 + 1_000);
        assert_eq!(tokens.authenticate(&text).await, Err(AuthenticationError::Unknown));
    }

    #[tokio::test]
    async fn a_revoked_token_ends_within_the_time_that_a_record_is_believed() {
        let (store, clock) = (Arc::new(MemoryStore::new()), Arc::new(HandClock::at(1_000)));
        let tokens = Tokens::new(store.clone(), clock.clone());
        let token = issued(&store, clock.now(), None).await;
        let text = token.text.expose().to_owned();
        tokens.authenticate(&text).await.unwrap();
        let entropy = Seeded::new(9);
        let change = revoke(&token.record, &Actor::platform("test"), clock.now(), &entropy);
        store.write(vec![Write::Change(Box::new(change))]).await.unwrap();
        clock.advance(Duration::from_millis(999));
        assert!(tokens.authenticate(&text).await.is_ok(), "still believed");
        clock.advance(Duration::from_millis(1));
        assert_eq!(tokens.authenticate(&text).await, Err(AuthenticationError::Unknown));
    }

    #[tokio::test]
    async fn the_right_id_with_another_secret_is_unknown() {
        let (store, clock) = (Arc::new(MemoryStore::new()), Arc::new(HandClock::at(1_000)));
        let tokens = Tokens::new(store.clone(), clock.clone());
        let token = issued(&store, clock.now(), None).await;
        // The record of this token under the id of another one: as if a stranger had guessed the id.
        let mut forged = token.record.clone();
        forged.digest = "0".repeat(64);
        let put = qc_store::DocumentOp::Put {
            kind: TOKEN_KIND.into(),
            name: forged.id.clone(),
            expect: qc_store::Expect::Any,
            body: serde_json::to_vec(&forged).unwrap().into(),
            at: clock.now(),
        };
        let change = qc_store::Change { documents: vec![put], ..token.change };
        store.write(vec![Write::Change(Box::new(change))]).await.unwrap();
        let refused = tokens.authenticate(token.text.expose()).await;
        assert_eq!(refused, Err(AuthenticationError::Unknown));
    }
}
