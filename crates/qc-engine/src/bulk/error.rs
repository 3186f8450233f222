use qc_model::Code;
use qc_store::StoreError;

use super::{BulkId, RATE_MAX};
use crate::codes;

/// Why a bulk was not planned, started or stopped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BulkError {
    /// The filter would take everything.
    #[error(
        "the filter restricts nothing: give at least one of integration, group, fingerprint, code, \
         trigger, release, subject, key, value, event, trace, since and until"
    )]
    EmptyFilter,
    /// The filter and the deed do not go together.
    #[error("{0}")]
    Unfit(String),
    /// More runs than a bulk takes.
    #[error("more than {max} runs pass the filter; narrow it, or go on in parts with `until`")]
    TooMany {
        /// How many a bulk takes.
        max: usize,
    },
    /// There is no such bulk.
    #[error("there is no bulk {0}")]
    NoBulk(BulkId),
    /// It is not in a state for this.
    #[error("{bulk} is {state}: {reason}")]
    WrongState {
        /// Which.
        bulk: BulkId,
        /// Its state.
        state: &'static str,
        /// Why that does not do.
        reason: String,
    },
    /// The rate is none.
    #[error("a rate is from 1 to {RATE_MAX} runs per second")]
    Rate,
    /// Others kept changing it meanwhile.
    #[error("{0} is changed by others at the same time; look at it and try again")]
    Changed(BulkId),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl BulkError {
    /// Its stable code; the store's own errors have theirs.
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::EmptyFilter | Self::Unfit(_) | Self::Rate => Some(codes::BULK_UNFIT),
            Self::TooMany { .. } => Some(codes::BULK_TOO_MANY),
            Self::NoBulk(_) => Some(codes::NO_BULK),
            Self::WrongState { .. } => Some(codes::BULK_STATE),
            Self::Changed(_) => Some(codes::GROUP_CHANGED),
            Self::Store(_) => None,
        }
    }
}
