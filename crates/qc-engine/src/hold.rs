//! Holds what this node owns: renews its leases, says that it lives, looks at the others, takes and
//! hands over groups until every live node has its fair share. Decides nothing itself: `nodes` does.
//!
//! Each round asks the store a bounded number of things: one renewal of all leases, one
//! announcement, one look at nodes and one at leases, and at most [`TAKE_MAX`] takings.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use qc_store::{Lease, LeaseSeen, StoreError};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::{
    Engine,
    groups::{BUCKETS, GROUPS, buckets_of, group_of},
    nodes::{Holder, Mine, View, holders, plan},
    tenure::{Asked, Standing, Tenure},
};

/// So many groups are taken between two renewals.
const TAKE_MAX: usize = 16;

/// The pause after the store failed to answer.
const STORE_AGAIN: Duration = Duration::from_millis(500);

/// Two renewals that somebody waits for are at least so far apart.
const HURRY: Duration = Duration::from_millis(100);

/// A lease that runs out is looked at so long afterwards.
const RAN_OUT: Duration = Duration::from_millis(50);

impl Engine {
    /// Holds the leases to the end of the drain: what is in flight then is still to be journaled.
    pub(crate) async fn hold_leases(&self) {
        if self.shared.leases.is_alone() {
            self.hold_everything().await;
        } else {
            Hold::new(self).run().await;
        }
    }

    /// One lease of all buckets, for a store that nobody else can use.
    async fn hold_everything(&self) {
        let shared = &self.shared;
        let ttl = shared.settings.lease_ttl;
        let mut held: Option<Arc<Tenure>> = None;
        while !shared.drained.is_raised() {
            let renewed = match &held {
                Some(tenure) => shared
                    .store
                    .renew(std::slice::from_ref(&tenure.lease), ttl)
                    .await
                    .map(|answers| (answers == [true]).then(|| Arc::clone(tenure))),
                None => {
                    shared.store.lease(0..BUCKETS, &shared.settings.node, ttl).await.map(|lease| {
                        lease.map(|lease| {
                            Arc::new(Tenure::unbounded(lease, Arc::clone(&shared.clock)))
                        })
                    })
                }
            };
            match renewed {
                Ok(now) => {
                    if let (Some(before), None) = (&held, &now) {
                        tracing::error!("the lease of the run buckets was lost");
                        before.lose();
                    }
                    let taken = now.is_some() && held.is_none();
                    held = now;
                    if shared.is_draining()
                        && let Some(tenure) = &held
                    {
                        tenure.leave();
                    }
                    shared.leases.set(held.iter().cloned());
                    if taken {
                        shared.sweep_now.notify_one();
                        shared.news.wake();
                        shared.clockwork.notify_one();
                    }
                }
                Err(error) => tracing::warn!("the lease cannot be renewed now: {error}"),
            }
            tokio::select! {
                biased;
                () = shared.drained.raised() => {}
                () = sleep(ttl / 3) => {}
            }
        }
        if let Some(tenure) = held {
            tenure.lose();
            drop(timeout(ttl / 3, shared.store.release(std::slice::from_ref(&tenure.lease))).await);
        }
    }
}

/// A group that this node has.
struct Held {
    tenure: Arc<Tenure>,
    /// When it is given up although runs of it are in memory; set when it is being handed over.
    deadline: Option<Instant>,
}

/// The loop's own knowledge.
struct Hold<'a> {
    engine: &'a Engine,
    held: BTreeMap<u16, Held>,
    /// Since when the other nodes have been seen. None: since before this node's first look.
    seen: BTreeMap<String, Option<Instant>>,
    renew_at: Instant,
    look_at: Instant,
    renewed_at: Instant,
    release_at: Option<Instant>,
    /// When the store last did not answer: others may not have been able to renew either.
    failed_at: Option<Instant>,
}

