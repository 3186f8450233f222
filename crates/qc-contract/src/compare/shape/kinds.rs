//! Alternatives, filed by the JSON type that they admit.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::super::side::{Side, Spot};
use super::flatten::spread;
use super::{Conj, Facets, Flat, Types};

/// Types that have facets of their own. Integers and numbers share theirs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub(in super::super) enum Kind {
    Boolean,
    Number,
    String,
    Array,
    Object,
}

impl Kind {
    pub(in super::super) const ALL: [Self; 5] =
        [Self::Boolean, Self::Number, Self::String, Self::Array, Self::Object];

    pub(in super::super) fn is_scalar(self) -> bool {
        !matches!(self, Self::Array | Self::Object)
    }

    pub(in super::super) fn types(self) -> Types {
        match self {
            Self::Boolean => Types::BOOLEAN,
            Self::Number => Types::NUMBER,
            Self::String => Types::STRING,
            Self::Array => Types::ARRAY,
            Self::Object => Types::OBJECT,
        }
    }
}

/// An alternative with what its parts say.
#[derive(Clone, Debug)]
pub(in super::super) struct Alternative<'d> {
    pub(in super::super) flat: Flat<'d>,
    pub(in super::super) facets: Facets<'d>,
}

/// A schema by what it admits.
#[derive(Debug)]
pub(in super::super) struct Kinds<'d> {
    /// All types that some alternative admits.
    pub(in super::super) types: Types,
    /// Names of types that no standard knows.
    pub(in super::super) unknown: BTreeSet<&'d str>,
    pub(in super::super) alternatives: Vec<Rc<Alternative<'d>>>,
    /// `oneOf` lists that were spread.
    pub(in super::super) one_of: Vec<Spot<'d>>,
}

impl<'d> Kinds<'d> {
    pub(in super::super) fn of(side: &Side<'d>, conj: &Conj<'d>) -> Self {
        let spread = spread(side, conj);
        let mut types = Types::NONE;
        let mut unknown = BTreeSet::new();
        let mut alternatives = Vec::new();
        for flat in spread.alternatives {
            types = types.or(flat.types);
            unknown.extend(flat.unknown.iter().copied());
            let facets = Facets::of(side, &flat);
            alternatives.push(Rc::new(Alternative { flat, facets }));
        }
        Self { types, unknown, alternatives, one_of: spread.one_of }
    }

    /// The alternatives that admit something of a kind.
    pub(in super::super) fn of_kind(&self, kind: Kind) -> Vec<Rc<Alternative<'d>>> {
        let fitting = self.alternatives.iter();
        fitting.filter(|one| one.flat.types.has(kind.types())).cloned().collect()
    }
}
