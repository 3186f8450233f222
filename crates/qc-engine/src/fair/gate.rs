//! The gate that calls pass before anything is journaled of them: so many at once on this node, of a tenant, and to a
//! system. A call that has to wait was not sent and is not in doubt, whatever happens meanwhile.

mod beside;
mod later;
mod stands;

pub(crate) use beside::OnceMore;
pub use stands::{Pace, Paces, SystemStanding};

use std::{
    cell::Cell,
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use qc_model::{Clock, Failure, TenantName, Timestamp};
use qc_pace::{Declared, Outcome, Said, Spent, breaker::Health};
use qc_store::Priority;
use tokio::sync::{Notify, oneshot};

use crate::together::{Group, Seat};

use super::{
    Counts, Lane, Robin, Share, Told, Usage, Why,
    tempo::{Gone, Tempo},
};

/// A call to a system that does not answer waits for so long; then it is turned away, and its run says what happens
/// without that system.
const PATIENCE: Duration = Duration::from_secs(10);
/// It is looked that often who waited so long.
const AWAY_EVERY: Duration = Duration::from_millis(500);

/// How many calls may be in flight at once, on one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GateLimits {
    /// Of all.
    pub calls: usize,
    /// Of one tenant; that no tenant takes all of the others' room is seen to besides.
    pub per_tenant: usize,
    /// To one system in one environment: a connector, or a host.
    pub per_system: usize,
}

impl Default for GateLimits {
    fn default() -> Self {
        Self { calls: 4_000, per_tenant: 2_000, per_system: 1_000 }
    }
}

/// The gate. Its queue is as long as the runs in memory have calls: each waits with its run.
pub(crate) struct Gate {
    limits: GateLimits,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// How many nodes call the same systems: what is declared of them is divided among these.
    nodes: AtomicU32,
    /// Somebody waits for a moment that may be earlier than the one that was known.
    sooner: Notify,
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gate").field("limits", &self.limits).finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct State {
    all: Usage,
    systems: HashMap<Arc<str>, Usage>,
    waiting: Robin<Waiting>,
    tempo: Tempo,
    /// When somebody may go who waits for a moment, as it was seen last.
    due: Option<Timestamp>,
    /// Nobody passes.
    shut: bool,
}

#[derive(Debug)]
struct Waiting {
    share: Share,
    since: Timestamp,
    /// Nothing of it was sent: it may be turned away.
    fresh: bool,
    /// It may wait elsewhere when it waits for long.
    patient: bool,
    batch: Option<Batch>,
    granted: oneshot::Sender<Grant>,
}

/// The right to have one call in flight. Dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Permit {
    gate: Arc<Gate>,
    share: Share,
    departs: Departs,
}

/// In which request a call goes.
enum Departs {
    /// In its own.
    Alone(Option<Gone>),
    /// In one with others; its seat there until it takes it.
    Together(Arc<Group>, Option<Seat>),
}

impl std::fmt::Debug for Departs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Alone(_) => "Alone",
            Self::Together(..) => "Together",
        })
    }
}

/// The departure of a request in which several go, as it was counted. Dropped without what became of it, it tells that nothing is known.
pub(crate) struct Counted {
    gate: Arc<Gate>,
    share: Share,
    gone: Option<Gone>,
}

/// With which calls one goes in one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Batch {
    /// With those that name the same.
    pub(crate) with: Arc<str>,
    /// At most so many.
    pub(crate) most: usize,
}

/// Whose turn it is.
struct Next {
    first: Waiting,
    gone: Gone,
    /// Who goes in the same request.
    others: Vec<Waiting>,
}

/// What comes of waiting.
#[derive(Debug)]
pub(crate) enum Grant {
    /// The call goes.
    Go(Permit),
    /// It does not, as its system does not answer: it fails as those did that were sent.
    Barred(Box<Failure>),
    /// It waits for longer than it is to do here: it comes again then.
    Later(Box<Later>),
}

/// Until when a call waits elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Later {
    pub(crate) until: Timestamp,
    /// Why, in words.
    pub(crate) why: String,
}

impl Grant {
    /// A place whose wait is over already.
    pub(crate) fn at_once(self) -> Ticket {
        let (granted, ticket) = oneshot::channel();
        drop(granted.send(self));
        ticket
    }
}

/// A place in the queue. Dropping it gives it up.
pub(crate) type Ticket = oneshot::Receiver<Grant>;

