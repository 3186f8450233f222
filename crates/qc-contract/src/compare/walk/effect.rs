//! Keywords that the type leaves without effect, such as `maximum` of a text. To the letter they restrict nothing; servers
//! and clients that are made from descriptions heed them all the same.

use super::super::found::{Found, Said};
use super::super::rules::{self, Level};
use super::super::shape::{Kind, Kinds, Types};
use super::super::side::Spot;
use super::scalars::{Sides, compare_bounds};
use super::{Bound, Context, Edge, Pair, Walker};

impl<'d> Walker<'_, 'd> {
    pub(super) fn compare_without_effect(
        &mut self,
        old: &Kinds<'d>,
        new: &Kinds<'d>,
        context: Context,
        around: (Spot<'d>, Spot<'d>),
        pair: &mut Pair<'d>,
    ) {
        if old.alternatives.is_empty() && new.alternatives.is_empty() {
            let message = "a schema that nothing satisfies is another";
            let said = (Said::value(around.0), Said::value(around.1));
            pair.push(Found::new(&rules::SCHEMA_CONTRADICTORY, said.0, said.1, message));
            return;
        }
        if let ([one], [other]) = (&old.alternatives[..], &new.alternatives[..]) {
            let sides = Sides { old: one, new: other, around, context };
            self.compare_inert(&sides, pair);
        }
    }

    /// Keywords of two alternatives that are about other types than theirs.
    pub(super) fn compare_inert(&mut self, sides: &Sides<'_, 'd>, pair: &mut Pair<'d>) {
        let types = (sides.old.flat.types, sides.new.flat.types);
        if types.0 != types.1 || types.0 == Types::ALL {
            return;
        }
        let mut inner = Pair::default();
        for kind in Kind::ALL {
            // Formats and patterns of numbers are compared with those of texts.
            let is_compared = types.0.has(kind.types())
                || (kind == Kind::Number && types.0.has(Types::STRING))
                || (kind == Kind::String && types.0.has(Types::NUMBER));
            if !is_compared {
                self.compare_facets(kind, sides, &mut inner);
            }
        }
        if types.0.has(Types::STRING) && !types.0.has(Types::NUMBER) {
            compare_bounds(sides, &mut inner);
        }
        self.compare_inert_extras(sides, &mut inner);
        let bound = Bound::capped(Level::Risky);
        pair.found.extend(inner.found.into_iter().map(|found| {
            let message = format!("{}; the type leaves it without effect", found.message);
            Found { message, ..found.at_most(Level::Risky) }
        }));
        pair.edges.extend(inner.edges.iter().map(|e| Edge { to: e.to, bound: e.bound.and(bound) }));
    }
}
