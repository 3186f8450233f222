//! Arrays: what stands at each place, what must stand somewhere, how long they are.

use std::collections::BTreeMap;

use serde_json::Value;

use super::decide::{Deciding, Models};
use super::formula::{Formula, Id};

/// Most places that are told apart.
const PLACE_LIMIT: usize = 256;
/// Most items that must be distinct places of one statement.
const COPY_LIMIT: u64 = 16;
/// Longest array that is made, and the longest without equal items.
const LENGTH_LIMIT: u64 = 4_096;
const UNIQUE_LIMIT: u64 = 64;

#[derive(Default)]
struct Array {
    at: Vec<(usize, Id)>,
    from: Vec<(usize, Id)>,
    has: Vec<(usize, Id)>,
    exists: Vec<(usize, Id)>,
    at_least: Vec<(u64, Id)>,
    at_most: Vec<(u64, Id)>,
    least: u64,
    most: Option<u64>,
    is_unique: bool,
    repeats: bool,
}

/// A statement that some item satisfies; those of one `group` are satisfied at different places.
#[derive(Clone, Copy)]
struct Loose {
    from: usize,
    wanted: Id,
    group: usize,
}

/// What must hold at single places, and the groups satisfied there.
#[derive(Clone, Default)]
struct Slots {
    at: BTreeMap<usize, (Vec<Id>, Vec<usize>)>,
    /// Two places with one and the same item.
    pair: Option<(usize, usize)>,
}

impl Array {
    /// From this place on all places are alike.
    fn tail(&self) -> usize {
        let after = |list: &[(usize, Id)]| list.iter().map(|(at, _)| at + 1).max().unwrap_or(0);
        let from = self.from.iter().map(|(from, _)| *from).max().unwrap_or(0);
        after(&self.at).max(after(&self.has)).max(from)
    }

    fn allowed(&self, place: usize) -> Vec<Id> {
        let here = self.at.iter().filter(|(at, _)| *at == place);
        let later = self.from.iter().filter(|(from, _)| *from <= place);
        here.chain(later).map(|(_, inner)| *inner).collect()
    }

    fn has_room(&self, place: usize) -> bool {
        self.most.is_none_or(|most| (place as u64) < most)
    }
}

