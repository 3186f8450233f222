use qc_model::{EnvironmentName, Name, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Principal, Role, Scope, TokenKind};

/// The kind of the documents that hold token records; their name is the token's id.
pub const TOKEN_KIND: &str = "token";

/// What is stored of a token: all but the token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRecord {
    /// The version of this body's form.
    pub schema_version: u32,
    /// The token's id.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// By what its holder is known: a key, or the key of the machine's owner.
    #[serde(default = "TokenRecord::usual_kind")]
    pub kind: TokenKind,
    /// The person to whom it belongs, by the id of the owner directory; None: a service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<Name>,
    /// The only environment in which it may act; None for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<EnvironmentName>,
    /// What it is for.
    pub role: Role,
    /// What it is narrowed to; None for all that the role may do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<Scope>>,
    /// SHA-256 of the token's text, hex.
    pub digest: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// By whom, as `kind:id`.
    pub created_by: String,
    /// When it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// The team or person who answers for it; None for those that were made before owners were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// What it is for, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// Which version of the key this is; rises with each rotation.
    #[serde(default = "TokenRecord::first_version")]
    pub version: u32,
    /// The version before, while it holds on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<EarlierVersion>,
    /// When it was rotated last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotated_at: Option<Timestamp>,
}

/// The version of a key that a rotation left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EarlierVersion {
    /// SHA-256 of its text, hex.
    pub digest: String,
    /// When it ends.
    pub ends_at: Timestamp,
}

impl TokenRecord {
    /// Who holds it.
    pub fn principal(&self) -> Principal {
        Principal {
            id: self.id.clone(),
            kind: self.kind,
            name: self.name.clone(),
            person: self.person.clone(),
            owner: self.owner.clone(),
            environment: self.environment.clone(),
            role: self.role,
            scopes: self.scopes.clone(),
        }
    }

    /// Of the records that were written before kinds were, all are of keys.
    fn usual_kind() -> TokenKind {
        TokenKind::ApiKey
    }

    /// Of those that were written before versions were, none was rotated.
    fn first_version() -> u32 {
        1
    }

    /// When the version before the present one ends, while it counts.
    pub fn previous_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.previous.as_ref().map(|earlier| earlier.ends_at).filter(|end| now < *end)
    }

    /// Whether its time is over.
    pub fn expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits =
        bytes.iter().flat_map(|b| [DIGITS[usize::from(b >> 4)], DIGITS[usize::from(b & 15)]]);
    digits.map(char::from).collect()
}
