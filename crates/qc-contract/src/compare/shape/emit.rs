//! A schema as a self-contained JSON Schema value again, for the proof whether one admits what another does.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use qc_document::Node;
use serde_json::{Map, Value, json};

use super::super::annotation::annotation;
use super::super::side::{Side, Spot};
use super::kinds::Alternative;
use super::{Additional, Conj, ConjId, Facets, Kind, Kinds, Types};
use crate::mismatch::Direction;

/// Most schemas that one emitted value consists of: a proof over more takes too long.
const SCHEMA_LIMIT: usize = 400;
/// Deepest nesting of an emitted value.
const DEPTH_LIMIT: usize = 40;

/// Which side of the question a schema is on, and so how its silence is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in super::super) enum Role {
    /// It should admit everything: what it does not name, it lets pass.
    Receiver,
    /// Everything that it admits is asked about: what it does not name is not sent.
    Sender,
    /// As JSON Schema has it, to the letter.
    Literal,
}

/// The schema is too large or too deep to be emitted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in super::super) struct TooLarge;

pub(in super::super) struct Emission<'s, 'd> {
    side: &'s Side<'d>,
    /// Which way payloads travel: what only travels the other way is left out.
    way: Option<Direction>,
    role: Role,
    left: usize,
    depth: usize,
    underway: HashMap<ConjId, Underway>,
    definitions: Map<String, Value>,
}

struct Underway {
    name: String,
    is_used: bool,
}

/// Emits the alternatives of one kind.
pub(in super::super) fn emit_kind<'d>(
    side: &Side<'d>,
    way: Option<Direction>,
    role: Role,
    kind: Kind,
    alternatives: &[Rc<Alternative<'d>>],
) -> Result<Value, TooLarge> {
    let mut emission = Emission::new(side, way, role);
    let value = emission.alternatives(alternatives, kind.types())?;
    Ok(emission.finish(value))
}

impl<'s, 'd> Emission<'s, 'd> {
    fn new(side: &'s Side<'d>, way: Option<Direction>, role: Role) -> Self {
        Self {
            side,
            way,
            role,
            left: SCHEMA_LIMIT,
            depth: 0,
            underway: HashMap::new(),
            definitions: Map::new(),
        }
    }

    fn finish(self, value: Value) -> Value {
        if self.definitions.is_empty() {
            return value;
        }
        let mut map = match value {
            Value::Object(map) => map,
            other => Map::from_iter([("allOf".to_owned(), json!([other]))]),
        };
        map.insert("$defs".to_owned(), Value::Object(self.definitions));
        Value::Object(map)
    }

    fn conj(&mut self, conj: &Conj<'d>) -> Result<Value, TooLarge> {
        let id = conj.id();
        if let Some(underway) = self.underway.get_mut(&id) {
            underway.is_used = true;
            return Ok(json!({ "$ref": format!("#/$defs/{}", underway.name) }));
        }
        self.left = self.left.checked_sub(1).ok_or(TooLarge)?;
        if self.depth >= DEPTH_LIMIT {
            return Err(TooLarge);
        }
        let name = format!("d{}", SCHEMA_LIMIT - self.left);
        self.underway.insert(Rc::clone(&id), Underway { name, is_used: false });
        self.depth += 1;
        let kinds = Kinds::of(self.side, conj);
        let value = self.alternatives(&kinds.alternatives, Types::ALL.or(Types::OTHER))?;
        self.depth -= 1;
        let Some(underway) = self.underway.remove(&id) else { return Ok(value) };
        if !underway.is_used {
            return Ok(value);
        }
        let reference = json!({ "$ref": format!("#/$defs/{}", underway.name) });
        self.definitions.insert(underway.name, value);
        Ok(reference)
    }

