use qc_model::{Actor, ActorKind, EnvironmentName, Name, Origin};
use serde::{Deserialize, Serialize};

use crate::{Action, Role, Scope};

/// By what somebody is known. The rules may ask for it: what a person may do, a key that lies in a file may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenKind {
    /// A key that holds until it is revoked or its time is over: `qc_<environment>_…`.
    ApiKey,
    /// A token of five minutes, issued to a service that proved who it is.
    AccessToken,
    /// The session of a person who signed in.
    Session,
    /// The sealed account for when nobody can sign in.
    BreakGlass,
    /// The key of whoever owns the machine on which a server runs.
    Local,
    /// A run of an integration. It has no token, and calls other systems only.
    Run,
}

impl TokenKind {
    /// All, for tables.
    pub const ALL: [Self; 6] =
        [Self::ApiKey, Self::AccessToken, Self::Session, Self::BreakGlass, Self::Local, Self::Run];

    /// The name as written in files and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ApiKey => "api_key",
            Self::AccessToken => "access_token",
            Self::Session => "session",
            Self::BreakGlass => "break_glass",
            Self::Local => "local",
            Self::Run => "run",
        }
    }
}

/// Who a request comes from, once that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Its stable id: the token's.
    pub id: String,
    /// By what it is known.
    pub kind: TokenKind,
    /// What people call it.
    pub name: String,
    /// The person to whom it belongs, by the id of the owner directory; None: a service.
    pub person: Option<Name>,
    /// The team or person that answers for it, where somebody does: a service is of the owner's units.
    pub owner: Option<String>,
    /// The only environment in which it may act; None for all.
    pub environment: Option<EnvironmentName>,
    /// What it is for.
    pub role: Role,
    /// What it is narrowed to; None for all that the role may do.
    pub scopes: Option<Vec<Scope>>,
}

impl Principal {
    /// A run of an integration in an environment.
    pub fn run(environment: &EnvironmentName, integration: &Name) -> Self {
        Self {
            id: format!("run:{environment}/{integration}"),
            kind: TokenKind::Run,
            name: integration.to_string(),
            person: None,
            owner: None,
            environment: Some(environment.clone()),
            role: Role::Runtime,
            scopes: None,
        }
    }

    /// As the actor of changes and events.
    pub fn actor(&self) -> Actor {
        match &self.person {
            Some(person) => Actor::new(ActorKind::Human, person.to_string()),
            None if matches!(self.kind, TokenKind::Session | TokenKind::BreakGlass) => {
                Actor::new(ActorKind::Human, self.name.clone())
            }
            None => Actor::new(ActorKind::Service, self.id.clone()),
        }
    }

    /// As the audit tells that it does this action, under these rules, by this request.
    pub fn origin(
        &self,
        action: Action,
        policy: String,
        request: String,
        address: Option<String>,
    ) -> Origin {
        Origin {
            token: self.id.clone(),
            role: self.role.as_str().to_owned(),
            action: action.as_str().to_owned(),
            policy,
            request,
            address,
        }
    }
}
