use crate::{Action, Principal};

/// What an action is done to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Resource<'a> {
    /// Its environment; None for what belongs to no environment (releases, tokens, the server).
    pub environment: Option<&'a str>,
    /// Its integration, or its own name; None for a list over all of them.
    pub name: Option<&'a str>,
}

/// The verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It may.
    Allowed,
    /// It may not.
    Denied(Denial),
}

/// Why not: the first of the three conditions that does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denial {
    /// The role never does this.
    Role,
    /// It is another environment's, or the platform's.
    Environment,
    /// No scope covers it.
    Scope,
}

impl Denial {
    /// In words, for a problem's detail.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Role => "its role does not include the action",
            Self::Environment => "it is bound to another environment",
            Self::Scope => "none of its scopes covers it",
        }
    }
}

/// Whether the principal may do this to that: its role AND its environment AND its scopes must say so.
pub fn authorise(principal: &Principal, action: Action, resource: Resource<'_>) -> Decision {
    if !principal.role.permits(action) {
        return Decision::Denied(Denial::Role);
    }
    if let Some(own) = &principal.environment
        && !may_cross(action)
        && resource.environment != Some(own.as_str())
    {
        return Decision::Denied(Denial::Environment);
    }
    let covered = principal.scopes.as_ref().is_none_or(|scopes| {
        scopes.iter().any(|scope| scope.covers(action, resource.environment, resource.name))
    });
    if covered { Decision::Allowed } else { Decision::Denied(Denial::Scope) }
}

/// What belongs to no environment and is needed by those who work in one: a release is the only thing that crosses.
fn may_cross(action: Action) -> bool {
    matches!(action, Action::ReleasesRead | Action::ReleasesWrite | Action::ServerRead)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Role, TokenKind};

    fn principal(environment: Option<&str>, role: Role, scopes: Option<&[&str]>) -> Principal {
        Principal {
            id: "k1".into(),
            kind: TokenKind::ApiKey,
            name: "test".into(),
            person: None,
            environment: environment.map(|e| e.parse().unwrap()),
            role,
            scopes: scopes.map(|s| s.iter().map(|s| s.parse().unwrap()).collect()),
        }
    }

    fn on<'a>(environment: &'a str, name: &'a str) -> Resource<'a> {
        Resource { environment: Some(environment), name: Some(name) }
    }

    #[test]
    fn needs_role_and_environment_and_scope() {
        let sender =
            principal(Some("production"), Role::Runtime, Some(&["production/events/crm:send"]));
        let send = Action::EventsSend;
        assert_eq!(authorise(&sender, send, on("production", "crm")), Decision::Allowed);
        assert_eq!(
            authorise(&sender, send, on("production", "erp")),
            Decision::Denied(Denial::Scope)
        );
        assert_eq!(
            authorise(&sender, send, on("sandbox", "crm")),
            Decision::Denied(Denial::Environment)
        );
        assert_eq!(
            authorise(&sender, Action::RunsReplay, on("production", "crm")),
            Decision::Denied(Denial::Role)
        );
    }

    #[test]
    fn no_cell_of_the_table_crosses_environments() {
        for role in Role::ALL {
            for action in Action::ALL {
                let bound = principal(Some("sandbox"), role, None);
                let decision = authorise(&bound, action, on("production", "crm"));
                assert!(
                    decision != Decision::Allowed || may_cross(action),
                    "{role:?} {action:?} crosses"
                );
            }
        }
    }

    #[test]
    fn a_bound_token_never_manages_tokens() {
        let bound = principal(Some("sandbox"), Role::Admin, None);
        let decision = authorise(&bound, Action::TokensWrite, Resource::default());
        assert_eq!(decision, Decision::Denied(Denial::Environment));
    }
}
