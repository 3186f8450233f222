//! A limit that answers announce: how much is left of it, and how fast that may be used.

use std::time::Duration;

use qc_model::Timestamp;

use crate::{
    at_millis, count,
    dialect::{Unit, Window},
    millis, span,
};

/// Of what a window allows, so much is used: clocks differ, and so do windows' edges.
pub(super) const USED: f64 = 0.97;
/// Windows up to this are used evenly. In milliseconds.
const SHORT: f64 = 120_000.0;
/// A long window is used faster at first, in proportion to what is left: so little work need not wait, and much work is
/// spread all the same.
const FASTER: f64 = 4.0;
/// The same, where nobody says when a long window ends.
const FASTER_ENDLESS: f64 = 32.0;
/// Resets are told in whole seconds. In milliseconds.
const GRAIN: f64 = 1_000.0;
/// A window shorter than this is too short for its rest to tell anything. In milliseconds.
const TELLS_FROM: f64 = 20_000.0;
/// Where nothing is known of a window but that it began, so much is sent to hear of it: a call per second.
const ASKS: f64 = 0.001;
/// The cost of a call is measured over so many.
const COST_CALLS: f64 = 20.0;
/// A cost below this is one: the edges of what is measured are not sharp.
const COST_FROM: f64 = 1.15;
/// Of a bucket, so much is kept free.
const BUCKET_FREE: f64 = 0.3;
/// In this time a bucket's level is brought to where it should be. In milliseconds.
const BUCKET_TIME: f64 = 10_000.0;
/// Every bucket is believed to leak in this time. In milliseconds.
const LEAKS_IN: f64 = 300_000.0;
/// A leak is measured over this time at least. In milliseconds.
const LEAK_OVER: f64 = 1_000.0;
/// No limit is held for longer than this without a word of it. In milliseconds.
const EMPTY_MAX: f64 = 3_600_000.0;

/// How a limit gets free again.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    /// All at once, when the window ends.
    Fixed,
    /// Bit by bit.
    Moving,
    /// As a bucket leaks, nobody says how fast: measured, in calls per millisecond.
    Bucket(Option<f64>),
}

/// Calls that went in a long window that a connector declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spent {
    /// The window's length.
    pub per: Duration,
    /// When it ends.
    pub ends: Timestamp,
    /// How many.
    pub calls: u64,
}

#[derive(Debug, Clone)]
pub(super) struct Quota {
    pub(super) policy: String,
    pub(super) unit: Unit,
    pub(super) limit: Option<u64>,
    kind: Kind,
    /// What is left, without those that went since.
    left: Option<f64>,
    ends: Option<f64>,
    per: Option<f64>,
    /// Where the window's length is only what was seen of it: the first end, and how many windows ended since.
    seen: Option<(f64, f64)>,
    /// Its window begins with the first call, and is counted here.
    counts: bool,
    /// Of what is counted, how many calls went that nobody else knows of.
    untold: u64,
    /// What is declared of it for all nodes together, and how many they are.
    whole: f64,
    nodes: f64,
    /// An end, and when it was told: whether it moves on is seen against it.
    anchor: Option<(f64, f64)>,
    /// What was allowed when it was last heard of, in units per millisecond: until the next window is known.
    before: Option<f64>,
    /// What a call costs, together with what others use at the same time.
    cost: f64,
    /// Lowered while others use up a moving limit.
    squeeze: f64,
    squeezed_at: f64,
    /// What the cost is measured from: what was heard first of this window.
    cost_from: Option<Heard>,
    /// The latest call whose answer was heard, what it said, and when.
    heard: Option<Heard>,
    /// The same, where a leak is measured from.
    leak_from: Option<Heard>,
    told_at: f64,
}

#[derive(Debug, Clone, Copy)]
struct Heard {
    number: u64,
    remaining: f64,
    at: f64,
}

impl Quota {
    pub(super) fn new(window: &Window) -> Self {
        let endless = window.reset.is_none() && window.per.is_none();
        Self {
            policy: window.policy.clone(),
            unit: window.unit,
            limit: None,
            kind: if endless { Kind::Bucket(None) } else { Kind::Fixed },
            left: None,
            ends: None,
            per: None,
            seen: None,
            counts: false,
            untold: 0,
            whole: 0.0,
            nodes: 1.0,
            anchor: None,
            before: None,
            cost: 1.0,
            squeeze: 1.0,
            squeezed_at: f64::MIN,
            cost_from: None,
            heard: None,
            leak_from: None,
            told_at: f64::MIN,
        }
    }

