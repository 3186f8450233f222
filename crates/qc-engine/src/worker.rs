//! The engine's loops: it wakes sleeping runs, and takes up again every run that
//! has no reason to go on in memory. Recovery is this loop, not an act of starting.

use std::{collections::VecDeque, ops::Range, sync::atomic::Ordering, time::Duration};

use qc_model::{Actor, RunId, Timestamp};
use qc_store::{LiveCause, RunHead, StoreError};
use tokio::time::{Instant, sleep, timeout};

use crate::{
    Engine, command::Request, groups::ranges, operate::Asking, recover::RecoverError,
    unwind::OnDrop,
};

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
        tokio::join!(
            self.hold_leases(),
            self.wake_sleepers(),
            self.sweep(),
            self.exchange_mail(),
            self.take_fresh(),
            self.keep_polling(),
            self.move_lines(),
            self.follow_signals(),
            self.keep_time(),
            self.follow_subscriptions(),
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
            for run in shared.sleeping.take_due(shared.now()) {
                match self.take_up(run, None).await {
                    // Without room the sweep takes it up later.
                    Ok(())
                    | Err(RecoverError::NoRoom | RecoverError::There | RecoverError::NotOurs) => {}
                    Err(error) => {
                        tracing::warn!(%run, "a sleeping run cannot be taken up now: {error}");
                        self.set_aside(run, &error).await;
                    }
                }
            }
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
                self.shared.behind.store(true, Ordering::Release);
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
                () = self.shared.backlog.notified() => {}
                () = sleep(pause) => {}
            }
        }
    }

    /// Takes up what has to be taken up, from where the last round stopped for want of room.
    async fn go_round(&self, round: &mut Round) -> Result<(), StoreError> {
        if round.is_new() {
            self.shared.behind.store(false, Ordering::Release);
            round.groups = self.shared.leases.ours();
            round.ranges = ranges(&round.groups).into();
            for range in round.ranges.clone() {
                if !self.sweep_lines(range).await? {
                    self.shared.behind.store(true, Ordering::Release);
                }
            }
        }
        loop {
            let Some(head) = round.page.front() else {
                let Some(range) = round.ranges.front().cloned() else { break };
                round.page = self.shared.store.open_runs(range, round.after, PAGE).await?.into();
                round.after = round.page.back().map(|last| last.facts.id);
                if round.after.is_none() {
                    round.ranges.pop_front();
                }
                continue;
            };
            if self.shared.is_draining() {
                return Ok(());
            }
            if round.net.wants(head, self.shared.now()) {
                let actor = Actor::platform("sweep");
                let asked = self.ask_here(head.facts.id, &Request::LookAgain, &actor, None).await;
                if let Err(Asking::Failed(error)) = asked {
                    tracing::debug!(run = %head.facts.id, "a waiting run cannot be looked at now: {error}");
                }
            } else if !self.sweep_run(head).await {
                self.shared.behind.store(true, Ordering::Release);
                return Ok(());
            }
            round.page.pop_front();
        }
        round.net.round_over(self.shared.now());
        let net = std::mem::take(&mut round.net);
        let groups = std::mem::replace(round, Round { net, ..Round::default() }).groups;
        let came = self.shared.leases.ours().iter().any(|group| !groups.contains(group));
        if came || self.shared.behind.load(Ordering::Acquire) {
            // A group came or somebody lined up meanwhile, or was passed by before this round went on.
            self.shared.backlog.notify_one();
        }
        Ok(())
    }

    /// Takes up what has to be taken up of some runs, as far as there is room; the others line up.
    pub(crate) async fn sweep_page(&self, page: &[RunHead]) {
        for head in page {
            let taken = match head.state.cause {
                LiveCause::Turn => self.begin_in_turn(head.facts.id).await,
                _ => self.sweep_run(head).await,
            };
            if !taken {
                self.shared.behind.store(true, Ordering::Release);
                self.shared.backlog.notify_one();
                return;
            }
        }
    }

    /// False when there is no room for it.
    async fn sweep_run(&self, head: &RunHead) -> bool {
        let shared = &self.shared;
        let run = head.facts.id;
        if shared.is_active(run) || !shared.leases.owns(run) {
            return true;
        }
        match (head.state.cause, head.state.wake_at) {
            (LiveCause::Activity, _) | (LiveCause::Timer, None) => {}
            #[cfg(feature = "planted-bugs")]
            (LiveCause::Timer, _)
                if crate::planted::planted(crate::planted::Bug::TimerLostOnRestart) =>
            {
                return true;
            }
            // At its end, or something else than time takes it further.
            (LiveCause::Ended, _) | (_, None) => return true,
            (_, Some(at)) if at > shared.now() => {
                shared.sleeping.add(at, run);
                return true;
            }
            (_, Some(_)) => {}
        }
        match self.take_up(run, None).await {
            Ok(()) | Err(RecoverError::There | RecoverError::NotOurs) => true,
            Err(RecoverError::NoRoom) => false,
            Err(error) => {
                tracing::error!(%run, "a run cannot be taken up: {error}");
                self.set_aside(run, &error).await;
                true
            }
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
    page: VecDeque<RunHead>,
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
        self.page.is_empty() && self.ranges.is_empty()
    }
}
