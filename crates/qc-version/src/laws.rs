//! What the steps between two versions must keep, tried with documents.
//!
//! What is valid under the older contract is, taken up, valid under the newer one, and the other way round; and what
//! goes one way and comes back is what it was, but for what the steps say they lose. Each step is held to the second law
//! on its own, so that a break is found where it is. The idea is that of lenses: get-put and put-get.

use std::fmt;

use qc_contract::{Mismatch, Schema, sample};
use serde_json::{Value, json};

use crate::{Budget, Direction, Step, path::segments};

/// How many seeds are sampled of a contract.
const SEEDS: u64 = 12;
/// How many of these are varied.
const BASES: usize = 4;
/// The most documents with which one direction is tried.
const DOCUMENTS: usize = 400;
/// The most places of a document that are varied.
const PLACES: usize = 120;
/// The most words of a contract that are tried in each place.
const WORDS: usize = 64;
/// A field of which no contract speaks.
const UNDECLARED: &str = "qc_undeclared";

/// Two neighbouring versions, with the steps from the older to the newer one.
#[derive(Debug, Clone, Copy)]
pub struct Link<'a> {
    /// The older contract.
    pub older: &'a Schema,
    /// The newer one.
    pub newer: &'a Schema,
    /// The steps.
    pub steps: &'a [Step],
}

/// A law of which there is a document that breaks it.
#[derive(Debug, Clone, PartialEq)]
pub struct Broken {
    /// The step at which it breaks, from 0; none when no single step is to blame.
    pub step: Option<usize>,
    /// The law.
    pub law: Law,
    /// The way on which it breaks.
    pub direction: Direction,
    /// The document, as it was when it set out.
    pub document: Value,
    /// What is wrong, in one sentence.
    pub detail: String,
}

/// What must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Law {
    /// A step can be taken with every valid document.
    Taken,
    /// What was valid is valid on the other side.
    Valid,
    /// What comes back is what it was.
    Returns,
}

impl fmt::Display for Law {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Taken => "a step can be taken with every valid document",
            Self::Valid => "what is valid on one side is valid on the other",
            Self::Returns => "what comes back is what it was",
        })
    }
}

impl Link<'_> {
    /// Tries documents of both sides. Answers the first break of each law at each step and way; documents that their own
    /// side does not admit say nothing and are left out.
    pub fn check(&self, older: &[Value], newer: &[Value]) -> Vec<Broken> {
        let mut broken: Vec<Broken> = Vec::new();
        for (direction, documents) in [(Direction::Up, older), (Direction::Down, newer)] {
            for document in
                documents.iter().filter(|document| self.side(direction).admits(document))
            {
                for one in self.travel(direction, document) {
                    let known = |other: &Broken| {
                        (other.step, other.law, other.direction)
                            == (one.step, one.law, one.direction)
                    };
                    if !broken.iter().any(known) {
                        broken.push(one);
                    }
                }
            }
        }
        broken
    }

    fn side(&self, direction: Direction) -> &Schema {
        match direction {
            Direction::Up => self.older,
            Direction::Down => self.newer,
        }
    }

    /// One document goes over and comes back.
    fn travel(&self, first: Direction, document: &Value) -> Vec<Broken> {
        let broken = |step, law, direction, detail| Broken {
            step,
            law,
            direction,
            document: document.clone(),
            detail,
        };
        let back = match first {
            Direction::Up => Direction::Down,
            Direction::Down => Direction::Up,
        };
        // The document before each step, and at the end.
        let mut forms = vec![document.clone()];
        let order: Vec<usize> = match first {
            Direction::Up => (0..self.steps.len()).collect(),
            Direction::Down => (0..self.steps.len()).rev().collect(),
        };
        for &at in &order {
            let mut next = forms.last().cloned().unwrap_or_default();
            if let Err(stuck) = self.steps[at].take(first, &mut next, &mut Budget::new()) {
                return vec![broken(Some(at), Law::Taken, first, stuck.to_string())];
            }
            forms.push(next);
        }
        let mut found = Vec::new();
        let arrived = forms.last().cloned().unwrap_or_default();
        if let Some(mismatch) = self.side(back).check(&arrived).first() {
            found.push(broken(self.blame(first, mismatch), Law::Valid, first, told(mismatch)));
        }
        let mut home = arrived;
        for (stage, &at) in order.iter().enumerate().rev() {
            let step = &self.steps[at];
            let mut returned = forms[stage + 1].clone();
            if let Err(stuck) = step.take(back, &mut returned, &mut Budget::new()) {
                found.push(broken(Some(at), Law::Taken, back, stuck.to_string()));
                return found;
            }
            let mut left = forms[stage].clone();
            step.forget(first, &mut left);
            step.forget(first, &mut returned);
            if let Some(place) = difference(&left, &returned) {
                let detail = format!("`{place}` is not what it was");
                found.push(broken(Some(at), Law::Returns, back, detail));
            }
            if let Err(stuck) = step.take(back, &mut home, &mut Budget::new()) {
                found.push(broken(Some(at), Law::Taken, back, stuck.to_string()));
                return found;
            }
        }
        if let Some(mismatch) = self.side(first).check(&home).first() {
            found.push(broken(self.blame(back, mismatch), Law::Valid, back, told(mismatch)));
        }
        found
    }

    /// The step that made what does not fit: the last that wrote there, and expressions only when no other did.
    fn blame(&self, direction: Direction, mismatch: &Mismatch) -> Option<usize> {
        let mut order: Vec<usize> = (0..self.steps.len()).collect();
        if direction == Direction::Up {
            order.reverse();
        }
        let is_jq = |at: &&usize| matches!(self.steps[**at], Step::Jq(_));
        let wrote =
            |at: &&usize| self.steps[**at].wrote(direction, &mismatch.pointer, &mismatch.message);
        let plain = order.iter().filter(|at| !is_jq(at)).find(wrote);
        plain.or_else(|| order.iter().find(is_jq)).copied()
    }

    /// Documents of a side with which to try the steps: samples of its contract, the given ones that it admits, and
    /// variations of both, all of them valid. The same contract gives the same documents.
    pub fn documents(&self, direction: Direction, given: &[Value]) -> Vec<Value> {
        let schema = self.side(direction);
        let mut found: Vec<Value> = Vec::new();
        let mut keep = |document: Value| {
            if found.len() < DOCUMENTS && schema.admits(&document) && !found.contains(&document) {
                found.push(document);
            }
        };
        given.iter().cloned().for_each(&mut keep);
        (0..SEEDS).for_each(|seed| keep(sample(schema.value(), seed)));
        let mut words = Vec::new();
        words_of(schema.value(), &mut words);
        for (_, mapped) in self.steps.iter().filter_map(Step::words) {
            words.extend(mapped.spoken(direction).map(str::to_owned));
        }
        words.sort_unstable();
        words.dedup();
        words.truncate(WORDS);
        let bases: Vec<Value> = found.iter().take(BASES).cloned().collect();
        for base in &bases {
            for document in variations(base, &words, schema) {
                if found.len() < DOCUMENTS && !found.contains(&document) {
                    found.push(document);
                }
            }
        }
        found
    }
}

