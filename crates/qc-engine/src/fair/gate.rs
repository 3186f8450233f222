//! The gate that calls pass before anything is journaled of them: so many at once on this node, of a tenant, and to a
//! system. A call that has to wait was not sent and is not in doubt, whatever happens meanwhile.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use qc_model::TenantName;
use qc_store::Priority;
use tokio::sync::oneshot;

use super::{Robin, Share, Usage};

/// The system that a call goes to, as the gate counts it.
pub(crate) type Lane = Arc<str>;

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
#[derive(Debug)]
pub(crate) struct Gate {
    limits: GateLimits,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    all: Usage,
    lanes: HashMap<Lane, Usage>,
    waiting: Robin<Waiting>,
    /// Nobody passes.
    shut: bool,
}

#[derive(Debug)]
struct Waiting {
    share: Share,
    granted: oneshot::Sender<Permit>,
}

/// The right to have one call in flight. Dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Permit {
    gate: Arc<Gate>,
    share: Share,
}

/// A place in the queue. Dropping it gives it up.
pub(crate) type Ticket = oneshot::Receiver<Permit>;

impl State {
    fn fits(
        all: &Usage,
        lanes: &HashMap<Lane, Usage>,
        limits: &GateLimits,
        tenant: &TenantName,
        lane: &Lane,
        priority: Priority,
    ) -> bool {
        let lane = lanes.get(lane);
        all.fits(tenant, priority)
            && all.of(tenant) < limits.per_tenant
            && lane.is_none_or(|lane| lane.fits(tenant, priority))
    }

    fn enter(&mut self, share: &Share, limits: &GateLimits) {
        self.all.enter(&share.tenant, share.priority);
        let lane = self.lanes.entry(share.lane.clone());
        let lane = lane.or_insert_with(|| Usage::new(limits.per_system));
        lane.enter(&share.tenant, share.priority);
    }

    fn leave(&mut self, share: &Share) {
        self.all.leave(&share.tenant, share.priority);
        if let Some(lane) = self.lanes.get_mut(&share.lane) {
            lane.leave(&share.tenant, share.priority);
            if lane.is_empty() {
                self.lanes.remove(&share.lane);
            }
        }
    }

    /// Whoever may go now, taken out of the queue and counted.
    fn next(&mut self, limits: &GateLimits) -> Option<Waiting> {
        while !self.shut {
            let Self { all, lanes, waiting, .. } = self;
            let next = waiting.pop(|tenant, lane, priority| {
                Self::fits(all, lanes, limits, tenant, lane, priority)
            })?;
            // Who went away meanwhile takes no turn.
            if !next.granted.is_closed() {
                self.enter(&next.share, limits);
                return Some(next);
            }
        }
        None
    }
}

impl Gate {
    pub(crate) fn new(limits: GateLimits) -> Arc<Self> {
        let state = State {
            all: Usage::new(limits.calls),
            lanes: HashMap::new(),
            waiting: Robin::default(),
            shut: false,
        };
        Arc::new(Self { limits, state: Mutex::new(state) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls in flight, and calls that wait for their turn.
    pub(crate) fn numbers(&self) -> (usize, usize) {
        let state = self.state();
        (state.all.total(), state.waiting.len())
    }

    /// Shuts the gate: nobody passes until it is opened again. What is in flight is not touched.
    pub(crate) fn shut(self: &Arc<Self>, shut: bool) {
        self.state().shut = shut;
        self.go_on();
    }

    /// Lets a call pass at once, or gives it its place in the queue.
    pub(crate) fn pass(self: &Arc<Self>, share: Share) -> Result<Permit, Ticket> {
        let (granted, ticket) = oneshot::channel();
        let mut state = self.state();
        state.waiting.push(&share.clone(), Waiting { share, granted });
        let next = state.next(&self.limits);
        drop(state);
        // Whoever waited longer goes first; then it is the turn of the next one, too.
        if let Some(next) = next {
            self.grant(next);
            self.go_on();
        }
        let mut ticket = ticket;
        ticket.try_recv().map_err(|_| ticket)
    }

    fn grant(self: &Arc<Self>, next: Waiting) {
        let permit = Permit { gate: self.clone(), share: next.share };
        // Whoever has gone away in this moment gives it back by that.
        drop(next.granted.send(permit));
    }

    fn go_on(self: &Arc<Self>) {
        loop {
            let next = self.state().next(&self.limits);
            let Some(next) = next else { return };
            self.grant(next);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.gate.state().leave(&self.share);
        self.gate.go_on();
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

    #[test]
    fn a_system_takes_so_many_at_once_and_the_others_go_on() {
        let gate = Gate::new(GateLimits { calls: 100, per_tenant: 100, per_system: 2 });
        let first = gate.pass(share("a", "slow")).unwrap();
        let second = gate.pass(share("a", "slow")).unwrap();
        let mut third = gate.pass(share("a", "slow")).unwrap_err();
        let other = gate.pass(share("a", "fast")).unwrap();
        assert_eq!(gate.numbers(), (3, 1));
        drop(first);
        let third = third.try_recv().unwrap();
        assert_eq!(gate.numbers(), (3, 0));
        drop((second, third, other));
        assert_eq!(gate.numbers(), (0, 0));
        assert!(gate.state().lanes.is_empty());
    }

    #[test]
    fn who_comes_later_waits_behind_its_own_and_takes_turns_with_others() {
        let gate = Gate::new(GateLimits { calls: 1, per_tenant: 1, per_system: 1 });
        let permit = gate.pass(share("a", "x")).unwrap();
        let mut noisy: Vec<Ticket> =
            (0..100).map(|_| gate.pass(share("a", "x")).unwrap_err()).collect();
        let mut quiet = gate.pass(share("b", "x")).unwrap_err();
        drop(permit);
        let permit = noisy[0].try_recv().unwrap();
        assert!(quiet.try_recv().is_err());
        drop(permit);
        assert!(quiet.try_recv().is_ok(), "b does not wait for all of a");
        assert_eq!(gate.numbers(), (1, 98));
    }

    #[test]
    fn a_shut_gate_holds_everybody_until_it_is_opened() {
        let gate = Gate::new(GateLimits::default());
        let before = gate.pass(share("a", "x")).unwrap();
        gate.shut(true);
        let mut ticket = gate.pass(share("a", "x")).unwrap_err();
        drop(before);
        assert!(ticket.try_recv().is_err());
        gate.shut(false);
        assert!(ticket.try_recv().is_ok());
    }

    #[test]
    fn who_goes_away_takes_no_turn_also_when_many_do() {
        let gate = Gate::new(GateLimits { calls: 1, per_tenant: 1, per_system: 1 });
        let permit = gate.pass(share("a", "x")).unwrap();
        let gone: Vec<Ticket> =
            (0..100_000).map(|_| gate.pass(share("a", "x")).unwrap_err()).collect();
        let mut stays = gate.pass(share("a", "x")).unwrap_err();
        drop(gone);
        drop(permit);
        assert!(stays.try_recv().is_ok());
        assert_eq!(gate.numbers(), (0, 0));
    }
}
