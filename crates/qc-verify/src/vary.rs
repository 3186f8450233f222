//! A valid value, changed in one place at a time, so that the description still admits it or no longer does.

use std::collections::BTreeSet;

use qc_contract::sample;
use serde_json::{Map, Number, Value, json};

/// How deep values are changed.
const DEPTH_LIMIT: usize = 8;
/// Most schemas that are looked at for one place.
const SCHEMA_LIMIT: usize = 64;
/// Most changes of one value.
const VARIATION_LIMIT: usize = 400;
/// Longest text or list that is made to reach a limit.
pub(crate) const LENGTH_LIMIT: u64 = 100_000;

/// One change.
#[derive(Clone, Debug)]
pub(crate) struct Variation {
    /// JSON Pointer in the value.
    pub(crate) pointer: String,
    /// Short and stable: `missing`, `above-maximum`.
    pub(crate) slug: &'static str,
    /// What was done, as the rest of a sentence about the place.
    pub(crate) words: String,
    /// The whole value.
    pub(crate) value: Value,
    /// Whether the change was made to keep the value valid. `None`: as the description says.
    pub(crate) keeps: Option<bool>,
}

/// All changes of a value of a self-contained schema, in a fixed order.
pub(crate) fn variations(schema: &Value, value: &Value, seed: u64) -> Vec<Variation> {
    let mut walk = Walk { root: schema, whole: value, seed, found: Vec::new() };
    walk.place(&[schema], value, &mut String::new(), 0);
    walk.found
}

struct Walk<'a> {
    root: &'a Value,
    whole: &'a Value,
    seed: u64,
    found: Vec<Variation>,
}

impl<'a> Walk<'a> {
    fn put(&mut self, pointer: &str, slug: &'static str, words: &str, with: Value, keeps: bool) {
        let mut whole = self.whole.clone();
        if let Some(place) = whole.pointer_mut(pointer) {
            *place = with;
            self.push(pointer, slug, words, whole, Some(keeps));
        }
    }

    fn push(
        &mut self,
        pointer: &str,
        slug: &'static str,
        words: &str,
        value: Value,
        keeps: Option<bool>,
    ) {
        let is_known = value == *self.whole
            || self.found.iter().any(|known| known.pointer == pointer && known.value == value);
        if self.found.len() < VARIATION_LIMIT && !is_known {
            let (pointer, words) = (pointer.to_owned(), words.to_owned());
            self.found.push(Variation { pointer, slug, words, value, keeps });
        }
    }

