//! Fields of answers that the contract neither names nor forbids. The validator admits them; whoever learns an API wants to
//! know of them.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use qc_document::push_pointer;
use serde_json::Value;

use super::check::{answered, resolve};
use super::{Direction, OpenApi};
use crate::model::Operation;

/// How deep a contract is looked into, and how many of its schemas are.
const DEPTH_MAX: usize = 16;
const SCHEMAS_MAX: usize = 4_096;
/// How many values of an answer are looked at, and how many items of each list.
const VALUES_MAX: usize = 10_000;
const ITEMS_MAX: usize = 50;
/// The most fields that one look finds.
const FOUND_MAX: usize = 20;

/// A field that a contract does not name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undeclared {
    /// JSON Pointer, `*` for the items of a list.
    pub pointer: String,
    /// The kind of its value: `text`, `number`, `object`, ….
    pub kind: &'static str,
}

/// The fields that a schema names. Nothing is said where it says by other means which fields there may be.
#[derive(Debug, Default)]
pub(super) struct Named {
    fields: Option<HashMap<String, Named>>,
    items: Option<Box<Named>>,
}

impl OpenApi {
    /// The fields of an answer's body that its contract does not name, at most 20; of lists the first 50 items are looked
    /// at. Nothing where the contract describes no such answer, or leaves open on purpose which fields there are.
    pub fn undeclared(
        &self,
        operation: &Operation,
        status: u16,
        media_type: &str,
        body: &Value,
    ) -> Vec<Undeclared> {
        let content = operation.response(status).and_then(|it| answered(&it.content, media_type));
        let Some(at) = content.and_then(|content| content.schema.as_ref()) else {
            return Vec::new();
        };
        let known = || self.named.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known().get(at).cloned();
        let named = found.unwrap_or_else(|| {
            let schema = self.schema(at, Direction::Response);
            let mut left = SCHEMAS_MAX;
            let named = Arc::new(Named::of(&schema, &schema, DEPTH_MAX, &mut left));
            known().entry(at.clone()).or_insert(named).clone()
        });
        let mut look = Look { way: Vec::new(), left: VALUES_MAX, found: Vec::new() };
        look.at(&named, body);
        look.found
    }
}

impl Named {
    fn of(root: &Value, schema: &Value, depth: usize, left: &mut usize) -> Self {
        let mut parts = Vec::new();
        let Some(schema) = resolve(root, schema).as_object() else { return Self::default() };
        if depth == 0 || *left == 0 || !gather(root, schema, depth, &mut parts) {
            return Self::default();
        }
        let mut named = Self::default();
        for part in parts {
            let properties = part.get("properties").and_then(Value::as_object);
            for (name, inner) in properties.into_iter().flatten() {
                *left = left.saturating_sub(1);
                let inner = Self::of(root, inner, depth - 1, left);
                let fields = named.fields.get_or_insert_default();
                match fields.get_mut(name) {
                    Some(known) => known.join(inner),
                    None => drop(fields.insert(name.clone(), inner)),
                }
            }
            if let Some(items) = part.get("items").filter(|_| !part.contains_key("prefixItems")) {
                *left = left.saturating_sub(1);
                let items = Self::of(root, items, depth - 1, left);
                match &mut named.items {
                    Some(known) => known.join(items),
                    None => named.items = Some(Box::new(items)),
                }
            }
        }
        named
    }

    /// Two schemas speak of one value: where one of them leaves it open, nothing is said.
    fn join(&mut self, other: Self) {
        self.fields = match (self.fields.take(), other.fields) {
            (Some(mut fields), Some(others)) => {
                for (name, inner) in others {
                    match fields.get_mut(&name) {
                        Some(known) => known.join(inner),
                        None => drop(fields.insert(name, inner)),
                    }
                }
                Some(fields)
            }
            _ => None,
        };
        self.items = match (self.items.take(), other.items) {
            (Some(mut one), Some(other)) => {
                one.join(*other);
                Some(one)
            }
            _ => None,
        };
    }
}

type Object = serde_json::Map<String, Value>;

/// The schemas that together name the fields of a value. False: which there are is said by other means.
fn gather<'v>(
    root: &'v Value,
    schema: &'v Object,
    depth: usize,
    parts: &mut Vec<&'v Object>,
) -> bool {
    const ELSEWISE: [&str; 8] = [
        "additionalProperties",
        "unevaluatedProperties",
        "patternProperties",
        "propertyNames",
        "dependentSchemas",
        "if",
        "not",
        "$dynamicRef",
    ];
    if depth == 0
        || parts.len() >= SCHEMAS_MAX
        || ELSEWISE.iter().any(|key| schema.contains_key(*key))
    {
        return false;
    }
    parts.push(schema);
    ["allOf", "anyOf", "oneOf"].iter().all(|key| {
        let branches = schema.get(*key).and_then(Value::as_array);
        branches.into_iter().flatten().all(|branch| match resolve(root, branch) {
            Value::Object(inner) => {
                // An alternative that names no field of an object admits any.
                let open = *key != "allOf" && is_open_object(inner);
                !open && gather(root, inner, depth - 1, parts)
            }
            _ => *key == "allOf",
        })
    })
}

