//! Places in memory: which run has one, and who gets the next.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use qc_model::{RunId, TenantName, Timestamp};
use qc_store::{Priority, RunFacts, RunHead};
use tokio::sync::mpsc;

use super::{Backlog, Usage, backlog::Facts};
use crate::{
    command::Command,
    engine::{Place, Reserved, Shared},
};

/// So many more runs than `runs_max` may be in memory when people ask something of them: a full
/// house must not keep anybody from cancelling.
const ASKED_MAX: usize = 64;

/// Who has a place, and who waits for one.
#[derive(Debug)]
pub(crate) struct Places {
    taken: Mutex<Taken>,
    /// Those who wait.
    pub(crate) backlog: Backlog,
    /// Who waits is not known now: nobody may pass them by.
    pub(crate) unknown: AtomicBool,
    max: usize,
}

#[derive(Debug)]
struct Taken {
    runs: HashMap<RunId, Seat>,
    usage: Usage,
}

/// A run's place.
#[derive(Debug)]
struct Seat {
    mailbox: mpsc::Sender<Command>,
    /// Whose it is, when it counts for a tenant.
    tenant: TenantName,
    priority: Priority,
}

impl Places {
    pub(crate) fn new(max: usize) -> Self {
        let taken = Taken { runs: HashMap::new(), usage: Usage::new(max) };
        Self {
            taken: Mutex::new(taken),
            backlog: Backlog::default(),
            unknown: AtomicBool::new(false),
            max,
        }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        // A panic while the lock was held leaves a map that is still a map.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn len(&self) -> usize {
        self.taken().runs.len()
    }

    pub(crate) fn has(&self, run: RunId) -> bool {
        self.taken().runs.contains_key(&run)
    }

    /// The mailbox of a run in memory.
    pub(crate) fn mailbox(&self, run: RunId) -> Option<mpsc::Sender<Command>> {
        self.taken().runs.get(&run).map(|seat| seat.mailbox.clone())
    }

    /// Which runs are in memory.
    pub(crate) fn runs(&self) -> Vec<RunId> {
        self.taken().runs.keys().copied().collect()
    }

    /// A run's place is free again. How many are left.
    pub(crate) fn vacate(&self, run: RunId) -> usize {
        let mut taken = self.taken();
        if let Some(seat) = taken.runs.remove(&run) {
            taken.usage.leave(&seat.tenant, seat.priority);
        }
        let left = taken.runs.len();
        drop(taken);
        if self.backlog.len() > 0 || self.backlog.runs_low() {
            self.backlog.came.notify_one();
        }
        left
    }

    /// Lines a run up for a place.
    pub(crate) fn line_up(&self, facts: &RunFacts) {
        self.backlog.add(Facts::of(facts));
    }

    /// Lines a run up that is on disk: one that slept waits since it woke.
    pub(crate) fn line_up_again(&self, head: &RunHead, now: Timestamp) {
        let woke = head.state.wake_at.filter(|at| *at <= now);
        let facts = Facts::of(&head.facts);
        let since = woke.map_or(facts.since, |woke| woke.max(facts.since));
        self.backlog.add(Facts { since, ..facts });
    }

    /// Whether nobody of a new run's tenant waits for a place.
    pub(crate) fn may_begin(&self, tenant: &TenantName) -> bool {
        #[cfg(feature = "planted-bugs")]
        if crate::planted::planted(crate::planted::Bug::NoLine) {
            return true;
        }
        !self.unknown.load(Ordering::Acquire) && !self.backlog.holds(tenant)
    }
}

impl Shared {
    /// Takes a place in memory for a run.
    pub(crate) fn reserve(self: &Arc<Self>, facts: &RunFacts) -> Reserved {
        let mut taken = self.places.taken();
        self.seat(&mut taken, facts.id, &facts.tenant, facts.priority, false)
    }

    /// Takes a place for a run of which somebody asks something.
    pub(crate) fn reserve_asked(self: &Arc<Self>, facts: &RunFacts) -> Reserved {
        let mut taken = self.places.taken();
        self.seat(&mut taken, facts.id, &facts.tenant, facts.priority, true)
    }

    /// A place for whose turn it is. None: nobody waits, or there is no room for those who do.
    pub(crate) fn next_place(self: &Arc<Self>) -> Option<Place> {
        let mut taken = self.places.taken();
        loop {
            let usage = &taken.usage;
            let next = self.places.backlog.next(|tenant, priority| usage.fits(tenant, priority))?;
            let Facts { run, tenant, priority, .. } = &next;
            if let Reserved::Place(place) = self.seat(&mut taken, *run, tenant, *priority, false) {
                return Some(place);
            }
        }
    }

    fn seat(
        self: &Arc<Self>,
        taken: &mut Taken,
        run: RunId,
        tenant: &TenantName,
        priority: Priority,
        asked: bool,
    ) -> Reserved {
        #[cfg(feature = "planted-bugs")]
        if crate::planted::planted(crate::planted::Bug::LoadedTwice)
            && let Some(seat) = taken.runs.remove(&run)
        {
            taken.usage.leave(&seat.tenant, seat.priority);
        }
        if taken.runs.contains_key(&run) {
            return Reserved::There;
        }
        // Within the lock: once a group is being handed over, no run of it comes into memory.
        let Some(tenure) = self.leases.of(run).filter(|tenure| tenure.is_ours()) else {
            return Reserved::NotOurs;
        };
        let room = if asked {
            taken.runs.len() < self.places.max.saturating_add(ASKED_MAX)
        } else {
            taken.usage.fits(tenant, priority)
        };
        if !room {
            return Reserved::Full;
        }
        let (mailbox, commands) = mpsc::channel(8);
        taken.usage.enter(tenant, priority);
        taken.runs.insert(run, Seat { mailbox, tenant: tenant.clone(), priority });
        Reserved::Place(Place { mailbox: commands, tenure, shared: self.clone(), run })
    }
}
