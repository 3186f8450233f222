//! The engine's loops: it holds the lease, wakes sleeping runs, and takes up again every run that
//! has no reason to go on in memory. Recovery is this loop, not an act of starting.

use std::{
    collections::VecDeque,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use qc_model::{Actor, RunId, Timestamp};
use qc_store::{LiveCause, RunHead, StoreError};
use tokio::time::{Instant, sleep, timeout};

use crate::{Engine, accept::BUCKETS, command::Request, recover::RecoverError};

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
            self.hold_lease(),
            self.wake_sleepers(),
            self.sweep(),
            self.follow_signals(),
            self.keep_time(),
            self.follow_subscriptions()
        );
    }

    /// Stops: takes nothing new, lets calls in flight come to their end for up to `limit`, and
    /// leaves everything else to the next start.
    pub async fn drain(&self, limit: Duration) {
        self.shared.draining.send_replace(true);
        let shared = &self.shared;
        // Also when the caller gives the drain up: the lease is not held for ever.
        let _end = OnDrop(|| {
            shared.drained.send_replace(true);
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
        let mut draining = self.shared.draining.subscribe();
        // The sender lives as long as the engine.
        drop(draining.wait_for(|draining| *draining).await);
    }

    /// Holds the lease of all buckets while it can, to the end of the drain: what is in flight then
    /// is still to be journaled.
    async fn hold_lease(&self) {
        let shared = &self.shared;
        let ttl = shared.settings.lease_ttl;
        let mut drained = shared.drained.subscribe();
        while !*drained.borrow() {
            let held = shared.lease.load_full();
            let renewed = match held.as_ref() {
                Some(lease) => {
                    shared.store.renew(lease, ttl).await.map(|alive| alive.then(|| lease.clone()))
                }
                None => shared.store.lease(0..BUCKETS, &shared.settings.node, ttl).await,
            };
            match renewed {
                Ok(lease) => {
                    if lease.is_none() && held.is_some() {
                        tracing::error!("the lease of the run buckets was lost to another node");
                    }
                    if lease.is_some() && held.is_none() {
                        self.shared.backlog.notify_one();
                        self.shared.tail.wake();
                    }
                    shared.lease.store(Arc::new(lease));
                }
                Err(error) => tracing::warn!("the lease cannot be renewed now: {error}"),
            }
            tokio::select! {
                () = sleep(ttl / 3) => {}
                _ = drained.changed() => {}
            }
        }
    }

    /// Takes up runs whose time has come.
    async fn wake_sleepers(&self) {
        let shared = &self.shared;
        loop {
            let changed = shared.sleeping.changed.notified();
            let now = shared.now();
            for run in shared.sleeping.take_due(now) {
                match self.take_up(run, None).await {
                    // Without room the sweep takes it up later.
                    Ok(()) | Err(RecoverError::NoRoom | RecoverError::There) => {}
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
                () = sleep(pause) => {}
                () = changed => {}
                () = self.draining() => return,
            }
        }
    }

    /// Looks at every open run, page by page, again and again.
    async fn sweep(&self) {
        let mut round = Round::default();
        round.net.due = self.shared.now() + LOOK_EVERY;
        loop {
            let began = Instant::now();
            if self.shared.is_leased()
                && let Err(error) = self.go_round(&mut round).await
            {
                tracing::warn!("the open runs cannot be read now: {error}");
                sleep(STORE_AGAIN).await;
            }
            // A long list of sleeping runs must not keep the store busy.
            let pause = SWEEP_EVERY.max(began.elapsed().saturating_mul(SWEEP_SHARE));
            tokio::select! {
                () = sleep(pause) => {}
                () = self.shared.backlog.notified() => {}
                () = self.draining() => return,
            }
        }
    }

    /// Takes up what has to be taken up, from where the last round stopped for want of room.
    async fn go_round(&self, round: &mut Round) -> Result<(), StoreError> {
        if round.is_new() {
            self.shared.behind.store(false, Ordering::Release);
        }
        loop {
            let Some(head) = round.page.front() else {
                round.page =
                    self.shared.store.open_runs(0..BUCKETS, round.after, PAGE).await?.into();
                let Some(last) = round.page.back() else { break };
                round.after = Some(last.facts.id);
                continue;
            };
            if self.shared.is_draining() {
                return Ok(());
            }
            if round.net.wants(head, self.shared.now()) {
                let actor = Actor::platform("sweep");
                let asked = self.ask_for(head.facts.id, &Request::LookAgain, &actor).await;
                if let Err(error) = asked {
                    tracing::debug!(run = %head.facts.id, "a waiting run cannot be looked at now: {error}");
                }
            } else if !self.sweep_run(head).await {
                self.shared.behind.store(true, Ordering::Release);
                return Ok(());
            }
            round.page.pop_front();
        }
        round.net.round_over(self.shared.now());
        (round.page, round.after) = (VecDeque::new(), None);
        if self.shared.behind.load(Ordering::Acquire) {
            // Somebody lined up meanwhile, or was passed by before this round went on.
            self.shared.backlog.notify_one();
        }
        Ok(())
    }

    /// False when there is no room for it.
    async fn sweep_run(&self, head: &RunHead) -> bool {
        let shared = &self.shared;
        let run = head.facts.id;
        if shared.is_active(run) {
            return true;
        }
        match (head.state.cause, head.state.wake_at) {
            (LiveCause::Ended, _) => return true,
            (LiveCause::Activity, _) | (LiveCause::Timer, None) => {}
            // Something else than time takes it further.
            (_, None) => return true,
            (_, Some(at)) if at > shared.now() => {
                shared.sleeping.add(at, run);
                return true;
            }
            (_, Some(_)) => {}
        }
        match self.take_up(run, None).await {
            Ok(()) | Err(RecoverError::There) => true,
            Err(RecoverError::NoRoom) => false,
            Err(error) => {
                tracing::error!(%run, "a run cannot be taken up: {error}");
                self.set_aside(run, &error).await;
                true
            }
        }
    }
}

/// Does something when its scope ends, however that comes.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// A round over the open runs that may be interrupted and gone on with.
#[derive(Debug, Default)]
struct Round {
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
        self.page.is_empty() && self.after.is_none()
    }
}
