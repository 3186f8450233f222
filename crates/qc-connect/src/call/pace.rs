use qc_model::Class;
use qc_pace::{Declared, Outcome, breaker::Health};
use qc_workflow::CallTarget;

use super::{CallRecord, Connectors, Performed};
use crate::connector::{AuthProfile, Connector};

impl Performed {
    /// What the attempt tells of the other side: for the pace of the calls that follow, and for its breaker.
    pub fn tells(&self) -> (Outcome, Health) {
        tells_of(&self.record)
    }
}

pub(super) fn tells_of(record: &CallRecord) -> (Outcome, Health) {
    // What was turned away here, or refused by our own rules, says nothing of the other side.
    if record.requests == 0 {
        return (Outcome::Unknown, Health::Unknown);
    }
    tells(record.status, record.class)
}

fn tells(status: Option<u16>, class: Option<Class>) -> (Outcome, Health) {
    match (class, status) {
        (Some(Class::Throttled), _) | (_, Some(429)) => (Outcome::Throttled, Health::Good),
        (Some(Class::Overloaded | Class::Timeout), _) => (Outcome::Overloaded, Health::Bad),
        (Some(Class::Transient | Class::Dependency), Some(_)) => (Outcome::Dealt, Health::Bad),
        (Some(Class::Transient | Class::Dependency), None) => (Outcome::Unknown, Health::Bad),
        // Also an error of the 500s that the error map knows as the caller's own.
        (_, Some(_)) => (Outcome::Dealt, Health::Good),
        (_, None) => (Outcome::Unknown, Health::Unknown),
    }
}

impl Connectors {
    /// Against which limits a call to a connector counts: their name within an environment, and what is declared of them.
    /// Connectors that use one connection share its limits.
    pub fn limit_of(&self, target: &CallTarget) -> Option<(String, Declared)> {
        let CallTarget::Connector { connector, operation, .. } = target else { return None };
        Some(self.get(connector)?.limit_of(operation))
    }

    /// The same, of the read-back of a call.
    pub fn limit_of_read_back(&self, target: &CallTarget) -> Option<(String, Declared)> {
        let (connector, _, verify) = self.rules(target)?;
        Some(connector.limit_of(&verify?.operation))
    }
}

/// Operations of a connector that have their limits together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Family {
    /// Against which limits they count: the name within an environment.
    pub limit: String,
    /// The operations; none: all that no limit names.
    pub operations: Vec<String>,
    /// What is declared of them.
    pub declared: Declared,
}

impl Connector {
    /// Its families: those that a limit names, and what is left.
    pub fn families(&self) -> Vec<Family> {
        let mut families = vec![self.family(&[])];
        for limit in self.limits() {
            if families.iter().all(|family| family.operations != limit.operations) {
                families.push(self.family(&limit.operations));
            }
        }
        families
    }

    fn limit_of(&self, operation: &str) -> (String, Declared) {
        let named = |id: &str| {
            self.limits().iter().find(|one| one.operations.iter().any(|named| named == id))
        };
        let operations = named(operation).map(|limit| limit.operations.as_slice());
        let Family { limit, declared, .. } = self.family(operations.unwrap_or_default());
        (limit, declared)
    }

    fn family(&self, operations: &[String]) -> Family {
        let account = match self.auth() {
            AuthProfile::Connection(oauth) => oauth.connection.as_deref(),
            _ => None,
        };
        let account = account.unwrap_or(self.name().as_str());
        let mut declared = Declared::default();
        for limit in self.limits().iter().filter(|limit| limit.operations == operations) {
            declared.rates.extend(limit.rate);
            let least = declared.concurrent.into_iter().chain(limit.concurrent).min();
            declared.concurrent = least;
        }
        let limit = match operations.first() {
            Some(first) => format!("{account}/{first}"),
            None => account.to_owned(),
        };
        Family { limit, operations: operations.to_vec(), declared }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_tells_of_the_system_by_its_class() {
        let good = (Outcome::Dealt, Health::Good);
        for (status, class, told) in [
            (Some(200), None, good),
            (Some(404), Some(Class::NotFound), good),
            (Some(500), Some(Class::Transient), (Outcome::Dealt, Health::Bad)),
            // The vendor says its own no with 500, as its error map knows.
            (Some(500), Some(Class::Invalid), good),
            (Some(503), Some(Class::Overloaded), (Outcome::Overloaded, Health::Bad)),
            (Some(429), Some(Class::Throttled), (Outcome::Throttled, Health::Good)),
            (Some(200), Some(Class::Throttled), (Outcome::Throttled, Health::Good)),
            (None, Some(Class::Timeout), (Outcome::Overloaded, Health::Bad)),
            (None, Some(Class::Dependency), (Outcome::Unknown, Health::Bad)),
            (None, Some(Class::Policy), (Outcome::Unknown, Health::Unknown)),
        ] {
            assert_eq!(tells(status, class), told, "{status:?} {class:?}");
        }
    }
}
