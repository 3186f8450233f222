//! Whether a formula has a model: a value for which it holds.
//!
//! A formula is split by the kind of the value and by its alternatives until only single statements are left, which
//! are decided together for that kind ([`super::numbers`], [`super::texts`], [`super::arrays`], [`super::objects`]).
//! "None" is a proof. A formula about a part of a value that is met again inside itself has no model there: a
//! smallest model would hold a smaller one.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;

use super::evaluate::is_existential;
use super::formula::{Formula, Formulas, Id, Kind};

/// Steps that one question may take.
const FUEL: u32 = 30_000;
/// Deepest nesting of decisions, over parts of values and alternatives together.
const DEPTH_LIMIT: u32 = 160;
/// Most formulas of one question.
const FORMULA_LIMIT: usize = 200_000;

/// What is known about the models of a formula.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Models {
    /// There are none.
    None,
    /// This is one, as far as everything in the formula is understood.
    Found(Value),
    /// It is not known whether there are any.
    Unknown,
}

/// One question, with what has been found out for it.
pub(super) struct Deciding<'f> {
    pub(super) formulas: &'f mut Formulas,
    special: HashMap<(Id, Kind), Id>,
    known: HashMap<Id, Models>,
    settled: HashMap<(Kind, Id), Models>,
    /// Formulas being decided, outermost first.
    path: Vec<Id>,
    /// The outermost place of the path that the current decision relies on having no model inside itself.
    relied: usize,
    depth: u32,
    pub(super) fuel: u32,
}

impl<'f> Deciding<'f> {
    pub(super) fn new(formulas: &'f mut Formulas) -> Self {
        Self {
            formulas,
            special: HashMap::new(),
            known: HashMap::new(),
            settled: HashMap::new(),
            path: Vec::new(),
            relied: usize::MAX,
            depth: 0,
            fuel: FUEL,
        }
    }

    /// Models of the whole formula; those that are not accepted count as not found.
    pub(super) fn whole(&mut self, id: Id, accept: &mut dyn FnMut(&Value) -> bool) -> Models {
        self.path.push(id);
        let mut models = Models::None;
        for kind in Kind::ALL {
            let special = self.special(id, kind, 0);
            match self.branch(kind, vec![special], accept) {
                Models::Found(value) => return Models::Found(value),
                Models::Unknown => models = Models::Unknown,
                Models::None => {}
            }
        }
        models
    }

    /// Models of a formula about a part of a value.
    pub(super) fn find(&mut self, id: Id) -> Models {
        if let Some(known) = self.known.get(&id) {
            return known.clone();
        }
        if let Some(at) = self.path.iter().position(|above| *above == id) {
            self.relied = self.relied.min(at);
            return Models::None;
        }
        if self.depth >= DEPTH_LIMIT || !self.burn(1) {
            return Models::Unknown;
        }
        let place = self.path.len();
        let before = std::mem::replace(&mut self.relied, usize::MAX);
        self.path.push(id);
        let mut models = Models::None;
        for kind in Kind::ALL {
            let special = self.special(id, kind, 0);
            match self.branch(kind, vec![special], &mut |_| true) {
                Models::None => {}
                other => {
                    let is_found = matches!(other, Models::Found(_));
                    models = other;
                    if is_found {
                        break;
                    }
                }
            }
        }
        self.path.pop();
        let relies_above = self.relied < place;
        if matches!(models, Models::Found(_)) || !relies_above {
            self.known.insert(id, models.clone());
        }
        self.relied = if relies_above { before.min(self.relied) } else { before };
        models
    }

    /// Models among the texts.
    pub(super) fn text(&mut self, id: Id) -> Models {
        let special = self.special(id, Kind::Text, 0);
        if let Some(known) = self.settled.get(&(Kind::Text, special)) {
            return known.clone();
        }
        let models = self.branch(Kind::Text, vec![special], &mut |_| true);
        self.settled.insert((Kind::Text, special), models.clone());
        models
    }

    /// Spends steps; `false` when they are used up.
    pub(super) fn burn(&mut self, steps: u32) -> bool {
        self.fuel = self.fuel.saturating_sub(steps);
        if self.formulas.len() > FORMULA_LIMIT {
            self.fuel = 0;
        }
        self.fuel > 0
    }

