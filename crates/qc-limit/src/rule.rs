use std::time::Duration;

use crate::{Quota, header};

/// The most limits of a server, and the most of an integration: together they are decided at once.
pub const RULES_EACH: usize = crate::LIMITS_AT_ONCE / 2;

/// A limit: for whom it counts, how much, and what it is there for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its name, as senders are told it.
    pub name: String,
    /// For whom it counts.
    pub scope: Scope,
    /// How much.
    pub measure: Measure,
    /// What it protects, in words.
    pub protects: String,
    /// Who can raise it.
    pub owner: Option<String>,
    /// What becomes of what is too much.
    pub excess: Excess,
}

/// What becomes of what is too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Excess {
    /// It is refused.
    Reject,
    /// It is accepted and begins when its units are there.
    Queue {
        /// How many units may be waited for.
        most: u64,
        /// For how long.
        ttl: Duration,
    },
    /// It is accepted, and does its work in the lesser way that it has; of that, too, there is only so much.
    Degrade(Measure),
}

impl Excess {
    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reject => "reject",
            Self::Queue { .. } => "queue",
            Self::Degrade(_) => "degrade",
        }
    }

    /// For how long somebody may wait for units of a quota, in nanoseconds.
    pub fn patience(self, quota: Quota) -> u64 {
        let Self::Queue { most, ttl } = self else { return 0 };
        let ttl = u64::try_from(ttl.as_nanos()).unwrap_or(u64::MAX);
        quota.interval().saturating_mul(most).min(ttl).min(LONGEST_WAIT)
    }
}

/// Moments stay far from the end of their range: 400 days.
const LONGEST_WAIT: u64 = 400 * 86_400 * 1_000_000_000;

/// For whom a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// All that comes in, together.
    Gateway,
    /// Each tenant of an environment by itself.
    Tenant,
    /// Each token by itself.
    Token,
    /// Each trigger by itself.
    Trigger,
    /// The whole integration.
    Integration,
}

impl Scope {
    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Tenant => "tenant",
            Self::Token => "token",
            Self::Trigger => "trigger",
            Self::Integration => "integration",
        }
    }
}

/// How much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Units over time.
    Rate(Quota),
    /// Runs that are open at a time.
    AtOnce(u64),
}

impl Measure {
    /// The quota, of what counts over time.
    pub const fn quota(self) -> Option<Quota> {
        match self {
            Self::Rate(quota) => Some(quota),
            Self::AtOnce(_) => None,
        }
    }

    /// Adds it as a member of `RateLimit-Policy`.
    pub fn policy(self, out: &mut String, name: &str) {
        match self {
            Self::Rate(quota) => header::policy(out, name, quota),
            Self::AtOnce(most) => header::concurrent_policy(out, name, most),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_waits_longer_than_its_time_nor_behind_more_than_there_may_be() {
        let quota = Quota::new(10, Duration::from_secs(1), None).unwrap();
        let patience = |most, seconds| {
            Excess::Queue { most, ttl: Duration::from_secs(seconds) }.patience(quota)
        };
        assert_eq!(patience(20, 60), 2_000_000_000, "twenty units come back in two seconds");
        assert_eq!(patience(2_000, 60), 60_000_000_000);
        assert_eq!(patience(u64::MAX, u64::MAX), LONGEST_WAIT);
        assert_eq!(Excess::Reject.patience(quota), 0);
        assert_eq!(Excess::Degrade(Measure::Rate(quota)).patience(quota), 0);
    }
}
