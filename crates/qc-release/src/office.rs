use bytes::Bytes;
use qc_model::{Actor, Clock, Entropy, EnvironmentName, Name, TenantName, Timestamp, TxnId};
use qc_store::{
    Change, ChangeOutcome, Committer, DocumentOp, Expect, LedgerKind, LedgerRow, Store, StoreError,
};
use serde_json::Value;

/// Where releases and deployments are kept, and what a change of them needs.
#[derive(Clone, Copy)]
pub struct Office<'a> {
    /// For reading.
    pub store: &'a dyn Store,
    /// For writing.
    pub committer: &'a Committer,
    /// When.
    pub clock: &'a dyn Clock,
    /// For the ids of transactions.
    pub entropy: &'a dyn Entropy,
}

impl Office<'_> {
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Every change says so in one place, for the other nodes: see [`revision`].
    pub(crate) async fn change(
        &self,
        mut documents: Vec<DocumentOp>,
        audit: LedgerRow,
    ) -> Result<ChangeOutcome, StoreError> {
        documents.push(DocumentOp::Put {
            kind: REVISION_KIND.to_owned(),
            name: REVISION_NAME.to_owned(),
            expect: Expect::Any,
            body: Bytes::new(),
            at: self.now(),
        });
        let id = TxnId::new(self.now(), self.entropy);
        let change = Change { id, documents, ledger: vec![audit], signals: Vec::new() };
        self.committer.change(change).await
    }
}

/// The document whose revision rises with every change of releases and deployments.
const REVISION_KIND: &str = "platform";
const REVISION_NAME: &str = "releases";

/// A number that rises with every change of releases and deployments, by whichever node: one small
/// read tells a node whether what it knows is still so.
pub async fn revision(store: &dyn Store) -> Result<u64, StoreError> {
    let document = store.document(REVISION_KIND, REVISION_NAME).await?;
    Ok(document.map_or(0, |document| document.revision))
}

/// The tenant of what concerns the whole platform.
const PLATFORM: &str = "platform";

pub(crate) fn audit(
    at: Timestamp,
    actor: &Actor,
    environment: Option<&EnvironmentName>,
    integration: &Name,
    (subject, outcome): (String, &str),
    facts: &Value,
) -> LedgerRow {
    LedgerRow {
        at,
        kind: LedgerKind::Audit,
        tenant: TenantName::new(PLATFORM).expect("is a legal name"),
        environment: environment.cloned(),
        integration: Some(integration.clone()),
        run: None,
        event: None,
        actor: actor.text(),
        subject,
        outcome: outcome.to_owned(),
        code: None,
        facts: actor.with_origin(facts.clone()).to_string().into_bytes().into(),
    }
}
