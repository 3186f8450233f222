//! The versions of one contract: which are there, which one somebody speaks, and how it stands.

use std::{collections::BTreeMap, time::Duration};

use qc_contract::Schema;
use qc_model::Timestamp;

use crate::{Chain, Date, State, VersionName, Window, usage::QUIET};

/// One version.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its name.
    pub name: VersionName,
    /// The day from which it is there, where versions have both a number and a day.
    pub released: Option<Date>,
    /// Its contract.
    pub contract: Schema,
    /// The contract of the answers of those who speak it.
    pub reply: Option<Schema>,
    /// How long it lives.
    pub window: Window,
    /// Where it says how to move on.
    pub guide: Option<Guide>,
}

/// Where it says how to move on from a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Guide {
    /// Elsewhere.
    Url(String),
    /// In a file of the project.
    File {
        /// Its path in the integration's folder.
        path: String,
        /// Its text.
        text: String,
    },
}

/// How a sender says which version it speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Select {
    /// The header field that names it, in lower case.
    pub header: String,
    /// The attribute of CloudEvents that names it.
    pub attribute: Option<String>,
    /// Whether it can be a part of the address.
    pub path: bool,
}

impl Default for Select {
    fn default() -> Self {
        Self { header: Self::HEADER.to_owned(), attribute: None, path: false }
    }
}

impl Select {
    /// The header field where nothing else is said.
    pub const HEADER: &'static str = "x-contract-version";
}

/// The version that an event is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spoken {
    /// Which one.
    pub index: usize,
    /// It answers also when its end has come.
    pub outlives: bool,
}

/// The versions of one contract, the oldest first, and drafts at the end.
#[derive(Debug, Clone)]
pub struct Versions {
    /// How a sender says which one it speaks.
    pub select: Select,
    /// Whoever has not spoken a version for so long does not speak it any more.
    pub quiet: Duration,
    entries: Vec<Entry>,
    events: Chain,
    replies: Chain,
    current: usize,
    usual: usize,
    pins: BTreeMap<String, usize>,
}

/// There is no such version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no version `{said}`")]
pub struct Unknown {
    /// What was said.
    pub said: String,
}

impl Versions {
    /// Puts versions together, the oldest first. None when all are drafts, or there is none.
    pub fn new(select: Select, entries: Vec<Entry>, events: Chain, replies: Chain) -> Option<Self> {
        let current = entries.iter().rposition(|entry| !entry.window.draft)?;
        let pins = BTreeMap::new();
        let (usual, quiet) = (current, QUIET);
        Some(Self { select, quiet, entries, events, replies, current, usual, pins })
    }

    /// Says which version somebody speaks who says nothing.
    ///
    /// Errors: when there is no such version.
    pub fn with_usual(mut self, name: &str) -> Result<Self, Unknown> {
        self.usual = self.named(name)?;
        Ok(self)
    }

    /// Says which version a consumer speaks that says nothing.
    ///
    /// Errors: when there is no such version.
    pub fn with_pin(mut self, consumer: &str, name: &str) -> Result<Self, Unknown> {
        let index = self.named(name)?;
        self.pins.insert(consumer.to_owned(), index);
        Ok(self)
    }

    /// All versions, the oldest first.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The version with which the workflow works.
    pub fn current(&self) -> usize {
        self.current
    }

    /// The version of those who say nothing and have no pin.
    pub fn usual(&self) -> usize {
        self.usual
    }

    /// The consumers with a pin.
    pub fn pins(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.pins.iter().map(|(consumer, index)| (consumer.as_str(), &self.entries[*index]))
    }

    /// How events are taken from version to version.
    pub fn events(&self) -> &Chain {
        &self.events
    }

    /// How answers are.
    pub fn replies(&self) -> &Chain {
        &self.replies
    }

    /// The version of this very name.
    ///
    /// Errors: when there is none.
    pub fn named(&self, name: &str) -> Result<usize, Unknown> {
        let found = self.entries.iter().position(|entry| entry.name.as_str() == name);
        found.ok_or_else(|| Unknown { said: shortened(name) })
    }

    /// The version that a sender speaks: the one that it says, by name or by a day (the newest that was there by then),
    /// else the one of its pin, else the usual one. A sender may be known by several names.
    ///
    /// Errors: when it says one that is not there.
    pub fn spoken(&self, said: Option<&str>, consumer: &[&str]) -> Result<usize, Unknown> {
        let Some(said) = said else {
            let pin = consumer.iter().find_map(|name| self.pins.get(*name));
            return Ok(pin.copied().unwrap_or(self.usual));
        };
        let said = said.trim();
        self.named(said).or_else(|unknown| {
            let day = Date::parse(said).map_err(|_| unknown.clone())?;
            let there = |entry: &Entry| {
                let since = entry.name.date().or(entry.released);
                !entry.window.draft && since.is_some_and(|since| since <= day)
            };
            self.entries.iter().rposition(there).ok_or(unknown)
        })
    }