impl<'a> Hold<'a> {
    fn new(engine: &'a Engine) -> Self {
        let now = Instant::now();
        Self {
            engine,
            held: BTreeMap::new(),
            seen: BTreeMap::new(),
            renew_at: now,
            look_at: now,
            renewed_at: now,
            release_at: None,
            failed_at: None,
        }
    }

    fn ttl(&self) -> Duration {
        self.engine.shared.settings.lease_ttl
    }

    async fn run(mut self) {
        let shared = Arc::clone(&self.engine.shared);
        while !shared.drained.is_raised() {
            let leaving = shared.is_draining();
            if leaving {
                self.leave_all();
            }
            if Instant::now() >= self.renew_at {
                self.renew().await;
            }
            if Instant::now() >= self.look_at {
                self.look().await;
            }
            self.let_go().await;
            let next = self.renew_at.min(self.look_at).min(self.next_release());
            tokio::select! {
                biased;
                () = shared.drained.raised() => {}
                () = shared.draining.raised(), if !leaving => self.look_at = Instant::now(),
                () = shared.leases.hurry.notified() => {
                    self.renew_at = self.renew_at.min(self.renewed_at + HURRY);
                }
                () = shared.leases.look.notified() => self.look_at = Instant::now(),
                () = shared.leases.emptied.notified() => {}
                () = sleep_until(next) => {}
            }
        }
        self.end().await;
    }

    /// When a group that is being handed over is looked at again by itself.
    fn next_release(&self) -> Instant {
        if let Some(again) = self.release_at {
            return again;
        }
        let deadlines = self.held.values().filter_map(|held| held.deadline);
        let far = Instant::now() + self.ttl();
        deadlines.min().unwrap_or(far)
    }

    /// Asks the store something, for a bounded time: one that hangs must not keep the others waiting.
    async fn ask<T>(
        &self,
        asking: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        timeout(self.ttl() / 3, asking).await.unwrap_or_else(|_| {
            Err(StoreError::Unavailable("the store did not answer in time".to_owned()))
        })
    }

    async fn renew(&mut self) {
        let shared = &self.engine.shared;
        self.held.retain(|_, held| !held.tenure.is_lost());
        self.renewed_at = Instant::now();
        self.renew_at = self.renewed_at + self.ttl() / 3;
        if self.held.is_empty() {
            return self.show();
        }
        let asked = Asked::now(&*shared.clock);
        let leases: Vec<Lease> = self.held.values().map(|held| held.tenure.lease.clone()).collect();
        match self.ask(shared.store.renew(&leases, self.ttl())).await {
            Ok(answers) => {
                let mut lost = 0;
                for (held, alive) in self.held.values().zip(answers) {
                    if alive {
                        held.tenure.extend(asked, self.ttl());
                    } else {
                        held.tenure.lose();
                        lost += 1;
                    }
                }
                if lost > 0 {
                    shared.leases.numbers.lost.fetch_add(lost, Ordering::Relaxed);
                    tracing::warn!(groups = lost, "groups of runs were lost to other nodes");
                    self.look_at = Instant::now();
                }
            }
            Err(error) => {
                self.renew_at = Instant::now() + STORE_AGAIN.min(self.ttl() / 3);
                self.failed_at = Some(Instant::now());
                tracing::warn!("the leases cannot be renewed now: {error}");
            }
        }
        self.held.retain(|_, held| !held.tenure.is_lost());
        self.show();
    }

    /// Makes known what this node has.
    fn show(&self) {
        self.engine.shared.leases.set(self.held.values().map(|held| Arc::clone(&held.tenure)));
    }

    async fn look(&mut self) {
        self.look_at = Instant::now() + self.ttl() / 3;
        if let Err(error) = self.look_around().await {
            self.look_at = Instant::now() + STORE_AGAIN.min(self.ttl() / 3);
            self.failed_at = Some(Instant::now());
            tracing::warn!("the other nodes cannot be seen now: {error}");
        }
    }

