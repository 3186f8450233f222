//! Limits of several nodes: what is used of them is in the store, and this node draws slices of it ([`Purses`]).

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use aws_lc_rs::digest::{Context, SHA256};
use qc_limit::{
    Ask, Decision, Quota, Standing,
    purse::{LEASE, Order, PurseKey, Purses, Taken},
};
use qc_store::{DRAWS_MAX, Draw, Store, StoreError};
use tokio::{sync::Notify, time::Instant};

use super::Live;

/// How often a request waits for a draw: when others have spent what was drawn for it so often, it is refused.
const ROUNDS: usize = 8;
/// How long it waits each time, and how long a draw may take.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often what lies unused is looked for: a few times in a lease.
const TENDING: Duration = Duration::from_millis(500);

/// This node's part of the limits that all nodes share.
pub(super) struct Shared {
    store: Arc<dyn Store>,
    /// This process, among all that draw.
    holder: u64,
    began: Instant,
    purses: Mutex<Purses>,
    /// A draw was answered.
    answered: Notify,
    /// There is something to draw.
    wanted: Notify,
    drawing: AtomicBool,
}

impl Shared {
    pub(super) fn new(store: Arc<dyn Store>, holder: u64) -> Arc<Self> {
        Arc::new(Self {
            store,
            holder,
            began: Instant::now(),
            purses: Mutex::default(),
            answered: Notify::new(),
            wanted: Notify::new(),
            drawing: AtomicBool::new(false),
        })
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX >> 2)
    }

    fn purses(&self) -> MutexGuard<'_, Purses> {
        self.purses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Decides over all limits at once. Asks the store only where this node has too little at hand.
    pub(super) async fn decide(
        self: &Arc<Self>,
        keys: &[PurseKey],
        asks: &[Ask],
    ) -> Result<Decision, StoreError> {
        for round in 0.. {
            let answered = self.answered.notified();
            tokio::pin!(answered);
            // Before the purses are looked at: an answer that comes in between is not missed.
            answered.as_mut().enable();
            let taken = self.take(keys, asks, round);
            self.go_on();
            match taken {
                Taken::Decided(decision) => return Ok(decision),
                Taken::Away => break,
                Taken::Wait => {
                    if tokio::time::timeout(PATIENCE, answered).await.is_err() {
                        break;
                    }
                }
            }
        }
        let why = "what is left of the limits that the nodes share cannot be asked for";
        Err(StoreError::Unavailable(why.to_owned()))
    }

    fn take(&self, keys: &[PurseKey], asks: &[Ask], round: usize) -> Taken {
        let (mut purses, now) = (self.purses(), self.now());
        let outrun = if round < ROUNDS { None } else { purses.outrun(keys, asks, now) };
        outrun.map_or_else(|| purses.take(keys, asks, now), Taken::Decided)
    }

    pub(super) fn give_back(self: &Arc<Self>, keys: &[PurseKey], asks: &[Ask]) {
        self.purses().give_back(keys, asks, self.now());
        self.go_on();
    }

    pub(super) fn look(&self, key: &PurseKey, quota: Quota) -> Standing {
        self.purses().look(key, quota, self.now())
    }

    /// Has somebody draw, while there is anything to draw or to give back. What was drawn is looked after by whoever drew
    /// it, who goes only when nothing of it is left.
    fn go_on(self: &Arc<Self>) {
        if !self.purses().has_due() {
            return;
        }
        self.wanted.notify_one();
        if !self.drawing.swap(true, Ordering::AcqRel) {
            let shared = Arc::clone(self);
            tokio::spawn(async move { shared.work().await });
        }
    }

    async fn work(&self) {
        let mut tended = Instant::now();
        loop {
            let now = self.now();
            let orders = self.purses().collect(DRAWS_MAX, now);
            if !orders.is_empty() {
                self.draw(&orders, now).await;
                continue;
            }
            if tended.elapsed() >= TENDING {
                tended = Instant::now();
                let mut purses = self.purses();
                purses.tend(now);
                if purses.is_quiet() {
                    // Under the lock: whoever wants something from now on sees that nobody draws.
                    self.drawing.store(false, Ordering::Release);
                    return;
                }
            }
            let _ = tokio::time::timeout(TENDING, self.wanted.notified()).await;
        }
    }

    async fn draw(&self, orders: &[Order], asked: u64) {
        let draws: Vec<Draw> = orders.iter().map(of).collect();
        let lease = Duration::from_nanos(LEASE);
        let drawn =
            tokio::time::timeout(PATIENCE, self.store.draw(self.holder, &draws, lease)).await;
        let drawn = match drawn {
            Ok(Ok(drawn)) => Some(drawn),
            Ok(Err(error)) => {
                tracing::warn!(%error, "limits that the nodes share cannot be asked for");
                None
            }
            Err(_) => {
                tracing::warn!("limits that the nodes share cannot be asked for in time");
                None
            }
        };
        let now = self.now();
        let mut purses = self.purses();
        for (at, order) in orders.iter().enumerate() {
            let answer = drawn.as_ref().and_then(|drawn| drawn.get(at));
            purses.deliver(order, answer.map(|drawn| (drawn.granted, drawn.ahead)), asked, now);
        }
        drop(purses);
        self.answered.notify_waiters();
    }
}

fn of(order: &Order) -> Draw {
    Draw {
        key: order.key,
        interval: order.quota.interval(),
        burst: order.quota.burst(),
        seq: order.seq,
        held: order.held,
        back: order.back,
        least: order.least,
        want: order.want,
    }
}

/// The same on every node, and of no length that senders choose. What is let in in the lesser way has a place of its own.
pub(super) fn key(live: &Live, who: &str, lesser: bool) -> PurseKey {
    let mut context = Context::new(&SHA256);
    let environment = live.environment.as_ref().map(ToString::to_string).unwrap_or_default();
    let integration = live.integration.as_ref().map(ToString::to_string).unwrap_or_default();
    let scope = live.rule.scope.as_str();
    let way = if lesser { "lesser" } else { "" };
    let place = [environment.as_str(), integration.as_str(), scope, live.name.as_str(), way, who];
    for text in place {
        context.update(&text.len().to_be_bytes());
        context.update(text.as_bytes());
    }
    let mut key = PurseKey::default();
    key.copy_from_slice(&context.finish().as_ref()[..16]);
    key
}

#[cfg(test)]
mod tests;
