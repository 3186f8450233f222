//! `unevaluatedProperties` and `unevaluatedItems`: what they speak about depends on which subschemas hold, so they
//! are read as one statement for each set of subschemas that may hold.

use serde_json::{Map, Value};

use super::formula::{Formula, Id, Kind};
use super::read::{Reading, definition_name, fields, list};

/// Most subschemas whose holding matters.
const CONDITION_LIMIT: usize = 5;
/// Longest chain of references and nested subschemas that is followed.
const DEPTH_LIMIT: u32 = 12;

/// What a subschema evaluates when a condition holds.
struct Evaluated {
    condition: Id,
    reach: Reach,
}

#[derive(Clone, Copy)]
enum Reach {
    Names(Id),
    /// The items before that place.
    Before(usize),
    AllItems,
}

impl Reading<'_> {
    pub(super) fn unevaluated(
        &mut self,
        schema: &Value,
        map: &Map<String, Value>,
        parts: &mut Vec<Id>,
    ) {
        for (keyword, kind) in
            [("unevaluatedProperties", Kind::Object), ("unevaluatedItems", Kind::Array)]
        {
            let Some(inner) = map.get(keyword) else { continue };
            let inner = self.schema(inner);
            if inner == self.formulas.truth() {
                continue;
            }
            let always = self.formulas.truth();
            let mut found = Vec::new();
            let is_known = self.evaluated(map, kind, always, true, 0, &mut found).is_some();
            let statement = if is_known { self.statement(kind, &found, inner) } else { None };
            match statement {
                Some(statement) => parts.push(statement),
                None => parts.push(self.opaque(kind, schema)),
            }
        }
    }

    /// For each set of conditions: unless one outside of the set holds, what the set does not reach satisfies `inner`.
    fn statement(&mut self, kind: Kind, found: &[Evaluated], inner: Id) -> Option<Id> {
        let always = self.formulas.truth();
        let mut conditions: Vec<Id> =
            found.iter().map(|one| one.condition).filter(|one| *one != always).collect();
        conditions.sort_unstable();
        conditions.dedup();
        if conditions.len() > CONDITION_LIMIT {
            return None;
        }
        let mut parts = Vec::new();
        for set in 0..1_usize << conditions.len() {
            let holds = |condition: Id| {
                let at = conditions.iter().position(|one| *one == condition);
                at.is_none_or(|at| set >> at & 1 == 1)
            };
            let reached: Vec<Reach> =
                found.iter().filter(|one| holds(one.condition)).map(|one| one.reach).collect();
            let mut alternatives: Vec<Id> =
                conditions.iter().copied().filter(|condition| !holds(*condition)).collect();
            alternatives.push(self.beyond(kind, &reached, inner));
            parts.push(self.formulas.any(alternatives));
        }
        Some(self.formulas.all(parts))
    }

    fn beyond(&mut self, kind: Kind, reached: &[Reach], inner: Id) -> Id {
        if kind == Kind::Object {
            let names = reached.iter().filter_map(|reach| match reach {
                Reach::Names(names) => Some(*names),
                _ => None,
            });
            let known = self.formulas.any(names);
            let others = self.formulas.not(known);
            return self.every(others, inner);
        }
        let mut before = 0;
        for reach in reached {
            match reach {
                Reach::AllItems => return self.formulas.truth(),
                Reach::Before(at) => before = before.max(*at),
                Reach::Names(_) => {}
            }
        }
        self.formulas.add(Formula::From(before, inner))
    }

    /// `None` when it cannot be told.
    fn evaluated(
        &mut self,
        map: &Map<String, Value>,
        kind: Kind,
        condition: Id,
        is_own: bool,
        depth: u32,
        found: &mut Vec<Evaluated>,
    ) -> Option<()> {
        if depth > DEPTH_LIMIT {
            return None;
        }
        let reach = if kind == Kind::Object {
            self.names_reached(map, is_own)
        } else {
            Some(items_reached(map, is_own)?)
        };
        found.extend(reach.map(|reach| Evaluated { condition, reach }));
        if let Some(name) = definition_name(map) {
            let root = self.root;
            if let Some(Value::Object(body)) = root.get("$defs").and_then(|defs| defs.get(name)) {
                self.evaluated(body, kind, condition, false, depth + 1, found)?;
            }
        }
        for inner in list(map, "allOf") {
            self.inner(inner, kind, condition, depth, found)?;
        }
        for inner in list(map, "anyOf").iter().chain(list(map, "oneOf")) {
            let holds = self.schema(inner);
            let both = self.formulas.all([condition, holds]);
            self.inner(inner, kind, both, depth, found)?;
        }
        if let Some(test) = map.get("if") {
            let holds = self.schema(test);
            let fails = self.formulas.not(holds);
            let (then, other) =
                (self.formulas.all([condition, holds]), self.formulas.all([condition, fails]));
            self.inner(test, kind, then, depth, found)?;
            if let Some(inner) = map.get("then") {
                self.inner(inner, kind, then, depth, found)?;
            }
            if let Some(inner) = map.get("else") {
                self.inner(inner, kind, other, depth, found)?;
            }
        }
        for (name, inner) in fields(map, "dependentSchemas") {
            let (name, truth) = (self.formulas.word(name), self.formulas.truth());
            let is_there = self.formulas.add(Formula::Some(name, truth));
            let both = self.formulas.all([condition, is_there]);
            self.inner(inner, kind, both, depth, found)?;
        }
        Some(())
    }

    fn inner(
        &mut self,
        inner: &Value,
        kind: Kind,
        condition: Id,
        depth: u32,
        found: &mut Vec<Evaluated>,
    ) -> Option<()> {
        match inner {
            Value::Object(map) => self.evaluated(map, kind, condition, false, depth + 1, found),
            _ => Some(()),
        }
    }

    fn names_reached(&mut self, map: &Map<String, Value>, is_own: bool) -> Option<Reach> {
        let takes_all = map.contains_key("additionalProperties")
            || (!is_own && map.contains_key("unevaluatedProperties"));
        let names = if takes_all { self.formulas.truth() } else { self.named(map) };
        (names != self.formulas.falsehood()).then_some(Reach::Names(names))
    }
}

/// `None` when it cannot be told: which items `contains` evaluates depends on the items.
fn items_reached(map: &Map<String, Value>, is_own: bool) -> Option<Reach> {
    if map.contains_key("items") || (!is_own && map.contains_key("unevaluatedItems")) {
        return Some(Reach::AllItems);
    }
    let prefix = list(map, "prefixItems").len();
    (!map.contains_key("contains")).then_some(Reach::Before(prefix))
}
