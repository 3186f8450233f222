//! The tempo of calls: for each system its breaker and its tenants' budgets, for each limit its shaper. What a call's turn
//! depends on beside the room that there is.

use std::{collections::HashMap, sync::Arc, time::Duration};

use qc_model::{Applied, Failure, Retry, TenantName, Timestamp};
use qc_pace::{
    Breaker, Budget, Declared, Departure, Outcome, Said, Shaper, Spent, Turn, Way,
    breaker::{Health, Stands},
};

use super::{Lane, Pace, Paces, Share, SystemStanding};

/// With more than this many limits or systems, those are forgotten of which nothing is known that counts.
const KEPT: usize = 1_024;

/// Why a call waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// There is no room for another call in flight.
    Room,
    /// The limit lets the next one go then.
    Pace(Timestamp),
    /// The other side wants no calls until then.
    Stated(Timestamp),
    /// The system does not answer, since then.
    Away(Timestamp),
    /// The system is coming back: few calls at once.
    Back,
    /// Too much is tried again.
    Budget(Timestamp),
}

impl Why {
    /// In words, for the run that waits.
    pub(crate) fn says(self, system: &str) -> Option<String> {
        Some(match self {
            Self::Room => return None,
            Self::Pace(at) => {
                format!(
                    "waits for its turn at `{system}`, whose limit lets the next ones go from {at} on"
                )
            }
            Self::Stated(at) => format!("waits until {at}: `{system}` wants no calls before"),
            Self::Away(since) => {
                format!(
                    "waits for `{system}`, which has not answered since {since}; one call at a time tries"
                )
            }
            Self::Back => {
                format!("waits for `{system}`, which is back and gets a few calls at a time")
            }
            Self::Budget(at) => format!(
                "waits to try `{system}` again: too many calls to it are being tried again, and the next ones may go from {at} on"
            ),
        })
    }
}

/// What became of a call.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) outcome: Outcome,
    pub(crate) health: Health,
    pub(crate) said: Said,
    /// HTTP requests that it took.
    pub(crate) requests: u32,
    /// How it failed, if it did.
    pub(crate) failure: Option<Box<Failure>>,
    /// How many calls went in it that were dealt with.
    pub(crate) calls: u32,
}

/// A call that went, as it is counted here.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gone {
    departure: Departure,
}

/// What was counted since the start, for metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Calls that were refused because there were too many.
    pub(crate) throttled: u64,
    /// Pauses that other sides stated.
    pub(crate) pauses: u64,
    /// Attempts that were not the first.
    pub(crate) again: u64,
    /// Times that a breaker opened.
    pub(crate) opened: u64,
    /// Calls that were turned away because their system did not answer.
    pub(crate) barred: u64,
    /// Calls that were put off because their turn was far away.
    pub(crate) put_off: u64,
    /// Breakers that are not closed now.
    pub(crate) open: usize,
}

#[derive(Debug, Default)]
struct System {
    breaker: Breaker,
    /// How calls fail that may be tried again: as the last one did.
    fails: Option<Box<Failure>>,
    /// Calls that failed since the last good answer.
    failed: u64,
    budgets: HashMap<TenantName, Budget>,
}

impl System {
    fn bars(&self, now: Timestamp) -> Option<Why> {
        match (self.breaker.admit(now), self.breaker.stands()) {
            (Way::Free, _) => None,
            (_, (Stands::Ramping, _)) => Some(Why::Back),
            (_, (_, since)) => Some(Why::Away(since.unwrap_or(now))),
        }
    }
}

fn paced(shaper: &Shaper, at: Timestamp) -> Why {
    if at == shaper.held_until() { Why::Stated(at) } else { Why::Pace(at) }
}

#[derive(Debug, Default)]
pub(crate) struct Tempo {
    systems: HashMap<Arc<str>, System>,
    limits: HashMap<Arc<str>, Shaper>,
    /// What all nodes together have sent in long windows, as it was heard last.
    spent: HashMap<Arc<str>, Vec<Spent>>,
    counts: Counts,
}

impl Tempo {
    /// What a release declares of a limit that so many nodes share.
    pub(crate) fn declare(&mut self, lane: &Lane, declared: &Declared, nodes: u32, now: Timestamp) {
        let shaper = self.limits.entry(lane.limit.clone());
        let shaper = shaper.or_insert_with(|| Shaper::new(Declared::default()));
        if shaper.declare(declared, nodes)
            && let Some(spent) = self.spent.get(&lane.limit)
        {
            shaper.know_spent(spent, now);
        }
    }