    /// What a formula says about values of one kind. Definitions that lead to themselves without reading a part of
    /// the value stay as they are.
    fn special(&mut self, id: Id, kind: Kind, depth: u32) -> Id {
        if let Some(known) = self.special.get(&(id, kind)) {
            return *known;
        }
        if depth > DEPTH_LIMIT || !self.burn(0) {
            return id;
        }
        // Met again before it is done, it stays as it is.
        self.special.insert((id, kind), id);
        let made = match self.formulas.get(id).clone() {
            Formula::All(parts) => {
                let parts: Vec<Id> =
                    parts.iter().map(|part| self.special(*part, kind, depth + 1)).collect();
                self.formulas.all(parts)
            }
            Formula::Any(parts) => {
                let parts: Vec<Id> =
                    parts.iter().map(|part| self.special(*part, kind, depth + 1)).collect();
                self.formulas.any(parts)
            }
            Formula::Kinds(kinds) => self.constant(kinds.holds(kind)),
            Formula::Defined(at) => match self.formulas.definitions.get(at).copied().flatten() {
                Some(body) => self.special(body, kind, depth + 1),
                None => id,
            },
            Formula::Not(inner) => {
                if let Formula::Defined(at) = *self.formulas.get(inner) {
                    match self.formulas.definitions.get(at).copied().flatten() {
                        Some(body) => {
                            let opposite = self.formulas.not(body);
                            self.special(opposite, kind, depth + 1)
                        }
                        None => id,
                    }
                } else {
                    let inner = self.special(inner, kind, depth + 1);
                    self.formulas.not(inner)
                }
            }
            Formula::Opaque(kinds, _) if kinds.holds(kind) => id,
            Formula::Opaque(..) => self.formulas.truth(),
            other => match kind_of(&other) {
                Some(own) if own != kind => self.constant(!is_existential(&other)),
                _ => id,
            },
        };
        self.special.insert((id, kind), made);
        made
    }

    fn constant(&mut self, truth: bool) -> Id {
        if truth { self.formulas.truth() } else { self.formulas.falsehood() }
    }

    fn branch(
        &mut self,
        kind: Kind,
        parts: Vec<Id>,
        accept: &mut dyn FnMut(&Value) -> bool,
    ) -> Models {
        let size = u32::try_from(parts.len()).unwrap_or(u32::MAX);
        if self.depth >= DEPTH_LIMIT || !self.burn(1 + size / 8) {
            return Models::Unknown;
        }
        self.depth += 1;
        let models = match self.gather(parts) {
            None => Models::None,
            Some((facts, open)) if open.is_empty() => match self.settle(kind, &facts) {
                Models::Found(value) if !accept(&value) => Models::Unknown,
                other => other,
            },
            Some((facts, open)) => self.split(kind, facts, open, accept),
        };
        self.depth -= 1;
        models
    }

    /// Single statements, and the alternatives that they leave open; `None` for a contradiction.
    fn gather(&mut self, parts: Vec<Id>) -> Option<(BTreeSet<Id>, Vec<Vec<Id>>)> {
        let mut stack = parts;
        let mut facts = BTreeSet::new();
        let mut open: Vec<Vec<Id>> = Vec::new();
        loop {
            while let Some(part) = stack.pop() {
                match self.formulas.get(part) {
                    Formula::True => {}
                    Formula::False => return None,
                    Formula::All(parts) => stack.extend(parts.iter().copied()),
                    Formula::Any(parts) => open.push(parts.to_vec()),
                    _ => {
                        let opposite = self.formulas.not(part);
                        if facts.contains(&opposite) {
                            return None;
                        }
                        facts.insert(part);
                    }
                }
            }
            let mut left = Vec::new();
            for mut alternatives in open {
                if alternatives.iter().any(|one| facts.contains(one)) {
                    continue;
                }
                alternatives.retain(|one| {
                    let opposite = self.formulas.not(*one);
                    !facts.contains(&opposite)
                });
                match alternatives[..] {
                    [] => return None,
                    [only] => stack.push(only),
                    _ => left.push(alternatives),
                }
            }
            open = left;
            if stack.is_empty() {
                return Some((facts, open));
            }
        }
    }

