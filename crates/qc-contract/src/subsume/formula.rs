//! Schemas as formulas about one value, with equal ones kept once. A universal statement about another kind of value
//! than the one at hand is true, an existential one false, so that each is the exact opposite of its negation.

use std::collections::HashMap;

use serde_json::Value;

use super::automaton::{Automaton, find};
use super::decimal::Decimal;

/// A formula's number in its [`Formulas`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(super) struct Id(u32);

/// What kind a value is of; integers are numbers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(super) enum Kind {
    Text,
    Number,
    Bool,
    Null,
    Array,
    Object,
}

impl Kind {
    pub(super) const ALL: [Self; 6] =
        [Self::Text, Self::Number, Self::Bool, Self::Null, Self::Array, Self::Object];

    pub(super) fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(_) => Self::Bool,
            Value::Number(_) => Self::Number,
            Value::String(_) => Self::Text,
            Value::Array(_) => Self::Array,
            Value::Object(_) => Self::Object,
        }
    }

    fn bit(self) -> u8 {
        1 << (self as u8)
    }
}

/// Some of the six kinds.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Kinds(u8);

impl Kinds {
    const EVERY: u8 = 0b11_1111;

    pub(super) fn holds(self, kind: Kind) -> bool {
        self.0 & kind.bit() != 0
    }
}

/// One statement about a value.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Formula {
    True,
    False,
    All(Box<[Id]>),
    Any(Box<[Id]>),
    /// Only of what has no opposite of its own.
    Not(Id),
    /// What a definition says, by its place in [`Formulas::definitions`].
    Defined(usize),
    Kinds(Kinds),
    Truth(bool),
    /// A number not below (or, when open, above) the limit.
    Least(Decimal, bool),
    Most(Decimal, bool),
    MultipleOf(Decimal),
    NumberIn(Box<[Decimal]>),
    TextIn(Box<[String]>),
    LengthLeast(u64),
    LengthMost(u64),
    /// By its place in [`Formulas::patterns`].
    Pattern(usize),
    /// What is not understood, known only by its text; it speaks about values of these kinds.
    Opaque(Kinds, String),
    ItemsLeast(u64),
    ItemsMost(u64),
    /// The item there, if there is one.
    At(usize, Id),
    /// Each item from there on.
    From(usize, Id),
    /// There is an item there, and it satisfies.
    Has(usize, Id),
    /// Some item from there on satisfies.
    Exists(usize, Id),
    /// At most so many items satisfy.
    AtMost(u64, Id),
    /// At least so many items satisfy.
    AtLeast(u64, Id),
    Unique,
    FieldsLeast(u64),
    FieldsMost(u64),
    /// Each field whose name satisfies the first has a value that satisfies the second.
    Every(Id, Id),
    /// Some field has a name that satisfies the first and a value that satisfies the second.
    Some(Id, Id),
}

/// All formulas of one question.
#[derive(Default)]
pub(super) struct Formulas {
    all: Vec<Formula>,
    ids: HashMap<Formula, Id>,
    negations: HashMap<Id, Id>,
    /// The bodies of definitions; `None` while a body is being read.
    pub(super) definitions: Vec<Option<Id>>,
    /// Expressions and their automata; `None` where there is none to rely on.
    patterns: Vec<(String, Option<Automaton>)>,
}