    /// How a version stands at a moment.
    pub fn state(&self, index: usize, now: Timestamp) -> State {
        State::at(&self.entries[index].window, index == self.current, now)
    }

    /// The version to move to from one: the next newer one that is agreed and answers.
    pub fn successor(&self, index: usize, now: Timestamp) -> Option<&Entry> {
        let newer = index + 1..self.entries.len();
        newer.into_iter().find_map(|at| match self.state(at, now) {
            State::Draft | State::Overdue { .. } | State::Retired { .. } => None,
            State::Current | State::Supported | State::Deprecated { .. } => Some(&self.entries[at]),
        })
    }

    /// The versions that answer at a moment.
    pub fn live(&self, now: Timestamp) -> impl Iterator<Item = (&Entry, State)> {
        let all = self.entries.iter().enumerate();
        all.map(move |(at, entry)| (entry, self.state(at, now)))
            .filter(|(_, state)| !matches!(state, State::Retired { .. }))
    }
}

/// What a stranger said, in a length that can be shown.
fn shortened(said: &str) -> String {
    const SHOWN: usize = 64;
    said.chars().take(SHOWN).filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::Naming;

    fn entry(naming: Naming, name: &str, window: Window) -> Entry {
        let files = BTreeMap::<String, String>::new();
        Entry {
            name: naming.name(name).unwrap(),
            released: None,
            contract: Schema::compile(&json!({}), &files).unwrap(),
            reply: None,
            window,
            guide: None,
        }
    }

    fn versions(naming: Naming, names: &[(&str, &str)]) -> Versions {
        let entries = names.iter().map(|(name, sunset)| {
            let sunset = Date::parse(sunset).ok();
            let deprecated = sunset.map(|_| Date::parse("2026-01-01").unwrap());
            entry(naming, name, Window { draft: name.ends_with("-draft"), deprecated, sunset })
        });
        let entries: Vec<Entry> = entries.collect();
        Versions::new(Select::default(), entries, Chain::default(), Chain::default()).unwrap()
    }

    #[test]
    fn a_sender_speaks_what_it_says_else_its_pin_else_the_usual_one() {
        let all = versions(Naming::Semver, &[("1.0.0", ""), ("2.0.0", ""), ("3.0.0-draft", "")]);
        let all = all.with_usual("1.0.0").unwrap().with_pin("acme", "2.0.0").unwrap();
        assert_eq!(all.current(), 1);
        assert_eq!(all.spoken(None, &[]), Ok(0));
        assert_eq!(all.spoken(None, &["x", "acme"]), Ok(1));
        assert_eq!(all.spoken(Some(" 1.0.0 "), &["acme"]), Ok(0));
        assert_eq!(all.spoken(Some("3.0.0-draft"), &[]), Ok(2));
        assert_eq!(all.spoken(Some("9"), &[]), Err(Unknown { said: "9".into() }));
        assert!(all.clone().with_pin("x", "7.0.0").is_err());
        assert!(all.with_usual("7.0.0").is_err());
    }

    #[test]
    fn a_day_means_the_newest_version_of_then() {
        let all = versions(Naming::Date, &[("2026-01-01", ""), ("2026-05-01", "")]);
        assert_eq!(all.spoken(Some("2026-04-30"), &[]), Ok(0));
        assert_eq!(all.spoken(Some("2026-05-01"), &[]), Ok(1));
        assert_eq!(all.spoken(Some("2030-01-01"), &[]), Ok(1));
        assert!(all.spoken(Some("2025-12-31"), &[]).is_err());
        let mut both = versions(Naming::Both, &[("1.0.0", ""), ("2.0.0", "")]);
        both.entries[0].released = Some(Date::parse("2026-01-01").unwrap());
        both.entries[1].released = Some(Date::parse("2026-05-01").unwrap());
        assert_eq!(both.spoken(Some("2026-03-01"), &[]), Ok(0));
        assert_eq!(both.spoken(Some("2.0.0"), &[]), Ok(1));
    }

    #[test]
    fn the_successor_is_the_next_one_that_answers() {
        let all = versions(
            Naming::Semver,
            &[("1.0.0", "2026-02-01"), ("2.0.0", "2026-03-01"), ("3.0.0", ""), ("4.0.0-draft", "")],
        );
        let name = |at: &str| {
            let now = at.parse().unwrap();
            all.successor(0, now).map(|entry| entry.name.to_string())
        };
        assert_eq!(name("2026-02-02T00:00:00Z").as_deref(), Some("2.0.0"));
        assert_eq!(name("2026-03-02T00:00:00Z").as_deref(), Some("3.0.0"));
        assert!(all.successor(2, "2026-03-02T00:00:00Z".parse().unwrap()).is_none());
        let live = all.live("2026-03-02T00:00:00Z".parse().unwrap());
        assert_eq!(
            live.map(|(entry, _)| entry.name.as_str()).collect::<Vec<_>>(),
            ["3.0.0", "4.0.0-draft"]
        );
    }
}
