use std::{net::IpAddr, sync::Arc};

use qc_access::{Action, Denial, Principal};
use qc_model::Actor;

use crate::Problem;

/// Who asks, and by which request: what the audit tells of it.
#[derive(Debug, Clone)]
pub(crate) struct Asker {
    pub(crate) principal: Arc<Principal>,
    pub(crate) from: Sent,
}

/// A request as the audit tells it.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    /// Its id.
    pub(crate) request: String,
    /// Where it came from.
    pub(crate) address: Option<IpAddr>,
}

impl Asker {
    /// As the actor of this action.
    pub(crate) fn actor(&self, action: Action) -> Actor {
        let address = self.from.address.map(|address| address.to_string());
        let origin = self.principal.origin(action, self.from.request.clone(), address);
        Actor { via: Some(Arc::new(origin)), ..self.principal.actor() }
    }

    /// The refusal of an action, with what the audit is to know of it.
    pub(crate) fn refuse(
        &self,
        action: Action,
        denial: Denial,
        environment: Option<&str>,
        name: Option<&str>,
    ) -> Problem {
        let mut problem = Problem::not_permitted(action, denial);
        problem.denied = Some(Denied {
            actor: self.actor(action),
            environment: environment.map(str::to_owned),
            name: name.map(str::to_owned),
            denial,
        });
        problem
    }
}

/// A refusal as the audit tells it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Denied {
    pub(crate) actor: Actor,
    pub(crate) environment: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) denial: Denial,
}
