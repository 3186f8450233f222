use std::sync::{Arc, PoisonError, RwLock};

use qc_model::EnvironmentName;

use crate::{Action, Policies, Principal, Question, Subject, Verdict};

/// What an action is done to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Resource<'a> {
    /// Its environment; None for what belongs to no environment (releases, tokens, the server).
    pub environment: Option<&'a str>,
    /// Its integration, or its own name; None for a list over all of them.
    pub name: Option<&'a str>,
    /// The units to which it belongs: of a list over several integrations, those of all of them.
    pub units: &'a [String],
}

/// What is so when something is asked, beside who asks for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Circumstances<'a> {
    /// A second person has granted it for now.
    pub granted: bool,
    /// The unit to which it belongs has granted that somebody of another one sees it for now.
    pub across: bool,
    /// The units of the person who asks; none: the whole organisation's.
    pub units: &'a [String],
}

/// Why not: the first condition that does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denial {
    /// The role never does this.
    Role,
    /// It is another environment's, or the platform's.
    Environment,
    /// No scope covers it.
    Scope,
    /// In production it takes a grant for a time.
    Grant,
    /// It is another unit's.
    Unit,
    /// A policy of the project forbids it.
    Policy,
}

impl Denial {
    /// In words, for a problem's detail.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Role => "its role does not include the action",
            Self::Environment => "it is bound to another environment",
            Self::Scope => "none of its scopes covers it",
            Self::Grant => {
                "in production, which all environments include, it takes a grant for a time: `qc grants request`"
            }
            Self::Unit => {
                "it is another unit's, or a list over several: name an integration, or ask that unit: `qc grants request --unit`"
            }
            Self::Policy => "a policy of this server forbids it",
        }
    }
}

/// The one place that decides who may do what.
pub struct Access {
    policies: RwLock<Arc<Policies>>,
    /// The server runs for the owner of its machine alone.
    local: bool,
    production: Vec<EnvironmentName>,
}

/// A decision, with what it was decided by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// All that it depends on.
    pub question: Question,
    /// What the rules say.
    pub verdict: Verdict,
    /// The version of the rules.
    pub version: String,
}

impl Access {
    /// With the rules that every server has. `production`: the environments in which payloads take a grant.
    pub fn new(local: bool, production: Vec<EnvironmentName>) -> Self {
        Self { policies: RwLock::new(Policies::shipped()), local, production }
    }

    /// The environments in which payloads take a grant.
    pub fn production(&self) -> &[EnvironmentName] {
        &self.production
    }

    /// The rules in force.
    pub fn policies(&self) -> Arc<Policies> {
        Arc::clone(&self.policies.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts other rules in force.
    pub fn enforce(&self, policies: Arc<Policies>) {
        *self.policies.write().unwrap_or_else(PoisonError::into_inner) = policies;
    }

    /// Whether the principal may ever do this, whatever it is done to.
    pub fn ever(&self, principal: &Principal, action: Action) -> bool {
        self.policies().ever(principal.role, principal.kind, action)
    }

    /// Whether the principal may do this to that: role, environment, scopes, grants, units and the project's own policies
    /// must all say so.
    pub fn decide(
        &self,
        principal: &Principal,
        action: Action,
        resource: Resource<'_>,
        circumstances: Circumstances<'_>,
    ) -> Decided {
        let in_scope = principal.scopes.as_ref().is_none_or(|scopes| {
            scopes.iter().any(|scope| scope.covers(action, resource.environment, resource.name))
        });
        // What is done over all environments is done in those of production, too.
        let production = match resource.environment {
            Some(own) => self.production.iter().any(|known| known.as_str() == own),
            None => action.takes_grant() && !self.production.is_empty(),
        };
        let question = Question {
            subject: Subject {
                id: principal.id.clone(),
                name: principal.name.clone(),
                kind: principal.kind,
                role: principal.role,
                environment: principal.environment.as_ref().map(ToString::to_string),
                person: principal.person.as_ref().map(ToString::to_string),
                units: circumstances.units.to_vec(),
            },
            action,
            environment: resource.environment.map(str::to_owned),
            name: resource.name.map(str::to_owned),
            production,
            units: resource.units.to_vec(),
            in_scope,
            granted: circumstances.granted,
            across: circumstances.across,
            local: self.local,
        };
        let policies = self.policies();
        let verdict = policies.decide(&question);
        Decided { question, verdict, version: policies.version().to_owned() }
    }
}
