//! Sealing: rows of the audit become leaves of the tree, in the order of their places in the ledger.
//!
//! One write moves the head, compared and set, together with the pages. Whoever is killed before it has sealed nothing,
//! and after it everything; of two who seal at once one finds the head moved and looks again.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use qc_model::{Clock, Entropy, TenantName, TxnId};
use qc_store::{
    AuditMark, Change, ChangeOutcome, Committer, DocumentOp, Expect, LedgerEntry, LedgerFilter,
    LedgerKind, LedgerRow, Store, StoreError,
};
use serde_json::json;

use crate::{
    Checkpoint, Frontier, Hash, Seed, SigningKey,
    entry::{Missing, gap},
    leaf_of,
    log::{
        HEAD, PAGE_LEAVES, StoredHead, StoredLeaf, StoredPage, frontier, head, page, page_name,
        put, texts,
    },
};

/// The most rows that are sealed with one write.
const ROWS_MAX: usize = 1000;
/// What the names of logs begin with.
const ORIGIN: &str = "quickconnect-audit/";

/// What a sealer works with.
pub struct Sealer {
    /// For reading.
    pub store: Arc<dyn Store>,
    /// For writing.
    pub committer: Committer,
    /// When.
    pub clock: Arc<dyn Clock>,
    /// For the name of a new log and the ids of transactions.
    pub entropy: Arc<dyn Entropy>,
    /// The secret of the key with which checkpoints are signed. The key's name is the log's.
    pub seed: Seed,
    /// Which node seals, for the audit.
    pub node: String,
}

/// What a round did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sealed {
    /// Nothing was there to seal.
    Nothing,
    /// So many rows; there may be more at once.
    Rows {
        /// How many.
        rows: usize,
        /// How many entries say that rows are missing.
        gaps: usize,
    },
    /// Somebody else sealed at the same time.
    Overtaken,
}

/// The log while rows are added.
struct Growing {
    head: StoredHead,
    tree: Frontier,
    pages: BTreeMap<u64, StoredPage>,
    gaps: usize,
}

impl Sealer {
    /// Seals what is there, at most a thousand rows. The first round begins the log.
    ///
    /// Errors: those of the store; nothing was sealed then, or, when the outcome is unknown, all of the round.
    pub async fn round(&self) -> Result<Sealed, StoreError> {
        let known = head(&*self.store).await?;
        let expect =
            known.as_ref().map_or(Expect::Absent, |(_, revision)| Expect::Revision(*revision));
        let old = known.map(|(head, _)| head);
        let after = old.as_ref().map_or(0, |head| head.after);
        let filter = LedgerFilter {
            after,
            kinds: vec![LedgerKind::Audit],
            limit: ROWS_MAX,
            ..LedgerFilter::default()
        };
        let rows = self.store.ledger(&filter).await?;
        let origin = old.as_ref().map_or_else(|| self.new_origin(), |head| head.origin.clone());
        let key = SigningKey::new(&origin, &self.seed)
            .ok_or_else(|| StoreError::Corrupt(format!("`{origin}` cannot name an audit's log")))?;
        let verifying = key.verifying().to_string();
        let new_key = old.as_ref().is_none_or(|head| head.key != verifying);
        if rows.is_empty() && !new_key {
            return Ok(Sealed::Nothing);
        }
        let mut growing = self.growing(old, origin).await?;
        for row in &rows {
            growing.add(row);
        }
        let gaps = growing.gaps;
        let ledger = if new_key { vec![self.signs(&verifying)] } else { Vec::new() };
        let documents = growing.finish(&key, expect, self.clock.now());
        let id = TxnId::new(self.clock.now(), &*self.entropy);
        let change = Change { id, documents, ledger, signals: Vec::new() };
        Ok(match self.committer.change(change).await? {
            ChangeOutcome::Changed => Sealed::Rows { rows: rows.len(), gaps },
            ChangeOutcome::Conflict { .. } => Sealed::Overtaken,
        })
    }

