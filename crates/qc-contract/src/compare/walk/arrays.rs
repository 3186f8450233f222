//! Lists: their items, their first items, and how many.

use super::super::found::Found;
use super::super::rules::{Facet, Turn};
use super::super::shape::{Conj, Facets};
use super::super::side::Spot;
use super::scalars::{Sides, compare_counts};
use super::{Pair, Walker};
use crate::mismatch::Direction;

impl<'d> Walker<'_, 'd> {
    pub(super) fn compare_arrays(&mut self, sides: &Sides<'_, 'd>, pair: &mut Pair<'d>) {
        compare_counts(
            sides,
            &[("minItems", Facet::MinItems), ("maxItems", Facet::MaxItems)],
            pair,
        );
        let (old, new) = sides.facets();
        match (old.unique_items, new.unique_items) {
            (None, Some(spot)) => {
                pair.push(sides.found(Facet::UniqueItems, Turn::Narrowed, (None, Some(spot))));
            }
            (Some(spot), None) => {
                pair.push(sides.found(Facet::UniqueItems, Turn::Widened, (Some(spot), None)));
            }
            _ => {}
        }
        if !old.items.is_empty() || !new.items.is_empty() {
            let items = |facets: &Facets<'d>, around: Spot<'d>| match &facets.items[..] {
                [] => Conj::anything(around),
                items => Conj::of(items.to_vec()),
            };
            let (old, new) = (items(old, sides.around.0), items(new, sides.around.1));
            let below = self.pair(&old, &new, sides.context.inside());
            pair.edge(below);
        }
        self.compare_tuples(sides, pair);
    }

    fn compare_tuples(&mut self, sides: &Sides<'_, 'd>, pair: &mut Pair<'d>) {
        let (old, new) = sides.facets();
        let lengths = (old.prefix_items.len(), new.prefix_items.len());
        for (at, one) in &old.prefix_items {
            if let Some(other) = new.prefix_items.get(at) {
                let (one, other) = (Conj::of(one.clone()), Conj::of(other.clone()));
                let below = self.pair(&one, &other, sides.context.inside());
                pair.edge(below);
            }
        }
        if lengths.0 == lengths.1 {
            return;
        }
        // An item that was described on its own is described by the rest now, or the other way round.
        let described = |facets: &Facets<'d>, at: usize, around: Spot<'d>| {
            let own = facets.prefix_items.get(&at).cloned();
            match own.unwrap_or_else(|| facets.items.clone()) {
                spots if spots.is_empty() => Conj::anything(around),
                spots => Conj::of(spots),
            }
        };
        for at in lengths.0.min(lengths.1)..lengths.0.max(lengths.1) {
            let one = described(old, at, sides.around.0);
            let other = described(new, at, sides.around.1);
            let below = self.pair(&one, &other, sides.context.inside());
            pair.edge(below);
        }
        let spot = |facets: &Facets<'d>| facets.prefix_items.values().last()?.first().copied();
        let turn = if lengths.1 > lengths.0 { Turn::Narrowed } else { Turn::Widened };
        let found: Found<'d> = sides.found(Facet::Tuple, turn, (spot(old), spot(new)));
        // What the items themselves may be is compared above; this one only says that the tuple has another length.
        let is_break = matches!(
            (sides.context.way, turn),
            (Direction::Request, Turn::Narrowed) | (Direction::Response, Turn::Widened)
        );
        pair.push(if is_break { found } else { found.at_most(super::Level::Additive) });
    }
}
