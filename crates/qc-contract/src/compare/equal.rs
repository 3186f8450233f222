//! Whether two schemas say the same in the same words: the quick answer that spares all others.

use std::collections::HashMap;

use qc_document::{Node, NodeValue};

use super::shape::same_value;
use super::side::{Side, Spot};

/// Keys whose lists are sets.
const SETS: [&str; 3] = ["required", "enum", "type"];

/// What is known of two references that lead somewhere.
#[derive(Clone, Copy)]
enum Known {
    /// They are being compared, at this depth. Until that has ended they count as equal, so that recursion ends.
    Open(usize),
    /// Equal, if the pair that is open at this depth is.
    If(usize),
    Settled(bool),
}

/// Which schemas are equal, with every answer kept.
pub(super) struct Equality<'s, 'd> {
    old: &'s Side<'d>,
    new: &'s Side<'d>,
    references: HashMap<(usize, usize), Known>,
    /// Pairs that are equal if an open one is, in order.
    waiting: Vec<(usize, usize)>,
    /// How many pairs are open.
    depth: usize,
    /// The outermost open pair that what was compared last relies on.
    relied_on: usize,
    /// Answers about whole schemas, by their addresses.
    answers: HashMap<(usize, usize), bool>,
}

impl<'s, 'd> Equality<'s, 'd> {
    pub(super) fn new(old: &'s Side<'d>, new: &'s Side<'d>) -> Self {
        Self {
            old,
            new,
            references: HashMap::new(),
            waiting: Vec::new(),
            depth: 0,
            relied_on: usize::MAX,
            answers: HashMap::new(),
        }
    }

    /// Whether two schemas are equal, word by word but for the order of keys and sets.
    pub(super) fn holds(&mut self, old: Spot<'d>, new: Spot<'d>) -> bool {
        if self.old.version != self.new.version {
            return false;
        }
        let key = (old.id(), new.id());
        if let Some(known) = self.answers.get(&key) {
            return *known;
        }
        let equal = self.same(old, new);
        self.answers.insert(key, equal);
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
        match self.references.get(&key) {
            Some(Known::Settled(known)) => return *known,
            Some(Known::Open(depth) | Known::If(depth)) => {
                self.relied_on = self.relied_on.min(*depth);
                return true;
            }
            None => {}
        }
        let depth = self.depth;
        let outer = std::mem::replace(&mut self.relied_on, usize::MAX);
        let first = self.waiting.len();
        self.references.insert(key, Known::Open(depth));
        self.depth += 1;
        let equal = self.same(one, two);
        self.depth -= 1;
        let inner = std::mem::replace(&mut self.relied_on, outer);
        if !equal {
            // Unequal although open pairs counted as equal: that is certain. What relied on this pair is not.
            for pair in self.waiting.drain(first..) {
                self.references.remove(&pair);
            }
            self.references.insert(key, Known::Settled(false));
        } else if inner < depth {
            self.relied_on = outer.min(inner);
            self.waiting.push(key);
            // Those below relied on this pair, which relies on another.
            for pair in &self.waiting[first..] {
                self.references.insert(*pair, Known::If(inner));
            }
        } else {
            for pair in self.waiting.drain(first..) {
                self.references.insert(pair, Known::Settled(true));
            }
            self.references.insert(key, Known::Settled(true));
        }
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