    /// The calls that went in long windows since this was asked last, by limit.
    pub(crate) fn tell_spent(&mut self, now: Timestamp) -> Vec<(Arc<str>, Vec<Spent>)> {
        let told = self.limits.iter_mut().map(|(limit, it)| (limit.clone(), it.tell_spent(now)));
        told.filter(|(_, spent)| !spent.is_empty()).collect()
    }

    /// What was to be told could not be.
    pub(crate) fn not_told(&mut self, limit: &Arc<str>, spent: &[Spent]) {
        if let Some(shaper) = self.limits.get_mut(limit) {
            shaper.not_told(spent);
        }
    }

    /// What all nodes together have sent in long windows of a limit.
    pub(crate) fn know_spent(&mut self, limit: &Arc<str>, spent: Vec<Spent>, now: Timestamp) {
        if let Some(shaper) = self.limits.get_mut(limit) {
            shaper.know_spent(&spent, now);
        }
        self.spent.insert(limit.clone(), spent);
    }

    /// Why a call may not go now; None: it may.
    pub(crate) fn bars(&self, tenant: &TenantName, lane: &Lane, now: Timestamp) -> Option<Why> {
        if let Some(shaper) = self.limits.get(&lane.limit) {
            match shaper.admit(now) {
                Turn::Go => {}
                Turn::Answered => return Some(Why::Room),
                Turn::At(at) => return Some(paced(shaper, at)),
            }
        }
        let system = self.systems.get(&lane.system)?;
        if let Some(why) = system.bars(now) {
            return Some(why);
        }
        let budget = system.budgets.get(tenant).filter(|_| lane.again)?;
        budget.admit(now).map(Why::Budget)
    }

    /// The same for a request of a call that has its place. `tries`: the call was let go, and nothing went of it yet: what
    /// limit and system wait for may be its own answer. Then only a stated pause holds it.
    pub(crate) fn bars_beside(&self, lane: &Lane, tries: bool, now: Timestamp) -> Option<Why> {
        let shaper = self.limits.get(&lane.limit);
        if tries {
            let until = shaper.map(Shaper::held_until).filter(|until| *until > now);
            return until.map(Why::Stated);
        }
        if let Some(shaper) = shaper
            && let Turn::At(at) = shaper.admit_beside(now)
        {
            return Some(paced(shaper, at));
        }
        self.systems.get(&lane.system)?.bars(now)
    }

    /// How long a call waits at least that stands behind so many others of its limit.
    pub(crate) fn behind(&self, lane: &Lane, others: f64, now: Timestamp) -> Duration {
        self.limits.get(&lane.limit).map_or(Duration::ZERO, |shaper| shaper.behind(others, now))
    }

    /// When it is to be asked again whether a call may go that may not now; None: when something happens.
    pub(crate) fn next(&self, lane: &Lane, why: Why, now: Timestamp) -> Option<Timestamp> {
        match why {
            Why::Room | Why::Back => None,
            Why::Pace(at) | Why::Stated(at) | Why::Budget(at) => Some(at),
            Why::Away(_) => match self.systems.get(&lane.system)?.breaker.admit(now) {
                Way::At(at) => Some(at),
                Way::Free => Some(now),
                Way::Answered => None,
            },
        }
    }

    /// Whether a call may go along with one that goes in this moment, and in the same request. While its system is coming
    /// back nobody does: few calls at a time try it.
    pub(crate) fn lets_along(&self, share: &Share, now: Timestamp) -> bool {
        self.systems.get(&share.lane.system).is_none_or(|system| {
            let budget = system.budgets.get(&share.tenant).filter(|_| share.lane.again);
            system.breaker.stands().0 == Stands::Closed
                && budget.is_none_or(|budget| budget.admit(now).is_none())
        })
    }

    /// A call goes, be it in the request of another one.
    pub(crate) fn goes_along(&mut self, share: &Share, now: Timestamp) {
        let system = self.systems.entry(share.lane.system.clone()).or_default();
        let budget = system.budgets.entry(share.tenant.clone()).or_default();
        if share.lane.again {
            budget.again(now);
            self.counts.again += 1;
        } else {
            budget.first();
        }
    }

    /// A call goes, in a request of its own.
    pub(crate) fn depart(&mut self, share: &Share, now: Timestamp) -> Gone {
        self.tidy(now);
        self.goes_along(share, now);
        self.departs(share, now)
    }

    /// A request goes.
    pub(crate) fn departs(&mut self, share: &Share, now: Timestamp) -> Gone {
        let lane = &share.lane;
        let system = self.systems.entry(lane.system.clone()).or_default();
        system.breaker.depart(now);
        let shaper = self.limits.entry(lane.limit.clone());
        let shaper = shaper.or_insert_with(|| Shaper::new(Declared::default()));
        Gone { departure: shaper.depart(now) }
    }

