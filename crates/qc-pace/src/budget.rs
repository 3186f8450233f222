//! How much may be tried again, for a destination and a tenant: a part of what is sent for the first time, and a little
//! besides, so that where little goes a few failures can be tried again at all.

use qc_model::Timestamp;

use crate::{at_millis, millis};

/// For so many first attempts one may be tried again: with what comes besides, a system that fails gets at most a tenth
/// more than it is asked.
const PER_FIRST: f64 = 0.08;
/// In this time one may be tried again besides. In milliseconds.
const ONE_IN: f64 = 5_000.0;
/// What comes besides is saved up to this.
const SAVED: f64 = 10.0;
/// What first attempts gave is saved up to this.
const EARNED_MAX: f64 = 50.0;

/// The budget of attempts that are not the first.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    saved: f64,
    earned: f64,
    at: f64,
}

impl Default for Budget {
    fn default() -> Self {
        Self { saved: SAVED, earned: 0.0, at: 0.0 }
    }
}

impl Budget {
    fn saved(&self, now: f64) -> f64 {
        if self.at == 0.0 {
            return self.saved;
        }
        (self.saved + (now - self.at).max(0.0) / ONE_IN).min(SAVED)
    }

    /// When another attempt may be made: None is now.
    pub fn admit(&self, now: Timestamp) -> Option<Timestamp> {
        let time = millis(now);
        let there = self.saved(time) + self.earned;
        (there < 1.0).then(|| at_millis(time + (1.0 - there) * ONE_IN)).filter(|at| *at > now)
    }

    /// A first attempt goes.
    pub fn first(&mut self) {
        self.earned = (self.earned + PER_FIRST).min(EARNED_MAX);
    }

    /// Another attempt goes.
    pub fn again(&mut self, now: Timestamp) {
        let time = millis(now);
        self.saved = self.saved(time);
        self.at = time;
        let of_earned = self.earned.min(1.0);
        self.earned -= of_earned;
        self.saved = (self.saved - (1.0 - of_earned)).max(0.0);
    }

    /// Another attempt was answered well: it was worth it, and so is one more. A system that is back is not kept from what
    /// waits for it.
    pub fn worked(&mut self) {
        self.earned = (self.earned + 2.0).min(EARNED_MAX);
    }

    /// Whether it is as at the beginning.
    pub fn is_idle(&self, now: Timestamp) -> bool {
        self.saved(millis(now)) >= SAVED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(1_795_000_000_000 + millis)
    }

    #[test]
    fn a_few_go_at_once_and_then_one_every_five_seconds() {
        let mut budget = Budget::default();
        let mut gone = 0;
        while budget.admit(at(0)).is_none() {
            budget.again(at(0));
            gone += 1;
        }
        assert_eq!(gone, 10);
        assert_eq!(budget.admit(at(0)), Some(at(5_000)));
        assert_eq!(budget.admit(at(5_000)), None);
        budget.again(at(5_000));
        assert_eq!(budget.admit(at(5_001)), Some(at(10_000)));
        assert!(budget.is_idle(at(60_000)));
    }

    /// A hundred calls a second that all fail, and each would be tried again as often as it may.
    #[test]
    fn a_system_that_fails_gets_a_tenth_more_at_most() {
        let mut budget = Budget::default();
        let (mut first, mut again) = (0_u32, 0_u32);
        for tick in 0..60_000_i64 {
            if tick % 10 == 0 {
                budget.first();
                first += 1;
            }
            while budget.admit(at(tick)).is_none() {
                budget.again(at(tick));
                again += 1;
            }
        }
        let sent = f64::from(first + again) / f64::from(first);
        assert!((1.05..=1.1).contains(&sent), "{sent}");
    }
}
