//! PURE: how much may come in. Quotas, what of them is used by whom, and how that is told to senders.
//!
//! Here: [`Quota`] (so many units in a time, so many at once), [`Slab`] (what of all quotas is used, by key, decided over
//! several limits in one pass and all or nothing), [`Rule`] (for whom a limit counts, and what for), [`purse`] (what a node has of quotas that several nodes share), [`Trend`] (how fast somebody comes, and when a quota is used up at that
//! pace) and [`header`] (the fields `RateLimit-Policy` and `RateLimit` of the IETF draft).
//!
//! Not here: where limits are declared, HTTP, and any clock: moments arrive as nanoseconds of a clock that
//! does not go back.

pub mod header;
pub mod purse;
mod quota;
mod rule;
mod slab;
mod trend;

pub use quota::{MOST_AT_ONCE, MOST_PER_SECOND, Quota, QuotaError, pace_in_words};
pub use rule::{Excess, Measure, RULES_EACH, Rule, Scope};
pub use slab::{Ask, Decision, Key, LIMITS_AT_ONCE, LimitId, Slab, Standing};
pub use trend::Trend;