fn is_open_object(schema: &Object) -> bool {
    let kinds = schema.get("type");
    let object = kinds.is_none_or(|kinds| {
        kinds == "object" || kinds.as_array().is_some_and(|all| all.iter().any(|it| it == "object"))
    });
    let says = ["properties", "allOf", "anyOf", "oneOf", "enum", "const"];
    object && !says.iter().any(|key| schema.contains_key(*key))
}

/// A look at an answer.
struct Look<'v> {
    way: Vec<&'v str>,
    left: usize,
    found: Vec<Undeclared>,
}

impl<'v> Look<'v> {
    fn at(&mut self, named: &Named, value: &'v Value) {
        if self.left == 0 || self.found.len() >= FOUND_MAX {
            return;
        }
        self.left -= 1;
        match value {
            Value::Object(fields) => {
                let Some(known) = &named.fields else { return };
                for (name, inner) in fields {
                    self.way.push(name);
                    match known.get(name) {
                        Some(named) => self.at(named, inner),
                        None => self.find(inner),
                    }
                    self.way.pop();
                }
            }
            Value::Array(items) => {
                let Some(named) = &named.items else { return };
                self.way.push("*");
                for item in items.iter().take(ITEMS_MAX) {
                    self.at(named, item);
                }
                self.way.pop();
            }
            _ => {}
        }
    }

    fn find(&mut self, value: &Value) {
        let mut pointer = String::new();
        for step in &self.way {
            push_pointer(&mut pointer, step);
        }
        let kind = match value {
            Value::Null => "null",
            Value::Bool(_) => "truth value",
            Value::Number(_) => "number",
            Value::String(_) => "text",
            Value::Array(_) => "list",
            Value::Object(_) => "object",
        };
        let one = Undeclared { pointer, kind };
        if self.found.len() < FOUND_MAX && !self.found.contains(&one) {
            self.found.push(one);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn api(schema: &Value) -> OpenApi {
        let text = json!({
            "openapi": "3.1.0", "info": {"title": "A", "version": "1"},
            "paths": {"/a": {"get": {"operationId": "read", "responses": {"200": {
                "description": "ok", "content": {"application/json": {"schema": schema}}}}}}},
            "components": {"schemas": {"Node": {"type": "object", "properties": {
                "name": {"type": "string"}, "next": {"$ref": "#/components/schemas/Node"}}}}}
        });
        OpenApi::from_text("a.json", &text.to_string()).unwrap()
    }

    fn found(schema: &Value, body: &Value) -> Vec<String> {
        let api = api(schema);
        let read = api.operation("read").unwrap();
        let found = api.undeclared(read, 200, "application/json", body);
        assert_eq!(found, api.undeclared(read, 200, "application/json", body));
        assert_eq!(api.undeclared(read, 404, "application/json", body), []);
        found.into_iter().map(|one| format!("{} {}", one.pointer, one.kind)).collect()
    }

    #[test]
    fn fields_that_are_not_named_are_found_once_wherever_they_stand() {
        let schema = json!({"type": "object", "properties": {
            "id": {"type": "string"},
            "lines": {"type": "array", "items": {"type": "object", "properties": {"sku": {}}}},
            "tree": {"$ref": "#/components/schemas/Node"}}});
        let body = json!({"id": "a", "new": 1, "lines": [{"sku": 1}, {"sku": 2, "tax": "x"}, {"tax": "y"}],
            "tree": {"next": {"next": {"a/b": null}}}});
        assert_eq!(
            found(&schema, &body),
            ["/new number", "/lines/*/tax text", "/tree/next/next/a~1b null"]
        );
        assert_eq!(found(&schema, &json!(["no object"])), Vec::<String>::new());
    }

    #[test]
    fn nothing_is_said_where_the_contract_says_it_by_other_means() {
        for open in [
            json!({"type": "object"}),
            json!({"properties": {"id": {}}, "additionalProperties": {"type": "string"}}),
            json!({"properties": {"id": {}}, "additionalProperties": false}),
            json!({"properties": {"id": {}}, "patternProperties": {"^x-": {}}}),
            json!({"anyOf": [{"type": "object"}, {"properties": {"id": {}}}]}),
            json!({"allOf": [{"properties": {"id": {}}, "additionalProperties": true}]}),
            json!(true),
        ] {
            assert_eq!(found(&open, &json!({"new": 1})), Vec::<String>::new(), "{open}");
        }
        let parts = json!({"allOf": [{"properties": {"a": {}}}, {"required": ["b"]}],
            "oneOf": [{"properties": {"b": {}}}, {"properties": {"c": {}}}]});
        assert_eq!(found(&parts, &json!({"a": 1, "b": 1, "c": 1, "d": true})), ["/d truth value"]);
    }

    #[test]
    fn a_look_is_bounded() {
        let schema =
            json!({"properties": {"list": {"items": {"$ref": "#/components/schemas/Node"}}}});
        let fields: Object = (0..100).map(|n| (format!("f{n}"), json!(n))).collect();
        assert_eq!(found(&schema, &Value::Object(fields)).len(), FOUND_MAX);
        let mut items = vec![json!({"name": "a"}); ITEMS_MAX];
        items.push(json!({"late": 1}));
        assert_eq!(found(&schema, &json!({ "list": items })), Vec::<String>::new());
        let mut deep = json!({"late": 1});
        for _ in 0..100 {
            deep = json!({ "next": deep });
        }
        assert_eq!(found(&schema, &json!({ "list": [deep] })), Vec::<String>::new());
    }
}
