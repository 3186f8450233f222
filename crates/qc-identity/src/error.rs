use qc_access::Role;
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
    /// Nobody can sign in here.
    #[error(
        "nobody signs in here: the server's settings `oidc_issuer`, `oidc_client_id` and `oidc_roles` say where people do"
    )]
    NoProvider,
    /// A code or credential is not known, was used, or is over.
    #[error("this code is not known, was used, or is over; begin again")]
    NoCode,
    /// Who signs in has not one role to act in.
    #[error("{why}")]
    NoRole {
        /// What is wrong, and what to do.
        why: String,
        /// Those to choose from.
        choice: Vec<Role>,
        /// The path to which the browser wanted to go on.
        to: String,
    },
    /// The sign-in cannot go on.
    #[error("{0}")]
    SignIn(String),
    /// The identity provider cannot be used now.
    #[error("{0}")]
    Provider(String),
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
            Self::NoPlace | Self::NoProvider => Some(codes::NOT_SET_UP),
            Self::NoCode => Some(codes::NO_SUCH_CODE),
            Self::NoRole { .. } => Some(codes::NO_ROLE),
            Self::SignIn(_) => Some(codes::SIGN_IN),
            Self::Provider(_) => Some(codes::PROVIDER),
            Self::NoClient(_) => Some(codes::NO_CLIENT),
            Self::Unfit(_) => Some(codes::CLIENT_UNFIT),
            Self::Vault(error) => error.code(),
            Self::Busy | Self::Store(_) => None,
        }
    }
}