    async fn look_around(&mut self) -> Result<(), StoreError> {
        let shared = Arc::clone(&self.engine.shared);
        let me = &shared.settings.node;
        let going = shared.is_draining();
        let ttl = if going { Duration::ZERO } else { self.ttl() };
        self.ask(shared.store.announce(me, ttl)).await?;
        let mut nodes = self.ask(shared.store.nodes()).await?;
        let leases = self.ask(shared.store.leases()).await?;
        if going {
            // Another process may live under this name; this one does not count.
            nodes.retain(|node| node != me);
        }
        let settled = self.settled(&nodes);
        let holders = holders(&leases);
        let mine = self.mine();
        let view = View { me, nodes: &nodes, settled: &settled, holders: &holders, mine: &mine };
        let plan = plan(&view);
        let numbers = &shared.leases.numbers;
        numbers.nodes.store(nodes.len(), Ordering::Relaxed);
        shared.gate.among(nodes.len());
        self.look_when_one_runs_out(&leases);
        let deadline = Instant::now() + shared.settings.hand_over;
        for group in plan.give {
            if let Some(held) = self.held.get_mut(&group) {
                held.tenure.leave();
                held.deadline = Some(deadline);
            }
        }
        self.show();
        // After a time without the store the others get time to renew before anything is taken from them.
        let just_back = self.failed_at.is_some_and(|at| at.elapsed() < self.ttl() / 3);
        if !going && !just_back {
            self.take(&plan.take, &holders).await?;
        }
        numbers.looked.store(true, Ordering::Relaxed);
        Ok(())
    }

    async fn take(&mut self, groups: &[u16], holders: &[Holder]) -> Result<(), StoreError> {
        if groups.is_empty() {
            return Ok(());
        }
        let shared = Arc::clone(&self.engine.shared);
        let node = &shared.settings.node;
        let (mut taken, mut from) = (0, Vec::new());
        let mut trouble = Ok(());
        for group in groups.iter().take(TAKE_MAX) {
            if Instant::now() >= self.renew_at {
                self.look_at = self.renew_at;
                break;
            }
            let asked = Asked::now(&*shared.clock);
            match self.ask(shared.store.lease(buckets_of(*group), node, self.ttl())).await {
                Ok(None) => {}
                Ok(Some(lease)) => {
                    let (clock, hurry) =
                        (Arc::clone(&shared.clock), Arc::clone(&shared.leases.hurry));
                    let tenure = Tenure::renewed(lease, asked, self.ttl(), clock, hurry);
                    self.held.insert(*group, Held { tenure: Arc::new(tenure), deadline: None });
                    taken += 1;
                    if let Some(Holder::Nobody { before: Some(before) }) =
                        holders.get(usize::from(*group))
                    {
                        from.push(before.as_str());
                    }
                }
                Err(error) => {
                    trouble = Err(error);
                    break;
                }
            }
        }
        self.show();
        if groups.len() > TAKE_MAX && trouble.is_ok() {
            self.look_at = Instant::now();
        }
        if taken > 0 {
            let takeovers = u64::try_from(from.len()).unwrap_or(0);
            shared.leases.numbers.takeovers.fetch_add(takeovers, Ordering::Relaxed);
            from.sort_unstable();
            from.dedup();
            let from = from.join(", ");
            tracing::info!(taken, takeovers, %from, groups = self.held.len(), "took groups of runs");
            shared.sweep_now.notify_one();
            shared.news.wake();
            shared.clockwork.notify_one();
        }
        trouble
    }

    /// The nodes that have been seen for a while: whoever has just come is given nothing yet, so
    /// that one that cannot stay moves nothing.
    fn settled(&mut self, nodes: &[String]) -> Vec<String> {
        let now = Instant::now();
        let first = !self.engine.shared.leases.numbers.looked.load(Ordering::Relaxed);
        self.seen.retain(|node, _| nodes.contains(node));
        for node in nodes {
            self.seen.entry(node.clone()).or_insert((!first).then_some(now));
        }
        let me = &self.engine.shared.settings.node;
        let long = self.ttl() / 3;
        let settled = |(node, since): &(&String, &Option<Instant>)| {
            *node == me || since.is_none_or(|since| now.duration_since(since) >= long)
        };
        self.seen.iter().filter(settled).map(|(node, _)| node.clone()).collect()
    }