fn told(mismatch: &Mismatch) -> String {
    let place = if mismatch.pointer.is_empty() { "the document" } else { &mismatch.pointer };
    format!("`{place}` {}", mismatch.message)
}

/// The first place in which two documents differ.
fn difference(one: &Value, other: &Value) -> Option<String> {
    if one == other {
        return None;
    }
    let below = |name: String, place: Option<String>| Some(format!("/{name}{}", place?));
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            let names = one.keys().chain(other.keys());
            names.into_iter().find_map(|name| match (one.get(name), other.get(name)) {
                (Some(one), Some(other)) => below(name.clone(), difference(one, other)),
                _ => Some(format!("/{name}")),
            })
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            let mut pairs = one.iter().zip(other).enumerate();
            pairs.find_map(|(at, (one, other))| below(at.to_string(), difference(one, other)))
        }
        _ => Some(String::new()),
    }
}

/// The words that a contract names.
fn words_of(schema: &Value, words: &mut Vec<String>) {
    match schema {
        Value::Object(map) => {
            for (key, value) in map {
                match (key.as_str(), value) {
                    ("enum", Value::Array(options)) => {
                        words.extend(options.iter().filter_map(Value::as_str).map(str::to_owned));
                    }
                    ("const", Value::String(word)) => words.push(word.clone()),
                    _ => words_of(value, words),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| words_of(item, words)),
        _ => {}
    }
}

/// What a document can become with one change and still be valid: a field less, an undeclared one more, null, another
/// word, a list without items; and with as little in it as may be.
fn variations(base: &Value, words: &[String], schema: &Schema) -> Vec<Value> {
    let mut places = Vec::new();
    places_of(base, &mut String::new(), &mut places);
    let mut found = Vec::new();
    let mut least = base.clone();
    for place in places.iter().rev() {
        if let Some(less) = without(&least, place).filter(|less| schema.admits(less)) {
            least = less;
        }
    }
    found.push(least);
    for place in &places {
        let mut changed = Vec::new();
        changed.extend(without(base, place));
        let Some(there) = base.pointer(place) else { continue };
        let replaced = |value: Value| {
            let mut document = base.clone();
            if let Some(slot) = document.pointer_mut(place) {
                *slot = value;
            }
            document
        };
        match there {
            Value::Object(map) => {
                let mut more = map.clone();
                more.insert(UNDECLARED.to_owned(), json!("x"));
                changed.push(replaced(Value::Object(more)));
            }
            Value::Array(_) => changed.push(replaced(json!([]))),
            Value::String(_) => {
                changed.extend(words.iter().map(|word| replaced(json!(word))));
            }
            _ => {}
        }
        if !there.is_null() {
            changed.push(replaced(Value::Null));
        }
        found.extend(changed.into_iter().filter(|document| schema.admits(document)));
    }
    found
}

/// Where a document has values, itself first.
fn places_of(value: &Value, path: &mut String, places: &mut Vec<String>) {
    if places.len() >= PLACES {
        return;
    }
    places.push(path.clone());
    let length = path.len();
    let mut below = |name: &str, value: &Value, path: &mut String| {
        path.push('/');
        path.push_str(&name.replace('~', "~0").replace('/', "~1"));
        places_of(value, path, places);
        path.truncate(length);
    };
    match value {
        Value::Object(map) => map.iter().for_each(|(name, value)| below(name, value, path)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, item)| below(&at.to_string(), item, path));
        }
        _ => {}
    }
}

/// The document without a field.
fn without(document: &Value, place: &str) -> Option<Value> {
    let (above, _) = place.rsplit_once('/')?;
    let name = segments(place).pop()?;
    let mut less = document.clone();
    less.pointer_mut(above)?.as_object_mut()?.remove(&name)?;
    Some(less)
}