impl Formulas {
    pub(super) fn get(&self, id: Id) -> &Formula {
        &self.all[id.0 as usize]
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn add(&mut self, formula: Formula) -> Id {
        if let Some(id) = self.ids.get(&formula) {
            return *id;
        }
        let id = Id(u32::try_from(self.all.len()).unwrap_or(u32::MAX));
        self.all.push(formula.clone());
        self.ids.insert(formula, id);
        id
    }

    pub(super) fn truth(&mut self) -> Id {
        self.add(Formula::True)
    }

    pub(super) fn falsehood(&mut self) -> Id {
        self.add(Formula::False)
    }

    pub(super) fn kinds(&mut self, kinds: &[Kind]) -> Id {
        let bits = kinds.iter().fold(0, |bits, kind| bits | kind.bit());
        self.kind_bits(bits)
    }

    fn kind_bits(&mut self, bits: u8) -> Id {
        match bits {
            0 => self.falsehood(),
            Kinds::EVERY => self.truth(),
            bits => self.add(Formula::Kinds(Kinds(bits))),
        }
    }

    pub(super) fn kind_set(kinds: &[Kind]) -> Kinds {
        Kinds(kinds.iter().fold(0, |bits, kind| bits | kind.bit()))
    }

    pub(super) fn all(&mut self, parts: impl IntoIterator<Item = Id>) -> Id {
        self.joined(parts, true)
    }

    pub(super) fn any(&mut self, parts: impl IntoIterator<Item = Id>) -> Id {
        self.joined(parts, false)
    }

    /// `all` and `any` are one thing seen from two sides.
    fn joined(&mut self, parts: impl IntoIterator<Item = Id>, is_all: bool) -> Id {
        let (neutral, absorbing) = if is_all {
            (self.truth(), self.falsehood())
        } else {
            (self.falsehood(), self.truth())
        };
        let mut flat = Vec::new();
        for part in parts {
            match self.get(part) {
                Formula::All(inner) if is_all => flat.extend(inner.iter().copied()),
                Formula::Any(inner) if !is_all => flat.extend(inner.iter().copied()),
                _ if part == neutral => {}
                _ if part == absorbing => return absorbing,
                _ => flat.push(part),
            }
        }
        flat.sort_unstable();
        flat.dedup();
        if flat.len() <= 64 {
            let contradicts = flat.iter().any(|part| {
                self.negations.get(part).is_some_and(|other| flat.binary_search(other).is_ok())
            });
            if contradicts {
                return absorbing;
            }
        }
        match flat[..] {
            [] => neutral,
            [only] => only,
            _ if is_all => self.add(Formula::All(flat.into())),
            _ => self.add(Formula::Any(flat.into())),
        }
    }

    /// The opposite of a formula.
    pub(super) fn not(&mut self, id: Id) -> Id {
        if let Some(known) = self.negations.get(&id) {
            return *known;
        }
        let opposite = self.opposite(id);
        self.negations.insert(id, opposite);
        self.negations.entry(opposite).or_insert(id);
        opposite
    }

    /// Two formulas that are known to be opposites, each in the form that is the better one to work with.
    pub(super) fn declare_opposites(&mut self, one: Id, other: Id) {
        self.negations.entry(one).or_insert(other);
        self.negations.entry(other).or_insert(one);
    }

    fn opposite(&mut self, id: Id) -> Id {
        use Formula as F;
        match self.get(id).clone() {
            F::True => self.falsehood(),
            F::False => self.truth(),
            F::All(parts) => {
                let parts: Vec<Id> = parts.iter().map(|part| self.not(*part)).collect();
                self.any(parts)
            }
            F::Any(parts) => {
                let parts: Vec<Id> = parts.iter().map(|part| self.not(*part)).collect();
                self.all(parts)
            }
            F::Not(inner) => inner,
            F::Kinds(kinds) => self.kind_bits(!kinds.0 & Kinds::EVERY),
            F::Least(limit, open) => self.of_kind(Kind::Number, F::Most(limit, !open)),
            F::Most(limit, open) => self.of_kind(Kind::Number, F::Least(limit, !open)),
            F::LengthLeast(least) => self.below(Kind::Text, least, F::LengthMost),
            F::LengthMost(most) => self.of_kind(Kind::Text, F::LengthLeast(most.saturating_add(1))),
            F::ItemsLeast(least) => self.below(Kind::Array, least, F::ItemsMost),
            F::ItemsMost(most) => self.of_kind(Kind::Array, F::ItemsLeast(most.saturating_add(1))),
            F::FieldsLeast(least) => self.below(Kind::Object, least, F::FieldsMost),
            F::FieldsMost(most) => {
                self.of_kind(Kind::Object, F::FieldsLeast(most.saturating_add(1)))
            }
            F::At(at, inner) => self.with_not(inner, |not| F::Has(at, not)),
            F::Has(at, inner) => self.with_not(inner, |not| F::At(at, not)),
            // An item that is not there does not satisfy either: the opposite includes the shorter arrays.
            F::From(from, inner) => self.with_not(inner, |not| F::Exists(from, not)),
            F::Exists(from, inner) => self.with_not(inner, |not| F::From(from, not)),
            F::AtMost(most, inner) => self.add(F::AtLeast(most.saturating_add(1), inner)),
            F::AtLeast(least, inner) => match least.checked_sub(1) {
                Some(most) => self.add(F::AtMost(most, inner)),
                None => self.falsehood(),
            },
            F::Every(names, inner) => self.with_not(inner, |not| F::Some(names, not)),
            F::Some(names, inner) => self.with_not(inner, |not| F::Every(names, not)),
            F::Defined(_)
            | F::Truth(_)
            | F::MultipleOf(_)
            | F::NumberIn(_)
            | F::TextIn(_)
            | F::Pattern(_)
            | F::Opaque(..)
            | F::Unique => self.add(F::Not(id)),
        }
    }

    fn with_not(&mut self, inner: Id, make: impl FnOnce(Id) -> Formula) -> Id {
        let not = self.not(inner);
        self.add(make(not))
    }

    /// A statement about one kind, made to say that the value is of that kind.
    pub(super) fn of_kind(&mut self, kind: Kind, formula: Formula) -> Id {
        let kinds = self.kinds(&[kind]);
        let formula = self.add(formula);
        self.all([kinds, formula])
    }

    fn below(&mut self, kind: Kind, least: u64, make: fn(u64) -> Formula) -> Id {
        match least.checked_sub(1) {
            Some(most) => self.of_kind(kind, make(most)),
            None => self.falsehood(),
        }
    }

    /// That the value is this one.
    pub(super) fn constant(&mut self, value: &Value) -> Id {
        match value {
            Value::Null => self.kinds(&[Kind::Null]),
            Value::Bool(truth) => self.of_kind(Kind::Bool, Formula::Truth(*truth)),
            Value::Number(number) => {
                if let Some(decimal) = Decimal::of(number) {
                    return self.add(Formula::NumberIn([decimal].into()));
                }
                let kinds = Self::kind_set(&[Kind::Number]);
                self.of_kind(Kind::Number, Formula::Opaque(kinds, format!("= {number}")))
            }
            Value::String(text) => self.word(text),
            Value::Array(items) => {
                let count = items.len() as u64;
                let mut parts = vec![
                    self.of_kind(Kind::Array, Formula::ItemsLeast(count)),
                    self.add(Formula::ItemsMost(count)),
                ];
                for (at, item) in items.iter().enumerate() {
                    let item = self.constant(item);
                    parts.push(self.add(Formula::At(at, item)));
                }
                self.all(parts)
            }
            Value::Object(fields) => {
                let count = fields.len() as u64;
                let mut parts =
                    vec![self.kinds(&[Kind::Object]), self.add(Formula::FieldsMost(count))];
                for (name, value) in fields {
                    let name = self.word(name);
                    let value = self.constant(value);
                    parts.push(self.add(Formula::Some(name, value)));
                }
                self.all(parts)
            }
        }
    }

    /// That the value is this text.
    pub(super) fn word(&mut self, text: &str) -> Id {
        self.add(Formula::TextIn([text.to_owned()].into()))
    }

    /// That the value is one of these texts.
    pub(super) fn words(&mut self, words: impl IntoIterator<Item = String>) -> Id {
        let words: std::collections::BTreeSet<String> = words.into_iter().collect();
        if words.is_empty() {
            return self.falsehood();
        }
        self.add(Formula::TextIn(words.into_iter().collect()))
    }

    /// That a text matches. A pattern that admits every text only because it may match nothing, anywhere, was not
    /// meant so by its author, and validators differ about it: it is kept as something that is not understood.
    pub(super) fn pattern(&mut self, pattern: &str) -> Id {
        let known = self.patterns.iter().position(|(known, _)| known == pattern);
        let at = known.unwrap_or_else(|| {
            let automaton = Automaton::search(pattern);
            let automaton = automaton.filter(|search| !is_doubtful(search, pattern));
            self.patterns.push((pattern.to_owned(), automaton));
            self.patterns.len() - 1
        });
        if self.patterns[at].1.is_some() {
            return self.add(Formula::Pattern(at));
        }
        let kinds = Self::kind_set(&[Kind::Text]);
        self.add(Formula::Opaque(kinds, format!("pattern {pattern}")))
    }

    /// What validators may disagree about in these formulas, or what is not understood.
    pub(super) fn doubt(&self) -> Option<&'static str> {
        let divides = |formula: &Formula| match formula {
            Formula::MultipleOf(step) => step.divides_alike(),
            _ => true,
        };
        if self.patterns.iter().any(|(_, automaton)| automaton.is_none()) {
            Some("a pattern is not regular, or admits everything unless it is anchored")
        } else if !self.all.iter().all(divides) {
            Some("it depends on the division by a fraction, about which validators differ")
        } else {
            None
        }
    }

    /// The automaton of a [`Formula::Pattern`].
    pub(super) fn automaton(&self, at: usize) -> Option<&Automaton> {
        self.patterns.get(at).and_then(|(_, automaton)| automaton.as_ref())
    }
}

/// Whether a pattern admits everything as JSON Schema reads it, but not if it had to match the whole text.
fn is_doubtful(search: &Automaton, pattern: &str) -> bool {
    if search.matches("") && find(&[(search, false)], 0, None) == Ok(None) {
        let whole = Automaton::whole(pattern);
        return whole.is_some_and(|whole| find(&[(&whole, false)], 0, None) != Ok(None));
    }
    false
}
