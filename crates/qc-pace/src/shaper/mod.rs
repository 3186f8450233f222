//! When the next call may go. The pace begins with what is declared, follows what answers announce, and learns what they
//! do not: a refusal that nothing explains lowers it, time without one raises it again.
//!
//! A pause that the other side states is absolute: no call goes before it is over, whatever else is known.

mod chance;
mod learned;
mod quota;
mod room;
mod standing;

use std::time::Duration;

use qc_model::Timestamp;

use crate::{
    at_millis, count,
    dialect::{Said, Unit, WINDOWS_MAX},
    millis,
};
use learned::Learned;
use quota::Quota;
pub use quota::Spent;
use room::Room;
pub use standing::{Source, Standing};

/// How far a departure may be late and the next one still leave at the time it would have: timers are coarse. It is less
/// than what is left unused of a second. In milliseconds.
const LATE_MAX: f64 = 20.0;
/// However far away a call's turn is, it is asked again then. In milliseconds.
const ASK_AGAIN: f64 = 60_000.0;
/// What a pace says of who stands far behind is believed for so long at most. In milliseconds.
const BEHIND_MAX: f64 = 3_600_000.0;
/// After a limit began anew, a refusal may mean that the other side's clock is behind. In milliseconds.
const GRAIN: f64 = 1_000.0;

/// What a connector declares of a system's limits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Declared {
    /// So many calls in so much time: each holds.
    pub rates: Vec<(u32, Duration)>,
    /// So many calls at the same time.
    pub concurrent: Option<u32>,
}

impl Declared {
    /// The part of it that one of so many nodes has, which know nothing of each other's calls: together they send no more
    /// than is declared. Of what is at the same time each has one at least.
    #[must_use]
    pub fn shared_by(&self, nodes: u32) -> Self {
        let nodes = nodes.max(1);
        let part = |&(count, per): &(u32, Duration)| match count.max(1) {
            count if count >= nodes => (count / nodes, per),
            count => (1, per.saturating_mul(nodes) / count),
        };
        Self {
            rates: self.rates.iter().map(part).collect(),
            concurrent: self.concurrent.map(|most| (most / nodes).max(1)),
        }
    }
}

/// Whether a call may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Now.
    Go,
    /// Not before this moment; then ask again.
    At(Timestamp),
    /// When one of those in flight is answered.
    Answered,
}

/// A call that went. It is given back with its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Departure {
    number: u64,
    at: Timestamp,
}

impl Departure {
    /// When it went.
    pub fn at(&self) -> Timestamp {
        self.at
    }
}

/// What became of a call, as far as the pace goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The other side dealt with it, be it that it said no.
    Dealt,
    /// It was refused because there were too many.
    Throttled,
    /// The other side is overloaded, or did not answer in time.
    Overloaded,
    /// Nothing is known of it.
    Unknown,
}

/// The pace of one family of calls that share a limit.
#[derive(Debug, Clone)]
pub struct Shaper {
    declared: Declared,
    /// How many nodes share it.
    nodes: u32,
    /// What is declared of calls at the same time: this node's part.
    at_once: Option<u32>,
    /// What is declared, counted here.
    counted: Vec<Quota>,
    /// When the last call went, or would have gone had it not been late.
    last: f64,
    /// Calls that went, ever.
    sent: u64,
    in_flight: u32,
    /// Nothing goes before.
    until: Timestamp,
    quotas: Vec<Quota>,
    learned: Learned,
    room: Room,
}

impl Shaper {
    /// A shaper that knows what is declared.
    pub fn new(declared: Declared) -> Self {
        let mut this = Self {
            declared: Declared::default(),
            nodes: 1,
            at_once: None,
            counted: Vec::new(),
            last: f64::MIN,
            sent: 0,
            in_flight: 0,
            until: Timestamp::from_millis(0),
            quotas: Vec::new(),
            learned: Learned::default(),
            room: Room::default(),
        };
        this.declare(&declared, 1);
        this
    }

