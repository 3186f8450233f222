//! Numbers and texts, keyword by keyword.

use std::collections::BTreeMap;

use serde_json::json;

use super::super::found::{Found, Said};
use super::super::rules::{Facet, Level, Turn};
use super::super::shape::{Alternative, Conj, Facets, Held, Kind};
use super::super::side::Spot;
use super::{Context, Pair, Walker, worse};
use crate::mismatch::Direction;
use crate::subsume::Covers;

/// Formats of which the first admits less than the second.
const WIDER_FORMATS: [(&str, &str); 4] =
    [("int32", "int64"), ("float", "double"), ("uuid", "string"), ("date", "partial-date")];

/// Formats that name how parsers hold any number of their type.
const WIDEST_FORMATS: [&str; 2] = ["int64", "double"];

/// Both alternatives, and what to point at when a keyword is absent.
pub(super) struct Sides<'a, 'd> {
    pub(super) old: &'a Alternative<'d>,
    pub(super) new: &'a Alternative<'d>,
    pub(super) around: (Spot<'d>, Spot<'d>),
    pub(super) context: Context,
}

impl<'d> Sides<'_, 'd> {
    pub(super) fn facets(&self) -> (&Facets<'d>, &Facets<'d>) {
        (&self.old.facets, &self.new.facets)
    }

    pub(super) fn found(
        &self,
        facet: Facet,
        turn: Turn,
        spots: (Option<Spot<'d>>, Option<Spot<'d>>),
    ) -> Found<'d> {
        let old = Said::maybe(spots.0, self.around.0);
        let new = Said::maybe(spots.1, self.around.1);
        let word = match turn {
            Turn::Narrowed => "narrowed",
            Turn::Widened => "widened",
            Turn::Changed => "changed",
        };
        let said = |said: &Said<'d>| match &said.text {
            Some(text) => format!("`{text}`"),
            None => "nothing".to_owned(),
        };
        let message = format!("{}: {} became {} ({word})", facet.noun(), said(&old), said(&new));
        Found::new(facet.rule(self.context.way, turn), old, new, message)
    }
}

