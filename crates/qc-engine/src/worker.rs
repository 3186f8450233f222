//! The engine's loops: it wakes sleeping runs, and takes up again every run that
//! has no reason to go on in memory. Recovery is this loop, not an act of starting.

use std::{collections::VecDeque, ops::Range, sync::atomic::Ordering, time::Duration};

use qc_model::{Actor, RunId, Timestamp};
use qc_store::{LiveCause, RunHead, StoreError};
use tokio::time::{Instant, sleep, timeout};

use crate::{Engine, command::Request, groups::ranges, operate::Asking, unwind::OnDrop};

/// Between two sweeps over the open runs.
const SWEEP_EVERY: Duration = Duration::from_secs(5);

/// A sweep is followed by a pause of so many times its own length.
const SWEEP_SHARE: u32 = 20;

/// How many runs one look at the store brings.
const PAGE: usize = 500;

/// The pause after the store failed to answer.
const STORE_AGAIN: Duration = Duration::from_millis(500);

/// Of the runs that wait for others to wake them, so many are looked at now and then, in turn: should a wake ever be
/// lost, it is lost for a while only.
const LOOKED_AT: usize = 16;
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// The longest sleep of the waking loop.
const WAKE_AGAIN: Duration = Duration::from_secs(5);

impl Engine {
    /// Runs the engine until it is drained.
    pub async fn run(&self) {
        self.know_limits().await;
        tokio::join!(
            Box::pin(self.hold_leases()),
            Box::pin(self.wake_sleepers()),
            Box::pin(self.sweep()),
            Box::pin(self.exchange_mail()),
            Box::pin(self.take_fresh()),
            Box::pin(self.give_places()),
            Box::pin(self.watch_disk()),
            Box::pin(self.keep_polling()),
            Box::pin(self.move_lines()),
            Box::pin(self.keep_gates()),
            Box::pin(self.keep_tempo()),
            Box::pin(self.keep_spent()),
            Box::pin(self.keep_pauses()),
            Box::pin(self.keep_failures_tidy()),
            Box::pin(self.keep_drift()),
            Box::pin(self.keep_bulks()),
            Box::pin(self.watch_tasks()),
            Box::pin(self.follow_signals()),
            Box::pin(self.keep_time()),
            Box::pin(self.follow_subscriptions()),
        );
    }

    /// Stops: takes nothing new, lets calls in flight come to their end for up to `limit`, and
    /// leaves everything else to the other nodes, or to the next start. Each group of runs goes to
    /// the others as soon as nothing of it is in flight; [`Engine::run`] ends when all are gone.
    pub async fn drain(&self, limit: Duration) {
        self.shared.draining.raise();
        let shared = &self.shared;
        shared.leases.leave_all();
        // Also when the caller gives the drain up: the leases are not held for ever.
        let _end = OnDrop(|| {
            shared.leases.lose_all();
            shared.drained.raise();
        });
        let emptied = async {
            loop {
                let idle = self.shared.idle.notified();
                if self.shared.runs_in_memory() == 0 {
                    return;
                }
                idle.await;
            }
        };
        if timeout(limit, emptied).await.is_err() {
            tracing::warn!(
                runs = self.shared.runs_in_memory(),
                "calls were still under way at the end of the drain; recovery will judge them by their effect class"
            );
        }
    }

    pub(crate) async fn draining(&self) {
        self.shared.draining.raised().await;
    }

    /// Takes up runs whose time has come.
    async fn wake_sleepers(&self) {
        let shared = &self.shared;
        loop {
            let changed = shared.sleeping.changed.notified();
            let due = shared.sleeping.take_due(shared.now());
            self.line_up(&due).await;
            let pause = shared
                .sleeping
                .next()
                .map_or(WAKE_AGAIN, |at| at.since(shared.now()).min(WAKE_AGAIN));
            tokio::select! {
                biased;
                () = self.draining() => return,
                () = changed => {}
                () = sleep(pause) => {}
            }
        }
    }

    /// Looks at every open run, page by page, again and again.
    async fn sweep(&self) {
        let mut round = Round::default();
        round.net.due = self.shared.now() + LOOK_EVERY;
        loop {
            let began = Instant::now();
            if self.shared.leases.any()
                && let Err(error) = self.go_round(&mut round).await
            {
                tracing::warn!("the open runs cannot be read now: {error}");
                // Who waits for a place is not known: nobody may pass them by meanwhile.
                self.shared.places.unknown.store(true, Ordering::Release);
                tokio::select! {
                    biased;
                    () = self.draining() => return,
                    () = sleep(STORE_AGAIN) => continue,
                }
            }
            // A long list of sleeping runs must not keep the store busy.
            let pause = SWEEP_EVERY.max(began.elapsed().saturating_mul(SWEEP_SHARE));
            tokio::select! {
                biased;
                () = self.draining() => return,
                () = self.shared.sweep_now.notified() => {}
                () = sleep(pause) => {}
            }
        }
    }

