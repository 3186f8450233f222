//! Key rings: who holds the key-encryption key that wraps data keys.

mod local;
mod transit;

use std::{fmt, path::PathBuf, str};

use async_trait::async_trait;
use qc_model::{Code, Finding};
use serde::{Deserialize, Serialize};

pub use local::{FileRing, VariableRing};
pub use transit::{TransitKey, TransitRing};

use crate::{codes, seal::KeyBytes};

/// A wrapped key, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wrapped {
    /// The id of the key-encryption key that wraps it.
    pub kek: String,
    /// The wrapped key, in its ring's own form.
    pub text: String,
}

/// Wraps and unwraps data keys with a key-encryption key. A ring has a current key, which wraps, and may have earlier
/// ones, which only unwrap: so a new key-encryption key is brought in while everything stays readable.
#[async_trait]
pub trait KeyRing: Send + Sync {
    /// Where the key-encryption key is, for people.
    fn place(&self) -> String;

    /// The id of the key that wraps now.
    async fn current(&self) -> Result<String, KeyRingError>;

    /// Wraps a key, bound to the place that `binding` names.
    async fn wrap(&self, key: &KeyBytes, binding: &[u8]) -> Result<Wrapped, KeyRingError>;

    /// Unwraps a key; only under the binding under which it was wrapped.
    async fn unwrap_key(&self, wrapped: &Wrapped, binding: &[u8])
    -> Result<KeyBytes, KeyRingError>;

    /// What should be mended about the ring itself.
    fn findings(&self) -> Vec<Finding> {
        Vec::new()
    }
}

/// Why a key ring does not help. Never holds a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyRingError {
    /// The ring cannot be read or reached now; trying again may help.
    #[error("the key ring cannot be used now: {0}")]
    Unavailable(String),
    /// The ring's keys are not in the form that is needed, or it refuses.
    #[error("the key ring cannot be used: {0}")]
    Unusable(String),
    /// The key that wrapped it is not on the ring.
    #[error(
        "the key-encryption key {0} is not on the key ring; put it back beside the current one"
    )]
    UnknownKey(String),
    /// The wrapped key was changed or copied from elsewhere.
    #[error("a wrapped data key was changed, or copied from another environment")]
    Changed,
}

impl KeyRingError {
    /// The stable code.
    pub fn code(&self) -> Code {
        match self {
            Self::Unavailable(_) | Self::Unusable(_) | Self::UnknownKey(_) => codes::KEY_RING,
            Self::Changed => codes::NOT_OPENING,
        }
    }
}

/// Where the key-encryption key is, as the setting says: `file:<path>`, `env:<variable>` or
/// `transit:<address>/<mount>/<key>`.
#[derive(Clone, PartialEq, Eq)]
pub enum KeyPlace {
    /// In a file.
    File(PathBuf),
    /// In a variable of the process environment.
    Variable(String),
    /// With the transit engine of HashiCorp Vault or OpenBao.
    Transit(TransitKey),
}

impl fmt::Debug for KeyPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for KeyPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Variable(name) => write!(f, "env:{name}"),
            Self::Transit(key) => write!(f, "transit:{key}"),
        }
    }
}

/// A text does not say where a key is. Does not repeat it: it may be the key itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is not `file:<path>`, `env:<variable>` or `transit:<address>/<mount>/<key>`")]
pub struct KeyPlaceError;

impl str::FromStr for KeyPlace {
    type Err = KeyPlaceError;
    fn from_str(text: &str) -> Result<Self, KeyPlaceError> {
        let (kind, rest) = text.split_once(':').ok_or(KeyPlaceError)?;
        let variable = |c: char| c.is_ascii_alphanumeric() || c == '_';
        match kind {
            "file" if !rest.is_empty() => Ok(Self::File(rest.into())),
            "env" if !rest.is_empty() && rest.chars().all(variable) => {
                Ok(Self::Variable(rest.to_owned()))
            }
            "transit" => TransitKey::parse(rest).map(Self::Transit).ok_or(KeyPlaceError),
            _ => Err(KeyPlaceError),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_and_shown() {
        for good in [
            "file:/etc/quickconnect/kek",
            "env:VAULT_KEK",
            "transit:https://vault.example:8200/transit/quickconnect",
            "transit:http://127.0.0.1:8200/team/a/transit/k-1",
        ] {
            assert_eq!(good.parse::<KeyPlace>().unwrap().to_string(), good);
        }
    }

    #[test]
    fn a_key_in_place_of_a_place_is_refused_and_not_repeated() {
        for bad in [
            "",
            "file:",
            "env:",
            "env:a-b",
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
            "key:AAAA",
            "transit:vault.example/transit/k",
            "transit:https://vault.example/k",
            "transit:https://user:word@vault.example/transit/k",
            "transit:https://vault.example/transit/k?x",
            "transit:https://vault.example/transit/../k",
        ] {
            let error = bad.parse::<KeyPlace>().unwrap_err().to_string();
            assert!(!error.contains("AAAA") && !error.contains("word"), "{error}");
        }
    }
}
