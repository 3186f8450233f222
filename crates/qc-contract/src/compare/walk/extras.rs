//! Keywords whose effect only a proof can tell: negations, conditions, dependencies and what is left over.

use super::super::found::{Found, Said};
use super::super::rules::{self, Facet, Turn};
use super::super::shape::{Alternative, Kind, Role};
use super::super::side::{Spot, Which};
use super::scalars::Sides;
use super::{AS_MEANT, LITERALLY, Pair, Walker, worse};
use crate::mismatch::Direction;
use crate::subsume::Covers;

use std::rc::Rc;

/// The facet of a keyword, and the kind that it is about; none for all kinds.
const EXTRAS: [(&str, Facet, Option<Kind>); 13] = [
    ("not", Facet::Not, None),
    ("if", Facet::Condition, None),
    ("then", Facet::Condition, None),
    ("else", Facet::Condition, None),
    ("anyOf", Facet::Union, None),
    ("contains", Facet::Contains, Some(Kind::Array)),
    ("unevaluatedItems", Facet::Unevaluated, Some(Kind::Array)),
    ("propertyNames", Facet::PropertyNames, Some(Kind::Object)),
    ("patternProperties", Facet::PatternProperties, Some(Kind::Object)),
    ("dependentRequired", Facet::Dependencies, Some(Kind::Object)),
    ("dependentSchemas", Facet::Dependencies, Some(Kind::Object)),
    ("dependencies", Facet::Dependencies, Some(Kind::Object)),
    ("unevaluatedProperties", Facet::Unevaluated, Some(Kind::Object)),
];

/// A keyword that differs.
struct Differing<'d> {
    name: &'static str,
    facet: Facet,
    spots: (Option<Spot<'d>>, Option<Spot<'d>>),
}

impl<'d> Walker<'_, 'd> {
    pub(super) fn compare_extras(
        &mut self,
        kind: Kind,
        sides: &Sides<'_, 'd>,
        pair: &mut Pair<'d>,
    ) {
        let differing = self.differing(kind, sides);
        if differing.is_empty() {
            return;
        }
        let way = sides.context.way;
        let (old, new) = (one(sides.old), one(sides.new));
        let mut proofs = |roles: (Role, Role)| {
            let lost_nothing = self.proof((Which::New, &new), (Which::Old, &old), kind, way, roles);
            let gained_nothing =
                self.proof((Which::Old, &old), (Which::New, &new), kind, way, roles);
            (lost_nothing, gained_nothing)
        };
        let mut proven = proofs(AS_MEANT);
        if proven == (Covers::Yes, Covers::Yes) && kind == Kind::Object {
            // Then it can only be about what is not named.
            proven = proofs(LITERALLY);
        }
        let (lost_nothing, gained_nothing) = proven;
        for differing in differing {
            let found = match (&lost_nothing, &gained_nothing) {
                (Covers::Yes, Covers::Yes) => inert(&differing, sides),
                (Covers::Yes, _) if way == Direction::Request => {
                    Some(sides.found(differing.facet, Turn::Widened, differing.spots))
                }
                (_, Covers::Yes) if way == Direction::Response => {
                    Some(sides.found(differing.facet, Turn::Narrowed, differing.spots))
                }
                (Covers::No { witness }, _) if way == Direction::Request => {
                    let found = sides.found(differing.facet, worse(way), differing.spots);
                    Some(found.witnessed(witness.clone()))
                }
                (_, Covers::No { witness }) if way == Direction::Response => {
                    let found = sides.found(differing.facet, worse(way), differing.spots);
                    Some(found.witnessed(witness.clone()))
                }
                _ => Some(unproven(&differing, sides)),
            };
            let is_told = |found: &Found<'d>| {
                pair.found.iter().any(|known| {
                    known.rule.id == found.rule.id
                        && known.old.spot.id() == found.old.spot.id()
                        && known.new.spot.id() == found.new.spot.id()
                })
            };
            if let Some(found) = found.filter(|found| !is_told(found)) {
                pair.push(found);
            }
        }
    }

    /// Keywords that are about kinds which the type does not admit.
    pub(super) fn compare_inert_extras(&mut self, sides: &Sides<'_, 'd>, pair: &mut Pair<'d>) {
        for kind in [Kind::Array, Kind::Object] {
            if sides.old.flat.types.has(kind.types()) {
                continue;
            }
            for differing in self.differing(kind, sides) {
                let is_own = EXTRAS
                    .iter()
                    .any(|(name, _, only)| *name == differing.name && *only == Some(kind));
                if is_own {
                    pair.push(unproven(&differing, sides));
                }
            }
        }
    }

    fn differing(&mut self, kind: Kind, sides: &Sides<'_, 'd>) -> Vec<Differing<'d>> {
        let mut differing = Vec::new();
        for (name, facet, only) in EXTRAS {
            if only.is_some_and(|only| only != kind) {
                continue;
            }
            let (old, new) = sides.facets();
            let none = Vec::new();
            let spots = (
                old.extras.get(name).unwrap_or(&none).clone(),
                new.extras.get(name).unwrap_or(&none).clone(),
            );
            let counts = |name: &str| {
                let of = |alternative: &Alternative<'d>| {
                    alternative.facets.counts.get(name).map(|held| held.value)
                };
                of(sides.old) == of(sides.new)
            };
            let bounds = name != "contains" || (counts("minContains") && counts("maxContains"));
            if self.are_same(&spots.0, &spots.1) && bounds {
                continue;
            }
            let spots = (spots.0.first().copied(), spots.1.first().copied());
            differing.push(Differing { name, facet, spots });
        }
        differing
    }
}

fn one<'d>(alternative: &Alternative<'d>) -> Vec<Rc<Alternative<'d>>> {
    vec![Rc::new(alternative.clone())]
}

/// A keyword changed that restricts nothing. Half a condition was surely meant to.
fn inert<'d>(differing: &Differing<'d>, sides: &Sides<'_, 'd>) -> Option<Found<'d>> {
    if !matches!(differing.name, "if" | "then" | "else") {
        return None;
    }
    let is_half = |alternative: &Alternative<'d>| {
        alternative.flat.parts.iter().any(|part| {
            let has = |name: &str| part.get(name).is_some();
            has("if") != (has("then") || has("else"))
        })
    };
    if !is_half(sides.old) && !is_half(sides.new) {
        return None;
    }
    let old = Said::maybe(differing.spots.0, sides.around.0);
    let new = Said::maybe(differing.spots.1, sides.around.1);
    let message = format!("`{}` changed and restricts nothing", differing.name);
    Some(Found::new(&rules::CONDITION_WITHOUT_EFFECT, old, new, message))
}

/// What could not be proven is judged by how the keyword came or went.
fn unproven<'d>(differing: &Differing<'d>, sides: &Sides<'_, 'd>) -> Found<'d> {
    let turn = match differing.spots {
        (None, Some(_)) => Turn::Narrowed,
        (Some(_), None) => Turn::Widened,
        _ => Turn::Changed,
    };
    sides.found(differing.facet, turn, differing.spots)
}
