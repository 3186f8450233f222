//! One deed to one run, once: however often it is begun.

use std::time::Duration;

use qc_model::{Actor, RunId};
use qc_store::{IdempotencyKey, StoreError};

use super::{Bulk, Deed};
use crate::{Engine, EngineError, Replay, command::Request, forward::Errand, operate::Asking};

/// How long a replay's key is remembered: longer than a bulk is.
const KEY_KEPT: Duration = Duration::from_secs(60 * 86_400);

/// What became of a deed: done now or before, or refused for a reason that stays.
type Came = Result<(), String>;

impl Engine {
    /// Does a bulk's deed to a run, unless it was done already. An error passes, and the deed is to
    /// be tried again.
    pub(super) async fn act_once(&self, bulk: &Bulk, run: RunId) -> Result<Came, EngineError> {
        let actor = match &bulk.started {
            Some((_, actor)) => actor.clone(),
            None => bulk.planned_by.clone(),
        };
        let key = bulk.key(run);
        let reason = bulk.reason.clone();
        let done = match bulk.deed {
            Deed::Replay => self.replay_once(bulk, run, key, &actor).await,
            Deed::Retry => {
                let request =
                    Request::Retry { out_of_order: bulk.out_of_order, newest: bulk.newest };
                self.errand_once(run, Errand::Ask(request), &actor, &key).await
            }
            Deed::Discard => self.errand_once(run, Errand::Discard { reason }, &actor, &key).await,
            Deed::Cancel => {
                let request = Request::Cancel { reason, compensate: bulk.compensate };
                self.errand_once(run, Errand::Ask(request), &actor, &key).await
            }
        };
        match done {
            Ok(()) => Ok(Ok(())),
            Err(error) if passes(&error) => Err(error),
            Err(error) => Ok(Err(error.to_string())),
        }
    }

    async fn errand_once(
        &self,
        run: RunId,
        errand: Errand,
        actor: &Actor,
        key: &str,
    ) -> Result<(), EngineError> {
        let here = if self.shared.leases.owns(run) {
            self.do_once(run, &errand, actor, key).await
        } else {
            Err(self.elsewhere())
        };
        match here {
            Ok(()) => Ok(()),
            Err(Asking::Elsewhere) => self.forward_as(key.to_owned(), run, errand, actor).await,
            Err(Asking::Failed(error)) => Err(error),
        }
    }

    /// A replay is a new run: the key with which that is accepted makes it the only one.
    async fn replay_once(
        &self,
        bulk: &Bulk,
        run: RunId,
        key: String,
        actor: &Actor,
    ) -> Result<(), EngineError> {
        let store = &self.shared.store;
        let facts = store.run(run).await?.ok_or(EngineError::NoRun(run))?.facts;
        let scope = format!("bulk/{}/{}", facts.tenant, facts.environment);
        let done = async || Ok::<_, StoreError>(store.key_owner(&scope, &key).await?.is_some());
        if done().await? {
            return Ok(());
        }
        let replay = Replay { out_of_order: bulk.out_of_order, ..Replay::default() };
        let expires_at = self.shared.now() + KEY_KEPT;
        let keyed = IdempotencyKey {
            scope: scope.clone(),
            key: key.clone(),
            body_hash: [0; 32],
            expires_at,
        };
        match self.replay_under(run, replay, actor, Some(keyed)).await {
            Ok(_) => Ok(()),
            // Another node was faster, or this one before it ended.
            Err(_) if done().await? => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Whether the same may go well later.
fn passes(error: &EngineError) -> bool {
    match error {
        EngineError::Draining | EngineError::Busy(_) => true,
        EngineError::Store(error) => match error {
            StoreError::Full(_) | StoreError::Unavailable(_) | StoreError::Unknown(_) => true,
            StoreError::Corrupt(_) | StoreError::Refused(_) => false,
        },
        EngineError::KeyReused { .. }
        | EngineError::KeyReusedByEvent { .. }
        | EngineError::NoLine(_)
        | EngineError::NoTask(_)
        | EngineError::NoTrigger(_)
        | EngineError::Refused(_)
        | EngineError::WrongTriggerState { .. }
        | EngineError::NoRun(_)
        | EngineError::WrongState { .. }
        | EngineError::NoRelease(_)
        | EngineError::Failed(_) => false,
    }
}
