//! Refusals that come whatever the pace is. A system that fails now and then says nothing of how much it allows, and who
//! slows down for each such failure stands still in the end. They are told from the others in two ways. Just after a cut the
//! pace is below what was dealt with before: who is limited is not refused there, and who fails by chance fails there as
//! often as anywhere. And they come one by one: a limit that is used up refuses the next call, too.

/// So many calls are remembered, and so many rows of refusals: the older the less.
const REMEMBERED: f64 = 1_024.0;
const ROWS_REMEMBERED: f64 = 10.0;
/// It is believed only slowly: as if so many more calls had been seen, and so many refusals less.
const DOUBTED_CALLS: f64 = 30.0;
const DOUBTED_REFUSALS: f64 = 1.0;
/// The largest part of the calls that is taken to fail by chance.
const PART_MAX: f64 = 0.1;
/// By chance a refusal is followed by another as often as any call. Among few that is seen so many times as often, and once
/// more, at most.
const FOLLOWED: f64 = 5.0;
/// So many times what is expected is passed over, chance being what it is, and at most so many at once.
const PASSED_OVER: f64 = 1.5;
const PASSED_AT_ONCE: f64 = 6.0;
/// The last calls are about so many.
const LAST: f64 = 32.0;

#[derive(Debug, Clone, Default)]
pub(super) struct Chance {
    /// Calls at a safe pace, and how many of them were refused.
    calls: f64,
    refused: f64,
    /// Rows of refusals that began at a safe pace, and how many were longer than one.
    rows: f64,
    longer: f64,
    /// The present row: how long it is, and whether it began at a safe pace.
    row: u32,
    began_safe: bool,
    /// Which part of the last calls was refused.
    lately: f64,
    /// How many refusals would be no more than is expected.
    expected: f64,
}

impl Chance {
    /// A call was answered. `safe`: it went at a pace at which who is limited is not refused.
    pub(super) fn answered(&mut self, refused: bool, safe: bool) {
        let one = f64::from(u8::from(refused));
        self.lately += (one - self.lately) / LAST;
        self.row = if refused { self.row.saturating_add(1) } else { 0 };
        match self.row {
            1 => {
                self.began_safe = safe;
                if safe {
                    let kept = 1.0 - 1.0 / ROWS_REMEMBERED;
                    (self.rows, self.longer) = (self.rows * kept + 1.0, self.longer * kept);
                }
            }
            2 if self.began_safe => self.longer += 1.0,
            _ => {}
        }
        if safe && self.row < 2 {
            let kept = 1.0 - 1.0 / REMEMBERED;
            (self.calls, self.refused) = (self.calls * kept + 1.0, self.refused * kept + one);
        }
        self.expected = (self.expected + self.part() * PASSED_OVER).min(PASSED_AT_ONCE);
    }

    /// Whether a refusal that was just told is one of those that are expected.
    pub(super) fn expects(&mut self) -> bool {
        let expects = self.expected >= 1.0;
        if expects {
            self.expected -= 1.0;
        }
        expects
    }

    /// Whether some calls fail whatever the pace is.
    pub(super) fn is_known(&self) -> bool {
        self.part() > 0.0
    }

    /// Which part of the last calls was refused, for whatever reason.
    pub(super) fn lately(&self) -> f64 {
        self.lately
    }

    /// Which part of the calls fails whatever the pace is.
    fn part(&self) -> f64 {
        let of = |refused: f64| refused.max(0.0) / (self.calls + DOUBTED_CALLS);
        if self.longer > 1.0 + FOLLOWED * of(self.refused) * self.rows {
            return 0.0;
        }
        of(self.refused - DOUBTED_REFUSALS).min(PART_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::Chance;

    /// Of ten thousand calls, so many refusals that are not expected when each `every`th call and the `row` after it are.
    fn unexpected(every: usize, row: usize, safe: bool) -> usize {
        let mut chance = Chance::default();
        (0..10_000)
            .filter(|nth| {
                let refused = *nth >= every && nth % every < row;
                chance.answered(refused, safe);
                refused && !chance.expects()
            })
            .count()
    }

    #[test]
    fn single_refusals_at_a_safe_pace_are_expected_after_the_first_few() {
        for every in [10, 20, 50, 100, 200] {
            let count = unexpected(every, 1, true);
            assert!((2..15).contains(&count), "every {every}th: {count}");
        }
    }

    #[test]
    fn rows_of_refusals_are_a_limits() {
        assert_eq!(unexpected(50, 4, true), 199 * 4);
    }

    #[test]
    fn refusals_at_a_pace_that_may_be_too_high_tell_nothing() {
        assert_eq!(unexpected(50, 1, false), 199);
    }

    #[test]
    fn many_refusals_are_not_by_chance() {
        let count = unexpected(3, 1, true);
        assert!(count > 1_500, "{count} of 3,333");
    }
}
