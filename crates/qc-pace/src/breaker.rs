//! Whether a system is asked at all. One that answers nothing good any more is left alone but for a probe now and then;
//! when it is back, calls come back to it in steps, each twice the last one, and not all at once.

use std::{collections::VecDeque, time::Duration};

use qc_model::Timestamp;

/// Answers are counted over this time.
const OVER: Duration = Duration::from_secs(10);
/// So many have to have come before anything is judged.
const JUDGED_FROM: u32 = 20;
/// A breaker opens when so many of a hundred failed, or were slow.
const OPENS_AT: u32 = 50;
const SLOW_AT: u32 = 80;
/// A call is slow after this.
const SLOW: Duration = Duration::from_secs(20);
/// How long an open breaker waits before it lets a call probe: short, as one call is no load.
const PROBE_AFTER: Duration = Duration::from_secs(1);
const PROBE_AFTER_MAX: Duration = Duration::from_secs(2);
/// A probe that brings no answer is over after this.
const PROBE_LASTS: Duration = Duration::from_secs(60);
/// So many calls at once after the first good probe; doubled as often as all of them were good.
const RAMP_FIRST: u32 = 2;
/// With so many the breaker is closed.
const RAMP_LAST: u32 = 256;

/// What a call was for the breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It was answered, be it with a no.
    Good,
    /// No answer, or one of a system that does not work.
    Bad,
    /// Nothing is known of it.
    Unknown,
}

/// Whether a call may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Now.
    Free,
    /// Not before this moment.
    At(Timestamp),
    /// When a call that is in flight is answered.
    Answered,
}

/// How a breaker stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stands {
    /// All calls go.
    Closed,
    /// None goes.
    Open,
    /// One is under way to see whether the system is back.
    Probing,
    /// Few go, and more with every good answer.
    Ramping,
}

#[derive(Debug, Clone)]
enum Phase {
    Closed { answers: VecDeque<Second> },
    Open { probe_at: Timestamp, pause: Duration },
    Probing { since: Timestamp, pause: Duration },
    Ramping { at_once: u32, good: u32, in_flight: u32, since: Timestamp },
}

/// The answers of a second.
#[derive(Debug, Clone, Copy)]
struct Second {
    at: i64,
    all: u32,
    bad: u32,
    slow: u32,
}

/// A circuit breaker. The first calls to a system always go.
#[derive(Debug, Clone)]
pub struct Breaker {
    phase: Phase,
    /// Since when it is not closed.
    opened_at: Option<Timestamp>,
}

impl Default for Breaker {
    fn default() -> Self {
        Self { phase: Phase::Closed { answers: VecDeque::new() }, opened_at: None }
    }
}

impl Breaker {
    /// Whether a call may go now.
    pub fn admit(&self, now: Timestamp) -> Way {
        match &self.phase {
            Phase::Closed { .. } => Way::Free,
            Phase::Open { probe_at, .. } if *probe_at <= now => Way::Free,
            Phase::Open { probe_at, .. } => Way::At(*probe_at),
            Phase::Probing { since, .. } if now.since(*since) >= PROBE_LASTS => Way::Free,
            Phase::Probing { since, .. } => Way::At(*since + PROBE_LASTS),
            Phase::Ramping { at_once, in_flight, .. } if in_flight < at_once => Way::Free,
            Phase::Ramping { .. } => Way::Answered,
        }
    }

    /// How it stands, and since when it is not closed.
    pub fn stands(&self) -> (Stands, Option<Timestamp>) {
        let stands = match self.phase {
            Phase::Closed { .. } => Stands::Closed,
            Phase::Open { .. } => Stands::Open,
            Phase::Probing { .. } => Stands::Probing,
            Phase::Ramping { .. } => Stands::Ramping,
        };
        (stands, self.opened_at)
    }

