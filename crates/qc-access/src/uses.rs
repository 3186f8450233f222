//! What principals did: counted in memory, and written in batches, so that no request writes for it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use qc_model::{Clock, Entropy, Timestamp, TxnId};
use qc_store::{
    Change, ChangeOutcome, Committer, Document, DocumentOp, Expect, PAGE_MAX, Store, StoreError,
};
use serde::{Deserialize, Serialize};

use crate::{Action, Principal, Resource, Scope, TokenKind};

/// The kind of the documents that say what a principal did at a node; named `<kind>/<principal>/<node>`.
const USE_KIND: &str = "access-use";
/// The most patterns of one principal at one node; what is used beyond them is only said to be more.
const PATTERNS: usize = 200;
/// The most principals between two writes; those beyond are not counted.
const PRINCIPALS: usize = 10_000;
/// So many documents are written at a time.
const BATCH: usize = 50;
/// Uses that are older are forgotten,
const KEPT: Duration = Duration::from_secs(400 * 86_400);
/// which is looked for so often.
const PRUNE_EVERY: Duration = Duration::from_secs(86_400);

/// What was used, how often, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    /// The action at a thing: the narrowest scope that covers it.
    pub scope: Scope,
    /// How often.
    pub count: u64,
    /// When first.
    pub first: Timestamp,
    /// When last.
    pub last: Timestamp,
}

/// What a principal did, at all nodes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UsesOf {
    /// By pattern.
    pub used: Vec<Used>,
    /// It used more than is written down.
    pub more: bool,
}

impl UsesOf {
    /// When it did anything last.
    pub fn last(&self) -> Option<Timestamp> {
        self.used.iter().map(|used| used.last).max()
    }

    fn add(&mut self, used: Used) {
        match self.used.iter_mut().find(|known| known.scope == used.scope) {
            Some(known) => {
                known.count = known.count.saturating_add(used.count);
                known.first = known.first.min(used.first);
                known.last = known.last.max(used.last);
            }
            None => self.used.push(used),
        }
    }
}

/// The body of a document.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    schema_version: u32,
    used: Vec<Used>,
    /// It used more than [`PATTERNS`].
    #[serde(default)]
    more: bool,
}

/// Counts uses on one node.
pub struct Uses {
    store: Arc<dyn Store>,
    committer: Committer,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    node: String,
    fresh: Mutex<HashMap<(TokenKind, String), Kept>>,
    pruned_at: Mutex<Option<Timestamp>>,
}

impl Uses {
    /// Over a store, for one of the nodes that share it.
    pub fn new(
        store: Arc<dyn Store>,
        committer: Committer,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        node: &str,
    ) -> Self {
        let (node, fresh, pruned_at) = (node.to_owned(), Mutex::default(), Mutex::default());
        Self { store, committer, clock, entropy, node, fresh, pruned_at }
    }

    /// Counts that the principal did this to that.
    pub fn note(&self, principal: &Principal, action: Action, resource: Resource<'_>) {
        let Some(scope) = Scope::of(action, resource) else { return };
        let now = self.clock.now();
        let mut fresh = self.fresh.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (principal.kind, used_by(principal));
        if fresh.len() >= PRINCIPALS && !fresh.contains_key(&key) {
            return;
        }
        let kept = fresh.entry(key).or_default();
        // By position of what was used last: a principal mostly does what it did before.
        if let Some(used) = kept.used.iter_mut().find(|used| used.scope == scope) {
            used.count += 1;
            used.last = now;
        } else if kept.used.len() < PATTERNS {
            kept.used.push(Used { scope, count: 1, first: now, last: now });
        } else {
            kept.more = true;
        }
    }

