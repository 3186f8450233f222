//! Does what another node asks of a run that this node owns.
//!
//! At most once: a letter is claimed before it is begun, so that one that was withdrawn is not; and
//! the deed's ledger row, which commits with the deed, names the letter, so that an owner that
//! takes over from one that died between the deed and the answer sees that it is done.

use std::{sync::Arc, time::Duration};

use qc_model::{Actor, RunId};
use qc_store::{ChangeOutcome, Document, DocumentOp, Expect, LedgerFilter, LedgerKind, StoreError};
use tokio::time::sleep;

use crate::{
    Engine,
    forward::{Answer, Errand, Letter},
    mail::{ANSWERS, COMMAND, MAIL, STALE},
    operate::{Asking, GivenUp},
    record,
    tenure::Tenure,
};

/// How often the answer is written while the store cannot take it, and the pause between.
const ANSWER_TRIES: usize = 20;
const ANSWER_AGAIN: Duration = Duration::from_millis(250);

/// One page of a run's audit rows.
const PAGE: usize = 500;

impl Engine {
    /// The letter, when this node is to carry it out; with the tenure under which.
    pub(crate) fn for_us(&self, document: &Document) -> Option<(Letter, Arc<Tenure>)> {
        let letter = Letter::parse(&document.body)?;
        // Who still waits takes a late letter back; this is for those who are gone. Clocks differ.
        if self.shared.now().since(letter.until) > STALE {
            return None;
        }
        let tenure = self.shared.leases.of(letter.run).filter(|tenure| tenure.is_ours())?;
        Some((letter, tenure))
    }

    pub(crate) async fn carry_out(&self, letter: Letter, revision: u64, tenure: Arc<Tenure>) {
        let name = format!("{COMMAND}{}", letter.id);
        match self.claim(&name, &letter, revision).await {
            Ok(ChangeOutcome::Changed) => {}
            Ok(ChangeOutcome::Conflict { .. }) => return,
            Err(error) => return tracing::warn!("a request cannot be claimed now: {error}"),
        }
        let Letter { id, run, actor, errand, .. } = &letter;
        let answer = match self.do_once(*run, errand, actor, id).await {
            Ok(()) => Answer::Done,
            Err(Asking::Elsewhere) => return,
            // Whether it was done is for the next owner to find out.
            Err(Asking::Failed(_)) if !tenure.is_ours() => return,
            Err(Asking::Failed(error)) => Answer::of(Err(error)),
        };
        for _ in 0..ANSWER_TRIES {
            let at = self.shared.now();
            let put = DocumentOp::Put {
                kind: ANSWERS.to_owned(),
                name: letter.id.clone(),
                expect: Expect::Any,
                body: answer.to_bytes(),
                at,
            };
            let expect = Expect::Any;
            let done = DocumentOp::Delete { kind: MAIL.to_owned(), name: name.clone(), expect };
            match self.change(vec![put, done]).await {
                Ok(_) => return,
                Err(error) => tracing::warn!("an answer waits to be stored: {error}"),
            }
            sleep(ANSWER_AGAIN).await;
        }
    }

    async fn claim(
        &self,
        name: &str,
        letter: &Letter,
        revision: u64,
    ) -> Result<ChangeOutcome, StoreError> {
        let body = serde_json::to_vec(letter).expect("letters are plain data");
        let put = DocumentOp::Put {
            kind: MAIL.to_owned(),
            name: name.to_owned(),
            expect: Expect::Revision(revision),
            body: body.into(),
            at: self.shared.now(),
        };
        self.change(vec![put]).await
    }

    /// Does it to a run of this node's, unless it was done under this id already.
    pub(crate) async fn do_once(
        &self,
        run: RunId,
        errand: &Errand,
        actor: &Actor,
        id: &str,
    ) -> Result<(), Asking> {
        let done = self.was_done(run, id).await;
        if done.map_err(|error| Asking::Failed(error.into()))? {
            return Ok(());
        }
        match errand {
            Errand::Ask(request) => self.ask_here(run, request, actor, Some(id)).await,
            Errand::Discard { reason } => {
                self.give_up(run, GivenUp::Letter, reason, actor, Some(id)).await
            }
            Errand::SkipLine { reason } => {
                self.give_up(run, GivenUp::Both, reason, actor, Some(id)).await
            }
            Errand::LeaveLine { reason } => {
                self.give_up(run, GivenUp::Turn, reason, actor, Some(id)).await
            }
        }
    }

    /// Whether the ledger tells of the deed. Certain, once this node owns the run: nobody else can
    /// commit for it any more.
    async fn was_done(&self, run: RunId, id: &str) -> Result<bool, StoreError> {
        let mut filter = LedgerFilter {
            run: Some(run),
            kinds: vec![LedgerKind::Audit],
            limit: PAGE,
            ..LedgerFilter::default()
        };
        loop {
            let page = self.shared.store.ledger(&filter).await?;
            if page.iter().any(|entry| record::is_of_letter(&entry.row, id)) {
                return Ok(true);
            }
            match page.last() {
                Some(last) if page.len() == PAGE => filter.after = last.seq,
                _ => return Ok(false),
            }
        }
    }
}
