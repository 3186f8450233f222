//! Other words for the same contract change nothing.

use qc_contract::Verdict;
use serde_json::{Value, json};

use crate::compared;

/// A document whose request and answer are this schema.
pub(crate) fn with(version: &str, schema: &Value, components: &Value) -> Value {
    let content = json!({"application/json": {"schema": schema}});
    json!({
        "openapi": version,
        "info": {"title": "A", "version": "1"},
        "paths": {"/a": {"post": {
            "requestBody": {"content": content},
            "responses": {"200": {"description": "ok", "content": content}}
        }}},
        "components": {"schemas": components},
    })
}

fn same(version: &str, old: &Value, new: &Value, components: &Value) {
    for (old, new) in [(old, new), (new, old)] {
        let comparison = compared(&with(version, old, components), &with(version, new, components));
        let found: Vec<String> =
            comparison.changes.iter().map(|c| format!("{} {}", c.rule.id, c.message)).collect();
        assert_eq!(comparison.verdict, Verdict::NoChange, "{old} -> {new}: {found:?}");
    }
}

#[test]
fn the_same_in_other_words_is_no_change() {
    let thing = json!({"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}, "b": {"type": "integer"}}});
    let components = json!({"Thing": thing, "Other": {"type": "integer"}, "Same": thing});
    let reference = json!({"$ref": "#/components/schemas/Thing"});
    let pairs = [
        (thing.clone(), reference.clone()),
        (json!({"allOf": [reference]}), reference.clone()),
        (json!({"allOf": [thing, reference]}), thing.clone()),
        (json!({"$ref": "#/components/schemas/Same"}), reference.clone()),
        (json!({"anyOf": [reference]}), reference.clone()),
        (json!({"oneOf": [reference]}), reference.clone()),
        (json!({"type": ["string"]}), json!({"type": "string"})),
        (json!({"type": ["string", "integer"]}), json!({"type": ["integer", "string"]})),
        (
            json!({"type": ["string", "integer"]}),
            json!({"anyOf": [{"type": "string"}, {"type": "integer"}]}),
        ),
        (json!({"enum": ["a", "b"]}), json!({"enum": ["b", "a"]})),
        (json!({"enum": ["a", "b"]}), json!({"oneOf": [{"const": "a"}, {"const": "b"}]})),
        (json!({"const": "a"}), json!({"enum": ["a"]})),
        (json!({"type": "string", "minLength": 0}), json!({"type": "string"})),
        (json!({"type": "integer", "maximum": 5}), json!({"type": "integer", "maximum": 5.0})),
        (
            json!({"anyOf": [reference, {"type": "integer"}]}),
            json!({"anyOf": [{"$ref": "#/components/schemas/Other"}, thing]}),
        ),
        (
            json!({"type": "object", "required": ["a", "b"], "properties": {"a": {"type": "string"}, "b": {"type": "integer"}}}),
            json!({"allOf": [
                {"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}}},
                {"type": "object", "required": ["b"], "properties": {"b": {"type": "integer"}}}
            ]}),
        ),
        (
            json!({"type": "object", "additionalProperties": true}),
            json!({"type": "object", "additionalProperties": {}}),
        ),
        (json!({"type": "array", "items": thing}), json!({"type": "array", "items": reference})),
    ];
    for (old, new) in pairs {
        same("3.1.0", &old, &new, &components);
    }
}

#[test]
fn null_is_null_in_every_spelling() {
    let components = json!({"Thing": {"type": "object", "properties": {"a": {"type": "string"}}}});
    let reference = json!({"$ref": "#/components/schemas/Thing"});
    same(
        "3.0.3",
        &json!({"nullable": true, "allOf": [reference]}),
        &json!({"type": "object", "nullable": true, "properties": {"a": {"type": "string"}}}),
        &components,
    );
    same(
        "3.1.0",
        &json!({"oneOf": [{"type": "null"}, reference]}),
        &json!({"anyOf": [reference, {"type": "null"}]}),
        &components,
    );
    same(
        "3.1.0",
        &json!({"type": ["string", "null"]}),
        &json!({"anyOf": [{"type": "string"}, {"type": "null"}]}),
        &components,
    );
    let old = with("3.0.3", &json!({"type": "string", "nullable": true}), &components);
    let new = with("3.1.0", &json!({"type": ["string", "null"]}), &components);
    assert_eq!(compared(&old, &new).verdict, Verdict::NoChange);
    let old = with(
        "3.0.3",
        &json!({"type": "number", "minimum": 0, "exclusiveMinimum": true}),
        &components,
    );
    let new = with("3.1.0", &json!({"type": "number", "exclusiveMinimum": 0}), &components);
    assert_eq!(compared(&old, &new).verdict, Verdict::NoChange);
}

#[test]
fn recursion_in_another_shape_is_the_same() {
    let tree = |items: Value| json!({"Tree": {"type": "object", "properties": {"value": {"type": "string"}, "below": {"type": "array", "items": items}}}});
    let reference = json!({"$ref": "#/components/schemas/Tree"});
    let unrolled = json!({"type": "object", "properties": {"value": {"type": "string"}, "below": {"type": "array", "items": reference}}});
    let old = with("3.1.0", &reference, &tree(reference.clone()));
    let new = with("3.1.0", &reference, &tree(unrolled));
    assert_eq!(compared(&old, &new).verdict, Verdict::NoChange);
    let mut other = tree(reference.clone());
    other["Tree"]["properties"]["value"]["type"] = json!("integer");
    let changed = compared(&old, &with("3.1.0", &reference, &other));
    assert_eq!(changed.verdict, Verdict::Breaking);
    assert_eq!(
        changed.changes.len(),
        3,
        "once for each way, and the version: {:?}",
        changed.changes
    );
}

#[test]
fn names_that_are_not_on_the_wire_do_not_matter() {
    let api = |path: &str, name: &str| {
        json!({"openapi": "3.1.0", "info": {"title": "A", "version": "1"}, "paths": {path: {"get": {
            "parameters": [{"name": name, "in": "path", "required": true, "schema": {"type": "string"}}],
            "responses": {"200": {"description": "ok"}}
        }}}})
    };
    let comparison = compared(&api("/a/{id}", "id"), &api("/a/{key}", "key"));
    let found: Vec<&str> = comparison.changes.iter().map(|change| &*change.rule.id).collect();
    assert_eq!(found, ["path-parameter-renamed"]);
    assert_eq!(comparison.verdict, Verdict::NonBreaking);
}
