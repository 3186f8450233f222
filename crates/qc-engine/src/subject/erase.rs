use std::collections::BTreeSet;

use qc_model::{Actor, RunId, TxnId};
use qc_store::{
    Change, DocumentOp, Erased, Expect, LedgerKind, LedgerRow, StoreError, blobs::Asked,
};
use serde_json::json;

use super::Subject;
use crate::{Engine, EngineError};

/// What became of an erasure.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SubjectErased {
    /// Runs that were removed, each with event, journal, dead letter and keys.
    pub runs: usize,
    /// Idempotency keys that stood for them.
    pub keys: usize,
    /// Events that were removed from buses and outboxes.
    pub events: usize,
    /// Documents that were removed: tasks of people, values of states, links, marks.
    pub documents: usize,
    /// Large bodies that were removed.
    pub blobs: usize,
    /// Runs that are not at their end, and therefore still there: end them, and erase again.
    pub open: Vec<RunId>,
}

impl Engine {
    /// Removes everything that is stored of a subject, and has nothing left of it in the files of the store. The audit
    /// says that it was done, of whom by a keyed hash. What is there of runs that are not at their end stays, and the
    /// answer names them.
    ///
    /// Errors: those of the store; what was removed until then stays removed.
    pub async fn erase_subject(
        &self,
        subject: &Subject,
        reason: &str,
        actor: &Actor,
    ) -> Result<SubjectErased, EngineError> {
        let shared = &self.shared;
        let found = self.find_subject(subject).await?;
        let (ended, open): (Vec<_>, Vec<_>) =
            found.runs.values().partition(|head| head.state.status.is_terminal());
        let ended: Vec<RunId> = ended.iter().map(|head| head.facts.id).collect();
        let open: Vec<RunId> = open.iter().map(|head| head.facts.id).collect();
        let open_texts: Vec<String> = open.iter().map(ToString::to_string).collect();
        let of_open = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes);
            open_texts.iter().any(|id| text.contains(id.as_str()))
        };
        let mut erased = SubjectErased { open, ..SubjectErased::default() };
        for (kind, document) in found.documents {
            if of_open(&document.body) || of_open(document.name.as_bytes()) {
                continue;
            }
            let delete = DocumentOp::Delete {
                kind: kind.to_owned(),
                name: document.name,
                expect: Expect::Any,
            };
            self.change_subject(vec![delete], Vec::new()).await?;
            erased.documents += 1;
        }
        let signals: Vec<u64> = found
            .signals
            .iter()
            .filter(|entry| !of_open(&entry.signal.body))
            .map(|entry| entry.seq)
            .collect();
        let Erased { runs, signals, keys } = shared.store.erase(&ended, &signals).await?;
        (erased.runs, erased.events, erased.keys) = (runs, signals, keys);
        let gone: BTreeSet<RunId> = ended.into_iter().collect();
        let exists = |run| -> Asked<'_> {
            let there = !gone.contains(&run);
            Box::pin(async move { Ok(there) })
        };
        let swept = shared.outbound.blobs().sweep(shared.now(), &exists).await?;
        erased.blobs = swept.blobs;
        let row = self.row_of_erasure(subject, reason, actor, &erased);
        self.change_subject(Vec::new(), vec![row]).await?;
        shared.store.scrub().await?;
        Ok(erased)
    }

    async fn change_subject(
        &self,
        documents: Vec<DocumentOp>,
        ledger: Vec<LedgerRow>,
    ) -> Result<(), StoreError> {
        let shared = &self.shared;
        let id = TxnId::new(shared.now(), &*shared.entropy);
        let change = Change { id, documents, ledger, signals: Vec::new() };
        // Whatever is there goes: nothing is expected that could conflict.
        drop(shared.committer.change(change).await?);
        Ok(())
    }

    fn row_of_erasure(
        &self,
        subject: &Subject,
        reason: &str,
        actor: &Actor,
        erased: &SubjectErased,
    ) -> LedgerRow {
        let key = subject.key(&self.shared.settings.ledger_key);
        let facts = json!({
            "reason": reason, "runs": erased.runs, "keys": erased.keys, "events": erased.events,
            "documents": erased.documents, "blobs": erased.blobs, "open": erased.open,
        });
        LedgerRow {
            at: self.shared.now(),
            kind: LedgerKind::Audit,
            tenant: subject.tenant.clone(),
            environment: Some(subject.environment.clone()),
            integration: None,
            run: None,
            event: None,
            actor: actor.text(),
            subject: format!("hmac:{}", key.value),
            outcome: "subject.erased".to_owned(),
            code: None,
            facts: actor.with_origin(facts).to_string().into(),
        }
    }
}
