//! Who can be asked, as a release knows it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// The people and teams of the organisation, and whom an integration turns to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct People {
    /// The ids of all people.
    pub people: BTreeSet<String>,
    /// The members of each team, by its id.
    pub teams: BTreeMap<String, BTreeSet<String>>,
    /// Who is asked when a task names nobody: who answers for the business.
    pub asked: Option<String>,
    /// Who takes over when automation cannot go on, level by level. Empty: nobody is asked.
    pub escalation: Vec<Level>,
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
