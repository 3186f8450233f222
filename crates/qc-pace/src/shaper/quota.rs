//! A limit that answers announce: how much is left of it, and how fast that may be used.

use std::time::Duration;

use crate::{
    count,
    dialect::{Unit, Window},
    span,
};

/// Of what a window allows, so much is used: clocks differ, and so do windows' edges.
const USED: f64 = 0.97;
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
const TELLS_FROM: f64 = 10_000.0;
/// Of a bucket, so much is kept free.
const BUCKET_FREE: f64 = 0.3;
/// In this time a bucket's level is brought to where it should be. In milliseconds.
const BUCKET_TIME: f64 = 10_000.0;
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
    /// The window's length is only what was seen of it.
    seen: bool,
    /// What a call costs, together with what others use at the same time.
    cost: f64,
    /// Lowered while others use up a moving limit.
    squeeze: f64,
    squeezed_at: f64,
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
            seen: false,
            cost: 1.0,
            squeeze: 1.0,
            squeezed_at: f64::MIN,
            heard: None,
            leak_from: None,
            told_at: f64::MIN,
        }
    }

    /// What an answer says. `later`: so many calls went after the one that it answers.
    pub(super) fn hear(&mut self, window: &Window, number: u64, later: f64, now: f64) {
        self.told_at = now;
        self.limit = window.limit.or(self.limit);
        if let Some(per) = window.per {
            (self.per, self.seen) = (Some(span(per)), false);
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
        if let Some(before) = before.filter(|_| !anew && self.kind == Kind::Fixed) {
            self.learn_cost(before, heard);
        }
        if matches!(self.kind, Kind::Bucket(_)) {
            self.learn_leak(heard);
        }
        self.heard = Some(heard);
        self.left = Some((remaining - later * self.cost).max(0.0));
        self.squeeze_for(remaining, now);
    }

    /// Sees whether a window began anew, how long it is, and whether it ends at all. True: it began anew.
    fn sees_window(&mut self, ends: Option<f64>, remaining: f64, now: f64) -> bool {
        let (Some(ends), Some(old)) = (ends, self.ends) else { return false };
        let Some(before) = self.heard else { return false };
        let passed = now - before.at;
        let moved = ends - old;
        if old <= now + GRAIN && moved > GRAIN * 0.5 && remaining >= before.remaining {
            if self.per.is_none() || self.seen {
                let whole = (moved / GRAIN).round().max(1.0) * GRAIN;
                (self.per, self.seen) = (Some(whole), true);
            }
            return true;
        }
        // The end moves on with the time: nothing ends, all gets free bit by bit.
        if passed >= GRAIN && moved > passed * 0.5 && self.kind == Kind::Fixed && old > now + GRAIN {
            self.kind = Kind::Moving;
            if self.per.is_none() {
                (self.per, self.seen) = (Some(ends - now), true);
            }
        }
        false
    }

    fn learn_cost(&mut self, before: Heard, heard: Heard) {
        let (used, calls) = (before.remaining - heard.remaining, heard.number - before.number);
        if calls > 0 && used >= 0.0 {
            let sample = (used / count(calls)).clamp(1.0, 10_000.0);
            self.cost = self.cost * 0.9 + sample * 0.1;
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
        self.roll(now);
        if let Some(left) = &mut self.left {
            *left = (*left - self.cost).max(0.0);
        }
    }

    /// A window that is over begins anew by itself, as far as its length is known.
    fn roll(&mut self, now: f64) {
        let Some(ends) = self.ends.filter(|ends| *ends <= now && self.kind == Kind::Fixed) else {
            return;
        };
        self.left = self.limit.map(count);
        self.ends = self.per.map(|per| ends + ((now - ends) / per).floor() * per + per);
    }

    /// How many calls per millisecond it allows now.
    pub(super) fn rate(&self, now: f64) -> Option<f64> {
        if self.unit == Unit::Concurrent {
            return None;
        }
        let limit = self.limit.map(count);
        let even = limit.zip(self.per).map(|(limit, per)| limit * USED / per);
        let units = match self.kind {
            Kind::Bucket(leak) => self.of_bucket(limit?, leak),
            Kind::Moving => match self.per.filter(|per| *per > SHORT) {
                Some(per) => Some(FASTER_ENDLESS * self.left? / per),
                None => even.map(|even| even * self.squeeze),
            },
            Kind::Fixed => self.of_window(now, even),
        };
        units.map(|units| (units / self.cost).max(0.000_000_1))
    }

    fn of_bucket(&self, limit: f64, leak: Option<f64>) -> Option<f64> {
        let left = self.left?;
        match leak {
            None => (left < limit * 0.8).then_some(left / BUCKET_TIME),
            Some(leak) => Some(leak + (left - limit * BUCKET_FREE) / BUCKET_TIME),
        }
    }

    fn of_window(&self, now: f64, even: Option<f64>) -> Option<f64> {
        let Some(ends) = self.ends.filter(|ends| *ends > now) else {
            let long = self.per.filter(|per| *per > SHORT && self.ends.is_none());
            return match long.zip(self.left) {
                Some((per, left)) => Some(FASTER_ENDLESS * left / per),
                None => even,
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
            (Kind::Fixed, Some(ends), _) => ends - self.told_at,
            (Kind::Bucket(Some(leak)), ..) => (1.0 - left) / leak.max(0.000_01),
            (_, _, Some(per)) => per / 20.0,
            (_, _, None) => GRAIN,
        };
        Some(self.told_at + patience.min(EMPTY_MAX)).filter(|until| *until > now)
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
