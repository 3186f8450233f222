//! Whether an event has come before, asked without writing. The hot path does not ask: there the accepting transaction
//! itself looks the key up.

use std::sync::atomic::Ordering;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use qc_model::Timestamp;

use crate::{
    Accepted, Deployment, Engine, EngineError, Incoming,
    entry::{self, Journaled, Keyed},
};

impl Engine {
    /// The run of an event that was accepted before under the same key; None when it was not. For an event that cannot
    /// be accepted now, such as under a contract that has become stricter: one that is on disk already is not refused.
    ///
    /// Errors: [`EngineError::KeyReused`] when the key stands for another body.
    pub async fn repeat(
        &self,
        deployment: &Deployment,
        incoming: &Incoming,
    ) -> Result<Option<Accepted>, EngineError> {
        let Some(key) = &incoming.key else { return Ok(None) };
        let store = &self.shared.store;
        let scope = key_scope(deployment, incoming);
        let Some(run) = store.key_owner(&scope, key).await? else { return Ok(None) };
        let journal = store.journal(run).await?;
        let first = journal.first().and_then(|first| entry::decode(0, first).ok());
        // A run without this note was written by a program that made none, or is removed already: its event is like new.
        let Some(Journaled::Start { keyed: Some(known), .. }) = first else { return Ok(None) };
        if known.until <= incoming.received_at {
            return Ok(None);
        }
        self.shared.counters.repeated.fetch_add(1, Ordering::Relaxed);
        if known == keyed(incoming.body_hash, known.until) {
            Ok(Some(Accepted::Repeat { run }))
        } else {
            Err(EngineError::KeyReused { run })
        }
    }
}

/// The note in the journal of what a key stands for.
pub(crate) fn keyed(body_hash: [u8; 32], until: Timestamp) -> Keyed {
    Keyed { body_sha256: STANDARD.encode(body_hash), until }
}

/// Within what an idempotency key is unique.
pub(crate) fn key_scope(deployment: &Deployment, incoming: &Incoming) -> String {
    let (environment, integration) = (&deployment.environment, &deployment.release.integration);
    format!("{}/{environment}/{integration}/{}", incoming.tenant, incoming.trigger)
}
