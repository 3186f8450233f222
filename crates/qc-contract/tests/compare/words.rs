//! Formats of which one admits more than the other, and what discriminators name.

use serde_json::{Value, json};

use crate::compared;

/// An API that takes and answers with a schema, beside which stand others.
fn api(schema: &Value, way: &str, others: &Value) -> Value {
    let content = json!({ "application/json": { "schema": schema } });
    let mut operation = json!({ "responses": { "200": { "description": "ok" } } });
    if way == "request" {
        operation["requestBody"] = json!({ "required": true, "content": content });
    } else {
        operation["responses"]["200"]["content"] = content;
    }
    json!({
        "openapi": "3.1.0",
        "info": { "title": "T", "version": "1" },
        "paths": { "/a": { "post": operation } },
        "components": { "schemas": others },
    })
}

/// What is told of a change, each with its weight.
fn told(way: &str, old: &Value, new: &Value, others: &Value) -> Vec<String> {
    let comparison = compared(&api(old, way, others), &api(new, way, others));
    let told = comparison.changes.iter().filter(|change| !change.rule.id.starts_with("version"));
    told.map(|change| format!("{} {}", change.level, change.rule.id)).collect()
}

#[test]
fn a_format_that_admits_more_is_told_from_one_that_admits_less() {
    for (small, large) in [("int32", "int64"), ("float", "double")] {
        let kind = if small == "int32" { "integer" } else { "number" };
        let of = |format: &str| json!({ "type": "object", "required": ["n"], "properties": { "n": { "type": kind, "format": format } } });
        for (way, grows, shrinks) in [
            ("request", "risky request-format-changed", "breaking request-format-narrowed"),
            ("response", "breaking response-format-widened", "risky response-format-changed"),
        ] {
            let others = json!({});
            assert_eq!(told(way, &of(small), &of(large), &others), [grows], "{way} {small}");
            assert_eq!(told(way, &of(large), &of(small), &others), [shrinks], "{way} {large}");
        }
    }
}

#[test]
fn a_word_that_names_another_alternative_is_told() {
    let animal = |word: &str| json!({ "type": "object", "required": ["kind"], "properties": { "kind": { "type": "string" }, word: { "type": "string" } } });
    let others = json!({ "Cat": animal("whiskers"), "Dog": animal("leash") });
    let of = |mapping: &Value| {
        let names =
            ["Cat", "Dog"].map(|name| json!({ "$ref": format!("#/components/schemas/{name}") }));
        json!({ "oneOf": names, "discriminator": { "propertyName": "kind", "mapping": mapping } })
    };
    let (cat, dog) = ("#/components/schemas/Cat", "#/components/schemas/Dog");
    let right = of(&json!({ "cat": cat, "dog": dog }));
    for way in ["request", "response"] {
        let swapped = told(way, &right, &of(&json!({ "cat": dog, "dog": cat })), &others);
        assert_eq!(swapped.len(), 2, "both words: {swapped:?}");
        assert!(
            swapped.iter().all(|it| it.ends_with("discriminator-value-removed")),
            "{swapped:?}"
        );
        let gone = told(way, &right, &of(&json!({ "cat": cat })), &others);
        assert!(gone.iter().any(|it| it.ends_with("discriminator-value-removed")), "{gone:?}");
        let by_name = of(&json!({ "cat": "Cat", "dog": dog }));
        assert_eq!(told(way, &right, &by_name, &others), [""; 0], "the name is the same place");
    }
}