    fn split(
        &mut self,
        kind: Kind,
        facts: BTreeSet<Id>,
        mut open: Vec<Vec<Id>>,
        accept: &mut dyn FnMut(&Value) -> bool,
    ) -> Models {
        match self.settle(kind, &facts) {
            Models::None => return Models::None,
            Models::Found(value) => {
                let fits = |alternatives: &Vec<Id>| {
                    alternatives.iter().any(|one| self.formulas.holds(*one, &value) == Some(true))
                };
                if open.iter().all(fits) && accept(&value) {
                    return Models::Found(value);
                }
            }
            Models::Unknown => {}
        }
        let smallest = open.iter().enumerate().min_by_key(|(_, one)| one.len());
        let Some(at) = smallest.map(|(at, _)| at) else { return Models::Unknown };
        let alternatives = open.swap_remove(at);
        let mut beside: Vec<Id> = facts.into_iter().collect();
        for others in open {
            beside.push(self.formulas.any(others));
        }
        let mut models = Models::None;
        for one in alternatives {
            let mut parts = beside.clone();
            parts.push(one);
            match self.branch(kind, parts, accept) {
                Models::Found(value) => return Models::Found(value),
                Models::Unknown => models = Models::Unknown,
                Models::None => {}
            }
            if self.fuel == 0 {
                return Models::Unknown;
            }
        }
        models
    }

    /// Decides single statements about values of one kind together.
    fn settle(&mut self, kind: Kind, facts: &BTreeSet<Id>) -> Models {
        let whole = self.formulas.all(facts.iter().copied());
        if let Some(known) = self.settled.get(&(kind, whole)) {
            return known.clone();
        }
        if !self.burn(2) {
            return Models::Unknown;
        }
        let before = std::mem::replace(&mut self.relied, usize::MAX);
        let facts: Vec<Id> = facts.iter().copied().collect();
        let candidate = match kind {
            Kind::Null => self.one_of(whole, [Value::Null]),
            Kind::Bool => self.one_of(whole, [Value::Bool(true), Value::Bool(false)]),
            Kind::Number => self.number(&facts),
            Kind::Text => self.text_of(&facts),
            Kind::Array => self.array(&facts),
            Kind::Object => self.object(&facts),
        };
        let models = match candidate {
            Models::Found(value) if self.formulas.holds(whole, &value) == Some(false) => {
                Models::Unknown
            }
            other => other,
        };
        if self.relied == usize::MAX || matches!(models, Models::Found(_)) {
            self.settled.insert((kind, whole), models.clone());
        }
        self.relied = before.min(self.relied);
        models
    }

    /// The first of some values that fits; surely, if there is such a one.
    pub(super) fn one_of(&self, whole: Id, values: impl IntoIterator<Item = Value>) -> Models {
        let mut models = Models::None;
        for value in values {
            match self.formulas.holds(whole, &value) {
                Some(true) => return Models::Found(value),
                None if models == Models::None => models = Models::Found(value),
                _ => {}
            }
        }
        models
    }
}

/// The kind that a single statement is about.
fn kind_of(formula: &Formula) -> Option<Kind> {
    use Formula as F;
    match formula {
        F::Truth(_) => Some(Kind::Bool),
        F::Least(..) | F::Most(..) | F::MultipleOf(_) | F::NumberIn(_) => Some(Kind::Number),
        F::TextIn(_) | F::LengthLeast(_) | F::LengthMost(_) | F::Pattern(_) => Some(Kind::Text),
        F::ItemsLeast(_)
        | F::ItemsMost(_)
        | F::At(..)
        | F::From(..)
        | F::Has(..)
        | F::Exists(..)
        | F::AtMost(..)
        | F::AtLeast(..)
        | F::Unique => Some(Kind::Array),
        F::FieldsLeast(_) | F::FieldsMost(_) | F::Every(..) | F::Some(..) => Some(Kind::Object),
        _ => None,
    }
}
