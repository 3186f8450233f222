//! Faults as data: when something goes wrong, and what.
//!
//! ```yaml
//! faults:
//!   - when: {operation: createIssue, nth: 2}
//!     then: {throttle: {retry_after: 1s}}
//!   - then: drop_after_apply
//!     times: 3
//! ```

mod active;
mod distort;
mod read;
mod show;
#[cfg(test)]
mod tests;

use std::time::Duration;

use qc_model::Timestamp;
use serde_json::Value;

pub(crate) use active::{ActiveFaults, Circumstances, Struck};
pub(crate) use distort::distort;

/// Most faults that a provider holds at once.
pub const FAULT_LIMIT: usize = 1000;

/// Something that goes wrong at a simulated provider.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// For which requests.
    pub when: Condition,
    /// What happens to them.
    pub then: Deed,
    /// How often at most; `None` is without bound.
    pub times: Option<u64>,
}

/// Which requests a fault strikes: all of the given conditions hold. Without any, every request.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Condition {
    /// Only calls of this operation. `token` is the token endpoint when the document does not name it.
    pub operation: Option<String>,
    /// From the nth matching call on, counted from 1.
    pub nth: Option<u64>,
    /// Every nth matching call.
    pub every: Option<u64>,
    /// With this probability, in parts of a million, by the provider's seed.
    pub per_million: Option<u32>,
    /// The raw body contains this text.
    pub body_contains: Option<String>,
    /// The body's value at this JSON Pointer equals this value.
    pub body_at: Option<(String, Value)>,
    /// Not before.
    pub after: Option<Moment>,
    /// Not any more from then on.
    pub until: Option<Moment>,
}

/// A moment of a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// So long after the fault was put in.
    Later(Duration),
    /// On the clock.
    At(Timestamp),
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq)]
pub enum Deed {
    /// Answers this status.
    Status {
        /// The status.
        code: u16,
        /// The `Retry-After` header.
        retry_after: Option<Duration>,
        /// The body; without one, the document's error shape.
        body: Option<Value>,
        /// Whether the request takes effect all the same.
        applied: bool,
    },
    /// 429, with `Retry-After` when given.
    Throttle {
        /// The `Retry-After` header.
        retry_after: Option<Duration>,
    },
    /// 503, with `Retry-After` when given.
    Unavailable {
        /// The `Retry-After` header.
        retry_after: Option<Duration>,
    },
    /// Every token issued so far has expired; the request then meets the ordinary check.
    ExpireToken,
    /// Every known credential and token is dead until the faults are cleared.
    RevokeCredentials,
    /// The request takes effect and the connection breaks without an answer.
    DropAfterApply,
    /// The connection breaks without an answer and nothing took effect.
    DropBeforeApply,
    /// No answer ever comes.
    Hang {
        /// Whether the request takes effect.
        applied: bool,
    },
    /// The right answer, later.
    Slow {
        /// How much later.
        by: Duration,
    },
    /// The right answer's JSON, cut off in the middle.
    Malformed,
    /// The right answer with a field of another type: at the pointer, or the first field.
    WrongType {
        /// JSON Pointer into the answer.
        at: Option<String>,
    },
    /// The right answer in another shape: the provider changed its API.
    Drift(Drift),
    /// The right answer, larger than anyone would read.
    Oversize {
        /// How many bytes more.
        bytes: usize,
    },
    /// 200 with an error in the body; nothing took effect.
    ErrorIn200 {
        /// The body.
        body: Value,
    },
}

/// How an answer's shape changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Drift {
    /// The field at the pointer has another name.
    Rename {
        /// JSON Pointer of the field.
        from: String,
        /// Its new name.
        to: String,
    },
    /// The fields at the pointers are gone.
    Remove {
        /// JSON Pointers, at least one; `*` stands for every item of a list.
        at: Vec<String>,
    },
    /// The field at the pointer has another type.
    ChangeType {
        /// JSON Pointer of the field.
        at: String,
    },
}

impl Deed {
    /// The fault's name, as files and the outside ledger write it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Status { .. } => "status",
            Self::Throttle { .. } => "throttle",
            Self::Unavailable { .. } => "unavailable",
            Self::ExpireToken => "expire_token",
            Self::RevokeCredentials => "revoke_credentials",
            Self::DropAfterApply => "drop_after_apply",
            Self::DropBeforeApply => "drop_before_apply",
            Self::Hang { .. } => "hang",
            Self::Slow { .. } => "slow",
            Self::Malformed => "malformed",
            Self::WrongType { .. } => "wrong_type",
            Self::Drift(_) => "drift",
            Self::Oversize { .. } => "oversize",
            Self::ErrorIn200 { .. } => "error_in_200",
        }
    }

    /// Whether the request still has its ordinary effect under this fault.
    pub const fn applies(&self) -> bool {
        match self {
            Self::Status { applied, .. } | Self::Hang { applied } => *applied,
            Self::Throttle { .. }
            | Self::Unavailable { .. }
            | Self::DropBeforeApply
            | Self::ErrorIn200 { .. } => false,
            Self::ExpireToken
            | Self::RevokeCredentials
            | Self::DropAfterApply
            | Self::Slow { .. }
            | Self::Malformed
            | Self::WrongType { .. }
            | Self::Drift(_)
            | Self::Oversize { .. } => true,
        }
    }

    /// Whether the fault goes beside another one of the same request instead of before it.
    const fn beside(&self) -> bool {
        matches!(self, Self::ExpireToken | Self::RevokeCredentials | Self::Slow { .. })
    }
}

impl Fault {
    /// A fault for every request, once.
    pub fn once(then: Deed) -> Self {
        Self { when: Condition::default(), then, times: Some(1) }
    }

    /// Only for calls of this operation.
    #[must_use]
    pub fn on(mut self, operation: impl Into<String>) -> Self {
        self.when.operation = Some(operation.into());
        self
    }

    /// At most so often.
    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }
}
