//! Several alternatives of one kind on either side: which became which, and whether all of it still fits.

use std::rc::Rc;

use qc_document::NodeValue;

use super::super::found::{Found, Said};
use super::super::rules::{self, Facet, Level, Turn};
use super::super::shape::{Alternative, Kind, Kinds, Role, emit_kind};
use super::super::side::{Side, Spot, Which};
use super::scalars::Sides;
use super::{AS_MEANT, Bound, CLOSED, Context, Edge, LITERALLY, Pair, Walker};
use crate::documents::last_segment;
use crate::mismatch::Direction;
use crate::subsume::Covers;

type Alternatives<'d> = [Rc<Alternative<'d>>];

impl<'d> Walker<'_, 'd> {
    pub(super) fn compare_kind(
        &mut self,
        kind: Kind,
        old: &Alternatives<'d>,
        new: &Alternatives<'d>,
        context: Context,
        around: (Spot<'d>, Spot<'d>),
        pair: &mut Pair<'d>,
    ) {
        if let ([one], [other]) = (old, new) {
            let sides = Sides { old: one, new: other, around, context };
            self.compare_alternatives(kind, &sides, pair);
            return;
        }
        let matched = self.matched(old, new);
        if matched.is_equal(old, new) {
            return;
        }
        let way = context.way;
        let left = (matched.unmatched_old(old.len()), matched.unmatched_new(new.len()));
        let all_left = left.0.iter().map(|at| &old[*at]).chain(left.1.iter().map(|at| &new[*at]));
        let mut unnamed = all_left.map(|one| name(one).is_none());
        // Combined otherwise, the same alternatives look like others.
        if unnamed.next().is_some_and(|first| first && unnamed.all(|one| one))
            && self.are_equivalent(kind, old, new, way)
        {
            return;
        }
        let mut inner = Pair::default();
        for (at, to) in &matched.pairs {
            let around = (place(&old[*at], around.0), place(&new[*to], around.1));
            let sides = Sides { old: &old[*at], new: &new[*to], around, context };
            self.compare_alternatives(kind, &sides, &mut inner);
            if Kind::ALL.into_iter().find(|kind| one_of_kind(sides.old, *kind)) == Some(kind) {
                self.compare_inert(&sides, &mut inner);
            }
        }
        for at in &left.0 {
            let spot = place(&old[*at], around.0);
            let rule = Facet::Union.rule(way, Turn::Narrowed);
            let message = format!("{} is no alternative any more", called(&old[*at]));
            let found = Found::new(rule, Said::value(spot), Said::absent(around.1), message);
            let taken = way == Direction::Request
                && self.is_another(kind, (Which::Old, &old[*at]), (Which::New, new), way);
            inner.push(if taken { found.at_most(Level::Additive) } else { found });
        }
        for at in &left.1 {
            let spot = place(&new[*at], around.1);
            let rule = Facet::Union.rule(way, Turn::Widened);
            let message = format!("{} is an alternative now", called(&new[*at]));
            let found = Found::new(rule, Said::absent(around.0), Said::value(spot), message);
            let taken = way == Direction::Response
                && self.is_another(kind, (Which::New, &new[*at]), (Which::Old, old), way);
            inner.push(if taken { found.at_most(Level::Additive) } else { found });
        }
        // Who sends has an alternative that fits for each of his own, or a break is told. Where pairs were guessed from
        // their shape, another alternative may take what its own does not.
        let is_guessed = left.0.is_empty() && left.1.is_empty() && matched.is_guessed;
        let is_settled = is_guessed
            && self.worst(&inner) >= Some(Level::Breaking)
            && self.is_taken(kind, old, new, way);
        let bound = if is_settled { Bound::PROVEN } else { Bound::NONE };
        pair.found.extend(inner.found.into_iter().map(|found| {
            let level = bound.of(&found);
            found.weighing(level)
        }));
        pair.edges.extend(inner.edges.iter().map(|e| Edge { to: e.to, bound: e.bound.and(bound) }));
    }

    /// Whether all that may be sent is taken, whatever became of which alternative.
    fn is_taken(
        &mut self,
        kind: Kind,
        old: &Alternatives<'d>,
        new: &Alternatives<'d>,
        way: Direction,
    ) -> bool {
        let (old, new) = ((Which::Old, old), (Which::New, new));
        let proof = match way {
            Direction::Request => self.proof(new, old, kind, way, AS_MEANT),
            Direction::Response => self.proof(old, new, kind, way, AS_MEANT),
        };
        proof == Covers::Yes
    }

    /// Whether either side admits exactly what the other does.
    fn are_equivalent(
        &mut self,
        kind: Kind,
        old: &Alternatives<'d>,
        new: &Alternatives<'d>,
        way: Direction,
    ) -> bool {
        let (old, new) = ((Which::Old, old), (Which::New, new));
        self.proof(new, old, kind, way, LITERALLY) == Covers::Yes
            && self.proof(old, new, kind, way, LITERALLY) == Covers::Yes
    }

    /// Whether an alternative that came or went is one of those on the other side under another name. Alternatives are
    /// read as closed: one that does not name a property does not mean to take it. Where only one is left, the union is
    /// gone and there is nothing to choose: it takes what it admits, if it names what the alternative named.
    fn is_another(
        &mut self,
        kind: Kind,
        (which, one): (Which, &Rc<Alternative<'d>>),
        others: (Which, &Alternatives<'d>),
        way: Direction,
    ) -> bool {
        let sent = (which, std::slice::from_ref(one));
        if self.proof(others, sent, kind, way, CLOSED) == Covers::Yes {
            return true;
        }
        let [only] = others.1 else { return false };
        one.facets.property_names().is_subset(&only.facets.property_names())
            && self.proof(others, sent, kind, way, AS_MEANT) == Covers::Yes
    }

    /// Pairs alternatives: equal ones first, then those of one name, then what is left when it is one of each.
    fn matched(&mut self, old: &Alternatives<'d>, new: &Alternatives<'d>) -> Matched {
        let mut matched = Matched { pairs: Vec::new(), equal: Vec::new(), is_guessed: false };
        for (at, one) in old.iter().enumerate() {
            let free = (0..new.len()).filter(|to| !matched.has_new(*to)).collect::<Vec<_>>();
            let same = free.into_iter().find(|to| {
                one.flat.types == new[*to].flat.types
                    && self.are_same(&substance(one), &substance(&new[*to]))
            });
            if let Some(to) = same {
                matched.equal.push((at, to));
            }
        }
        for (pass, is_guess) in [(same_name as Likeness, false), (same_shape as Likeness, true)] {
            for (at, one) in old.iter().enumerate() {
                if matched.has_old(at) {
                    continue;
                }
                let fits = |to: &usize| !matched.has_new(*to) && pass(one, &new[*to]);
                if let Some(to) = (0..new.len()).find(fits) {
                    matched.pairs.push((at, to));
                    matched.is_guessed |= is_guess;
                }
            }
        }
        let left = (matched.unmatched_old(old.len()), matched.unmatched_new(new.len()));
        if let ([at], [to]) = (&left.0[..], &left.1[..]) {
            matched.pairs.push((*at, *to));
            matched.is_guessed = true;
        }
        matched
    }

    /// A schema that became one of several, of which exactly one has to fit: whether what fitted it fits two.
    pub(super) fn compare_one_of(
        &mut self,
        old: &Kinds<'d>,
        new: &Kinds<'d>,
        context: Context,
        around: (Spot<'d>, Spot<'d>),
        pair: &mut Pair<'d>,
    ) {
        if context.way != Direction::Request {
            return;
        }
        let (old, new) = (old.of_kind(Kind::Object), new.of_kind(Kind::Object));
        if old.is_empty() || new.len() < 2 || new.len() > 8 {
            return;
        }
        // Alternatives are read as closed: one that does not name a property does not mean to take it.
        let closed = |side: &Side<'d>, list: &Alternatives<'d>| {
            emit_kind(side, Some(context.way), Role::Sender, Kind::Object, list)
        };
        let Ok(sent) = closed(self.old, &old) else { return };
        let mut fitting = 0;
        for one in &new {
            let Ok(taken) = closed(self.new, std::slice::from_ref(one)) else { return };
            fitting += usize::from(self.proven(&taken, &sent) == Covers::Yes);
        }
        if fitting >= 2 {
            let message = format!("what was accepted fits {fitting} alternatives of `oneOf`");
            let said = (Said::value(around.0), Said::value(around.1));
            pair.push(Found::new(&rules::REQUEST_ONE_OF_AMBIGUOUS, said.0, said.1, message));
        }
    }
}

/// Whether two alternatives may be the same one.
type Likeness = fn(&Alternative<'_>, &Alternative<'_>) -> bool;

struct Matched {
    pairs: Vec<(usize, usize)>,
    equal: Vec<(usize, usize)>,
    /// Whether some pair goes by its shape, not by its name.
    is_guessed: bool,
}

impl Matched {
    fn has_old(&self, at: usize) -> bool {
        self.pairs.iter().chain(&self.equal).any(|(old, _)| *old == at)
    }

    fn has_new(&self, at: usize) -> bool {
        self.pairs.iter().chain(&self.equal).any(|(_, new)| *new == at)
    }

    fn unmatched_old(&self, length: usize) -> Vec<usize> {
        (0..length).filter(|at| !self.has_old(*at)).collect()
    }

    fn unmatched_new(&self, length: usize) -> Vec<usize> {
        (0..length).filter(|at| !self.has_new(*at)).collect()
    }

    fn is_equal(&self, old: &Alternatives<'_>, new: &Alternatives<'_>) -> bool {
        self.equal.len() == old.len() && old.len() == new.len()
    }
}

fn name<'a>(alternative: &Alternative<'a>) -> Option<std::borrow::Cow<'a, str>> {
    let branch = alternative.flat.branch?;
    if let Some(reference) = branch.text("$ref") {
        return Some(last_segment(reference).into());
    }
    branch.text("title").map(Into::into)
}

