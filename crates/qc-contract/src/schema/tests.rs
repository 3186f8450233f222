use std::collections::BTreeMap;

use serde_json::json;

use super::*;

fn none() -> BTreeMap<String, String> {
    BTreeMap::new()
}

#[test]
fn plain_schemas_judge_payloads() {
    let schema = json!({
        "type": "object",
        "required": ["id", "when"],
        "properties": {
            "id": { "type": "string", "maxLength": 3 },
            "when": { "type": "string", "format": "date-time" },
            "level": { "enum": ["low", "high"] }
        },
        "additionalProperties": false
    });
    let schema = Schema::compile(&schema, &none()).expect("compiles");
    assert!(schema.admits(&json!({"id": "a", "when": "2026-01-01T00:00:00Z"})));
    let found =
        schema.check(&json!({"id": "secret", "when": "secret", "level": "secret", "x": "secret"}));
    let mut messages: Vec<&str> = found.iter().map(|mismatch| mismatch.message.as_str()).collect();
    messages.sort_unstable();
    assert_eq!(
        messages,
        [
            "has fields that are not allowed: `x`",
            "is none of the 2 allowed values",
            "is not a valid `date-time`",
            "must have at most 3 characters",
        ]
    );
    assert!(!format!("{found:?}").contains("secret"));
}

#[test]
fn mismatches_are_bounded() {
    let schema = Schema::compile(&json!({"items": {"type": "string"}}), &none()).expect("compiles");
    assert_eq!(schema.check(&json!(vec![1; 1000])).len(), Mismatch::LIMIT);
}

#[test]
fn references_go_to_files_of_the_folder_only() {
    let file = |path: &str, text: &str| (path.to_owned(), text.to_owned());
    let files = BTreeMap::from([
        file("contracts/case.json", r#"{"$ref": "parts/money.yaml#/$defs/money"}"#),
        file("contracts/parts/money.yaml", "$defs:\n  money: {$ref: ../unit.json}\n"),
        file("contracts/unit.json", r#"{"type": "integer"}"#),
        file(
            "contracts/named.json",
            r#"{"$id": "https://example.com/s/named.json", "$ref": "unit.json"}"#,
        ),
    ]);
    let schema = Schema::load(&files, "contracts/case.json").expect("compiles");
    assert!(schema.admits(&json!(3)) && !schema.admits(&json!("x")));
    let named = Schema::load(&files, "contracts/named.json").expect("compiles");
    assert!(named.admits(&json!(3)) && !named.admits(&json!("x")));
    let code = |reference: &str| {
        let findings = Schema::compile(&json!({ "$ref": reference }), &files).expect_err(reference);
        findings[0].code.to_string()
    };
    assert_eq!(code("https://example.com/x.json"), "QC-C005");
    assert_eq!(code("../x.json"), "QC-C005");
    assert_eq!(code("missing.json"), "QC-C004");
    assert_eq!(code("#/$defs/none"), "QC-C013");
    let bad = Schema::compile(&json!({"type": 5}), &files).expect_err("is no schema");
    assert_eq!(bad[0].code, codes::SCHEMA);
}

#[test]
fn drafts_are_told_by_their_schema_key() {
    let old = json!({"$schema": "http://json-schema.org/draft-04/schema#", "minimum": 1, "exclusiveMinimum": true});
    let schema = Schema::compile(&old, &none()).expect("compiles");
    assert!(!schema.admits(&json!(1)) && schema.admits(&json!(2)));
}

#[test]
fn an_alternative_that_is_nearly_right_is_explained() {
    let schema = json!({"properties": {"x": {"anyOf": [{"type": "null"}, {"type": "string", "maxLength": 2}]}}});
    let schema = Schema::compile(&schema, &none()).expect("compiles");
    let found = schema.check(&json!({"x": "long"}));
    assert_eq!(found[0].message, "must have at most 2 characters");
    assert_eq!(found[0].pointer, "/x");
    let found = schema.check(&json!({"x": 3}));
    assert_eq!(found[0].message, "is an integer that fits none of the allowed alternatives");
}

#[test]
fn a_pattern_cannot_hang() {
    let schema = json!({"pattern": "^(?=(a+)+$)(a|aa)+\\1c$"});
    let schema = Schema::compile(&schema, &none()).expect("compiles");
    let found = schema.check(&json!("a".repeat(60)));
    assert_eq!(found.len(), 1);
}
