//! What came in at a trigger, by the minute and the hour, and whether that is more than was declared.

use std::collections::BTreeMap;

use qc_census::Counted;
use qc_engine::Traffic;
use qc_model::Timestamp;
use serde::{Deserialize, Serialize};

/// So many minutes and hours are kept.
const MINUTES: usize = 120;
const HOURS: usize = 48;
const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
/// The hours over which an average is taken.
const DAY: i64 = 24;
const DAY_SECONDS: u64 = 24 * 3_600;
/// A peak of fewer events in a minute is looked at by the hour: of so few nothing is concluded.
const FEW: f64 = 10.0;
/// How long a peak lasts when nobody said, in seconds.
const PEAK_LASTS: f64 = 3_600.0;

/// What came in at a trigger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Came {
    schema_version: u32,
    /// By minutes since the epoch.
    minutes: BTreeMap<i64, u64>,
    /// By hours since the epoch.
    hours: BTreeMap<i64, u64>,
}

/// How more came than was declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Excess {
    /// In a short time more than the declared peak.
    Peak,
    /// In a day more than the declared average and one peak.
    Average,
}

impl Excess {
    pub(crate) const ALL: [Self; 2] = [Self::Peak, Self::Average];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Peak => "peak",
            Self::Average => "average",
        }
    }
}

/// A time in which more came than was declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Above {
    /// How many came.
    pub(crate) seen: u64,
    /// How many were declared to.
    pub(crate) declared: u64,
    /// In how many seconds.
    pub(crate) seconds: u64,
    /// The end of that time.
    pub(crate) at: Timestamp,
}

impl Default for Came {
    fn default() -> Self {
        Self { schema_version: 1, minutes: BTreeMap::new(), hours: BTreeMap::new() }
    }
}

impl Came {
    /// One more.
    pub(crate) fn one(&mut self, now: Timestamp) {
        let ms = now.as_millis();
        *self.minutes.entry(ms.div_euclid(MINUTE)).or_default() += 1;
        *self.hours.entry(ms.div_euclid(HOUR)).or_default() += 1;
    }

    /// How many came in the last whole minute, in the last sixty of them, and in this hour and the 23 before.
    pub(crate) fn last(&self, now: Timestamp) -> [u64; 3] {
        let (minute, hour) = (now.as_millis().div_euclid(MINUTE), now.as_millis().div_euclid(HOUR));
        let of = |counts: &BTreeMap<i64, u64>, from: i64, to: i64| -> u64 {
            counts.range(from..to).map(|(_, count)| count).sum()
        };
        [
            of(&self.minutes, minute - 1, minute),
            of(&self.minutes, minute - 60, minute),
            of(&self.hours, hour + 1 - DAY, hour + 1),
        ]
    }

    /// The last time in which more came than was declared. What is not over yet is not judged.
    pub(crate) fn above(
        &self,
        excess: Excess,
        declared: &Traffic,
        now: Timestamp,
    ) -> Option<Above> {
        match excess {
            Excess::Peak => self.above_peak(declared, now),
            Excess::Average => self.above_average(declared, now),
        }
    }

    fn above_peak(&self, declared: &Traffic, now: Timestamp) -> Option<Above> {
        let peak = declared.peak?;
        let (counts, length) =
            if by_the_hour(peak) { (&self.hours, HOUR) } else { (&self.minutes, MINUTE) };
        let seconds = length.unsigned_abs() / 1_000;
        let most = declared_in(Excess::Peak, declared)?;
        let over = counts.range(..now.as_millis().div_euclid(length)).rev();
        let (at, seen) = over.into_iter().find(|(_, count)| **count > most)?;
        let at = Timestamp::from_millis((at + 1) * length);
        Some(Above { seen: *seen, declared: most, seconds, at })
    }

    fn above_average(&self, declared: &Traffic, now: Timestamp) -> Option<Above> {
        let most = declared_in(Excess::Average, declared)?;
        let hour = now.as_millis().div_euclid(HOUR);
        // Only hours that are over.
        let seen = self.hours.range(hour - DAY..hour).map(|(_, count)| count).sum();
        let at = Timestamp::from_millis(hour * HOUR);
        (seen > most).then_some(Above { seen, declared: most, seconds: DAY_SECONDS, at })
    }
}

fn by_the_hour(peak: f64) -> bool {
    peak * 60.0 < FEW
}