fn same_name(old: &Alternative<'_>, new: &Alternative<'_>) -> bool {
    name(old).is_some_and(|one| name(new).is_some_and(|other| one == other))
}

/// Whether two unnamed alternatives are likely the same: half of their properties, or their constants, agree.
fn same_shape(old: &Alternative<'_>, new: &Alternative<'_>) -> bool {
    if old.flat.types != new.flat.types || (name(old).is_some() && name(new).is_some()) {
        return false;
    }
    let (one, other) = (old.facets.property_names(), new.facets.property_names());
    let shared = one.intersection(&other).count();
    let all = one.union(&other).count();
    shared * 2 > all && constants(old) == constants(new)
}

/// Properties with one value each: what tells alternatives apart.
fn constants<'d>(alternative: &Alternative<'d>) -> Vec<(&'d str, String)> {
    let single = |spot: &Spot<'d>| {
        let value =
            spot.node.get("const").or_else(|| match spot.node.get("enum")?.as_sequence()? {
                [only] => Some(only),
                _ => None,
            })?;
        matches!(value.value, NodeValue::String(_)).then(|| super::super::found::shown(value))
    };
    let properties = alternative.facets.properties.iter();
    properties.filter_map(|(name, spots)| Some((*name, single(spots.first()?)?))).collect()
}

/// The parts of an alternative that say something themselves, besides combining others.
fn substance<'d>(alternative: &Alternative<'d>) -> Vec<Spot<'d>> {
    let says = |part: &&Spot<'d>| {
        let keys = part.node.as_mapping().unwrap_or_default().iter();
        keys.map(|(key, _)| &*key.name)
            .any(|key| !matches!(key, "allOf" | "anyOf" | "oneOf" | "$ref" | "$dynamicRef"))
    };
    alternative.flat.parts.iter().filter(says).copied().collect()
}

fn one_of_kind(alternative: &Alternative<'_>, kind: Kind) -> bool {
    alternative.flat.types.has(kind.types())
}

fn called(alternative: &Alternative<'_>) -> String {
    match name(alternative) {
        Some(name) => format!("`{name}`"),
        None => format!("one of type {}", alternative.flat.types.said()),
    }
}

fn place<'d>(alternative: &Alternative<'d>, around: Spot<'d>) -> Spot<'d> {
    alternative.flat.branch.unwrap_or(around)
}
