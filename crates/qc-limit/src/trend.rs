/// The time over which a pace is seen: what came before counts half after it, in nanoseconds.
const HALF_LIFE: f64 = 30e9;

/// How fast somebody comes: units, of which those that are long ago count less.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Trend {
    weight: f64,
    at: u64,
}

impl Trend {
    /// Units came.
    #[expect(clippy::cast_precision_loss, reason = "a pace is an estimate")]
    pub fn came(&mut self, units: u64, now: u64) {
        self.weight = self.left(now) + units as f64;
        self.at = self.at.max(now);
    }

    #[expect(clippy::cast_precision_loss, reason = "a pace is an estimate")]
    fn left(&self, now: u64) -> f64 {
        let age = now.saturating_sub(self.at) as f64;
        self.weight * (-age / HALF_LIFE * std::f64::consts::LN_2).exp()
    }

    /// Units a second, as of now.
    pub fn per_second(&self, now: u64) -> f64 {
        self.left(now) * std::f64::consts::LN_2 / HALF_LIFE * 1e9
    }

    /// The seconds after which what remains is used up at this pace, while `refill` units a second come back; None: not
    /// at this pace.
    #[expect(clippy::cast_precision_loss, reason = "a pace is an estimate")]
    pub fn exhausted_in(&self, remaining: u64, refill: f64, now: u64) -> Option<f64> {
        if remaining == 0 {
            return Some(0.0);
        }
        let drain = self.per_second(now) - refill;
        (drain > 0.0).then(|| remaining as f64 / drain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_steady_pace_is_found_and_forgotten() {
        let mut trend = Trend::default();
        for second in 0..300 {
            trend.came(20, second * SECOND);
        }
        let now = 300 * SECOND;
        let pace = trend.per_second(now);
        assert!((pace - 20.0).abs() < 1.0, "{pace}");
        let left = trend.exhausted_in(100, 10.0, now).unwrap();
        assert!((9.0..=11.5).contains(&left), "{left}");
        assert_eq!(trend.exhausted_in(100, 25.0, now), None);
        assert_eq!(trend.exhausted_in(0, 25.0, now), Some(0.0));
        assert!(trend.per_second(now + 600 * SECOND) < 0.001);
    }
}
