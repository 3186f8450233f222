use qc_model::{Actor, EnvironmentName};

use super::{
    Shelved, VaultError, decide,
    vault::{Cadence, SetSecret, Vault},
};
use crate::{Secret, SecretRef};

/// Begins the names of the platform's own values (see `SecretRef::own`).
pub(super) const OWN: char = ':';

/// The platform's own values, such as the keys with which it signs. They are sealed as secrets are, and rotations seal
/// them anew, too; but no `secret://` finds them, and no list shows them.
impl Vault {
    /// Keeps a value under this name, in place of the one before.
    pub async fn keep(
        &self,
        environment: &EnvironmentName,
        name: &str,
        value: Secret,
        actor: &Actor,
    ) -> Result<(), VaultError> {
        let asked = SetSecret {
            environment: environment.clone(),
            name: SecretRef::own(name),
            value,
            cadence: Cadence::Never,
            overlap: None,
        };
        self.set(&asked, actor).await.map(drop)
    }

    /// The value under this name; None when there is none.
    pub async fn kept(
        &self,
        environment: &EnvironmentName,
        name: &str,
    ) -> Result<Option<Secret>, VaultError> {
        let name = SecretRef::own(name);
        // Another node may just have kept it.
        if matches!(self.find(environment, &name), Shelved::NotHere) {
            self.refresh().await?;
        }
        match self.find(environment, &name) {
            Shelved::Value(secret) => Ok(Some(secret)),
            Shelved::NotHere | Shelved::NoPrevious => Ok(None),
            Shelved::Unusable(_) if self.ring.is_none() => Err(VaultError::Off),
            Shelved::Unusable(_) => Err(decide::missing_key(&self.view())),
        }
    }

    /// Lets a value go, when it is there.
    pub async fn let_go(
        &self,
        environment: &EnvironmentName,
        name: &str,
        actor: &Actor,
    ) -> Result<(), VaultError> {
        match self.remove(environment, &SecretRef::own(name), actor).await {
            Err(VaultError::Nothing(_)) => Ok(()),
            done => done,
        }
    }
}