impl Deciding<'_> {
    pub(super) fn array(&mut self, facts: &[Id]) -> Models {
        let mut array = self.read_array(facts);
        let tail = array.tail();
        if tail > PLACE_LIMIT {
            return Models::Unknown;
        }
        for place in 0..=tail {
            if !array.has_room(place) {
                break;
            }
            if self.items_at(&array, place, &[]) == Models::None {
                array.most = Some(place as u64);
            }
        }
        for (at, _) in &array.has {
            array.least = array.least.max(*at as u64 + 1);
        }
        if array.most.is_some_and(|most| most < array.least) || self.counts_clash(&array, tail) {
            return Models::None;
        }
        let mut slots = Slots::default();
        for (at, wanted) in &array.has {
            slots.at.entry(*at).or_default().0.push(*wanted);
        }
        let mut loose = Vec::new();
        for (group, (from, wanted)) in array.exists.iter().enumerate() {
            loose.push(Loose { from: *from, wanted: *wanted, group });
        }
        for (index, (least, wanted)) in array.at_least.iter().enumerate() {
            if *least > COPY_LIMIT {
                return Models::Unknown;
            }
            let group = array.exists.len() + index;
            loose.extend((0..*least).map(|_| Loose { from: 0, wanted: *wanted, group }));
        }
        if array.repeats {
            return self.repeated(&array, &slots, &loose);
        }
        self.place_items(&array, &slots, &loose)
    }

    fn read_array(&self, facts: &[Id]) -> Array {
        let mut array = Array::default();
        for fact in facts {
            match self.formulas.get(*fact) {
                Formula::ItemsLeast(least) => array.least = array.least.max(*least),
                Formula::ItemsMost(most) => {
                    array.most = Some(array.most.unwrap_or(*most).min(*most));
                }
                Formula::At(at, inner) => array.at.push((*at, *inner)),
                Formula::From(from, inner) => array.from.push((*from, *inner)),
                Formula::Has(at, inner) => array.has.push((*at, *inner)),
                Formula::Exists(from, inner) => array.exists.push((*from, *inner)),
                Formula::AtMost(most, inner) => array.at_most.push((*most, *inner)),
                Formula::AtLeast(least, inner) => array.at_least.push((*least, *inner)),
                Formula::Unique => array.is_unique = true,
                Formula::Not(inner) if *self.formulas.get(*inner) == Formula::Unique => {
                    array.repeats = true;
                }
                _ => {}
            }
        }
        array
    }

    fn items_at(&mut self, array: &Array, place: usize, wanted: &[Id]) -> Models {
        let mut parts = array.allowed(place);
        parts.extend(wanted);
        let whole = self.formulas.all(parts);
        self.find(whole)
    }

    /// Whether more items must satisfy something than may.
    fn counts_clash(&mut self, array: &Array, tail: usize) -> bool {
        for (most, inner) in &array.at_most {
            let other = self.formulas.not(*inner);
            for (least, wanted) in &array.at_least {
                let only_other = self.formulas.all([*wanted, other]);
                if least > most && self.find(only_other) == Models::None {
                    return true;
                }
            }
            let mut forced = 0;
            for place in 0..=tail {
                if place as u64 >= array.least {
                    break;
                }
                if self.items_at(array, place, &[other]) == Models::None {
                    let alike = if place == tail { array.least - place as u64 } else { 1 };
                    forced += alike;
                }
            }
            if forced > *most {
                return true;
            }
        }
        false
    }

    /// Finds a place for each statement that some item satisfies.
    fn place_items(&mut self, array: &Array, slots: &Slots, loose: &[Loose]) -> Models {
        let Some((first, rest)) = loose.split_first() else {
            return self.build(array, slots);
        };
        if !self.burn(1) {
            return Models::Unknown;
        }
        let used = slots.at.keys().next_back().map_or(0, |last| last + 1);
        let end = array.tail().max(first.from).max(used) + 1;
        let places = (first.from..end).filter(|place| array.has_room(*place));
        let mut options: Vec<usize> = places.collect();
        options.sort_by_key(|place| slots.at.contains_key(place));
        let mut models = Models::None;
        for place in options {
            let mut placed = slots.clone();
            let (wanted, groups) = placed.at.entry(place).or_default();
            if groups.contains(&first.group) {
                continue;
            }
            wanted.push(first.wanted);
            groups.push(first.group);
            let wanted = wanted.clone();
            match self.items_at(array, place, &wanted) {
                Models::None => {}
                Models::Unknown => models = Models::Unknown,
                Models::Found(_) => match self.place_items(array, &placed, rest) {
                    Models::None => {}
                    Models::Unknown => models = Models::Unknown,
                    found @ Models::Found(_) => return found,
                },
            }
        }
        models
    }

    /// Two items must be equal.
    fn repeated(&mut self, array: &Array, slots: &Slots, loose: &[Loose]) -> Models {
        if array.is_unique {
            return Models::None;
        }
        let tail = array.tail();
        let mut models = Models::None;
        for first in 0..=tail {
            for second in first + 1..=tail + 1 {
                if !array.has_room(second) {
                    break;
                }
                let mut both = array.allowed(first);
                both.extend(array.allowed(second));
                for place in [first, second] {
                    both.extend(slots.at.get(&place).into_iter().flat_map(|(wanted, _)| wanted));
                }
                let whole = self.formulas.all(both.iter().copied());
                match self.find(whole) {
                    Models::None => continue,
                    Models::Unknown => {
                        models = Models::Unknown;
                        continue;
                    }
                    Models::Found(_) => {}
                }
                let mut paired = slots.clone();
                for place in [first, second] {
                    paired.at.insert(place, (both.clone(), Vec::new()));
                }
                paired.pair = Some((first, second));
                match self.place_items(array, &paired, loose) {
                    found @ Models::Found(_) => return found,
                    // Other statements may be satisfied by the equal items themselves, which is not tried.
                    Models::None if loose.is_empty() => {}
                    _ => models = Models::Unknown,
                }
            }
        }
        models
    }

    fn build(&mut self, array: &Array, slots: &Slots) -> Models {
        let used = slots.at.keys().next_back().map_or(0, |last| last + 1) as u64;
        let length = array.least.max(used);
        let limit = if array.is_unique { UNIQUE_LIMIT } else { LENGTH_LIMIT };
        if length > limit || !self.burn(1) {
            return Models::Unknown;
        }
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let mut items: Vec<Value> = Vec::with_capacity(length);
        for place in 0..length {
            if let Some((first, second)) = slots.pair
                && place == second
            {
                items.push(items[first].clone());
                continue;
            }
            let mut wanted = Vec::new();
            if let Some((here, _)) = slots.at.get(&place) {
                wanted.extend(here);
            }
            if array.is_unique {
                for item in &items {
                    let same = self.formulas.constant(item);
                    wanted.push(self.formulas.not(same));
                }
            }
            match self.item(array, place, &wanted) {
                Models::Found(item) => items.push(item),
                // All places are alike and each value was taken once: there are too few values.
                Models::None if array.is_unique && slots.at.is_empty() && array.tail() == 0 => {
                    return Models::None;
                }
                _ => return Models::Unknown,
            }
        }
        Models::Found(Value::Array(items))
    }

    /// An item, if possible one that uses up no allowance.
    fn item(&mut self, array: &Array, place: usize, wanted: &[Id]) -> Models {
        let mut sparing = wanted.to_vec();
        for (_, inner) in &array.at_most {
            sparing.push(self.formulas.not(*inner));
        }
        if sparing.len() > wanted.len()
            && let found @ Models::Found(_) = self.items_at(array, place, &sparing)
        {
            return found;
        }
        self.items_at(array, place, wanted)
    }
}
