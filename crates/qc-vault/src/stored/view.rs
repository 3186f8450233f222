use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use qc_model::{Clock, EnvironmentName, Timestamp};

use super::documents::{Head, Record, SealedVersion, document_name};
use crate::{DataKey, KeyRingError, SealError, Secret};

/// What the vault held when this process last read it: records as they are stored, sealed, and the keys that open
/// them. A value is opened when it is used, and is in memory in the clear for no longer.
#[derive(Default)]
pub(super) struct View {
    /// Whether the store was read at all.
    pub(super) read: bool,
    /// The head, with its revision.
    pub(super) head: Option<(Head, u64)>,
    /// By the names of their documents.
    pub(super) records: BTreeMap<String, Held>,
    /// The data keys that could be unwrapped.
    pub(super) keys: HashMap<(EnvironmentName, u32), DataKey>,
    /// The key of the fingerprints.
    pub(super) fingerprints: Option<DataKey>,
    /// Whether there is a key ring.
    pub(super) on: bool,
    /// Why keys are missing.
    pub(super) trouble: Option<KeyRingError>,
    /// Time, for the end of a previous value.
    pub(super) clock: Option<Arc<dyn Clock>>,
}

/// A record, with the revision of its document.
#[derive(Clone)]
pub(super) struct Held {
    pub(super) record: Arc<Record>,
    pub(super) revision: u64,
    /// The record as it was when it could be opened last, while its new data key cannot be unwrapped: a key ring that
    /// is away does not take away what was there.
    pub(super) before: Option<Arc<Record>>,
}

/// A secret as it may be shown: everything but its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretShown {
    /// The environment.
    pub environment: EnvironmentName,
    /// The name, without `secret://`.
    pub name: String,
    /// Rises by one with every new value.
    pub version: u64,
    /// When this value was set.
    pub created_at: Timestamp,
    /// By whom, as `kind:id`.
    pub created_by: String,
    /// How often the value is to be changed.
    pub rotate_every: Option<Duration>,
    /// When it is to be changed.
    pub due_at: Option<Timestamp>,
    /// Whether that time is past.
    pub overdue: bool,
    /// Until when the value before is valid, too.
    pub previous_until: Option<Timestamp>,
    /// Whether this server can open it.
    pub opens: bool,
}

impl View {
    pub(super) fn revision(&self) -> Option<u64> {
        self.head.as_ref().map(|(_, revision)| *revision)
    }

    pub(super) fn held(&self, environment: &EnvironmentName, name: &str) -> Option<&Held> {
        self.records.get(&document_name(environment, name))
    }

    pub(super) fn key(&self, environment: &EnvironmentName, version: u32) -> Option<&DataKey> {
        self.keys.get(&(environment.clone(), version))
    }

    /// The key that seals in this environment now, when it could be unwrapped.
    pub(super) fn sealing(&self, environment: &EnvironmentName) -> Option<&DataKey> {
        let (head, _) = self.head.as_ref()?;
        self.key(environment, head.current(environment)?.version)
    }

    /// Opens one value of a record.
    pub(super) fn open(&self, record: &Record, value: &SealedVersion) -> Result<Secret, SealError> {
        let version = value.sealed.key_version();
        let key = self.key(&record.environment, version).ok_or(SealError::OtherKey(version))?;
        key.open(&record.binding(value.version), &value.sealed)
    }

    /// Whether the keys of all its values are here.
    pub(super) fn has_keys(&self, record: &Record) -> bool {
        record
            .values()
            .all(|value| self.key(&record.environment, value.sealed.key_version()).is_some())
    }

    pub(super) fn shown(&self, record: &Record, now: Timestamp) -> SecretShown {
        let due_at = record.due_at();
        SecretShown {
            environment: record.environment.clone(),
            name: record.name.clone(),
            version: record.current.version,
            created_at: record.current.created_at,
            created_by: record.current.created_by.clone(),
            rotate_every: record.rotate_every.map(Duration::from_secs),
            due_at,
            overdue: due_at.is_some_and(|due| due <= now),
            previous_until: record.previous_at(now).map(|previous| previous.valid_until),
            opens: record.values().all(|value| self.open(record, value).is_ok()),
        }
    }
}