    /// Writes what was counted since. What cannot be written is kept for the next time.
    pub async fn flush(&self) -> Result<(), StoreError> {
        let fresh = std::mem::take(&mut *self.fresh.lock().unwrap_or_else(PoisonError::into_inner));
        let mut fresh: Vec<_> = fresh.into_iter().collect();
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
    async fn write(&self, batch: &[((TokenKind, String), Kept)]) -> Result<bool, StoreError> {
        let now = self.clock.now();
        let mut documents = Vec::with_capacity(batch.len());
        for ((kind, id), fresh) in batch {
            let name = format!("{}/{id}/{}", kind.as_str(), self.node);
            let before = self.store.document(USE_KIND, &name).await?;
            let mut all = UsesOf::default();
            let mut more = fresh.more;
            if let Some(document) = &before {
                let kept = read(document)?;
                more |= kept.more;
                all.used = kept.used;
                all.used.retain(|used| now < used.last + KEPT);
            }
            for used in &fresh.used {
                all.add(used.clone());
            }
            // The oldest go first.
            all.used.sort_by_key(|used| std::cmp::Reverse(used.last));
            more |= all.used.len() > PATTERNS;
            all.used.truncate(PATTERNS);
            let kept = Kept { schema_version: 1, used: all.used, more };
            documents.push(DocumentOp::Put {
                kind: USE_KIND.to_owned(),
                name,
                expect: before.map_or(Expect::Absent, |it| Expect::Revision(it.revision)),
                body: serde_json::to_vec(&kept).expect("only string keys").into(),
                at: now,
            });
        }
        self.change(documents).await
    }

    async fn change(&self, documents: Vec<DocumentOp>) -> Result<bool, StoreError> {
        let id = TxnId::new(self.clock.now(), &*self.entropy);
        let change = Change { id, documents, ledger: Vec::new(), signals: Vec::new() };
        Ok(self.committer.change(change).await? == ChangeOutcome::Changed)
    }

    /// Takes back what could not be written.
    fn keep(&self, unwritten: impl Iterator<Item = ((TokenKind, String), Kept)>) {
        let mut fresh = self.fresh.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, kept) in unwritten.take(PRINCIPALS) {
            let later = fresh.remove(&key).unwrap_or_default();
            let mut both = UsesOf { used: kept.used, more: kept.more || later.more };
            later.used.into_iter().for_each(|used| both.add(used));
            both.more |= both.used.len() > PATTERNS;
            both.used.truncate(PATTERNS);
            fresh.insert(key, Kept { schema_version: 1, used: both.used, more: both.more });
        }
    }

