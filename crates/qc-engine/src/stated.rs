//! Pauses that other systems state. They hold for all runs, on all nodes and over restarts: each is a document, written
//! before the run hears of its answer.

use std::{sync::Arc, time::Duration};

use qc_model::{Timestamp, TxnId};
use qc_store::{Change, ChangeOutcome, DocumentOp, Expect, StoreError, documents_under};
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use crate::{Engine, engine::Shared};

/// The kind of the documents; their name is the limit's.
const KIND: &str = "stated-pause";
/// A pause shorter than this is over before a restart is.
const SHORTEST: Duration = Duration::from_secs(1);
/// How often a document is written anew that others write at the same time.
const TRIES: u32 = 8;
/// How often it is looked what other nodes were told, and after what time again when the store fails.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
const STORE_AGAIN: Duration = Duration::from_millis(500);

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Stated {
    schema_version: u32,
    until: Timestamp,
}

impl Shared {
    /// Writes down until when nothing is to be sent. One that lasts longer stays.
    pub(crate) async fn keep_stated(&self, limit: &Arc<str>, until: Timestamp) {
        if until.since(self.now()) < SHORTEST {
            return;
        }
        for _ in 0..TRIES {
            match self.put_stated(limit, until).await {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(%limit, %until, "a pause is kept in memory only: {error}");
                    return;
                }
            }
        }
        tracing::warn!(%limit, %until, "a pause is kept in memory only: many write it at the same time");
    }

    /// True: it is on disk, or a longer one is.
    async fn put_stated(&self, limit: &Arc<str>, until: Timestamp) -> Result<bool, StoreError> {
        let found = self.store.document(KIND, limit).await?;
        let known = found.as_ref().and_then(|document| read(limit, &document.body));
        if known.is_some_and(|known| known >= until) {
            return Ok(true);
        }
        let now = self.now();
        let stated = Stated { schema_version: 1, until };
        let put = DocumentOp::Put {
            kind: KIND.to_owned(),
            name: limit.to_string(),
            expect: found.map_or(Expect::Absent, |document| Expect::Revision(document.revision)),
            body: serde_json::to_vec(&stated).expect("a time is plain data").into(),
            at: now,
        };
        let id = TxnId::new(now, &*self.entropy);
        let change = Change { id, documents: vec![put], ledger: vec![], signals: vec![] };
        Ok(self.committer.change(change).await? == ChangeOutcome::Changed)
    }

    /// Reads what is on disk of pauses, and takes away those that are over.
    async fn read_stated(&self) -> Result<(), StoreError> {
        let now = self.now();
        let mut over = Vec::new();
        for document in documents_under(&*self.store, KIND, "").await? {
            match read(&document.name, &document.body) {
                Some(until) if until > now => self.gate.hold(&document.name.as_str().into(), until),
                _ => over.push(DocumentOp::Delete {
                    kind: KIND.to_owned(),
                    name: document.name,
                    expect: Expect::Revision(document.revision),
                }),
            }
        }
        for document in over {
            let id = TxnId::new(now, &*self.entropy);
            let change = Change { id, documents: vec![document], ledger: vec![], signals: vec![] };
            // One that was written meanwhile stays.
            self.committer.change(change).await?;
        }
        Ok(())
    }
}

fn read(limit: &str, body: &[u8]) -> Option<Timestamp> {
    let stated: Result<Stated, _> = serde_json::from_slice(body);
    let stated = stated.inspect_err(|error| {
        tracing::warn!(%limit, "a kept pause cannot be read, and is taken away: {error}");
    });
    stated.ok().map(|stated| stated.until)
}

impl Engine {
    /// Reads the pauses that other systems stated, and what went of their limits, before anything is sent.
    pub(crate) async fn know_limits(&self) {
        while let Err(error) = self.read_limits().await {
            tracing::warn!("what is known of other systems' limits cannot be read: {error}");
            tokio::select! {
                biased;
                () = self.draining() => return,
                () = sleep(STORE_AGAIN) => {}
            }
        }
    }

    async fn read_limits(&self) -> Result<(), StoreError> {
        self.shared.read_stated().await?;
        self.shared.read_spent().await
    }

    /// Lets calls go when their moment has come, and hears of the pauses that other nodes were told.
    pub(crate) async fn keep_tempo(&self) {
        let shared = &self.shared;
        let others = async {
            loop {
                sleep(LOOK_AGAIN).await;
                if !shared.leases.is_alone()
                    && let Err(error) = shared.read_stated().await
                {
                    tracing::warn!("the pauses of other nodes cannot be read: {error}");
                }
            }
        };
        tokio::select! {
            biased;
            () = self.draining() => {}
            () = shared.gate.keep(|| shared.places.backlog.len() > 0) => {}
            () = others => {}
        }
    }
}
