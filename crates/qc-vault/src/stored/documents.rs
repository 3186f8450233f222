use std::{collections::BTreeMap, time::Duration};

use qc_model::{Actor, EnvironmentName, TenantName, Timestamp};
use qc_store::{Document, DocumentOp, Expect, LedgerKind, LedgerRow, StoreError};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::{Binding, PLATFORM_OWNED, Sealed, Wrapped};

/// The kind of the documents that hold sealed secrets; their name is `<environment>/<name>`.
pub(super) const SECRET_KIND: &str = "secret";
/// The kind of the head.
pub(super) const VAULT_KIND: &str = "vault";
/// The name of the head.
pub(super) const HEAD: &str = "head";

/// All keys of the vault, wrapped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    /// The version of this body's form.
    pub(super) schema_version: u32,
    /// The key of the fingerprints, the same in all environments.
    pub(super) fingerprint_key: Wrapped,
    /// Each environment's data keys.
    pub(super) environments: BTreeMap<EnvironmentName, Vec<StoredKey>>,
}

/// A version of an environment's data key. The versions of an environment rise; the last one seals, those before it
/// only open, until nothing is left that needs them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredKey {
    pub(super) version: u32,
    pub(super) key: Wrapped,
    pub(super) created_at: Timestamp,
}

impl Head {
    pub(super) fn read(document: &Document) -> Result<Self, StoreError> {
        serde_json::from_slice(&document.body)
            .map_err(|error| StoreError::Corrupt(format!("the vault's head: {error}")))
    }

    /// Writes it, when it is still as it was read.
    pub(super) fn put(&self, before: Option<u64>, at: Timestamp) -> DocumentOp {
        DocumentOp::Put {
            kind: VAULT_KIND.to_owned(),
            name: HEAD.to_owned(),
            expect: expect(before),
            body: serde_json::to_vec(self).expect("a head has only string keys").into(),
            at,
        }
    }

    /// The key that seals in this environment.
    pub(super) fn current(&self, environment: &EnvironmentName) -> Option<&StoredKey> {
        self.environments.get(environment)?.last()
    }
}

/// A stored secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// The version of this body's form.
    pub(super) schema_version: u32,
    pub(super) environment: EnvironmentName,
    pub(super) name: String,
    /// How often its value is to be changed, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) rotate_every: Option<u64>,
    pub(super) current: SealedVersion,
    /// The value before, while both are valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) previous: Option<Previous>,
}

/// A version of a secret's value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SealedVersion {
    pub(super) version: u64,
    #[serde(serialize_with = "sealed_out", deserialize_with = "sealed_in")]
    pub(super) sealed: Sealed,
    /// Keyed: says whether two values are the same, and nothing else.
    pub(super) fingerprint: String,
    pub(super) created_at: Timestamp,
    /// By whom, as `kind:id`.
    pub(super) created_by: String,
}

/// The value before, and until when it is valid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Previous {
    #[serde(flatten)]
    pub(super) value: SealedVersion,
    pub(super) valid_until: Timestamp,
}

impl Record {
    pub(super) fn read(document: &Document) -> Result<Self, StoreError> {
        let record: Self = serde_json::from_slice(&document.body).map_err(|error| {
            StoreError::Corrupt(format!("the secret {}: {error}", document.name))
        })?;
        if record.document_name() == document.name {
            return Ok(record);
        }
        // A copied row: it keeps the place that it is at, where its value does not open.
        let (environment, name) = document.name.split_once('/').unwrap_or_default();
        let environment = environment.parse().map_err(|_| {
            StoreError::Corrupt(format!("the secret {} has no environment", document.name))
        })?;
        Ok(Self { environment, name: name.to_owned(), ..record })
    }

    pub(super) fn document_name(&self) -> String {
        document_name(&self.environment, &self.name)
    }

    /// Writes it, when it is still as it was read.
    pub(super) fn put(&self, before: Option<u64>, at: Timestamp) -> DocumentOp {
        DocumentOp::Put {
            kind: SECRET_KIND.to_owned(),
            name: self.document_name(),
            expect: expect(before),
            body: serde_json::to_vec(self).expect("a record has only string keys").into(),
            at,
        }
    }

    /// Where this version's value belongs.
    pub(super) fn binding(&self, version: u64) -> Binding<'_> {
        Binding {
            owner: PLATFORM_OWNED,
            environment: self.environment.as_str(),
            kind: SECRET_KIND,
            name: &self.name,
            version,
        }
    }

    /// The value before, while it is valid.
    pub(super) fn previous_at(&self, now: Timestamp) -> Option<&Previous> {
        self.previous.as_ref().filter(|previous| now < previous.valid_until)
    }

    /// Its values, the present one first.
    pub(super) fn values(&self) -> impl Iterator<Item = &SealedVersion> {
        [Some(&self.current), self.previous.as_ref().map(|previous| &previous.value)]
            .into_iter()
            .flatten()
    }

    /// When its value is to be changed, if it has a cadence.
    pub(super) fn due_at(&self) -> Option<Timestamp> {
        let every = Duration::from_secs(self.rotate_every?);
        Some(self.current.created_at + every)
    }
}

pub(super) fn document_name(environment: &EnvironmentName, name: &str) -> String {
    format!("{environment}/{name}")
}

/// Where a wrapped data key belongs, as bytes that its ring binds it to.
pub(super) fn key_place(environment: &str, version: u32) -> Vec<u8> {
    let version = u64::from(version);
    let kind = if environment.is_empty() { "fingerprint-key" } else { "data-key" };
    Binding { owner: PLATFORM_OWNED, environment, kind, name: "", version }.bytes()
}

fn expect(before: Option<u64>) -> Expect {
    before.map_or(Expect::Absent, Expect::Revision)
}

/// The audit's row of a change.
pub(super) fn audit(
    subject: &str,
    outcome: &str,
    environment: Option<&EnvironmentName>,
    facts: Value,
    (actor, now): (&Actor, Timestamp),
) -> LedgerRow {
    LedgerRow {
        at: now,
        kind: LedgerKind::Audit,
        tenant: TenantName::new("default").expect("a legal name"),
        environment: environment.cloned(),
        integration: None,
        run: None,
        event: None,
        actor: actor.text(),
        subject: subject.to_owned(),
        outcome: outcome.to_owned(),
        code: None,
        facts: actor.with_origin(facts).to_string().into_bytes().into(),
    }
}

fn sealed_out<S: Serializer>(sealed: &Sealed, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&sealed.text())
}

fn sealed_in<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Sealed, D::Error> {
    Sealed::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}
