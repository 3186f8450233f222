//! What a node has of budgets that several nodes share: slices, drawn before they are needed, spent without asking.
//!
//! A node spends what it has drawn and nothing else, so that all together never use more than there is, whoever cannot be
//! reached. What is drawn ahead is at most what comes back in a quarter of a second, and an eighth of the burst: a budget so
//! slow that this is no unit is drawn from for each request, and nothing of it is ever left over.

use std::collections::{BTreeSet, HashMap};

use crate::{
    Ask, Decision, Quota, Standing,
    slab::{LIMITS_AT_ONCE, Verdict},
};

/// How long a slice may be used, in nanoseconds, from before it was asked for.
pub const LEASE: u64 = 2_000_000_000;
/// What is drawn ahead comes back in so many nanoseconds, at the budget's pace.
const AHEAD: u64 = 250_000_000;
/// Of the burst one part of so many is drawn ahead at most.
const PART: u64 = 8;
/// What a budget was seen to have is believed for so long, in nanoseconds: others may have given units back.
const VIEW: u64 = 200_000_000;
/// A slice that lies unused goes back after so long, in nanoseconds.
const REST: u64 = LEASE / 2;

/// Which budget: a hash of the limit and of whom it counts, the same on every node.
pub type PurseKey = [u8; 16];

/// What becomes of a request.
#[derive(Debug, Clone, Copy)]
pub enum Taken {
    /// It is decided: it counts in all of them, or in none.
    Decided(Decision),
    /// It has to wait for a draw; nothing is counted yet.
    Wait,
    /// The budgets cannot be reached; nothing is counted.
    Away,
}

/// What is to be drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// From which budget.
    pub key: PurseKey,
    /// What it is.
    pub quota: Quota,
    /// Rises with every order of these purses.
    pub seq: u64,
    /// The units that are kept.
    pub held: u64,
    /// The units that go back.
    pub back: u64,
    /// The fewest units that help.
    pub least: u64,
    /// The most that are wanted.
    pub want: u64,
}

#[derive(Debug)]
struct Purse {
    quota: Quota,
    /// Units that may be spent until `until`.
    left: u64,
    until: u64,
    /// What the budget takes this node to have.
    told: u64,
    flying: bool,
    /// What those who wait need, and the least of them.
    demand: u64,
    least: u64,
    /// Spent since the last order, and between the two before.
    spent: u64,
    recent: u64,
    /// When the budget is full again, as it was seen last, and when that was.
    moment: u64,
    seen: Option<u64>,
    /// When it could not be reached.
    failed: Option<u64>,
    /// When the slice was last in use.
    used: u64,
}

impl Purse {
    fn new(quota: Quota, now: u64) -> Self {
        Self {
            quota,
            left: 0,
            until: 0,
            told: 0,
            flying: false,
            demand: 0,
            least: u64::MAX,
            spent: 0,
            recent: 0,
            moment: now,
            seen: None,
            failed: None,
            used: now,
        }
    }

    fn lapse(&mut self, now: u64) {
        if self.until <= now {
            (self.left, self.told) = (0, 0);
        }
    }

    /// How far the budget is from full, as far as it is known here: what is at hand counts as there.
    fn ahead(&self, now: u64) -> u64 {
        let there = self.left.saturating_mul(self.quota.interval());
        self.moment.saturating_sub(now).saturating_sub(there)
    }

    /// So many units are worth having before they are asked for.
    fn target(&self) -> u64 {
        let quota = self.quota;
        let most = (AHEAD / quota.interval()).min(quota.burst() / PART);
        most.min(self.spent.max(self.recent).saturating_mul(2))
    }

    /// Whether something is to be said to the budget.
    fn is_due(&self, now: u64) -> bool {
        let gone = self.told.saturating_sub(self.left);
        let rests = self.told > 0 && now.saturating_sub(self.used) >= REST;
        // What is spent and not told takes room in which nothing comes back.
        let crowds = gone > 0 && gone * 4 >= self.quota.burst();
        self.demand > 0 || crowds || rests || self.left * 2 < self.target() && self.can_draw(now)
    }

    fn can_draw(&self, now: u64) -> bool {
        let none_there =
            self.moment.saturating_sub(now) + self.quota.interval() > self.quota.tolerance();
        !none_there && !self.has_failed(now)
    }

