use qc_model::{Actor, Clock, Entropy, EnvironmentName, Name, TenantName, Timestamp, TxnId};
use qc_store::{
    Change, ChangeOutcome, Committer, DocumentOp, LedgerKind, LedgerRow, Store, StoreError,
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

    pub(crate) async fn change(
        &self,
        documents: Vec<DocumentOp>,
        audit: LedgerRow,
    ) -> Result<ChangeOutcome, StoreError> {
        let id = TxnId::new(self.now(), self.entropy);
        let change = Change { id, documents, ledger: vec![audit], signals: Vec::new() };
        self.committer.change(change).await
    }
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
    let kind = serde_json::to_value(actor.kind).ok();
    let kind = kind.as_ref().and_then(Value::as_str).unwrap_or("unknown");
    LedgerRow {
        at,
        kind: LedgerKind::Audit,
        tenant: TenantName::new(PLATFORM).expect("is a legal name"),
        environment: environment.cloned(),
        integration: Some(integration.clone()),
        run: None,
        event: None,
        actor: format!("{kind}:{}", actor.id),
        subject,
        outcome: outcome.to_owned(),
        code: None,
        facts: serde_json::to_vec(facts).expect("a JSON value can be written").into(),
    }
}
