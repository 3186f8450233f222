//! From a conjunction to alternatives: which parts hold together, and which types they leave.

use std::collections::{BTreeMap, BTreeSet};

use qc_document::{Node, NodeValue};

use super::super::side::{Side, Spot};
use super::{Conj, Types};
use crate::model::Version;

/// Most schemas that one conjunction is merged from.
const PART_LIMIT: usize = 256;
/// Most alternatives that one schema is spread over; beyond that its unions stay as they are written.
pub(crate) const ALTERNATIVE_LIMIT: usize = 48;

/// Parts that hold together, with all references followed and `allOf` merged.
#[derive(Clone, Debug)]
pub(in super::super) struct Flat<'d> {
    pub(in super::super) parts: Vec<Spot<'d>>,
    pub(in super::super) types: Types,
    /// Names of types that no standard knows.
    pub(in super::super) unknown: BTreeSet<&'d str>,
    /// Whether some part names types.
    typed: bool,
    /// The branch of a union that was chosen last: what the alternative is called.
    pub(in super::super) branch: Option<Spot<'d>>,
    /// Unions that are not spread because there would be too many alternatives.
    pub(in super::super) unspread: Vec<Spot<'d>>,
    /// Unions that parts brought and that have to be spread yet.
    pending: Vec<Spot<'d>>,
    /// Unions that have been spread, by address.
    done: BTreeSet<usize>,
    never: bool,
}

/// All alternatives of a conjunction.
pub(super) struct Spread<'d> {
    pub(super) alternatives: Vec<Flat<'d>>,
    /// `oneOf` lists that were spread: where "exactly one" may matter.
    pub(super) one_of: Vec<Spot<'d>>,
}

pub(super) fn spread<'d>(side: &Side<'d>, conj: &Conj<'d>) -> Spread<'d> {
    let mut base = Flat::of_types(Types::ALL.or(Types::OTHER));
    for schema in conj.schemas.iter() {
        base.add(side, *schema);
    }
    let mut spread = Spread { alternatives: Vec::new(), one_of: Vec::new() };
    let mut open = vec![base];
    while let Some(mut flat) = open.pop() {
        let Some(union) = flat.pending.pop() else {
            spread.alternatives.push(flat.settled());
            continue;
        };
        let branches = union.node.as_sequence().unwrap_or_default();
        if branches.len() + open.len() + spread.alternatives.len() > ALTERNATIVE_LIMIT {
            flat.unspread.push(union);
            open.push(flat);
            continue;
        }
        // Pushed in reverse, so that alternatives come out in the order of the document.
        for branch in branches.iter().rev() {
            let branch = union.with(branch);
            let mut chosen = flat.clone();
            chosen.branch = Some(branch);
            chosen.add(side, branch);
            open.push(chosen);
        }
    }
    spread.alternatives.retain(|flat| !flat.never && !flat.types.is_empty());
    let nulls: Vec<Null> = conj.schemas.iter().map(|schema| null_of(side, *schema, 0)).collect();
    if all_of(&nulls) == Null::Yes
        && !spread.alternatives.iter().any(|flat| flat.types.has(Types::NULL))
    {
        spread.alternatives.push(Flat::of_types(Types::NULL));
    }
    spread.one_of = one_of_lists(&spread.alternatives);
    spread
}

fn one_of_lists<'d>(alternatives: &[Flat<'d>]) -> Vec<Spot<'d>> {
    let mut lists: BTreeMap<usize, Spot<'d>> = BTreeMap::new();
    for flat in alternatives {
        for part in &flat.parts {
            if let Some(list) = part.get("oneOf")
                && list.node.as_sequence().is_some_and(|branches| branches.len() > 1)
            {
                lists.insert(list.id(), list);
            }
        }
    }
    lists.into_values().collect()
}

impl<'d> Flat<'d> {
    fn of_types(types: Types) -> Self {
        Self {
            parts: Vec::new(),
            types,
            unknown: BTreeSet::new(),
            typed: false,
            branch: None,
            unspread: Vec::new(),
            pending: Vec::new(),
            done: BTreeSet::new(),
            never: false,
        }
    }

    /// Adds a schema with all that it refers to.
    fn add(&mut self, side: &Side<'d>, schema: Spot<'d>) {
        let entries = match &schema.node.value {
            NodeValue::Bool(false) => {
                self.never = true;
                return;
            }
            NodeValue::Mapping(entries) => entries,
            _ => return,
        };
        let known = self.parts.iter().any(|part| part.id() == schema.id());
        if known || self.parts.len() >= PART_LIMIT {
            return;
        }
        if let Some(reference) = reference_of(schema) {
            // References may go round in a circle.
            if !self.done.insert(schema.id()) {
                return;
            }
            // Before 3.1, what stands beside a reference is not read.
            let is_read = side.version == Version::V3_1;
            if is_read {
                self.parts.push(schema);
            }
            if let Some(target) = side.target(schema.file, reference) {
                self.add(side, target);
            }
            if !is_read {
                return;
            }
        } else {
            self.parts.push(schema);
        }
        self.restrict(side, schema);
        for (key, value) in entries {
            let value = schema.with(value);
            let branches = value.node.as_sequence().unwrap_or_default();
            match &*key.name {
                "allOf" => branches.iter().for_each(|branch| self.add(side, value.with(branch))),
                "anyOf" | "oneOf" if !branches.is_empty() && self.done.insert(value.id()) => {
                    self.pending.push(value);
                }
                _ => {}
            }
        }
    }

