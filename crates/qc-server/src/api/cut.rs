//! Lists over what belongs to several units: each who asks is shown what he could also ask for one by one.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use qc_access::Resource;
use qc_model::{EnvironmentName, Name};

use super::{Call, Permit};

/// So many pages of the store are looked through for one answer: what is shown may be rare among what is there.
pub(super) const LOOKS: usize = 20;

/// A list that is asked for.
pub(super) struct Listed<'a> {
    pub(super) environment: Option<EnvironmentName>,
    pub(super) integration: Option<Name>,
    pub(super) permit: Permit<'a>,
    pub(super) cut: Cut<'a>,
}

/// What of a list is shown.
pub(super) struct Cut<'a> {
    call: &'a Call,
    /// Nothing is left out: whoever asks is of no unit, or what is listed is of none.
    whole: bool,
    /// The list is of one integration, on which was decided.
    of_one: bool,
    /// What was decided on each thing, by its environment and name.
    decided: Mutex<HashMap<(String, String), bool>>,
}

impl<'a> Cut<'a> {
    pub(super) fn new(call: &'a Call, of_one: bool) -> Self {
        let whole = call.units().is_empty() || !call.route.action.is_of_unit();
        Self { call, whole, of_one, decided: Mutex::default() }
    }

    /// Whether nothing is left out.
    pub(super) fn is_whole(&self) -> bool {
        self.whole
    }

    /// Whether a thing of an environment is shown.
    pub(super) fn shows(&self, environment: &str, name: &str) -> bool {
        if self.whole {
            return true;
        }
        let key = (environment.to_owned(), name.to_owned());
        let mut decided = self.decided.lock().unwrap_or_else(PoisonError::into_inner);
        *decided.entry(key).or_insert_with(|| {
            let Call { asker, state, route, .. } = self.call;
            asker.decide(&state.access, route.action, Some(environment), Some(name)).is_ok()
        })
    }

    /// Whether something is shown that is of an integration, or of the platform itself: that is the whole
    /// organisation's.
    pub(super) fn shows_of(
        &self,
        environment: Option<&EnvironmentName>,
        integration: Option<&Name>,
    ) -> bool {
        let (Some(environment), Some(name)) = (environment, integration) else {
            return self.whole;
        };
        // Where it is not deployed, nothing says whose it is.
        let deployments = self.call.state.engine.deployments();
        let there = || deployments.lookup(environment.as_str(), name.as_str()).is_some();
        self.whole || there() && self.shows(environment.as_str(), name.as_str())
    }

    /// Whether something is shown whose units are known.
    pub(super) fn shows_units(&self, resource: Resource<'_>) -> bool {
        let Call { asker, state, route, .. } = self.call;
        self.whole || asker.decide_on(&state.access, route.action, resource).is_ok()
    }

    /// Whether a thing of this name is shown in any environment.
    pub(super) fn shows_anywhere(&self, name: &str) -> bool {
        let deployments = self.call.state.engine.deployments();
        let theirs = |at: &str| self.shows(at, name);
        let mut of = deployments.iter().filter(|it| it.release.integration.as_str() == name);
        self.whole || of.any(|it| theirs(it.environment.as_str()))
    }

    /// The units to which the list is cut; none: it is not.
    pub(super) fn units(&self) -> &[String] {
        if self.whole || self.of_one { &[] } else { self.call.units() }
    }
}
