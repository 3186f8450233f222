use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use qc_model::Timestamp;
use qc_vault::Secret;

use super::Access;
use crate::{provider::ConnectionId, record::Record};

/// For so long a connection is used as it was read: then another node's revocation is seen.
const FRESH: Duration = Duration::from_secs(2);
/// The most connections that are kept at hand; beyond it the shelf starts anew.
const MOST: usize = 10_000;

/// Connections that were used just now, opened.
#[derive(Default)]
pub(super) struct Shelf(Mutex<HashMap<ConnectionId, Shelved>>);

#[derive(Clone)]
pub(super) struct Shelved {
    pub(super) record: Arc<Record>,
    pub(super) granted: Arc<[String]>,
    pub(super) access: Option<Secret>,
    pub(super) previous: Option<Secret>,
    pub(super) read_at: Timestamp,
}

impl Shelf {
    fn map(&self) -> MutexGuard<'_, HashMap<ConnectionId, Shelved>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is at hand, while it is fresh.
    pub(super) fn fresh(&self, id: &ConnectionId, now: Timestamp) -> Option<Shelved> {
        self.map().get(id).filter(|one| now.since(one.read_at) < FRESH).cloned()
    }

    pub(super) fn put(&self, id: ConnectionId, shelved: Shelved) {
        let mut map = self.map();
        if map.len() >= MOST && !map.contains_key(&id) {
            map.clear();
        }
        map.insert(id, shelved);
    }

    pub(super) fn forget(&self, id: &ConnectionId) {
        self.map().remove(id);
    }
}

impl Shelved {
    /// The present access token, while it may be used.
    pub(super) fn access(&self, now: Timestamp) -> Option<Access> {
        let token = self.access.clone().filter(|_| self.record.usable(now))?;
        Some(Access {
            token,
            generation: self.record.generation,
            previous: false,
            granted: Arc::clone(&self.granted),
        })
    }

    /// The access token before, while both may be used.
    pub(super) fn previous(&self, now: Timestamp) -> Option<Access> {
        let live = self.record.state.allows_use()
            && self.record.previous_until.is_some_and(|until| now < until);
        let token = self.previous.clone().filter(|_| live)?;
        Some(Access {
            token,
            generation: self.record.generation.saturating_sub(1),
            previous: true,
            granted: Arc::clone(&self.granted),
        })
    }
}
