//! The walk over a schema that makes an instance.

use serde_json::{Map, Value, json};

use super::{pattern, text};
use crate::openapi::resolve_schema;

/// Beyond this depth only what is required is made.
const OPTIONAL_DEPTH: u32 = 4;
/// Beyond this depth nothing is made that could go deeper.
const LAST_DEPTH: u32 = 24;
/// Most values in one instance.
const NODE_LIMIT: u32 = 5_000;
/// Most schemas merged into one by `allOf`.
const MERGE_LIMIT: u32 = 64;

#[derive(Clone, Copy)]
pub(super) struct Effort {
    pub(super) trusts_examples: bool,
    pub(super) with_optional: bool,
    /// Add properties that the alternatives not chosen would refuse.
    pub(super) contrasts: bool,
}

pub(super) fn instance(schema: &Value, seed: u64, effort: Effort) -> Value {
    let mut walk = Walk { root: schema, state: seed ^ 0x9E37_79B9_7F4A_7C15, effort, nodes: 0 };
    walk.value(schema, 0)
}

struct Walk<'s> {
    root: &'s Value,
    state: u64,
    effort: Effort,
    nodes: u32,
}

impl Walk<'_> {
    /// SplitMix64: small, and the same on every machine.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn pick<'v>(&mut self, items: &'v [Value]) -> &'v Value {
        let at = self.next() % (items.len().max(1) as u64);
        items.get(usize::try_from(at).unwrap_or(0)).unwrap_or(&Value::Null)
    }

    fn value(&mut self, schema: &Value, depth: u32) -> Value {
        self.nodes += 1;
        if depth > LAST_DEPTH || self.nodes > 2 * NODE_LIMIT {
            return Value::Null;
        }
        let schema = self.flat(schema);
        let Value::Object(schema) = &schema else {
            return json!("any");
        };
        if let Some(fixed) = self.given(schema) {
            return fixed;
        }
        for keyword in ["oneOf", "anyOf"] {
            if let Some(Value::Array(alternatives)) = schema.get(keyword) {
                return self.alternative(schema, keyword, alternatives, depth);
            }
        }
        match Self::kind(schema).as_str() {
            "object" => self.object(schema, depth),
            "array" => self.array(schema, depth),
            "string" => Value::String(self.string(schema)),
            "integer" => self.number(schema, true),
            "number" => self.number(schema, false),
            "boolean" => Value::Bool(self.next().is_multiple_of(2)),
            _ => Value::Null,
        }
    }

    /// Values that the schema itself gives.
    fn given(&mut self, schema: &Map<String, Value>) -> Option<Value> {
        if let Some(value) = schema.get("const") {
            return Some(value.clone());
        }
        if let Some(Value::Array(options)) = schema.get("enum") {
            let real: Vec<Value> = options.iter().filter(|o| !o.is_null()).cloned().collect();
            return Some(self.pick(if real.is_empty() { options } else { &real }).clone());
        }
        if !self.effort.trusts_examples {
            return None;
        }
        if let Some(Value::Array(examples)) = schema.get("examples")
            && !examples.is_empty()
        {
            return Some(self.pick(examples).clone());
        }
        schema.get("default").filter(|value| !value.is_null()).cloned()
    }

    /// One alternative, merged with what stands beside it.
    fn alternative(
        &mut self,
        schema: &Map<String, Value>,
        keyword: &str,
        alternatives: &[Value],
        depth: u32,
    ) -> Value {
        let mut beside = schema.clone();
        beside.remove(keyword);
        let is_null = |alternative: &&Value| alternative.get("type") == Some(&json!("null"));
        let real: Vec<Value> = alternatives.iter().filter(|a| !is_null(a)).cloned().collect();
        // Deep inside, the way out of a recursion is null, if it is offered.
        if real.is_empty() || (depth > OPTIONAL_DEPTH && real.len() < alternatives.len()) {
            return Value::Null;
        }
        let chosen = self.pick(&real).clone();
        let flat = self.flat(&chosen);
        let merged = match flat.clone() {
            Value::Object(map) => merge(beside, map),
            _ => beside,
        };
        let mut value = self.value(&Value::Object(merged), depth + 1);
        if self.effort.contrasts && keyword == "oneOf" {
            for other in real.iter().filter(|other| **other != chosen) {
                self.contrast(&mut value, &flat, other);
            }
        }
        value
    }

    /// Open objects often fit several alternatives. A property that the chosen one does not know, of a kind that the
    /// other one refuses, tells them apart.
    fn contrast(&self, value: &mut Value, chosen: &Value, other: &Value) {
        let other = self.flat(other);
        let (Value::Object(made), Some(properties)) = (value, other["properties"].as_object())
        else {
            return;
        };
        let foreign = properties.iter().find(|(name, _)| chosen["properties"].get(*name).is_none());
        if let Some((name, property)) = foreign {
            let is_text = self.flat(property)["type"] == "string";
            let wrong = if is_text { json!(0) } else { json!("other") };
            made.entry(name.clone()).or_insert(wrong);
        }
    }

    /// The schema with `$ref` and `allOf` worked in.
    fn flat(&self, schema: &Value) -> Value {
        let mut budget = MERGE_LIMIT;
        self.flattened(schema, &mut budget)
    }

    fn flattened(&self, schema: &Value, budget: &mut u32) -> Value {
        if *budget == 0 {
            return json!({});
        }
        *budget -= 1;
        let Value::Object(map) = schema else { return schema.clone() };
        if !map.contains_key("$ref") && !map.contains_key("allOf") {
            return schema.clone();
        }
        let mut own = map.clone();
        own.remove("$defs");
        let mut parts = Vec::new();
        if own.remove("$ref").is_some() {
            parts.push(resolve_schema(self.root, schema).clone());
        }
        if let Some(Value::Array(all)) = own.remove("allOf") {
            parts.extend(all);
        }
        let mut merged = own;
        for part in parts {
            if let Value::Object(part) = self.flattened(&part, budget) {
                merged = merge(merged, part);
            }
        }
        Value::Object(merged)
    }

    fn kind(schema: &Map<String, Value>) -> String {
        match schema.get("type") {
            Some(Value::String(kind)) => kind.clone(),
            Some(Value::Array(kinds)) => {
                let real = kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null");
                real.unwrap_or("null").to_owned()
            }
            _ => {
                let has = |keys: &[&str]| keys.iter().any(|key| schema.contains_key(*key));
                let kind =
                    if has(&["properties", "required", "additionalProperties", "minProperties"]) {
                        "object"
                    } else if has(&["items", "prefixItems", "minItems", "contains"]) {
                        "array"
                    } else if has(&["minimum", "maximum", "multipleOf", "exclusiveMinimum"]) {
                        "number"
                    } else if has(&["pattern", "format", "minLength", "maxLength"]) {
                        "string"
                    } else {
                        "object"
                    };
                kind.to_owned()
            }
        }
    }

    fn object(&mut self, schema: &Map<String, Value>, depth: u32) -> Value {
        let mut made = Map::new();
        let names =
            |key: &str| schema.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
        let required: Vec<Value> = names("required");
        let is_required = |name: &str| required.iter().any(|r| r == name);
        let properties = schema.get("properties").and_then(Value::as_object);
        let has_room =
            self.effort.with_optional && depth < OPTIONAL_DEPTH && self.nodes < NODE_LIMIT;
        for (name, property) in properties.into_iter().flatten() {
            let leads_on = depth < LAST_DEPTH && self.nodes < NODE_LIMIT;
            if property != &Value::Bool(false) && (is_required(name) && leads_on || has_room) {
                made.insert(name.clone(), self.value(property, depth + 1));
            }
        }
        let additional = schema.get("additionalProperties").filter(|a| a.is_object()).cloned();
        let open = additional.unwrap_or_else(|| json!({ "type": "string" }));
        for name in required.iter().filter_map(Value::as_str) {
            if !made.contains_key(name) && depth < LAST_DEPTH {
                let by_pattern = pattern_property(schema, name).unwrap_or_else(|| open.clone());
                made.insert(name.to_owned(), self.value(&by_pattern, depth + 1));
            }
        }
        let least = schema.get("minProperties").and_then(Value::as_u64).unwrap_or(0).min(64);
        let mut number = 0;
        while (made.len() as u64) < least {
            number += 1;
            made.insert(format!("key{number}"), self.value(&open, depth + 1));
        }
        Value::Object(made)
    }

    fn array(&mut self, schema: &Map<String, Value>, depth: u32) -> Value {
        let limit = |key: &str| schema.get(key).and_then(Value::as_u64);
        let least = limit("minItems").unwrap_or(0).min(200);
        let most = limit("maxItems").unwrap_or(u64::MAX);
        let wanted = u64::from(depth < OPTIONAL_DEPTH);
        let contains = schema.get("contains");
        let least =
            if contains.is_some() { least.max(limit("minContains").unwrap_or(1)) } else { least };
        let count = least.max(wanted).min(most);
        let fixed =
            schema.get("prefixItems").and_then(Value::as_array).cloned().unwrap_or_default();
        let rest = match (schema.get("items"), contains) {
            (Some(items), Some(contains)) => json!({ "allOf": [items, contains] }),
            (Some(only), None) | (None, Some(only)) => only.clone(),
            (None, None) => json!({ "type": "string" }),
        };
        let count = if rest == Value::Bool(false) {
            fixed.len() as u64
        } else {
            count.max(fixed.len() as u64).min(most)
        };
        let is_unique = schema.get("uniqueItems") == Some(&Value::Bool(true));
        let mut items: Vec<Value> = Vec::new();
        let mut tries = 0;
        while (items.len() as u64) < count && tries < 4 * count + 16 {
            tries += 1;
            let schema = fixed.get(items.len()).unwrap_or(&rest);
            let item = self.value(schema, depth + 1);
            if !is_unique || !items.contains(&item) {
                items.push(item);
            }
        }
        Value::Array(items)
    }

    fn string(&mut self, schema: &Map<String, Value>) -> String {
        let limit = |key: &str| schema.get(key).and_then(Value::as_u64);
        let least = usize::try_from(limit("minLength").unwrap_or(0)).unwrap_or(0).min(10_000);
        let most = usize::try_from(limit("maxLength").unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
        let seed = self.next();
        if let Some(Value::String(regex)) = schema.get("pattern")
            && let Some(made) = pattern::matching(regex, seed, least, most)
        {
            return made;
        }
        let format = schema.get("format").and_then(Value::as_str).unwrap_or_default();
        text::of_format(format, seed).unwrap_or_else(|| text::words(seed, least, most))
    }

    fn number(&mut self, schema: &Map<String, Value>, is_integer: bool) -> Value {
        let limit = |key: &str| schema.get(key).and_then(Value::as_f64);
        let step = limit("multipleOf").unwrap_or(if is_integer { 1.0 } else { 0.5 });
        let step = if is_integer && step < 1.0 { 1.0 } else { step };
        let low = limit("minimum").or_else(|| limit("exclusiveMinimum"));
        let high = limit("maximum").or_else(|| limit("exclusiveMaximum"));
        let (low, high) = match (low, high) {
            (Some(low), Some(high)) => (low, high),
            (Some(low), None) => (low, low + 100.0 * step),
            (None, Some(high)) => ((high - 100.0 * step).min(high), high),
            (None, None) => (1.0, 1.0 + 100.0 * step),
        };
        let is_open =
            |key: &str, value: f64| limit(key).is_some_and(|l| (l - value).abs() < f64::EPSILON);
        let mut first = (low / step).ceil();
        if is_open("exclusiveMinimum", first * step) {
            first += 1.0;
        }
        let mut last = (high / step).floor();
        if is_open("exclusiveMaximum", last * step) {
            last -= 1.0;
        }
        if last < first {
            return number_value(f64::midpoint(low, high), is_integer);
        }
        let span = (last - first + 1.0).min(1000.0);
        #[expect(clippy::cast_precision_loss, reason = "a value below 1000")]
        let offset = (self.next() % 1000) as f64;
        number_value((first + offset % span) * step, is_integer)
    }
}