    /// Narrows the types to those of one part.
    fn restrict(&mut self, side: &Side<'d>, part: Spot<'d>) {
        let mut types = Types::ALL.or(Types::OTHER);
        let mut says = false;
        let mut names = Vec::new();
        match part.get("type").map(|spot| &spot.node.value) {
            Some(NodeValue::String(name)) => names.push(&**name),
            Some(NodeValue::Sequence(list)) => names.extend(list.iter().filter_map(Node::as_str)),
            _ => {}
        }
        if !names.is_empty() {
            says = true;
            types = Types::NONE;
            for name in names {
                let named = Types::named(name);
                types = types.or(named);
                if named == Types::OTHER {
                    self.unknown.insert(name);
                }
            }
            self.typed = true;
        }
        let mut listed = Types::NONE;
        let values = part.items("enum").map(|item| item.node);
        for value in values.chain(part.node.get("const")) {
            listed = listed.or(type_of(value));
        }
        if !listed.is_empty() {
            // A description may call a type by a name that no standard knows, and list its values.
            types = types.and(listed.or(Types::OTHER));
            if types.and(Types::ALL).is_empty() {
                types = types.or(listed);
            }
            self.typed = true;
        }
        if nullable(side, part) && says {
            types = types.or(Types::NULL);
        }
        self.types = self.types.and(types);
    }

    /// What nobody typed gets the type that its keywords are about.
    fn settled(mut self) -> Self {
        if !self.typed {
            let any = |keys: &[&str]| {
                self.parts.iter().any(|part| keys.iter().any(|key| part.get(key).is_some()))
            };
            if any(&["properties", "additionalProperties", "patternProperties"]) {
                self.types = self.types.and(Types::OBJECT);
            } else if any(&["items", "prefixItems"]) {
                self.types = self.types.and(Types::ARRAY);
            } else {
                self.types = self.types.and(Types::ALL);
            }
        } else if self.unknown.is_empty() {
            self.types = self.types.and(Types::ALL);
        }
        self
    }
}

/// Whether a schema of this generation says that it admits null.
fn nullable(side: &Side<'_>, schema: Spot<'_>) -> bool {
    match side.version {
        Version::V3_0 => schema.flag("nullable"),
        Version::V2 => schema.flag("x-nullable"),
        Version::V3_1 => false,
    }
}

/// What a schema says about null.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Null {
    Yes,
    No,
    /// Nothing: it names no types.
    Silent,
}

fn all_of(nulls: &[Null]) -> Null {
    if nulls.contains(&Null::No) {
        Null::No
    } else if nulls.contains(&Null::Yes) {
        Null::Yes
    } else {
        Null::Silent
    }
}

/// Deepest nesting of references and combinations that is looked at for null.
const NULL_DEPTH: usize = 24;

/// Descriptions in the wild write `nullable: true` around `allOf` and references, where the standard gives it no
/// effect; it admits null there too, as everywhere else in this crate.
fn null_of<'d>(side: &Side<'d>, schema: Spot<'d>, depth: usize) -> Null {
    match schema.node.value {
        NodeValue::Bool(false) => return Null::No,
        NodeValue::Mapping(_) => {}
        _ => return Null::Silent,
    }
    if depth > NULL_DEPTH {
        return Null::Silent;
    }
    let mut said = Vec::new();
    if let Some(reference) = reference_of(schema) {
        let target = side.target(schema.file, reference);
        said.push(target.map_or(Null::Silent, |target| null_of(side, target, depth + 1)));
        if side.version != Version::V3_1 {
            return all_of(&said);
        }
    }
    if nullable(side, schema) {
        return Null::Yes;
    }
    let truth = |admits: bool| if admits { Null::Yes } else { Null::No };
    match schema.get("type").map(|spot| &spot.node.value) {
        Some(NodeValue::String(name)) => said.push(truth(&**name == "null")),
        Some(NodeValue::Sequence(names)) => {
            said.push(truth(names.iter().any(|name| name.as_str() == Some("null"))));
        }
        _ => {}
    }
    if let Some(values) = schema.node.get("enum").and_then(Node::as_sequence) {
        said.push(truth(values.iter().any(Node::is_null)));
    }
    if let Some(value) = schema.node.get("const") {
        said.push(truth(value.is_null()));
    }
    said.extend(schema.items("allOf").map(|branch| null_of(side, branch, depth + 1)));
    for union in ["anyOf", "oneOf"] {
        let branches: Vec<Null> =
            schema.items(union).map(|branch| null_of(side, branch, depth + 1)).collect();
        if branches.contains(&Null::Yes) {
            said.push(Null::Yes);
        } else if !branches.is_empty() && branches.iter().all(|null| *null == Null::No) {
            said.push(Null::No);
        }
    }
    all_of(&said)
}

fn reference_of(schema: Spot<'_>) -> Option<&str> {
    schema.text("$ref").or_else(|| schema.text("$dynamicRef"))
}

fn type_of(value: &Node) -> Types {
    match &value.value {
        NodeValue::Null => Types::NULL,
        NodeValue::Bool(_) => Types::BOOLEAN,
        NodeValue::Number(number) if is_integer(number) => Types::INTEGER,
        NodeValue::Number(_) => Types::FRACTION,
        NodeValue::String(_) => Types::STRING,
        NodeValue::Sequence(_) => Types::ARRAY,
        NodeValue::Mapping(_) => Types::OBJECT,
    }
}

fn is_integer(number: &serde_json::Number) -> bool {
    number.is_i64() || number.is_u64() || number.as_f64().is_some_and(|n| n.fract() == 0.0)
}