    fn place(&mut self, schemas: &[&'a Value], value: &Value, pointer: &mut String, depth: usize) {
        if depth > DEPTH_LIMIT {
            return;
        }
        let schemas = spread(self.root, schemas);
        self.kind(&schemas, value, pointer);
        self.fixed(&schemas, value, pointer);
        match value {
            Value::Number(number) => self.numbers(&schemas, number, pointer),
            Value::String(text) => self.texts(&schemas, text, pointer),
            Value::Array(items) => self.lists(&schemas, items, pointer, depth),
            Value::Object(fields) => self.objects(&schemas, fields, pointer, depth),
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn kind(&mut self, schemas: &[&'a Value], value: &Value, pointer: &str) {
        let admits_null = schemas.iter().any(|schema| kinds(schema).contains("null"));
        self.put(pointer, "null", "is null", Value::Null, admits_null);
        if !schemas.iter().any(|schema| !kinds(schema).is_empty()) {
            return;
        }
        let others = match value {
            Value::String(_) => [json!(7), json!({ "qc": 1 })],
            Value::Number(_) => [json!("not a number"), json!([])],
            Value::Bool(_) => [json!("perhaps"), json!({})],
            Value::Array(_) => [json!({ "qc": 1 }), json!("text")],
            Value::Object(_) | Value::Null => [json!("text"), json!([])],
        };
        for other in others {
            let words = format!("is {} instead of {}", named(&other), named(value));
            self.put(pointer, "wrong-type", &words, other, false);
        }
        if value.is_i64() || value.is_u64() {
            self.put(pointer, "fraction", "is a fraction instead of an integer", json!(1.5), false);
        }
    }

    fn fixed(&mut self, schemas: &[&'a Value], value: &Value, pointer: &str) {
        if schemas.iter().any(|s| s.get("enum").is_some() || s.get("const").is_some()) {
            let other = match value {
                Value::Number(_) => json!(987_654_321),
                Value::Bool(truth) => json!(!truth),
                _ => json!("qc-none-of-these"),
            };
            self.put(pointer, "not-in-enum", "is none of the allowed values", other, false);
        }
        let options = schemas.iter().filter_map(|schema| schema.get("enum")?.as_array());
        for option in options.flatten().take(20).cloned().collect::<Vec<_>>() {
            let words = "is another one of the allowed values";
            self.put(pointer, "enum-value", words, option, true);
        }
    }

    fn numbers(&mut self, schemas: &[&'a Value], number: &Number, pointer: &str) {
        for schema in schemas {
            let step = schema.get("multipleOf").and_then(Value::as_f64).unwrap_or(1.0);
            // OpenAPI 3.0 has a flag where JSON Schema has a number; the loader has made it one.
            for (key, outwards) in [
                ("minimum", -1.0),
                ("maximum", 1.0),
                ("exclusiveMinimum", -1.0),
                ("exclusiveMaximum", 1.0),
            ] {
                let Some(limit) = schema.get(key).and_then(Value::as_f64) else { continue };
                let is_exclusive = key.starts_with("exclusive");
                let at = |value: f64| number_like(number, value);
                let (outside, inside) = (limit + outwards * step, limit - outwards * step);
                let (over, near) = if outwards > 0.0 {
                    ("above-maximum", "at-maximum")
                } else {
                    ("below-minimum", "at-minimum")
                };
                let words = format!("is {} ({key} {})", outside, at(limit));
                self.put(pointer, over, &words, at(outside), false);
                let words = format!("is at the limit ({key} {})", at(limit));
                self.put(pointer, near, &words, at(limit), !is_exclusive);
                let words = format!("is inside of the limit ({key} {})", at(limit));
                self.put(pointer, "inside-limit", &words, at(inside), true);
            }
            if schema.get("multipleOf").is_some() {
                let value = number.as_f64().unwrap_or(0.0) + step / 2.0;
                let other = Number::from_f64(value).map_or(Value::Null, Value::Number);
                self.put(pointer, "not-a-multiple", "is between two multiples", other, false);
            }
        }
    }

    fn texts(&mut self, schemas: &[&'a Value], text: &str, pointer: &str) {
        let facets = merged(schemas);
        for (key, outwards) in [("minLength", -1_i64), ("maxLength", 1)] {
            let limits = schemas.iter().filter_map(|schema| schema.get(key)?.as_u64());
            let limit = if outwards < 0 { limits.max() } else { limits.min() };
            let Some(limit) = limit.filter(|limit| *limit <= LENGTH_LIMIT) else { continue };
            for (shift, slug) in [
                (outwards, if outwards < 0 { "too-short" } else { "too-long" }),
                (0, if outwards < 0 { "shortest" } else { "longest" }),
                (-outwards, "inside-length"),
            ] {
                let Some(length) = limit.checked_add_signed(shift) else { continue };
                let words = format!("has {length} characters ({key} {limit})");
                let made = text_of(&facets, text, length, self.seed);
                self.put(pointer, slug, &words, Value::String(made), shift != outwards);
            }
        }
        if schemas.iter().any(|schema| schema.get("pattern").is_some()) {
            for other in ["QC-0 !", "\u{a7}\u{a7} qc", "qc\nqc"] {
                let words = "does not match the pattern";
                self.put(pointer, "off-pattern", words, json!(other), false);
            }
        }
        if let Some(format) = schemas.iter().find_map(|schema| schema.get("format")?.as_str()) {
            let words = format!("is no `{format}`");
            self.put(pointer, "off-format", &words, json!("qc: nothing of the kind"), false);
        }
    }

    fn lists(
        &mut self,
        schemas: &[&'a Value],
        items: &[Value],
        pointer: &mut String,
        depth: usize,
    ) {
        let inner: Vec<&'a Value> =
            schemas.iter().filter_map(|schema| schema.get("items")).collect();
        for (key, outwards) in [("minItems", -1_i64), ("maxItems", 1)] {
            let limits = schemas.iter().filter_map(|schema| schema.get(key)?.as_u64());
            let limit = if outwards < 0 { limits.max() } else { limits.min() };
            let Some(limit) = limit.filter(|limit| *limit <= LENGTH_LIMIT / 10) else { continue };
            for (shift, slug) in [
                (outwards, if outwards < 0 { "too-few-items" } else { "too-many-items" }),
                (0, if outwards < 0 { "fewest-items" } else { "most-items" }),
            ] {
                let Some(count) = limit.checked_add_signed(shift) else { continue };
                let words = format!("has {count} items ({key} {limit})");
                let made = list_of(self.root, &inner, items, count, self.seed);
                self.put(pointer, slug, &words, Value::Array(made), shift == 0);
            }
        }
        if schemas.iter().any(|schema| schema.get("uniqueItems") == Some(&json!(true)))
            && let Some(first) = items.first()
        {
            let mut twice = items.to_vec();
            twice.push(first.clone());
            self.put(pointer, "item-twice", "has an item twice", Value::Array(twice), false);
        }
        if let Some(first) = items.first()
            && !inner.is_empty()
        {
            let length = pointer.len();
            pointer.push_str("/0");
            self.place(&inner, first, pointer, depth + 1);
            pointer.truncate(length);
        }
    }

    fn objects(
        &mut self,
        schemas: &[&'a Value],
        fields: &Map<String, Value>,
        pointer: &mut String,
        depth: usize,
    ) {
        for name in required(schemas) {
            if fields.contains_key(name) {
                let mut rest = fields.clone();
                rest.shift_remove(name);
                let mut whole = self.whole.clone();
                if let Some(place) = whole.pointer_mut(pointer) {
                    *place = Value::Object(rest);
                    let at = below(pointer, name);
                    self.push(&at, "missing", "is missing", whole, Some(false));
                }
            }
        }
        let mut more = fields.clone();
        more.insert("qc_not_described".to_owned(), json!("extra"));
        let mut whole = self.whole.clone();
        if let Some(place) = whole.pointer_mut(pointer) {
            *place = Value::Object(more);
            self.push(pointer, "extra-field", "has a field that is not described", whole, None);
        }
        for (name, value) in fields {
            let inner = properties(schemas, name);
            if inner.is_empty() {
                continue;
            }
            let length = pointer.len();
            qc_document::push_pointer(pointer, name);
            self.place(&inner, value, pointer, depth + 1);
            pointer.truncate(length);
        }
    }
}

/// All schemas that may hold for a place: references followed, alternatives and conjunctions laid out.
pub(crate) fn spread<'a>(root: &'a Value, schemas: &[&'a Value]) -> Vec<&'a Value> {
    let mut all: Vec<&'a Value> = Vec::new();
    let mut open: Vec<&'a Value> = schemas.iter().rev().copied().collect();
    while let Some(schema) = open.pop() {
        if all.len() >= SCHEMA_LIMIT || all.iter().any(|known| std::ptr::eq(*known, schema)) {
            continue;
        }
        all.push(schema);
        if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
            open.extend(referred(root, target));
        }
        for key in ["allOf", "anyOf", "oneOf"] {
            let parts = schema.get(key).and_then(Value::as_array);
            open.extend(parts.into_iter().flatten().rev());
        }
    }
    all
}

fn referred<'a>(root: &'a Value, target: &str) -> Option<&'a Value> {
    let pointer = target.strip_prefix('#')?;
    let decoded = percent_encoding::percent_decode_str(pointer).decode_utf8_lossy();
    root.pointer(&decoded)
}

pub(crate) fn kinds(schema: &Value) -> BTreeSet<&str> {
    match schema.get("type") {
        Some(Value::String(kind)) => BTreeSet::from([kind.as_str()]),
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
        _ => BTreeSet::new(),
    }
}

pub(crate) fn required<'a>(schemas: &[&'a Value]) -> Vec<&'a str> {
    let lists = schemas.iter().filter_map(|schema| schema.get("required")?.as_array());
    let mut names: Vec<&str> = Vec::new();
    for name in lists.flatten().filter_map(Value::as_str) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

pub(crate) fn properties<'a>(schemas: &[&'a Value], name: &str) -> Vec<&'a Value> {
    schemas.iter().filter_map(|schema| schema.get("properties")?.get(name)).collect()
}

/// What a text of a place must satisfy beside its length, where that is one schema's to say.
fn merged(schemas: &[&Value]) -> Map<String, Value> {
    let mut facets = Map::new();
    for key in ["pattern", "format"] {
        if let Some(value) = schemas.iter().find_map(|schema| schema.get(key)) {
            facets.insert(key.to_owned(), value.clone());
        }
    }
    facets
}

fn text_of(facets: &Map<String, Value>, text: &str, length: u64, seed: u64) -> String {
    if facets.is_empty() {
        let have = text.chars().filter(|c| !c.is_control());
        let filled = have.chain(std::iter::repeat('q'));
        return filled.take(usize::try_from(length).unwrap_or(0)).collect();
    }
    let mut schema = facets.clone();
    schema.insert("type".to_owned(), json!("string"));
    schema.insert("minLength".to_owned(), json!(length));
    schema.insert("maxLength".to_owned(), json!(length));
    let made = sample(&Value::Object(schema), seed);
    made.as_str().unwrap_or_default().to_owned()
}

fn list_of(root: &Value, inner: &[&Value], items: &[Value], count: u64, seed: u64) -> Vec<Value> {
    let count = usize::try_from(count).unwrap_or(0);
    let mut made: Vec<Value> = items.iter().take(count).cloned().collect();
    let schema = inner.first().map(|inner| {
        let mut schema = (*inner).clone();
        if let (Some(schema), Some(shared)) = (schema.as_object_mut(), root.get("$defs")) {
            schema.insert("$defs".to_owned(), shared.clone());
        }
        schema
    });
    let mut turn = 0;
    while made.len() < count {
        turn += 1;
        // Few different samples are enough: only a list without repetition needs one for each item.
        let next = match &schema {
            Some(schema) if turn <= 200 => sample(schema, seed.wrapping_add(turn)),
            _ => made.last().cloned().unwrap_or(json!("qc")),
        };
        made.push(next);
    }
    made
}

fn number_like(like: &Number, value: f64) -> Value {
    let whole = !like.is_f64() && value.fract() == 0.0 && value.abs() < 9e15;
    if whole {
        #[expect(clippy::cast_possible_truncation, reason = "below 2^53, and without a fraction")]
        return json!(value as i64);
    }
    Number::from_f64(value).map_or(Value::Null, Value::Number)
}

fn named(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

pub(crate) fn below(pointer: &str, name: &str) -> String {
    let mut longer = pointer.to_owned();
    qc_document::push_pointer(&mut longer, name);
    longer
}
