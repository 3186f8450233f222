//! When a token is renewed, and how long is waited after a failure.

use std::time::Duration;

use qc_model::Timestamp;

/// A token that lives long is renewed so long before its end, not sooner.
const MARGIN: Duration = Duration::from_secs(15 * 60);
/// The first pause after a failure, and the longest.
const PAUSE_FIRST: Duration = Duration::from_secs(2);
const PAUSE_LAST: Duration = Duration::from_secs(5 * 60);

/// When a token is renewed that was asked for at `asked_at` and lives so long: at four fifths of its life, or a quarter
/// of an hour before its end where that is later, up to a twentieth of its life sooner (at most five minutes), so that
/// tokens that came together do not go together.
pub fn renew_at(asked_at: Timestamp, lifetime: Duration, jitter: u64) -> Timestamp {
    let at = lifetime.mul_f64(0.8).max(lifetime.saturating_sub(MARGIN));
    let sooner = (lifetime / 20).min(Duration::from_secs(300));
    asked_at + at.saturating_sub(fraction(sooner, jitter))
}

/// The pause after so many failures in a row: doubled each time, the second half of it random.
pub fn backoff(failures: u32, jitter: u64) -> Duration {
    let doubled = PAUSE_FIRST.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1)));
    let pause = doubled.min(PAUSE_LAST);
    pause / 2 + fraction(pause / 2, jitter)
}

/// A part of a duration, evenly by the bits of `jitter`.
fn fraction(of: Duration, jitter: u64) -> Duration {
    let millis = u64::try_from(of.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(jitter % millis.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn renewal_is_within_the_last_quarter_and_before_the_end(
            seconds in 1..200_000_u64,
            jitter in any::<u64>(),
        ) {
            let start = Timestamp::from_millis(0);
            let life = Duration::from_secs(seconds);
            let at = renew_at(start, life, jitter);
            prop_assert!(at < start + life);
            prop_assert!(at >= start + life.mul_f64(0.74));
        }

        #[test]
        fn pauses_grow_and_stay_within_their_limits(failures in 1..100_u32, jitter in any::<u64>()) {
            let pause = backoff(failures, jitter);
            prop_assert!(pause >= PAUSE_FIRST / 2 && pause <= PAUSE_LAST);
            if failures > 8 {
                prop_assert!(pause >= PAUSE_LAST / 2);
            }
        }
    }

    #[test]
    fn a_day_s_token_is_used_until_a_quarter_of_an_hour_before_its_end() {
        let day = Duration::from_secs(86_400);
        let start = Timestamp::from_millis(0);
        assert_eq!(renew_at(start, day, 0), start + day.saturating_sub(MARGIN));
        assert_eq!(renew_at(start, Duration::from_secs(100), 0), start + Duration::from_secs(80));
    }
}
