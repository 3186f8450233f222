//! From a schema of any draft, or of OpenAPI, to one self-contained spelling: draft 2020-12 without annotations, its
//! references all of the form `#/$defs/…`. What follows needs to know only that.

use std::collections::{BTreeMap, HashMap, VecDeque};

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use super::{CoverOptions, Draft};

/// Deepest nesting of a schema.
const DEPTH_LIMIT: u32 = 128;
/// Most subschemas in one schema.
const SIZE_LIMIT: u32 = 50_000;

pub(super) const INVALID: &str = "a schema is not valid JSON Schema";
pub(super) const REFERENCE: &str = "a reference leads to nothing inside its schema";
pub(super) const DYNAMIC: &str = "a schema uses dynamic references";
pub(super) const CIRCLE: &str =
    "a reference leads back to itself without reading a part of the value";
pub(super) const LARGE: &str = "a schema is too large or nested too deeply";

const KINDS: [&str; 7] = ["null", "boolean", "object", "array", "number", "string", "integer"];

/// The schema in the one spelling, or why it has none.
pub(super) fn normalise(schema: &Value, options: CoverOptions) -> Result<Value, &'static str> {
    let draft = match schema.get("$schema").and_then(Value::as_str) {
        Some(named) => named_draft(named).unwrap_or(options.draft),
        None => options.draft,
    };
    let mut all = Normalising {
        root: schema,
        draft,
        options,
        names: HashMap::new(),
        queue: VecDeque::new(),
        places: HashMap::new(),
        size: 0,
    };
    all.find_names(schema, "", "", 0)?;
    let mut made = all.schema(schema, "", 0)?;
    let mut defs = BTreeMap::new();
    while let Some((name, pointer)) = all.queue.pop_front() {
        let target = schema.pointer(&pointer).ok_or(REFERENCE)?;
        let resource = all.resource_of(&pointer);
        defs.insert(name, all.schema(target, &resource, 0)?);
    }
    if !defs.is_empty() {
        if !made.is_object() {
            return Ok(made);
        }
        made["$defs"] = Value::Object(defs.into_iter().collect());
        if goes_in_circles(&made) {
            return Err(CIRCLE);
        }
    }
    Ok(made)
}

/// Whether a definition refers to itself without a step into the value: such a schema has no meaning of its own.
fn goes_in_circles(schema: &Value) -> bool {
    let none = Map::new();
    let defs = schema["$defs"].as_object().unwrap_or(&none);
    let mut left: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, body) in defs {
        let mut direct = Vec::new();
        let mut stack = vec![body];
        while let Some(map) = stack.pop() {
            direct.extend(map["$ref"].as_str().and_then(|to| to.strip_prefix("#/$defs/")));
            for key in ["allOf", "anyOf", "oneOf"] {
                stack.extend(map[key].as_array().into_iter().flatten());
            }
            for key in ["not", "if", "then", "else"] {
                stack.extend(map.get(key));
            }
            stack.extend(map["dependentSchemas"].as_object().into_iter().flat_map(Map::values));
        }
        left.insert(name, direct);
    }
    // What refers to nothing that is left is no part of a circle.
    loop {
        let before = left.len();
        let names: std::collections::BTreeSet<&str> = left.keys().copied().collect();
        left.retain(|_, direct| direct.iter().any(|to| names.contains(to)));
        if left.len() == before {
            return !left.is_empty();
        }
    }
}

fn named_draft(named: &str) -> Option<Draft> {
    let drafts = [
        ("draft-04", Draft::Draft4),
        ("draft-06", Draft::Draft6),
        ("draft-07", Draft::Draft7),
        ("2019-09", Draft::Draft201909),
        ("2020-12", Draft::Draft202012),
    ];
    drafts.iter().find(|(part, _)| named.contains(part)).map(|(_, draft)| *draft)
}

struct Normalising<'s> {
    root: &'s Value,
    draft: Draft,
    options: CoverOptions,
    /// Pointers of targets, and their names in `$defs`.
    names: HashMap<String, String>,
    queue: VecDeque<(String, String)>,
    /// `$id`s and anchors (`resource pointer#name`), and the pointers they stand for.
    places: HashMap<String, String>,
    size: u32,
}

