//! How a call behaves when its outcome is bad or unknown.

use qc_model::{Applied, Retry};
use serde::{Deserialize, Serialize};

/// What holds for one call when the workflow itself says nothing else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallPolicy {
    /// What an ambiguous outcome means.
    pub effect: Effect,
    /// How failed attempts are repeated when no enclosing `try` retries.
    pub retry: RetryPolicy,
    /// How long one attempt may take, in milliseconds.
    pub timeout_ms: u64,
    /// The call is made at a moment by chance within so long of the run's beginning, in milliseconds; 0: at once.
    pub spread_ms: u64,
}

impl Default for CallPolicy {
    fn default() -> Self {
        Self {
            effect: Effect::Once,
            retry: RetryPolicy::default(),
            timeout_ms: 30_000,
            spread_ms: 0,
        }
    }
}

/// The effect class of a call: what is done when it was sent and no answer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Sending it again changes nothing more.
    Idempotent,
    /// The other side recognises a repeat by its key.
    Keyed,
    /// The effect can be read back.
    Verify,
    /// It is never sent twice; an unknown outcome waits for a person.
    Once,
}

impl Effect {
    /// Whether the call may be sent again when the effect of the last attempt is `applied`.
    pub fn may_resend(self, applied: Applied) -> bool {
        match applied {
            Applied::No => true,
            Applied::Maybe => matches!(self, Self::Idempotent | Self::Keyed),
            Applied::Yes => self == Self::Idempotent,
        }
    }

    /// The name used in files and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Idempotent => "idempotent",
            Self::Keyed => "keyed",
            Self::Verify => "verify",
            Self::Once => "once",
        }
    }
}

/// When and how often something is tried again. Always bounded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetryPolicy {
    /// Pause after the first failed attempt, in milliseconds.
    pub delay_ms: u64,
    /// How the pause grows.
    pub backoff: Backoff,
    /// Factor of exponential growth; 2 unless said otherwise.
    pub multiplier: f64,
    /// No pause is longer than this, in milliseconds (before a `range` jitter is added).
    pub max_delay_ms: u64,
    /// The part of chance.
    pub jitter: Jitter,
    /// Attempts in all, the first included.
    pub attempts: u32,
    /// No attempt starts later than this after the first one started, in milliseconds.
    pub duration_ms: u64,
    /// Pauses that the other side stated itself (Retry-After) do not count as attempts; their sum
    /// is bounded by this, in milliseconds.
    pub stated_wait_ms: u64,
}

/// How the pause grows with the number `n` of failed attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Backoff {
    /// Always the delay.
    Constant,
    /// The delay times `n`.
    Linear,
    /// The delay times the multiplier to the power `n - 1`.
    Exponential,
}

/// The part of chance in a pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Jitter {
    /// None.
    None,
    /// Uniform from zero to the pause.
    Full,
    /// Uniform from `from_ms` to `to_ms`, added to the pause.
    Range {
        /// Least addition in milliseconds.
        from_ms: u64,
        /// Greatest addition in milliseconds.
        to_ms: u64,
    },
}

/// Five attempts, exponential from 1 s, at most 60 s apart, full jitter, 15 minutes in all; stated
/// pauses of up to 24 hours.
impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            delay_ms: 1_000,
            backoff: Backoff::Exponential,
            multiplier: 2.0,
            max_delay_ms: 60_000,
            jitter: Jitter::Full,
            attempts: 5,
            duration_ms: 15 * 60_000,
            stated_wait_ms: 24 * 3_600_000,
        }
    }
}

impl RetryPolicy {
    /// A policy that never tries again.
    pub fn never() -> Self {
        Self { attempts: 1, stated_wait_ms: 0, ..Self::default() }
    }

    /// The pause after the `failed`-th failed attempt (from 1), in milliseconds. `entropy` decides
    /// the jitter.
    pub fn pause_ms(&self, failed: u32, entropy: u64) -> u64 {
        let n = failed.max(1);
        let grown = match self.backoff {
            Backoff::Constant => self.delay_ms,
            Backoff::Linear => self.delay_ms.saturating_mul(u64::from(n)),
            Backoff::Exponential => grow(self.delay_ms, self.multiplier, n - 1, self.max_delay_ms),
        };
        let pause = grown.min(self.max_delay_ms);
        match self.jitter {
            Jitter::None => pause,
            Jitter::Full => uniform(0, pause, entropy),
            Jitter::Range { from_ms, to_ms } => {
                pause.saturating_add(uniform(from_ms, to_ms, entropy))
            }
        }
    }
}

fn grow(delay_ms: u64, multiplier: f64, exponent: u32, cap: u64) -> u64 {
    let mut pause = delay_ms;
    let factor = if multiplier.is_finite() { multiplier.max(1.0) } else { 1.0 };
    for _ in 0..exponent.min(64) {
        if pause >= cap {
            return cap;
        }
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a pause of milliseconds is far below 2^52; float casts saturate"
        )]
        let next = (pause as f64 * factor) as u64;
        pause = next;
    }
    pause
}

fn uniform(from: u64, to: u64, entropy: u64) -> u64 {
    if to <= from {
        return from;
    }
    let span = u128::from(to - from) + 1;
    // Multiply-shift maps 64 random bits onto the span evenly enough for a pause.
    let offset = (u128::from(entropy) * span) >> 64;
    from + u64::try_from(offset).unwrap_or(0)
}

/// Whether a failure may be retried at all, and after which stated pause.
pub(crate) fn retriable(retry: &Retry) -> bool {
    matches!(retry, Retry::After { .. })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pauses_grow_as_their_backoff_says() {
        let policy = |backoff| RetryPolicy {
            backoff,
            jitter: Jitter::None,
            delay_ms: 100,
            max_delay_ms: 1_000,
            ..RetryPolicy::default()
        };
        let pauses = |p: RetryPolicy| (1..=5).map(|n| p.pause_ms(n, 7)).collect::<Vec<_>>();
        assert_eq!(pauses(policy(Backoff::Constant)), [100, 100, 100, 100, 100]);
        assert_eq!(pauses(policy(Backoff::Linear)), [100, 200, 300, 400, 500]);
        assert_eq!(pauses(policy(Backoff::Exponential)), [100, 200, 400, 800, 1_000]);
    }

    #[test]
    fn an_ambiguous_once_is_never_sent_again() {
        assert!(!Effect::Once.may_resend(Applied::Maybe));
        assert!(!Effect::Verify.may_resend(Applied::Maybe));
        assert!(Effect::Keyed.may_resend(Applied::Maybe));
        assert!(Effect::Idempotent.may_resend(Applied::Yes));
        assert!(Effect::Once.may_resend(Applied::No));
    }

    proptest! {
        #[test]
        fn a_pause_stays_within_its_bounds(
            delay in 0u64..1 << 40, n in 0u32..200, entropy: u64, from in 0u64..5_000, more in 0u64..5_000,
            multiplier in 0.0f64..50.0,
        ) {
            let mut policy = RetryPolicy { delay_ms: delay, multiplier, ..RetryPolicy::default() };
            prop_assert!(policy.pause_ms(n, entropy) <= policy.max_delay_ms);
            policy.jitter = Jitter::Range { from_ms: from, to_ms: from + more };
            prop_assert!(policy.pause_ms(n, entropy) >= from);
            prop_assert!(policy.pause_ms(n, entropy) <= policy.max_delay_ms + from + more);
        }
    }
}
