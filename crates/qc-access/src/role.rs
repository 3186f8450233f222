use serde::{Deserialize, Serialize};

/// What a principal is for. What each may do stands in the policies ([`crate::policy::SHIPPED`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Sets up: tokens, secrets, policies, releases, deployments. Sends no event and sees no payload.
    Admin,
    /// Builds integrations: makes releases, and deploys them where it is not production.
    Developer,
    /// Finds out and mends: looks into runs, works on dead letters, pauses, and goes back to the release before.
    Operator,
    /// Reads everything, payloads excepted.
    Auditor,
    /// A pipeline that stores and deploys releases.
    Deployer,
    /// A system that sends events and asks what became of them.
    Runtime,
    /// A person who answers what integrations ask.
    Approver,
}

impl Role {
    /// All, for tables.
    pub const ALL: [Self; 7] = [
        Self::Admin,
        Self::Developer,
        Self::Operator,
        Self::Auditor,
        Self::Deployer,
        Self::Runtime,
        Self::Approver,
    ];

    /// The name as written in files and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Developer => "developer",
            Self::Operator => "operator",
            Self::Auditor => "auditor",
            Self::Deployer => "deployer",
            Self::Runtime => "runtime",
            Self::Approver => "approver",
        }
    }

    /// The role with this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_agree_with_the_serialised_form() {
        for role in Role::ALL {
            assert_eq!(Role::parse(role.as_str()), Some(role));
            assert_eq!(serde_json::to_value(role).unwrap(), role.as_str());
        }
    }
}
