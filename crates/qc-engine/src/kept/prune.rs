//! Removes what is past its time: values, and marks of echoes.

use qc_model::TxnId;
use qc_store::{Change, Document, DocumentOp, Expect};

use super::{
    echo::{ECHO_KIND, Mark},
    place::STATE_KIND,
    stored::{StoredValue, decode},
};
use crate::{Engine, EngineError};

/// So many documents are looked at in one go.
const PAGE: usize = 500;

/// Where the next go begins, for each kind.
#[derive(Debug, Default)]
pub struct KeptPruning {
    values: Option<String>,
    marks: Option<String>,
}

impl Engine {
    /// Looks at the next values and marks, and removes those whose time has run out; how many.
    /// One that was written meanwhile stays.
    pub async fn prune_kept(&self, from: &mut KeptPruning) -> Result<usize, EngineError> {
        let now = self.shared.now();
        let value = |document: &Document| {
            let stored = decode::<StoredValue>(document).ok();
            stored.and_then(|stored| stored.expires_at).is_some_and(|end| end <= now)
        };
        let mark =
            |document: &Document| decode::<Mark>(document).is_ok_and(|mark| mark.until <= now);
        let values = self.prune_some(STATE_KIND, &mut from.values, value).await?;
        Ok(values + self.prune_some(ECHO_KIND, &mut from.marks, mark).await?)
    }

    async fn prune_some(
        &self,
        kind: &str,
        from: &mut Option<String>,
        over: impl Fn(&Document) -> bool,
    ) -> Result<usize, EngineError> {
        let shared = &self.shared;
        let page = shared.store.documents(kind, from.as_deref(), PAGE).await?;
        *from = page.last().filter(|_| page.len() == PAGE).map(|last| last.name.clone());
        let mut gone = 0;
        for document in page.into_iter().filter(|document| over(document)) {
            let Document { kind, name, revision, .. } = document;
            let expect = Expect::Revision(revision);
            let change = Change {
                id: TxnId::new(shared.now(), &*shared.entropy),
                documents: vec![DocumentOp::Delete { kind, name, expect }],
                ledger: Vec::new(),
                signals: Vec::new(),
            };
            // A conflict: it was written again, and is not past its time any more.
            let changed = shared.committer.change(change).await?;
            gone += usize::from(changed == qc_store::ChangeOutcome::Changed);
        }
        Ok(gone)
    }
}