    /// Removes documents of principals that did nothing for long, and of nodes that are no more.
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
        self.each("", |document| {
            if now >= document.updated_at + KEPT && gone.len() < BATCH {
                gone.push(DocumentOp::Delete {
                    kind: USE_KIND.to_owned(),
                    name: document.name,
                    expect: Expect::Revision(document.revision),
                });
            }
            Ok(true)
        })
        .await?;
        if gone.is_empty() { Ok(()) } else { self.change(gone).await.map(drop) }
    }

    /// What principals of a kind did, as far as it is written down, by their ids; only those from this id on to that.
    pub async fn of(
        &self,
        kind: TokenKind,
        ids: Option<(&str, &str)>,
    ) -> Result<BTreeMap<String, UsesOf>, StoreError> {
        let prefix = format!("{}/", kind.as_str());
        let mut found: BTreeMap<String, UsesOf> = BTreeMap::new();
        let after = ids.map_or_else(|| prefix.clone(), |(first, _)| format!("{prefix}{first}/"));
        self.each(&after, |document| {
            let Some(rest) = document.name.strip_prefix(&prefix) else { return Ok(false) };
            let Some((id, _)) = rest.split_once('/') else { return Ok(true) };
            if ids.is_some_and(|(_, last)| id > last) {
                return Ok(false);
            }
            let kept = read(&document)?;
            let uses = found.entry(id.to_owned()).or_default();
            uses.more |= kept.more;
            kept.used.into_iter().for_each(|used| uses.add(used));
            Ok(true)
        })
        .await?;
        Ok(found)
    }

    async fn each(
        &self,
        after: &str,
        mut take: impl FnMut(Document) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        let mut after = after.to_owned();
        loop {
            let page = self.store.documents(USE_KIND, Some(&after), PAGE_MAX).await?;
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

/// A person has many sessions, whose uses are the person's; a name of a document has no slash but its own.
fn used_by(principal: &Principal) -> String {
    let id = match principal.kind {
        TokenKind::Session | TokenKind::BreakGlass => principal.actor().id,
        _ => principal.id.clone(),
    };
    id.replace('/', "_")
}

fn read(document: &Document) -> Result<Kept, StoreError> {
    serde_json::from_slice(&document.body).map_err(|error| {
        StoreError::Corrupt(format!("the uses {} cannot be read: {error}", document.name))
    })
}

#[cfg(test)]
mod tests {

    use qc_store::{CommitLimits, memory::MemoryStore};

    use qc_model::{HandClock, Seeded};

    use super::*;
    use crate::Role;

    fn principal(id: &str) -> Principal {
        Principal {
            id: id.to_owned(),
            kind: TokenKind::ApiKey,
            name: "ci".to_owned(),
            person: None,
            owner: None,
            environment: None,
            role: Role::Operator,
            scopes: None,
        }
    }

    fn at<'a>(environment: &'a str, name: &'a str) -> Resource<'a> {
        Resource { environment: Some(environment), name: Some(name), units: &[] }
    }

    fn node(store: &Arc<MemoryStore>, clock: &Arc<HandClock>, name: &str) -> Uses {
        let (committer, run) = Committer::new(store.clone(), CommitLimits::default());
        tokio::spawn(run);
        let entropy = Arc::new(Seeded::new(1));
        Uses::new(store.clone(), committer, clock.clone(), entropy, name)
    }

    #[tokio::test]
    async fn uses_of_all_nodes_come_together_and_requests_write_nothing() {
        let (store, clock) = (Arc::new(MemoryStore::new()), Arc::new(HandClock::at(1_000)));
        let (a, b) = (node(&store, &clock, "a"), node(&store, &clock, "b"));
        for _ in 0..1_000 {
            a.note(&principal("abcdefgh"), Action::RunsRead, at("production", "crm"));
        }
        b.note(&principal("abcdefgh"), Action::RunsRead, at("production", "crm"));
        b.note(&principal("zzzzzzzz"), Action::RunsCancel, at("production", "erp"));
        assert!(store.documents(USE_KIND, None, 10).await.unwrap().is_empty());
        a.flush().await.unwrap();
        clock.set(9_000);
        b.note(&principal("abcdefgh"), Action::RunsRead, at("production", "crm"));
        b.flush().await.unwrap();
        // What was written before is added to.
        a.note(&principal("abcdefgh"), Action::RunsRead, Resource::default());
        a.flush().await.unwrap();
        let all = a.of(TokenKind::ApiKey, None).await.unwrap();
        let uses = &all["abcdefgh"];
        let mut counts: Vec<(String, u64)> =
            uses.used.iter().map(|used| (used.scope.to_string(), used.count)).collect();
        counts.sort();
        let expected = [("platform/runs/*:read", 1), ("production/runs/crm:read", 1_002)];
        assert_eq!(counts, expected.map(|(scope, count)| (scope.to_owned(), count)));
        assert_eq!(uses.last(), Some(Timestamp::from_millis(9_000)));
        let one = a.of(TokenKind::ApiKey, Some(("zzzzzzzz", "zzzzzzzz"))).await.unwrap();
        assert_eq!(one.keys().collect::<Vec<_>>(), ["zzzzzzzz"]);
        assert!(a.of(TokenKind::AccessToken, None).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn what_is_counted_is_bounded_and_says_so_and_old_uses_go() {
        let (store, clock) = (Arc::new(MemoryStore::new()), Arc::new(HandClock::at(1_000)));
        let uses = node(&store, &clock, "a");
        for n in 0..PATTERNS + 50 {
            uses.note(&principal("abcdefgh"), Action::RunsRead, at("production", &format!("n{n}")));
        }
        let held = uses.fresh.lock().unwrap().values().map(|kept| kept.used.len()).sum::<usize>();
        assert_eq!(held, PATTERNS, "in memory, too");
        uses.flush().await.unwrap();
        let all = uses.of(TokenKind::ApiKey, None).await.unwrap();
        assert_eq!((all["abcdefgh"].used.len(), all["abcdefgh"].more), (PATTERNS, true));
        let later = i64::try_from(KEPT.as_millis()).unwrap() + 2_000;
        clock.set(later);
        uses.flush().await.unwrap();
        assert!(uses.of(TokenKind::ApiKey, None).await.unwrap().is_empty());
    }
}
