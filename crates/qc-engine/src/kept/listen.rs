//! Looks at an event before it is accepted: one that tells of what the integration wrote itself
//! begins no run.

use std::sync::atomic::Ordering;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use qc_model::{Class, Failure, TxnId};
use qc_store::{Change, ChangeOutcome, LedgerKind, LedgerRow, StoreError};
use serde_json::json;

use super::{
    KeptScope,
    echo::{ECHO_KIND, EchoRule, MARKS_MAX, heard, judge},
};
use crate::{Accepted, Deployment, Engine, EngineError, Incoming, codes};

/// So often an event is looked at again because its mark was written meanwhile.
const TRIES_MAX: usize = 16;

impl Engine {
    /// The run whose echo an event is, as of a repeat: that it was recognised is on disk. None: it
    /// is no echo.
    pub(crate) async fn echo(
        &self,
        deployment: &Deployment,
        rule: &EchoRule,
        incoming: &Incoming,
    ) -> Result<Option<Accepted>, EngineError> {
        let shared = &self.shared;
        let at = incoming.received_at;
        let scope = KeptScope {
            tenant: incoming.tenant.clone(),
            environment: deployment.environment.clone(),
            integration: deployment.release.integration.clone(),
        };
        let event = incoming.event.to_structured(|bytes| STANDARD.encode(bytes));
        // Without a key of its own the event's source and id are what a repeat has in common.
        let key = incoming
            .key
            .clone()
            .unwrap_or_else(|| format!("{}\n{}", incoming.event.source, incoming.event.id));
        let heard = heard(rule, &scope, &event, &key, at).map_err(|error| {
            let title = "the event does not fit the trigger";
            let detail = format!("the trigger's `echo` cannot be evaluated: {error}");
            let failure = Failure::new(Class::Invalid, codes::TRIGGER_EXPRESSION, title, detail);
            EngineError::Failed(Box::new(failure))
        })?;
        let Some(heard) = heard else { return Ok(None) };
        for _ in 0..TRIES_MAX {
            let mut there =
                shared.store.documents(ECHO_KIND, Some(&heard.prefix), MARKS_MAX).await?;
            there.retain(|document| document.name.starts_with(&heard.prefix));
            let judged = judge(&heard, &there, at);
            let judged = judged.map_err(EngineError::Failed)?;
            let Some(suppressed) = judged else { return Ok(None) };
            // What came before as a change of somebody else stays that.
            if let Some(known) = self.repeat(deployment, incoming).await? {
                return Ok(Some(known));
            }
            let facts = json!({ "id": incoming.event.id, "type": incoming.event.kind });
            let row = LedgerRow {
                at,
                kind: LedgerKind::Event,
                tenant: incoming.tenant.clone(),
                environment: Some(deployment.environment.clone()),
                integration: Some(deployment.release.integration.clone()),
                run: Some(suppressed.run),
                event: None,
                actor: incoming.actor.text(),
                subject: incoming.trigger.to_string(),
                outcome: "echo suppressed".to_owned(),
                code: None,
                facts: Bytes::from(facts.to_string()),
            };
            let change = Change {
                id: TxnId::new(at, &*shared.entropy),
                documents: suppressed.document.into_iter().collect(),
                ledger: vec![row],
                signals: Vec::new(),
            };
            match shared.committer.change(change).await? {
                ChangeOutcome::Changed => {
                    shared.counters.repeated.fetch_add(1, Ordering::Relaxed);
                    return Ok(Some(Accepted::Repeat { run: suppressed.run }));
                }
                ChangeOutcome::Conflict { .. } => {}
            }
        }
        let why = "the mark of an echo changed again and again; try again".to_owned();
        Err(StoreError::Unavailable(why).into())
    }
}