    fn has_failed(&self, now: u64) -> bool {
        self.failed.is_some_and(|at| now.saturating_sub(at) < VIEW)
    }

    fn is_fresh(&self, now: u64) -> bool {
        self.seen.is_some_and(|at| now.saturating_sub(at) < VIEW)
    }

    fn order(&mut self, key: PurseKey, seq: u64, now: u64) -> Order {
        let rests = now.saturating_sub(self.used) >= REST;
        let target = if rests { 0 } else { self.target() };
        let keep = self.left.min(target.max(self.demand));
        let back = self.left - keep;
        let want = (target + self.demand).saturating_sub(keep).min(self.quota.burst());
        let least = if self.demand > 0 { self.least.saturating_sub(keep).max(1) } else { 1 };
        self.left = keep;
        // With the order the budget takes all else for used, or for given back.
        self.told = self.told.min(keep);
        self.flying = true;
        (self.demand, self.least) = (0, u64::MAX);
        (self.recent, self.spent) = (self.spent, 0);
        Order { key, quota: self.quota, seq, held: keep, back, least: least.min(want), want }
    }

    /// Nothing is known of it that an absent one would not say.
    fn is_blank(&self, now: u64) -> bool {
        !self.flying && self.demand == 0 && self.until <= now && self.moment <= now
    }
}

/// The purses of a node.
#[derive(Debug, Default)]
pub struct Purses {
    all: HashMap<PurseKey, Purse>,
    due: BTreeSet<PurseKey>,
    /// Of the last order. It outlives the purses: an order of one that was forgotten may still be under way, and must not
    /// be taken for a later one.
    seq: u64,
}

impl Purses {
    /// Decides over all limits at once, from what is at hand: every one of them counts the request, or none does.
    pub fn take(&mut self, keys: &[PurseKey], asks: &[Ask], now: u64) -> Taken {
        assert!(asks.len() <= LIMITS_AT_ONCE && asks.len() == keys.len(), "limits are bounded");
        let mut verdict = Verdict::default();
        let (mut lacking, mut away) = (false, false);
        for (at, (key, ask)) in keys.iter().zip(asks).enumerate() {
            let purse = self.all.entry(*key).or_insert_with(|| Purse::new(ask.quota, now));
            purse.lapse(now);
            purse.follow(ask.quota, now);
            let lacks = purse.left < ask.cost;
            lacking |= lacks;
            away |= lacks && purse.has_failed(now);
            let believed = if lacks && !purse.is_fresh(now) { 0 } else { purse.ahead(now) };
            let room = ask.quota.interval().saturating_mul(ask.cost);
            let most = ask.quota.tolerance().saturating_sub(room);
            // What is at hand is there, whatever was seen of the rest.
            verdict.weigh(at, ask, if lacks { believed } else { believed.min(most) });
        }
        if verdict.is_refused() {
            // What was drawn for it goes back.
            self.reconsider(keys, now);
            return Taken::Decided(verdict.decision(asks));
        }
        if away {
            return Taken::Away;
        }
        if lacking {
            for (key, ask) in keys.iter().zip(asks) {
                let Some(purse) = self.all.get_mut(key) else { continue };
                if purse.left < ask.cost {
                    purse.demand = purse.demand.saturating_add(ask.cost);
                    purse.least = purse.least.min(ask.cost);
                    self.due.insert(*key);
                }
            }
            return Taken::Wait;
        }
        for (at, (key, ask)) in keys.iter().zip(asks).enumerate() {
            let Some(purse) = self.all.get_mut(key) else { continue };
            purse.left -= ask.cost;
            purse.spent = purse.spent.saturating_add(ask.cost);
            purse.used = now;
            verdict.count(at, ask);
            if purse.is_due(now) {
                self.due.insert(*key);
            }
        }
        Taken::Decided(verdict.decision(asks))
    }

