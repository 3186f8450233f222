//! Events that came by themselves and were refused for good: nobody waits for an answer, so the ledger is where it is
//! said.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use qc_model::{Actor, Code, TxnId};
use qc_store::{Change, ChangeOutcome, LedgerKind, LedgerRow, StoreError};
use serde_json::json;

use crate::{Deployment, Engine, Trigger, record};

/// The most wrong places that a row names.
const PLACES: usize = 20;

/// Why an event was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The code.
    pub code: Code,
    /// What is wrong; holds no payload.
    pub detail: String,
    /// JSON Pointers of the wrong places, with what is wrong there.
    pub places: Vec<(String, String)>,
    /// The sender's id of the event.
    pub id: Option<String>,
}

impl Engine {
    /// Writes into the ledger that an event was refused, and counts it. Returns when it is on disk.
    pub async fn refuse(
        &self,
        deployment: &Deployment,
        trigger: &Trigger,
        actor: &Actor,
        refused: &Refused,
        body: &[u8],
    ) -> Result<(), StoreError> {
        let row = self.refused_row(deployment, trigger, actor, refused, body);
        let id = TxnId::new(row.at, &*self.shared.entropy);
        let change = Change { id, documents: Vec::new(), ledger: vec![row], signals: Vec::new() };
        match self.shared.committer.change(change).await? {
            ChangeOutcome::Changed => {
                self.shared.counters.refused.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
            ChangeOutcome::Conflict { kind, name, .. } => Err(StoreError::Corrupt(format!(
                "a conflict over {kind} {name}, which was not written"
            ))),
        }
    }

    pub(crate) fn refused_row(
        &self,
        deployment: &Deployment,
        trigger: &Trigger,
        actor: &Actor,
        refused: &Refused,
        body: &[u8],
    ) -> LedgerRow {
        let shared = &self.shared;
        let tenant = record::tenant_of(trigger);
        let payload = record::canonical_body(body);
        let hash = record::payload_hash(&shared.settings.ledger_key, &tenant, &payload);
        let places: Vec<_> = refused.places.iter().take(PLACES).collect();
        let mut facts = json!({
            "detail": refused.detail,
            "places": places,
            "bytes": body.len(),
            "payload_hmac": hash,
        });
        if let Some(id) = &refused.id {
            facts["id"] = json!(id);
        }
        LedgerRow {
            at: shared.now(),
            kind: LedgerKind::Event,
            tenant,
            environment: Some(deployment.environment.clone()),
            integration: Some(deployment.release.integration.clone()),
            run: None,
            event: None,
            actor: actor.text(),
            subject: trigger.name.to_string(),
            outcome: "refused".to_owned(),
            code: Some(refused.code.to_string()),
            facts: Bytes::from(facts.to_string()),
        }
    }
}
