//! Two schemas side by side: what differs, where, and which way.
//!
//! Every pair of schemas is compared once for each context; its findings and the pairs below it are kept as a graph,
//! from which [`Walker::collect`] reads what a place of use sees. Recursion ends at pairs that are known already.

mod alternatives;
mod arrays;
mod effect;
mod extras;
mod objects;
mod scalars;
mod values;
mod words;

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use super::equal::Equality;
use super::found::{Found, Said};
use super::lifecycle::Calendar;
use super::rules::{Facet, Level, Turn};
use super::shape::{Conj, ConjId, Kind, Kinds, Role, Types, emit_kind};
use super::side::{Side, Spot, Which};
use crate::mismatch::Direction;
use crate::subsume::{CoverOptions, Covers, covers};
use values::compare_values;

/// Most pairs of schemas that one comparison looks at.
const PAIR_LIMIT: usize = 200_000;
/// Deepest chain of pairs: a recursion that never comes back to a known pair ends here.
const DEPTH_LIMIT: usize = 100;
/// Most proofs that one comparison asks for.
const PROOF_LIMIT: usize = 5_000;

/// How a value travels.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Wire {
    /// As JSON or something like it.
    Document,
    /// As the text of a parameter or header.
    Text,
    /// Inside of a list or object that is written as text.
    TextInside,
    /// As XML.
    Xml,
}

/// Where a pair of schemas is used.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Context {
    pub(super) way: Direction,
    pub(super) wire: Wire,
}

impl Context {
    /// For schemas inside of this one.
    fn inside(self) -> Self {
        let wire = if self.wire == Wire::Text { Wire::TextInside } else { self.wire };
        Self { wire, ..self }
    }

    /// Whether scalars are texts here.
    fn is_text(self) -> bool {
        matches!(self.wire, Wire::Text | Wire::TextInside)
    }
}

/// A pair, by its number.
pub(super) type PairId = usize;

/// What a pair found itself, and the pairs below it.
#[derive(Debug, Default)]
pub(super) struct Pair<'d> {
    pub(super) found: Vec<Found<'d>>,
    pub(super) edges: Vec<Edge>,
}

/// A pair below another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Edge {
    pub(super) to: PairId,
    pub(super) bound: Bound,
}

/// What findings weigh at most in a place.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub(super) struct Bound {
    /// At most this.
    pub(super) cap: Level,
    /// At most this, where the finding is about what is admitted: a proof has the last word on that.
    pub(super) provable: Level,
}

impl Bound {
    pub(super) const NONE: Self = Self { cap: Level::Breaking, provable: Level::Breaking };

    pub(super) fn capped(cap: Level) -> Self {
        Self { cap, ..Self::NONE }
    }

    /// All that was admitted still is.
    const PROVEN: Self = Self { cap: Level::Breaking, provable: Level::Additive };

    fn and(self, other: Self) -> Self {
        Self { cap: self.cap.min(other.cap), provable: self.provable.min(other.provable) }
    }

    fn of(self, found: &Found<'_>) -> Level {
        let level = found.level.min(self.cap);
        if found.rule.is_provable() { level.min(self.provable) } else { level }
    }
}

impl<'d> Pair<'d> {
    fn push(&mut self, found: Found<'d>) {
        self.found.push(found);
    }

    fn edge(&mut self, to: PairId) {
        self.edges.push(Edge { to, bound: Bound::NONE });
    }
}

/// The pair of schemas that are equal.
pub(super) const NOTHING: PairId = 0;

pub(super) struct Walker<'s, 'd> {
    pub(super) old: &'s Side<'d>,
    pub(super) new: &'s Side<'d>,
    pub(super) calendar: Calendar,
    equality: Equality<'s, 'd>,
    pairs: Vec<Pair<'d>>,
    known: HashMap<(ConjId, ConjId, Context), PairId>,
    kinds: HashMap<(Which, ConjId), Rc<Kinds<'d>>>,
    depth: usize,
    proofs: usize,
    /// Whether some limit cut the comparison short.
    pub(super) cut_short: bool,
}

impl<'s, 'd> Walker<'s, 'd> {
    pub(super) fn new(old: &'s Side<'d>, new: &'s Side<'d>, calendar: Calendar) -> Self {
        Self {
            old,
            new,
            calendar,
            equality: Equality::new(old, new),
            pairs: vec![Pair::default()],
            known: HashMap::new(),
            kinds: HashMap::new(),
            depth: 0,
            proofs: 0,
            cut_short: false,
        }
    }

