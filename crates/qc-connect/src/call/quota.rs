//! How often an integration calls a system: counted over all nodes, in slices. A node takes a slice of what is left of
//! the window from a document, compared and set, and spends it by itself; so never more is called than the quota says,
//! and at most a slice for each node is left over.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use qc_model::{Class, Entropy, Failure, Retry, Timestamp, TxnId};
use qc_store::{Change, ChangeOutcome, Committer, DocumentOp, Expect, Store, StoreError};
use serde::{Deserialize, Serialize};

use super::{Outbound, binding::Quota, job::Job};
use crate::codes;

/// The kind of the documents that count calls; their name is `environment/integration/connector`.
pub const QUOTA_KIND: &str = "binding-quota";
/// So many slices a window is cut into.
const SLICES: u32 = 20;
/// How often a slice is tried for while others take theirs.
const TRIES: u32 = 50;

/// Counts the calls of bindings.
#[derive(Default)]
pub struct Quotas {
    central: Option<Central>,
    own: Mutex<HashMap<String, Slice>>,
}

struct Central {
    store: Arc<dyn Store>,
    committer: Committer,
    entropy: Arc<dyn Entropy>,
}

/// What a node may still spend of a window.
#[derive(Debug, Clone, Copy)]
struct Slice {
    window: i64,
    left: u32,
    /// All of the window is given out.
    last: bool,
}

/// What is given out of a window, as it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Given {
    schema_version: u32,
    window: i64,
    calls: u32,
}

impl Quotas {
    /// Counted over all nodes that share the store. Without it, in this process alone.
    pub fn shared(store: Arc<dyn Store>, committer: Committer, entropy: Arc<dyn Entropy>) -> Self {
        Self { central: Some(Central { store, committer, entropy }), own: Mutex::default() }
    }

    /// Takes one call. False: the window has none left.
    async fn take(&self, name: &str, quota: Quota, now: Timestamp) -> Result<bool, StoreError> {
        let window = window(quota, now);
        loop {
            if let Some(took) = self.spend(name, window) {
                return Ok(took);
            }
            let slice = match &self.central {
                None => Slice { window, left: quota.calls, last: true },
                Some(central) => central.slice(name, quota, window, now).await?,
            };
            let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
            match own.get_mut(name).filter(|kept| kept.window == window) {
                // Several calls may have fetched a slice at once: none of them is lost.
                Some(kept) if self.central.is_some() => {
                    *kept = Slice { left: kept.left + slice.left, ..slice };
                }
                Some(_) => {}
                None => drop(own.insert(name.to_owned(), slice)),
            }
        }
    }

    /// From what this node has. None: it has to fetch a slice.
    fn spend(&self, name: &str, window: i64) -> Option<bool> {
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        let slice = own.get_mut(name).filter(|slice| slice.window == window)?;
        if slice.left > 0 {
            slice.left -= 1;
            return Some(true);
        }
        slice.last.then_some(false)
    }
}

impl Central {
    async fn slice(
        &self,
        name: &str,
        quota: Quota,
        window: i64,
        now: Timestamp,
    ) -> Result<Slice, StoreError> {
        for _ in 0..TRIES {
            let found = self.store.document(QUOTA_KIND, name).await?;
            let before = found.as_ref().map(|document| read(name, &document.body)).transpose()?;
            let given =
                before.filter(|given| given.window == window).map_or(0, |given| given.calls);
            let left = quota.calls.saturating_sub(given).min((quota.calls / SLICES).max(1));
            if left == 0 {
                return Ok(Slice { window, left: 0, last: true });
            }
            let given = Given { schema_version: 1, window, calls: given + left };
            let put = DocumentOp::Put {
                kind: QUOTA_KIND.to_owned(),
                name: name.to_owned(),
                expect: found
                    .map_or(Expect::Absent, |document| Expect::Revision(document.revision)),
                body: serde_json::to_vec(&given).expect("numbers are plain data").into(),
                at: now,
            };
            let id = TxnId::new(now, &*self.entropy);
            let change = Change { id, documents: vec![put], ledger: vec![], signals: vec![] };
            if self.committer.change(change).await? == ChangeOutcome::Changed {
                return Ok(Slice { window, left, last: false });
            }
        }
        Err(StoreError::Unavailable(format!("the quota {name} is fought over")))
    }
}

