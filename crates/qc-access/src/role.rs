use serde::{Deserialize, Serialize};

use crate::Action;

/// What a principal is for. A role bounds what scopes can give: an action needs both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything.
    Admin,
    /// Builds integrations: sends events, looks into runs, makes and deploys releases.
    Developer,
    /// Keeps them running: works on runs and dead letters, and goes back to the release before.
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

    /// Whether this role may ever do this.
    pub fn permits(self, action: Action) -> bool {
        use Action as A;
        match self {
            Self::Admin => true,
            Self::Developer => !matches!(
                action,
                A::TokensRead
                    | A::TokensWrite
                    | A::SecretsWrite
                    | A::ConnectionsWrite
                    | A::AuditRead
            ),
            Self::Operator => !matches!(
                action,
                A::TokensRead
                    | A::TokensWrite
                    | A::AuditRead
                    | A::SecretsWrite
                    | A::ConnectionsWrite
                    | A::ReleasesWrite
                    | A::DeploymentsWrite
            ),
            Self::Auditor => matches!(
                action,
                A::RunsRead
                    | A::TasksRead
                    | A::DlqRead
                    | A::LedgerRead
                    | A::ReleasesRead
                    | A::DeploymentsRead
                    | A::TokensRead
                    | A::AuditRead
                    | A::SecretsRead
                    | A::ConnectionsRead
                    | A::ServerRead
            ),
            Self::Deployer => matches!(
                action,
                A::ReleasesRead
                    | A::ReleasesWrite
                    | A::DeploymentsRead
                    | A::DeploymentsWrite
                    | A::DeploymentsRollback
                    | A::ServerRead
            ),
            Self::Runtime => matches!(action, A::EventsSend | A::RunsRead),
            Self::Approver => matches!(
                action,
                A::RunsRead | A::TasksRead | A::TasksInspect | A::TasksDecide | A::TasksAct
            ),
        }
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

    #[test]
    fn only_an_admin_makes_tokens_and_secrets_and_an_auditor_changes_nothing() {
        for role in Role::ALL {
            assert_eq!(role.permits(Action::TokensWrite), role == Role::Admin);
            assert_eq!(role.permits(Action::SecretsWrite), role == Role::Admin);
            assert_eq!(role.permits(Action::ConnectionsWrite), role == Role::Admin);
        }
        for action in Action::ALL {
            if Role::Auditor.permits(action) {
                assert_eq!(action.verb(), "read", "{action:?}");
            }
        }
    }
}
