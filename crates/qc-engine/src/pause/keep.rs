//! Follows the documents, and has runs begin, or cancels them, that are this node's own.

use std::{collections::BTreeMap, time::Duration};

use qc_model::TxnId;
use qc_store::{Change, DocumentOp, Expect, RunHead, StoreError, Txn, TxnOutcome};
use tokio::time::sleep;

use super::{Discard, KIND, Known, Pause, Stand, TriggerName, ask::PAGE, is_held, read};
use crate::{Engine, EngineError, command::Request, line, operate::Asking};

/// How often a node looks whether another one has paused a trigger; and when there are no others.
const FOLLOW_EVERY: Duration = Duration::from_millis(500);
const FOLLOW_ALONE: Duration = Duration::from_secs(5);

/// Between two runs that begin: what was held must not come all at once.
const STEP: Duration = Duration::from_millis(10);

/// The pause before what could not be done is tried again.
const AGAIN: Duration = Duration::from_millis(500);

/// What became of a run that was held.
enum Gone {
    /// It is held no longer.
    Yes,
    /// Now it cannot be done, but later.
    Later,
}

impl Engine {
    /// Reads the documents.
    pub(super) async fn read_pauses(&self) -> Result<(), StoreError> {
        let shared = &self.shared;
        let mut known: BTreeMap<TriggerName, Known> = BTreeMap::new();
        let mut after: Option<String> = None;
        loop {
            let page = shared.store.documents(KIND, after.as_deref(), PAGE).await?;
            after = page.last().map(|last| last.name.clone());
            let all = page.len() < PAGE;
            for document in page {
                if let Some(name) = TriggerName::parse(&document.name) {
                    known.insert(name, read(&document));
                }
            }
            if all {
                break;
            }
        }
        let mut state = shared.pauses.state();
        let revisions = |all: &BTreeMap<TriggerName, Known>| -> Vec<(TriggerName, u64)> {
            all.iter().map(|(name, known)| (name.clone(), known.revision)).collect()
        };
        let news = !state.read || revisions(&state.known) != revisions(&known);
        state.read = true;
        state.known = known;
        drop(state);
        if news {
            // What the platform fetches by itself is fetched no longer, or again.
            shared.ties_changed();
            shared.pauses.changed.notify_one();
        }
        Ok(())
    }

    /// Whether events of a trigger are held now. The first to ask reads the documents.
    pub(crate) async fn holds_events(&self, name: &TriggerName) -> Result<bool, StoreError> {
        if !self.shared.pauses.state().read {
            self.read_pauses().await?;
        }
        #[cfg(feature = "planted-bugs")]
        if crate::planted::planted(crate::planted::Bug::PauseIgnored) {
            return Ok(false);
        }
        Ok(self.shared.pauses.hold(name))
    }

    /// Keeps to what is paused until the drain.
    pub(crate) async fn keep_pauses(&self) {
        let shared = &self.shared;
        loop {
            let changed = shared.pauses.changed.notified();
            if let Err(error) = self.read_pauses().await {
                tracing::debug!("paused triggers cannot be seen now: {error}");
            }
            self.look_after();
            let pause = if shared.leases.is_alone() { FOLLOW_ALONE } else { FOLLOW_EVERY };
            tokio::select! {
                biased;
                () = self.draining() => return,
                () = changed => {}
                () = sleep(pause) => {}
            }
        }
    }

    /// Begins to work on the triggers of which runs are to begin or to be cancelled.
    fn look_after(&self) {
        let mut state = self.shared.pauses.state();
        let mut wanted = std::mem::take(&mut state.left);
        let busy =
            |known: &Known| known.pause.stand == Stand::Releasing || known.pause.discard.is_some();
        wanted.extend(state.known.iter().filter(|(_, it)| busy(it)).map(|(name, _)| name.clone()));
        for name in wanted {
            if state.at_work.insert(name.clone()) {
                let engine = self.clone();
                tokio::spawn(async move {
                    if let Err(error) = Box::pin(engine.work_on(&name)).await {
                        tracing::warn!("the held runs of {name} wait: {error}");
                        sleep(AGAIN).await;
                    }
                    engine.shared.pauses.state().at_work.remove(&name);
                    engine.shared.pauses.changed.notify_one();
                });
            }
        }
    }

