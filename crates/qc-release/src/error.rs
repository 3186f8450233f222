use qc_model::{Code, EnvironmentName, Finding, Name};
use qc_store::StoreError;

use crate::codes;

/// Why a release or deployment could not be handled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReleaseError {
    /// There is no such release.
    #[error("there is no release `{0}`")]
    NoRelease(String),
    /// The abbreviation fits several releases.
    #[error("`{short}` is the beginning of {count} releases")]
    Ambiguous {
        /// What was given.
        short: String,
        /// How many begin so.
        count: usize,
    },
    /// What is stored of a release does not fit its hash.
    #[error("the stored release `{hash}` is damaged: {reason}")]
    Damaged {
        /// Its hash.
        hash: String,
        /// What is wrong.
        reason: String,
    },
    /// Nothing is deployed there.
    #[error("`{integration}` is not deployed in `{environment}`")]
    NotDeployed {
        /// Where.
        environment: EnvironmentName,
        /// What.
        integration: Name,
    },
    /// There is no earlier release to go back to.
    #[error("`{integration}` has no earlier release in `{environment}`")]
    NothingBefore {
        /// Where.
        environment: EnvironmentName,
        /// What.
        integration: Name,
    },
    /// Somebody else changed the deployment at the same time.
    #[error(
        "the deployment of `{integration}` in `{environment}` was changed by somebody else at the same time"
    )]
    Concurrent {
        /// Where.
        environment: EnvironmentName,
        /// What.
        integration: Name,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ReleaseError {
    /// The stable code; None for errors of the store, which have their own.
    pub fn code(&self) -> Option<Code> {
        Some(match self {
            Self::NoRelease(_) => codes::NO_RELEASE,
            Self::Ambiguous { .. } => codes::AMBIGUOUS,
            Self::Damaged { .. } => codes::DAMAGED,
            Self::NotDeployed { .. } => codes::NOT_DEPLOYED,
            Self::NothingBefore { .. } => codes::NOTHING_BEFORE,
            Self::Concurrent { .. } => codes::CONCURRENT,
            Self::Store(_) => return None,
        })
    }

    /// What to do about it.
    pub fn help(&self) -> &'static str {
        match self {
            Self::NoRelease(_) => {
                "`qc release list` shows the releases; `qc release build` makes one"
            }
            Self::Ambiguous { .. } => "write more characters of the hash",
            Self::Damaged { .. } => {
                "build the release again from its sources, and check the disk: `qc doctor`"
            }
            Self::NotDeployed { .. } => "deploy a release first: `qc deploy ENVIRONMENT RELEASE`",
            Self::NothingBefore { .. } => {
                "deploy the release that you want: `qc deploy ENVIRONMENT RELEASE`"
            }
            Self::Concurrent { .. } => "look at what is deployed now, and try again",
            Self::Store(_) => "the store said why; `qc doctor` looks further",
        }
    }

    /// As a finding; None for errors of the store.
    pub fn finding(&self) -> Option<Finding> {
        Some(Finding::error(self.code()?, self.to_string()).help(self.help()))
    }
}