impl Normalising<'_> {
    /// Collects `$id`s and anchors.
    fn find_names(
        &mut self,
        value: &Value,
        pointer: &str,
        resource: &str,
        depth: u32,
    ) -> Result<(), &'static str> {
        if depth > DEPTH_LIMIT {
            return Err(LARGE);
        }
        match value {
            Value::Object(map) => {
                let mut resource = resource;
                let id = map.get(if self.draft == Draft::Draft4 { "id" } else { "$id" });
                if let Some(id) = id.and_then(Value::as_str) {
                    let name = if let Some(anchor) = id.strip_prefix('#') {
                        format!("{resource}#{anchor}")
                    } else {
                        resource = pointer;
                        id.trim_end_matches('#').to_owned()
                    };
                    self.places.insert(name, pointer.to_owned());
                }
                for key in ["$anchor", "$dynamicAnchor"] {
                    if let Some(anchor) = map.get(key).and_then(Value::as_str) {
                        self.places.insert(format!("{resource}#{anchor}"), pointer.to_owned());
                    }
                }
                for (key, inner) in map {
                    if matches!(key.as_str(), "enum" | "const" | "default" | "examples") {
                        continue;
                    }
                    let mut below = pointer.to_owned();
                    qc_document::push_pointer(&mut below, key);
                    self.find_names(inner, &below, resource, depth + 1)?;
                }
            }
            Value::Array(items) => {
                for (index, inner) in items.iter().enumerate() {
                    self.find_names(inner, &format!("{pointer}/{index}"), resource, depth + 1)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The pointer of the innermost resource (a schema with an `$id`) that holds a place.
    fn resource_of(&self, pointer: &str) -> String {
        let within = |place: &&String| {
            pointer
                .strip_prefix(place.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let ids = self.places.iter().filter(|(name, _)| !name.contains('#')).map(|(_, at)| at);
        ids.filter(within).max_by_key(|place| place.len()).cloned().unwrap_or_default()
    }

    fn schema(&mut self, value: &Value, resource: &str, depth: u32) -> Result<Value, &'static str> {
        self.size += 1;
        if depth > DEPTH_LIMIT || self.size > SIZE_LIMIT {
            return Err(LARGE);
        }
        let map = match value {
            Value::Bool(_) => return Ok(value.clone()),
            Value::Object(map) => map,
            _ => return Err(INVALID),
        };
        let ignores_siblings = self.draft < Draft::Draft201909;
        let mut made = Map::new();
        if let Some(reference) = map.get("$ref") {
            let target = self.reference(reference, resource)?;
            made.insert("$ref".to_owned(), Value::String(target));
            if ignores_siblings {
                return Ok(Value::Object(made));
            }
        }
        self.dynamic(map, resource, &mut made)?;
        let id = map.get(if self.draft == Draft::Draft4 { "id" } else { "$id" });
        let id = id.and_then(Value::as_str).filter(|id| !id.starts_with('#'));
        let inner = id.and_then(|id| self.places.get(id.trim_end_matches('#'))).cloned();
        let resource = inner.as_deref().unwrap_or(resource);
        for (name, value) in map {
            self.keyword(name, value, resource, depth, &mut made)?;
        }
        self.items(map, resource, depth, &mut made)?;
        bounds(map, &mut made)?;
        if self.options.nullable && map.get("nullable") == Some(&Value::Bool(true)) {
            return Ok(nullable(made));
        }
        Ok(Value::Object(made))
    }

    /// Dynamic references with one possible target are plain ones.
    fn dynamic(
        &mut self,
        map: &Map<String, Value>,
        resource: &str,
        made: &mut Map<String, Value>,
    ) -> Result<(), &'static str> {
        if self.draft < Draft::Draft201909 {
            return Ok(());
        }
        for key in ["$dynamicRef", "$recursiveRef"] {
            let Some(reference) = map.get(key) else { continue };
            let ids = self.places.keys().filter(|name| !name.contains('#')).count();
            if ids > 1 || made.contains_key("$ref") {
                return Err(DYNAMIC);
            }
            let target = self.reference(reference, resource)?;
            made.insert("$ref".to_owned(), Value::String(target));
        }
        Ok(())
    }

    fn reference(&mut self, reference: &Value, resource: &str) -> Result<String, &'static str> {
        let reference = reference.as_str().ok_or(INVALID)?;
        let (address, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let base = if address.is_empty() {
            resource.to_owned()
        } else {
            self.places.get(address).or_else(|| self.ending(address)).ok_or(REFERENCE)?.clone()
        };
        let fragment = percent_decode_str(fragment).decode_utf8().map_err(|_| REFERENCE)?;
        let target = if fragment.is_empty() {
            base
        } else if fragment.starts_with('/') {
            let inside = format!("{base}{fragment}");
            let is_there = self.root.pointer(&inside).is_some();
            if is_there { inside } else { fragment.into_owned() }
        } else {
            self.places.get(&format!("{base}#{fragment}")).ok_or(REFERENCE)?.clone()
        };
        if self.root.pointer(&target).is_none() {
            return Err(REFERENCE);
        }
        let next = self.names.len();
        if let Some(name) = self.names.get(&target) {
            return Ok(format!("#/$defs/{name}"));
        }
        let name = format!("r{next}");
        self.names.insert(target.clone(), name.clone());
        self.queue.push_back((name.clone(), target));
        Ok(format!("#/$defs/{name}"))
    }

    /// The one resource whose `$id` ends in a relative address.
    fn ending(&self, address: &str) -> Option<&String> {
        let path = address.trim_start_matches("./");
        let mut found = self.places.iter().filter(|(name, _)| {
            name.strip_suffix(path).is_some_and(|before| before.ends_with('/'))
        });
        match (found.next(), found.next()) {
            (Some((_, place)), None) => Some(place),
            _ => None,
        }
    }

    fn keyword(
        &mut self,
        name: &str,
        value: &Value,
        resource: &str,
        depth: u32,
        made: &mut Map<String, Value>,
    ) -> Result<(), &'static str> {
        let draft = self.draft;
        let kept = match name {
            "not" | "additionalProperties" => Some(self.schema(value, resource, depth + 1)?),
            "contains" | "propertyNames" if draft >= Draft::Draft6 => {
                Some(self.schema(value, resource, depth + 1)?)
            }
            "if" | "then" | "else" if draft >= Draft::Draft7 => {
                Some(self.schema(value, resource, depth + 1)?)
            }
            "unevaluatedItems" | "unevaluatedProperties" if draft >= Draft::Draft201909 => {
                Some(self.schema(value, resource, depth + 1)?)
            }
            "properties" | "patternProperties" => Some(self.map(value, resource, depth)?),
            "dependentSchemas" if draft >= Draft::Draft201909 => {
                Some(self.map(value, resource, depth)?)
            }
            "dependencies" => {
                self.dependencies(value, resource, depth, made)?;
                None
            }
            "allOf" | "anyOf" | "oneOf" => {
                let items = value.as_array().filter(|items| !items.is_empty()).ok_or(INVALID)?;
                Some(self.list(items, resource, depth)?)
            }
            "enum" => match value.as_array().ok_or(INVALID)? {
                none if none.is_empty() => {
                    let all = made.entry("allOf").or_insert_with(|| json!([]));
                    all.as_array_mut().ok_or(INVALID)?.push(Value::Bool(false));
                    None
                }
                _ => Some(value.clone()),
            },
            _ => self.plain(name, value)?,
        };
        if let Some(kept) = kept {
            match (name, made.get_mut(name)) {
                ("allOf", Some(Value::Array(own))) => {
                    own.extend(kept.as_array().cloned().unwrap_or_default());
                }
                ("dependentSchemas" | "dependentRequired", Some(Value::Object(own))) => {
                    own.extend(kept.as_object().cloned().unwrap_or_default());
                }
                _ => {
                    made.insert(name.to_owned(), kept);
                }
            }
        }
        Ok(())
    }

    /// Keywords that hold no schema.
    fn plain(&self, name: &str, value: &Value) -> Result<Option<Value>, &'static str> {
        let draft = self.draft;
        let fits = match name {
            "type" => {
                let known = |kind: &Value| kind.as_str().is_some_and(|kind| KINDS.contains(&kind));
                match value {
                    Value::Array(kinds) => !kinds.is_empty() && kinds.iter().all(known),
                    one => known(one),
                }
            }
            "required" => {
                // `required: true` inside a property is draft 3's; it means nothing here.
                let Some(names) = value.as_array() else {
                    return if value.is_boolean() { Ok(None) } else { Err(INVALID) };
                };
                let unique: std::collections::BTreeSet<&str> =
                    names.iter().filter_map(Value::as_str).collect();
                return Ok(Some(json!(unique)));
            }
            "multipleOf" => value.as_f64().is_some_and(|step| step > 0.0),
            "minLength" | "maxLength" | "minItems" | "maxItems" | "minProperties"
            | "maxProperties" => return count(value).map(Some),
            "minContains" | "maxContains" if draft >= Draft::Draft201909 => {
                return count(value).map(Some);
            }
            "uniqueItems" => value.is_boolean(),
            "pattern" => value.is_string(),
            "format" if self.options.formats => value.is_string(),
            "dependentRequired" if draft >= Draft::Draft201909 => value.is_object(),
            "const" if draft >= Draft::Draft6 => true,
            _ => return Ok(None),
        };
        if fits { Ok(Some(value.clone())) } else { Err(INVALID) }
    }

    fn map(&mut self, value: &Value, resource: &str, depth: u32) -> Result<Value, &'static str> {
        let mut made = Map::new();
        for (name, schema) in value.as_object().ok_or(INVALID)? {
            made.insert(name.clone(), self.schema(schema, resource, depth + 1)?);
        }
        Ok(Value::Object(made))
    }

    fn list(&mut self, items: &[Value], resource: &str, depth: u32) -> Result<Value, &'static str> {
        let schemas: Result<Vec<Value>, &'static str> =
            items.iter().map(|item| self.schema(item, resource, depth + 1)).collect();
        schemas.map(Value::Array)
    }

    /// `dependencies` is `dependentRequired` and `dependentSchemas` in one.
    fn dependencies(
        &mut self,
        value: &Value,
        resource: &str,
        depth: u32,
        made: &mut Map<String, Value>,
    ) -> Result<(), &'static str> {
        for (name, needed) in value.as_object().ok_or(INVALID)? {
            let (key, needed) = match needed {
                Value::Array(names) => ("dependentRequired", json!(names)),
                Value::String(one) => ("dependentRequired", json!([one])),
                schema => ("dependentSchemas", self.schema(schema, resource, depth + 1)?),
            };
            let all = made.entry(key).or_insert_with(|| json!({}));
            all.as_object_mut().ok_or(INVALID)?.entry(name.clone()).or_insert(needed);
        }
        Ok(())
    }

    /// `prefixItems` and `items`, whichever way the draft writes them.
    fn items(
        &mut self,
        map: &Map<String, Value>,
        resource: &str,
        depth: u32,
        made: &mut Map<String, Value>,
    ) -> Result<(), &'static str> {
        let is_new = self.draft >= Draft::Draft202012;
        let (prefix, rest) = match (map.get("items"), map.get("prefixItems")) {
            (Some(Value::Array(prefix)), _) => (Some(prefix), map.get("additionalItems")),
            (items, Some(Value::Array(prefix))) if is_new => (Some(prefix), items),
            (_, Some(_)) if is_new => return Err(INVALID),
            (items, _) => (None, items),
        };
        if let Some(prefix) = prefix.filter(|prefix| !prefix.is_empty()) {
            let prefix = self.list(prefix, resource, depth)?;
            made.insert("prefixItems".to_owned(), prefix);
        }
        if let Some(rest) = rest {
            let rest = self.schema(rest, resource, depth + 1)?;
            made.insert("items".to_owned(), rest);
        }
        Ok(())
    }
}

