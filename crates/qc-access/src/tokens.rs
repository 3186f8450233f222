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
const FRESH: Duration = Duration::from_secs(5);
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
        let known = match self.cached(presented.id, now) {
            Some(known) => known,
            None => self.read(presented.id, now).await?,
        };
        if verify_slices_are_equal(&known.digest, &presented.digest).is_err() {
            return Err(AuthenticationError::Unknown);
        }
        match known.expires_at {
            Some(end) if end <= now => Err(AuthenticationError::Expired(end)),
            _ => Ok(known.principal),
        }
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
        let digest = unhex(&record.digest)
            .ok_or_else(|| StoreError::Corrupt(format!("the record of token {id} has no digest")))?;
        let principal = Arc::new(record.principal());
        let known = Cached { read_at: now, digest, expires_at: record.expires_at, principal };
        let mut cache = self.cache.write().unwrap_or_else(PoisonError::into_inner);
        if cache.len() >= CACHED {
            cache.clear();
        }
        cache.insert(id, known.clone());
        Ok(known)
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
