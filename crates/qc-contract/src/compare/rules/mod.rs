//! The rules: every kind of change that is told apart, as data. A rule has an id that never changes its meaning, the
//! way the payload travels, an area, the level that it has when no profile says otherwise, why, and what a consumer
//! does about it. `docs/contract-rules.md` is made from this table.

mod events;
mod facets;
mod lifecycle;
mod operations;
mod payloads;
mod schemas;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use crate::mismatch::Direction;

pub(super) use events::*;
pub(super) use facets::{Facet, Turn};
pub(super) use lifecycle::{Life, Subject};
pub(super) use operations::*;
pub(super) use payloads::*;
pub(super) use schemas::*;

/// How much a change weighs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum Level {
    /// No consumer can notice it in what is exchanged.
    Cosmetic,
    /// Consumers may use it and need not.
    Additive,
    /// Kept to the letter, but consumers in the wild are hurt by it.
    Risky,
    /// A consumer that kept to the old contract fails.
    Breaking,
}

impl Level {
    /// All levels, the lightest first.
    pub const ALL: [Self; 4] = [Self::Cosmetic, Self::Additive, Self::Risky, Self::Breaking];

    /// As files and output write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cosmetic => "cosmetic",
            Self::Additive => "additive",
            Self::Risky => "risky",
            Self::Breaking => "breaking",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What part of a contract a rule is about.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Area {
    Document,
    Servers,
    Operations,
    Lifecycle,
    Parameters,
    Bodies,
    Responses,
    Headers,
    Errors,
    Limits,
    Security,
    Schemas,
    Events,
}

impl Area {
    /// As files and output write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Document => "document",
            Self::Servers => "servers",
            Self::Operations => "operations",
            Self::Lifecycle => "lifecycle",
            Self::Parameters => "parameters",
            Self::Bodies => "bodies",
            Self::Responses => "responses",
            Self::Headers => "headers",
            Self::Errors => "errors",
            Self::Limits => "limits",
            Self::Security => "security",
            Self::Schemas => "schemas",
            Self::Events => "events",
        }
    }
}

/// A kind of change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rule {
    /// Lower case words with hyphens; stable.
    pub id: Cow<'static, str>,
    /// Which way the payload travels that it is about; none for both or neither.
    pub direction: Option<Direction>,
    /// What it is about.
    pub area: Area,
    /// The level without a profile.
    pub level: Level,
    /// What changed and why that matters.
    pub explanation: Cow<'static, str>,
    /// What a consumer does.
    pub action: Cow<'static, str>,
}

/// Rules about schemas that a proof of what is admitted does not settle: formats and encodings are annotations, and
/// what is no longer described may still be missed.
const UNPROVABLE: [&str; 12] = [
    "request-property-removed",
    "request-property-added-optional",
    "request-property-became-read-only",
    "request-property-became-writable",
    "request-default-changed",
    "request-one-of-ambiguous",
    "response-optional-property-removed",
    "response-property-added",
    "response-property-added-to-closed",
    "response-property-became-write-only",
    "response-property-became-readable",
    "response-default-changed",
];

impl Rule {
    /// Whether a proof that everything is still admitted settles it.
    pub(super) fn is_provable(&self) -> bool {
        self.area == Area::Schemas
            && self.direction.is_some()
            && !self.id.contains("-format-")
            && !self.id.contains("-content-")
            && !UNPROVABLE.contains(&&*self.id)
    }

    /// A rule of the table; `id` decides the direction by how it begins.
    const fn row(
        id: &'static str,
        direction: Option<Direction>,
        area: Area,
        level: Level,
        explanation: &'static str,
        action: &'static str,
    ) -> Self {
        Self {
            id: Cow::Borrowed(id),
            direction,
            area,
            level,
            explanation: Cow::Borrowed(explanation),
            action: Cow::Borrowed(action),
        }
    }
}

/// All rules, by area and then by id.
pub fn rules() -> &'static [&'static Rule] {
    static ALL: LazyLock<Vec<&'static Rule>> = LazyLock::new(|| {
        let mut all: Vec<&'static Rule> = Vec::new();
        all.extend(events::ROWS);
        all.extend(operations::ROWS);
        all.extend(payloads::ROWS);
        all.extend(schemas::ROWS);
        all.extend(lifecycle::rows());
        all.extend(facets::rows());
        all.sort_by(|one, other| (one.area, &one.id).cmp(&(other.area, &other.id)));
        all
    });
    &ALL
}

/// A rule by its id.
pub fn rule(id: &str) -> Option<&'static Rule> {
    static BY_ID: LazyLock<BTreeMap<&'static str, &'static Rule>> =
        LazyLock::new(|| rules().iter().map(|rule| (&*rule.id, *rule)).collect());
    BY_ID.get(id).copied()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_id_is_there_once_and_well_formed() {
        let ids: BTreeSet<&str> = rules().iter().map(|rule| &*rule.id).collect();
        assert_eq!(ids.len(), rules().len());
        for rule in rules() {
            let is_word = |c: char| c.is_ascii_lowercase() || c == '-' || c.is_ascii_digit();
            assert!(rule.id.chars().all(is_word), "{}", rule.id);
            assert!(rule.explanation.len() > 20, "{}", rule.id);
            assert!(rule.action.len() > 10, "{}", rule.id);
        }
    }

    #[test]
    fn a_rule_is_found_by_its_id() {
        assert_eq!(rule("operation-removed").map(|rule| rule.level), Some(Level::Breaking));
        assert_eq!(rule("no-such-rule"), None);
    }
}
