//! Sealed values in documents of other crates: the vault seals and opens them, and seals them anew under a new data
//! key, but does not know what they mean.

use std::{collections::BTreeMap, time::Duration};

use qc_model::{Actor, EnvironmentName, TxnId};
use qc_store::{Change, DocumentOp, Expect, PAGE_MAX};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::{Vault, VaultError, decide::missing_key};
use crate::{Binding, PLATFORM_OWNED, SealError, Sealed, Secret};

/// The kinds of documents in which values sealed by the vault stand, outside of it. The body of such a document is a
/// JSON object with the environment as `environment` and [`SealedValues`] as `sealed`. Data keys are retired only when
/// none of these needs them.
pub const GUEST_KINDS: [&str; 7] = [
    "connection",
    "connection-recovery",
    "connection-link",
    "session",
    "device-sign-in",
    "token-root",
    "debug-capture-entry",
];

/// A data key is retired no sooner than so long after the next one came, while guests use it: another node may be about
/// to write what it sealed before it heard of the new one.
const KEY_SETTLES: Duration = Duration::from_secs(60);

/// A document with sealed values.
#[derive(Debug, Clone, Copy)]
pub struct Guest<'a> {
    /// The environment, whose data key seals.
    pub environment: &'a EnvironmentName,
    /// One of [`GUEST_KINDS`].
    pub kind: &'static str,
    /// The document's name.
    pub name: &'a str,
}

/// The sealed values of a document, by their names within it.
pub type SealedValues = BTreeMap<String, SealedValue>;

/// A sealed value, with the version for which it was sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedValue {
    /// The value's version within the document: part of its place, so that an earlier value copied back does not open.
    pub version: u64,
    #[serde(serialize_with = "text_of", deserialize_with = "of_text")]
    value: Sealed,
}

impl Guest<'_> {
    /// `place` is the document's name and the value's name within it.
    fn binding<'p>(&'p self, place: &'p str, version: u64) -> Binding<'p> {
        Binding {
            owner: PLATFORM_OWNED,
            environment: self.environment.as_str(),
            kind: self.kind,
            name: place,
            version,
        }
    }

    fn place(&self, slot: &str) -> String {
        format!("{}#{slot}", self.name)
    }
}

impl Vault {
    /// Whether there is a key-encryption key, so that values can be sealed.
    pub fn is_on(&self) -> bool {
        self.ring.is_some()
    }

    /// Seals a value for a document of another crate. The environment gets a data key when it has none.
    pub async fn seal(
        &self,
        guest: Guest<'_>,
        (slot, version): (&str, u64),
        value: &Secret,
        actor: &Actor,
    ) -> Result<SealedValue, VaultError> {
        if self.ring.is_none() {
            return Err(VaultError::Off);
        }
        self.ensure_key(guest.environment, actor).await?;
        let view = self.view();
        let key = view.sealing(guest.environment).ok_or_else(|| missing_key(&view))?;
        let place = guest.place(slot);
        let value = key.seal(&guest.binding(&place, version), value, self.entropy());
        Ok(SealedValue { version, value })
    }

    /// Opens a value of a document of another crate.
    pub fn open(
        &self,
        guest: Guest<'_>,
        slot: &str,
        sealed: &SealedValue,
    ) -> Result<Secret, VaultError> {
        if self.ring.is_none() {
            return Err(VaultError::Off);
        }
        let (view, version) = (self.view(), sealed.value.key_version());
        let key = match (view.key(guest.environment, version), &view.trouble) {
            (Some(key), _) => key,
            (None, Some(trouble)) => return Err(VaultError::Ring(trouble.clone())),
            (None, None) => return Err(SealError::OtherKey(version).into()),
        };
        let place = guest.place(slot);
        Ok(key.open(&guest.binding(&place, sealed.version), &sealed.value)?)
    }

    /// What tells whether two values are the same without saying what they are; None while the vault is empty or its key
    /// is not to be had.
    pub fn fingerprint(&self, value: &Secret) -> Option<String> {
        Some(self.view().fingerprints.as_ref()?.fingerprint(value))
    }

