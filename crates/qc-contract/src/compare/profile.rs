//! How changes are weighed: the table's own levels, or others by rule or group.

use std::collections::BTreeMap;

use qc_document::{ParseLimits, Reader, Source, closest, parse};
use qc_model::{Finding, Severity};

use super::rules::{Level, Rule, rules};
use crate::codes;

/// Days of notice that a sunset needs when a profile does not say.
const NOTICE_DAYS: i64 = 30;

/// Levels by rule.
#[derive(Clone, Debug)]
pub struct Profile {
    name: String,
    notice_days: i64,
    /// Levels by rule id: `None` leaves the change out. With what decided it.
    levels: BTreeMap<&'static str, (Option<Level>, String)>,
}

impl Profile {
    /// The names of the profiles that are always there.
    pub const NAMES: [&'static str; 3] = ["default", "strict", "lenient"];

    /// One of the profiles that are always there.
    pub fn named(name: &str) -> Option<Self> {
        let profile = match name {
            "default" => Self::empty("default", NOTICE_DAYS),
            "strict" => strict(),
            "lenient" => lenient(),
            _ => return None,
        };
        Some(profile)
    }

    /// A profile from a file: `name`, the profile that it `extends`, `notice_days`, and `rules` with a level for each
    /// rule, group or pattern; a later line wins.
    pub fn load(path: &str, text: &str) -> Result<Self, Vec<Finding>> {
        let document = parse(Source::new(path, text), &ParseLimits::default())
            .map_err(|finding| vec![*finding])?;
        let reader = Reader::new(&document.source);
        let Some(mut top) = reader.object(&document.root, "the profile") else {
            return Err(reader.finish());
        };
        let name = top.string("name").unwrap_or_default();
        let known = Self::NAMES.map(|name| (name, name));
        let extends = top.optional_choice("extends", &known).unwrap_or("default");
        let mut profile = Self::named(extends).unwrap_or_default();
        name.clone_into(&mut profile.name);
        if let Some(days) = top.optional_integer("notice_days", 0..=3_650) {
            profile.notice_days = days;
        }
        if let Some(node) = top.optional("rules") {
            for (key, value) in reader.entries(node, "`rules`").unwrap_or_default() {
                let word = reader.text(value, &format!("the level of `{}`", key.name));
                let Some(level) = word.and_then(level) else {
                    if word.is_some() {
                        let message = "a level is breaking, risky, additive, cosmetic or off";
                        reader.invalid(value, message);
                    }
                    continue;
                };
                if profile.set(&key.name, level) == 0 {
                    let message = format!("no rule is called `{}`", key.name);
                    let mut finding = reader.error(codes::PROFILE, key.span, message);
                    let ids = rules().iter().map(|rule| &*rule.id);
                    if let Some(closest) = closest(&key.name, ids) {
                        finding = finding.help(format!("did you mean `{closest}`?"));
                    }
                    reader.push(finding);
                }
            }
        }
        top.finish();
        let findings = reader.finish();
        let failed = findings.iter().any(|finding| finding.severity == Severity::Error);
        if failed { Err(findings) } else { Ok(profile) }
    }

    fn empty(name: &str, notice_days: i64) -> Self {
        Self { name: name.to_owned(), notice_days, levels: BTreeMap::new() }
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Days of notice that a sunset needs.
    pub fn notice_days(&self) -> i64 {
        self.notice_days
    }

    /// The same, with at least so many days of notice.
    #[must_use]
    pub fn with_notice_of(mut self, days: i64) -> Self {
        self.notice_days = self.notice_days.max(days);
        self
    }

    /// What the profile says about a rule and which line says it.
    pub(super) fn level(&self, rule: &Rule) -> Option<(Option<Level>, String)> {
        let (level, by) = self.levels.get(&*rule.id)?;
        Some((*level, by.clone()))
    }

    /// What decided a level about which the profile says nothing.
    pub(super) fn fallback(&self) -> String {
        format!("the rule's own level; the profile `{}` says no other", self.name)
    }

    fn set(&mut self, pattern: &str, level: Option<Level>) -> usize {
        let mut count = 0;
        for rule in rules().iter().filter(|rule| matches(pattern, rule)) {
            let by = format!("`{pattern}` of the profile `{}`", self.name);
            self.levels.insert(&rule.id, (level, by));
            count += 1;
        }
        count
    }
}

impl Default for Profile {
    fn default() -> Self {
        Self::empty("default", NOTICE_DAYS)
    }
}

/// A level by its word; `off` leaves the change out. None: it is neither.
#[expect(clippy::option_option, reason = "left out is an answer, and no word is none")]
fn level(word: &str) -> Option<Option<Level>> {
    if word == "off" {
        return Some(None);
    }
    Level::ALL.into_iter().find(|level| level.as_str() == word).map(Some)
}

/// Whether a line of a profile is about a rule: its id, `group:` and an area, or an id with `*`.
fn matches(pattern: &str, rule: &Rule) -> bool {
    if let Some(area) = pattern.strip_prefix("group:") {
        return rule.area.as_str() == area;
    }
    match pattern.split_once('*') {
        None => *rule.id == *pattern,
        Some((before, after)) => {
            rule.id.len() >= before.len() + after.len()
                && rule.id.starts_with(before)
                && rule.id.ends_with(after)
        }
    }
}

/// What is risky breaks, and generated code counts.
fn strict() -> Profile {
    let mut profile = Profile::empty("strict", 90);
    for rule in rules().iter().filter(|rule| rule.level == Level::Risky) {
        profile.set(&rule.id, Some(Level::Breaking));
    }
    for id in ["operation-id-changed", "path-parameter-renamed", "operation-deprecated"] {
        profile.set(id, Some(Level::Risky));
    }
    profile
}

/// Consumers are tolerant readers: what they can ignore is no break.
fn lenient() -> Profile {
    let mut profile = Profile::empty("lenient", 0);
    for id in [
        "response-enum-widened",
        "response-property-added-to-closed",
        "response-optional-property-removed",
        "response-error-removed",
        "response-default-removed",
        "request-property-became-read-only",
        "response-property-became-write-only",
        "discriminator-added",
        "discriminator-removed",
        "security-removed",
        "server-removed",
        "condition-without-effect",
    ] {
        profile.set(id, Some(Level::Additive));
    }
    for id in [
        "request-property-removed",
        "response-additional-properties-widened",
        "response-header-removed",
        "response-format-widened",
        "response-format-changed",
        "parameter-default-changed",
        "parameter-default-removed",
    ] {
        profile.set(id, Some(Level::Risky));
    }
    profile
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::rule;

    fn level_of(profile: &Profile, id: &str) -> Option<(Option<Level>, String)> {
        profile.level(rule(id).expect("is a rule"))
    }

    #[test]
    fn a_later_line_wins_and_is_named() {
        let text = "name: ours\nnotice_days: 60\nrules:\n  group:responses: risky\n  \
                    response-success-removed: breaking\n  '*-text-changed': off\n";
        let profile = Profile::load("p.yaml", text).expect("is right");
        assert_eq!((profile.name(), profile.notice_days()), ("ours", 60));
        let (level, by) = level_of(&profile, "response-success-removed").expect("is named");
        assert_eq!(level, Some(Level::Breaking));
        assert_eq!(by, "`response-success-removed` of the profile `ours`");
        assert_eq!(
            level_of(&profile, "response-body-added").expect("by group").0,
            Some(Level::Risky)
        );
        assert_eq!(level_of(&profile, "schema-text-changed").expect("by pattern").0, None);
        assert_eq!(level_of(&profile, "operation-removed"), None);
    }

    #[test]
    fn what_is_wrong_in_a_profile_is_said_with_its_place() {
        let text = "name: ours\nrules:\n  operation-remove: risky\n  operation-added: loud\n";
        let findings = Profile::load("p.yaml", text).expect_err("is wrong");
        let said: Vec<String> = findings.iter().map(ToString::to_string).collect();
        assert!(said[0].starts_with("p.yaml:3:3: error[QC-C030]"), "{said:?}");
        assert_eq!(findings[0].help.as_deref(), Some("did you mean `operation-removed`?"));
        assert!(said[1].contains("a level is"), "{said:?}");
    }

    #[test]
    fn every_line_of_the_built_in_profiles_names_a_rule() {
        for name in Profile::NAMES {
            let profile = Profile::named(name).expect("is there");
            assert_eq!(profile.name(), name);
        }
        assert!(level_of(&strict(), "operation-id-changed").is_some());
        assert_eq!(lenient().levels.len(), 19);
    }
}
