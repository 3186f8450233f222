use qc_store::StoreError;
use qc_vault::VaultError;
use serde_json::{Value, json};

/// An answer of the OAuth endpoints that is no success, in the words of RFC 6749 (section 5.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OauthError {
    /// The HTTP status.
    pub status: u16,
    /// The word of the standard.
    pub error: &'static str,
    /// What it is, and what to do.
    pub description: String,
}

impl OauthError {
    pub(crate) fn new(error: &'static str, description: impl Into<String>) -> Self {
        Self { status: 400, error, description: description.into() }
    }

    /// The request itself cannot be used.
    pub fn request(description: impl Into<String>) -> Self {
        Self::new("invalid_request", description)
    }

    /// The client did not prove who it is. Which part was wrong is not told.
    pub(crate) fn client(description: impl Into<String>) -> Self {
        Self { status: 401, ..Self::new("invalid_client", description) }
    }

    /// The words of the device grant (RFC 8628, section 3.5); its client has no credential that could be wrong.
    pub fn device(error: &'static str, description: &str) -> Self {
        Self::new(error, description)
    }

    /// It cannot be done now, or here.
    pub fn unavailable(description: impl Into<String>) -> Self {
        Self { status: 503, ..Self::new("temporarily_unavailable", description) }
    }

    /// Too many failures from one address.
    pub fn too_many() -> Self {
        let description = "too many failed attempts from this address; wait, then try again";
        Self { status: 429, ..Self::new("slow_down", description) }
    }

    /// Whether it is a wrong credential, which counts against the address it came from.
    pub fn is_guess(&self) -> bool {
        matches!(self.error, "invalid_client" | "invalid_grant")
    }

    /// The body.
    pub fn to_json(&self) -> Value {
        json!({ "error": self.error, "error_description": self.description })
    }
}

impl From<StoreError> for OauthError {
    fn from(error: StoreError) -> Self {
        Self::unavailable(error.to_string())
    }
}

impl From<VaultError> for OauthError {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Off => Self::unavailable(
                "the keys that sign tokens are sealed in the vault, and the vault is off: set the server's `vault_key`",
            ),
            error => Self::unavailable(error.to_string()),
        }
    }
}
