use std::time::Duration;

use qc_model::Code;
use qc_store::StoreError;

use crate::codes;

/// Why something was not done to a group of failures.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FailuresError {
    /// There is no such group.
    #[error(
        "there is no group of failures `{0}`: its dead letters are gone, or it is none of the newest; \
         `qc failures list` shows the groups"
    )]
    NoGroup(String),
    /// The time to be quiet is over already, or too long.
    #[error("a group is muted until a time that is to come and at most {} days away", days(.0))]
    MuteTime(Duration),
    /// The note is too long.
    #[error("a note has at most {max} bytes; this one has {bytes}")]
    NoteTooLong {
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        max: usize,
    },
    /// Others kept changing it meanwhile.
    #[error("others change the group `{0}` at the same time; look at it and try again")]
    Changed(String),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn days(time: &Duration) -> u64 {
    time.as_secs() / 86_400
}

impl FailuresError {
    /// Its stable code; the store's own errors have theirs.
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::NoGroup(_) => Some(codes::NO_GROUP),
            Self::MuteTime(_) | Self::NoteTooLong { .. } => Some(codes::BAD_WORD),
            Self::Changed(_) => Some(codes::GROUP_CHANGED),
            Self::Store(_) => None,
        }
    }
}
