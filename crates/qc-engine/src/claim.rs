//! Claims: that a run is about to be taken up is counted in the store before its journal is read. A run that ends the
//! process each time it is taken up is found by its count, and left alone: it must not take the others along.
//!
//! A claim counts the lives of processes in which the run was taken up and nothing of it was written; every commit of
//! the run sets it back. Runs without a count are claimed together. One with a count is a suspect: it is taken up alone,
//! and the next suspect waits until it has committed, or rests; so the innocent who were taken up beside the culprit are
//! cleared, and only the culprit's count goes on.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError, atomic::Ordering},
    time::Duration,
};

use qc_model::{Applied, Class, Failure, NextAction, RunId, TxnId};
use qc_store::{Lease, LiveCause, Op, RunHead, RunState, RunStatus, StoreError, Txn, TxnOutcome};
use tokio::{
    sync::oneshot,
    time::{sleep, timeout},
};

use crate::{
    Engine, codes, command::Command, engine::Place, record, recover::RecoverError, run::in_a_line,
};

/// After so many lives of a process in which nothing of a run was written it is taken for the cause of their ends. The
/// first of them says little, as all are claimed together then; in each of the others it was alone. Where something else
/// kills the process all the time, whoever is first in the queue is met there by chance: with three lives the kill test
/// found an innocent in some of its runs.
const LIVES_MAX: u32 = 5;

/// So many runs are claimed with one write.
const CLAIM_PAGE: usize = 500;

/// So many claimed runs that have not been committed since are remembered.
const KNOWN_MAX: usize = 100_000;

/// The pause after the store did not answer.
const STORE_AGAIN: Duration = Duration::from_millis(500);

/// The longest that a suspect is waited for: it is at rest at once, unless the store does not answer.
const SUSPECT_RESTS_IN: Duration = Duration::from_secs(30);

/// What this process has claimed.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    /// In how many lives before this one nothing of a run was written. A run is counted once in each life.
    known: Mutex<HashMap<RunId, u32>>,
    /// Held by who takes a suspect up.
    alone: tokio::sync::Mutex<()>,
}

impl Claims {
    fn known(&self) -> MutexGuard<'_, HashMap<RunId, u32>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A commit of the run is on disk: its count is back to 0.
    pub(crate) fn forget(&self, run: RunId) {
        self.known().remove(&run);
    }

    /// In how many lives before this one nothing of a run was written, and whether this one is counted already.
    fn lives_before(&self, head: &RunHead) -> (u32, bool) {
        let known = self.known().get(&head.facts.id).copied();
        // One that was committed by another node meanwhile begins anew.
        match known.filter(|lives| *lives <= head.claims) {
            Some(lives) => (lives, head.claims > lives),
            None => (head.claims, false),
        }
    }

    fn learn(&self, run: RunId, lives_before: u32) {
        let mut known = self.known();
        // Those who are forgotten are counted once more in this life: no more than that.
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(run, lives_before);
    }
}

/// That a run in memory was claimed, and nothing of it has been written since.
#[derive(Debug, Default)]
pub(crate) struct Claim {
    /// Whoever waits for a suspect to rest. Dropping it tells them, too.
    suspect: Option<oneshot::Sender<()>>,
}

impl Claim {
    pub(crate) fn is_suspect(&self) -> bool {
        self.suspect.is_some()
    }
}

/// A run that has its place and is about to be taken up.
struct Candidate {
    head: RunHead,
    place: Place,
}

impl Engine {
    /// Gives places to those whose turn it is, again and again.
    pub(crate) async fn give_places(&self) {
        let shared = &self.shared;
        loop {
            let came = shared.places.backlog.came.notified();
            loop {
                if shared.admission.is_nearly_full() {
                    break;
                }
                let places: Vec<_> =
                    std::iter::from_fn(|| shared.next_place()).take(CLAIM_PAGE).collect();
                if places.is_empty() {
                    break;
                }
                if !self.take_up_all(places).await {
                    // They still wait, and nobody may pass them by until the sweep has found them again.
                    shared.places.unknown.store(true, Ordering::Release);
                    shared.sweep_now.notify_one();
                    tokio::select! {
                        biased;
                        () = self.draining() => return,
                        () = sleep(STORE_AGAIN) => {}
                    }
                }
            }
            if shared.places.backlog.runs_low() {
                shared.sweep_now.notify_one();
            }
            tokio::select! {
                biased;
                () = self.draining() => return,
                () = came => {}
            }
        }
    }

