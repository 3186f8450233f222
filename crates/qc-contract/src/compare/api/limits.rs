//! Limits of calls that a description declares by extensions.

use std::collections::BTreeMap;

use qc_document::{Node, NodeValue};

use super::super::found::Said;
use super::super::rules::{self, Rule};
use super::super::side::Spot;
use super::{Comparing, Scope};

/// Most numbers that one declaration is read for.
const NUMBER_LIMIT: usize = 64;

/// Extensions that declare limits; how they are written is every provider's own.
fn is_limit(key: &str) -> bool {
    let key = key.to_ascii_lowercase().replace(['-', '_'], "");
    key.starts_with("xratelimit") || key.starts_with("xthrottl") || key.starts_with("xquota")
}

/// Numbers by their path: `limit`, `burst/limit`.
fn numbers(node: &Node, path: &str, found: &mut BTreeMap<String, f64>) {
    if found.len() >= NUMBER_LIMIT {
        return;
    }
    match &node.value {
        NodeValue::Number(number) => {
            found.insert(path.to_owned(), number.as_f64().unwrap_or_default());
        }
        NodeValue::Mapping(entries) => {
            for (key, value) in entries {
                numbers(value, &format!("{path}/{}", key.name), found);
            }
        }
        NodeValue::Sequence(items) => {
            for (at, item) in items.iter().enumerate() {
                numbers(item, &format!("{path}/{at}"), found);
            }
        }
        _ => {}
    }
}

/// Whether the number is a span of time, of which more is less.
fn is_period(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    ["period", "window", "interval", "seconds", "per", "duration"]
        .iter()
        .any(|word| name.contains(word))
}

impl<'d> Comparing<'_, 'd> {
    /// The declarations of an operation, or of the whole document.
    pub(super) fn compare_limits(&mut self, spots: (Spot<'d>, Spot<'d>), scope: &Scope) {
        let keys = |spot: Spot<'d>| {
            let entries = spot.node.as_mapping().unwrap_or_default();
            entries
                .iter()
                .map(|(key, _)| &*key.name)
                .filter(|key| is_limit(key))
                .collect::<Vec<_>>()
        };
        let mut all = keys(spots.0);
        all.extend(keys(spots.1));
        all.sort_unstable();
        all.dedup();
        for key in all {
            let both = (spots.0.get(key), spots.1.get(key));
            let rule: &'static Rule = match both {
                (None, Some(_)) => &rules::RATE_LIMIT_LOWERED,
                (Some(_), None) => &rules::RATE_LIMIT_RAISED,
                (Some(one), Some(other)) => match turn(one.node, other.node) {
                    Some(rule) => rule,
                    None => continue,
                },
                (None, None) => continue,
            };
            let said = (Said::maybe(both.0, spots.0), Said::maybe(both.1, spots.1));
            self.say(rule, said.0, said.1, format!("`{key}` is another"), scope);
        }
    }
}

fn turn(old: &Node, new: &Node) -> Option<&'static Rule> {
    if super::super::shape::same_value(old, new) {
        return None;
    }
    let (mut was, mut is) = (BTreeMap::new(), BTreeMap::new());
    numbers(old, "", &mut was);
    numbers(new, "", &mut is);
    if was.is_empty() || was.keys().ne(is.keys()) {
        return Some(&rules::RATE_LIMIT_CHANGED);
    }
    let mut lowered = false;
    let mut raised = false;
    for (path, before) in &was {
        let after = is[path];
        let less = if is_period(path) { after > *before } else { after < *before };
        let more = if is_period(path) { after < *before } else { after > *before };
        lowered |= less;
        raised |= more;
    }
    match (lowered, raised) {
        (true, false) => Some(&rules::RATE_LIMIT_LOWERED),
        (false, true) => Some(&rules::RATE_LIMIT_RAISED),
        _ => Some(&rules::RATE_LIMIT_CHANGED),
    }
}