    /// A call goes now.
    pub fn depart(&mut self, now: Timestamp) {
        match &mut self.phase {
            Phase::Closed { .. } => {}
            Phase::Open { pause, .. } | Phase::Probing { pause, .. } => {
                self.phase = Phase::Probing { since: now, pause: *pause };
            }
            Phase::Ramping { in_flight, .. } => *in_flight += 1,
        }
    }

    /// What became of a call that went at this time.
    pub fn answered(&mut self, went: Timestamp, health: Health, now: Timestamp) {
        let took = now.since(went);
        let good = health == Health::Good && took < SLOW;
        match &mut self.phase {
            Phase::Closed { answers } => {
                if health != Health::Unknown && count(answers, health, took, now) {
                    self.open(PROBE_AFTER, now);
                }
            }
            // Those that went before it opened tell nothing new; a good answer does.
            Phase::Open { .. } => {
                if good && Some(went) >= self.opened_at {
                    self.phase = ramp(now);
                }
            }
            Phase::Probing { since, .. } if went < *since => {}
            Phase::Probing { pause, .. } => {
                let pause = *pause;
                match health {
                    Health::Good if good => self.phase = ramp(now),
                    Health::Unknown => self.phase = Phase::Open { probe_at: now, pause },
                    Health::Good | Health::Bad => {
                        self.open((pause * 2).min(PROBE_AFTER_MAX), now);
                    }
                }
            }
            Phase::Ramping { since, .. } if went < *since => {}
            Phase::Ramping { at_once, good: so_far, in_flight, .. } => {
                *in_flight = in_flight.saturating_sub(1);
                match health {
                    Health::Unknown => {}
                    Health::Bad => self.open(PROBE_AFTER, now),
                    Health::Good => {
                        *so_far += 1;
                        if *so_far >= *at_once {
                            (*at_once, *so_far) = (*at_once * 2, 0);
                        }
                        if *at_once >= RAMP_LAST {
                            *self = Self::default();
                        }
                    }
                }
            }
        }
    }

    fn open(&mut self, pause: Duration, now: Timestamp) {
        self.opened_at.get_or_insert(now);
        self.phase = Phase::Open { probe_at: now + pause, pause };
    }
}

fn ramp(now: Timestamp) -> Phase {
    Phase::Ramping { at_once: RAMP_FIRST, good: 0, in_flight: 0, since: now }
}

/// Counts an answer. True: too many failed.
fn count(answers: &mut VecDeque<Second>, health: Health, took: Duration, now: Timestamp) -> bool {
    let second = now.as_secs();
    if answers.back().is_none_or(|last| last.at != second) {
        answers.push_back(Second { at: second, all: 0, bad: 0, slow: 0 });
    }
    while answers.len() > 10 || answers.front().is_some_and(|first| over(first.at, second)) {
        answers.pop_front();
    }
    if let Some(last) = answers.back_mut() {
        last.all = last.all.saturating_add(1);
        last.bad = last.bad.saturating_add(u32::from(health == Health::Bad));
        last.slow = last.slow.saturating_add(u32::from(took >= SLOW));
    }
    let sum = |of: fn(&Second) -> u32| answers.iter().map(|one| u64::from(of(one))).sum::<u64>();
    let (all, bad, slow) = (sum(|one| one.all), sum(|one| one.bad), sum(|one| one.slow));
    all >= u64::from(JUDGED_FROM)
        && (bad * 100 >= all * u64::from(OPENS_AT) || slow * 100 >= all * u64::from(SLOW_AT))
}