    fn new_origin(&self) -> String {
        format!("{ORIGIN}{:016x}", self.entropy.next_u64())
    }

    async fn growing(
        &self,
        old: Option<StoredHead>,
        origin: String,
    ) -> Result<Growing, StoreError> {
        let at = self.clock.now();
        let head = old.unwrap_or_else(|| StoredHead {
            v: 1,
            origin,
            size: 0,
            peaks: Vec::new(),
            after: 0,
            writers: BTreeMap::new(),
            key: String::new(),
            checkpoint: String::new(),
            at,
        });
        let tree = frontier(head.size, &head.peaks)?;
        let mut pages = BTreeMap::new();
        if !head.size.is_multiple_of(PAGE_LEAVES) {
            let missing = || StoreError::Corrupt("the audit's log has lost its last page".into());
            let (number, page) = page(&*self.store, head.size).await?.ok_or_else(missing)?;
            pages.insert(number, page);
        }
        Ok(Growing { head, tree, pages, gaps: 0 })
    }

    /// The row that says whose checkpoints are to be believed from now on.
    fn signs(&self, key: &str) -> LedgerRow {
        LedgerRow {
            at: self.clock.now(),
            kind: LedgerKind::Audit,
            tenant: TenantName::new("platform").expect("is a legal name"),
            environment: None,
            integration: None,
            run: None,
            event: None,
            actor: format!("platform:audit/{}", self.node),
            subject: "audit-key".to_owned(),
            outcome: "signs".to_owned(),
            code: None,
            facts: Bytes::from(json!({ "key": key }).to_string()),
        }
    }
}

impl Growing {
    fn add(&mut self, entry: &LedgerEntry) {
        if let Some(missing) = entry.mark.and_then(|mark| self.count(mark)) {
            let writer = entry.mark.map_or(0, |mark| mark.writer);
            let text = gap(entry.row.at, writer, missing);
            self.gaps += 1;
            self.push(None, Some(text.clone()), &text);
        }
        self.push(Some(entry.seq), None, &leaf_of(entry));
        self.head.after = entry.seq;
    }

    /// Counts a writer's row; what is wrong with its number.
    fn count(&mut self, mark: AuditMark) -> Option<Missing> {
        let last = self.head.writers.entry(mark.writer).or_insert(0);
        let next = *last + 1;
        *last = (*last).max(mark.no);
        match mark.no {
            no if no > next => Some(Missing::Rows { from: next, to: no - 1 }),
            no if no < next => Some(Missing::Order { no }),
            _ => None,
        }
    }

    fn push(&mut self, seq: Option<u64>, text: Option<String>, leaf: &str) {
        let hash = Hash::leaf(leaf.as_bytes());
        let fresh = || StoredPage { v: 1, peaks: texts(&self.tree), leaves: Vec::new() };
        let page = self.pages.entry(self.tree.size() / PAGE_LEAVES).or_insert_with(fresh);
        page.leaves.push(StoredLeaf { seq, text, hash: hash.to_string() });
        self.tree.push(hash);
    }

    /// What is to be written.
    fn finish(
        mut self,
        key: &SigningKey,
        expect: Expect,
        at: qc_model::Timestamp,
    ) -> Vec<DocumentOp> {
        let head = &mut self.head;
        let checkpoint = Checkpoint {
            origin: head.origin.clone(),
            size: self.tree.size(),
            root: self.tree.root(),
        };
        head.size = self.tree.size();
        head.peaks = texts(&self.tree);
        head.key = key.verifying().to_string();
        head.checkpoint = checkpoint.sign(key);
        head.at = at;
        let mut documents = vec![put(HEAD.to_owned(), head, expect, at)];
        let pages = self.pages.iter();
        documents
            .extend(pages.map(|(number, page)| put(page_name(*number), page, Expect::Any, at)));
        documents
    }
}