    /// What became of a call that went. Until when the other side wants no more of them, when it says so.
    pub(crate) fn answered(
        &mut self,
        share: &Share,
        gone: Gone,
        told: &Told,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let lane = &share.lane;
        if let Some(system) = self.systems.get_mut(&lane.system) {
            let closed = system.breaker.stands().0 == Stands::Closed;
            system.breaker.answered(gone.departure.at(), told.health, now);
            system.failed = match told.health {
                Health::Good => 0,
                Health::Bad => system.failed + 1,
                Health::Unknown => system.failed,
            };
            let passing =
                told.failure.as_ref().filter(|one| matches!(one.retry, Retry::After { .. }));
            if let (Health::Bad, Some(failure)) = (told.health, passing) {
                system.fails = Some(failure.clone());
            }
            if closed && system.breaker.stands().0 != Stands::Closed {
                self.counts.opened += 1;
            }
            if lane.again
                && told.outcome == Outcome::Dealt
                && told.health == Health::Good
                && let Some(budget) = system.budgets.get_mut(&share.tenant)
            {
                (0..told.calls).for_each(|_| budget.worked());
            }
        }
        self.counts.throttled += u64::from(told.outcome == Outcome::Throttled);
        let shaper = self.limits.get_mut(&lane.limit)?;
        let before = shaper.held_until();
        shaper.answered(gone.departure, told.outcome, &told.said, now);
        shaper.also_sent(told.requests.saturating_sub(1), now);
        let until = shaper.held_until();
        (until > before).then(|| {
            self.counts.pauses += 1;
            until
        })
    }

    /// A pause that is known from elsewhere.
    pub(crate) fn hold(&mut self, limit: &Arc<str>, until: Timestamp) {
        let shaper = self.limits.entry(limit.clone());
        shaper.or_insert_with(|| Shaper::new(Declared::default())).hold_until(until);
    }

    /// Whether calls of a lane are turned away that have waited for so long: their system does not answer.
    pub(crate) fn turns_away(&self, lane: &Lane, waited: Duration, patience: Duration) -> bool {
        let Some(system) = self.systems.get(&lane.system) else { return false };
        let away = matches!(system.breaker.stands().0, Stands::Open | Stands::Probing);
        waited >= patience && away && system.fails.is_some()
    }

    /// The failure of a call that is turned away: that of the calls that were sent, for it is one outage. None: nothing
    /// is known of it.
    pub(crate) fn failure(&self, lane: &Lane) -> Option<Box<Failure>> {
        let system = self.systems.get(&lane.system)?;
        let mut failure = system.fails.clone()?;
        let since = system.breaker.stands().1.map(|at| format!(" since {at}")).unwrap_or_default();
        failure.detail = format!(
            "the call was not sent: most calls to the system have failed{since}, and one at a time tries whether it is back; the last one: {}",
            failure.detail
        );
        (failure.applied, failure.retry) = (Applied::No, Retry::After { stated_ms: None });
        Some(failure)
    }

    /// Whether any system does not answer.
    pub(crate) fn any_away(&self) -> bool {
        let away = |system: &System| system.breaker.stands().0 != Stands::Closed;
        self.systems.values().any(away)
    }

    pub(crate) fn turned_away(&mut self) {
        self.counts.barred += 1;
    }

    pub(crate) fn put_off(&mut self) {
        self.counts.put_off += 1;
    }

    /// How all limits and systems stand.
    pub(crate) fn stands(&self, now: Timestamp) -> Paces {
        let limits = self.limits.iter().map(|(limit, shaper)| {
            (limit.clone(), Pace { standing: shaper.standing(now), waiting: 0 })
        });
        let systems = self.systems.iter();
        let systems = systems.map(|(name, system)| {
            let (stands, since) = system.breaker.stands();
            (name.clone(), SystemStanding { stands, since, failed: system.failed })
        });
        Paces { limits: limits.collect(), systems: systems.collect() }
    }

    pub(crate) fn counts(&self) -> Counts {
        let open = |system: &&System| system.breaker.stands().0 != Stands::Closed;
        Counts { open: self.systems.values().filter(open).count(), ..self.counts }
    }

    fn tidy(&mut self, now: Timestamp) {
        if self.limits.len() > KEPT {
            self.limits.retain(|_, shaper| !shaper.is_idle(now));
        }
        if self.systems.len() > KEPT {
            self.systems.retain(|_, system| {
                system.budgets.retain(|_, budget| !budget.is_idle(now));
                !system.budgets.is_empty() || system.breaker.stands().0 != Stands::Closed
            });
        }
    }
}
