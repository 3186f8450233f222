use proptest::prelude::*;
use serde_json::json;

use super::*;

fn valid(schema: Value) {
    let validator =
        compile_tolerant(&schema, Dialect { draft: Some(Draft::Draft202012), formats: true });
    let validator = validator.expect("compiles").0;
    for seed in 0..50 {
        let value = sample(&schema, seed);
        assert!(validator.is_valid(&value), "{value} for {schema}");
        assert_eq!(value, sample(&schema, seed), "deterministic");
    }
}

#[test]
fn samples_satisfy_their_schemas() {
    for format in [
        "date-time",
        "date",
        "time",
        "duration",
        "email",
        "hostname",
        "ipv4",
        "ipv6",
        "uri",
        "uri-reference",
        "uri-template",
        "uuid",
        "json-pointer",
        "relative-json-pointer",
        "regex",
    ] {
        valid(json!({"type": "string", "format": format}));
    }
    for pattern in [
        "^[A-Z]{2}-\\d+$",
        "^(a|b)c*$",
        "^\\w+@\\w+\\.com$",
        "x",
        "^\\/a\\/[^/]+$",
        "^[0-9a-f]{40}$",
    ] {
        valid(json!({"type": "string", "pattern": pattern}));
    }
    valid(json!({"type": "string", "minLength": 30, "maxLength": 32}));
    valid(json!({"type": "string", "maxLength": 2}));
    valid(json!({"type": "integer", "minimum": 5, "maximum": 5}));
    valid(json!({"type": "integer", "exclusiveMinimum": 5, "multipleOf": 7}));
    valid(json!({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}));
    valid(json!({"type": "number", "maximum": -3.5}));
    valid(
        json!({"type": "array", "items": {"enum": ["a", "b", "c"]}, "minItems": 3, "uniqueItems": true}),
    );
    valid(
        json!({"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "items": false}),
    );
    valid(json!({"type": ["null", "string"]}));
    valid(json!({"type": "object", "minProperties": 3}));
    valid(
        json!({"type": "object", "required": ["x-1"], "patternProperties": {"^x-": {"type": "integer"}}}),
    );
    valid(
        json!({"allOf": [{"properties": {"a": {"type": "integer"}}, "required": ["a"]}, {"properties": {"a": {"minimum": 7}, "b": {"type": "string"}}}]}),
    );
    valid(
        json!({"oneOf": [{"type": "string"}, {"type": "object", "required": ["k"], "properties": {"k": {"const": 1}}}]}),
    );
    valid(json!({"type": "string", "examples": ["good"], "default": "x"}));
    valid(json!({"type": "integer", "examples": ["wrong"]}));
    valid(json!({"properties": {"a": false, "b": {"type": "string"}}}));
}

#[test]
fn recursion_ends() {
    let tree = json!({"$ref": "#/$defs/t", "$defs": {"t": {
        "type": "object", "required": ["name"],
        "properties": {"name": {"type": "string"}, "kids": {"type": "array", "items": {"$ref": "#/$defs/t"}}}
    }}});
    valid(tree);
    let linked = json!({"$ref": "#/$defs/l", "$defs": {"l": {
        "type": "object", "required": ["next"],
        "properties": {"next": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/l"}]}}
    }}});
    valid(linked);
    // Impossible: needs itself for ever. Ends all the same.
    let endless = json!({"$ref": "#/$defs/e", "$defs": {"e": {"type": "object", "required": ["e"], "properties": {"e": {"$ref": "#/$defs/e"}}}}});
    let _ = sample(&endless, 1);
    let wide = json!({"$ref": "#/$defs/w", "$defs": {"w": {"type": "object", "required": ["a", "b", "c"], "properties": {"a": {"$ref": "#/$defs/w"}, "b": {"$ref": "#/$defs/w"}, "c": {"$ref": "#/$defs/w"}}}}});
    let _ = sample(&wide, 1);
    let circle = json!({"$ref": "#/$defs/c", "$defs": {"c": {"$ref": "#/$defs/c"}}});
    let _ = sample(&circle, 1);
    let lists = json!({"$ref": "#/$defs/a", "$defs": {"a": {"type": "array", "minItems": 3, "items": {"$ref": "#/$defs/a"}}}});
    let _ = sample(&lists, 1);
    for pattern in ["^(?:(?:(?:){900}){900}){900}$", "^(((a?){9}){9}){9}b$"] {
        let _ = sample(&json!({"type": "string", "pattern": pattern}), 1);
    }
    let bomb = json!({"$ref": "#/$defs/b", "$defs": {"b": {"allOf": [{"$ref": "#/$defs/b"}, {"$ref": "#/$defs/b"}]}}});
    let _ = sample(&bomb, 1);
}

proptest! {
    #[test]
    fn any_bounds_are_met(low in -1000_i64..1000, span in 0_i64..1000, seed: u64) {
        let schema = json!({"type": "integer", "minimum": low, "maximum": low + span});
        let value = sample(&schema, seed).as_i64().expect("an integer");
        prop_assert!((low..=low + span).contains(&value));
    }

    #[test]
    fn any_lengths_are_met(least in 0_u64..60, span in 0_u64..60, seed: u64) {
        let schema = json!({"type": "string", "minLength": least, "maxLength": least + span});
        let length = sample(&schema, seed).as_str().expect("text").chars().count() as u64;
        prop_assert!((least..=least + span).contains(&length));
    }
}