    /// Lets begin, or cancels, what is held of a trigger and this node's own, in order; when nothing
    /// is left on any node, the document says so.
    async fn work_on(&self, name: &TriggerName) -> Result<(), StoreError> {
        let shared = &self.shared;
        let known = shared.pauses.state().known.get(name).cloned();
        let discard = known.as_ref().and_then(|known| known.pause.discard.clone());
        let mut held = self.held_runs(name).await?;
        if let Some(discard) = &discard {
            held.retain(|head| head.facts.accepted_at <= discard.until);
        }
        if held.is_empty() {
            return self.nothing_left(name, known).await;
        }
        for head in held {
            if shared.is_draining() || !self.still(name, known.as_ref()) {
                return Ok(());
            }
            if !shared.leases.owns(head.facts.id) {
                continue;
            }
            let gone = match &discard {
                Some(discard) => self.cancel_held(&head, discard).await,
                None => self.let_begin(&head).await?,
            };
            if matches!(gone, Gone::Later) {
                break;
            }
            sleep(STEP).await;
        }
        // The others' runs may still be held.
        sleep(AGAIN).await;
        Ok(())
    }

    /// Whether the trigger still stands as when the work began.
    fn still(&self, name: &TriggerName, known: Option<&Known>) -> bool {
        let state = self.shared.pauses.state();
        state.known.get(name).map(|it| it.revision) == known.map(|it| it.revision)
    }

    async fn nothing_left(
        &self,
        name: &TriggerName,
        known: Option<Known>,
    ) -> Result<(), StoreError> {
        let Some(Known { pause, revision }) = known else { return Ok(()) };
        let (kind, document) = (KIND.to_owned(), name.document());
        let (expect, at) = (Expect::Revision(revision), self.shared.now());
        let op = match (pause.stand, &pause.discard) {
            (Stand::Releasing, _) => DocumentOp::Delete { kind, name: document, expect },
            (Stand::Paused, Some(_)) => {
                let body = Pause { discard: None, ..pause }.to_bytes();
                DocumentOp::Put { kind, name: document, expect, body, at }
            }
            (Stand::Paused, None) => return Ok(()),
        };
        let id = TxnId::new(at, &*self.shared.entropy);
        let change = Change { id, documents: vec![op], signals: Vec::new(), ledger: Vec::new() };
        // Whoever was faster did the same, or something newer.
        self.shared.committer.change(change).await?;
        self.read_pauses().await
    }

    /// A run that was held begins, or takes its place in its line.
    async fn let_begin(&self, head: &RunHead) -> Result<Gone, StoreError> {
        let run = head.facts.id;
        let place = self.shared.store.turn_of(run).await?;
        if place.is_some_and(|place| place.ahead > 0) {
            return self.stand_in_line(head).await;
        }
        self.shared.places.line_up(&head.facts);
        Ok(Gone::Yes)
    }

    async fn stand_in_line(&self, head: &RunHead) -> Result<Gone, StoreError> {
        let shared = &self.shared;
        let (at, run) = (shared.now(), head.facts.id);
        let Some(tenure) = shared.leases.of(run) else { return Ok(Gone::Yes) };
        if !is_held(head) || !tenure.certain().await {
            return Ok(Gone::Later);
        }
        let txn = Txn {
            id: TxnId::new(at, &*shared.entropy),
            run,
            expect: head.version,
            state: line::standing(at),
            ops: Vec::new(),
        };
        let written = shared.committer.commit(&tenure.lease, txn).await?;
        if matches!(written, TxnOutcome::Committed { .. }) {
            // Those before it may have gone meanwhile.
            self.joined(&head.facts).await;
        }
        Ok(Gone::Yes)
    }

    async fn cancel_held(&self, head: &RunHead, discard: &Discard) -> Gone {
        let run = head.facts.id;
        let request = Request::Cancel { reason: discard.reason.clone(), compensate: false };
        match self.ask_here(run, &request, &discard.by, None).await {
            Ok(())
            | Err(
                Asking::Elsewhere
                | Asking::Failed(EngineError::WrongState { .. } | EngineError::NoRun(_)),
            ) => Gone::Yes,
            Err(Asking::Failed(error)) => {
                tracing::warn!(%run, "a run that is held cannot be cancelled now: {error}");
                Gone::Later
            }
        }
    }
}
