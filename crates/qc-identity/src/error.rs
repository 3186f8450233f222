use qc_model::Code;
use qc_store::StoreError;
use qc_vault::VaultError;

use crate::codes;

/// Why something about identities is not done. Never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// The server does not know where it is for the world.
    #[error(
        "the server's setting `public_url` is empty: it does not know under which address others see it"
    )]
    NoPlace,
    /// There is no such client.
    #[error("there is no client `{0}`, or it was revoked; `qc access clients list` shows them")]
    NoClient(String),
    /// What was asked for cannot be made.
    #[error("{0}")]
    Unfit(String),
    /// Others changed it each time that this was tried.
    #[error("it was changed by others meanwhile; try again")]
    Busy,
    /// The vault does not do it.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The store does not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl IdentityError {
    /// The stable code; None for what the store says and for a lost race, which have their own where they are told.
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::NoPlace => Some(codes::NOT_SET_UP),
            Self::NoClient(_) => Some(codes::NO_CLIENT),
            Self::Unfit(_) => Some(codes::CLIENT_UNFIT),
            Self::Vault(error) => error.code(),
            Self::Busy | Self::Store(_) => None,
        }
    }
}
