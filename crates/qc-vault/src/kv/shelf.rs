use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use qc_model::{Clock, EnvironmentName, Finding, Timestamp};

use super::read::{KvError, Version};
use crate::{Secret, codes};

/// The most secrets that are held; further ones are refused.
pub(super) const HELD_MAX: usize = 5_000;
/// A value that was replaced stays valid beside the new one for so long.
const OVERLAP: Duration = Duration::from_secs(86_400);

/// Which secret: environment and name.
pub(super) type Key = (EnvironmentName, String);

/// What was read from a KV engine, for look-ups. Off until a [`KvKeeper`](super::KvKeeper) fills it.
#[derive(Default)]
pub struct KvShelf(RwLock<Inside>);

#[derive(Default)]
struct Inside {
    on: Option<On>,
    entries: BTreeMap<Key, Entry>,
    /// Looked for, and not read yet; why not, when that was tried.
    wanted: BTreeMap<Key, Option<KvError>>,
}

struct On {
    place: String,
    clock: Arc<dyn Clock>,
    stale: Duration,
}

struct Entry {
    /// None: the engine has none.
    present: Option<Version>,
    previous: Option<(Secret, Timestamp)>,
    /// When the engine said so.
    read_at: Timestamp,
    /// Why it could not be read since.
    trouble: Option<KvError>,
}

/// What a look-up finds.
pub(crate) enum Kept {
    Value(Secret),
    /// The engine has none, or there is no engine.
    NotHere,
    /// The engine has this secret, and no value before it that still counts.
    NoPrevious,
    /// It cannot be told.
    Unusable(KvError),
}

impl KvShelf {
    pub(super) fn turn_on(&self, place: String, clock: Arc<dyn Clock>, stale: Duration) {
        self.write(|inside| inside.on = Some(On { place, clock, stale }));
    }

    /// Where secrets are kept, when anywhere.
    pub fn place(&self) -> Option<String> {
        self.read(|inside| inside.on.as_ref().map(|on| on.place.clone()))
    }

    pub(crate) fn find(&self, environment: &EnvironmentName, name: &str, previous: bool) -> Kept {
        let key = (environment.clone(), name.to_owned());
        let found = self.read(|inside| {
            let Some(on) = &inside.on else { return Some(Kept::NotHere) };
            if let Some(Some(error)) = inside.wanted.get(&key) {
                return Some(Kept::Unusable(error.clone()));
            }
            let entry = inside.entries.get(&key)?;
            let now = on.clock.now();
            if now >= entry.read_at + on.stale {
                let unread = || KvError::Unavailable("it was not read for too long".to_owned());
                return Some(Kept::Unusable(entry.trouble.clone().unwrap_or_else(unread)));
            }
            Some(match (&entry.present, previous) {
                (None, _) => Kept::NotHere,
                (Some(version), false) => Kept::Value(version.value.clone()),
                (Some(_), true) => match &entry.previous {
                    Some((value, until)) if now < *until => Kept::Value(value.clone()),
                    _ => Kept::NoPrevious,
                },
            })
        });
        if let Some(found) = found {
            return found;
        }
        self.write(|inside| {
            if inside.wanted.len() + inside.entries.len() >= HELD_MAX {
                let why = format!("{HELD_MAX} secrets of it are held already");
                return Kept::Unusable(KvError::Unusable(why));
            }
            inside.wanted.entry(key).or_default();
            Kept::Unusable(KvError::Unavailable("it is being read; look again".to_owned()))
        })
    }

    /// What is to be read now: what was looked for, and what was read before then, the oldest first.
    pub(super) fn due(&self, before: Timestamp) -> Vec<Key> {
        self.read(|inside| {
            let mut old: Vec<(&Key, Timestamp)> = inside
                .entries
                .iter()
                .filter(|(_, entry)| entry.read_at <= before)
                .map(|(key, entry)| (key, entry.read_at))
                .collect();
            old.sort_by_key(|(_, read_at)| *read_at);
            let old = old.into_iter().map(|(key, _)| key);
            inside.wanted.keys().chain(old).cloned().collect()
        })
    }

    /// Has these read soon, when they are not held.
    pub(super) fn want(&self, keys: impl IntoIterator<Item = Key>) {
        self.write(|inside| {
            for key in keys {
                let room = inside.wanted.len() + inside.entries.len() < HELD_MAX;
                if room && !inside.entries.contains_key(&key) {
                    inside.wanted.entry(key).or_default();
                }
            }
        });
    }

    /// Takes what the engine said.
    pub(super) fn put(&self, key: &Key, said: Result<Option<Version>, KvError>, now: Timestamp) {
        self.write(|inside| match said {
            Ok(present) => {
                inside.wanted.remove(key);
                let before = inside.entries.remove(key);
                let before = before.and_then(|entry| Some((entry.present?, entry.previous)));
                let previous = match (&present, before) {
                    (Some(new), Some((old, _))) if new.number != old.number => {
                        Some((old.value, now + OVERLAP))
                    }
                    (Some(_), Some((_, previous))) => previous,
                    // What the engine has no more, nobody has.
                    _ => None,
                };
                let entry = Entry { present, previous, read_at: now, trouble: None };
                inside.entries.insert(key.clone(), entry);
            }
            Err(error) => match inside.entries.get_mut(key) {
                Some(entry) => entry.trouble = Some(error),
                None => drop(inside.wanted.insert(key.clone(), Some(error))),
            },
        });
    }

    /// What should be mended: secrets that are known from before only.
    pub fn findings(&self) -> Vec<Finding> {
        self.read(|inside| {
            let Some(on) = &inside.on else { return Vec::new() };
            let troubled = inside.entries.iter();
            let mut troubled =
                troubled.filter_map(|(key, entry)| Some((key, entry.trouble.as_ref()?)));
            let Some((key, error)) = troubled.next() else { return Vec::new() };
            let more = troubled.count();
            let message = format!(
                "`secret://{}` in `{}`, and {more} more, are known from before only: {error}",
                key.1, key.0
            );
            let help = format!("mend {}: values count until they are {:?} old", on.place, on.stale);
            vec![Finding::warning(codes::KV_STALE, message).help(help)]
        })
    }

    fn read<T>(&self, look: impl FnOnce(&Inside) -> T) -> T {
        look(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<T>(&self, change: impl FnOnce(&mut Inside) -> T) -> T {
        change(&mut self.0.write().unwrap_or_else(PoisonError::into_inner))
    }
}
