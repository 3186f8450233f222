use std::collections::{BTreeMap, BTreeSet};

use qc_capture::ENTRY_KIND;
use qc_model::RunId;
use qc_store::{
    Document, PAGE_MAX, RunFilter, RunHead, RunKey, SignalEntry, SignalFilter, StoreError,
};

use super::Subject;
use crate::{Engine, bus, children::PARENT, kept, person};

/// The kinds of documents in which something of a subject may stand.
pub(super) const KINDS: [&str; 7] = [
    person::OPEN,
    person::OVER,
    kept::STATE_KIND,
    kept::LINK_KIND,
    kept::ECHO_KIND,
    "chain",
    ENTRY_KIND,
];

/// Everything of a subject.
pub(super) struct Found {
    /// Its runs: those of its events, their replays and their children.
    pub(super) runs: BTreeMap<RunId, RunHead>,
    /// Events on buses and in outboxes.
    pub(super) signals: Vec<SignalEntry>,
    /// Documents of runs, and those that name the subject.
    pub(super) documents: Vec<(&'static str, Document)>,
}

impl Engine {
    pub(super) async fn find_subject(&self, subject: &Subject) -> Result<Found, StoreError> {
        let runs = self.runs_of_subject(subject).await?;
        let ids: BTreeSet<String> = runs.keys().map(ToString::to_string).collect();
        let signals = self.signals_of_subject(subject, &ids).await?;
        let mut documents = Vec::new();
        for kind in KINDS {
            let mut after: Option<String> = None;
            loop {
                let page = self.shared.store.documents(kind, after.as_deref(), PAGE_MAX).await?;
                let Some(last) = page.last() else { break };
                after = Some(last.name.clone());
                let of_subject = |document: &Document| {
                    let text = String::from_utf8_lossy(&document.body);
                    let of_run = ids.iter().any(|id| {
                        document.name.contains(id.as_str()) || text.contains(id.as_str())
                    });
                    of_run
                        || (is_there(subject, &document.name)
                            && (subject.is_in(&document.body)
                                || subject.is_in(document.name.as_bytes())))
                };
                documents.extend(page.into_iter().filter(of_subject).map(|it| (kind, it)));
            }
        }
        Ok(Found { runs, signals, documents })
    }

    async fn runs_of_subject(
        &self,
        subject: &Subject,
    ) -> Result<BTreeMap<RunId, RunHead>, StoreError> {
        let mut runs = BTreeMap::new();
        let key = subject.key(&self.shared.settings.ledger_key);
        let mut filters = vec![RunFilter { key: Some(key), ..RunFilter::default() }];
        while let Some(mut filter) = filters.pop() {
            loop {
                let page = self.shared.store.runs(&filter).await?;
                let Some(last) = page.last() else { break };
                filter.before = Some(last.facts.id);
                for head in page {
                    let id = head.facts.id;
                    // A replay has its run's event, a child names its parent.
                    let event = Some(head.facts.event);
                    if runs.insert(id, head).is_none() {
                        let parent = RunKey { name: PARENT.to_owned(), value: id.to_string() };
                        filters.push(RunFilter { event, ..RunFilter::default() });
                        filters.push(RunFilter { key: Some(parent), ..RunFilter::default() });
                    }
                }
            }
        }
        Ok(runs)
    }

    async fn signals_of_subject(
        &self,
        subject: &Subject,
        ids: &BTreeSet<String>,
    ) -> Result<Vec<SignalEntry>, StoreError> {
        let mut found = Vec::new();
        let mut filter = SignalFilter::default();
        loop {
            let page = self.shared.store.signals(&filter).await?;
            let Some(last) = page.last() else { return Ok(found) };
            filter.after = last.seq;
            found.extend(page.into_iter().filter(|entry| {
                let text = String::from_utf8_lossy(&entry.signal.body);
                let here =
                    bus::parts_of(&entry.signal.scope).is_none_or(|(tenant, environment)| {
                        tenant == subject.tenant && environment == subject.environment
                    });
                ids.iter().any(|id| text.contains(id.as_str()))
                    || (here && subject.is_in(&entry.signal.body))
            }));
        }
    }
}

/// Whether a document is of the subject's tenant and environment, as far as its name says whose it is.
fn is_there(subject: &Subject, name: &str) -> bool {
    name.contains(subject.environment.as_str()) && name.contains(subject.tenant.as_str())
}
