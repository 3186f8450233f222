use qc_model::Class;
use qc_pace::{Declared, Outcome, breaker::Health};
use qc_workflow::CallTarget;

use super::{Connectors, Performed};
use crate::connector::{AuthProfile, Connector};

impl Performed {
    /// What the attempt tells of the other side: for the pace of the calls that follow, and for its breaker.
    pub fn tells(&self) -> (Outcome, Health) {
        let class = self.record.class;
        // What was turned away here, or refused by our own rules, says nothing of the other side.
        if self.record.requests == 0 {
            return (Outcome::Unknown, Health::Unknown);
        }
        if class == Some(Class::Throttled) {
            return (Outcome::Throttled, Health::Good);
        }
        match (self.record.status, class) {
            (Some(429), _) => (Outcome::Throttled, Health::Good),
            (Some(503), _) | (None, Some(Class::Timeout)) => (Outcome::Overloaded, Health::Bad),
            (Some(500..=599), _) => (Outcome::Dealt, Health::Bad),
            (Some(_), _) => (Outcome::Dealt, Health::Good),
            (None, Some(Class::Dependency | Class::Transient)) => (Outcome::Unknown, Health::Bad),
            (None, _) => (Outcome::Unknown, Health::Unknown),
        }
    }
}

impl Connectors {
    /// Against which limits a call to a connector counts: their name within an environment, and what is declared of them.
    /// Connectors that use one connection share its limits.
    pub fn limit_of(&self, target: &CallTarget) -> Option<(String, Declared)> {
        let CallTarget::Connector { connector, operation, .. } = target else { return None };
        Some(self.get(connector)?.limit_of(operation))
    }
}

impl Connector {
    fn limit_of(&self, operation: &str) -> (String, Declared) {
        let account = match self.auth() {
            AuthProfile::Connection(oauth) => oauth.connection.as_deref(),
            _ => None,
        };
        let account = account.unwrap_or(self.name().as_str());
        let named =
            |id: &str| self.limits().iter().find(|one| one.operations.iter().any(|op| op == id));
        let family = named(operation).map(|limit| limit.operations.as_slice()).unwrap_or_default();
        let of_family = self.limits().iter().filter(|limit| limit.operations == family);
        let mut declared = Declared::default();
        for limit in of_family {
            declared.rates.extend(limit.rate);
            let least = declared.concurrent.into_iter().chain(limit.concurrent).min();
            declared.concurrent = least;
        }
        match family.first() {
            Some(first) => (format!("{account}/{first}"), declared),
            None => (account.to_owned(), declared),
        }
    }
}
