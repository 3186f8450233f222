//! What went in long windows of declared limits, such as ten thousand calls a day: one document for each limit, to which
//! all nodes add. So a window does not begin anew with a process, and each node has its part of what is left of it.

use std::{sync::Arc, time::Duration};

use qc_model::{Timestamp, TxnId};
use qc_pace::Spent;
use qc_store::{Change, ChangeOutcome, DocumentOp, Expect, StoreError, documents_under};
use serde::{Deserialize, Serialize};
use tokio::time::{sleep, timeout};

use crate::{Engine, engine::Shared};

/// The kind of the documents; their name is the limit's.
const KIND: &str = "limit-spent";
/// How often it is told and looked at. A process that is killed takes what it sent since the last time along.
const TELL_EVERY: Duration = Duration::from_secs(10);
/// How often a document is written anew that others write at the same time.
const TRIES: u32 = 8;
/// How long the store may take for one telling: one that hangs keeps nobody from ending.
const LONGEST: Duration = Duration::from_secs(2);

#[derive(Debug, Default, Serialize, Deserialize)]
struct Windows {
    schema_version: u32,
    windows: Vec<Window>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Window {
    per_ms: u64,
    ends: Timestamp,
    calls: u64,
}

impl Windows {
    fn read(limit: &str, body: &[u8]) -> Self {
        serde_json::from_slice(body).unwrap_or_else(|error| {
            tracing::warn!(%limit, "what went in a window cannot be read, and begins anew: {error}");
            Self::default()
        })
    }

    /// Adds what went. A window that is over is none.
    fn add(&mut self, spent: &[Spent], now: Timestamp) {
        self.windows.retain(|window| window.ends > now);
        for one in spent.iter().filter(|one| one.ends > now) {
            let per_ms = u64::try_from(one.per.as_millis()).unwrap_or(u64::MAX);
            match self.windows.iter_mut().find(|window| window.per_ms == per_ms) {
                Some(window) => window.calls = window.calls.saturating_add(one.calls),
                None => self.windows.push(Window { per_ms, ends: one.ends, calls: one.calls }),
            }
        }
    }

    fn spent(&self) -> Vec<Spent> {
        let of = |window: &Window| Spent {
            per: Duration::from_millis(window.per_ms),
            ends: window.ends,
            calls: window.calls,
        };
        self.windows.iter().map(of).collect()
    }
}

impl Shared {
    /// Tells what this node sent. What is not told in time, as the store hangs, is told later.
    async fn tell_spent(&self) {
        let mut hangs = false;
        for (limit, spent) in self.gate.tell_spent() {
            if hangs {
                self.gate.not_told(&limit, &spent);
                continue;
            }
            let told = timeout(LONGEST, self.add_spent(&limit, &spent)).await;
            hangs = told.is_err();
            let told = told.unwrap_or_else(|_| {
                Err(StoreError::Unavailable("the store did not answer in time".to_owned()))
            });
            match told {
                Ok(Some(all)) => self.gate.know_spent(&limit, all),
                Ok(None) => {
                    self.gate.not_told(&limit, &spent);
                    tracing::debug!(%limit, "what went in its window is told later: many write it at the same time");
                }
                Err(error) => {
                    self.gate.not_told(&limit, &spent);
                    tracing::warn!(%limit, "what went in its window is told later: {error}");
                }
            }
        }
    }

    /// What all nodes have sent, with this; None: others were always faster.
    async fn add_spent(
        &self,
        limit: &Arc<str>,
        spent: &[Spent],
    ) -> Result<Option<Vec<Spent>>, StoreError> {
        for _ in 0..TRIES {
            let now = self.now();
            let found = self.store.document(KIND, limit).await?;
            let mut windows = found
                .as_ref()
                .map_or_else(Windows::default, |found| Windows::read(limit, &found.body));
            windows.schema_version = 1;
            windows.add(spent, now);
            let put = DocumentOp::Put {
                kind: KIND.to_owned(),
                name: limit.to_string(),
                expect: found.map_or(Expect::Absent, |found| Expect::Revision(found.revision)),
                body: serde_json::to_vec(&windows).expect("numbers are plain data").into(),
                at: now,
            };
            let id = TxnId::new(now, &*self.entropy);
            let change = Change { id, documents: vec![put], ledger: vec![], signals: vec![] };
            if self.committer.change(change).await? == ChangeOutcome::Changed {
                return Ok(Some(windows.spent()));
            }
        }
        Ok(None)
    }

    /// Reads what all nodes have sent, and takes away what is over.
    pub(crate) async fn read_spent(&self) -> Result<(), StoreError> {
        let now = self.now();
        for document in documents_under(&*self.store, KIND, "").await? {
            let windows = Windows::read(&document.name, &document.body);
            if windows.windows.iter().any(|window| window.ends > now) {
                self.gate.know_spent(&document.name.as_str().into(), windows.spent());
                continue;
            }
            let (kind, name) = (KIND.to_owned(), document.name);
            let delete =
                DocumentOp::Delete { kind, name, expect: Expect::Revision(document.revision) };
            let id = TxnId::new(now, &*self.entropy);
            let change = Change { id, documents: vec![delete], ledger: vec![], signals: vec![] };
            // One that was written meanwhile stays.
            self.committer.change(change).await?;
        }
        Ok(())
    }
}

impl Engine {
    /// Tells and hears what goes in long windows, and once more at the end.
    pub(crate) async fn keep_spent(&self) {
        let shared = &self.shared;
        loop {
            tokio::select! {
                biased;
                () = shared.drained.raised() => break,
                () = sleep(TELL_EVERY) => {}
            }
            shared.tell_spent().await;
            if !shared.leases.is_alone()
                && let Ok(Err(error)) = timeout(LONGEST, shared.read_spent()).await
            {
                tracing::warn!("what other nodes sent in long windows cannot be read: {error}");
            }
        }
        shared.tell_spent().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spent(per_secs: u64, ends: i64, calls: u64) -> Spent {
        let ends = Timestamp::from_millis(ends);
        Spent { per: Duration::from_secs(per_secs), ends, calls }
    }

    #[test]
    fn calls_add_up_within_a_window_and_not_beyond_it() {
        let (now, mut windows) = (Timestamp::from_millis(1_000), Windows::default());
        windows.add(&[spent(3_600, 5_000, 3), spent(86_400, 9_000, 3)], now);
        // Another node's window of the same length began at another time: it is the same limit.
        windows.add(&[spent(3_600, 6_000, 4)], now);
        assert_eq!(windows.spent(), [spent(3_600, 5_000, 7), spent(86_400, 9_000, 3)]);
        let later = Timestamp::from_millis(5_000);
        windows.add(&[spent(3_600, 5_000, 2), spent(86_400, 9_000, 1)], later);
        assert_eq!(windows.spent(), [spent(86_400, 9_000, 4)], "what is over is over");
        windows.add(&[spent(3_600, 8_600, 1)], later);
        assert_eq!(windows.spent(), [spent(86_400, 9_000, 4), spent(3_600, 8_600, 1)]);
    }

    #[test]
    fn what_cannot_be_read_begins_anew() {
        assert!(Windows::read("crm", b"{}").windows.is_empty());
        assert!(Windows::read("crm", b"not json").windows.is_empty());
    }
}