fn number_value(value: f64, is_integer: bool) -> Value {
    #[expect(clippy::cast_possible_truncation, reason = "saturates, which is what is wanted")]
    if is_integer { Value::from(value as i64) } else { json!(value) }
}

fn pattern_property(schema: &Map<String, Value>, name: &str) -> Option<Value> {
    let patterns = schema.get("patternProperties")?.as_object()?;
    patterns.iter().find(|(regex, _)| pattern::fits(regex, name)).map(|(_, schema)| schema.clone())
}

/// Two schemas that must both hold, as one: properties and required join, bounds tighten, other keywords of the
/// second stand where the first has none.
fn merge(mut into: Map<String, Value>, from: Map<String, Value>) -> Map<String, Value> {
    for (key, value) in from {
        let Some(existing) = into.get_mut(&key) else {
            into.insert(key, value);
            continue;
        };
        match (key.as_str(), existing, value) {
            ("properties" | "patternProperties", Value::Object(own), Value::Object(more)) => {
                for (name, property) in more {
                    let both = match own.remove(&name) {
                        Some(known) if known != property => json!({ "allOf": [known, property] }),
                        _ => property,
                    };
                    own.insert(name, both);
                }
            }
            ("required", Value::Array(own), Value::Array(more)) => {
                for name in more {
                    if !own.contains(&name) {
                        own.push(name);
                    }
                }
            }
            ("enum", Value::Array(own), Value::Array(more)) => own.retain(|o| more.contains(o)),
            (
                "minimum" | "exclusiveMinimum" | "minLength" | "minItems" | "minProperties",
                own,
                more,
            ) if more.as_f64() > own.as_f64() => {
                *own = more;
            }
            (
                "maximum" | "exclusiveMaximum" | "maxLength" | "maxItems" | "maxProperties",
                own,
                more,
            ) if more.as_f64() < own.as_f64() => {
                *own = more;
            }
            ("type", own, more) => {
                let kinds = |value: &Value| match value {
                    Value::Array(kinds) => kinds.clone(),
                    one => vec![one.clone()],
                };
                let more = kinds(&more);
                let mut common = kinds(own);
                common.retain(|kind| {
                    more.contains(kind) || (kind == "integer" && more.contains(&json!("number")))
                });
                *own = Value::Array(common);
            }
            _ => {}
        }
    }
    into
}
