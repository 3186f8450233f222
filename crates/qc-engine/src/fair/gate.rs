//! The gate that calls pass before anything is journaled of them: so many at once on this node, of a tenant, and to a
//! system. A call that has to wait was not sent and is not in doubt, whatever happens meanwhile.

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
use qc_pace::{Declared, Outcome, Said, breaker::Health};
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
            && self.all.of(tenant) < limits.per_tenant
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
        let Asks { share, declared, fresh, batch } = asks;
        let (granted, ticket) = oneshot::channel();
        let now = self.clock.now();
        let mut state = self.state();
        if let Some(declared) = declared {
            match self.nodes.load(Ordering::Relaxed) {
                0 | 1 => state.tempo.declare(&share.lane, declared),
                nodes => state.tempo.declare(&share.lane, &declared.shared_by(nodes)),
            }
        }
        let before = state.due;
        state.waiting.push(&share.clone(), Waiting { share, since: now, fresh, batch, granted });
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
            _ => Err(ticket),
        }
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

    /// Lets those go whose moment has come, for ever.
    pub(crate) async fn keep(self: &Arc<Self>) {
        let mut looked = self.clock.now();
        loop {
            let sooner = self.sooner.notified();
            let now = self.clock.now();
            let away = self.waits_for_the_away();
            if away && now.since(looked) >= AWAY_EVERY {
                looked = now;
                self.turn_away(now);
            }
            self.go_on();
            let due = self.state().due;
            // Never not at all: the clock of the machine may be a little ahead of ours.
            let pause = due.map(|due| due.since(self.clock.now()).max(Duration::from_millis(1)));
            let look = away.then_some(AWAY_EVERY);
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
mod tests {
    use qc_model::Name;

    use super::*;

    fn share(tenant: &str, lane: &str) -> Share {
        Share {
            tenant: Name::new(tenant).unwrap(),
            integration: Name::new("it").unwrap(),
            lane: lane.into(),
            key: "".into(),
            priority: Priority::Normal,
        }
    }

    struct Hand(std::sync::Mutex<Timestamp>);

    impl Hand {
        /// So much time passes, and whoever may go does.
        fn pass(&self, millis: u64, gate: &Arc<Gate>) {
            let mut now = self.0.lock().unwrap();
            *now = *now + Duration::from_millis(millis);
            drop(now);
            gate.go_on();
        }
    }

    impl Clock for Hand {
        fn now(&self) -> Timestamp {
            *self.0.lock().unwrap()
        }
    }

    fn gate_of(limits: GateLimits) -> Arc<Gate> {
        Gate::new(limits, Arc::new(Hand(std::sync::Mutex::new(Timestamp::from_millis(1)))))
    }

    fn asks(share: Share) -> Asks<'static> {
        Asks { share, declared: None, fresh: true, batch: None }
    }

    fn dealt(said: Said) -> Told {
        let (outcome, health) = (Outcome::Dealt, Health::Good);
        Told { outcome, health, said, requests: 1, failure: None, calls: 1 }
    }

    #[test]
    fn a_limit_is_shared_by_turns_and_a_stated_pause_holds_for_all() {
        let hand = Arc::new(Hand(std::sync::Mutex::new(Timestamp::from_millis(1_000_000))));
        let gate = Gate::new(GateLimits::default(), hand.clone());
        let pass = |millis: u64| hand.pass(millis, &gate);
        let declared = Declared { rates: vec![(10, Duration::from_secs(1))], concurrent: None };
        let ask = |tenant: &str| {
            let declared = Some(&declared);
            gate.pass(Asks { declared, ..asks(share(tenant, "x")) })
        };
        let mut first = ask("a").unwrap();
        let mut a = ask("a").unwrap_err();
        let mut more = ask("a").unwrap_err();
        let mut b = ask("b").unwrap_err();
        assert!(matches!(gate.why(&share("a", "x")), Some(Why::Pace(_))));
        pass(104);
        let Ok(Grant::Go(second)) = a.try_recv() else { panic!("its turn") };
        assert!(b.try_recv().is_err() && more.try_recv().is_err());
        pass(104);
        assert!(b.try_recv().is_ok(), "b does not wait for all of a");
        // A call is refused with a pause: nobody goes before it is over.
        let said = Said { retry_after: Some(Duration::from_secs(60)), ..Said::default() };
        let told = Told { outcome: Outcome::Throttled, ..dealt(said) };
        let (limit, until) = first.tell(&told).unwrap();
        assert_eq!((&*limit, until), ("x", Timestamp::from_millis(1_060_208)));
        drop((first, second));
        pass(59_999);
        assert!(more.try_recv().is_err());
        assert_eq!(gate.why(&share("c", "x")), Some(Why::Stated(until)));
        pass(1);
        assert!(more.try_recv().is_ok());
    }

    #[test]
    fn what_is_declared_is_divided_among_the_nodes_and_theirs_again_when_they_are_gone() {
        let hand = Arc::new(Hand(std::sync::Mutex::new(Timestamp::from_millis(1_000_000))));
        let gate = Gate::new(GateLimits::default(), hand.clone());
        let declared = Declared { rates: vec![(10, Duration::from_secs(1))], concurrent: None };
        let ask = || gate.pass(Asks { declared: Some(&declared), ..asks(share("a", "x")) });
        let next = || {
            let Some(Why::Pace(at)) = gate.why(&share("a", "x")) else { panic!("it waits") };
            at.since(Timestamp::from_millis(1_000_000)).as_millis()
        };
        gate.among(2);
        let _first = ask().unwrap();
        let _second = ask().unwrap_err();
        let of_two = next();
        gate.among(1);
        let _third = ask().unwrap_err();
        let alone = next();
        // Between calls lies the time that the declared rate says, less a little; with two that time once more.
        assert!((80..=104).contains(&alone), "{alone}");
        assert!((of_two - 106..=of_two - 100).contains(&alone), "{of_two}, alone {alone}");
    }

    fn batch(with: &str, most: usize) -> Batch {
        Batch { with: with.into(), most }
    }

    fn go(ticket: &mut Ticket) -> Option<Permit> {
        match ticket.try_recv() {
            Ok(Grant::Go(permit)) => Some(permit),
            _ => None,
        }
    }

    #[test]
    fn what_waits_behind_a_call_goes_along_and_is_one_departure() {
        let hand = Arc::new(Hand(std::sync::Mutex::new(Timestamp::from_millis(1_000_000))));
        let gate = Gate::new(GateLimits::default(), hand.clone());
        let pass = |millis: u64| hand.pass(millis, &gate);
        let declared = Declared { rates: vec![(1, Duration::from_secs(1))], concurrent: None };
        let ask = |tenant: &str, key: &str, with: Batch| {
            let share = Share { key: key.into(), ..share(tenant, "x") };
            gate.pass(Asks { declared: Some(&declared), batch: Some(with), ..asks(share) })
        };
        let mut first = ask("a", "1", batch("t", 3)).unwrap();
        assert!(first.seat().is_none(), "nobody waited");
        let mut t2 = ask("a", "2", batch("t", 3)).unwrap_err();
        let mut other = ask("a", "3", batch("u", 3)).unwrap_err();
        let mut behind = ask("a", "3", batch("t", 3)).unwrap_err();
        let gone = ask("a", "4", batch("t", 3)).unwrap_err();
        let mut t5 = ask("a", "5", batch("t", 3)).unwrap_err();
        let mut t6 = ask("a", "6", batch("t", 3)).unwrap_err();
        let mut t7 = ask("a", "7", batch("t", 3)).unwrap_err();
        let mut of_b = ask("b", "2", batch("t", 3)).unwrap_err();
        drop((gone, first));
        pass(1_040);
        let together = [&mut t2, &mut t5, &mut t6].map(|ticket| go(ticket).expect("goes along"));
        let stay = [&mut other, &mut behind, &mut t7, &mut of_b].map(|ticket| go(ticket).is_none());
        assert_eq!(stay, [true; 4], "another task, behind it, one too many, another tenant");
        assert_eq!(gate.numbers(), (3, 4));
        let group = together.iter().map(|permit| match &permit.departs {
            Departs::Together(group, Some(_)) => Arc::as_ptr(group),
            _ => panic!("it goes with others"),
        });
        let group: std::collections::BTreeSet<_> = group.collect();
        assert_eq!(group.len(), 1);
        // They are one departure: the next one goes after one second, and not after three.
        pass(1_040);
        assert!(go(&mut of_b).is_some());
        drop(together);
        let mut rest = Vec::new();
        for _ in 0..3 {
            pass(1_040);
            rest.extend([&mut other, &mut behind, &mut t7].map(go).into_iter().flatten());
        }
        assert_eq!((rest.len(), gate.numbers()), (3, (3, 0)));
    }

    #[test]
    fn one_at_a_time_tries_a_system_that_is_away() {
        let hand = Arc::new(Hand(std::sync::Mutex::new(Timestamp::from_millis(1_000_000))));
        let gate = Gate::new(GateLimits::default(), hand.clone());
        let failure = qc_model::Code::new("QC-N101");
        let failure = Failure::new(qc_model::Class::Dependency, failure, "It is away", "no answer");
        let failure = Some(Box::new(failure));
        let bad = Told { health: Health::Bad, failure, ..dealt(Said::default()) };
        let ask = || gate.pass(Asks { batch: Some(batch("t", 50)), ..asks(share("a", "x")) });
        for _ in 0..20 {
            ask().unwrap().tell(&bad);
        }
        let mut waiting: Vec<Ticket> = (0..10).map(|_| ask().unwrap_err()).collect();
        *hand.0.lock().unwrap() = Timestamp::from_millis(1_001_000);
        gate.go_on();
        let went: Vec<Permit> = waiting.iter_mut().filter_map(go).collect();
        assert_eq!(went.len(), 1);
        assert!(matches!(went[0].departs, Departs::Alone(_)));
    }

    #[test]
    fn each_that_is_tried_again_takes_of_the_budget() {
        let gate = gate_of(GateLimits::default());
        gate.shut(true);
        let again = || {
            let mut share = share("a", "x");
            share.lane.again = true;
            gate.pass(Asks { batch: Some(batch("t", 50)), ..asks(share) })
        };
        let mut waiting: Vec<Ticket> = (0..60).map(|_| again().unwrap_err()).collect();
        gate.shut(false);
        let went: Vec<Permit> = waiting.iter_mut().filter_map(go).collect();
        assert!((5..=15).contains(&went.len()), "{}", went.len());
    }

    #[test]
    fn nobody_goes_along_for_whom_there_is_no_room() {
        let gate = gate_of(GateLimits { calls: 100, per_tenant: 100, per_system: 3 });
        let ask = || gate.pass(Asks { batch: Some(batch("t", 50)), ..asks(share("a", "x")) });
        let held: Vec<Permit> = (0..3).map(|_| ask().unwrap()).collect();
        let mut waiting: Vec<Ticket> = (0..10).map(|_| ask().unwrap_err()).collect();
        drop(held);
        let went: Vec<Permit> = waiting.iter_mut().filter_map(go).collect();
        assert_eq!((went.len(), gate.numbers().0), (3, 3));
    }

    #[test]
    fn what_waits_long_for_a_system_that_does_not_answer_is_turned_away_unless_in_doubt() {
        let hand = Arc::new(Hand(std::sync::Mutex::new(Timestamp::from_millis(1_000_000))));
        let gate = Gate::new(GateLimits::default(), hand.clone());
        let code = qc_model::Code::new("QC-N101");
        let failure =
            Failure::new(qc_model::Class::Dependency, code.clone(), "It is away", "no answer");
        let failure = Some(Box::new(failure));
        let bad = Told { health: Health::Bad, failure, ..dealt(Said::default()) };
        for _ in 0..20 {
            gate.pass(asks(share("a", "x"))).unwrap().tell(&bad);
        }
        let mut fresh = gate.pass(asks(share("a", "x"))).unwrap_err();
        let mut doubtful = gate.pass(Asks { fresh: false, ..asks(share("a", "x")) }).unwrap_err();
        let mut other = gate.pass(asks(share("a", "y"))).unwrap();
        let since = Timestamp::from_millis(1_000_000);
        assert_eq!(gate.why(&share("a", "x")), Some(Why::Away(since)));
        gate.turn_away(since + Duration::from_millis(9_999));
        assert!(fresh.try_recv().is_err());
        gate.turn_away(since + PATIENCE);
        let Ok(Grant::Barred(failure)) = fresh.try_recv() else { panic!("turned away") };
        assert_eq!((failure.code, failure.applied), (code, qc_model::Applied::No));
        assert!(failure.detail.starts_with("the call was not sent: "), "{}", failure.detail);
        assert!(doubtful.try_recv().is_err(), "what may have been sent is not given up");
        assert_eq!((gate.counts().barred, gate.counts().open), (1, 1));
        assert_eq!(other.tell(&dealt(Said::default())), None);
    }

    #[test]
    fn a_system_takes_so_many_at_once_and_the_others_go_on() {
        let gate = gate_of(GateLimits { calls: 100, per_tenant: 100, per_system: 2 });
        let first = gate.pass(asks(share("a", "slow"))).unwrap();
        let second = gate.pass(asks(share("a", "slow"))).unwrap();
        let mut third = gate.pass(asks(share("a", "slow"))).unwrap_err();
        let other = gate.pass(asks(share("a", "fast"))).unwrap();
        assert_eq!(gate.numbers(), (3, 1));
        drop(first);
        let Ok(Grant::Go(third)) = third.try_recv() else { panic!("its turn") };
        assert_eq!(gate.numbers(), (3, 0));
        drop((second, third, other));
        assert_eq!(gate.numbers(), (0, 0));
        assert!(gate.state().systems.is_empty());
    }

    #[test]
    fn who_comes_later_waits_behind_its_own_and_takes_turns_with_others() {
        let gate = gate_of(GateLimits { calls: 1, per_tenant: 1, per_system: 1 });
        let permit = gate.pass(asks(share("a", "x"))).unwrap();
        let mut noisy: Vec<Ticket> =
            (0..100).map(|_| gate.pass(asks(share("a", "x"))).unwrap_err()).collect();
        let mut quiet = gate.pass(asks(share("b", "x"))).unwrap_err();
        drop(permit);
        let Ok(Grant::Go(permit)) = noisy[0].try_recv() else { panic!("its turn") };
        assert!(quiet.try_recv().is_err());
        drop(permit);
        assert!(quiet.try_recv().is_ok(), "b does not wait for all of a");
        assert_eq!(gate.numbers(), (1, 98));
    }

    #[test]
    fn a_shut_gate_holds_everybody_until_it_is_opened() {
        let gate = gate_of(GateLimits::default());
        let before = gate.pass(asks(share("a", "x"))).unwrap();
        gate.shut(true);
        let mut ticket = gate.pass(asks(share("a", "x"))).unwrap_err();
        drop(before);
        assert!(ticket.try_recv().is_err());
        gate.shut(false);
        assert!(ticket.try_recv().is_ok());
    }

    #[test]
    fn who_goes_away_takes_no_turn_also_when_many_do() {
        let gate = gate_of(GateLimits { calls: 1, per_tenant: 1, per_system: 1 });
        let permit = gate.pass(asks(share("a", "x"))).unwrap();
        let gone: Vec<Ticket> =
            (0..100_000).map(|_| gate.pass(asks(share("a", "x"))).unwrap_err()).collect();
        let mut stays = gate.pass(asks(share("a", "x"))).unwrap_err();
        drop(gone);
        drop(permit);
        assert!(stays.try_recv().is_ok());
        assert_eq!(gate.numbers(), (0, 0));
    }
}
