//! Takes one schema out of its description: a self-contained JSON Schema 2020-12 value, whatever the version it was
//! written for. References become `#/$defs/…`, so recursion stays recursion.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use qc_document::{Node, NodeValue};
use serde_json::{Map, Value, json};

use crate::documents::{At, Broken, Documents, fragment, last_segment};
use crate::mismatch::Direction;
use crate::model::{SchemaAt, Version};

/// The value of a schema and what got lost on the way.
pub(crate) struct Extracted {
    pub(crate) value: Value,
    /// References that lead nowhere; they admit everything.
    pub(crate) broken: Vec<(At, Broken)>,
}

pub(crate) fn extract(
    documents: &Documents,
    version: Version,
    direction: Direction,
    schema: &SchemaAt,
) -> Extracted {
    let mut taking = Taking {
        documents,
        version,
        direction,
        names: HashMap::new(),
        taken: BTreeSet::new(),
        queue: VecDeque::new(),
        broken: Vec::new(),
    };
    let mut value = taking.root(schema);
    let mut defs = BTreeMap::new();
    while let Some((name, at)) = taking.queue.pop_front() {
        let value = taking.at(&at);
        defs.insert(name, value);
    }
    if !defs.is_empty() {
        let defs: Map<String, Value> = defs.into_iter().collect();
        match &mut value {
            Value::Object(map) => {
                map.insert("$defs".to_owned(), Value::Object(defs));
            }
            other => *other = json!({ "allOf": [other.take()], "$defs": defs }),
        }
    }
    Extracted { value, broken: taking.broken }
}

struct Taking<'d> {
    documents: &'d Documents,
    version: Version,
    direction: Direction,
    names: HashMap<At, String>,
    taken: BTreeSet<String>,
    queue: VecDeque<(String, At)>,
    broken: Vec<(At, Broken)>,
}