    /// Compares two schemas.
    pub(super) fn pair(&mut self, old: &Conj<'d>, new: &Conj<'d>, context: Context) -> PairId {
        if self.are_equal(old, new) {
            return NOTHING;
        }
        let key = (old.id(), new.id(), context);
        if let Some(known) = self.known.get(&key) {
            return *known;
        }
        if self.pairs.len() >= PAIR_LIMIT || self.depth >= DEPTH_LIMIT {
            self.cut_short = true;
            return NOTHING;
        }
        let id = self.pairs.len();
        self.pairs.push(Pair::default());
        self.known.insert(key, id);
        self.depth += 1;
        let mut pair = Pair::default();
        self.compare(old, new, context, &mut pair);
        self.depth -= 1;
        pair.edges.retain(|edge| edge.to != NOTHING);
        self.pairs[id] = pair;
        id
    }

    pub(super) fn are_equal(&mut self, old: &Conj<'d>, new: &Conj<'d>) -> bool {
        old.schemas.len() == new.schemas.len()
            && old
                .schemas
                .iter()
                .zip(new.schemas.iter())
                .all(|(old, new)| self.equality.holds(*old, *new))
    }

    fn are_same(&mut self, old: &[Spot<'d>], new: &[Spot<'d>]) -> bool {
        old.len() == new.len()
            && old.iter().zip(new).all(|(old, new)| self.equality.holds(*old, *new))
    }

