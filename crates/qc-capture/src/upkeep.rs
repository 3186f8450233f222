//! What is done about captures by itself: what is over is removed, and then the store is written anew, so that its files
//! hold nothing of it either.

use std::time::Duration;

use qc_model::{Actor, Timestamp, TxnId};
use qc_store::{Change, DocumentOp, Expect, PAGE_MAX, StoreError};

use crate::{
    CAPTURE_KIND, Capture, Captures, ENTRY_KIND, ReadError, Stage, capture::Due, captures::prefix,
};

/// So long after somebody began to write the store anew for a capture, somebody else may: the first one may be gone.
const TURN: Duration = Duration::from_secs(60);

impl Captures {
    /// Learns what is under way, and does what is due.
    pub async fn round(&self) -> Result<(), ReadError> {
        let all = self.refresh().await?;
        let now = self.clock.now();
        let actor = Actor::platform("captures");
        for (capture, revision) in all {
            let done = match capture.due(now) {
                None => Ok(()),
                Some(Due::Forget) => self.forget(&capture, revision).await,
                Some(Due::Empty) => self.empty(&capture, revision, &actor).await,
                Some(Due::Purge) => self.take_over(&capture, revision, &actor, now).await,
            };
            match done {
                // Another node, or an entry, was faster: the next round looks again.
                Ok(()) | Err(ReadError::Changed) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Ends one now: nothing more is recorded, and what was is removed.
    pub async fn end(&self, id: &str, actor: &Actor) -> Result<Capture, ReadError> {
        // Entries that are being written change the capture, too. Once nothing more is recorded nobody waits for us.
        let turn = self.turn.lock().await;
        let (capture, revision) = self.one(id).await?.ok_or(ReadError::Nothing)?;
        let emptied = self.close(&capture, revision, actor).await?;
        drop(turn);
        self.purge(&emptied, actor).await?;
        Ok(self.one(id).await?.map_or(emptied, |(now, _)| now))
    }

    /// First nothing can be added any more, then what is there goes.
    async fn empty(
        &self,
        capture: &Capture,
        revision: u64,
        actor: &Actor,
    ) -> Result<(), ReadError> {
        let emptied = self.close(capture, revision, actor).await?;
        self.purge(&emptied, actor).await
    }

    /// From now on nothing is added and nothing is shown.
    async fn close(
        &self,
        capture: &Capture,
        revision: u64,
        actor: &Actor,
    ) -> Result<Capture, ReadError> {
        let emptied = capture.emptied(self.clock.now())?;
        self.keep(&emptied, Some(revision), actor).await?;
        self.see(&emptied);
        Ok(emptied)
    }

    /// Goes on with what somebody began and did not end.
    async fn take_over(
        &self,
        capture: &Capture,
        revision: u64,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<(), ReadError> {
        let Stage::Emptied { window, at } = &capture.stage else { return Ok(()) };
        if now < *at + TURN {
            return Ok(());
        }
        let stage = Stage::Emptied { window: window.clone(), at: now };
        let mine = Capture { stage, ..capture.clone() };
        let change = Change {
            id: TxnId::new(now, &*self.entropy),
            documents: vec![mine.put(Some(revision), now)],
            ledger: vec![],
            signals: vec![],
        };
        self.changed(change).await?;
        self.purge(&mine, actor).await
    }

    /// Removes the entries, has the store written anew, and says so.
    async fn purge(&self, emptied: &Capture, actor: &Actor) -> Result<(), ReadError> {
        let prefix = prefix(emptied);
        loop {
            let page = self.store.documents(ENTRY_KIND, Some(&prefix), PAGE_MAX).await?;
            let own = page.into_iter().take_while(|document| document.name.starts_with(&prefix));
            let gone: Vec<DocumentOp> = own
                .map(|document| DocumentOp::Delete {
                    kind: ENTRY_KIND.to_owned(),
                    name: document.name,
                    expect: Expect::Any,
                })
                .collect();
            if gone.is_empty() {
                break;
            }
            self.change_documents(gone).await?;
        }
        if emptied.taken > 0 {
            self.store.scrub().await?;
        }
        let (now, found) = (self.clock.now(), self.one(&emptied.id).await?);
        let Some((purged, revision)) =
            found.and_then(|(one, revision)| Some((one.purged(now)?, revision)))
        else {
            return Ok(());
        };
        self.keep(&purged, Some(revision), actor).await
    }

    async fn forget(&self, capture: &Capture, revision: u64) -> Result<(), ReadError> {
        let gone = DocumentOp::Delete {
            kind: CAPTURE_KIND.to_owned(),
            name: capture.id.clone(),
            expect: Expect::Revision(revision),
        };
        self.change_documents(vec![gone]).await.map_err(ReadError::from)
    }

    async fn change_documents(&self, documents: Vec<DocumentOp>) -> Result<(), StoreError> {
        let id = TxnId::new(self.clock.now(), &*self.entropy);
        let change = Change { id, documents, ledger: vec![], signals: vec![] };
        // Whatever is there goes; when it changed, the next round looks again.
        drop(self.committer.change(change).await?);
        Ok(())
    }
}
