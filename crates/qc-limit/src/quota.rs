use std::time::Duration;

/// The fastest quota: a unit is at least a microsecond from the next one, so that whole nanoseconds are exact enough.
pub const MOST_PER_SECOND: u64 = 1_000_000;
/// The most units at once.
pub const MOST_AT_ONCE: u64 = 1_000_000_000;
/// The longest time in which an empty quota fills up, in nanoseconds: 400 days.
const LONGEST: u64 = 400 * 86_400 * 1_000_000_000;

/// So many units in a time, and so many of them at once: the generic cell rate algorithm (ITU-T I.371), which is a token
/// bucket that is kept as one moment.
///
/// Its two laws, for every key: whoever never uses more than [`Quota::burst`] in any span of [`Quota::window`] is never
/// refused; and nobody gets more than `burst + t / interval` units in any span of the length t.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    interval: u64,
    burst: u64,
}

/// A quota that cannot be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QuotaError {
    /// Nothing could ever come.
    #[error("a quota and its burst are at least 1")]
    Nothing,
    /// The units are too near each other.
    #[error("a quota is at most {MOST_PER_SECOND} a second")]
    TooFast,
    /// An empty quota would take too long to fill up, or holds too much.
    #[error("a burst is at most {MOST_AT_ONCE}, and refills within 400 days at the quota's pace")]
    TooLarge,
}

/// How often a unit comes back, as it is declared: `10/s`, `1.5/min`. In the smallest unit of time in which it is whole,
/// else in the smallest in which it is one at least.
#[expect(clippy::cast_precision_loss, reason = "it is shown with few digits")]
pub fn pace_in_words(interval: u64) -> String {
    const UNITS: [(&str, u64); 4] = [
        ("s", 1_000_000_000),
        ("min", 60_000_000_000),
        ("h", 3_600_000_000_000),
        ("d", 86_400_000_000_000),
    ];
    let per = |nanos: u64| nanos as f64 / interval.max(1) as f64;
    // An interval is rounded down to whole nanoseconds.
    let is_whole = |count: f64| (count - count.round()).abs() <= count * 1e-6;
    let whole = UNITS.iter().find(|(_, nanos)| per(*nanos) >= 0.999 && is_whole(per(*nanos)));
    let (unit, nanos) = whole
        .or_else(|| UNITS.iter().find(|(_, nanos)| per(*nanos) >= 1.0))
        .unwrap_or(&UNITS[UNITS.len() - 1]);
    let count = per(*nanos);
    if is_whole(count) { format!("{}/{unit}", count.round()) } else { format!("{count:.2}/{unit}") }
}

impl Quota {
    /// `count` units in the time `per`; at once as many, unless `burst` says how many.
    pub fn new(count: u64, per: Duration, burst: Option<u64>) -> Result<Self, QuotaError> {
        let burst = burst.unwrap_or(count);
        if count == 0 || burst == 0 {
            return Err(QuotaError::Nothing);
        }
        let interval = u64::try_from(per.as_nanos() / u128::from(count)).unwrap_or(u64::MAX);
        if interval < 1_000_000_000 / MOST_PER_SECOND {
            return Err(QuotaError::TooFast);
        }
        let whole = interval.checked_mul(burst).filter(|whole| *whole <= LONGEST);
        if whole.is_none() || burst > MOST_AT_ONCE {
            return Err(QuotaError::TooLarge);
        }
        Ok(Self { interval, burst })
    }

    /// The time after which one more unit is there, in nanoseconds; rounded down when it was made.
    pub const fn interval(self) -> u64 {
        self.interval
    }

    /// The units that are there when nothing was used for a while.
    pub const fn burst(self) -> u64 {
        self.burst
    }

    /// The time in which an empty quota fills up, in nanoseconds.
    pub const fn tolerance(self) -> u64 {
        self.interval * self.burst
    }

