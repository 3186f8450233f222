use std::time::Duration;

use bytes::Bytes;
use qc_model::{EnvironmentName, Name, Timestamp, TxnId};
use qc_store::{
    Change, ChangeOutcome, Document, DocumentOp, Expect, LedgerKind, LedgerRow, StoreError,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;
use tokio::time::sleep;

use super::{DriftFinding, DriftSeen, FindingKind, book::Page, finding::Site};
use crate::{Engine, codes, record};

/// The kind of what was seen, a document for each operation of an integration.
pub(super) const SEEN: &str = "drift-seen";
/// The kind of findings.
const FINDING: &str = "drift-finding";
/// The kind of findings as the first runs write them that are parked for them: so a finding is on disk with them.
pub(crate) const PARKED: &str = "drift-parked";

/// How often counts are written; what is seen for the first time is written at once.
const EVERY: Duration = Duration::from_secs(30);
/// What is seen at the same time is gathered for so long.
const GATHER: Duration = Duration::from_millis(100);
/// The pause after the store could not take it.
const AGAIN: Duration = Duration::from_secs(1);
/// How often a document is written anew that other nodes write, too.
const TRIES: usize = 8;
/// One page of documents, and the most of them that one list looks at.
const PAGE: usize = 500;
const PAGES_MAX: usize = 20;

/// Which of what was seen is listed.
#[derive(Debug, Clone, Default)]
pub struct DriftFilter {
    /// Only this environment.
    pub environment: Option<EnvironmentName>,
    /// Only this integration.
    pub integration: Option<Name>,
    /// Only this connector.
    pub connector: Option<String>,
}

impl DriftFilter {
    pub(super) fn passes(
        &self,
        environment: &EnvironmentName,
        integration: &Name,
        connector: &str,
    ) -> bool {
        self.environment.as_ref().is_none_or(|wanted| wanted == environment)
            && self.integration.as_ref().is_none_or(|wanted| wanted == integration)
            && self.connector.as_ref().is_none_or(|wanted| wanted == connector)
    }
}

impl Engine {
    /// Writes what this node sees of the drift of others, until the drain.
    pub(crate) async fn keep_drift(&self) {
        loop {
            let ending = tokio::select! {
                biased;
                () = self.draining() => true,
                () = self.shared.drift.news.notified() => false,
                () = sleep(EVERY) => false,
            };
            if !ending {
                sleep(GATHER).await;
            }
            let written = self.write_drift().await;
            if ending {
                return;
            }
            if let Err(error) = written {
                tracing::warn!("what was seen of the drift of others waits to be stored: {error}");
                sleep(AGAIN).await;
                self.shared.drift.news.notify_one();
            }
        }
    }

    async fn write_drift(&self) -> Result<(), StoreError> {
        for (site, page) in self.shared.drift.unwritten() {
            self.write_page(&site, &page).await?;
            self.shared.drift.written(&site, &page);
        }
        Ok(())
    }

    /// Merges what this node saw into what is stored, and opens findings that are new.
    async fn write_page(&self, site: &Site, page: &Page) -> Result<(), StoreError> {
        let (shared, name) = (&self.shared, site.text());
        for _ in 0..TRIES {
            let at = shared.now();
            let (mut documents, mut ledger) = (Vec::new(), Vec::new());
            let stored = shared.store.document(SEEN, &name).await?;
            let mut seen = match &stored {
                Some(document) => read::<DriftSeen>(document)?,
                None => DriftSeen::of(site),
            };
            seen.join(page.seen.clone());
            documents.push(put(SEEN, &name, stored.as_ref(), &seen, at));
            for (id, found) in &page.findings {
                let stored = shared.store.document(FINDING, id).await?;
                let mut finding = found.clone();
                match &stored {
                    Some(document) => finding.join(&read::<DriftFinding>(document)?),
                    None => ledger.push(self.opened(&finding, at)),
                }
                documents.push(put(FINDING, id, stored.as_ref(), &finding, at));
            }
            let id = TxnId::new(at, &*shared.entropy);
            let change = Change { id, documents, ledger, signals: Vec::new() };
            match shared.committer.change(change).await? {
                ChangeOutcome::Changed => {
                    for one in page.findings.values() {
                        tracing::debug!(finding = %one.id, "drift of {name} is written");
                    }
                    return Ok(());
                }
                ChangeOutcome::Conflict { .. } => {}
            }
        }
        Err(StoreError::Unavailable(format!("others keep writing what was seen of {name}")))
    }

    /// The row that tells the owner of a connector that a finding is open.
    fn opened(&self, finding: &DriftFinding, at: Timestamp) -> LedgerRow {
        let code = match finding.kind {
            FindingKind::Breaking => qc_connect::codes::CONTRACT_DRIFT,
            FindingKind::End => codes::OPERATION_ENDS,
        };
        tracing::warn!(
            code = %code, finding = %finding.id, owner = finding.owner.as_deref().unwrap_or("nobody"),
            "drift of {}.{} in {}: look at `qc drift show {}`",
            finding.connector, finding.operation, finding.environment, finding.id
        );
        let facts = json!({
            "finding": finding.id, "kind": finding.kind, "owner": finding.owner,
            "release": finding.release, "diff": finding.diff,
            "seen_by": if finding.canaries > 0 { "canary" } else { "run" },
        });
        LedgerRow {
            at,
            kind: LedgerKind::Decision,
            tenant: qc_model::TenantName::new("default").expect("a legal name"),
            environment: Some(finding.environment.clone()),
            integration: Some(finding.integration.clone()),
            run: None,
            event: None,
            actor: record::engine_of(&self.shared.settings.node),
            subject: format!("{}.{}", finding.connector, finding.operation),
            outcome: "drift_opened".to_owned(),
            code: Some(code.to_string()),
            facts: Bytes::from(facts.to_string()),
        }
    }

    /// What was seen of operations' answers, by integration and operation; of the first 10,000 documents.
    pub async fn drift_seen(&self, filter: &DriftFilter) -> Result<Vec<DriftSeen>, StoreError> {
        let all = self.all_drift::<DriftSeen>(SEEN).await?.into_iter();
        let wanted =
            |one: &DriftSeen| filter.passes(&one.environment, &one.integration, &one.connector);
        Ok(all.filter(wanted).collect())
    }

    /// The findings, the one that was seen last first; of the first 10,000.
    pub async fn drift_findings(
        &self,
        filter: &DriftFilter,
    ) -> Result<Vec<DriftFinding>, StoreError> {
        let mut all = self.all_drift::<DriftFinding>(FINDING).await?;
        for parked in self.all_drift::<DriftFinding>(PARKED).await? {
            if all.iter().all(|one| one.id != parked.id) {
                all.push(parked);
            }
        }
        all.retain(|one| filter.passes(&one.environment, &one.integration, &one.connector));
        all.sort_by(|a, b| (b.last_at, &b.id).cmp(&(a.last_at, &a.id)));
        Ok(all)
    }

    /// One finding.
    pub async fn drift_finding(&self, id: &str) -> Result<Option<DriftFinding>, StoreError> {
        for kind in [FINDING, PARKED] {
            if let Some(document) = self.shared.store.document(kind, id).await? {
                return read(&document).map(Some);
            }
        }
        Ok(None)
    }

    async fn all_drift<T: DeserializeOwned>(&self, kind: &str) -> Result<Vec<T>, StoreError> {
        let (mut all, mut after) = (Vec::new(), None);
        for _ in 0..PAGES_MAX {
            let page = self.shared.store.documents(kind, after.as_deref(), PAGE).await?;
            for document in &page {
                all.push(read(document)?);
            }
            if page.len() < PAGE {
                break;
            }
            after = page.last().map(|last| last.name.clone());
        }
        Ok(all)
    }
}

/// What the first runs write that are parked for a finding.
pub(crate) fn parked_for(finding: &DriftFinding, at: Timestamp) -> DocumentOp {
    DocumentOp::Put {
        kind: PARKED.to_owned(),
        name: finding.id.clone(),
        expect: Expect::Any,
        body: body(finding),
        at,
    }
}

pub(super) fn put(
    kind: &str,
    name: &str,
    stored: Option<&Document>,
    what: &impl Serialize,
    at: Timestamp,
) -> DocumentOp {
    DocumentOp::Put {
        kind: kind.to_owned(),
        name: name.to_owned(),
        expect: stored.map_or(Expect::Absent, |one| Expect::Revision(one.revision)),
        body: body(what),
        at,
    }
}

fn body(what: &impl Serialize) -> Bytes {
    serde_json::to_vec(what).expect("what was seen is plain data").into()
}

pub(super) fn read<T: DeserializeOwned>(document: &Document) -> Result<T, StoreError> {
    serde_json::from_slice(&document.body).map_err(|error| {
        StoreError::Corrupt(format!("{} `{}`: {error}", document.kind, document.name))
    })
}
