//! The engine's loops: it holds the lease, wakes sleeping runs, and takes up again every run that
//! has no reason to go on in memory. Recovery is this loop, not an act of starting.

use std::{sync::Arc, time::Duration};

use qc_store::{LiveCause, RunHead, StoreError};
use tokio::time::{sleep, timeout};

use crate::{Engine, accept::BUCKETS, recover::RecoverError};

/// Between two sweeps over the open runs.
const SWEEP_EVERY: Duration = Duration::from_secs(5);

/// How many runs one look at the store brings.
const PAGE: usize = 500;

/// The pause after the store failed to answer.
const STORE_AGAIN: Duration = Duration::from_millis(500);

/// The longest sleep of the waking loop.
const WAKE_AGAIN: Duration = Duration::from_secs(5);

impl Engine {
    /// Runs the engine until it is drained.
    pub async fn run(&self) {
        tokio::join!(self.hold_lease(), self.wake_sleepers(), self.sweep());
    }

    /// Stops: takes nothing new, lets calls in flight come to their end for up to `limit`, and
    /// leaves everything else to the next start.
    pub async fn drain(&self, limit: Duration) {
        self.shared.draining.send_replace(true);
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

    async fn drained(&self) {
        let mut draining = self.shared.draining.subscribe();
        // The sender lives as long as the engine.
        drop(draining.wait_for(|draining| *draining).await);
    }

    /// Holds the lease of all buckets while it can.
    async fn hold_lease(&self) {
        let shared = &self.shared;
        let ttl = shared.settings.lease_ttl;
        while !shared.is_draining() {
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
                    }
                    shared.lease.store(Arc::new(lease));
                }
                Err(error) => tracing::warn!("the lease cannot be renewed now: {error}"),
            }
            tokio::select! {
                () = sleep(ttl / 3) => {}
                () = self.drained() => {}
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
                    Ok(()) | Err(RecoverError::NoRoom) => {}
                    Err(error) => {
                        tracing::warn!(%run, "a sleeping run cannot be taken up now: {error}")
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
                () = self.drained() => return,
            }
        }
    }

    /// Looks at every open run, page by page, again and again.
    async fn sweep(&self) {
        loop {
            if self.shared.lease.load().is_some()
                && let Err(error) = self.sweep_once().await
            {
                tracing::warn!("the open runs cannot be read now: {error}");
                sleep(STORE_AGAIN).await;
            }
            tokio::select! {
                () = sleep(SWEEP_EVERY) => {}
                () = self.shared.backlog.notified() => {}
                () = self.drained() => return,
            }
        }
    }

    async fn sweep_once(&self) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let page = self.shared.store.open_runs(0..BUCKETS, after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.facts.id);
            for head in &page {
                if self.shared.is_draining() {
                    return Ok(());
                }
                if !self.sweep_run(head).await {
                    return Ok(());
                }
            }
        }
    }

    /// False when there is no room for more.
    async fn sweep_run(&self, head: &RunHead) -> bool {
        let shared = &self.shared;
        let run = head.facts.id;
        if shared.is_active(run) {
            return true;
        }
        let due = match (head.state.cause, head.state.wake_at) {
            (LiveCause::Ended, _) | (LiveCause::Parked, None) => return true,
            (LiveCause::Activity, _) => true,
            (LiveCause::Timer | LiveCause::Parked, Some(at)) if at > shared.now() => {
                shared.sleeping.add(at, run);
                false
            }
            (LiveCause::Timer | LiveCause::Parked, _) => true,
        };
        if !due {
            return true;
        }
        match self.take_up(run, None).await {
            Ok(()) => true,
            Err(RecoverError::NoRoom) => shared.is_active(run),
            Err(error) => {
                tracing::error!(%run, "a run cannot be taken up: {error}");
                true
            }
        }
    }
}