impl<'d> Walker<'_, 'd> {
    pub(super) fn compare_texts(&mut self, sides: &Sides<'_, 'd>, pair: &mut Pair<'d>) {
        compare_counts(
            sides,
            &[("minLength", Facet::MinLength), ("maxLength", Facet::MaxLength)],
            pair,
        );
        self.compare_patterns(sides, pair);
        compare_formats(sides, pair);
        for word in ["contentEncoding", "contentMediaType"] {
            let spot = |facets: &Facets<'d>| facets.words.get(word)?.values().next().copied();
            let spots = (spot(&sides.old.facets), spot(&sides.new.facets));
            let text = |spot: Option<Spot<'d>>| spot.and_then(|spot| spot.node.as_str());
            let turn = match (text(spots.0), text(spots.1)) {
                (one, other) if one == other => continue,
                (None, Some(_)) => Turn::Narrowed,
                (Some(_), None) => Turn::Widened,
                _ => Turn::Changed,
            };
            pair.push(sides.found(Facet::ContentEncoding, turn, spots));
        }
        self.compare_content_schemas(sides, pair);
    }

    fn compare_content_schemas(&mut self, sides: &Sides<'_, 'd>, pair: &mut Pair<'d>) {
        let (old, new) = sides.facets();
        let spots = (old.content_schema.first().copied(), new.content_schema.first().copied());
        match spots {
            (None, None) => {}
            (Some(_), Some(_)) => {
                let (old, new) = (&old.content_schema, &new.content_schema);
                let (old, new) = (Conj::of(old.clone()), Conj::of(new.clone()));
                let below = self.pair(&old, &new, sides.context.inside());
                pair.edge(below);
            }
            (None, Some(_)) => pair.push(sides.found(Facet::ContentSchema, Turn::Narrowed, spots)),
            (Some(_), None) => pair.push(sides.found(Facet::ContentSchema, Turn::Widened, spots)),
        }
    }

    fn compare_patterns(&mut self, sides: &Sides<'_, 'd>, pair: &mut Pair<'d>) {
        let (old, new) = (&sides.old.facets.patterns, &sides.new.facets.patterns);
        if old.keys().eq(new.keys()) {
            return;
        }
        let value = |patterns: &BTreeMap<&'d str, Spot<'d>>| {
            let each = patterns.keys().map(|pattern| json!({ "pattern": pattern }));
            json!({ "type": "string", "allOf": each.collect::<Vec<_>>() })
        };
        let spots = (old.values().next().copied(), new.values().next().copied());
        let (turn, witness) = if old.is_empty() {
            (Turn::Narrowed, None)
        } else if new.is_empty() {
            (Turn::Widened, None)
        } else {
            self.turn_of(&value(old), &value(new), sides.context.way)
        };
        pair.push(sides.found(Facet::Pattern, turn, spots).witnessed(witness));
    }

    /// Which way a schema turned, and a value that shows the break of this way.
    pub(super) fn turn_of(
        &mut self,
        old: &serde_json::Value,
        new: &serde_json::Value,
        way: Direction,
    ) -> (Turn, Option<serde_json::Value>) {
        let lost_nothing = self.proven(new, old);
        let gained_nothing = self.proven(old, new);
        match (lost_nothing, gained_nothing, way) {
            (Covers::Yes, Covers::No { witness }, Direction::Response) => (Turn::Widened, witness),
            // Nothing lost and nothing gained, the same in other words, is what harms nobody this way.
            (Covers::Yes, _, Direction::Request) => (Turn::Widened, None),
            (Covers::No { witness }, Covers::Yes, Direction::Request) => (Turn::Narrowed, witness),
            (_, Covers::Yes, Direction::Response) => (Turn::Narrowed, None),
            (Covers::No { witness }, _, Direction::Request)
            | (_, Covers::No { witness }, Direction::Response) => (worse(way), witness),
            _ => (Turn::Changed, None),
        }
    }
}

fn compare_formats<'d>(sides: &Sides<'_, 'd>, pair: &mut Pair<'d>) {
    let formats = |facets: &Facets<'d>| {
        let mut formats: Vec<(&'d str, Spot<'d>)> = Vec::new();
        let named = facets.words.get("format").into_iter().flatten();
        formats.extend(named.map(|(name, spot)| (*name, *spot)));
        formats
    };
    let (old, new) = (formats(&sides.old.facets), formats(&sides.new.facets));
    let names = |list: &[(&'d str, Spot<'d>)]| -> Vec<&'d str> {
        list.iter().map(|(name, _)| *name).collect()
    };
    if names(&old) == names(&new) {
        return;
    }
    let spots = (old.first().map(|(_, spot)| *spot), new.first().map(|(_, spot)| *spot));
    let is_wider = |one: &str, other: &str| WIDER_FORMATS.contains(&(one, other));
    let way = sides.context.way;
    let is_widest = |name: &str| WIDEST_FORMATS.contains(&name);
    let (turn, level) = match (&old[..], &new[..]) {
        // To the letter less is admitted; no value that is in use is lost.
        ([], [(name, _)]) if is_widest(name) && way == Direction::Request => {
            (Turn::Narrowed, Some(Level::Risky))
        }
        ([(name, _)], []) if is_widest(name) && way == Direction::Response => {
            (Turn::Widened, Some(Level::Risky))
        }
        ([], _) => (Turn::Narrowed, None),
        (_, []) => (Turn::Widened, None),
        ([(one, _)], [(other, _)]) if is_wider(one, other) => match way {
            // Values that were right stay right, but generated code has another type.
            Direction::Request => (Turn::Changed, Some(Level::Risky)),
            Direction::Response => (Turn::Widened, None),
        },
        ([(one, _)], [(other, _)]) if is_wider(other, one) => match way {
            Direction::Request => (Turn::Narrowed, None),
            Direction::Response => (Turn::Changed, Some(Level::Risky)),
        },
        _ => (Turn::Changed, None),
    };
    let found = sides.found(Facet::Format, turn, spots);
    pair.push(match level {
        Some(level) => found.weighing(level),
        None => found,
    });
}

