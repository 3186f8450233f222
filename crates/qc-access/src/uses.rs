//! What principals did: counted in memory, and written in batches, so that no request writes for it.

use std::{collections::BTreeMap, sync::Arc};

use qc_census::{Census, Counted};
use qc_model::{Clock, Entropy, Timestamp};
use qc_store::{Committer, Store, StoreError};
use serde::{Deserialize, Serialize};

use crate::{Action, Principal, Resource, Scope, TokenKind};

/// The kind of the documents that say what a principal did at a node; named `<kind>/<principal>/<node>`.
const USE_KIND: &str = "access-use";
/// The most patterns of one principal at one node; what is used beyond them is only said to be more.
const PATTERNS: usize = 200;

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
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Kept {
    schema_version: u32,
    used: Vec<Used>,
    /// It used more than [`PATTERNS`].
    #[serde(default)]
    more: bool,
}

impl Default for Kept {
    fn default() -> Self {
        Self { schema_version: 1, used: Vec::new(), more: false }
    }
}

impl Counted for Kept {
    fn add(&mut self, other: Self) {
        let mut both =
            UsesOf { used: std::mem::take(&mut self.used), more: self.more || other.more };
        other.used.into_iter().for_each(|used| both.add(used));
        // The oldest go first.
        both.used.sort_by_key(|used| std::cmp::Reverse(used.last));
        self.more = both.more || both.used.len() > PATTERNS;
        both.used.truncate(PATTERNS);
        self.used = both.used;
    }

    fn forget(&mut self, before: Timestamp) {
        self.used.retain(|used| used.last > before);
    }
}

/// Counts uses on one node.
pub struct Uses(Census<Kept>);

impl Uses {
    /// Over a store, for one of the nodes that share it.
    pub fn new(
        store: Arc<dyn Store>,
        committer: Committer,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        node: &str,
    ) -> Self {
        Self(Census::new(USE_KIND, store, committer, clock, entropy, node))
    }

    /// Counts that the principal did this to that.
    pub fn note(&self, principal: &Principal, action: Action, resource: Resource<'_>) {
        let Some(scope) = Scope::of(action, resource) else { return };
        let name = format!("{}/{}", principal.kind.as_str(), used_by(principal));
        self.0.note(name, |kept, now| {
            // By position of what was used last: a principal mostly does what it did before.
            if let Some(used) = kept.used.iter_mut().find(|used| used.scope == scope) {
                used.count += 1;
                used.last = now;
            } else if kept.used.len() < PATTERNS {
                kept.used.push(Used { scope, count: 1, first: now, last: now });
            } else {
                kept.more = true;
            }
        });
    }

    /// Writes what was counted since. What cannot be written is kept for the next time.
    pub async fn flush(&self) -> Result<(), StoreError> {
        self.0.flush().await
    }

    /// What principals of a kind did, as far as it is written down, by their ids; only those from this id on to that.
    pub async fn of(
        &self,
        kind: TokenKind,
        ids: Option<(&str, &str)>,
    ) -> Result<BTreeMap<String, UsesOf>, StoreError> {
        let prefix = format!("{}/", kind.as_str());
        let mut found: BTreeMap<String, UsesOf> = BTreeMap::new();
        let from = ids.map_or_else(String::new, |(first, _)| format!("{prefix}{first}/"));
        self.0
            .each(&prefix, &from, |name, kept| {
                let id = name.strip_prefix(&prefix).unwrap_or(name);
                if ids.is_some_and(|(_, last)| id > last) {
                    return false;
                }
                let uses = found.entry(id.to_owned()).or_default();
                uses.more |= kept.more;
                kept.used.into_iter().for_each(|used| uses.add(used));
                true
            })
            .await?;
        Ok(found)
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
        uses.flush().await.unwrap();
        let all = uses.of(TokenKind::ApiKey, None).await.unwrap();
        assert_eq!((all["abcdefgh"].used.len(), all["abcdefgh"].more), (PATTERNS, true));
        clock.set(401 * 86_400_000);
        uses.flush().await.unwrap();
        assert!(uses.of(TokenKind::ApiKey, None).await.unwrap().is_empty());
    }
}