    fn alternatives(
        &mut self,
        alternatives: &[Rc<Alternative<'d>>],
        within: Types,
    ) -> Result<Value, TooLarge> {
        let mut emitted = Vec::new();
        for one in alternatives {
            let types = one.flat.types.and(within);
            if types.is_empty() {
                continue;
            }
            let value = self.alternative(one, types)?;
            if !emitted.contains(&value) {
                emitted.push(value);
            }
        }
        Ok(match emitted.len() {
            0 => Value::Bool(false),
            1 => emitted.remove(0),
            _ => json!({ "anyOf": emitted }),
        })
    }

    fn alternative(&mut self, one: &Alternative<'d>, types: Types) -> Result<Value, TooLarge> {
        let mut made = Map::new();
        if types.has(Types::OTHER) {
            // A type that no standard knows admits what nothing else does.
            let names: Vec<String> =
                one.flat.unknown.iter().map(|name| format!("\u{0}{name}")).collect();
            return Ok(json!({ "enum": names }));
        }
        if types != Types::ALL {
            made.insert("type".to_owned(), json!(types.names()));
        }
        let facets = &one.facets;
        let mut all_of = Vec::new();
        if let Some(values) = facets.listed() {
            let mut unique: Vec<Value> = Vec::new();
            for value in values {
                if !unique.contains(&value) {
                    unique.push(value);
                }
            }
            if unique.is_empty() {
                return Ok(Value::Bool(false));
            }
            made.insert("enum".to_owned(), Value::Array(unique));
        }
        if types.has(Types::NUMBER) {
            numbers(facets, &mut made, &mut all_of);
        }
        for (name, held) in &facets.counts {
            let of = match *name {
                "minLength" | "maxLength" => Types::STRING,
                "minItems" | "maxItems" => Types::ARRAY,
                "minProperties" | "maxProperties" => Types::OBJECT,
                _ => continue,
            };
            if types.has(of) {
                made.insert((*name).to_owned(), json!(held.value));
            }
        }
        if types.has(Types::STRING) {
            one_or_all("pattern", facets.patterns.keys().map(|p| json!(p)), &mut made, &mut all_of);
        }
        if types.has(Types::ARRAY) {
            self.array(facets, &mut made)?;
        }
        if types.has(Types::OBJECT) {
            self.object(facets, &mut made)?;
        }
        for part in &one.flat.parts {
            self.extras(*part, types, &mut all_of)?;
        }
        for list in &one.flat.unspread {
            let mut branches = Vec::new();
            for branch in list.node.as_sequence().unwrap_or_default() {
                branches.push(self.conj(&Conj::one(list.with(branch)))?);
            }
            all_of.push(json!({ "anyOf": branches }));
        }
        if !all_of.is_empty() {
            made.insert("allOf".to_owned(), Value::Array(all_of));
        }
        Ok(Value::Object(made))
    }

    fn array(
        &mut self,
        facets: &Facets<'d>,
        made: &mut Map<String, Value>,
    ) -> Result<(), TooLarge> {
        if !facets.items.is_empty() {
            let items = self.conj(&Conj::of(facets.items.clone()))?;
            made.insert("items".to_owned(), items);
        }
        let longest = facets.prefix_items.keys().last().copied();
        if let Some(longest) = longest {
            let mut prefix = Vec::new();
            for at in 0..=longest.min(SCHEMA_LIMIT) {
                let given = facets.prefix_items.get(&at).cloned();
                // Where one part's tuple ends, its `items` go on.
                let spots = given.unwrap_or_else(|| facets.items.clone());
                prefix.push(self.conj(&Conj::of(spots))?);
            }
            made.insert("prefixItems".to_owned(), Value::Array(prefix));
        }
        if facets.unique_items.is_some() {
            made.insert("uniqueItems".to_owned(), Value::Bool(true));
        }
        Ok(())
    }

    fn object(
        &mut self,
        facets: &Facets<'d>,
        made: &mut Map<String, Value>,
    ) -> Result<(), TooLarge> {
        let mut properties = Map::new();
        let mut required: BTreeSet<&str> = facets.required.keys().copied().collect();
        for name in facets.property_names() {
            let schema = facets.property(name);
            let travels = schema.as_ref().is_none_or(|schema| self.travels(schema));
            if !travels {
                required.remove(name);
                match self.role {
                    Role::Receiver => properties.insert(name.to_owned(), Value::Bool(true)),
                    Role::Sender => properties.insert(name.to_owned(), Value::Bool(false)),
                    Role::Literal => None,
                };
                continue;
            }
            let value = match &schema {
                Some(schema) => self.conj(schema)?,
                None => Value::Bool(true),
            };
            properties.insert(name.to_owned(), value);
        }
        let is_described = !properties.is_empty();
        if is_described {
            made.insert("properties".to_owned(), Value::Object(properties));
        }
        if !required.is_empty() {
            made.insert("required".to_owned(), json!(required));
        }
        let has = |name: &str| facets.extras.contains_key(name);
        let is_open = has("patternProperties") || has("unevaluatedProperties");
        let additional = match facets.additional() {
            Additional::Nothing(_) => Some(Value::Bool(false)),
            Additional::Schema(schema) => Some(self.conj(&schema)?),
            Additional::Unsaid if self.role == Role::Sender && is_described && !is_open => {
                Some(Value::Bool(false))
            }
            Additional::Unsaid | Additional::Anything(_) => None,
        };
        if let Some(additional) = additional {
            made.insert("additionalProperties".to_owned(), additional);
        }
        Ok(())
    }

    /// Whether a property travels this way at all.
    fn travels(&self, schema: &Conj<'d>) -> bool {
        let flag = match self.way {
            Some(Direction::Request) => "readOnly",
            Some(Direction::Response) => "writeOnly",
            None => return true,
        };
        let said = annotation(self.side, schema, flag);
        said.and_then(|spot| spot.node.as_bool()) != Some(true)
    }

    fn extras(
        &mut self,
        part: Spot<'d>,
        types: Types,
        all_of: &mut Vec<Value>,
    ) -> Result<(), TooLarge> {
        let mut own = Map::new();
        for name in ["not", "if", "then", "else"] {
            let needs_if = matches!(name, "then" | "else") && part.get("if").is_none();
            if let Some(schema) = part.get(name).filter(|_| !needs_if) {
                own.insert(name.to_owned(), self.literal(schema)?);
            }
        }
        if !own.contains_key("then") && !own.contains_key("else") {
            own.remove("if");
        }
        if types.has(Types::ARRAY)
            && let Some(schema) = part.get("contains")
        {
            own.insert("contains".to_owned(), self.literal(schema)?);
            for bound in ["minContains", "maxContains"] {
                if let Some(value) = part.get(bound).filter(|spot| spot.node.as_i64().is_some()) {
                    own.insert(bound.to_owned(), value.node.to_value());
                }
            }
        }
        if types.has(Types::ARRAY)
            && let Some(schema) = part.get("unevaluatedItems")
        {
            own.insert("unevaluatedItems".to_owned(), self.literal(schema)?);
        }
        if types.has(Types::OBJECT) {
            self.object_extras(part, &mut own)?;
        }
        if !own.is_empty() {
            all_of.push(Value::Object(own));
        }
        Ok(())
    }

    fn object_extras(
        &mut self,
        part: Spot<'d>,
        own: &mut Map<String, Value>,
    ) -> Result<(), TooLarge> {
        for name in ["propertyNames", "unevaluatedProperties"] {
            if let Some(schema) = part.get(name) {
                own.insert(name.to_owned(), self.literal(schema)?);
            }
        }
        let mut patterns = Map::new();
        for (pattern, schema) in part.entries("patternProperties") {
            patterns.insert(pattern.to_owned(), self.literal(schema)?);
        }
        let mut lists: BTreeMap<&str, Value> = BTreeMap::new();
        let mut schemas = Map::new();
        for key in ["dependentRequired", "dependentSchemas", "dependencies"] {
            for (name, spot) in part.entries(key) {
                if let Some(names) = spot.node.as_sequence() {
                    let names: BTreeSet<&str> = names.iter().filter_map(Node::as_str).collect();
                    lists.insert(name, json!(names));
                } else {
                    schemas.insert(name.to_owned(), self.literal(spot)?);
                }
            }
        }
        let maps = [
            ("patternProperties", Value::Object(patterns)),
            ("dependentRequired", json!(lists)),
            ("dependentSchemas", Value::Object(schemas)),
        ];
        for (name, value) in maps {
            if value.as_object().is_some_and(|map| !map.is_empty()) {
                own.insert(name.to_owned(), value);
            }
        }
        Ok(())
    }

    /// Inside of conditions and negations silence means what the standard says.
    fn literal(&mut self, schema: Spot<'d>) -> Result<Value, TooLarge> {
        let role = std::mem::replace(&mut self.role, Role::Literal);
        let value = self.conj(&Conj::one(schema));
        self.role = role;
        value
    }
}

fn numbers(facets: &Facets<'_>, made: &mut Map<String, Value>, all_of: &mut Vec<Value>) {
    for (held, closed, open) in [
        (&facets.minimum, "minimum", "exclusiveMinimum"),
        (&facets.maximum, "maximum", "exclusiveMaximum"),
    ] {
        if let Some(held) = held {
            let name = if held.value.is_open { open } else { closed };
            made.insert(name.to_owned(), number(held.value.value));
        }
    }
    let steps = facets.multiple_of.values().map(|held| number(held.value));
    one_or_all("multipleOf", steps, made, all_of);
}

/// A number as JSON would write it: `5`, not `5.0`.
fn number(value: f64) -> Value {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() < EXACT {
        #[expect(clippy::cast_possible_truncation, reason = "whole and in range, see above")]
        let whole = value as i64;
        return json!(whole);
    }
    json!(value)
}

fn one_or_all(
    name: &str,
    values: impl ExactSizeIterator<Item = Value>,
    made: &mut Map<String, Value>,
    all_of: &mut Vec<Value>,
) {
    let is_one = values.len() == 1;
    for value in values {
        if is_one {
            made.insert(name.to_owned(), value);
        } else {
            all_of.push(json!({ name: value }));
        }
    }
}