    /// Takes over what a newer release declares, of which this is the part of one of so many nodes. True: it is something
    /// else than before.
    pub fn declare(&mut self, declared: &Declared, nodes: u32) -> bool {
        if self.declared == *declared && self.nodes == nodes {
            return false;
        }
        let part = declared.shared_by(nodes);
        let counted = part.rates.iter().zip(&declared.rates).enumerate();
        let counted = counted.map(|(at, (rate, (whole, _)))| {
            let new = Quota::declared(rate, *whole, nodes);
            let before = self.counted.get(at);
            before.and_then(|it| it.redeclared(&new)).unwrap_or(new)
        });
        self.counted = counted.collect();
        (self.at_once, self.nodes) = (part.concurrent, nodes);
        self.declared = declared.clone();
        true
    }

    /// The calls that went since this was asked last, in each long window that is declared: to be told to the other nodes,
    /// and to the next process.
    pub fn tell_spent(&mut self, now: Timestamp) -> Vec<Spent> {
        self.counted.iter_mut().filter_map(|quota| quota.tell_spent(millis(now))).collect()
    }

    /// What [`Shaper::tell_spent`] gave could not be told.
    pub fn not_told(&mut self, spent: &[Spent]) {
        for one in spent {
            self.counted.iter_mut().for_each(|quota| quota.not_told(one));
        }
    }

    /// What went in long windows of all nodes together, as far as it was told.
    pub fn know_spent(&mut self, all: &[Spent], now: Timestamp) {
        for one in all {
            self.counted.iter_mut().for_each(|quota| quota.know_spent(one, millis(now)));
        }
    }

    /// Lets nothing go before a moment. An earlier one than is kept already changes nothing.
    pub fn hold_until(&mut self, until: Timestamp) {
        self.until = self.until.max(until);
    }

    /// Until when the other side wants nothing to be sent. It may have passed.
    pub fn held_until(&self) -> Timestamp {
        self.until
    }

    /// Calls that went and are not answered.
    pub fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// Whether nothing is known that could not be learned anew.
    pub fn is_idle(&self, now: Timestamp) -> bool {
        self.in_flight == 0 && self.until <= now && millis(now) - self.last > 600_000.0
    }

    fn per_milli(&self, now: f64) -> Option<f64> {
        let quotas = self.quotas.iter().chain(&self.counted);
        let quotas = quotas.filter_map(|quota| quota.rate(now));
        quotas.chain(self.learned.rate()).reduce(f64::min)
    }

    /// Whether a call may go now.
    pub fn admit(&self, now: Timestamp) -> Turn {
        if self.until <= now && self.in_flight >= self.at_once() {
            return Turn::Answered;
        }
        self.admit_beside(now)
    }

    /// The same for a request that belongs to a call in flight: never [`Turn::Answered`].
    pub fn admit_beside(&self, now: Timestamp) -> Turn {
        if self.until > now {
            return Turn::At(self.until);
        }
        let time = millis(now);
        let all = || self.quotas.iter().chain(&self.counted);
        let ends = all().filter_map(|quota| quota.empty_until(time));
        let held = ends.chain(self.learned.held_until(time)).reduce(f64::max);
        let next = self.per_milli(time).map(|rate| self.last + 1.0 / rate);
        match held.into_iter().chain(next).reduce(f64::max).filter(|at| *at > time) {
            // With a window's end what is known changes; and by itself, bit by bit.
            Some(at) => {
                let ends = all().filter_map(|quota| quota.ends_after(time));
                Turn::At(at_millis(ends.fold(at.min(time + ASK_AGAIN), f64::min)))
            }
            None => Turn::Go,
        }
    }

