//! What a change of the vault is, decided on a view and nothing else.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use qc_model::{Actor, Entropy, EnvironmentName, Timestamp, TxnId};
use qc_store::{Change, DocumentOp, Expect};
use serde_json::{Value, json};

use super::{
    VaultError,
    documents::{Head, Previous, Record, SECRET_KIND, SealedVersion, StoredKey, audit},
    vault::{Cadence, SetSecret},
    view::{Held, View},
};
use crate::{DataKey, Secret, Wrapped, sources::LARGEST};

/// The most secrets of the vault: all of them are in memory, sealed.
pub(super) const SECRETS_MAX: usize = 5_000;
/// The most sealed bytes of the vault, for the same reason.
const BYTES_MAX: usize = 64 << 20;
/// The most environments of the vault: their keys are in one document.
const ENVIRONMENTS_MAX: usize = 100;
/// The longest time in which two values are valid.
const OVERLAP_MAX: Duration = Duration::from_secs(90 * 86_400);
/// The shortest cadence.
const CADENCE_MIN: Duration = Duration::from_secs(60);
/// The longest cadence.
const CADENCE_MAX: Duration = Duration::from_secs(3_660 * 86_400);
/// So many records are sealed anew, or cleared of what ended, in one transaction.
pub(super) const STEP: usize = 50;

/// Who decides, when, and with which randomness.
#[derive(Clone, Copy)]
pub(super) struct Deciding<'a> {
    pub(super) actor: &'a Actor,
    pub(super) now: Timestamp,
    pub(super) entropy: &'a dyn Entropy,
}

impl Deciding<'_> {
    fn change(
        &self,
        documents: Vec<DocumentOp>,
        said: (&str, &str),
        of: (Option<&EnvironmentName>, Value),
    ) -> Change {
        let row = audit(said.0, said.1, of.0, of.1, (self.actor, self.now));
        Change {
            id: TxnId::new(self.now, self.entropy),
            documents,
            ledger: vec![row],
            signals: vec![],
        }
    }
}

/// A new value: of a new secret, in place of the present one at once, or beside it for a while.
pub(super) fn set(
    view: &View,
    asked: &SetSecret,
    deciding: Deciding<'_>,
) -> Result<Option<Change>, VaultError> {
    let (environment, name) = (&asked.environment, asked.name.name());
    let held = view.held(environment, name);
    if asked.overlap.is_some() && held.is_none() {
        return Err(VaultError::Nothing(format!("`{}` in `{environment}`", asked.name)));
    }
    fits(view, asked, held)?;
    let (Some((head, revision)), Some(key)) = (&view.head, view.sealing(environment)) else {
        return Err(missing_key(view));
    };
    let fingerprints = view.fingerprints.as_ref().ok_or_else(|| missing_key(view))?;
    let fingerprint = fingerprints.fingerprint(&asked.value);
    if let Some(other) = shared(view, environment, &fingerprint) {
        return Err(VaultError::Shared(other.clone()));
    }
    let before = held.map(|held| &*held.record);
    let rotate_every = match asked.cadence {
        Cadence::Keep => before.and_then(|record| record.rotate_every),
        Cadence::Never => None,
        Cadence::Every(every) => Some(every.as_secs()),
    };
    let same = before.filter(|record| record.current.fingerprint == fingerprint);
    if asked.overlap.is_some() && same.is_some() {
        return Err(VaultError::Unfit("the new value is the present one".to_owned()));
    }
    let record = match same {
        Some(record) if record.rotate_every == rotate_every && record.previous.is_none() => {
            return Ok(None);
        }
        // Another cadence, or the end of the value before.
        Some(record) => Record { rotate_every, previous: None, ..record.clone() },
        None => {
            let version = before.map_or(1, |record| record.current.version + 1);
            let previous = asked.overlap.zip(before).map(|(overlap, record)| Previous {
                value: record.current.clone(),
                valid_until: deciding.now + overlap,
            });
            sealed(asked, (version, fingerprint), rotate_every, previous, (key, deciding))
        }
    };
    let outcome = match (before, asked.overlap) {
        (None, _) => "created",
        (Some(_), Some(_)) => "rotated",
        (Some(_), None) => "replaced",
    };
    let facts = json!({
        "version": record.current.version, "rotate_every": record.rotate_every,
        "previous_until": record.previous.as_ref().map(|previous| previous.valid_until),
    });
    let puts = vec![
        record.put(held.map(|held| held.revision), deciding.now),
        head.put(Some(*revision), deciding.now),
    ];
    let subject = asked.name.to_string();
    Ok(Some(deciding.change(puts, (&subject, outcome), (Some(environment), facts))))
}

