//! What is counted while requests come and go: in memory, and written in batches, so that no request writes for it.
//!
//! Here: [`Census`], over documents of one kind, one for each name and node. Nodes do not contend, and whoever reads adds
//! up what all of them wrote.
//!
//! Not here: what is counted ([`Counted`] is implemented where that is known), and when it is written (whoever owns the
//! census calls [`Census::flush`]).

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use qc_model::{Clock, Entropy, Timestamp, TxnId};
use qc_store::{
    Change, ChangeOutcome, Committer, Document, DocumentOp, Expect, PAGE_MAX, Store, StoreError,
};
use serde::{Serialize, de::DeserializeOwned};

/// The most names between two writes; those beyond are not counted.
const NAMES: usize = 10_000;
/// So many documents are written at a time.
const BATCH: usize = 50;
/// Documents that nobody added to for so long go,
const KEPT: Duration = Duration::from_secs(400 * 86_400);
/// which is looked for so often.
const PRUNE_EVERY: Duration = Duration::from_secs(86_400);

/// What can be counted: a body of a document, whose form carries its own version.
pub trait Counted: Clone + Default + Serialize + DeserializeOwned {
    /// Adds what was counted later, or elsewhere. It keeps its own bounds.
    fn add(&mut self, other: Self);

    /// Leaves out what was not seen since.
    fn forget(&mut self, before: Timestamp);
}

/// Counts on one node.
pub struct Census<V> {
    kind: &'static str,
    node: String,
    store: Arc<dyn Store>,
    committer: Committer,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    fresh: Mutex<HashMap<String, V>>,
    pruned_at: Mutex<Option<Timestamp>>,
}

impl<V: Counted> Census<V> {
    /// Over a store, for one of the nodes that share it. `kind`: of the documents, which are named `<name>/<node>`.
    pub fn new(
        kind: &'static str,
        store: Arc<dyn Store>,
        committer: Committer,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        node: &str,
    ) -> Self {
        let (node, fresh, pruned_at) = (node.to_owned(), Mutex::default(), Mutex::default());
        Self { kind, node, store, committer, clock, entropy, fresh, pruned_at }
    }

    /// Counts something of a name.
    pub fn note(&self, name: String, note: impl FnOnce(&mut V, Timestamp)) {
        let now = self.clock.now();
        let mut fresh = self.fresh.lock().unwrap_or_else(PoisonError::into_inner);
        if fresh.len() < NAMES || fresh.contains_key(&name) {
            note(fresh.entry(name).or_default(), now);
        }
    }

    /// Writes what was counted since. What cannot be written is kept for the next time.
    pub async fn flush(&self) -> Result<(), StoreError> {
        let fresh = std::mem::take(&mut *self.fresh.lock().unwrap_or_else(PoisonError::into_inner));
        // In an order, so that nodes that write the same names take locks alike.
        let mut fresh: Vec<(String, V)> =
            fresh.into_iter().collect::<BTreeMap<_, _>>().into_iter().collect();
        while !fresh.is_empty() {
            let batch = fresh.split_off(fresh.len().saturating_sub(BATCH));
            let written = self.write(&batch).await;
            if !matches!(written, Ok(true)) {
                self.keep(batch.into_iter().chain(fresh));
                return written.map(drop);
            }
        }
        self.prune().await
    }

    /// False: another process wrote under this node's name at the same time.
    async fn write(&self, batch: &[(String, V)]) -> Result<bool, StoreError> {
        let now = self.clock.now();
        let mut documents = Vec::with_capacity(batch.len());
        for (name, fresh) in batch {
            let name = format!("{name}/{}", self.node);
            let before = self.store.document(self.kind, &name).await?;
            let mut all: V = match &before {
                Some(document) => self.read(document)?,
                None => V::default(),
            };
            all.forget(now - KEPT);
            all.add(fresh.clone());
            let body =
                serde_json::to_vec(&all).map_err(|error| self.unreadable(&name, &error))?.into();
            documents.push(DocumentOp::Put {
                kind: self.kind.to_owned(),
                name,
                expect: before.map_or(Expect::Absent, |it| Expect::Revision(it.revision)),
                body,
                at: now,
            });
        }
        self.change(documents).await
    }

    fn read(&self, document: &Document) -> Result<V, StoreError> {
        serde_json::from_slice(&document.body)
            .map_err(|error| self.unreadable(&document.name, &error))
    }

    fn unreadable(&self, name: &str, error: &serde_json::Error) -> StoreError {
        StoreError::Corrupt(format!("the document {} {name} cannot be read: {error}", self.kind))
    }

    async fn change(&self, documents: Vec<DocumentOp>) -> Result<bool, StoreError> {
        let id = TxnId::new(self.clock.now(), &*self.entropy);
        let change = Change { id, documents, ledger: Vec::new(), signals: Vec::new() };
        Ok(self.committer.change(change).await? == ChangeOutcome::Changed)
    }

