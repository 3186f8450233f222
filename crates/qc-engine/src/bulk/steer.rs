//! Looking at bulks, starting and stopping them.

use bytes::Bytes;
use qc_model::{Actor, TenantName, Timestamp, TxnId};
use qc_store::{
    Change, ChangeOutcome, DocumentOp, Expect, LedgerKind, LedgerRow, PAGE_MAX, StoreError,
};
use serde_json::json;

use super::{
    Bulk, BulkError, BulkId, BulkState, RATE_MAX,
    record::{ACTIVE_KIND, KIND},
};
use crate::Engine;

/// How often a change is made again when others changed the bulk at the same time.
const TRIES: usize = 10;

impl Engine {
    /// One bulk.
    pub async fn bulk(&self, id: BulkId) -> Result<Bulk, BulkError> {
        Ok(self.bulk_with_revision(id).await?.0)
    }

    /// The bulks that are remembered, newest first.
    pub async fn bulks(&self) -> Result<Vec<Bulk>, BulkError> {
        let mut all = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let page = self.shared.store.documents(KIND, after.as_deref(), PAGE_MAX).await?;
            for document in &page {
                match Bulk::parse(document) {
                    Ok(bulk) => all.push(bulk),
                    // A newer program's.
                    Err(error) => tracing::warn!("{error}"),
                }
            }
            match page.last() {
                Some(last) if page.len() == PAGE_MAX => after = Some(last.name.clone()),
                _ => break,
            }
        }
        all.reverse();
        Ok(all)
    }

    /// Has a plan carried out, so many runs per second. One that was started already goes on as it
    /// was: asking twice does nothing twice. A digest must be the plan's.
    pub async fn start_bulk(
        &self,
        id: BulkId,
        rate: u32,
        expected: Option<&str>,
        actor: &Actor,
    ) -> Result<Bulk, BulkError> {
        if rate == 0 || rate > RATE_MAX {
            return Err(BulkError::Rate);
        }
        for _ in 0..TRIES {
            let (mut bulk, revision) = self.bulk_with_revision(id).await?;
            let at = self.shared.now();
            let wrong = |reason: &str| {
                let reason = reason.to_owned();
                Err(BulkError::WrongState { bulk: id, state: bulk.state.as_str(), reason })
            };
            if expected.is_some_and(|digest| digest != bulk.digest) {
                return wrong("its digest is another one: this is not the plan that was looked at");
            }
            match bulk.state {
                BulkState::Running | BulkState::Done { .. } => return Ok(bulk),
                BulkState::Aborted { .. } => {
                    return wrong(
                        "what was stopped is planned anew: what it did already is not done again by that",
                    );
                }
                BulkState::Planned if at > bulk.startable_until() => {
                    return wrong(
                        "a plan is started within a day; plan anew, as other runs may pass the filter now",
                    );
                }
                BulkState::Planned => {}
            }
            bulk.state = BulkState::Running;
            bulk.rate = rate;
            bulk.started = Some((at, actor.clone()));
            let active = DocumentOp::Put {
                kind: ACTIVE_KIND.to_owned(),
                name: id.to_string(),
                expect: Expect::Any,
                body: Bytes::new(),
                at,
            };
            let row = audit(&bulk, at, actor, "start", &bulk.reason);
            if self.change_bulk(&bulk, revision, active, row).await? {
                self.shared.bulks.notify_one();
                return Ok(bulk);
            }
        }
        Err(BulkError::Changed(id))
    }

    /// Stops a bulk: what is in hand is finished, and nothing more is begun.
    pub async fn abort_bulk(
        &self,
        id: BulkId,
        reason: &str,
        actor: &Actor,
    ) -> Result<Bulk, BulkError> {
        for _ in 0..TRIES {
            let (mut bulk, revision) = self.bulk_with_revision(id).await?;
            match bulk.state {
                BulkState::Planned | BulkState::Running => {}
                BulkState::Aborted { .. } => return Ok(bulk),
                BulkState::Done { .. } => {
                    let reason = "all its runs were gone through".to_owned();
                    let state = bulk.state.as_str();
                    return Err(BulkError::WrongState { bulk: id, state, reason });
                }
            }
            let at = self.shared.now();
            let (by, reason) = (actor.clone(), reason.to_owned());
            let row = audit(&bulk, at, actor, "abort", &reason);
            bulk.state = BulkState::Aborted { at, by, reason };
            if self.change_bulk(&bulk, revision, idle(id), row).await? {
                return Ok(bulk);
            }
        }
        Err(BulkError::Changed(id))
    }

    /// Writes a bulk with a change of what is at work; false when it was changed meanwhile.
    pub(super) async fn change_bulk(
        &self,
        bulk: &Bulk,
        revision: u64,
        active: DocumentOp,
        row: LedgerRow,
    ) -> Result<bool, StoreError> {
        let shared = &self.shared;
        let change = Change {
            id: TxnId::new(row.at, &*shared.entropy),
            documents: vec![bulk.put(Expect::Revision(revision), row.at), active],
            ledger: vec![row],
            signals: Vec::new(),
        };
        Ok(shared.committer.change(change).await? == ChangeOutcome::Changed)
    }

    pub(super) async fn bulk_with_revision(&self, id: BulkId) -> Result<(Bulk, u64), BulkError> {
        let document = self.shared.store.document(KIND, &id.to_string()).await?;
        let document = document.ok_or(BulkError::NoBulk(id))?;
        Ok((Bulk::parse(&document)?, document.revision))
    }
}

/// Says that a bulk is not to be driven.
pub(super) fn idle(id: BulkId) -> DocumentOp {
    DocumentOp::Delete { kind: ACTIVE_KIND.to_owned(), name: id.to_string(), expect: Expect::Any }
}

/// What the audit says of a bulk itself; its deeds have rows of their own.
pub(super) fn audit(
    bulk: &Bulk,
    at: Timestamp,
    actor: &Actor,
    what: &str,
    reason: &str,
) -> LedgerRow {
    let facts = json!({
        "deed": bulk.deed.as_str(),
        "total": bulk.total,
        "digest": bulk.digest,
        "rate": bulk.rate,
        "reason": reason,
        "done": bulk.progress.done,
        "refused": bulk.progress.refused,
    });
    let platform = || TenantName::new("platform").expect("is a legal name");
    LedgerRow {
        at,
        kind: LedgerKind::Audit,
        tenant: bulk.filter.tenant.clone().unwrap_or_else(platform),
        environment: bulk.filter.environment.clone(),
        integration: bulk.filter.integration.clone(),
        run: None,
        event: None,
        actor: actor.text(),
        subject: format!("bulk:{}", bulk.id),
        outcome: format!("bulk.{what}"),
        code: None,
        facts: Bytes::from(actor.with_origin(facts).to_string()),
    }
}