impl Taking<'_> {
    fn root(&mut self, schema: &SchemaAt) -> Value {
        let Some(fields) = &schema.fields else {
            let at = At { file: schema.file, pointer: schema.pointer.to_string() };
            return self.at(&at);
        };
        let mut properties = Map::new();
        let mut required = Vec::new();
        for field in fields.iter() {
            let at = At { file: field.file, pointer: field.pointer.to_string() };
            properties.insert(field.name.to_string(), self.at(&at));
            if field.required {
                required.push(Value::from(&*field.name));
            }
        }
        let mut object = json!({ "type": "object", "properties": properties });
        if !required.is_empty() {
            object["required"] = Value::Array(required);
        }
        object
    }

    fn at(&mut self, at: &At) -> Value {
        match self.documents.node(at.file, &at.pointer) {
            Some(node) => self.schema(at, node),
            None => Value::Bool(true),
        }
    }

    /// One schema, normalised.
    fn schema(&mut self, at: &At, node: &Node) -> Value {
        let entries = match &node.value {
            NodeValue::Bool(value) => return Value::Bool(*value),
            NodeValue::Mapping(entries) => entries,
            _ => return Value::Bool(true),
        };
        let mut made = Map::new();
        let reference = node.get("$ref").or_else(|| node.get("$dynamicRef"));
        if let Some(reference) = reference.and_then(Node::as_str) {
            match self.reference(at, reference) {
                Some(target) => {
                    made.insert("$ref".to_owned(), Value::String(target));
                }
                None if self.version != Version::V3_1 => return Value::Bool(true),
                None => {}
            }
            if self.version != Version::V3_1 {
                return Value::Object(made);
            }
        }
        for (key, value) in entries {
            self.keyword(at, &key.name, value, &mut made);
        }
        Self::bounds(node, &mut made);
        self.drop_one_way_properties(at, node, &mut made);
        self.discriminate(at, node, &mut made);
        self.nullable(node, made)
    }

    fn reference(&mut self, at: &At, reference: &str) -> Option<String> {
        let target = match self.documents.target(at.file, reference) {
            Ok(target) => target,
            Err(broken) => {
                self.broken.push((at.clone(), broken));
                return None;
            }
        };
        if let Some(name) = self.names.get(&target) {
            return Some(def_pointer(name));
        }
        let stem = match last_segment(&target.pointer) {
            stem if stem.is_empty() => "root".to_owned(),
            stem => stem,
        };
        let mut name = stem.clone();
        let mut number = 2;
        while self.taken.contains(&name) {
            name = format!("{stem}_{number}");
            number += 1;
        }
        self.taken.insert(name.clone());
        self.names.insert(target.clone(), name.clone());
        self.queue.push_back((name.clone(), target));
        Some(def_pointer(&name))
    }

    fn keyword(&mut self, at: &At, name: &str, value: &Node, made: &mut Map<String, Value>) {
        let kept = match name {
            "not"
            | "if"
            | "then"
            | "else"
            | "contains"
            | "propertyNames"
            | "additionalProperties"
            | "unevaluatedItems"
            | "unevaluatedProperties"
            | "contentSchema" => Some(self.schema(&at.child(name), value)),
            "items" => match &value.value {
                NodeValue::Sequence(items) => {
                    let items = self.list(&at.child(name), items);
                    made.insert("prefixItems".to_owned(), Value::Array(items));
                    None
                }
                _ => Some(self.schema(&at.child(name), value)),
            },
            "properties" | "patternProperties" | "dependentSchemas" => {
                let below = at.child(name);
                value.as_mapping().map(|entries| {
                    let schemas = entries.iter().map(|(key, schema)| {
                        let schema = self.schema(&below.child(&key.name), schema);
                        (key.name.to_string(), schema)
                    });
                    Value::Object(schemas.collect())
                })
            }
            "allOf" | "anyOf" | "oneOf" | "prefixItems" => {
                let below = at.child(name);
                let items = value.as_sequence().filter(|items| !items.is_empty());
                items.map(|items| Value::Array(self.list(&below, items)))
            }
            "example" => {
                made.insert("examples".to_owned(), json!([value.to_value()]));
                None
            }
            _ => plain_keyword(name, value),
        };
        if let Some(kept) = kept {
            made.insert(name.to_owned(), kept);
        }
    }

    fn list(&mut self, at: &At, items: &[Node]) -> Vec<Value> {
        let numbered = items.iter().enumerate();
        numbered.map(|(index, item)| self.schema(&at.child(&index.to_string()), item)).collect()
    }

    /// Before 3.1, `exclusiveMinimum: true` turned `minimum` into an open bound.
    fn bounds(node: &Node, made: &mut Map<String, Value>) {
        for (bound, exclusive) in [("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")]
        {
            let is_open = node.get(exclusive).and_then(Node::as_bool) == Some(true);
            if is_open && let Some(limit) = made.remove(bound) {
                made.insert(exclusive.to_owned(), limit);
            }
        }
    }

    /// A required property that only travels the other way is not required this way.
    fn drop_one_way_properties(&self, at: &At, node: &Node, made: &mut Map<String, Value>) {
        let Some(Value::Array(required)) = made.get_mut("required") else { return };
        let flag = match self.direction {
            Direction::Request => "readOnly",
            Direction::Response => "writeOnly",
        };
        let properties = node.get("properties");
        let below = at.child("properties");
        required.retain(|name| {
            let name = name.as_str().unwrap_or_default();
            let Some(property) = properties.and_then(|all| all.get(name)) else { return true };
            let has = |node: &Node| node.get(flag).and_then(Node::as_bool) == Some(true);
            let resolved = self.documents.follow(below.child(name), property);
            !(has(property) || resolved.is_ok_and(|(_, node)| has(node)))
        });
        if required.is_empty() {
            made.remove("required");
        }
    }

    /// `discriminator`: an alternative fits only when the property names it.
    fn discriminate(&mut self, at: &At, node: &Node, made: &mut Map<String, Value>) {
        let Some(discriminator) = node.get("discriminator") else { return };
        let Some(property) = discriminator.get("propertyName").and_then(Node::as_str) else {
            return;
        };
        for keyword in ["oneOf", "anyOf"] {
            let Some(alternatives) = node.get(keyword).and_then(Node::as_sequence) else {
                continue;
            };
            let references: Option<Vec<&str>> = alternatives
                .iter()
                .map(|alternative| alternative.get("$ref").and_then(Node::as_str))
                .collect();
            let Some(references) = references else { continue };
            let mapping = discriminator.get("mapping").and_then(Node::as_mapping);
            let mapping = mapping.unwrap_or_default();
            let mut made_alternatives = Vec::new();
            for reference in references {
                let target = self.documents.target(at.file, reference).ok();
                let mut names = vec![Value::from(last_segment(reference))];
                for (name, mapped) in mapping {
                    let mapped = mapped.as_str().unwrap_or_default();
                    let same = mapped == last_segment(reference)
                        || self.documents.target(at.file, mapped).ok() == target;
                    if same {
                        names.push(Value::from(&*name.name));
                    }
                }
                let Some(pointer) = self.reference(at, reference) else { return };
                made_alternatives.push(json!({
                    "$ref": pointer,
                    "properties": { property: { "enum": names } },
                    "required": [property],
                }));
            }
            made.insert(keyword.to_owned(), Value::Array(made_alternatives));
        }
    }

    /// Before 3.1, `nullable: true` admitted null. Descriptions in the wild also mean it where the standard says it
    /// has no effect (beside `allOf`, or with an `enum` that lacks null), so it admits null there too.
    fn nullable(&self, node: &Node, mut made: Map<String, Value>) -> Value {
        let flag = |name: &str| node.get(name).and_then(Node::as_bool) == Some(true);
        let admits_null = match self.version {
            Version::V3_0 => flag("nullable"),
            Version::V2 => flag("x-nullable"),
            Version::V3_1 => false,
        };
        if !admits_null {
            return Value::Object(made);
        }
        let combined = ["allOf", "anyOf", "oneOf", "not"].iter().any(|k| made.contains_key(*k));
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
}