    /// Takes back what could not be written.
    fn keep(&self, unwritten: impl Iterator<Item = (String, V)>) {
        let mut fresh = self.fresh.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, mut kept) in unwritten.take(NAMES) {
            if let Some(later) = fresh.remove(&name) {
                kept.add(later);
            }
            fresh.insert(name, kept);
        }
    }

    /// Removes documents to which nobody added for long: of what is no more, and of nodes that are no more.
    async fn prune(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        {
            let mut at = self.pruned_at.lock().unwrap_or_else(PoisonError::into_inner);
            if at.is_some_and(|at| now < at + PRUNE_EVERY) {
                return Ok(());
            }
            *at = Some(now);
        }
        let mut gone = Vec::new();
        self.documents("", |document| {
            if now >= document.updated_at + KEPT && gone.len() < BATCH {
                gone.push(DocumentOp::Delete {
                    kind: self.kind.to_owned(),
                    name: document.name,
                    expect: Expect::Revision(document.revision),
                });
            }
            Ok(true)
        })
        .await?;
        if gone.is_empty() { Ok(()) } else { self.change(gone).await.map(drop) }
    }

    /// What is written down of names that begin like this, from a name on, at each node by itself; until `take` says that
    /// it is enough.
    pub async fn each(
        &self,
        prefix: &str,
        from: &str,
        mut take: impl FnMut(&str, V) -> bool,
    ) -> Result<(), StoreError> {
        self.documents(from.max(prefix), |document| {
            if !document.name.starts_with(prefix) {
                return Ok(false);
            }
            let Some((name, _)) = document.name.rsplit_once('/') else { return Ok(true) };
            Ok(take(name, self.read(&document)?))
        })
        .await
    }

    async fn documents(
        &self,
        after: &str,
        mut take: impl FnMut(Document) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        let mut after = after.to_owned();
        loop {
            let page = self.store.documents(self.kind, Some(&after), PAGE_MAX).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after.clone_from(&last.name);
            for document in page {
                if !take(document)? {
                    return Ok(());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use qc_model::{HandClock, Seeded};
    use qc_store::{CommitLimits, memory::MemoryStore};
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
    struct Count {
        count: u64,
        last: i64,
    }

    impl Counted for Count {
        fn add(&mut self, other: Self) {
            self.count += other.count;
            self.last = self.last.max(other.last);
        }

        fn forget(&mut self, before: Timestamp) {
            if Timestamp::from_millis(self.last) < before {
                *self = Self::default();
            }
        }
    }

    fn node(store: &Arc<MemoryStore>, clock: &Arc<HandClock>, name: &str) -> Census<Count> {
        let (committer, run) = Committer::new(store.clone(), CommitLimits::default());
        tokio::spawn(run);
        let entropy = Arc::new(Seeded::new(1));
        Census::new("count", store.clone(), committer, clock.clone(), entropy, name)
    }

    fn one(count: &mut Count, at: Timestamp) {
        count.count += 1;
        count.last = at.as_millis();
    }

    async fn all(census: &Census<Count>, prefix: &str) -> Vec<(String, u64)> {
        let mut found = Vec::new();
        census
            .each(prefix, "", |name, count| {
                found.push((name.to_owned(), count.count));
                true
            })
            .await
            .unwrap();
        found
    }

    fn named(pairs: &[(&str, u64)]) -> Vec<(String, u64)> {
        pairs.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
    }

    #[tokio::test]
    async fn nothing_is_written_until_it_is_and_then_it_adds_up() {
        let (store, clock) = (Arc::new(MemoryStore::new()), Arc::new(HandClock::at(1_000)));
        let (a, b) = (node(&store, &clock, "a"), node(&store, &clock, "b"));
        a.note("x/1".to_owned(), one);
        a.note("x/1".to_owned(), one);
        b.note("x/1".to_owned(), one);
        b.note("y/1".to_owned(), one);
        assert!(all(&a, "").await.is_empty());
        a.flush().await.unwrap();
        b.flush().await.unwrap();
        a.note("x/1".to_owned(), one);
        a.flush().await.unwrap();
        assert_eq!(all(&a, "x/").await, named(&[("x/1", 3), ("x/1", 1)]));
        assert_eq!(all(&a, "y/").await, named(&[("y/1", 1)]));
    }

    #[tokio::test]
    async fn what_cannot_be_written_is_written_the_next_time() {
        let (store, clock) = (Arc::new(MemoryStore::new()), Arc::new(HandClock::at(1_000)));
        let (committer, run) = Committer::new(store.clone(), CommitLimits::default());
        let entropy = Arc::new(Seeded::new(1));
        let census: Census<Count> =
            Census::new("count", store.clone(), committer, clock.clone(), entropy, "a");
        // Nobody commits.
        drop(run);
        census.note("x".to_owned(), one);
        assert!(census.flush().await.is_err());
        census.note("x".to_owned(), one);
        let held = census.fresh.lock().unwrap()["x"].count;
        assert_eq!(held, 2);
    }

    #[tokio::test]
    async fn what_was_not_seen_for_long_goes() {
        let (store, clock) = (Arc::new(MemoryStore::new()), Arc::new(HandClock::at(1_000)));
        let census = node(&store, &clock, "a");
        census.note("x".to_owned(), one);
        census.flush().await.unwrap();
        clock.set(i64::try_from(KEPT.as_millis()).unwrap() + 2_000);
        census.note("y".to_owned(), one);
        census.flush().await.unwrap();
        assert_eq!(all(&census, "").await, named(&[("y", 1)]));
    }
}
