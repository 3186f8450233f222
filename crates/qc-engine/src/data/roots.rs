use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use qc_data::TokenKey;
use qc_model::{EnvironmentName, TenantName};

/// The keys from which tokens are made, by environment. Whoever has the vault puts them here before a release that
/// needs one is run.
#[derive(Clone, Default)]
pub struct TokenRoots(Arc<RwLock<BTreeMap<EnvironmentName, [u8; 32]>>>);

impl TokenRoots {
    /// The environment's key from now on.
    pub fn set(&self, environment: EnvironmentName, root: [u8; 32]) {
        // A change is one call on the map.
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(environment, root);
    }

    /// Whether the environment has one.
    pub fn has(&self, environment: &EnvironmentName) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).contains_key(environment)
    }

    /// The key of a tenant in an environment; None when no root is there.
    pub(crate) fn key(
        &self,
        environment: &EnvironmentName,
        tenant: &TenantName,
    ) -> Option<TokenKey> {
        let roots = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let root = roots.get(environment)?;
        Some(TokenKey::derive(root, environment.as_str(), tenant.as_str()))
    }
}

impl fmt::Debug for TokenRoots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenRoots(***)")
    }
}
