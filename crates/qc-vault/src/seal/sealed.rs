use base64::{Engine, engine::general_purpose::STANDARD};

/// The form that is written today.
pub(super) const FORM: u8 = 1;
/// Bytes of the salt from which a value's own key is made.
pub(super) const SALT: usize = 16;
/// Bytes of the nonce.
pub(super) const NONCE: usize = 12;
/// Bytes of the authentication tag.
const TAG: usize = 16;
/// Bytes before the ciphertext: form, data key's version, salt, nonce.
pub(super) const HEAD: usize = 1 + 4 + SALT + NONCE;

/// Why something sealed does not open. Says nothing of what is inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// These bytes are not of a form that is known here.
    #[error("it is not in a form that this version knows")]
    Form,
    /// It was sealed with another data key.
    #[error("it was sealed with version {0} of the environment's data key")]
    OtherKey(u32),
    /// It was changed, or is not at the place for which it was sealed.
    #[error("it was changed, or copied from another environment, name or version")]
    Changed,
}

/// A sealed value. Its bytes: the form (1), the version of the data key (4 bytes, big-endian), a salt (16), a nonce
/// (12), the ciphertext, and the tag (16). As text, the same in base64 (RFC 4648, with padding).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed(pub(super) Vec<u8>);

impl Sealed {
    /// Reads its bytes; only whether they can be a sealed value is looked at.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, SealError> {
        if bytes.len() < HEAD + TAG || bytes[0] != FORM {
            return Err(SealError::Form);
        }
        Ok(Self(bytes))
    }

    /// Reads its text.
    pub fn parse(text: &str) -> Result<Self, SealError> {
        Self::from_bytes(STANDARD.decode(text).map_err(|_| SealError::Form)?)
    }

    /// Its text.
    pub fn text(&self) -> String {
        STANDARD.encode(&self.0)
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The version of the data key with which it was sealed.
    pub fn key_version(&self) -> u32 {
        u32::from_be_bytes([self.0[1], self.0[2], self.0[3], self.0[4]])
    }
}