/// How many events are declared to come at most in the time that is looked at: a minute or an hour of a peak, with a
/// burst; a day of the average, with a burst and one peak.
pub(crate) fn declared_in(excess: Excess, declared: &Traffic) -> Option<u64> {
    match excess {
        Excess::Peak => {
            let peak = declared.peak?;
            let seconds = if by_the_hour(peak) { 3_600 } else { 60 };
            Some(allowed(peak, seconds) + declared.burst)
        }
        Excess::Average => {
            let average = declared.average?;
            let more = declared.peak.map_or(0.0, |peak| (peak - average).max(0.0));
            let lasts = declared.peak_lasts.map_or(PEAK_LASTS, |lasts| lasts.as_secs_f64());
            Some(allowed(average, DAY_SECONDS) + allowed(more * lasts, 1) + declared.burst)
        }
    }
}

/// How many events a rate is in so many seconds.
fn allowed(per_second: f64, seconds: u64) -> u64 {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rate is not negative and far below 2^52"
    )]
    let events = (per_second * seconds as f64).ceil() as u64;
    events
}

impl Counted for Came {
    fn add(&mut self, other: Self) {
        for (minute, count) in other.minutes {
            *self.minutes.entry(minute).or_default() += count;
        }
        for (hour, count) in other.hours {
            *self.hours.entry(hour).or_default() += count;
        }
        while self.minutes.len() > MINUTES {
            self.minutes.pop_first();
        }
        while self.hours.len() > HOURS {
            self.hours.pop_first();
        }
    }

    /// Its own bounds are narrower.
    fn forget(&mut self, _: Timestamp) {}
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn traffic(average: Option<f64>, peak: Option<f64>) -> Traffic {
        Traffic { average, peak, peak_lasts: None, burst: 0 }
    }

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_millis(1_000 * HOUR + minutes * MINUTE)
    }

    fn came(counts: &[(i64, u64)]) -> Came {
        let mut came = Came::default();
        for (minute, count) in counts {
            (0..*count).for_each(|_| came.one(at(*minute)));
        }
        came
    }

    #[test]
    fn a_minute_above_the_peak_is_found_when_it_is_over() {
        let declared = traffic(None, Some(1.0));
        let came = came(&[(0, 60), (1, 61), (2, 60)]);
        assert_eq!(came.above(Excess::Peak, &declared, at(1)), None, "its minute is not over");
        let found = came.above(Excess::Peak, &declared, at(3)).unwrap();
        assert_eq!((found.seen, found.declared, found.at), (61, 60, at(2)));
        let roomy = Traffic { burst: 1, ..declared };
        assert_eq!(came.above(Excess::Peak, &roomy, at(3)), None, "a burst may come besides");
        assert_eq!(came.above(Excess::Average, &declared, at(3)), None, "no average is declared");
    }

    #[test]
    fn of_few_events_an_hour_is_looked_at() {
        let declared = traffic(None, Some(10.0 / 3_600.0));
        let came = came(&[(0, 5), (1, 5), (60, 4), (70, 4), (80, 3)]);
        assert_eq!(came.above(Excess::Peak, &declared, at(60)), None);
        let found = came.above(Excess::Peak, &declared, at(120)).unwrap();
        assert_eq!((found.seen, found.declared, found.seconds), (11, 10, 3_600));
    }

    #[test]
    fn a_day_may_have_its_average_and_one_peak() {
        let mut declared = traffic(Some(10.0 / 3_600.0), Some(1.0));
        declared.peak_lasts = Some(Duration::from_secs(100));
        // 240 in a day, and 100 in a peak of 100 seconds less what the average has of it.
        let fits: Vec<(i64, u64)> = (0..24).map(|hour| (hour * 60, 14)).collect();
        assert_eq!(came(&fits).above(Excess::Average, &declared, at(24 * 60)), None);
        let more: Vec<(i64, u64)> = (0..24).map(|hour| (hour * 60, 15)).collect();
        let found = came(&more).above(Excess::Average, &declared, at(24 * 60)).unwrap();
        assert_eq!((found.seen, found.declared), (360, 340));
    }

    #[test]
    fn what_is_added_up_keeps_its_bounds() {
        let many: Vec<(i64, u64)> = (0..5_000).map(|minute| (minute, 1)).collect();
        let mut all = came(&[(4_999, 2)]);
        all.add(came(&many));
        assert_eq!((all.minutes.len(), all.hours.len()), (MINUTES, HOURS));
        assert_eq!(all.last(at(5_000))[0], 3);
    }

    #[test]
    fn what_came_lately_is_in_the_hour_and_the_day_before_they_are_over() {
        let came = came(&[(-25 * 60, 1), (-22 * 60, 2), (-55, 4), (-10, 8), (4, 16), (5, 32)]);
        assert_eq!(came.last(at(5)), [16, 4 + 8 + 16, 2 + 4 + 8 + 16 + 32]);
    }
}