/// A call that asks for its turn.
#[derive(Debug)]
pub(crate) struct Asks<'a> {
    pub(crate) share: Share,
    /// What its release declares of the limit.
    pub(crate) declared: Option<&'a Declared>,
    /// Nothing of it was sent.
    pub(crate) fresh: bool,
    /// When it waits for long, it may wait elsewhere and come again.
    pub(crate) patient: bool,
    /// With whom it goes in one request; None: it goes alone.
    pub(crate) batch: Option<Batch>,
}

impl State {
    /// Why somebody may not go; None: may.
    fn bars(
        &self,
        limits: &GateLimits,
        (tenant, lane, priority): (&TenantName, &Lane, Priority),
        now: Timestamp,
    ) -> Option<Why> {
        let room = self.has_room(limits, (tenant, lane, priority));
        if room { self.tempo.bars(tenant, lane, now) } else { Some(Why::Room) }
    }

    fn has_room(
        &self,
        limits: &GateLimits,
        (tenant, lane, priority): (&TenantName, &Lane, Priority),
    ) -> bool {
        let system = self.systems.get(&lane.system);
        self.all.fits(tenant, priority)
            && self.all.of(tenant, priority) < limits.per_tenant
            && system.is_none_or(|system| system.fits(tenant, priority))
    }

    /// Who waits and goes in the same request, taken out of the queue and counted.
    fn along(&mut self, first: &Waiting, limits: &GateLimits, now: Timestamp) -> Vec<Waiting> {
        let mut others = Vec::new();
        let Some(batch) = &first.batch else { return others };
        let share = &first.share;
        let asks = (&share.tenant, &share.lane, share.priority);
        while others.len() + 1 < batch.most
            && self.has_room(limits, asks)
            && self.tempo.lets_along(share, now)
        {
            let like = self.waiting.pop_like(share, |one| one.batch.as_ref() == Some(batch));
            let Some(one) = like else { break };
            if !one.granted.is_closed() {
                self.enter(&one.share, limits);
                self.tempo.goes_along(&one.share, now);
                others.push(one);
            }
        }
        others
    }

    fn enter(&mut self, share: &Share, limits: &GateLimits) {
        self.all.enter(&share.tenant, share.priority);
        let system = self.systems.entry(share.lane.system.clone());
        let system = system.or_insert_with(|| Usage::new(limits.per_system));
        system.enter(&share.tenant, share.priority);
    }

    fn leave(&mut self, share: &Share) {
        self.all.leave(&share.tenant, share.priority);
        if let Some(system) = self.systems.get_mut(&share.lane.system) {
            system.leave(&share.tenant, share.priority);
            if system.is_empty() {
                self.systems.remove(&share.lane.system);
            }
        }
    }

    /// Whoever may go now, taken out of the queue and counted.
    fn next(&mut self, limits: &GateLimits, now: Timestamp) -> Option<Next> {
        while !self.shut {
            let mut waiting = std::mem::take(&mut self.waiting);
            let due: Cell<Option<Timestamp>> = Cell::new(None);
            let next = waiting.pop(|tenant, lane, priority| {
                let Some(why) = self.bars(limits, (tenant, lane, priority), now) else {
                    return true;
                };
                let at = self.tempo.next(lane, why, now);
                due.set(due.get().into_iter().chain(at).min());
                false
            });
            self.waiting = waiting;
            let Some(next) = next else {
                // All lanes were asked.
                self.due = due.get();
                return None;
            };
            // Who went away meanwhile takes no turn.
            if !next.granted.is_closed() {
                self.enter(&next.share, limits);
                let gone = self.tempo.depart(&next.share, now);
                let others = self.along(&next, limits, now);
                return Some(Next { first: next, gone, others });
            }
        }
        self.due = None;
        None
    }
}