fn sealed(
    asked: &SetSecret,
    (version, fingerprint): (u64, String),
    rotate_every: Option<u64>,
    previous: Option<Previous>,
    (key, deciding): (&DataKey, Deciding<'_>),
) -> Record {
    let name = asked.name.name().to_owned();
    let binding = crate::Binding {
        owner: crate::PLATFORM_OWNED,
        environment: asked.environment.as_str(),
        kind: SECRET_KIND,
        name: &name,
        version,
    };
    let current = SealedVersion {
        version,
        sealed: key.seal(&binding, &asked.value, deciding.entropy),
        fingerprint,
        created_at: deciding.now,
        created_by: deciding.actor.text(),
    };
    let environment = asked.environment.clone();
    Record { schema_version: 1, environment, name, rotate_every, current, previous }
}

fn fits(view: &View, asked: &SetSecret, held: Option<&Held>) -> Result<(), VaultError> {
    let unfit = |why: String| Err(VaultError::Unfit(why));
    let length = asked.value.expose().len();
    if length == 0 {
        return unfit("the value is empty".to_owned());
    }
    if length as u64 > LARGEST {
        return unfit(format!("the value is larger than {LARGEST} bytes"));
    }
    if let Cadence::Every(every) = asked.cadence
        && !(CADENCE_MIN..=CADENCE_MAX).contains(&every)
    {
        return unfit("`rotate_every` is from one minute to ten years".to_owned());
    }
    if asked.overlap.is_some_and(|overlap| overlap > OVERLAP_MAX) {
        return unfit("two values are valid together for at most 90 days".to_owned());
    }
    if held.is_none() && view.records.len() >= SECRETS_MAX {
        return unfit(format!("the vault holds {SECRETS_MAX} secrets, which is the most"));
    }
    let stored: usize = view
        .records
        .values()
        .flat_map(|held| held.record.values())
        .map(|value| value.sealed.bytes().len())
        .sum();
    if stored + length > BYTES_MAX {
        return unfit(format!("the vault holds {stored} bytes; {BYTES_MAX} are the most"));
    }
    Ok(())
}

/// Another environment in which this value is valid or was just before.
fn shared<'a>(
    view: &'a View,
    environment: &EnvironmentName,
    fingerprint: &str,
) -> Option<&'a EnvironmentName> {
    view.records
        .values()
        .map(|held| &held.record)
        .filter(|record| record.environment != *environment)
        .find(|record| record.values().any(|value| value.fingerprint == fingerprint))
        .map(|record| &record.environment)
}

/// Why a key is not here.
pub(super) fn missing_key(view: &View) -> VaultError {
    match &view.trouble {
        Some(trouble) => VaultError::Ring(trouble.clone()),
        None => VaultError::Busy,
    }
}

/// The end of a secret, at once.
pub(super) fn remove(
    view: &View,
    environment: &EnvironmentName,
    name: &crate::SecretRef,
    deciding: Deciding<'_>,
) -> Result<Change, VaultError> {
    let nothing = || VaultError::Nothing(format!("`{name}` in `{environment}`"));
    let held = view.held(environment, name.name()).ok_or_else(nothing)?;
    let (head, revision) = view.head.as_ref().ok_or_else(nothing)?;
    let delete = DocumentOp::Delete {
        kind: SECRET_KIND.to_owned(),
        name: held.record.document_name(),
        expect: Expect::Revision(held.revision),
    };
    let facts = json!({ "version": held.record.current.version });
    let documents = vec![delete, head.put(Some(*revision), deciding.now)];
    Ok(deciding.change(documents, (&name.to_string(), "removed"), (Some(environment), facts)))
}

/// A new data key of an environment. It is on disk before anything is sealed with it.
pub(super) fn add_key(
    view: &View,
    environment: &EnvironmentName,
    (fingerprints, key): (Wrapped, Wrapped),
    deciding: Deciding<'_>,
) -> Result<Change, VaultError> {
    let (mut head, revision) = if let Some((head, revision)) = &view.head {
        (head.clone(), Some(*revision))
    } else {
        let environments = BTreeMap::new();
        (Head { schema_version: 1, fingerprint_key: fingerprints, environments }, None)
    };
    let version = next_version(view, environment);
    let keys = head.environments.entry(environment.clone()).or_default();
    keys.push(StoredKey { version, key, created_at: deciding.now });
    if head.environments.len() > ENVIRONMENTS_MAX {
        let why = format!("the vault holds {ENVIRONMENTS_MAX} environments, which is the most");
        return Err(VaultError::Unfit(why));
    }
    let facts = json!({ "version": version });
    let put = head.put(revision, deciding.now);
    Ok(deciding.change(vec![put], ("vault data key", "created"), (Some(environment), facts)))
}

