use std::time::Duration;

use qc_model::{Actor, EnvironmentName, Finding, Timestamp};

use super::{
    Vault, VaultError, decide,
    documents::{Head, StoredKey, key_place},
    own::OWN,
    view::View,
};
use crate::{KeyRing, Wrapped};

/// A data key is to be replaced after so long: half a year.
const KEY_CADENCE: Duration = Duration::from_secs(180 * 86_400);

/// How the vault stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultStatus {
    /// Where the key-encryption key is; None: the vault is off.
    pub place: Option<String>,
    /// The id of the key that wraps now, when the ring says it.
    pub kek: Option<String>,
    /// Each environment's keys.
    pub environments: Vec<EnvironmentKeys>,
    /// How many secrets do not open here.
    pub not_opening: usize,
    /// How many are past their cadence.
    pub overdue: usize,
    /// What should be done.
    pub findings: Vec<Finding>,
}

/// The data keys of an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvironmentKeys {
    /// The environment.
    pub environment: EnvironmentName,
    /// How many secrets it has.
    pub secrets: usize,
    /// Its data keys; the last one seals.
    pub keys: Vec<KeyShown>,
    /// How many secrets are still to be sealed under the last one.
    pub remaining: usize,
}

/// A data key, but for its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyShown {
    /// Its version.
    pub version: u32,
    /// When it was made.
    pub created_at: Timestamp,
    /// The key-encryption key that wraps it.
    pub kek: String,
    /// Whether it is older than half a year.
    pub overdue: bool,
}

impl Vault {
    /// How it stands. Opens every value, to say which do not open.
    pub async fn status(&self) -> Result<VaultStatus, VaultError> {
        self.refresh().await?;
        let mut findings = self.findings();
        let kek = match &self.ring {
            Some(ring) => match ring.current().await {
                Ok(kek) => Some(kek),
                Err(error) => {
                    findings.push(Finding::error(error.code(), error.to_string()));
                    None
                }
            },
            None => None,
        };
        let (view, now, secrets) = (self.view(), self.clock().now(), self.list(None));
        let environments = view.head.iter().flat_map(|(head, _)| &head.environments);
        let environments = environments
            .map(|(environment, keys)| of_environment(&view, (environment, keys), now))
            .collect();
        Ok(VaultStatus {
            place: self.ring.as_ref().map(|ring| ring.place()),
            kek,
            environments,
            not_opening: secrets.iter().filter(|secret| !secret.opens).count(),
            overdue: secrets.iter().filter(|secret| secret.overdue).count(),
            findings,
        })
    }

    /// The data key that seals in each environment, and when it is to be rotated.
    pub fn data_keys_due(&self) -> Vec<(EnvironmentName, u32, Timestamp)> {
        let view = self.view();
        let environments = view.head.iter().flat_map(|(head, _)| &head.environments);
        environments
            .filter_map(|(environment, keys)| {
                let newest = keys.last()?;
                Some((environment.clone(), newest.version, newest.created_at + KEY_CADENCE))
            })
            .collect()
    }

    /// Wraps all data keys with the key-encryption key that is current now; those that are already stay as they are.
    /// Afterwards the earlier key-encryption keys are not needed any more. No value is touched. Says how many were.
    pub async fn rewrap(&self, actor: &Actor) -> Result<usize, VaultError> {
        let ring = self.ring.as_ref().ok_or(VaultError::Off)?;
        self.refresh().await?;
        let Some((before, _)) = self.view().head.clone() else { return Ok(0) };
        let (head, count) = rewrap(&before, &**ring).await?;
        if count == 0 {
            return Ok(0);
        }
        self.change(actor, |view, deciding| match &view.head {
            Some((now, _)) if *now == before => {
                Ok(Some(decide::rewrapped(view, (&head, count), deciding)))
            }
            // A key came or went meanwhile: what was wrapped is not all there is.
            _ => Err(VaultError::Busy),
        })
        .await?;
        Ok(count)
    }
}

/// The head with every key that an older key-encryption key wraps wrapped anew, and how many those are.
async fn rewrap(head: &Head, ring: &dyn KeyRing) -> Result<(Head, usize), VaultError> {
    let (current, mut head, mut count) = (ring.current().await?, head.clone(), 0);
    let mut again = async |wrapped: &mut Wrapped, place: &[u8]| -> Result<(), VaultError> {
        if wrapped.kek != current {
            let key = ring.unwrap_key(wrapped, place).await?;
            *wrapped = ring.wrap(&key, place).await?;
            count += 1;
        }
        Ok(())
    };
    again(&mut head.fingerprint_key, &key_place("", 0)).await?;
    for (environment, keys) in &mut head.environments {
        for stored in keys {
            again(&mut stored.key, &key_place(environment.as_str(), stored.version)).await?;
        }
    }
    Ok((head, count))
}

fn of_environment(
    view: &View,
    (environment, keys): (&EnvironmentName, &Vec<StoredKey>),
    now: Timestamp,
) -> EnvironmentKeys {
    let newest = keys.last().map_or(0, |key| key.version);
    let own = || {
        let records = view.records.values().map(|held| &held.record);
        records.filter(|record| record.environment == *environment)
    };
    let old =
        own().filter(|record| record.values().any(|value| value.sealed.key_version() != newest));
    EnvironmentKeys {
        environment: environment.clone(),
        secrets: own().filter(|record| !record.name.starts_with(OWN)).count(),
        remaining: old.count(),
        keys: keys
            .iter()
            .map(|key| KeyShown {
                version: key.version,
                created_at: key.created_at,
                kek: key.key.kek.clone(),
                overdue: key.created_at + KEY_CADENCE <= now,
            })
            .collect(),
    }
}