/// Bounds of sizes.
pub(super) fn compare_counts<'d>(
    sides: &Sides<'_, 'd>,
    facets: &[(&'static str, Facet)],
    pair: &mut Pair<'d>,
) {
    for (name, facet) in facets {
        let (old, new) = sides.facets();
        let (one, other) = (old.counts.get(name), new.counts.get(name));
        let is_lower = name.starts_with("min");
        let turn = match (one.map(|held| held.value), other.map(|held| held.value)) {
            (one, other) if one == other => continue,
            (None, _) => Turn::Narrowed,
            (Some(one), Some(other)) if (other > one) == is_lower => Turn::Narrowed,
            _ => Turn::Widened,
        };
        let spots = (one.map(|held| held.spot), other.map(|held| held.spot));
        pair.push(sides.found(*facet, turn, spots));
    }
}

impl<'d> Walker<'_, 'd> {
    /// Two alternatives of one kind.
    pub(super) fn compare_alternatives(
        &mut self,
        kind: Kind,
        sides: &Sides<'_, 'd>,
        pair: &mut Pair<'d>,
    ) {
        self.compare_facets(kind, sides, pair);
        self.compare_extras(kind, sides, pair);
    }

    /// The keywords of one kind that are compared one by one.
    pub(super) fn compare_facets(
        &mut self,
        kind: Kind,
        sides: &Sides<'_, 'd>,
        pair: &mut Pair<'d>,
    ) {
        match kind {
            Kind::Boolean => {}
            Kind::Number => {
                compare_bounds(sides, pair);
                compare_formats(sides, pair);
            }
            Kind::String => self.compare_texts(sides, pair),
            Kind::Array => self.compare_arrays(sides, pair),
            Kind::Object => self.compare_objects(sides, pair),
        }
    }
}

fn compare_steps<'d>(sides: &Sides<'_, 'd>, pair: &mut Pair<'d>) {
    let (old, new) = (&sides.old.facets.multiple_of, &sides.new.facets.multiple_of);
    if old.keys().eq(new.keys()) {
        return;
    }
    // A step admits what each of its multiples does.
    let implies = |these: &BTreeMap<String, Held<'d, f64>>, those: &BTreeMap<_, Held<'d, f64>>| {
        those.values().all(|step| {
            these.values().any(|one| {
                let ratio = one.value / step.value;
                (ratio - ratio.round()).abs() < 1e-9 && ratio.round() != 0.0
            })
        })
    };
    let turn = match (implies(new, old), implies(old, new)) {
        (true, true) => return,
        (true, false) => Turn::Narrowed,
        (false, true) => Turn::Widened,
        (false, false) => worse(sides.context.way),
    };
    let spot = |steps: &BTreeMap<String, Held<'d, f64>>| steps.values().next().map(|h| h.spot);
    pair.push(sides.found(Facet::MultipleOf, turn, (spot(old), spot(new))));
}

/// Bounds and steps of numbers.
pub(super) fn compare_bounds<'d>(sides: &Sides<'_, 'd>, pair: &mut Pair<'d>) {
    let (old, new) = sides.facets();
    for (facet, one, other, is_lower) in [
        (Facet::Minimum, &old.minimum, &new.minimum, true),
        (Facet::Maximum, &old.maximum, &new.maximum, false),
    ] {
        let turn = match (one, other) {
            (None, Some(_)) => Turn::Narrowed,
            (Some(_), None) => Turn::Widened,
            (Some(one), Some(other)) if other.value.is_tighter(one.value, is_lower) => {
                Turn::Narrowed
            }
            (Some(one), Some(other)) if one.value.is_tighter(other.value, is_lower) => {
                Turn::Widened
            }
            _ => continue,
        };
        let spots = (one.as_ref().map(|held| held.spot), other.as_ref().map(|held| held.spot));
        pair.push(sides.found(facet, turn, spots));
    }
    compare_steps(sides, pair);
}
