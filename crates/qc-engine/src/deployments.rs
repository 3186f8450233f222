//! What is deployed where, for the doors to look up.

use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;
use qc_model::{EnvironmentName, Name};
use qc_store::StoreError;

use crate::Deployment;

/// The current deployments: one release for each integration of an environment.
#[derive(Debug, Default)]
pub struct Deployments {
    by_environment: HashMap<EnvironmentName, HashMap<Name, Arc<Deployment>>>,
}

impl Deployments {
    /// From a list; a later entry replaces an earlier one of the same integration.
    pub fn new(list: Vec<Deployment>) -> Self {
        let mut by_environment: HashMap<EnvironmentName, HashMap<Name, Arc<Deployment>>> =
            HashMap::new();
        for deployment in list {
            by_environment
                .entry(deployment.environment.clone())
                .or_default()
                .insert(deployment.release.integration.clone(), Arc::new(deployment));
        }
        Self { by_environment }
    }

    /// The deployment of an integration in an environment. Takes texts, as they stand in a URL.
    pub fn lookup(&self, environment: &str, integration: &str) -> Option<&Arc<Deployment>> {
        self.by_environment.get(environment)?.get(integration)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Deployment>> {
        self.by_environment.values().flat_map(HashMap::values)
    }
}

/// Where releases come from: for runs that are pinned to one which is no longer current.
#[async_trait]
pub trait ReleaseSource: Send + Sync {
    /// The release with this hash as it runs in the environment; None when it is not there.
    async fn deployment(
        &self,
        environment: &EnvironmentName,
        hash: &str,
    ) -> Result<Option<Arc<Deployment>>, StoreError>;
}
