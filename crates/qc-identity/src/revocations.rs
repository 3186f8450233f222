use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use qc_model::Timestamp;
use qc_store::{DocumentOp, Expect, StoreError};
use serde::{Deserialize, Serialize};

use crate::Ground;

/// Where the list is: one document, so that a node sees by one small read that nothing is new.
const KIND: &str = "revocations";
const NAME: &str = "access-tokens";
/// How long what was read is believed: with the time of a read well below the five seconds that are promised.
const FRESH: Duration = Duration::from_secs(3);
/// The most entries; each is there for as long as a token lives.
const ENTRIES_MAX: usize = 20_000;
/// How often a change is tried that others were faster with.
pub(crate) const TRIES: usize = 10;

/// What of the access tokens that were issued counts no more.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Revoked {
    schema_version: u32,
    /// By their ids, until when they would have counted.
    tokens: BTreeMap<String, Timestamp>,
    /// All of a client, until when its last one would have counted.
    clients: BTreeMap<String, Timestamp>,
}

/// What ends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum What<'a> {
    /// One token, by its id.
    Token(&'a str),
    /// All tokens of a client. It gets no more: the ids of clients are not used again.
    Client(&'a str),
}

impl Revoked {
    /// Whether a token is among them.
    pub(crate) fn has(&self, jti: &str, client: &str) -> bool {
        self.tokens.contains_key(jti) || self.clients.contains_key(client)
    }

    fn with(&self, what: What<'_>, until: Timestamp, now: Timestamp) -> Result<Self, StoreError> {
        let mut after = self.clone();
        after.schema_version = 1;
        after.tokens.retain(|_, until| *until > now);
        after.clients.retain(|_, until| *until > now);
        if after.tokens.len() + after.clients.len() >= ENTRIES_MAX {
            let why =
                format!("{ENTRIES_MAX} tokens that still live are revoked, which is the most");
            return Err(StoreError::Unavailable(why));
        }
        match what {
            What::Token(jti) => after.tokens.insert(jti.to_owned(), until),
            What::Client(id) => after.clients.insert(id.to_owned(), until),
        };
        Ok(after)
    }
}

/// The list as this node knows it.
pub(crate) struct Revocations {
    ground: Ground,
    seen: RwLock<Option<Seen>>,
}

#[derive(Clone)]
struct Seen {
    read_at: Timestamp,
    revision: u64,
    list: Arc<Revoked>,
}

impl Revocations {
    pub(crate) fn new(ground: Ground) -> Self {
        Self { ground, seen: RwLock::default() }
    }

    /// The list, with its revision. When the store does not answer there is none: nobody gets in by an old list.
    pub(crate) async fn list(&self) -> Result<(Arc<Revoked>, u64), StoreError> {
        let now = self.ground.clock.now();
        let seen = self.seen.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(seen) = seen.filter(|seen| seen.read_at <= now && now < seen.read_at + FRESH) {
            return Ok((seen.list, seen.revision));
        }
        let read = self.ground.read::<Revoked>(KIND, NAME).await?;
        let (list, revision) = read.unwrap_or_default();
        let seen = Seen { read_at: now, revision, list: Arc::new(list) };
        let mut own = self.seen.write().unwrap_or_else(PoisonError::into_inner);
        *own = Some(seen.clone());
        Ok((seen.list, seen.revision))
    }

    /// The write that adds to the list as it is in the store now.
    pub(crate) async fn adding(
        &self,
        what: What<'_>,
        until: Timestamp,
    ) -> Result<DocumentOp, StoreError> {
        let read = self.ground.read::<Revoked>(KIND, NAME).await?;
        let expect =
            read.as_ref().map_or(Expect::Absent, |(_, revision)| Expect::Revision(*revision));
        let list = read.map(|(list, _)| list).unwrap_or_default();
        let list = list.with(what, until, self.ground.clock.now())?;
        Ok(self.ground.put((KIND, NAME), expect, &list))
    }

    /// Has the next look read the store: what this node changed counts here at once.
    pub(crate) fn forget(&self) {
        *self.seen.write().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