/// A length or number of things; `3.0` is 3.
fn count(value: &Value) -> Result<Value, &'static str> {
    if let Some(count) = value.as_u64() {
        return Ok(Value::from(count));
    }
    let whole = value.as_f64().filter(|count| count.fract() == 0.0 && (0.0..1e15).contains(count));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole, in range")]
    whole.map(|count| Value::from(count as u64)).ok_or(INVALID)
}

/// The bounds of numbers; `exclusiveMinimum: true` opens `minimum`, as draft 4 and OpenAPI 3.0 write it.
fn bounds(map: &Map<String, Value>, made: &mut Map<String, Value>) -> Result<(), &'static str> {
    for (bound, exclusive) in [("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")] {
        let limit = map.get(bound);
        match (limit, map.get(exclusive)) {
            (None, Some(Value::Bool(_))) | (_, None | Some(Value::Bool(false))) => {}
            (Some(limit), Some(Value::Bool(true))) => {
                made.insert(exclusive.to_owned(), limit.clone());
            }
            (_, Some(open @ Value::Number(_))) => {
                made.insert(exclusive.to_owned(), open.clone());
            }
            _ => return Err(INVALID),
        }
        let is_open = map.get(exclusive) == Some(&Value::Bool(true));
        if let Some(limit) = limit.filter(|_| !is_open) {
            if !limit.is_number() {
                return Err(INVALID);
            }
            made.insert(bound.to_owned(), limit.clone());
        }
    }
    Ok(())
}

/// As the rest of the platform reads it: null is admitted also where the standard gives `nullable` no effect.
fn nullable(mut made: Map<String, Value>) -> Value {
    let combined = ["allOf", "anyOf", "oneOf", "not"].iter().any(|key| made.contains_key(*key));
    if combined {
        return json!({ "anyOf": [{ "type": "null" }, made] });
    }
    if let Some(Value::String(kind)) = made.get("type") {
        let kinds = json!([kind, "null"]);
        made.insert("type".to_owned(), kinds);
    }
    if let Some(Value::Array(options)) = made.get_mut("enum")
        && !options.contains(&Value::Null)
    {
        options.push(Value::Null);
    }
    Value::Object(made)
}