    /// That time as it is told to senders: whole seconds, rounded up, at least 1. Whoever uses at most [`Quota::burst`]
    /// in it is never refused.
    pub const fn window(self) -> u64 {
        seconds(self.tolerance())
    }

    /// The part of it that one of so many nodes has for itself, of at least so many units at once.
    #[must_use]
    pub fn shared_by(self, nodes: usize, least: u64) -> Self {
        let nodes = u64::try_from(nodes).unwrap_or(u64::MAX).max(1);
        let burst = (self.burst / nodes).max(least.min(self.burst)).max(1);
        let whole = self.interval.saturating_mul(nodes);
        Self { interval: whole.min(LONGEST / burst).max(self.interval), burst }
    }

    /// The pace at which units come back, a second.
    #[expect(clippy::cast_precision_loss, reason = "an interval is far below 2^52 nanoseconds")]
    pub fn per_second(self) -> f64 {
        1e9 / self.interval as f64
    }
}

/// Nanoseconds as whole seconds, rounded up, at least 1: a wait that is told is never too short.
pub(crate) const fn seconds(nanos: u64) -> u64 {
    let seconds = nanos.div_ceil(1_000_000_000);
    if seconds == 0 { 1 } else { seconds }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_is_told_as_it_was_declared() {
        for (count, secs, told) in [
            (10, 1, "10/s"),
            (7, 1, "7/s"),
            (1, 1, "1/s"),
            (3, 60, "3/min"),
            (100, 60, "100/min"),
            (600, 60, "10/s"),
            (1, 3_600, "1/h"),
            (1_000, 86_400, "1000/d"),
            (2, 7 * 86_400, "0.29/d"),
        ] {
            let quota = Quota::new(count, Duration::from_secs(secs), None).unwrap();
            assert_eq!(pace_in_words(quota.interval()), told);
        }
    }

    #[test]
    fn a_quota_is_told_as_it_was_written() {
        for (count, per, burst, window) in [
            (600, 60, None, 60),
            (7, 1, None, 1),
            (50, 1, Some(20), 1),
            (10, 3600, Some(5), 1800),
            (1, 86_400, None, 86_400),
            (100, 1, Some(1000), 10),
        ] {
            let quota = Quota::new(count, Duration::from_secs(per), burst).unwrap();
            assert_eq!((quota.burst(), quota.window()), (burst.unwrap_or(count), window));
        }
    }

    #[test]
    fn what_cannot_be_kept_is_no_quota() {
        let second = Duration::from_secs(1);
        assert_eq!(Quota::new(0, second, None), Err(QuotaError::Nothing));
        assert_eq!(Quota::new(1, second, Some(0)), Err(QuotaError::Nothing));
        assert_eq!(Quota::new(1_000_001, second, None), Err(QuotaError::TooFast));
        assert!(Quota::new(1_000_000, second, None).is_ok());
        let day = Duration::from_secs(86_400);
        assert_eq!(Quota::new(1, day, Some(401)), Err(QuotaError::TooLarge));
        assert_eq!(Quota::new(1_000_000, second, Some(u64::MAX)), Err(QuotaError::TooLarge));
    }

    #[test]
    fn nodes_have_a_part_each_and_together_what_there_is() {
        let quota = Quota::new(100, Duration::from_secs(10), Some(30)).unwrap();
        assert_eq!(quota.shared_by(1, 1), quota);
        let part = quota.shared_by(3, 1);
        assert_eq!((part.burst(), part.interval()), (10, quota.interval() * 3));
        assert_eq!(quota.shared_by(3, 12).burst(), 12, "what one event takes fits");
        assert_eq!((quota.shared_by(100, 1).burst(), quota.shared_by(0, 1)), (1, quota));
        let slow = Quota::new(1, Duration::from_secs(400 * 86_400), None).unwrap();
        assert_eq!(slow.shared_by(5, 1), slow, "what is slowest already stays so");
    }
}
