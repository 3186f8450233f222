//! Finding the runs of a plan, and writing the plan down.

use std::collections::HashMap;

use qc_model::{Actor, RunId, TxnId};
use qc_store::{
    Change, DeadFilter, DocumentOp, Expect, PAGE_MAX, RunFilter, RunStatus, StoreError,
};

use super::{
    Bulk, BulkError, BulkFilter, BulkId, Deed,
    record::{Counted, Draft, PAGE_KIND, PAGE_RUNS, PAGES_MAX, page_name},
    steer::audit,
};
use crate::Engine;

/// The most runs of a bulk.
const RUNS_MAX: usize = PAGE_RUNS * PAGES_MAX;

/// The longest reason, in bytes.
const REASON_BYTES: usize = 2_000;

/// What is to be done to which runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulkRequest {
    /// What.
    pub deed: Deed,
    /// To which.
    pub filter: BulkFilter,
    /// Why; it stands in the audit.
    pub reason: String,
    /// Of replay and retry: also when the line of a run's key has gone on without it.
    pub out_of_order: bool,
    /// Of cancel: undo what they did.
    pub compensate: bool,
    /// Of retry: with the release that is deployed then, where its workflow is the same.
    pub newest: bool,
}

impl BulkRequest {
    fn check(&self) -> Result<(), BulkError> {
        self.filter.check(self.deed)?;
        let unfit = |reason: &str| Err(BulkError::Unfit(reason.to_owned()));
        if self.reason.trim().is_empty() || self.reason.len() > REASON_BYTES {
            return unfit("a bulk needs a `reason` of at most 2,000 bytes; it stands in the audit");
        }
        if self.out_of_order && !matches!(self.deed, Deed::Replay | Deed::Retry) {
            return unfit("`out_of_order` is for `replay` and `retry`");
        }
        if self.compensate && self.deed != Deed::Cancel {
            return unfit("`compensate` is for `cancel`");
        }
        if self.newest && self.deed != Deed::Retry {
            return unfit(
                "a release is chosen for `retry`; a replay is on what is deployed anyway",
            );
        }
        Ok(())
    }
}

impl Engine {
    /// Finds the runs and writes the plan down; nothing is done to them yet. Runs that come to pass
    /// the filter later are not part of it.
    pub async fn plan_bulk(&self, request: BulkRequest, actor: &Actor) -> Result<Bulk, BulkError> {
        request.check()?;
        let shared = &self.shared;
        let at = shared.now();
        let BulkRequest { deed, filter, reason, out_of_order, compensate, newest } = request;
        let mut found = if filter.is_over_letters(deed) {
            self.over_letters(deed, &filter).await?
        } else {
            self.over_runs(deed, &filter).await?
        };
        found.sort_unstable_by_key(|one| one.run);
        let id = BulkId::new(at, &*shared.entropy);
        let by = actor.clone();
        let draft = Draft { id, deed, reason, out_of_order, compensate, newest, filter, at, by };
        let bulk = Bulk::planned(draft, &found);
        let mut documents = vec![bulk.put(Expect::Absent, at)];
        for (page, runs) in found.chunks(PAGE_RUNS).enumerate() {
            let runs: Vec<RunId> = runs.iter().map(|one| one.run).collect();
            documents.push(DocumentOp::Put {
                kind: PAGE_KIND.to_owned(),
                name: page_name(id, page),
                expect: Expect::Absent,
                body: serde_json::to_vec(&runs).expect("ids are plain data").into(),
                at,
            });
        }
        let ledger = vec![audit(&bulk, at, actor, "plan", &bulk.reason)];
        let txn = TxnId::new(at, &*shared.entropy);
        let change = Change { id: txn, documents, ledger, signals: Vec::new() };
        // A new id: nothing can stand in its way.
        shared.committer.change(change).await?;
        Ok(bulk)
    }

    async fn over_letters(
        &self,
        deed: Deed,
        filter: &BulkFilter,
    ) -> Result<Vec<Counted>, BulkError> {
        let store = &self.shared.store;
        let mut found = Vec::new();
        let mut letters = filter.letters(deed);
        loop {
            let page = store.dead_letters(&letters).await?;
            letters.before = page.last().map(|last| last.run);
            let last = page.len() < PAGE_MAX;
            for letter in page {
                if !filter.takes_letter(&letter) {
                    continue;
                }
                let mut status = RunStatus::Faulted;
                if filter.asks_for_heads(deed) {
                    let Some(head) = store.run(letter.run).await? else { continue };
                    if !filter.takes_head(deed, &head) {
                        continue;
                    }
                    status = head.state.status;
                }
                if filter.asks_for_keys() && !filter.takes_keys(&store.keys_of(letter.run).await?) {
                    continue;
                }
                let place = format!("{}/{}", letter.environment, letter.integration);
                let fingerprint = Some(letter.fingerprint);
                add(&mut found, Counted { run: letter.run, place, status, fingerprint })?;
            }
            if last {
                return Ok(found);
            }
        }
    }

    async fn over_runs(&self, deed: Deed, filter: &BulkFilter) -> Result<Vec<Counted>, BulkError> {
        let mut found = Vec::new();
        let mut runs: RunFilter = filter.runs(deed);
        loop {
            let page = self.shared.store.runs(&runs).await?;
            runs.before = page.last().map(|last| last.facts.id);
            let last = page.len() < PAGE_MAX;
            for head in page {
                let facts = &head.facts;
                if filter.tenant.as_ref().is_some_and(|tenant| *tenant != facts.tenant) {
                    continue;
                }
                let place = format!("{}/{}", facts.environment, facts.integration);
                let status = head.state.status;
                add(&mut found, Counted { run: facts.id, place, status, fingerprint: None })?;
            }
            if last {
                break;
            }
        }
        if found.iter().any(|one| one.status == RunStatus::Faulted) {
            self.say_what_they_died_of(filter, &mut found).await?;
        }
        Ok(found)
    }

    /// For the counts of a plan. Of more letters than a bulk takes runs the newest are looked at.
    async fn say_what_they_died_of(
        &self,
        filter: &BulkFilter,
        found: &mut [Counted],
    ) -> Result<(), StoreError> {
        let faulted = found.iter_mut().filter(|one| one.status == RunStatus::Faulted);
        let mut missing: HashMap<RunId, &mut Counted> = faulted.map(|one| (one.run, one)).collect();
        let mut letters = DeadFilter {
            environment: filter.environment.clone(),
            integration: filter.integration.clone(),
            limit: PAGE_MAX,
            ..DeadFilter::default()
        };
        for _ in 0..PAGES_MAX {
            let page = self.shared.store.dead_letters(&letters).await?;
            letters.before = page.last().map(|last| last.run);
            let last = page.len() < PAGE_MAX;
            for letter in page {
                if let Some(one) = missing.remove(&letter.run) {
                    one.fingerprint = Some(letter.fingerprint);
                }
            }
            if last || missing.is_empty() {
                break;
            }
        }
        Ok(())
    }
}

fn add(found: &mut Vec<Counted>, one: Counted) -> Result<(), BulkError> {
    if found.len() == RUNS_MAX {
        return Err(BulkError::TooMany { max: RUNS_MAX });
    }
    found.push(one);
    Ok(())
}