    /// Takes runs up that have their places. What cannot be taken up as it is, is set aside. False: the store did not
    /// answer for all of them.
    async fn take_up_all(&self, places: Vec<Place>) -> bool {
        let mut answered = true;
        let mut free = Vec::new();
        let mut suspects = Vec::new();
        for place in places {
            let run = place.run;
            match self.candidate(place).await {
                // Its turn comes below, one after the other.
                Ok(Some(it)) if self.is_suspect(&it.head) => suspects.push(it),
                Ok(Some(it)) => free.push(it),
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(%run, "a run cannot be taken up now: {error}");
                    answered = false;
                }
            }
        }
        for (run, taken) in self.take_up_together(free).await {
            answered &= self.taken_or_aside(run, taken).await;
        }
        for it in suspects {
            let run = it.head.facts.id;
            let taken = self.take_up_alone(it, None).await;
            answered &= self.taken_or_aside(run, taken).await;
        }
        answered
    }

    async fn taken_or_aside(&self, run: RunId, taken: Result<(), RecoverError>) -> bool {
        match taken {
            Ok(()) | Err(RecoverError::There | RecoverError::NotOurs | RecoverError::NoRun) => true,
            Err(RecoverError::Store(
                error @ (StoreError::Unavailable(_) | StoreError::Unknown(_) | StoreError::Full(_)),
            )) => {
                tracing::warn!(%run, "a run cannot be taken up now: {error}");
                false
            }
            Err(error) => {
                tracing::error!(%run, "a run cannot be taken up: {error}");
                self.set_aside(run, &error).await;
                true
            }
        }
    }

    /// Takes a run up that has its place because something came in for it. It is counted like any other: what came in is
    /// handed over again after the end of the process. One in quarantine is left alone, and reads it when it goes on.
    pub(crate) async fn take_up_woken(
        &self,
        head: RunHead,
        place: Place,
        first: Command,
    ) -> Result<(), RecoverError> {
        if is_quarantined(&head.state) {
            // Whoever asks may have gone away.
            drop(first.reply.send(Ok(())));
            return Ok(());
        }
        if self.is_suspect(&head) {
            return self.take_up_alone(Candidate { head, place }, Some(first)).await;
        }
        match self.count_lives(&place.tenure.lease, &[&head]).await?.first() {
            Some(Some(_)) => {
                self.take_in_place(head, place, Some(first), Some(Claim::default())).await
            }
            Some(None) | None => Err(RecoverError::NotOurs),
        }
    }

    /// Takes a run up that may be the one that ends the process, and waits until it rests.
    async fn take_up_alone(
        &self,
        it: Candidate,
        first: Option<Command>,
    ) -> Result<(), RecoverError> {
        let Candidate { head, place } = it;
        let run = head.facts.id;
        let _alone = self.shared.claims.alone.lock().await;
        let lives = self.count_lives(&place.tenure.lease, &[&head]).await?;
        let Some(lives_before) = lives.into_iter().next().flatten() else {
            return Err(RecoverError::NotOurs);
        };
        if lives_before >= LIVES_MAX {
            return self.quarantine(&head, place, lives_before).await;
        }
        let (rests, at_rest) = oneshot::channel();
        self.take_in_place(head, place, first, Some(Claim { suspect: Some(rests) })).await?;
        // It rests, has committed, or is gone from memory.
        if timeout(SUSPECT_RESTS_IN, at_rest).await.is_err() {
            tracing::warn!(%run, "a run that was in memory at an earlier end of the process does not come to rest");
        }
        Ok(())
    }

    /// Claims runs with one write for each lease and takes them up, one after the other.
    async fn take_up_together(
        &self,
        candidates: Vec<Candidate>,
    ) -> Vec<(RunId, Result<(), RecoverError>)> {
        let mut by_lease: Vec<(Lease, Vec<Candidate>)> = Vec::new();
        for it in candidates {
            let lease = &it.place.tenure.lease;
            match by_lease.iter_mut().find(|(known, _)| known == lease) {
                Some((_, there)) => there.push(it),
                None => by_lease.push((lease.clone(), vec![it])),
            }
        }
        let claims = by_lease.iter().map(|(lease, there)| {
            let heads: Vec<&RunHead> = there.iter().map(|it| &it.head).collect();
            async move { self.count_lives(lease, &heads).await }
        });
        let claimed = futures_util::future::join_all(claims).await;
        let mut taken = Vec::new();
        for ((_, there), claimed) in by_lease.into_iter().zip(claimed) {
            let lives = match claimed {
                Ok(lives) => lives,
                Err(error) => {
                    let runs = there.iter().map(|it| it.head.facts.id);
                    taken.extend(runs.map(|run| (run, Err(error.clone().into()))));
                    continue;
                }
            };
            for (Candidate { head, place }, lives) in there.into_iter().zip(lives) {
                let run = head.facts.id;
                let came = match lives {
                    Some(_) => self.take_in_place(head, place, None, Some(Claim::default())).await,
                    None => Err(RecoverError::NotOurs),
                };
                taken.push((run, came));
            }
        }
        taken
    }

    /// How a run stands that has a place. None: it is at its end.
    async fn candidate(&self, place: Place) -> Result<Option<Candidate>, RecoverError> {
        let head = self.shared.store.run(place.run).await?.ok_or(RecoverError::NoRun)?;
        Ok((!head.state.status.is_terminal()).then_some(Candidate { head, place }))
    }

    /// Whether nothing of a run was written in an earlier life that had taken it up.
    fn is_suspect(&self, head: &RunHead) -> bool {
        self.shared.claims.lives_before(head).0 > 0
    }

    /// In how many lives before this one nothing of each run was written; None: the lease does not cover it. Counted in
    /// the store once in each life, also when the answer to that is lost.
    async fn count_lives(
        &self,
        lease: &Lease,
        heads: &[&RunHead],
    ) -> Result<Vec<Option<u32>>, StoreError> {
        let claims = &self.shared.claims;
        let mut lives = Vec::with_capacity(heads.len());
        let mut uncounted = Vec::new();
        for (at, head) in heads.iter().enumerate() {
            let (before, counted) = claims.lives_before(head);
            claims.learn(head.facts.id, before);
            lives.push(Some(before));
            if !counted {
                uncounted.push(at);
            }
        }
        if uncounted.is_empty() {
            return Ok(lives);
        }
        let asked = uncounted.iter().map(|at| heads[*at].facts.id).collect();
        let counts = self.shared.committer.claim(lease, asked).await?;
        for (at, count) in uncounted.into_iter().zip(counts) {
            if count.is_none() {
                lives[at] = None;
            }
        }
        Ok(lives)
    }

    /// Parks a run that was in memory at the end of too many processes; it is not taken up again by itself.
    async fn quarantine(
        &self,
        head: &RunHead,
        place: Place,
        lives: u32,
    ) -> Result<(), RecoverError> {
        let shared = &self.shared;
        let run = head.facts.id;
        let at = shared.now();
        let failure = Failure {
            applied: Applied::Maybe,
            next_action: NextAction::ContactOwner,
            ..Failure::new(
                Class::Internal,
                codes::POISON,
                "the run was taken up before too many ends of the process",
                format!(
                    "{lives} times the process ended after it had taken the run up and before \
                     anything of it was written; it is left alone, so that the others go on"
                ),
            )
        };
        let mut row = record::run_changed(&head.facts, at, "quarantined", Some(&failure));
        record::signed(&mut row, &shared.settings.node);
        let txn = Txn {
            id: TxnId::new(at, &*shared.entropy),
            run,
            expect: head.version,
            state: RunState {
                status: RunStatus::Parked,
                cause: LiveCause::Parked,
                wake_at: None,
                summary: Some(in_a_line(&failure)),
                updated_at: at,
            },
            ops: vec![Op::Ledger(row)],
        };
        match shared.committer.commit(&place.tenure.lease, txn).await? {
            TxnOutcome::Committed { .. } => {
                shared.claims.forget(run);
                shared.counters.quarantined.fetch_add(1, Ordering::Relaxed);
                shared.counters.parked.fetch_add(1, Ordering::Relaxed);
                tracing::error!(%run, code = %codes::POISON, "a run is quarantined: {}", failure.detail);
                Ok(())
            }
            TxnOutcome::Fenced => Err(RecoverError::NotOurs),
            TxnOutcome::Conflict { .. } | TxnOutcome::DocumentConflict { .. } => {
                Err(StoreError::Unavailable("the run changed meanwhile".to_owned()).into())
            }
        }
    }
}

/// Whether a run stands aside because it was in memory at too many ends of the process.
pub(crate) fn is_quarantined(state: &RunState) -> bool {
    let code = codes::POISON.to_string();
    state.cause == LiveCause::Parked
        && state.wake_at.is_none()
        && state.summary.as_deref().is_some_and(|said| said.starts_with(&code))
}
