//! A caller with endless work, a shaper and a system, in virtual time.

use std::{cmp::Reverse, collections::BinaryHeap, time::Duration};

use http::HeaderMap;
use qc_pace::{Declared, Departure, Outcome, Shaper, Turn, said};

use super::provider::{Counts, Tells, at};

/// How long a call is on its way, one way, in milliseconds.
const WAY: i64 = 20;
/// How long the system works at it.
const WORK: i64 = 60;
/// How long a call is under way for its caller.
const WHOLE: i64 = WAY + WORK + WAY;

pub(crate) struct World {
    pub(crate) shaper: Shaper,
    pub(crate) counts: Counts,
    pub(crate) tells: Tells,
    /// At these moments others take this many of the same limit.
    pub(crate) others: Vec<(i64, u64)>,
    pub(crate) now: i64,
    events: BinaryHeap<Reverse<(i64, u64, Event)>>,
    number: u64,
    at_work: u64,
    /// When calls were answered, and whether they were refused.
    pub(crate) answers: Vec<(i64, bool)>,
    pub(crate) random: u64,
    /// So many of a thousand calls come to this whatever the pace is, with this pause.
    pub(crate) by_chance: (u64, Outcome, Option<Duration>),
    /// What who is refused takes it for.
    pub(crate) refuses: Outcome,
    /// The caller has so many under way at most.
    pub(crate) lines: usize,
    gone: Vec<Departure>,
    told: Vec<Option<HeaderMap>>,
    under_way: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Arrives { slot: usize },
    Done { slot: usize, end: End },
    Others { calls: u64 },
}

/// What became of a call at the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Dealt,
    Refused,
    ByChance,
}

impl World {
    pub(crate) fn new(declared: Declared, counts: Counts, tells: Tells) -> Self {
        Self {
            shaper: Shaper::new(declared),
            counts,
            tells,
            others: vec![],
            now: 0,
            events: BinaryHeap::new(),
            number: 0,
            at_work: 0,
            answers: vec![],
            random: 7,
            by_chance: (0, Outcome::Dealt, None),
            refuses: Outcome::Throttled,
            lines: usize::MAX,
            gone: vec![],
            told: vec![],
            under_way: 0,
        }
    }

    fn push(&mut self, at: i64, event: Event) {
        self.number += 1;
        self.events.push(Reverse((at, self.number, event)));
    }

    fn chance(&mut self, of: u64) -> u64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.random >> 33) % of
    }

    /// A little of chance: a few milliseconds more or less.
    fn jitter(&mut self) -> i64 {
        i64::try_from(self.chance(11)).unwrap() - 5
    }

    /// Sends as much as may go, until then.
    pub(crate) fn run(&mut self, until: i64) {
        self.run_work(until, usize::MAX);
    }

    /// Sends as much as may go, and at most so many calls that are dealt with. Says how many were.
    pub(crate) fn run_work(&mut self, until: i64, work: usize) -> usize {
        let mut done = 0;
        for (when, calls) in std::mem::take(&mut self.others) {
            self.push(when, Event::Others { calls });
        }
        while self.now < until && done < work {
            let mut wake = until;
            loop {
                if self.under_way + done >= work || self.under_way >= self.lines {
                    break;
                }
                match self.shaper.admit(at(self.now)) {
                    Turn::Go => {
                        let departure = self.shaper.depart(at(self.now));
                        let arrives = self.now + WAY + self.jitter();
                        self.push(arrives, Event::Arrives { slot: self.gone.len() });
                        self.gone.push(departure);
                        self.told.push(None);
                        self.under_way += 1;
                    }
                    Turn::At(then) => {
                        assert!(then > at(self.now), "a moment that has come");
                        wake = wake.min(
                            self.now + i64::try_from(then.since(at(self.now)).as_millis()).unwrap(),
                        );
                        break;
                    }
                    Turn::Answered => {
                        assert!(self.under_way > 0, "waits for an answer that cannot come");
                        break;
                    }
                }
            }
            let next = self.events.peek().map_or(until, |Reverse((when, ..))| *when);
            self.now = next.min(wake).max(self.now);
            while let Some(Reverse((when, ..))) = self.events.peek()
                && *when <= self.now
            {
                let Reverse((_, _, event)) = self.events.pop().unwrap();
                match event {
                    Event::Others { calls } => {
                        for _ in 0..calls {
                            let _ = self.counts.take(self.now, self.at_work);
                        }
                    }
                    Event::Arrives { slot } => {
                        let refused = !self.counts.take(self.now, self.at_work);
                        let by_chance = !refused && self.chance(1_000) < self.by_chance.0;
                        let end = match (refused, by_chance) {
                            (true, _) => End::Refused,
                            (_, true) => End::ByChance,
                            _ => End::Dealt,
                        };
                        let told =
                            self.tells.headers(&self.counts, self.now, self.at_work, refused);
                        self.told[slot] = Some(told);
                        self.at_work += u64::from(!refused);
                        let work = if refused { 0 } else { WORK + self.jitter() };
                        self.push(self.now + work + WAY, Event::Done { slot, end });
                    }
                    Event::Done { slot, end } => {
                        self.under_way -= 1;
                        self.at_work -= u64::from(end != End::Refused);
                        let refused = end != End::Dealt;
                        done += usize::from(!refused);
                        let mut told = said(&self.told[slot].take().unwrap(), at(self.now));
                        let outcome = match end {
                            End::Dealt => Outcome::Dealt,
                            End::Refused => self.refuses,
                            End::ByChance => {
                                told.retry_after = self.by_chance.2;
                                self.by_chance.1
                            }
                        };
                        self.shaper.answered(self.gone[slot], outcome, &told, at(self.now));
                        self.answers.push((self.now, refused));
                    }
                }
            }
        }
        done
    }

    /// How many calls were dealt with between two moments.
    pub(crate) fn dealt(&self, from: i64, to: i64) -> f64 {
        let within = self.answers.iter().filter(|(when, no)| (from..to).contains(when) && !no);
        f64::from(u32::try_from(within.count()).unwrap())
    }

    /// Of what was allowed between two moments, which part was used; and which part of the calls was refused.
    pub(crate) fn figures(&self, from: i64, to: i64) -> (f64, f64) {
        let within = self.answers.iter().filter(|(when, _)| (from..to).contains(when));
        let (mut dealt, mut refused) = (0.0, 0.0);
        for (_, no) in within {
            if *no { refused += 1.0 } else { dealt += 1.0 }
        }
        let seconds = f64::from(i32::try_from(to - from).unwrap()) / 1_000.0;
        let allowed = self.counts.allowed(WHOLE) * seconds;
        (dealt / allowed, refused / f64::max(dealt + refused, 1.0))
    }
}
