//! People who signed in.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The session of a person.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Session {
    /// Its id; opens nothing.
    pub id: String,
    /// `session`, or `break_glass`.
    pub kind: String,
    /// What people call them: a mail address that the provider has proven, else the subject.
    pub name: String,
    /// Who it is, by the provider.
    pub subject: String,
    /// Who it is, by the id of the owner directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// In which role they act.
    pub role: String,
    /// Whether a command line has it, not a browser.
    pub device: bool,
    /// When it began.
    pub created_at: String,
    /// When it was last used, within a minute.
    pub seen_at: String,
    /// When it ends if it is not used any more.
    pub expires_at: String,
}

/// Ends what a person has.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokePerson {
    /// The person: by the id of the owner directory, or by the name, subject or id of a session.
    pub user: String,
}

/// What was ended.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct RevokedPerson {
    /// The version of this form.
    pub schema_version: u32,
    /// The person, as they were named.
    pub user: String,
    /// How many sessions, those of command lines included.
    pub sessions: usize,
    /// How many API keys.
    pub tokens: usize,
}

/// The account for when nobody can sign in, sealed.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct BreakGlass {
    /// The version of this form.
    pub schema_version: u32,
    /// What opens it, once.
    pub credential: String,
}
