//! Reading a self-contained JSON Schema for what a simulator needs: an object's fields, a list's items.

use std::collections::{BTreeMap, BTreeSet};

use percent_encoding::percent_decode_str;
use serde_json::Value;

/// Most references followed and combinations entered on one way down.
const DEPTH_LIMIT: usize = 16;

/// The fields that a schema declares for an object.
#[derive(Debug, Clone, Default)]
pub(super) struct ObjectShape {
    pub(super) fields: BTreeMap<String, Value>,
    pub(super) required: BTreeSet<String>,
}

impl ObjectShape {
    /// What a schema (of `root`) says about an object; `allOf` is united, of alternatives the first counts.
    pub(super) fn of(root: &Value, schema: &Value) -> Self {
        let mut shape = Self::default();
        shape.gather(root, schema, 0);
        shape
    }

    fn gather(&mut self, root: &Value, schema: &Value, depth: usize) {
        if depth > DEPTH_LIMIT {
            return;
        }
        let schema = resolve(root, schema);
        if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
            for (name, property) in properties {
                let property = resolve(root, property).clone();
                self.fields.entry(name.clone()).or_insert(property);
            }
        }
        for name in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
            self.required.extend(name.as_str().map(str::to_owned));
        }
        for part in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
            self.gather(root, part, depth + 1);
        }
        for keyword in ["oneOf", "anyOf"] {
            let alternatives = schema.get(keyword).and_then(Value::as_array).into_iter().flatten();
            let mut real = alternatives.filter(|alternative| !is_null(resolve(root, alternative)));
            if let Some(first) = real.next() {
                self.gather(root, first, depth + 1);
            }
        }
    }

    pub(super) fn names(&self) -> BTreeSet<String> {
        self.fields.keys().cloned().collect()
    }

    /// Adds what another schema says about the same resource.
    pub(super) fn unite(&mut self, other: Self) {
        for (name, schema) in other.fields {
            self.fields.entry(name).or_insert(schema);
        }
        self.required.extend(other.required);
    }

    /// Whether a field is of a type.
    pub(super) fn is(&self, field: &str, kind: &str) -> bool {
        self.fields.get(field).is_some_and(|schema| has_type(schema, kind))
    }

    /// Whether a field is a time.
    pub(super) fn is_moment(&self, field: &str) -> bool {
        self.fields
            .get(field)
            .is_some_and(|schema| schema.get("format").and_then(Value::as_str) == Some("date-time"))
    }
}

fn is_null(schema: &Value) -> bool {
    schema.get("type").and_then(Value::as_str) == Some("null")
}

/// Whether a schema says that its value may be null.
pub(super) fn admits_null(root: &Value, schema: &Value) -> bool {
    let alternatives = |keyword: &str| schema.get(keyword).and_then(Value::as_array);
    let several = ["anyOf", "oneOf"].into_iter().filter_map(alternatives).flatten();
    has_type(schema, "null")
        || several.into_iter().any(|alternative| has_type(resolve(root, alternative), "null"))
}

/// Whether `type` names a kind, alone or in a list.
pub(super) fn has_type(schema: &Value, kind: &str) -> bool {
    match schema.get("type") {
        Some(Value::String(one)) => one == kind,
        Some(Value::Array(several)) => several.iter().any(|one| one == kind),
        _ => false,
    }
}

/// Follows references within a schema.
pub(super) fn resolve<'v>(root: &'v Value, schema: &'v Value) -> &'v Value {
    let mut schema = schema;
    for _ in 0..DEPTH_LIMIT {
        let Some(reference) = schema.get("$ref").and_then(Value::as_str) else { break };
        let Some(pointer) = reference.strip_prefix('#') else { break };
        let pointer = percent_decode_str(pointer).decode_utf8_lossy();
        match root.pointer(&pointer) {
            Some(target) => schema = target,
            None => break,
        }
    }
    schema
}

/// The schema of a list's items, when the schema is one of a list.
pub(super) fn items<'v>(root: &'v Value, schema: &'v Value) -> Option<&'v Value> {
    let schema = resolve(root, schema);
    if has_type(schema, "array") {
        schema.get("items").map(|items| resolve(root, items))
    } else {
        None
    }
}