fn def_pointer(name: &str) -> String {
    let mut pointer = String::from("/$defs");
    qc_document::push_pointer(&mut pointer, name);
    format!("#{}", fragment(&pointer))
}

const KINDS: [&str; 7] = ["null", "boolean", "object", "array", "number", "string", "integer"];

/// Keywords that hold no schema. What is not written as JSON Schema demands is left out: it would make the whole
/// schema uncompilable, and descriptions in the wild have such slips.
fn plain_keyword(name: &str, value: &Node) -> Option<Value> {
    let fits = match name {
        "type" => match &value.value {
            NodeValue::String(kind) => KINDS.contains(&&**kind),
            NodeValue::Sequence(kinds) => {
                let known = |kind: &Node| kind.as_str().is_some_and(|k| KINDS.contains(&k));
                let unique = |at: usize| kinds[..at].iter().all(|k| k.value != kinds[at].value);
                !kinds.is_empty() && kinds.iter().all(known) && (0..kinds.len()).all(unique)
            }
            _ => false,
        },
        "enum" => value.as_sequence().is_some_and(|options| !options.is_empty()),
        "required" => {
            let names = value.as_sequence()?;
            let mut unique: Vec<&str> = names.iter().filter_map(Node::as_str).collect();
            unique.sort_unstable();
            unique.dedup();
            return if unique.is_empty() { None } else { Some(json!(unique)) };
        }
        "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" => value.as_f64().is_some(),
        "multipleOf" => value.as_f64().is_some_and(|step| step > 0.0),
        "minLength" | "maxLength" | "minItems" | "maxItems" | "minProperties" | "maxProperties"
        | "minContains" | "maxContains" => value.as_i64().is_some_and(|limit| limit >= 0),
        "uniqueItems" | "readOnly" | "writeOnly" => value.as_bool().is_some(),
        "pattern" | "format" | "contentEncoding" | "contentMediaType" => value.as_str().is_some(),
        "examples" => value.as_sequence().is_some(),
        "dependentRequired" => value.as_mapping().is_some(),
        "const" | "default" => true,
        _ => false,
    };
    if fits { Some(value.to_value()) } else { None }
}