/// The version that the environment's next data key has.
pub(super) fn next_version(view: &View, environment: &EnvironmentName) -> u32 {
    let head = view.head.as_ref().map(|(head, _)| head);
    head.and_then(|head| head.current(environment)).map_or(1, |key| key.version + 1)
}

/// The same keys, wrapped anew.
pub(super) fn rewrapped(
    view: &View,
    (head, count): (&Head, usize),
    deciding: Deciding<'_>,
) -> Change {
    let put = head.put(view.revision(), deciding.now);
    let facts = json!({ "keys": count });
    deciding.change(vec![put], ("vault", "rewrapped"), (None, facts))
}

/// The next step of what goes on by itself: sealing anew under an environment's new data key, retiring the old one,
/// clearing values that ended. The old keys of the environments in `keep` are needed elsewhere. None: there is nothing to
/// do.
pub(super) fn step(
    view: &View,
    keep: &[EnvironmentName],
    deciding: Deciding<'_>,
) -> Option<Change> {
    let (head, revision) = view.head.as_ref()?;
    for (environment, keys) in &head.environments {
        let (Some(newest), true) = (keys.last(), keys.len() > 1) else { continue };
        let Some(key) = view.key(environment, newest.version) else { continue };
        let old: Vec<&Held> = view
            .records
            .values()
            .filter(|held| held.record.environment == *environment)
            .filter(|held| {
                held.record.values().any(|value| value.sealed.key_version() != newest.version)
            })
            .collect();
        if old.is_empty() && keep.contains(environment) {
            continue;
        }
        if old.is_empty() {
            let mut head = head.clone();
            let retired: Vec<u32> = keys.iter().map(|key| key.version).rev().skip(1).collect();
            head.environments.insert(environment.clone(), vec![newest.clone()]);
            let facts = json!({ "retired": retired, "current": newest.version });
            let put = head.put(Some(*revision), deciding.now);
            let said = ("vault data key", "retired");
            return Some(deciding.change(vec![put], said, (Some(environment), facts)));
        }
        // What does not open stays as it is, and keeps the key that it names.
        let again = old.into_iter().filter_map(|held| {
            Some((resealed(view, &held.record, key, deciding.entropy)?, held.revision))
        });
        let mut puts: Vec<DocumentOp> = again
            .take(STEP)
            .map(|(record, revision)| record.put(Some(revision), deciding.now))
            .collect();
        if !puts.is_empty() {
            let facts = json!({ "secrets": puts.len(), "current": newest.version });
            puts.push(head.put(Some(*revision), deciding.now));
            let said = ("vault data key", "sealed anew");
            return Some(deciding.change(puts, said, (Some(environment), facts)));
        }
    }
    ended(view, (head, *revision), deciding)
}

/// The record with all its values sealed under this key; None when one of them does not open.
fn resealed(
    view: &View,
    record: &Arc<Record>,
    key: &DataKey,
    entropy: &dyn Entropy,
) -> Option<Record> {
    let mut again = (**record).clone();
    let seal = |value: &mut SealedVersion| {
        let plain: Secret = view.open(record, value).ok()?;
        value.sealed = key.seal(&record.binding(value.version), &plain, entropy);
        Some(())
    };
    seal(&mut again.current)?;
    if let Some(previous) = &mut again.previous {
        seal(&mut previous.value)?;
    }
    Some(again)
}

/// Values whose time is over go from the disk, too.
fn ended(view: &View, (head, revision): (&Head, u64), deciding: Deciding<'_>) -> Option<Change> {
    let over = |held: &&Held| {
        held.record.previous.is_some() && held.record.previous_at(deciding.now).is_none()
    };
    let mut puts: Vec<DocumentOp> = view
        .records
        .values()
        .filter(over)
        .take(STEP)
        .map(|held| {
            let record = Record { previous: None, ..(*held.record).clone() };
            record.put(Some(held.revision), deciding.now)
        })
        .collect();
    if puts.is_empty() {
        return None;
    }
    let facts = json!({ "secrets": puts.len() });
    puts.push(head.put(Some(revision), deciding.now));
    Some(deciding.change(puts, ("vault", "previous values ended"), (None, facts)))
}
