use std::{net::IpAddr, sync::Arc};

use qc_access::{Access, Action, Circumstances, Decided, Denial, Grant, Principal, Resource};
use qc_model::Actor;

use crate::{Problem, directory::Directory};

/// Who asks, and by which request: what the audit tells of it.
#[derive(Debug, Clone)]
pub(crate) struct Asker {
    pub(crate) principal: Arc<Principal>,
    pub(crate) from: Sent,
    /// What a second person has granted to it for a time.
    pub(crate) grants: Vec<Grant>,
    /// The units in which it acts: the person's, or those of whoever owns the key.
    pub(crate) units: Vec<String>,
    /// Which units own what.
    pub(crate) directory: Arc<Directory>,
    /// The version of the rules in force when it asked.
    pub(crate) policy: String,
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
        let origin =
            self.principal.origin(action, self.policy.clone(), self.from.request.clone(), address);
        Actor { via: Some(Arc::new(origin)), ..self.principal.actor() }
    }

    /// Decides whether it may do this to that.
    pub(crate) fn decide(
        &self,
        access: &Access,
        action: Action,
        environment: Option<&str>,
        name: Option<&str>,
    ) -> Result<Decided, Problem> {
        let units = self.directory.of_thing(action, environment, name);
        self.decide_on(access, action, Resource { environment, name, units: &units })
    }

    /// Decides the same of something whose units are known.
    pub(crate) fn decide_on(
        &self,
        access: &Access,
        action: Action,
        resource: Resource<'_>,
    ) -> Result<Decided, Problem> {
        let circumstances = Circumstances {
            granted: self.grants.iter().any(|grant| grant.covers(action, resource)),
            across: self.grants.iter().any(|grant| grant.crosses(action, resource)),
            units: &self.units,
        };
        let decided = access.decide(&self.principal, action, resource, circumstances);
        match decided.verdict.denial {
            None => Ok(decided),
            Some(denial) => Err(self.refuse(action, denial, Some(decided))),
        }
    }

    /// The refusal of an action, with what the audit is to know of it.
    pub(crate) fn refuse(
        &self,
        action: Action,
        denial: Denial,
        decided: Option<Decided>,
    ) -> Problem {
        let mut problem = Problem::not_permitted(action, denial);
        problem.denied = Some(Denied { actor: self.actor(action), denial, decided });
        problem
    }
}

/// A refusal as the audit tells it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Denied {
    pub(crate) actor: Actor,
    pub(crate) denial: Denial,
    /// What was asked and by what it was decided; None: before anything was known of what it was to be done to.
    pub(crate) decided: Option<Decided>,
}
