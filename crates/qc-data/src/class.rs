use serde::{Deserialize, Serialize};

/// How sensitive data is, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataClass {
    /// Anybody may see it.
    Public,
    /// Anybody in the organisation may.
    Internal,
    /// Only who needs it.
    Confidential,
    /// It is about a person.
    Personal,
    /// It is regulated: health, payment, and the like.
    Regulated,
}

impl DataClass {
    /// All of them, the least first.
    pub const ALL: [Self; 5] =
        [Self::Public, Self::Internal, Self::Confidential, Self::Personal, Self::Regulated];

    /// As files and answers name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Internal => "internal",
            Self::Confidential => "confidential",
            Self::Personal => "personal",
            Self::Regulated => "regulated",
        }
    }

    /// Whether only those may see it who ask for the payload itself.
    pub fn is_sensitive(self) -> bool {
        self >= Self::Confidential
    }
}
