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
}

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
