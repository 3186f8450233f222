//! Findings while they are gathered: the same change at many places of use is one.

use std::collections::HashMap;
use std::rc::Rc;

use qc_document::{Node, NodeValue, push_pointer};
use qc_model::Place;

use super::found::{Found, Said};
use super::profile::Profile;
use super::rules::{Area, Level};
use super::side::{Side, Which};
use super::{Change, ChangeSide, Uses};
use crate::documents::At;

/// Most uses that one change lists by name.
const USE_LIMIT: usize = 20;
/// Most changes that one comparison answers.
pub(super) const CHANGE_LIMIT: usize = 50_000;

/// The operation that uses something; empty for the whole document.
pub(super) type Use = Rc<str>;

struct Entry<'d> {
    found: Found<'d>,
    level: Level,
    area: Area,
    part: String,
    uses: Vec<Use>,
    /// The operation that was looked at last: one may use a thing many times.
    last_use: Use,
    further_uses: usize,
}

impl Entry<'_> {
    fn use_again(&mut self, level: Level, area: Area, used_by: &Use, part: &str) {
        if level > self.level {
            self.level = level;
            self.area = area;
            part.clone_into(&mut self.part);
        }
        if used_by.is_empty() || Rc::ptr_eq(&self.last_use, used_by) {
            return;
        }
        self.last_use = Rc::clone(used_by);
        if self.uses.contains(used_by) {
            return;
        }
        if self.uses.len() < USE_LIMIT {
            self.uses.push(Rc::clone(used_by));
        } else {
            self.further_uses += 1;
        }
    }
}

/// What makes two findings the same change.
#[derive(PartialEq, Eq, Hash)]
struct Key {
    rule: &'static str,
    old: usize,
    new: usize,
    message: String,
}

#[derive(Default)]
pub(super) struct Outcome<'d> {
    entries: Vec<Entry<'d>>,
    known: HashMap<Key, usize>,
    /// Entries by the address of a finding that the walk keeps: most are told at many places of use.
    kept: HashMap<usize, usize>,
    /// Whether some limit cut the comparison short.
    pub(super) is_cut_short: bool,
}

impl<'d> Outcome<'d> {
    /// Adds a finding that stays where it is until everything was added.
    pub(super) fn add_kept(
        &mut self,
        found: &Found<'d>,
        level: Level,
        area: Area,
        used_by: &Use,
        part: &str,
    ) {
        let address = std::ptr::from_ref(found).addr();
        match self.kept.get(&address) {
            Some(at) => self.entries[*at].use_again(level, area, used_by, part),
            None => {
                if let Some(at) = self.add(found, level, area, used_by, part) {
                    self.kept.insert(address, at);
                }
            }
        }
    }

    /// Adds a finding; the number of its entry.
    pub(super) fn add(
        &mut self,
        found: &Found<'d>,
        level: Level,
        area: Area,
        used_by: &Use,
        part: &str,
    ) -> Option<usize> {
        let key = Key {
            rule: &found.rule.id,
            old: found.old.spot.id(),
            new: found.new.spot.id(),
            message: found.message.clone(),
        };
        if let Some(at) = self.known.get(&key) {
            self.entries[*at].use_again(level, area, used_by, part);
            return Some(*at);
        }
        let at = self.entries.len();
        if at >= CHANGE_LIMIT {
            self.is_cut_short = true;
            return None;
        }
        self.known.insert(key, at);
        let uses = if used_by.is_empty() { Vec::new() } else { vec![Rc::clone(used_by)] };
        let part = part.to_owned();
        let found = found.clone();
        let last_use = Rc::clone(used_by);
        self.entries.push(Entry { found, level, area, part, uses, last_use, further_uses: 0 });
        Some(at)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn is_breaking(&self) -> bool {
        self.entries.iter().any(|entry| entry.level == Level::Breaking)
    }

    /// All changes with their places, judged by the profile, the heaviest first.
    pub(super) fn finish(self, old: &Side<'d>, new: &Side<'d>, profile: &Profile) -> Vec<Change> {
        let spots = |which: Which| {
            let of = move |entry: &Entry<'d>| match which {
                Which::Old => entry.found.old.spot.id(),
                Which::New => entry.found.new.spot.id(),
            };
            self.entries.iter().map(of).collect::<std::collections::HashSet<usize>>()
        };
        let pointers = (Pointers::of(old, spots(Which::Old)), Pointers::of(new, spots(Which::New)));
        let mut changes = Vec::with_capacity(self.entries.len());
        for entry in self.entries {
            let (level, decided_by) = match profile.level(entry.found.rule) {
                Some((None, _)) => continue,
                Some((Some(level), by)) => (weighed(&entry, level), by),
                None => (entry.level, profile.fallback()),
            };
            let Entry { found, area, part, uses, further_uses, .. } = entry;
            let uses = Uses {
                named: uses.iter().map(ToString::to_string).collect(),
                further: further_uses,
            };
            changes.push(Change {
                rule: found.rule,
                level,
                decided_by,
                area,
                part,
                uses,
                message: found.message,
                old: pointers.0.side(found.old),
                new: pointers.1.side(found.new),
                witness: found.witness,
            });
        }
        changes.sort_by(|one, other| {
            other.level.cmp(&one.level).then_with(|| one.position().cmp(&other.position()))
        });
        changes
    }
}

/// A level that a profile gives, where the finding itself weighs less than its rule: a change of what is unstable or
/// proven harmless stays so.
fn weighed(entry: &Entry<'_>, level: Level) -> Level {
    if entry.level < entry.found.rule.level { level.min(entry.level) } else { level }
}

/// The pointers of some nodes, found in one walk over the tree.
struct Pointers<'s, 'd> {
    side: &'s Side<'d>,
    of: HashMap<usize, At>,
}

impl<'s, 'd> Pointers<'s, 'd> {
    fn of(side: &'s Side<'d>, mut wanted: std::collections::HashSet<usize>) -> Self {
        let mut of = HashMap::with_capacity(wanted.len());
        for file in 0..side.documents.file_count() {
            if wanted.is_empty() {
                break;
            }
            let Some(root) = side.documents.node(file, "") else { continue };
            let mut walk = Walk { file, wanted: &mut wanted, found: &mut of };
            walk.node(root, &mut String::new());
        }
        Self { side, of }
    }

    fn side(&self, said: Said<'d>) -> ChangeSide {
        let at = self.of.get(&said.spot.id());
        let place: Option<Place> = at.map(|at| self.side.documents.place(at));
        let pointer = at.map(|at| at.pointer.clone()).unwrap_or_default();
        ChangeSide { text: said.text, pointer, place }
    }
}

struct Walk<'w> {
    file: usize,
    wanted: &'w mut std::collections::HashSet<usize>,
    found: &'w mut HashMap<usize, At>,
}

impl Walk<'_> {
    fn node(&mut self, node: &Node, pointer: &mut String) {
        if self.wanted.is_empty() {
            return;
        }
        let id = std::ptr::from_ref(node).addr();
        if self.wanted.remove(&id) {
            self.found.insert(id, At { file: self.file, pointer: pointer.clone() });
        }
        let length = pointer.len();
        match &node.value {
            NodeValue::Mapping(entries) => {
                for (key, value) in entries {
                    push_pointer(pointer, &key.name);
                    self.node(value, pointer);
                    pointer.truncate(length);
                }
            }
            NodeValue::Sequence(items) => {
                for (at, item) in items.iter().enumerate() {
                    push_pointer(pointer, &at.to_string());
                    self.node(item, pointer);
                    pointer.truncate(length);
                }
            }
            _ => {}
        }
    }
}
