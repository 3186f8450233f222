//! Whether two schemas say the same in the same words: the quick answer that spares all others.

use std::collections::HashMap;

use qc_document::{Node, NodeValue};

use super::shape::same_value;
use super::side::{Side, Spot};

/// Keys whose lists are sets.
const SETS: [&str; 3] = ["required", "enum", "type"];

/// Pairs of references that were compared, or are being compared: those count as equal, so that recursion ends.
pub(super) struct Equality<'s, 'd> {
    old: &'s Side<'d>,
    new: &'s Side<'d>,
    references: HashMap<(usize, usize), bool>,
    /// Pairs that the question at hand found equal.
    fresh: Vec<(usize, usize)>,
}

impl<'s, 'd> Equality<'s, 'd> {
    pub(super) fn new(old: &'s Side<'d>, new: &'s Side<'d>) -> Self {
        Self { old, new, references: HashMap::new(), fresh: Vec::new() }
    }

    /// Whether two schemas are equal, word by word but for the order of keys and sets.
    pub(super) fn holds(&mut self, old: Spot<'d>, new: Spot<'d>) -> bool {
        if self.old.version != self.new.version {
            return false;
        }
        // A pair that is underway counts as equal. If that was wrong the whole is unequal, and what may have relied on
        // it is forgotten.
        self.fresh.clear();
        let equal = self.same(old, new);
        if !equal {
            for pair in self.fresh.drain(..) {
                self.references.remove(&pair);
            }
        }
        equal
    }

    fn same(&mut self, old: Spot<'d>, new: Spot<'d>) -> bool {
        match (&old.node.value, &new.node.value) {
            (NodeValue::Mapping(entries), NodeValue::Mapping(others)) => {
                entries.len() == others.len() && self.same_entries(old, new, entries)
            }
            (NodeValue::Sequence(items), NodeValue::Sequence(others)) => {
                items.len() == others.len()
                    && items
                        .iter()
                        .zip(others)
                        .all(|(one, other)| self.same(old.with(one), new.with(other)))
            }
            _ => same_value(old.node, new.node),
        }
    }

    fn same_entries(
        &mut self,
        old: Spot<'d>,
        new: Spot<'d>,
        entries: &'d [(qc_document::Key, Node)],
    ) -> bool {
        entries.iter().enumerate().all(|(at, (key, value))| {
            // Descriptions rarely change the order of keys.
            let beside = new.node.as_mapping().and_then(|others| others.get(at));
            let other = match beside {
                Some((name, node)) if name.name == key.name => Some(node),
                _ => new.node.get(&key.name),
            };
            let Some(other) = other else { return false };
            let (one, other) = (old.with(value), new.with(other));
            match (&*key.name, value.as_str(), other.node.as_str()) {
                ("$ref", Some(reference), Some(same)) => {
                    self.same_target(old, new, reference, same)
                }
                (name, _, _) if SETS.contains(&name) => same_set(value, other.node),
                _ => self.same(one, other),
            }
        })
    }

    fn same_target(
        &mut self,
        old: Spot<'d>,
        new: Spot<'d>,
        reference: &'d str,
        other: &'d str,
    ) -> bool {
        let targets = (self.old.target(old.file, reference), self.new.target(new.file, other));
        let (Some(one), Some(two)) = targets else {
            return reference == other && targets.0.is_none() && targets.1.is_none();
        };
        let key = (one.id(), two.id());
        if let Some(known) = self.references.get(&key) {
            return *known;
        }
        self.references.insert(key, true);
        self.fresh.push(key);
        let equal = self.same(one, two);
        self.references.insert(key, equal);
        equal
    }
}

fn same_set(one: &Node, other: &Node) -> bool {
    match (one.as_sequence(), other.as_sequence()) {
        (Some(one), Some(other)) => {
            one.len() == other.len()
                && one.iter().zip(other).all(|(one, other)| same_value(one, other))
                || (one.len() == other.len()
                    && one.iter().all(|item| other.iter().any(|o| same_value(item, o)))
                    && other.iter().all(|item| one.iter().any(|o| same_value(item, o))))
        }
        _ => same_value(one, other),
    }
}
