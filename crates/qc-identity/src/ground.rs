use std::sync::Arc;

use qc_model::{Actor, Clock, Entropy, EnvironmentName, TenantName, TxnId};
use qc_store::{
    Change, ChangeOutcome, Committer, Document, DocumentOp, Expect, LedgerKind, LedgerRow, Store,
    StoreError,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

/// What everything here stands on.
#[derive(Clone)]
pub struct Ground {
    /// The store, for reading.
    pub store: Arc<dyn Store>,
    /// Group commit over the store.
    pub committer: Committer,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness; the operating system's, as secrets are made from it.
    pub entropy: Arc<dyn Entropy>,
}

impl Ground {
    /// Reads a document's body as its type, with its revision.
    pub(crate) async fn read<T: DeserializeOwned>(
        &self,
        kind: &str,
        name: &str,
    ) -> Result<Option<(T, u64)>, StoreError> {
        let found = self.store.document(kind, name).await?;
        found.map(|document| Ok((body(&document)?, document.revision))).transpose()
    }

    /// The write of a document.
    pub(crate) fn put(
        &self,
        (kind, name): (&str, &str),
        expect: Expect,
        value: &impl Serialize,
    ) -> DocumentOp {
        DocumentOp::Put {
            kind: kind.to_owned(),
            name: name.to_owned(),
            expect,
            body: serde_json::to_vec(value).expect("only string keys").into(),
            at: self.clock.now(),
        }
    }

    /// Commits documents with their rows of the audit. False: one of them was not as expected.
    pub(crate) async fn change(
        &self,
        documents: Vec<DocumentOp>,
        ledger: Vec<LedgerRow>,
    ) -> Result<bool, StoreError> {
        let id = TxnId::new(self.clock.now(), &*self.entropy);
        let change = Change { id, documents, ledger, signals: Vec::new() };
        Ok(self.committer.change(change).await? == ChangeOutcome::Changed)
    }

    /// A row of the audit.
    pub(crate) fn audit(
        &self,
        actor: &Actor,
        (subject, outcome): (&str, &str),
        environment: Option<&EnvironmentName>,
        facts: Value,
    ) -> LedgerRow {
        LedgerRow {
            at: self.clock.now(),
            kind: LedgerKind::Audit,
            tenant: TenantName::new("default").expect("a legal name"),
            environment: environment.cloned(),
            integration: None,
            run: None,
            event: None,
            actor: actor.text(),
            subject: subject.to_owned(),
            outcome: outcome.to_owned(),
            code: None,
            facts: actor.with_origin(facts).to_string().into_bytes().into(),
        }
    }

    /// Random bytes as text: URL-safe base64 without padding (RFC 4648).
    pub(crate) fn random_text<const WORDS: usize>(&self) -> String {
        let mut bytes = Vec::with_capacity(8 * WORDS);
        for _ in 0..WORDS {
            bytes.extend_from_slice(&self.entropy.next_u64().to_le_bytes());
        }
        crate::text::base64url(&bytes)
    }
}

/// A document's body as its type.
pub(crate) fn body<T: DeserializeOwned>(document: &Document) -> Result<T, StoreError> {
    serde_json::from_slice(&document.body).map_err(|error| {
        StoreError::Corrupt(format!("the {} {}: {error}", document.kind, document.name))
    })
}
