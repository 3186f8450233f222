//! Who can be asked, as a release knows it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use qc_model::{Class, Failure};
use qc_workflow::{codes::HELD_TOO_LONG, codes::HELD_TOO_MANY, means_unavailable};

use crate::codes::AMBIGUOUS;

/// The people and teams of the organisation, and whom an integration turns to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct People {
    /// The ids of all people.
    pub people: BTreeSet<String>,
    /// The members of each team, by its id.
    pub teams: BTreeMap<String, BTreeSet<String>>,
    /// Where each team is reached, by its id. Not people: their addresses do not go to everybody who may send.
    pub contacts: BTreeMap<String, String>,
    /// The unit of each team that is a part of one.
    pub units: BTreeMap<String, String>,
    /// The unit that owns the integration.
    pub unit: Option<String>,
    /// Who is asked when a task names nobody: who answers for the business.
    pub asked: Option<String>,
    /// Who takes over when automation cannot go on, level by level. Empty: nobody is asked.
    pub escalation: Vec<Level>,
    /// What can go wrong by the brief and whom that asks, in its order.
    pub failure_modes: Vec<FailureMode>,
}

/// A failure mode of the brief whose failures are told by what they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailureMode {
    /// Its id.
    pub id: String,
    /// The tasks whose calls can fail in this way; `None`: every task.
    pub tasks: Option<BTreeSet<String>>,
    /// The failures.
    pub failures: Failures,
    /// Who takes over, level by level.
    pub escalation: Vec<Level>,
}

/// Some of the failures that there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failures {
    /// Those that mean that a system is not there.
    Absence,
    /// Those of one of these classes and with one of these codes; an empty set is all of them.
    Of {
        /// The classes.
        classes: BTreeSet<Class>,
        /// The codes.
        codes: BTreeSet<String>,
    },
}

impl Failures {
    fn has(&self, failure: &Failure) -> bool {
        match self {
            Self::Absence => {
                [HELD_TOO_LONG, HELD_TOO_MANY].contains(&failure.code)
                    || means_unavailable(failure.class) && failure.code != AMBIGUOUS
            }
            Self::Of { classes, codes } => {
                (classes.is_empty() || classes.contains(&failure.class))
                    && (codes.is_empty() || codes.contains(failure.code.as_str()))
            }
        }
    }
}

/// One level of an escalation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Level {
    /// The person or team.
    pub to: String,
    /// So long after the beginning.
    pub after: Duration,
}

impl People {
    /// Who is in which unit, by the teams.
    pub fn memberships(&self) -> impl Iterator<Item = (&str, &str)> {
        self.units.iter().flat_map(|(team, unit)| {
            let members = self.teams.get(team).into_iter().flatten();
            members.map(|person| (person.as_str(), unit.as_str()))
        })
    }

    /// Who takes over after a failure of the task at this place: the levels of the first failure mode that it is one of,
    /// with the mode's id, or else the integration's.
    pub fn after(&self, place: &str, failure: &Failure) -> (Option<&str>, &[Level]) {
        let of = |mode: &&FailureMode| {
            mode.tasks.as_ref().is_none_or(|tasks| tasks.contains(place))
                && mode.failures.has(failure)
        };
        match self.failure_modes.iter().find(of) {
            Some(mode) => (Some(&mode.id), &mode.escalation),
            None => (None, &self.escalation),
        }
    }

    /// Whether this is a person or a team.
    pub fn knows(&self, id: &str) -> bool {
        self.people.contains(id) || self.teams.contains_key(id)
    }

    /// Whether a person is meant by an id: their own, or that of a team of theirs.
    pub fn is_meant(&self, id: &str, person: &str) -> bool {
        id == person && self.people.contains(person)
            || self.teams.get(id).is_some_and(|members| members.contains(person))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(id: &str, tasks: Option<&str>, failures: Failures) -> FailureMode {
        let tasks = tasks.map(|task| BTreeSet::from([task.to_owned()]));
        FailureMode { id: id.to_owned(), tasks, failures, escalation: vec![] }
    }

    fn of(classes: &[Class], codes: &[&str]) -> Failures {
        let codes = codes.iter().map(ToString::to_string).collect();
        Failures::Of { classes: classes.iter().copied().collect(), codes }
    }

    #[test]
    fn the_first_failure_mode_that_fits_counts() {
        let level = Level { to: "ada".to_owned(), after: Duration::ZERO };
        let people = People {
            escalation: vec![level.clone()],
            failure_modes: vec![
                mode("away", Some("/do/0/a"), Failures::Absence),
                mode("refused", Some("/do/0/a"), of(&[Class::Auth, Class::Permission], &[])),
                mode("lost", None, of(&[], &["QC-R002"])),
                mode("both", None, of(&[Class::Invalid], &["QC-N100"])),
            ],
            ..People::default()
        };
        let failure = |class, code: qc_model::Code| Failure::new(class, code, "it", "failed");
        let other = || qc_model::Code::new("QC-N107");
        for (place, failure, wanted) in [
            ("/do/0/a", failure(Class::Transient, other()), Some("away")),
            ("/do/0/a", failure(Class::Expired, HELD_TOO_LONG), Some("away")),
            ("/do/1/b", failure(Class::Transient, other()), None),
            ("/do/0/a", failure(Class::Permission, other()), Some("refused")),
            ("/do/1/b", failure(Class::Permission, other()), None),
            // Whether it took effect is the question, not whether the system is there.
            ("/do/0/a", failure(Class::Transient, AMBIGUOUS), Some("lost")),
            ("/do/1/b", failure(Class::Invalid, other()), None),
            ("/do/1/b", failure(Class::Invalid, qc_model::Code::new("QC-N100")), Some("both")),
        ] {
            let (mode, levels) = people.after(place, &failure);
            assert_eq!(mode, wanted, "{place} {failure:?}");
            assert_eq!(levels.is_empty(), mode.is_some());
        }
    }
}