    fn mine(&self) -> Vec<Mine> {
        let runs = self.engine.shared.runs_by_group();
        (0..GROUPS)
            .map(|group| match self.held.get(&group).map(|held| held.tenure.standing()) {
                None | Some(Standing::Lost) => Mine::No,
                Some(Standing::Leaving) => Mine::Leaving,
                Some(Standing::Ours) => {
                    Mine::Owned { runs: runs.get(&group).copied().unwrap_or(0) }
                }
            })
            .collect()
    }

    /// A lease of another node that is not being renewed is looked at when it runs out.
    fn look_when_one_runs_out(&mut self, leases: &[LeaseSeen]) {
        let mine = |seen: &LeaseSeen| self.held.contains_key(&group_of(seen.lease.buckets.start));
        let next = leases
            .iter()
            .filter(|seen| !seen.left.is_zero() && !mine(seen))
            .map(|seen| seen.left)
            .min();
        if let Some(left) = next {
            self.look_at = self.look_at.min(Instant::now() + left + RAN_OUT);
        }
    }

    fn leave_all(&mut self) {
        for held in self.held.values_mut() {
            held.tenure.leave();
        }
        self.show();
    }

    /// Releases what is being handed over and is empty, or has had its time.
    async fn let_go(&mut self) {
        let now = Instant::now();
        if self.release_at.is_some_and(|at| at > now) {
            return;
        }
        self.release_at = None;
        let leaving = self.held.values().any(|held| held.tenure.standing() == Standing::Leaving);
        if !leaving {
            return;
        }
        let runs = self.engine.shared.runs_by_group();
        let mut empty = Vec::new();
        for (group, held) in &self.held {
            let over = held.deadline.is_some_and(|deadline| deadline <= now);
            if over && runs.contains_key(group) {
                tracing::warn!(
                    group,
                    "calls were still under way when a group was handed over; its next owner judges them by their effect class"
                );
                held.tenure.lose();
            }
            let gone = over || !runs.contains_key(group);
            if gone && held.tenure.standing() != Standing::Ours {
                empty.push(*group);
            }
        }
        if !empty.is_empty() && !self.release(&empty).await {
            self.release_at = Some(Instant::now() + STORE_AGAIN);
        }
    }

    /// Releases groups and tells the others.
    async fn release(&mut self, groups: &[u16]) -> bool {
        let shared = Arc::clone(&self.engine.shared);
        let leases: Vec<Lease> = groups
            .iter()
            .filter_map(|group| self.held.get(group))
            .map(|held| held.tenure.lease.clone())
            .collect();
        if let Err(error) = self.ask(shared.store.release(&leases)).await {
            tracing::warn!("groups of runs cannot be released now: {error}");
            return false;
        }
        for group in groups {
            if let Some(held) = self.held.remove(group) {
                held.tenure.lose();
            }
        }
        self.show();
        let count = u64::try_from(groups.len()).unwrap_or(0);
        shared.leases.numbers.handed_over.fetch_add(count, Ordering::Relaxed);
        tracing::info!(groups = count, left = self.held.len(), "handed groups of runs over");
        self.engine.post_look().await;
        true
    }

    /// The drain is over: whatever is left goes to the others now.
    async fn end(mut self) {
        for held in self.held.values() {
            held.tenure.lose();
        }
        let groups: Vec<u16> = self.held.keys().copied().collect();
        let shared = Arc::clone(&self.engine.shared);
        let node = &shared.settings.node;
        let told = self.ask(shared.store.announce(node, Duration::ZERO)).await.is_ok();
        let released = groups.is_empty() || self.release(&groups).await;
        if told && released {
            tracing::info!("all groups of runs were handed over");
        } else {
            tracing::warn!("the groups of runs go to the other nodes when their leases run out");
        }
    }
}
