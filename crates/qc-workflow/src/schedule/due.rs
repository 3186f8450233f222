//! Which occurrences are run: when some were missed, and when the last run is not over yet.

use std::time::Duration;

use qc_model::Timestamp;
use serde::{Deserialize, Serialize};

use super::Timetable;

/// What happens when a run is due and the last one is not over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// The new one is left out.
    #[default]
    Skip,
    /// The new one waits for the end of the last one; only one waits.
    Queue,
    /// Both run.
    Allow,
}

/// What happens with occurrences that passed while nobody kept time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CatchUp {
    /// They are left out.
    None,
    /// The last one of them is run.
    #[default]
    Last,
    /// They are run one by one, the last ones when there are more than the limit.
    All {
        /// How many at most; never more than [`MISSED_LIMIT`].
        limit: u32,
    },
}

/// Most missed occurrences that are run.
pub const MISSED_LIMIT: u32 = 1_000;

/// How many missed occurrences are counted; of more only the newest ones are looked at.
const COUNTED_LIMIT: usize = 10_000;

/// What is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The occurrences to be run, oldest first.
    pub run: Vec<Timestamp>,
    /// How many are left out; at least so many, when they are more than are counted.
    pub left_out: u64,
    /// The last occurrence that passed: what the next question begins from.
    pub last: Timestamp,
    /// The next occurrence.
    pub next: Option<Timestamp>,
}

impl CatchUp {
    /// What is due at `now`, when `last` was the last occurrence dealt with. An occurrence no longer
    /// ago than `grace_ms` was not missed: it is run in any case.
    pub fn due(self, timetable: &Timetable, last: Timestamp, now: Timestamp, grace_ms: u64) -> Due {
        let most = match self {
            Self::None => 0,
            Self::Last => 1,
            Self::All { limit } => limit.min(MISSED_LIMIT) as usize,
        };
        let (passed, uncounted) = passed(timetable, last, now, most);
        let missed = passed.partition_point(|at| now.since(*at).as_millis() > u128::from(grace_ms));
        let left_out = missed.saturating_sub(most);
        Due {
            run: passed[left_out..].to_vec(),
            left_out: left_out as u64 + uncounted,
            last: passed.last().copied().unwrap_or(last),
            next: timetable.next(now.max(last)),
        }
    }
}

/// The occurrences after `last` up to `now`, and how many before them were left out because there
/// are more than are counted: at least so many.
fn passed(
    timetable: &Timetable,
    last: Timestamp,
    now: Timestamp,
    most: usize,
) -> (Vec<Timestamp>, u64) {
    let within = |from: Timestamp| {
        let mut found = Vec::new();
        let mut at = from;
        while let Some(next) = timetable.next(at).filter(|next| *next <= now) {
            if found.len() == COUNTED_LIMIT {
                return None;
            }
            found.push(next);
            at = next;
        }
        Some(found)
    };
    if let Some(all) = within(last) {
        return (all, 0);
    }
    // The newest ones are wanted: looks back further and further until there are enough.
    let mut newest = Vec::new();
    let mut back = Duration::from_secs(1);
    while newest.len() <= most && now - back > last {
        match within(now - back) {
            Some(found) => newest = found,
            None => break,
        }
        back *= 2;
    }
    // More than are counted passed, and these are the newest of them.
    let before = COUNTED_LIMIT + 1 - newest.len();
    (newest, before as u64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn minutes(timestamps: &[Timestamp]) -> Vec<i64> {
        timestamps.iter().map(|at| at.as_secs() / 60).collect()
    }

    fn after_ten_minutes(catch_up: CatchUp) -> (Vec<i64>, u64) {
        let start = Timestamp::from_millis(0);
        let timetable = Timetable::every(60_000, start);
        let due = catch_up.due(&timetable, start, Timestamp::from_millis(600_500), 1_000);
        assert_eq!(due.last, Timestamp::from_millis(600_000));
        assert_eq!(due.next, Some(Timestamp::from_millis(660_000)));
        (minutes(&due.run), due.left_out)
    }

    #[test]
    fn missed_occurrences_are_caught_up_with_as_is_said() {
        assert_eq!(after_ten_minutes(CatchUp::None), (vec![10], 9));
        assert_eq!(after_ten_minutes(CatchUp::Last), (vec![9, 10], 8));
        assert_eq!(after_ten_minutes(CatchUp::All { limit: 3 }), (vec![7, 8, 9, 10], 6));
        assert_eq!(after_ten_minutes(CatchUp::All { limit: 50 }), ((1..=10).collect(), 0));
    }

    #[test]
    fn a_long_absence_is_bounded() {
        let start = Timestamp::from_millis(0);
        let timetable = Timetable::every(1_000, start);
        let now = Timestamp::from_millis(10 * 365 * 86_400_000);
        let due = CatchUp::All { limit: u32::MAX }.due(&timetable, start, now, 0);
        assert_eq!(due.run.len(), 1 + MISSED_LIMIT as usize, "the one of now was not missed");
        assert_eq!(due.run.first(), Some(&(now - Duration::from_secs(1_000))), "the newest ones");
        assert_eq!((due.last, due.next), (now, Some(now + Duration::from_secs(1))));
        assert!(due.run.len() as u64 + due.left_out > COUNTED_LIMIT as u64);
    }

    proptest! {
        #[test]
        fn every_occurrence_is_run_or_left_out(
            every in 1u64..5_000, passed in 0i64..100_000, limit in 0u32..50, grace in 0u64..10_000, which in 0..3u8,
        ) {
            let start = Timestamp::from_millis(1_795_358_400_000);
            let timetable = Timetable::every(every, start);
            let now = Timestamp::from_millis(start.as_millis() + passed);
            let catch_up = match which { 0 => CatchUp::None, 1 => CatchUp::Last, _ => CatchUp::All { limit } };
            let due = catch_up.due(&timetable, start, now, grace);
            let all = u64::try_from(passed).unwrap() / every;
            let told = due.run.len() as u64 + due.left_out;
            // Exact as far as is counted; never more than there were.
            prop_assert!(told == all || (told > COUNTED_LIMIT as u64 && told < all), "{told} of {all}");
            prop_assert!(due.run.is_sorted());
            prop_assert!(due.next > Some(now));
            let again = catch_up.due(&timetable, due.last, now, grace);
            prop_assert!(again.run.is_empty() && again.left_out == 0, "nothing is due twice");
        }
    }
}
