//! Has runs go on at once whose connection works again.
//!
//! Nothing depends on it: who is parked for a credential is probed now and then all the same. Each node looks through the
//! runs that are its own, so that all nodes together look through all.

use futures_util::{StreamExt, stream};
use qc_model::{Actor, EnvironmentName, RunId};
use qc_store::{LiveCause, RunFacts, RunHead, RunStatus, StoreError};

use crate::{Engine, EngineError, command::Request, groups::ranges, operate::Asking};

/// How many runs one look at the store brings.
const PAGE: usize = 500;
/// So many of them are asked at once.
const AT_ONCE: usize = 32;

/// How runs took the news of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mended {
    /// So many go on.
    pub going_on: usize,
    /// So many could not be reached now, for want of room in memory or of the store: ask again.
    pub left: usize,
}

impl Engine {
    /// Has this node's runs try again that are parked because calls by this connection were refused or got no token.
    pub async fn connection_mended(
        &self,
        environment: &EnvironmentName,
        connection: &str,
    ) -> Result<Mended, StoreError> {
        let mut mended = Mended::default();
        for range in ranges(&self.shared.leases.ours()) {
            let mut after = None;
            loop {
                let page = self.shared.store.open_runs(range.clone(), after, PAGE).await?;
                let Some(last) = page.last() else { break };
                after = Some(last.facts.id);
                let wanted = page.iter().filter(|head| {
                    head.facts.environment == *environment
                        && self.may_be_parked(head)
                        && self.may_use(&head.facts, connection)
                });
                let runs: Vec<RunId> = wanted.map(|head| head.facts.id).collect();
                let asked = stream::iter(runs)
                    .map(|run| Box::pin(self.tell_mended(run, connection)))
                    .buffer_unordered(AT_ONCE);
                let told: Vec<Told> = asked.collect().await;
                mended.going_on += told.iter().filter(|one| **one == Told::GoesOn).count();
                mended.left += told.iter().filter(|one| **one == Told::Unreached).count();
                if self.shared.is_draining() {
                    return Ok(mended);
                }
            }
        }
        Ok(mended)
    }

    /// A run in memory may have a parked call beside others that are under way.
    fn may_be_parked(&self, head: &RunHead) -> bool {
        let parked = head.state.status == RunStatus::Parked
            && head.state.cause == LiveCause::Parked
            && head.state.wake_at.is_some();
        parked || self.shared.is_active(head.facts.id)
    }

    /// Whether the run's release uses the connection; true when that is not known without reading the release.
    fn may_use(&self, facts: &RunFacts, connection: &str) -> bool {
        let deployments = self.deployments();
        let Some(one) = deployments.lookup(facts.environment.as_str(), facts.integration.as_str())
        else {
            return true;
        };
        one.release.hash != facts.release
            || one.release.connectors.iter().any(|connector| {
                let own = connector.connection(&facts.environment);
                own.is_some_and(|id| id.name == connection)
            })
    }

    async fn tell_mended(&self, run: RunId, connection: &str) -> Told {
        let request = Request::Mended { connection: connection.to_owned() };
        let actor = Actor::platform("connections");
        match self.ask_here(run, &request, &actor, None).await {
            Ok(()) => Told::GoesOn,
            Err(
                Asking::Elsewhere
                | Asking::Failed(EngineError::WrongState { .. } | EngineError::NoRun(_)),
            ) => Told::NotConcerned,
            Err(Asking::Failed(error)) => {
                tracing::debug!(%run, "a parked run cannot try again now: {error}");
                Told::Unreached
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    GoesOn,
    NotConcerned,
    Unreached,
}
