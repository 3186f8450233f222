use qc_model::{Actor, ActorKind, EnvironmentName, Name};

use crate::{Role, Scope};

/// Who a request comes from, once that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Its stable id: the token's.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// The person to whom it belongs, by the id of the owner directory; None: a service.
    pub person: Option<Name>,
    /// The only environment in which it may act; None for all.
    pub environment: Option<EnvironmentName>,
    /// What it is for.
    pub role: Role,
    /// What it is narrowed to; None for all that the role may do.
    pub scopes: Option<Vec<Scope>>,
}

impl Principal {
    /// As the actor of changes and events.
    pub fn actor(&self) -> Actor {
        match &self.person {
            Some(person) => Actor { kind: ActorKind::Human, id: person.to_string() },
            None => Actor { kind: ActorKind::Service, id: self.id.clone() },
        }
    }
}
