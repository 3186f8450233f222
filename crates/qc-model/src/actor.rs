use serde::{Deserialize, Serialize};

/// Who acts. Every privileged change and every accepted event names one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Actor {
    /// What kind of identity this is.
    pub kind: ActorKind,
    /// Its stable id: a token's id, a provider's name, a component of the platform.
    pub id: String,
}

/// The kinds of identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActorKind {
    /// A person.
    Human,
    /// A service account or API token.
    Service,
    /// An external sender known by a verified signature.
    Sender,
    /// A part of the platform acting by itself, such as the retry timer.
    Platform,
    /// Nobody is known; only where `auth: none` was declared.
    Anonymous,
}

impl Actor {
    /// The platform's own part `id`.
    pub fn platform(id: &str) -> Self {
        Self { kind: ActorKind::Platform, id: id.to_owned() }
    }
}