fn window(quota: Quota, now: Timestamp) -> i64 {
    now.as_millis().div_euclid(millis(quota.per))
}

fn millis(per: Duration) -> i64 {
    i64::try_from(per.as_millis()).unwrap_or(i64::MAX).max(1)
}

fn read(name: &str, body: &[u8]) -> Result<Given, StoreError> {
    serde_json::from_slice(body)
        .map_err(|error| StoreError::Corrupt(format!("the quota {name} cannot be read: {error}")))
}

impl Outbound {
    /// Counts an attempt against the quota of its binding. What is used up comes again with the next window: until then
    /// the system counts as one that is not there.
    pub(super) async fn count(&self, job: &Job<'_>) -> Result<(), Box<Failure>> {
        let Some(quota) = job.quota() else { return Ok(()) };
        let (environment, integration) = (&job.scope.name, &job.effect.integration);
        let name = format!("{environment}/{integration}/{}", job.label);
        let now = self.clock.now();
        let failed = |class, detail: String, pause: Duration| {
            let title = "The quota of an integration's binding is used up";
            let mut failure = Failure::new(class, codes::QUOTA_USED, title, detail);
            let stated_ms = Some(u64::try_from(pause.as_millis()).unwrap_or(u64::MAX));
            failure.retry = Retry::After { stated_ms };
            Box::new(failure)
        };
        match self.quotas.take(&name, quota, now).await {
            Ok(true) => Ok(()),
            Ok(false) => {
                let ends = (window(quota, now) + 1).saturating_mul(millis(quota.per));
                let pause = Timestamp::from_millis(ends).since(now);
                let detail = format!(
                    "`{integration}` has made its {} calls of `{}` in this window",
                    quota.calls, job.label
                );
                Err(failed(Class::Overloaded, detail, pause))
            }
            Err(error) => {
                let detail = format!("the calls of `{}` cannot be counted now: {error}", job.label);
                Err(failed(Class::Dependency, detail, Duration::from_secs(1)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use qc_store::{CommitLimits, memory::MemoryStore};

    use qc_model::Seeded;

    use super::*;

    fn nodes(count: usize) -> Vec<Arc<Quotas>> {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let (committer, looping) = Committer::new(store.clone(), CommitLimits::default());
        tokio::spawn(looping);
        let entropy: Arc<dyn Entropy> = Arc::new(Seeded::new(1));
        let node = || Arc::new(Quotas::shared(store.clone(), committer.clone(), entropy.clone()));
        (0..count).map(|_| node()).collect()
    }

    async fn taken(nodes: &[Arc<Quotas>], quota: Quota, asked: usize, now: Timestamp) -> usize {
        let mut asking = tokio::task::JoinSet::new();
        for at in 0..asked {
            let node = Arc::clone(&nodes[at % nodes.len()]);
            asking.spawn(async move { node.take("a/b/c", quota, now).await.unwrap() });
        }
        asking.join_all().await.into_iter().filter(|took| *took).count()
    }

    #[tokio::test]
    async fn never_more_than_the_quota_over_all_nodes_and_all_of_it_when_all_ask() {
        let quota = Quota { calls: 101, per: Duration::from_secs(60) };
        for count in [1, 3] {
            let nodes = nodes(count);
            let first = Timestamp::from_millis(60_000);
            assert_eq!(taken(&nodes, quota, 50, first).await, 50);
            assert_eq!(taken(&nodes, quota, 400, first).await, 51, "{count} nodes");
            assert_eq!(taken(&nodes, quota, 10, Timestamp::from_millis(119_999)).await, 0);
            assert_eq!(taken(&nodes, quota, 400, Timestamp::from_millis(120_000)).await, 101);
        }
        let alone = [Arc::new(Quotas::default())];
        assert_eq!(taken(&alone, quota, 400, Timestamp::from_millis(0)).await, 101);
    }
}