    /// One that nobody announces but a connector's file: it is counted here. `whole`: what is declared, of which this is
    /// the part of one of so many nodes.
    pub(super) fn declared((limit, per): &(u32, Duration), whole: u32, nodes: u32) -> Self {
        let policy = "declared".to_owned();
        let window = Window {
            policy,
            unit: Unit::Calls,
            limit: None,
            remaining: None,
            reset: None,
            per: None,
        };
        let (limit, per) = (u64::from(*limit), span(*per).max(1.0));
        // A short one is kept by going evenly; of a long one it is counted what is left.
        let long = per > SHORT;
        Self {
            limit: Some(limit),
            per: Some(per),
            kind: Kind::Fixed,
            left: long.then(|| count(limit) * USED),
            counts: long,
            whole: f64::from(whole),
            nodes: f64::from(nodes.max(1)),
            ..Self::new(&window)
        }
    }

    /// The same window with another limit: the part of it that was used stays used. None: it is another window, or one of
    /// which nothing is counted.
    pub(super) fn redeclared(&self, new: &Self) -> Option<Self> {
        let (was, left) = (count(self.limit?), self.left?);
        let same = self.counts && new.counts && self.per == new.per && was > 0.0;
        let limit = new.limit?;
        same.then(|| Self {
            limit: Some(limit),
            left: Some(left * count(limit) / was),
            whole: new.whole,
            nodes: new.nodes,
            ..self.clone()
        })
    }

    /// What an answer says. `later`: so many calls went after the one that it answers.
    pub(super) fn hear(&mut self, window: &Window, number: u64, later: f64, now: f64) {
        self.told_at = now;
        self.limit = window.limit.or(self.limit);
        if let Some(per) = window.per {
            (self.per, self.seen) = (Some(span(per)), None);
        }
        if window.reset.is_some() && matches!(self.kind, Kind::Bucket(_)) {
            self.kind = Kind::Fixed;
        }
        let Some(remaining) = window.remaining.map(count) else { return };
        let ends = window.reset.map(|reset: Duration| now + span(reset));
        let before = self.heard;
        let anew = self.sees_window(ends, remaining, now);
        // Answers come in any order: an older one tells nothing new.
        if !anew && before.is_some_and(|before| number < before.number) {
            return;
        }
        self.ends = ends.or(self.ends.filter(|ends| *ends > now));
        let heard = Heard { number, remaining, at: now };
        match self.cost_from.filter(|_| !anew && self.kind == Kind::Fixed) {
            Some(from) => self.learn_cost(from, heard),
            None => self.cost_from = Some(heard),
        }
        if matches!(self.kind, Kind::Bucket(_)) {
            self.learn_leak(heard);
        }
        self.heard = Some(heard);
        // In a short window those that are under way may count for the next one.
        let short = self.per.is_some_and(|per| per < TELLS_FROM);
        let later = if short { 0.0 } else { later };
        self.left = Some((remaining - later * self.cost).max(0.0));
        self.squeeze_for(remaining, now);
        self.before = self.of_window(now, self.even()).or(self.before);
    }

    /// All of a window, used evenly.
    fn even(&self) -> Option<f64> {
        self.limit.map(count).zip(self.per).map(|(limit, per)| limit * USED / per)
    }

    /// Sees whether a window began anew, how long it is, and whether it ends at all. True: it began anew.
    fn sees_window(&mut self, ends: Option<f64>, remaining: f64, now: f64) -> bool {
        let (Some(ends), Some(old)) = (ends, self.ends) else { return false };
        let Some(before) = self.heard else { return false };
        let moved = ends - old;
        if old <= now + GRAIN && moved > GRAIN * 0.5 && remaining >= before.remaining {
            self.see_length(old, ends);
            self.anchor = Some((ends, now));
            return true;
        }
        let (first, told_at) = *self.anchor.get_or_insert((ends, now));
        let passed = now - told_at;
        if passed >= GRAIN * 3.0 {
            // An end that moves on with the time: nothing ends, all gets free bit by bit.
            let moves = ends - first > passed * 0.5;
            if moves && self.kind == Kind::Fixed {
                (self.kind, self.cost) = (Kind::Moving, 1.0);
                if self.per.is_none() {
                    self.per = Some(ends - now);
                }
            } else if !moves && self.kind == Kind::Moving && ends - first < GRAIN {
                self.kind = Kind::Fixed;
            }
            self.anchor = Some((ends, now));
        }
        false
    }

