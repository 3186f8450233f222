//! What a description says about itself, and what no operation of it uses.

use std::collections::BTreeSet;

use super::super::found::{Found, Said};
use super::super::rules::{self, Level, Rule};
use super::super::shape::Conj;
use super::super::side::Spot;
use super::super::walk::{Bound, Wire};
use super::{Comparing, whole_document};
use crate::mismatch::Direction;
use crate::openapi::security_of;

/// Where named schemas stand: today's place, and that of Swagger 2.0.
const SCHEMAS: [(&str, &str); 2] = [("components", "schemas"), ("", "definitions")];

/// Named parts that are no schemas.
const PARTS: [&str; 14] = [
    "parameters",
    "responses",
    "requestBodies",
    "headers",
    "examples",
    "links",
    "callbacks",
    "pathItems",
    "channels",
    "operations",
    "messages",
    "replies",
    "correlationIds",
    "channelBindings",
];

impl<'d> Comparing<'_, 'd> {
    pub(super) fn compare_documents(&mut self) {
        let roots = (self.old.root(), self.new.root());
        let scope = whole_document();
        let info = (roots.0.get("info"), roots.1.get("info"));
        if let (Some(old), Some(new)) = info {
            let keys = ["title", "description", "summary", "termsOfService", "contact", "license"];
            self.compare_texts(&rules::TITLE_CHANGED, (old, new), &keys, &scope);
        }
        self.compare_texts(&rules::TITLE_CHANGED, roots, &["externalDocs"], &scope);
        self.compare_texts(&rules::TAG_CHANGED, roots, &["tags"], &scope);
        self.compare_limits(roots, &scope);
    }

    /// Once everything is known: whether `info.version` tells of it.
    pub(in super::super) fn compare_versions(&mut self) {
        if !self.outcome.is_breaking() {
            return;
        }
        let of = |root: Spot<'d>| root.get("info").and_then(|info| info.get("version"));
        let (Some(old), Some(new)) = (of(self.old.root()), of(self.new.root())) else { return };
        let number = |spot: Spot<'d>| -> Vec<u64> {
            let text = super::super::found::shown(spot.node);
            let text = text.trim_start_matches(['v', 'V']).to_owned();
            text.split(['.', '-', '+']).map_while(|part| part.parse().ok()).collect()
        };
        let (was, is) = (number(old), number(new));
        let (rule, message): (&'static Rule, _) = if was.is_empty() || is.is_empty() {
            if super::super::shape::same_value(old.node, new.node) {
                (&rules::VERSION_NOT_RAISED, "something broke and the version is the same")
            } else {
                return;
            }
        } else if is < was {
            (&rules::VERSION_LOWERED, "the version is lower than before")
        } else if is == was {
            (&rules::VERSION_NOT_RAISED, "something broke and the version is the same")
        } else if is[0] == was[0] && was[0] > 0 && was[0] < 1_000 {
            (&rules::VERSION_BUMP_TOO_SMALL, "something broke and the first number is the same")
        } else {
            return;
        };
        self.say(rule, Said::value(old), Said::value(new), message, &whole_document());
    }

    /// A document without operations is a contract about its schemas, whichever way they travel.
    pub(super) fn compare_only_schemas(&mut self) {
        let roots = (self.old.root(), self.new.root());
        let (was, is) = (named_schemas(roots.0), named_schemas(roots.1));
        for (name, old) in &was {
            let scope = whole_document().part(format!("schema `{name}`"));
            let Some((_, new)) = is.iter().find(|(other, _)| other == name) else {
                let said = (Said::value(*old), Said::absent(roots.1));
                let message = format!("`{name}` is gone");
                self.say(&rules::SCHEMA_REMOVED, said.0, said.1, message, &scope);
                continue;
            };
            let (old, new) = (Conj::one(*old), Conj::one(*new));
            for way in [Direction::Request, Direction::Response] {
                self.compare_schemas(&old, &new, way, Wire::Xml, &scope);
            }
        }
        for (name, new) in &is {
            if !was.iter().any(|(other, _)| other == name) {
                let scope = whole_document().part(format!("schema `{name}`"));
                let said = (Said::absent(roots.0), Said::value(*new));
                let message = format!("there is a schema `{name}`");
                self.say(&rules::SCHEMA_ADDED, said.0, said.1, message, &scope);
            }
        }
        let around = (
            roots.0.get("security").unwrap_or(roots.0),
            roots.1.get("security").unwrap_or(roots.1),
        );
        let of = |root: Spot<'d>| root.get("security").map(|spot| security_of(spot.node));
        let requirements = (of(roots.0).unwrap_or_default(), of(roots.1).unwrap_or_default());
        let scope = whole_document().part("security");
        self.compare_requirements(&requirements.0, &requirements.1, around, &scope);
        self.compare_parts();
    }

    /// Named parts that no operation uses.
    pub(super) fn compare_unused(&mut self) {
        let roots = (self.old.root(), self.new.root());
        let used: BTreeSet<usize> =
            self.old.followed().chain(self.new.followed()).map(Spot::id).collect();
        let (was, is) = (named_schemas(roots.0), named_schemas(roots.1));
        let names: BTreeSet<&str> = was.iter().chain(&is).map(|(name, _)| *name).collect();
        let find = |list: &[(&'d str, Spot<'d>)], name: &str| {
            list.iter().find(|(other, _)| *other == name).map(|(_, spot)| *spot)
        };
        for name in names {
            let both = (find(&was, name), find(&is, name));
            let is_used = [both.0, both.1].into_iter().flatten().any(|s| used.contains(&s.id()));
            if is_used {
                continue;
            }
            if let (Some(one), Some(other)) = both
                && super::super::shape::same_value(one.node, other.node)
            {
                continue;
            }
            self.unused(&format!("schema `{name}`"), both);
        }
        self.compare_parts();
    }

    fn compare_parts(&mut self) {
        let roots = (self.old.root(), self.new.root());
        for (above, keys) in [("components", &PARTS[..]), ("", &["parameters", "responses"][..])] {
            let get = |root: Spot<'d>| if above.is_empty() { Some(root) } else { root.get(above) };
            let all = (get(roots.0), get(roots.1));
            for key in keys {
                let both = (all.0.and_then(|a| a.get(key)), all.1.and_then(|a| a.get(key)));
                let is_same = match both {
                    (None, None) => true,
                    (Some(one), Some(other)) => {
                        super::super::shape::same_value(one.node, other.node)
                    }
                    _ => false,
                };
                // What operations use of them was told where they use it.
                if !is_same && self.outcome.is_empty() {
                    self.unused(&format!("`{key}`"), both);
                }
            }
        }
    }

    fn unused(&mut self, what: &str, both: (Option<Spot<'d>>, Option<Spot<'d>>)) {
        let scope = whole_document().part(what);
        let roots = (self.old.root(), self.new.root());
        let said = (Said::maybe(both.0, roots.0), Said::maybe(both.1, roots.1));
        let rule = &rules::SCHEMA_UNUSED_CHANGED;
        let found = Found::new(rule, said.0, said.1, format!("{what} differs; nothing uses it"));
        let scope = super::Scope { bound: Bound::capped(Level::Cosmetic), ..scope };
        self.tell(&found, &scope);
    }
}

fn named_schemas(root: Spot<'_>) -> Vec<(&str, Spot<'_>)> {
    let mut named = Vec::new();
    for (above, key) in SCHEMAS {
        let above = if above.is_empty() { Some(root) } else { root.get(above) };
        named.extend(above.into_iter().flat_map(|above| above.entries(key)));
    }
    named
}