    /// Refuses a request for which was drawn again and again, and others were always quicker: what comes back is no more
    /// than they take. None: there is enough at hand by now.
    pub fn outrun(&mut self, keys: &[PurseKey], asks: &[Ask], now: u64) -> Option<Decision> {
        let mut verdict = Verdict::default();
        for (at, (key, ask)) in keys.iter().zip(asks).enumerate() {
            let purse = self.all.get(key);
            let left = purse.map_or(0, |purse| if purse.until > now { purse.left } else { 0 });
            let tolerance = ask.quota.tolerance();
            let most = tolerance.saturating_sub(ask.quota.interval().saturating_mul(ask.cost));
            verdict.weigh(at, ask, if left < ask.cost { tolerance } else { most });
        }
        if !verdict.is_refused() {
            return None;
        }
        self.reconsider(keys, now);
        Some(verdict.decision(asks))
    }

    /// What lies here beyond what is worth having goes back soon.
    fn reconsider(&mut self, keys: &[PurseKey], now: u64) {
        for key in keys {
            if let Some(purse) = self.all.get(key)
                && (purse.left > purse.target() || purse.is_due(now))
                && purse.told > 0
            {
                self.due.insert(*key);
            }
        }
    }

    /// What is to be drawn now, at most so much: an order of a budget goes out when the one before was answered.
    pub fn collect(&mut self, most: usize, now: u64) -> Vec<Order> {
        let mut orders = Vec::new();
        let due: Vec<PurseKey> = self.due.iter().copied().collect();
        for key in due {
            if orders.len() == most {
                break;
            }
            let Some(purse) = self.all.get_mut(&key) else {
                self.due.remove(&key);
                continue;
            };
            if !purse.flying {
                self.due.remove(&key);
                purse.lapse(now);
                self.seq += 1;
                orders.push(purse.order(key, self.seq, now));
            }
        }
        orders
    }

    /// An order was answered with so many units, and how far the budget is from full; None: it could not be reached, and
    /// what was given is lost. `asked`: a moment before it went out.
    pub fn deliver(&mut self, order: &Order, answer: Option<(u64, u64)>, asked: u64, now: u64) {
        let Some(purse) = self.all.get_mut(&order.key) else { return };
        purse.flying = false;
        let Some((granted, ahead)) = answer else {
            purse.failed = Some(now);
            return;
        };
        // What was kept may have lapsed meanwhile.
        purse.lapse(now);
        purse.until = asked.saturating_add(LEASE);
        if purse.until > now {
            purse.left += granted;
            purse.told += granted;
        }
        (purse.moment, purse.seen, purse.failed) = (now.saturating_add(ahead), Some(now), None);
    }

    /// Takes back what a request had counted and then was none. What the budget takes for used by now stays used.
    pub fn give_back(&mut self, keys: &[PurseKey], asks: &[Ask], now: u64) {
        for (key, ask) in keys.iter().zip(asks) {
            let Some(purse) = self.all.get_mut(key) else { continue };
            purse.lapse(now);
            purse.left = purse.left.saturating_add(ask.cost).min(purse.told);
        }
        self.reconsider(keys, now);
    }

    /// What is there for somebody, as far as this node knows.
    pub fn look(&self, key: &PurseKey, quota: Quota, now: u64) -> Standing {
        let ahead = self.all.get(key).map_or(0, |purse| {
            let left = if purse.until > now { purse.left } else { 0 };
            let there = left.saturating_mul(purse.quota.interval());
            purse.moment.saturating_sub(now).saturating_sub(there)
        });
        Standing::of(quota, ahead.min(quota.tolerance()))
    }

    /// To be called a few times in a lease: finds what lies unused, and forgets what says nothing.
    pub fn tend(&mut self, now: u64) {
        self.all.retain(|_, purse| !purse.is_blank(now));
        for (key, purse) in &mut self.all {
            purse.lapse(now);
            if purse.told > 0 && purse.is_due(now) {
                self.due.insert(*key);
            }
        }
    }

    /// Whether something is to be said to a budget now.
    pub fn has_due(&self) -> bool {
        !self.due.is_empty()
    }

    /// Whether nothing has to be said to any budget, now or later. Looks at every purse.
    pub fn is_quiet(&self) -> bool {
        self.due.is_empty() && self.all.values().all(|purse| purse.told == 0 && !purse.flying)
    }
}

impl Purse {
    /// The budget has another quota: what is at hand is, in units, what it was.
    fn follow(&mut self, quota: Quota, now: u64) {
        if self.quota != quota {
            self.quota = quota;
            (self.moment, self.seen) = (now, None);
        }
    }
}

#[cfg(test)]
mod tests;
