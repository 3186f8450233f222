use qc_model::{Code, EnvironmentName};
use qc_store::StoreError;

use crate::{KeyRingError, SealError, codes};

/// Why the vault does not do something. Never holds a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// No key-encryption key is set, so nothing can be sealed.
    #[error("the vault is off: the server's setting `vault_key` does not say where its key is")]
    Off,
    /// The key ring does not help.
    #[error(transparent)]
    Ring(#[from] KeyRingError),
    /// The same value is in use in another environment.
    #[error(
        "this value is in use in the environment `{0}`; each environment has credentials of its own"
    )]
    Shared(EnvironmentName),
    /// There is nothing of this name.
    #[error("the vault holds no {0}")]
    Nothing(String),
    /// What is asked for cannot be stored.
    #[error("{0}")]
    Unfit(String),
    /// Others changed the vault each time that this was tried.
    #[error("the vault was changed by others meanwhile; try again")]
    Busy,
    /// A stored value does not open.
    #[error("the stored value does not open: {0}")]
    Sealed(#[from] SealError),
    /// The store did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl VaultError {
    /// The stable code; None for what the store says and for a lost race, which have their own where they are told.
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Off => Some(codes::VAULT_OFF),
            Self::Ring(error) => Some(error.code()),
            Self::Shared(_) => Some(codes::SHARED_VALUE),
            Self::Nothing(_) => Some(codes::NOTHING_THERE),
            Self::Unfit(_) => Some(codes::UNFIT_SECRET),
            Self::Sealed(_) => Some(codes::NOT_OPENING),
            Self::Busy | Self::Store(_) => None,
        }
    }
}
