//! The time for which this node owns some groups: from the lease's taking to its end. Everything
//! that is done for a run is done under one tenure; another one begins when the lease is taken anew.

use std::{future::Future, sync::Arc, task::Poll, time::Duration};

use qc_model::{Clock, Timestamp};
use qc_store::Lease;
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep_until},
};

use crate::tail::Tail;

/// How a tenure stands. It only goes on, never back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Standing {
    /// The groups are this node's.
    Ours,
    /// They are being handed over: no run of them is taken up, no further call of them is sent;
    /// what is in flight ends and is committed.
    Leaving,
    /// They are not, or not certainly, this node's any more: nothing is done for them.
    Lost,
}

/// Until when the lease certainly holds, by this machine's own clocks.
#[derive(Debug, Clone, Copy)]
struct Term {
    /// By the monotonic clock.
    until: Instant,
    /// The wall clock when it was asked for, and how long it may run by that one: a machine that
    /// slept has a monotonic clock that slept with it.
    asked_at: Timestamp,
    length: Duration,
}

/// One tenure.
pub(crate) struct Tenure {
    /// Under which its runs are committed.
    pub(crate) lease: Lease,
    /// How far the signals were read for its runs.
    pub(crate) tail: Arc<Tail>,
    standing: watch::Sender<Standing>,
    /// None: it cannot end without this process, because the store is not shared.
    term: Option<watch::Sender<Term>>,
    clock: Arc<dyn Clock>,
    /// Somebody waits for a renewal.
    hurry: Arc<Notify>,
}

/// When a lease was asked for, by both clocks: taken before the store is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    at: Instant,
    wall: Timestamp,
}

impl Asked {
    pub(crate) fn now(clock: &dyn Clock) -> Self {
        Self { at: Instant::now(), wall: clock.now() }
    }

    /// The term that follows, with a margin for clocks that do not run alike.
    fn term(self, ttl: Duration) -> Term {
        let length = ttl.saturating_sub(ttl / MARGIN);
        Term { until: self.at + length, asked_at: self.wall, length }
    }
}

/// The part of a lease's time that is not used.
const MARGIN: u32 = 5;

impl Tenure {
    /// One that lasts until this process gives it up.
    pub(crate) fn unbounded(lease: Lease, clock: Arc<dyn Clock>) -> Self {
        let standing = watch::Sender::new(Standing::Ours);
        let (tail, hurry) = (Arc::default(), Arc::default());
        Self { lease, tail, standing, term: None, clock, hurry }
    }

    /// One that lasts as long as it is renewed.
    pub(crate) fn renewed(
        lease: Lease,
        asked: Asked,
        ttl: Duration,
        clock: Arc<dyn Clock>,
        hurry: Arc<Notify>,
    ) -> Self {
        let term = Some(watch::Sender::new(asked.term(ttl)));
        let (tail, standing) = (Arc::default(), watch::Sender::new(Standing::Ours));
        Self { lease, tail, standing, term, clock, hurry }
    }

    /// The lease was renewed.
    pub(crate) fn extend(&self, asked: Asked, ttl: Duration) {
        if let Some(term) = &self.term {
            term.send_replace(asked.term(ttl));
        }
    }

    pub(crate) fn standing(&self) -> Standing {
        *self.standing.borrow()
    }

    pub(crate) fn is_ours(&self) -> bool {
        self.standing() == Standing::Ours
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.standing() == Standing::Lost
    }

    /// For who wants to hear of every change.
    pub(crate) fn watch(&self) -> watch::Receiver<Standing> {
        self.standing.subscribe()
    }

    /// It is being handed over from now on.
    pub(crate) fn leave(&self) {
        self.go_on_to(Standing::Leaving);
    }

    /// It is over.
    pub(crate) fn lose(&self) {
        self.go_on_to(Standing::Lost);
    }

    fn go_on_to(&self, next: Standing) {
        self.standing.send_if_modified(|standing| {
            let goes_on = *standing < next;
            *standing = next.max(*standing);
            goes_on
        });
    }

    /// Whether the lease holds without any doubt at this moment: nobody else can have it.
    pub(crate) fn is_certain(&self) -> bool {
        let in_term = self.term.as_ref().is_none_or(|term| {
            let term = *term.borrow();
            Instant::now() < term.until && self.clock.now().since(term.asked_at) < term.length
        });
        in_term && !self.is_lost()
    }

    /// Waits until the lease holds without any doubt. False: it is lost.
    pub(crate) async fn certain(&self) -> bool {
        if self.is_certain() {
            return true;
        }
        let mut standing = self.standing.subscribe();
        loop {
            if *standing.borrow_and_update() == Standing::Lost {
                return false;
            }
            let Some(term) = &self.term else { return true };
            let mut term = term.subscribe();
            if self.is_certain() {
                return true;
            }
            self.hurry.notify_one();
            tokio::select! {
                _ = standing.changed() => {}
                _ = term.changed() => {}
            }
        }
    }

    /// Waits until it is known how far the signals were read for the runs. False: the groups are being handed over before.
    pub(crate) async fn can_wait(&self) -> bool {
        let (mut begun, mut standing) = (self.tail.begun(), self.standing.subscribe());
        loop {
            if *begun.borrow_and_update() {
                return true;
            }
            if *standing.borrow_and_update() != Standing::Ours {
                return false;
            }
            tokio::select! {
                _ = begun.changed() => {}
                _ = standing.changed() => {}
            }
        }
    }

    /// Ends when the lease does not hold without doubt any more. Looks at the clocks whenever it
    /// is polled: after a sleep of the whole process it is the first to know.
    pub(crate) async fn doubted(&self) {
        loop {
            if !self.is_certain() {
                return;
            }
            let Some(term) = &self.term else {
                return std::future::pending().await;
            };
            let until = term.borrow().until;
            let mut sleep = std::pin::pin!(sleep_until(until));
            std::future::poll_fn(|context| {
                if self.is_certain() { sleep.as_mut().poll(context) } else { Poll::Ready(()) }
            })
            .await;
        }
    }
}