fn over(first: i64, now: i64) -> bool {
    u64::try_from(now.saturating_sub(first)).is_ok_and(|passed| passed >= OVER.as_secs())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(1_795_000_000_000 + millis)
    }

    fn opened() -> Breaker {
        let mut breaker = Breaker::default();
        for n in 0..20 {
            assert_eq!(breaker.admit(at(n)), Way::Free);
            breaker.depart(at(n));
            breaker.answered(at(n), Health::Bad, at(n));
        }
        breaker
    }

    #[test]
    fn it_opens_after_twenty_answers_of_which_half_failed_and_probes_one_by_one() {
        let mut breaker = opened();
        assert_eq!(breaker.stands(), (Stands::Open, Some(at(19))));
        assert_eq!(breaker.admit(at(20)), Way::At(at(1_019)));
        assert_eq!(breaker.admit(at(1_019)), Way::Free);
        breaker.depart(at(1_019));
        assert_eq!(breaker.admit(at(1_020)), Way::At(at(61_019)), "one probe at a time");
        breaker.answered(at(1_019), Health::Bad, at(1_100));
        assert_eq!(breaker.admit(at(1_100)), Way::At(at(3_100)), "twice as long, and no longer");
        breaker.depart(at(3_100));
        breaker.answered(at(3_100), Health::Bad, at(3_100));
        assert_eq!(breaker.admit(at(3_100)), Way::At(at(5_100)));
    }

    #[test]
    fn a_few_failures_or_a_mix_that_is_mostly_good_open_nothing() {
        let mut breaker = Breaker::default();
        for n in 0..1_000 {
            let health = if n % 5 < 2 { Health::Bad } else { Health::Good };
            breaker.answered(at(n * 10), health, at(n * 10));
        }
        assert_eq!(breaker.stands(), (Stands::Closed, None));
        let mut breaker = Breaker::default();
        for n in 0..100 {
            // Fewer than twenty in ten seconds.
            breaker.answered(at(n * 700), Health::Bad, at(n * 700));
        }
        assert_eq!(breaker.stands().0, Stands::Closed);
    }

    #[test]
    fn answers_that_take_too_long_open_it_too() {
        let mut breaker = Breaker::default();
        for n in 0..20 {
            breaker.answered(at(n), Health::Good, at(n + 20_000));
        }
        assert_eq!(breaker.stands().0, Stands::Open);
    }

    #[test]
    fn calls_come_back_in_steps_and_a_failure_on_the_way_opens_it_again() {
        let mut breaker = opened();
        breaker.depart(at(1_019));
        breaker.answered(at(1_019), Health::Good, at(1_030));
        let mut rounds = Vec::new();
        let mut now = 1_030;
        while breaker.stands().0 == Stands::Ramping {
            let mut sent = 0;
            while breaker.admit(at(now)) == Way::Free && sent < 1_000 {
                breaker.depart(at(now));
                sent += 1;
            }
            rounds.push(sent);
            for _ in 0..sent {
                breaker.answered(at(now), Health::Good, at(now + 50));
            }
            now += 50;
        }
        assert_eq!(rounds, [2, 4, 8, 16, 32, 64, 128]);
        assert!(now - 1_030 < 1_000);
        let mut breaker = opened();
        breaker.depart(at(1_019));
        breaker.answered(at(1_019), Health::Good, at(1_030));
        breaker.depart(at(1_040));
        breaker.answered(at(1_040), Health::Bad, at(1_050));
        assert_eq!(breaker.stands().0, Stands::Open);
    }

    proptest! {
        /// Whatever happens: it never waits for an answer that cannot come, and it is never open without an end.
        #[test]
        fn there_is_always_a_way_on(deeds in proptest::collection::vec((0_u8..4, 0_i64..5_000), 1..300)) {
            let (mut breaker, mut now) = (Breaker::default(), 0);
            let mut flying: Vec<i64> = Vec::new();
            for (deed, after) in deeds {
                now += after;
                let health = [Health::Good, Health::Bad, Health::Unknown][usize::from(deed % 3)];
                match (deed, flying.pop()) {
                    (3, _) | (_, None) => if breaker.admit(at(now)) == Way::Free {
                        breaker.depart(at(now));
                        flying.push(now);
                    },
                    (_, Some(went)) => breaker.answered(at(went), health, at(now)),
                }
                match breaker.admit(at(now)) {
                    Way::Free => {}
                    Way::At(then) => prop_assert!(then > at(now) && then <= at(now) + PROBE_LASTS),
                    Way::Answered => prop_assert!(!flying.is_empty()),
                }
            }
        }
    }
}