impl Gate {
    pub(crate) fn new(limits: GateLimits, clock: Arc<dyn Clock>) -> Arc<Self> {
        let state = State {
            all: Usage::new(limits.calls),
            systems: HashMap::new(),
            waiting: Robin::default(),
            tempo: Tempo::default(),
            due: None,
            shut: false,
        };
        let nodes = AtomicU32::new(1);
        Arc::new(Self { limits, clock, state: Mutex::new(state), nodes, sooner: Notify::new() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// So many nodes call the same systems.
    pub(crate) fn among(&self, nodes: usize) {
        self.nodes.store(u32::try_from(nodes).unwrap_or(u32::MAX), Ordering::Relaxed);
    }

    /// Calls in flight, and calls that wait for their turn. Those that were given up meanwhile leave the queue.
    pub(crate) fn numbers(&self) -> (usize, usize) {
        let mut state = self.state();
        state.waiting.take_out(|one| one.granted.is_closed());
        (state.all.total(), state.waiting.len())
    }

    /// What was counted of the tempo.
    pub(crate) fn counts(&self) -> Counts {
        self.state().tempo.counts()
    }

    /// Shuts the gate: nobody passes until it is opened again. What is in flight is not touched.
    pub(crate) fn shut(self: &Arc<Self>, shut: bool) {
        self.state().shut = shut;
        self.go_on();
    }

    /// Lets a call pass at once, or gives it its place in the queue.
    pub(crate) fn pass(self: &Arc<Self>, asks: Asks<'_>) -> Result<Permit, Ticket> {
        let Asks { share, declared, fresh, patient, batch } = asks;
        let (granted, ticket) = oneshot::channel();
        let now = self.clock.now();
        let mut state = self.state();
        if let Some(declared) = declared {
            self.declare(&mut state, &share.lane, declared, now);
        }
        let before = state.due;
        let waiting = Waiting { share, since: now, fresh, patient, batch, granted };
        state.waiting.push(&waiting.share.clone(), waiting);
        let next = state.next(&self.limits, now);
        let sooner = state.due.is_some_and(|due| before.is_none_or(|before| due < before));
        drop(state);
        if sooner {
            self.sooner.notify_one();
        }
        // Whoever waited longer goes first; then it is the turn of the next one, too.
        if let Some(next) = next {
            self.grant(next);
            self.go_on();
        }
        let mut ticket = ticket;
        match ticket.try_recv() {
            Ok(Grant::Go(permit)) => Ok(permit),
            Ok(other) => Err(other.at_once()),
            Err(_) => Err(ticket),
        }
    }

    /// What a release declares of a limit: this node's part of it.
    fn declare(&self, state: &mut State, lane: &Lane, declared: &Declared, now: Timestamp) {
        let nodes = self.nodes.load(Ordering::Relaxed).max(1);
        state.tempo.declare(lane, declared, nodes, now);
    }

    /// The calls that went in long windows since this was asked last, by limit.
    pub(crate) fn tell_spent(&self) -> Vec<(Arc<str>, Vec<Spent>)> {
        self.state().tempo.tell_spent(self.clock.now())
    }

    /// What was to be told could not be.
    pub(crate) fn not_told(&self, limit: &Arc<str>, spent: &[Spent]) {
        self.state().tempo.not_told(limit, spent);
    }

    /// What all nodes together have sent in long windows of a limit.
    pub(crate) fn know_spent(&self, limit: &Arc<str>, spent: Vec<Spent>) {
        self.state().tempo.know_spent(limit, spent, self.clock.now());
    }

    /// Why a call may not go now.
    pub(crate) fn why(&self, share: &Share) -> Option<Why> {
        let asks = (&share.tenant, &share.lane, share.priority);
        self.state().bars(&self.limits, asks, self.clock.now())
    }

    /// A limit at which nothing is to be sent before a moment, as is known from elsewhere.
    pub(crate) fn hold(&self, limit: &Arc<str>, until: Timestamp) {
        self.state().tempo.hold(limit, until);
    }

    fn grant(self: &Arc<Self>, next: Next) {
        let Next { first, gone, others } = next;
        let go = |one: Waiting, departs| {
            let permit = Permit { gate: self.clone(), share: one.share, departs };
            // Whoever has gone away in this moment gives it back by that.
            drop(one.granted.send(Grant::Go(permit)));
        };
        if others.is_empty() {
            return go(first, Departs::Alone(Some(gone)));
        }
        let share = first.share.clone();
        let counted = Counted { gate: self.clone(), share, gone: Some(gone) };
        let (group, seats) = Group::of(Some(counted), 1 + others.len());
        for (one, seat) in std::iter::once(first).chain(others).zip(seats) {
            go(one, Departs::Together(group.clone(), Some(seat)));
        }
    }

    /// What became of a request.
    fn answered(&self, share: &Share, gone: Gone, told: &Told) -> Option<(Arc<str>, Timestamp)> {
        let now = self.clock.now();
        let until = self.state().tempo.answered(share, gone, told, now)?;
        Some((share.lane.limit.clone(), until))
    }

    /// A request that nobody tells anything of any more.
    fn lost(&self, share: &Share, gone: Gone) {
        let (outcome, health) = (Outcome::Unknown, Health::Unknown);
        let said = Said::default();
        let told = Told { outcome, health, said, requests: 0, failure: None, calls: 0 };
        self.answered(share, gone, &told);
    }

    /// Lets those go who may.
    pub(crate) fn go_on(self: &Arc<Self>) {
        let now = self.clock.now();
        loop {
            let mut state = self.state();
            let before = state.due;
            let next = state.next(&self.limits, now);
            let sooner = state.due.is_some_and(|due| before.is_none_or(|before| due < before));
            drop(state);
            if sooner {
                self.sooner.notify_one();
            }
            let Some(next) = next else { return };
            self.grant(next);
        }
    }

    /// Turns away whoever waited long enough for a system that does not answer.
    fn turn_away(&self, now: Timestamp) {
        let mut state = self.state();
        let State { waiting, tempo, .. } = &mut *state;
        let barred = waiting.take_out(|one| {
            one.fresh && tempo.turns_away(&one.share.lane, now.since(one.since), PATIENCE)
        });
        for one in barred {
            tempo.turned_away();
            if let Some(failure) = tempo.failure(&one.share.lane) {
                // Whoever has gone away needs no answer.
                drop(one.granted.send(Grant::Barred(failure)));
            }
        }
    }

    /// Whether somebody waits while a system does not answer.
    fn waits_for_the_away(&self) -> bool {
        let state = self.state();
        state.waiting.len() > 0 && state.tempo.any_away()
    }

    /// Lets those go whose moment has come, for ever. `crowded`: others wait for the places that those have who wait here.
    pub(crate) async fn keep(self: &Arc<Self>, crowded: impl Fn() -> bool) {
        let (mut looked, mut put_off) = (self.clock.now(), self.clock.now());
        loop {
            let sooner = self.sooner.notified();
            let now = self.clock.now();
            let away = self.waits_for_the_away();
            if away && now.since(looked) >= AWAY_EVERY {
                looked = now;
                self.turn_away(now);
            }
            if now.since(put_off) >= later::LOOK_EVERY {
                put_off = now;
                self.put_off(crowded(), now);
            }
            self.go_on();
            let due = self.state().due;
            // Never not at all: the clock of the machine may be a little ahead of ours.
            let pause = due.map(|due| due.since(self.clock.now()).max(Duration::from_millis(1)));
            let look = away.then_some(AWAY_EVERY).or(due.map(|_| later::LOOK_EVERY));
            match pause.into_iter().chain(look).min() {
                Some(pause) => tokio::select! {
                    biased;
                    () = sooner => {}
                    () = tokio::time::sleep(pause) => {}
                },
                None => sooner.await,
            }
        }
    }
}

impl Permit {
    /// Whether nothing was told of its departure.
    pub(crate) fn is_untold(&self) -> bool {
        matches!(self.departs, Departs::Alone(Some(_)))
    }

    /// The place of the call in the request that it goes in with others, to be taken or given up.
    pub(crate) fn seat(&mut self) -> Option<Seat> {
        match &mut self.departs {
            Departs::Alone(_) => None,
            Departs::Together(_, seat) => seat.take(),
        }
    }

    /// What became of the call, when it went in a request of its own. Until when the other side wants no more of them,
    /// when it says so; with the name of the limit.
    pub(crate) fn tell(&mut self, told: &Told) -> Option<(Arc<str>, Timestamp)> {
        let gone = match &mut self.departs {
            Departs::Alone(gone) => gone.take()?,
            Departs::Together(..) if told.requests == 0 => return None,
            // It went alone after all: in the place of the others, or beside them, and then it is counted now.
            Departs::Together(group, _) => match group.take_counted() {
                Some(counted) => return counted.tell(told),
                None => self.gate.state().tempo.departs(&self.share, self.gate.clock.now()),
            },
        };
        self.gate.answered(&self.share, gone, told)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Departs::Alone(Some(gone)) =
            std::mem::replace(&mut self.departs, Departs::Alone(None))
        {
            self.gate.lost(&self.share, gone);
        }
        self.gate.state().leave(&self.share);
        self.gate.go_on();
    }
}

impl Counted {
    /// A departure, now.
    pub(crate) fn now(gate: &Arc<Gate>, share: &Share) -> Self {
        let gone = gate.state().tempo.departs(share, gate.clock.now());
        Self { gate: gate.clone(), share: share.clone(), gone: Some(gone) }
    }

    /// One more departure of the same, now.
    pub(crate) fn another(&self) -> Self {
        Self::now(&self.gate, &self.share)
    }

    /// What became of it, as [`Permit::tell`] tells it.
    pub(crate) fn tell(mut self, told: &Told) -> Option<(Arc<str>, Timestamp)> {
        self.gate.answered(&self.share, self.gone.take()?, told)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if let Some(gone) = self.gone.take() {
            self.gate.lost(&self.share, gone);
            self.gate.go_on();
        }
    }
}

#[cfg(test)]
mod tests;