    /// A window ended at `old`, and the next one ends at `ends`. Both are told in whole seconds, so their mean counts.
    fn see_length(&mut self, old: f64, ends: f64) {
        if self.per.is_some() && self.seen.is_none() {
            return;
        }
        let moved = ends - old;
        let (first, windows) = match (self.seen, self.per) {
            // What was taken for one window was several, as nothing was sent meanwhile.
            (Some((first, windows)), Some(per)) if moved > per * 0.7 => {
                (first, windows + (moved / per).round())
            }
            _ => (old, 1.0),
        };
        let mean = (ends - first) / windows;
        let whole = (mean / GRAIN).round().max(1.0) * GRAIN;
        let per = if windows < 5.0 || (mean - whole).abs() < GRAIN * 0.3 { whole } else { mean };
        (self.per, self.seen) = (Some(per), Some((first, windows)));
    }

    /// By what went since the window was first heard of: single answers come in any order.
    fn learn_cost(&mut self, from: Heard, heard: Heard) {
        let calls = count(heard.number.saturating_sub(from.number));
        let each = (from.remaining - heard.remaining) / calls.max(1.0);
        if calls >= COST_CALLS {
            self.cost = if each > COST_FROM { each.min(10_000.0) } else { 1.0 };
        }
    }

    fn learn_leak(&mut self, heard: Heard) {
        let full = self.limit.is_some_and(|limit| heard.remaining >= count(limit));
        let Some(from) = self.leak_from.filter(|_| !full) else {
            self.leak_from = (!full).then_some(heard);
            return;
        };
        let over = heard.at - from.at;
        if over < LEAK_OVER || heard.number <= from.number {
            return;
        }
        let came_in = count(heard.number - from.number) * self.cost;
        let sample = ((came_in + heard.remaining - from.remaining) / over).max(0.000_01);
        let leak = match self.kind {
            Kind::Bucket(Some(leak)) => leak * 0.7 + sample * 0.3,
            _ => sample,
        };
        self.kind = Kind::Bucket(Some(leak));
        self.leak_from = Some(heard);
    }

    fn squeeze_for(&mut self, remaining: f64, now: f64) {
        let (Kind::Moving, Some(limit), Some(per)) = (self.kind, self.limit.map(count), self.per)
        else {
            return;
        };
        if now - self.squeezed_at < per / 20.0 {
            return;
        }
        self.squeezed_at = now;
        let low = remaining < limit * (1.0 - USED) * 0.5;
        self.squeeze = if low { self.squeeze * 0.9 } else { self.squeeze * 1.02 }.clamp(0.05, 1.0);
    }

    /// A call went.
    pub(super) fn departed(&mut self, now: f64) {
        if self.counts && self.ends.is_none() {
            (self.ends, self.told_at) = (self.per.map(|per| now + per), now);
        }
        self.roll(now);
        self.untold += u64::from(self.counts);
        if let Some(left) = &mut self.left {
            *left = (*left - self.cost).max(0.0);
        }
    }

    /// The calls of its window that went since this was asked last.
    pub(super) fn tell_spent(&mut self, now: f64) -> Option<Spent> {
        self.roll(now);
        let (per, ends) = self.per.zip(self.ends).filter(|_| self.counts && self.untold > 0)?;
        let calls = std::mem::take(&mut self.untold);
        Some(Spent { per: whole(per), ends: at_millis(ends), calls })
    }

    /// What was told is not known to the others after all.
    pub(super) fn not_told(&mut self, spent: &Spent) {
        if self.is_of(spent) && self.ends.is_some_and(|ends| at_millis(ends) == spent.ends) {
            self.untold += spent.calls;
        }
    }

    /// So many calls went in its window, those of all nodes together: this one has its part of what is left.
    pub(super) fn know_spent(&mut self, all: &Spent, now: f64) {
        let ends = millis(all.ends);
        if !self.is_of(all) || ends <= now {
            return;
        }
        if self.ends != Some(ends) {
            (self.ends, self.told_at) = (Some(ends), now);
        }
        let left = (self.whole * USED - count(all.calls)) / self.nodes;
        self.left = Some((left - count(self.untold)).max(0.0));
    }

    fn is_of(&self, spent: &Spent) -> bool {
        self.counts && self.per.is_some_and(|per| whole(per) == spent.per)
    }

