//! A run goes on with a newer release: only when its workflow is the same, so that the journal means the same.

use std::sync::Arc;

use qc_model::RunId;
use qc_store::RunHead;

use crate::{Deployment, Engine, EngineError, drift::Mending};

impl Engine {
    /// With which release an answer of a run is put right: the deployed one, or its own where none is.
    pub(crate) async fn mending(&self, run: RunId) -> Result<Mending, EngineError> {
        let head = self.head(run).await?;
        let journal = self.shared.store.journal(run).await?;
        let own = self.release_of(&head, &journal).await?;
        let facts = &head.facts;
        let deployments = self.deployments();
        let newest = deployments.lookup(facts.environment.as_str(), facts.integration.as_str());
        let Some(newest) = newest else {
            return Ok(Mending { deployment: own, continues: true });
        };
        let continues = newest.release.program.continues(&own.release.program);
        Ok(Mending { deployment: Arc::clone(newest), continues })
    }

    /// The deployed release, when a run may go on with it.
    pub(crate) async fn newest_for(&self, head: &RunHead) -> Result<Arc<Deployment>, EngineError> {
        let facts = &head.facts;
        let refused = |reason: String| EngineError::WrongState {
            run: facts.id,
            status: head.state.status.as_str(),
            reason,
        };
        let deployments = self.deployments();
        let newest = deployments.lookup(facts.environment.as_str(), facts.integration.as_str());
        let newest = newest.ok_or_else(|| {
            refused("its integration is not deployed in its environment".to_owned())
        })?;
        let journal = self.shared.store.journal(facts.id).await?;
        let own = self.release_of(head, &journal).await?;
        if !newest.release.program.continues(&own.release.program) {
            let (new, old) = (&newest.release, &own.release);
            return Err(refused(format!(
                "the deployed release {} (version {}) has another workflow, or other rules for its calls, than the run's {} \
                 (version {}): the run cannot go on in the middle of it; replay it, which begins anew with the deployed release",
                short(&new.hash),
                new.version,
                short(&old.hash),
                old.version,
            )));
        }
        Ok(Arc::clone(newest))
    }
}

/// Enough of a hash for people.
fn short(hash: &str) -> &str {
    hash.get(..12).unwrap_or(hash)
}