    /// How long a call waits at least that stands behind so many other requests, as far as that is known. Paces change: of the
    /// time that the present one says it is half.
    pub fn behind(&self, others: f64, now: Timestamp) -> Duration {
        let time = millis(now);
        let stated = (millis(self.until) - time).max(0.0);
        let all = self.quotas.iter().chain(&self.counted);
        let empty = all.filter_map(|quota| quota.empty_until(time)).reduce(f64::max);
        let wait = match (empty, self.per_milli(time)) {
            // How much goes after that is not known now.
            (Some(empty), _) => (empty - time).max(stated),
            (None, Some(rate)) => stated + (others.max(0.0) / rate / 2.0).min(BEHIND_MAX),
            (None, None) => stated,
        };
        Duration::from_secs_f64(wait / 1_000.0)
    }

    fn at_once(&self) -> u32 {
        let of = |limit: u64| u32::try_from(limit).unwrap_or(u32::MAX).max(1);
        let announced = self.quotas.iter().filter(|quota| quota.unit == Unit::Concurrent);
        let announced = announced.filter_map(|quota| quota.limit.map(of)).min();
        let declared = self.at_once.map(|most| most.max(1));
        [announced, declared].into_iter().flatten().fold(self.room.at_once(), u32::min)
    }

    /// A call goes now.
    pub fn depart(&mut self, now: Timestamp) -> Departure {
        let time = millis(now);
        let rate = self.per_milli(time);
        let due = rate.map_or(time, |rate| self.last + 1.0 / rate);
        self.learned.departed(time, time - self.last, rate, millis(self.until));
        self.last = due.clamp(time - LATE_MAX, time);
        self.sent += 1;
        self.in_flight += 1;
        let all = self.quotas.iter_mut().chain(&mut self.counted);
        all.for_each(|quota| quota.departed(time));
        Departure { number: self.sent, at: now }
    }

    /// What became of a call that went.
    pub fn answered(&mut self, gone: Departure, outcome: Outcome, said: &Said, now: Timestamp) {
        let (time, left) = (millis(now), millis(gone.at));
        let full = self.in_flight >= self.room.at_once();
        self.in_flight = self.in_flight.saturating_sub(1);
        if let Some(pause) = said.retry_after.filter(|_| outcome != Outcome::Dealt) {
            self.hold_until(now + pause);
        }
        let anew = self.quotas.iter().any(|quota| quota.began_anew(time, GRAIN));
        self.hear(gone, said, time);
        match outcome {
            Outcome::Unknown => self.learned.unknown(left, time),
            Outcome::Dealt => {
                self.learned.dealt(left, time);
                self.room.answered(time - left, full);
            }
            Outcome::Overloaded => {
                if self.learned.overloaded(left, time, self.per_milli(time)) {
                    self.room.shrink();
                }
            }
            Outcome::Throttled if said.exhausted() => {
                if let Some(pause) = said.pause() {
                    self.hold_until(now + pause);
                }
            }
            Outcome::Throttled => {
                let rate = self.per_milli(time);
                self.learned.refused(left, time, rate, anew);
            }
        }
    }

    /// A call that went took so many requests more than one: pages, redirects, a renewed credential.
    pub fn also_sent(&mut self, requests: u32, now: Timestamp) {
        let time = millis(now);
        for _ in 0..requests.min(1_000) {
            if let Some(rate) = self.per_milli(time) {
                self.last += 1.0 / rate;
            }
            let all = self.quotas.iter_mut().chain(&mut self.counted);
            all.for_each(|quota| quota.departed(time));
        }
    }

    fn hear(&mut self, gone: Departure, said: &Said, time: f64) {
        let later = count(self.sent - gone.number);
        for window in &said.windows {
            let known = self.quotas.iter().position(|quota| quota.policy == window.policy);
            match known {
                Some(at) => self.quotas[at].hear(window, gone.number, later, time),
                None if self.quotas.len() < WINDOWS_MAX => {
                    let mut quota = Quota::new(window);
                    quota.hear(window, gone.number, later, time);
                    self.quotas.push(quota);
                }
                None => {}
            }
        }
        // What nobody speaks of any more does not limit for ever.
        self.quotas.retain(|quota| !quota.is_forgotten(time));
    }
}