    pub(super) fn kinds(&mut self, which: Which, conj: &Conj<'d>) -> Rc<Kinds<'d>> {
        let side = if which == Which::Old { self.old } else { self.new };
        let key = (which, conj.id());
        Rc::clone(self.kinds.entry(key).or_insert_with(|| Rc::new(Kinds::of(side, conj))))
    }

    fn compare(&mut self, old: &Conj<'d>, new: &Conj<'d>, context: Context, pair: &mut Pair<'d>) {
        let around = (old.anchor(self.old), new.anchor(self.new));
        self.compare_words(old, new, context, around, pair);
        let kinds = (self.kinds(Which::Old, old), self.kinds(Which::New, new));
        compare_types(&kinds.0, &kinds.1, context, around, pair);
        let are_listed = compare_values(&kinds.0, &kinds.1, context, around, pair);
        for kind in Kind::ALL {
            if are_listed && kind.is_scalar() {
                continue;
            }
            let both = (kinds.0.of_kind(kind), kinds.1.of_kind(kind));
            if both.0.is_empty() || both.1.is_empty() {
                continue;
            }
            self.compare_kind(kind, &both.0, &both.1, context, around, pair);
        }
        self.compare_without_effect(&kinds.0, &kinds.1, context, around, pair);
        if !kinds.1.one_of.is_empty() && kinds.0.one_of.is_empty() {
            self.compare_one_of(&kinds.0, &kinds.1, context, around, pair);
        }
    }

    /// Whether the receiver admits what the sender may send, of one kind.
    fn proof(
        &mut self,
        receiver: (Which, &[Rc<super::shape::Alternative<'d>>]),
        sender: (Which, &[Rc<super::shape::Alternative<'d>>]),
        kind: Kind,
        way: Direction,
        roles: (Role, Role),
    ) -> Covers {
        let side = |which: Which| if which == Which::Old { self.old } else { self.new };
        let emitted = |role: Role, (which, list): (Which, &[Rc<super::shape::Alternative<'d>>])| {
            emit_kind(side(which), Some(way), role, kind, list)
        };
        let (Ok(receiver), Ok(sender)) = (emitted(roles.0, receiver), emitted(roles.1, sender))
        else {
            return Covers::Unknown { why: "the schemas are too large" };
        };
        self.proven(&receiver, &sender)
    }

    fn proven(&mut self, sup: &serde_json::Value, sub: &serde_json::Value) -> Covers {
        if self.proofs >= PROOF_LIMIT {
            self.cut_short = true;
            return Covers::Unknown { why: "too many proofs were asked for" };
        }
        self.proofs += 1;
        covers(sup, sub, CoverOptions::default())
    }

    /// The heaviest level of a pair and those below it.
    fn worst(&self, pair: &Pair<'d>) -> Option<Level> {
        let mut seen = HashSet::new();
        let mut open: Vec<Edge> = pair.edges.clone();
        let mut worst = pair.found.iter().map(|found| found.level).max();
        while let Some(edge) = open.pop() {
            if !seen.insert(edge) {
                continue;
            }
            let below = &self.pairs[edge.to];
            let own = below.found.iter().map(|found| edge.bound.of(found)).max();
            worst = worst.max(own);
            open.extend(
                below.edges.iter().map(|e| Edge { to: e.to, bound: e.bound.and(edge.bound) }),
            );
        }
        worst
    }

    /// Everything that a use of a pair sees, each with its level there.
    pub(super) fn collect(
        &self,
        pair: PairId,
        bound: Bound,
        mut each: impl FnMut(&Found<'d>, Level),
    ) {
        let mut seen: HashSet<Edge> = HashSet::new();
        let mut open = vec![Edge { to: pair, bound }];
        while let Some(edge) = open.pop() {
            if !seen.insert(edge) {
                continue;
            }
            let below = &self.pairs[edge.to];
            for found in &below.found {
                each(found, edge.bound.of(found));
            }
            let edges = below.edges.iter();
            open.extend(edges.map(|e| Edge { to: e.to, bound: e.bound.and(edge.bound) }));
        }
    }
}

/// As consumers mean it: what they do not name they do not send.
const AS_MEANT: (Role, Role) = (Role::Receiver, Role::Sender);
/// To the letter, for keywords that speak of what is not named.
const LITERALLY: (Role, Role) = (Role::Literal, Role::Literal);
/// Both sides name all that there may be: whether an alternative is another one's.
const CLOSED: (Role, Role) = (Role::Sender, Role::Sender);

/// The turn that breaks this way.
fn worse(way: Direction) -> Turn {
    match way {
        Direction::Request => Turn::Narrowed,
        Direction::Response => Turn::Widened,
    }
}

fn compare_types<'d>(
    old: &Kinds<'d>,
    new: &Kinds<'d>,
    context: Context,
    around: (Spot<'d>, Spot<'d>),
    pair: &mut Pair<'d>,
) {
    let said = |kinds: &Kinds<'d>| {
        let unknown: Vec<&str> = kinds.unknown.iter().copied().collect();
        match (kinds.types.has(Types::OTHER), unknown.is_empty()) {
            (true, false) => unknown.join(" or "),
            _ => kinds.types.said(),
        }
    };
    let mut lost = old.types.without(new.types);
    let mut gained = new.types.without(old.types);
    let is_text =
        context.is_text() && context.way == Direction::Request && new.types.has(Types::STRING);
    let scalars = Types::NUMBER.or(Types::BOOLEAN);
    if is_text && !old.types.has(Types::STRING) {
        // Every scalar is a text there.
        lost = lost.without(scalars);
    }
    // What was a number or a text is read as a text: it still arrives.
    let is_reread = is_text && lost.without(scalars).is_empty() && gained.is_empty();
    let is_only_null = |kinds: &Kinds<'d>| kinds.types.without(Types::NULL).is_empty();
    if !is_only_null(old) && !is_only_null(new) {
        let turn = if lost.has(Types::NULL) {
            Some((Turn::Narrowed, "null is no longer admitted"))
        } else if gained.has(Types::NULL) {
            Some((Turn::Widened, "null is admitted now"))
        } else {
            None
        };
        if let Some((turn, message)) = turn {
            let rule = Facet::Nullable.rule(context.way, turn);
            let sides = (Said::new(around.0, said(old)), Said::new(around.1, said(new)));
            pair.push(Found::new(rule, sides.0, sides.1, message));
        }
        lost = lost.without(Types::NULL);
        gained = gained.without(Types::NULL);
    }
    let renamed =
        old.types.has(Types::OTHER) && new.types.has(Types::OTHER) && old.unknown != new.unknown;
    let turn = match (lost.is_empty(), gained.is_empty()) {
        _ if renamed => Turn::Changed,
        (true, true) => return,
        (false, true) => Turn::Narrowed,
        (true, false) => Turn::Widened,
        (false, false) => Turn::Changed,
    };
    let message = format!("the type was {} and is {}", said(old), said(new));
    let sides = (Said::new(around.0, said(old)), Said::new(around.1, said(new)));
    let found = Found::new(Facet::Type.rule(context.way, turn), sides.0, sides.1, message);
    pair.push(if is_reread { found.at_most(Level::Risky) } else { found });
}