    /// A window that is over begins anew by itself, as far as its length is known.
    fn roll(&mut self, now: f64) {
        let Some(ends) = self.ends.filter(|ends| *ends <= now && self.kind == Kind::Fixed) else {
            return;
        };
        (self.anchor, self.cost_from, self.untold) = (None, None, 0);
        match self.per.filter(|_| self.seen.is_none()) {
            Some(per) => {
                self.left = self.limit.map(count);
                self.told_at = ends;
                self.ends = Some(ends + ((now - ends) / per).floor() * per + per);
            }
            // When the next one ends is heard of then, and so is how long it was.
            None => self.left = None,
        }
    }

    /// How many calls per millisecond it allows now.
    pub(super) fn rate(&self, now: f64) -> Option<f64> {
        if self.unit == Unit::Concurrent {
            return None;
        }
        let limit = self.limit.map(count);
        let even = self.even();
        let units = match self.kind {
            Kind::Bucket(leak) => self.of_bucket(now, limit?, leak),
            Kind::Moving => match self.per.filter(|per| *per > SHORT) {
                Some(per) => Some(FASTER_ENDLESS * self.left? / per),
                None => even.map(|even| even * self.squeeze),
            },
            Kind::Fixed => self.of_window(now, even),
        };
        units.map(|units| (units / self.cost).max(0.000_000_1))
    }

    fn of_bucket(&self, now: f64, limit: f64, leak: Option<f64>) -> Option<f64> {
        let left = self.left?;
        let Some(leak) = leak else {
            return (left < limit * 0.8).then_some(left.max(1.0) / BUCKET_TIME);
        };
        let leak = leak.max(limit / LEAKS_IN);
        let left = (left + leak * (now - self.told_at)).min(limit);
        Some((leak + (left - limit * BUCKET_FREE) / BUCKET_TIME).max(leak * 0.1))
    }

    fn of_window(&self, now: f64, even: Option<f64>) -> Option<f64> {
        let Some(ends) = self.ends.filter(|ends| *ends > now) else {
            let long = self.per.filter(|per| *per > SHORT && self.ends.is_none());
            return match long.zip(self.left) {
                Some((per, left)) => Some(FASTER_ENDLESS * left / per),
                None => even.or(self.before.map(|before| before.max(ASKS))),
            };
        };
        let rest = |faster: f64| self.left.map(|left| faster * left / (ends - now + GRAIN));
        match self.per {
            Some(per) if per < TELLS_FROM => even,
            Some(per) if per <= SHORT => even.into_iter().chain(rest(1.0)).reduce(f64::min),
            Some(_) => rest(FASTER),
            None if ends - now > SHORT => rest(FASTER),
            None => rest(1.0),
        }
    }

    /// Until when there is nothing left of it.
    pub(super) fn empty_until(&self, now: f64) -> Option<f64> {
        let left = self.left.filter(|left| *left < 1.0)?;
        if self.unit == Unit::Concurrent {
            return None;
        }
        let patience = match (self.kind, self.ends, self.per) {
            (Kind::Fixed, Some(ends), Some(per)) if per < TELLS_FROM => {
                (ends - self.told_at).min(per / 20.0)
            }
            (Kind::Fixed, Some(ends), _) => ends - self.told_at,
            (Kind::Bucket(Some(leak)), ..) => (1.0 - left) / leak.max(0.000_1),
            (_, _, Some(per)) => per / 20.0,
            (_, _, None) => GRAIN,
        };
        Some(self.told_at + patience.min(EMPTY_MAX)).filter(|until| *until > now)
    }

    /// When its window ends, if that is still to come.
    pub(super) fn ends_after(&self, now: f64) -> Option<f64> {
        self.ends.filter(|ends| *ends > now)
    }

    /// Whether its window began a moment ago.
    pub(super) fn began_anew(&self, now: f64, within: f64) -> bool {
        let Some(ends) = self.ends.filter(|_| self.kind == Kind::Fixed) else { return false };
        let began = self.per.map_or(ends, |per| if ends > now { ends - per } else { ends });
        (0.0..within).contains(&(now - began)) && self.per.is_none_or(|per| per > within * 2.0)
    }

    /// Whether nobody spoke of it for so long that it may be no more.
    pub(super) fn is_forgotten(&self, now: f64) -> bool {
        let keeps = self.per.unwrap_or(0.0).max(60_000.0) * 2.0;
        now - self.told_at > keeps && self.ends.is_none_or(|ends| ends < now)
    }
}

/// So many milliseconds, as they were declared.
fn whole(millis: f64) -> Duration {
    Duration::from_millis(at_millis(millis).as_millis().try_into().unwrap_or(0))
}
