//! What a schema admits, independent of how it is written: references followed, `allOf` merged, `anyOf`, `oneOf` and
//! `nullable` spread over alternatives, and every alternative filed under the JSON types that it admits.

mod emit;
mod facets;
mod flatten;
mod kinds;

use std::rc::Rc;

use super::side::{Side, Spot};

pub(super) use emit::{Role, emit_kind};
pub(super) use facets::{Additional, Facets, Held, same_value};
pub(super) use flatten::Flat;
pub(super) use kinds::{Alternative, Kind, Kinds};

/// Schemas that must all be satisfied. Empty: everything is admitted.
#[derive(Clone, Debug, Default)]
pub(super) struct Conj<'d> {
    pub(super) schemas: Rc<[Spot<'d>]>,
    /// What lacks the schema, when there is none.
    around: Option<Spot<'d>>,
}

/// The identity of a conjunction: the addresses of its schemas.
pub(super) type ConjId = Rc<[usize]>;

impl<'d> Conj<'d> {
    pub(super) fn of(spots: Vec<Spot<'d>>) -> Self {
        Self { schemas: Rc::from(spots), around: None }
    }

    /// Everything is admitted, as `around` says nothing.
    pub(super) fn anything(around: Spot<'d>) -> Self {
        Self { schemas: Rc::from([]), around: Some(around) }
    }

    pub(super) fn one(spot: Spot<'d>) -> Self {
        Self::of(vec![spot])
    }

    pub(super) fn id(&self) -> ConjId {
        self.schemas.iter().chain(&self.around).map(|spot| spot.id()).collect()
    }

    /// Where to point at.
    pub(super) fn anchor(&self, side: &Side<'d>) -> Spot<'d> {
        let first = self.schemas.first().copied().or(self.around);
        let first = first.unwrap_or_else(|| side.root());
        // Before 3.1 a reference is nothing in itself: what it leads to is what is written.
        if first.get("$ref").is_some() { side.follow(first).unwrap_or(first) } else { first }
    }
}

/// A set of JSON types. Numbers are two: integers and those with a fraction.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Types(u8);

impl Types {
    pub(super) const NONE: Self = Self(0);
    pub(super) const NULL: Self = Self(1);
    pub(super) const BOOLEAN: Self = Self(2);
    pub(super) const INTEGER: Self = Self(4);
    pub(super) const FRACTION: Self = Self(8);
    pub(super) const NUMBER: Self = Self(12);
    pub(super) const STRING: Self = Self(16);
    pub(super) const ARRAY: Self = Self(32);
    pub(super) const OBJECT: Self = Self(64);
    /// A type that no standard knows, such as `int`.
    pub(super) const OTHER: Self = Self(128);
    pub(super) const ALL: Self = Self(127);

    pub(super) fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(super) fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The types that a name of JSON Schema, or of a description, means.
    pub(super) fn named(name: &str) -> Self {
        match name {
            "null" => Self::NULL,
            "boolean" => Self::BOOLEAN,
            "integer" => Self::INTEGER,
            "number" => Self::NUMBER,
            "string" | "file" => Self::STRING,
            "array" => Self::ARRAY,
            "object" => Self::OBJECT,
            _ => Self::OTHER,
        }
    }

    /// The names that JSON Schema has for them.
    pub(super) fn names(self) -> Vec<&'static str> {
        let mut names = Vec::new();
        for (types, name) in [
            (Self::STRING, "string"),
            (Self::BOOLEAN, "boolean"),
            (Self::ARRAY, "array"),
            (Self::OBJECT, "object"),
            (Self::NULL, "null"),
        ] {
            if self.has(types) {
                names.push(name);
            }
        }
        match (self.has(Self::INTEGER), self.has(Self::FRACTION)) {
            (_, true) => names.insert(0, "number"),
            (true, false) => names.insert(0, "integer"),
            (false, false) => {}
        }
        names
    }

    /// As a sentence has it: `string or null`; `anything` for all.
    pub(super) fn said(self) -> String {
        if self.and(Self::ALL) == Self::ALL {
            return "anything".to_owned();
        }
        if self.is_empty() { "nothing".to_owned() } else { self.names().join(" or ") }
    }
}