    /// The next page of documents elsewhere whose values are to be sealed anew under their environment's data key.
    /// Says how the environments stand whose old keys wait for it.
    pub(super) async fn tend_guests(&self) -> Result<Guests, VaultError> {
        let (view, now) = (self.view(), self.clock().now());
        let rotating: BTreeMap<EnvironmentName, (u32, bool)> = view
            .head
            .iter()
            .flat_map(|(head, _)| &head.environments)
            .filter(|(_, keys)| keys.len() > 1)
            .filter_map(|(environment, keys)| {
                let newest = keys.last()?;
                let settled = newest.created_at + KEY_SETTLES <= now;
                Some((environment.clone(), (newest.version, settled)))
            })
            .collect();
        let mut keep = Guests::default();
        if rotating.is_empty() {
            return Ok(keep);
        }
        for kind in GUEST_KINDS {
            let mut after: Option<String> = None;
            loop {
                let page = self.store().documents(kind, after.as_deref(), PAGE_MAX).await?;
                let Some(last) = page.last() else { break };
                after = Some(last.name.clone());
                for document in &page {
                    let Some(found) = Found::read(kind, document) else { continue };
                    let Some((newest, settled)) = rotating.get(&found.environment) else {
                        continue;
                    };
                    if !settled {
                        keep.waiting.push(found.environment.clone());
                    }
                    if found.needs(*newest) {
                        keep.waiting.push(found.environment.clone());
                        keep.changed |= self.seal_anew(found, *newest).await?;
                    }
                }
            }
        }
        Ok(keep)
    }

    /// Seals the values of a document anew, when it is still as it was read. What does not open stays as it is.
    async fn seal_anew(&self, found: Found<'_>, newest: u32) -> Result<bool, VaultError> {
        let view = self.view();
        let guest =
            Guest { environment: &found.environment, kind: found.kind, name: &found.document.name };
        let Some(key) = view.key(guest.environment, newest) else { return Ok(false) };
        let mut sealed = found.sealed.clone();
        for (slot, value) in &mut sealed {
            let Ok(plain) = self.open(guest, slot, value) else { continue };
            let place = guest.place(slot);
            value.value = key.seal(&guest.binding(&place, value.version), &plain, self.entropy());
        }
        if sealed == found.sealed {
            return Ok(false);
        }
        let mut body = found.body;
        body["sealed"] = serde_json::to_value(&sealed).expect("sealed values have string keys");
        let now = self.clock().now();
        let put = DocumentOp::Put {
            kind: found.kind.to_owned(),
            name: found.document.name.clone(),
            expect: Expect::Revision(found.document.revision),
            body: body.to_string().into_bytes().into(),
            at: now,
        };
        let id = TxnId::new(now, self.entropy());
        let change = Change { id, documents: vec![put], ledger: vec![], signals: vec![] };
        // When others were faster, the next round looks again.
        self.committer().change(change).await?;
        Ok(true)
    }
}

/// What is still to be done outside of the vault before old data keys can go.
#[derive(Debug, Default)]
pub(super) struct Guests {
    /// The environments whose old keys are still needed.
    pub(super) waiting: Vec<EnvironmentName>,
    /// Whether anything was sealed anew.
    pub(super) changed: bool,
}

struct Found<'d> {
    kind: &'static str,
    document: &'d qc_store::Document,
    environment: EnvironmentName,
    body: Value,
    sealed: SealedValues,
}

impl<'d> Found<'d> {
    /// None: it holds nothing sealed.
    fn read(kind: &'static str, document: &'d qc_store::Document) -> Option<Self> {
        let body: Value = serde_json::from_slice(&document.body).ok()?;
        let environment = body.get("environment")?.as_str()?.parse().ok()?;
        let sealed = SealedValues::deserialize(body.get("sealed")?).ok()?;
        Some(Self { kind, document, environment, body, sealed })
    }

    fn needs(&self, newest: u32) -> bool {
        self.sealed.values().any(|value| value.value.key_version() != newest)
    }
}

fn text_of<S: Serializer>(sealed: &Sealed, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&sealed.text())
}

fn of_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Sealed, D::Error> {
    Sealed::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}