    /// Lines up what has to be taken up, from where the last round was interrupted.
    async fn go_round(&self, round: &mut Round) -> Result<(), StoreError> {
        let shared = &self.shared;
        if round.is_new() {
            shared.places.backlog.round_begins();
            shared.admission.round_begins();
            round.groups = shared.leases.ours();
            round.ranges = ranges(&round.groups).into();
            for range in round.ranges.clone() {
                self.sweep_lines(range).await?;
            }
        }
        while let Some(range) = round.ranges.front().cloned() {
            if shared.is_draining() {
                return Ok(());
            }
            let page = shared.store.open_runs(range, round.after, PAGE).await?;
            round.after = page.last().map(|last| last.facts.id);
            if round.after.is_none() {
                round.ranges.pop_front();
            }
            shared.admission.seen(&page);
            self.line_up_due(&page);
            self.look_at_waiting(&page, &mut round.net).await;
        }
        round.net.round_over(shared.now());
        let net = std::mem::take(&mut round.net);
        let groups = std::mem::replace(round, Round { net, ..Round::default() }).groups;
        shared.places.backlog.round_ends();
        shared.admission.round_ends();
        shared.places.unknown.store(false, Ordering::Release);
        let came = shared.leases.ours().iter().any(|group| !groups.contains(group));
        if came {
            // A group came meanwhile.
            shared.sweep_now.notify_one();
        }
        Ok(())
    }

    /// Has some of the runs that wait for others see whether what they wait for has come.
    async fn look_at_waiting(&self, page: &[RunHead], net: &mut Net) {
        for head in page {
            if !net.wants(head, self.shared.now()) {
                continue;
            }
            let (run, actor) = (head.facts.id, Actor::platform("sweep"));
            let asked = self.ask_here(run, &Request::LookAgain, &actor, None).await;
            if let Err(Asking::Failed(error)) = asked {
                tracing::debug!(%run, "a waiting run cannot be looked at now: {error}");
            }
        }
    }

    /// Lines up what has to be taken up of some runs.
    pub(crate) async fn sweep_page(&self, page: &[RunHead]) {
        self.line_up_due(page);
        for head in page.iter().filter(|head| head.state.cause == LiveCause::Turn) {
            self.begin_in_turn(&head.facts).await;
        }
    }

    fn line_up_due(&self, page: &[RunHead]) {
        for head in page.iter().filter(|head| self.is_due(head)) {
            self.shared.places.line_up_again(head, self.shared.now());
        }
    }

    /// Lines up runs of which only the id is known.
    pub(crate) async fn line_up(&self, runs: &[RunId]) {
        for run in runs {
            match self.shared.store.run(*run).await {
                // The first of a line may be queued still.
                Ok(Some(head)) if self.is_queued(&head) => {}
                Ok(Some(head)) => self.shared.places.line_up_again(&head, self.shared.now()),
                Ok(None) => {}
                // The sweep comes by.
                Err(error) => tracing::warn!(%run, "a run cannot be taken up now: {error}"),
            }
        }
    }

    fn is_due(&self, head: &RunHead) -> bool {
        let shared = &self.shared;
        let run = head.facts.id;
        if shared.is_active(run) || !shared.leases.owns(run) {
            return false;
        }
        match (head.state.cause, head.state.wake_at) {
            // Loaded once, so that it is known for what it waits.
            (LiveCause::Held, _) if shared.absences.is_news(head) => true,
            (LiveCause::Activity, _) | (LiveCause::Timer, None) => true,
            #[cfg(feature = "planted-bugs")]
            (LiveCause::Timer, _)
                if crate::planted::planted(crate::planted::Bug::TimerLostOnRestart) =>
            {
                false
            }
            #[cfg(feature = "planted-bugs")]
            (LiveCause::Queue, _)
                if crate::planted::planted(crate::planted::Bug::QueueForgotten) =>
            {
                false
            }
            #[cfg(feature = "planted-bugs")]
            (LiveCause::Queue, _) if crate::planted::planted(crate::planted::Bug::QueueIgnored) => {
                true
            }
            (LiveCause::Held, None) => {
                shared.pauses.found(head);
                false
            }
            // At its end, or something else than time takes it further.
            (LiveCause::Ended, _) | (_, None) => false,
            (_, Some(at)) if at > shared.now() => {
                shared.sleeping.add(at, run);
                false
            }
            (_, Some(_)) => true,
        }
    }
}

/// A round over the open runs that may be interrupted and gone on with.
#[derive(Debug, Default)]
struct Round {
    /// What was this node's when it began.
    groups: Vec<u16>,
    /// Its buckets; the first are at work.
    ranges: VecDeque<Range<u16>>,
    after: Option<RunId>,
    net: Net,
}

/// Which of the waiting runs are looked at: those after the last one, a few at a time.
#[derive(Debug, Default)]
struct Net {
    due: Timestamp,
    last: Option<RunId>,
    looked: usize,
}

impl Net {
    fn wants(&mut self, head: &RunHead, now: Timestamp) -> bool {
        let run = head.facts.id;
        let waits = matches!(head.state.cause, LiveCause::Event | LiveCause::Child);
        let turn = self.looked < LOOKED_AT && self.last.is_none_or(|last| run > last);
        if !waits || now < self.due || !turn {
            return false;
        }
        self.last = Some(run);
        self.looked += 1;
        true
    }

    /// A round is over. One that found fewer has come to the end of all runs: the next one begins with the first again.
    fn round_over(&mut self, now: Timestamp) {
        if now >= self.due {
            self.last = self.last.filter(|_| self.looked == LOOKED_AT);
            self.looked = 0;
            self.due = now + LOOK_EVERY;
        }
    }
}

impl Round {
    fn is_new(&self) -> bool {
        self.ranges.is_empty()
    }
}
