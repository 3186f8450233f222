//! Broken, huge, circular and remote input: an answer or findings, never a crash, a fetch or a hang.

use std::collections::BTreeMap;

use qc_contract::{OpenApi, Options, Profile, compare};
use serde_json::{Value, json};

use crate::{compared, rewriting::with};

#[test]
fn circles_come_to_an_end() {
    let components = [
        json!({"A": {"$ref": "#/components/schemas/A"}}),
        json!({"A": {"$ref": "#/components/schemas/B"}, "B": {"$ref": "#/components/schemas/A"}}),
        json!({"A": {"allOf": [{"$ref": "#/components/schemas/A"}, {"type": "object"}]}}),
        json!({"A": {"anyOf": [{"$ref": "#/components/schemas/A"}, {"type": "string"}]}}),
        json!({"A": {"not": {"$ref": "#/components/schemas/A"}}}),
        json!({"A": {"type": "object", "properties": {"a": {"$ref": "#/components/schemas/A"}}, "required": ["a"]}}),
        json!({"A": {"type": "array", "items": {"oneOf": [{"$ref": "#/components/schemas/A"}, {"type": "integer"}]}}}),
    ];
    let reference = json!({"$ref": "#/components/schemas/A"});
    for version in ["3.0.3", "3.1.0"] {
        for old in &components {
            for new in &components {
                let (old, new) = (with(version, &reference, old), with(version, &reference, new));
                let comparison = compared(&old, &new);
                // Two circles may say the same: nothing.
                assert!(old != new || comparison.changes.is_empty(), "{old} {new}");
            }
        }
    }
}

#[test]
fn alternatives_that_multiply_are_bounded() {
    let many = |kind: &str| {
        let union = |from: usize| -> Value {
            let each = (from..from + 20)
                .map(|n| json!({"type": "object", "required": [format!("{kind}{n}")]}));
            json!({"anyOf": each.collect::<Vec<_>>()})
        };
        let all: Vec<Value> = (0..10).map(|n| union(n * 20)).collect();
        with("3.1.0", &json!({"allOf": all}), &json!({}))
    };
    let comparison = compared(&many("a"), &many("b"));
    assert!(!comparison.changes.is_empty());
}

#[test]
fn deep_nesting_is_bounded() {
    let deep = |leaf: &str| {
        let mut schema = json!({"type": leaf});
        for _ in 0..40 {
            schema = json!({"type": "array", "items": schema});
        }
        with("3.1.0", &schema, &json!({}))
    };
    assert!(!compared(&deep("string"), &deep("integer")).changes.is_empty());
}

#[test]
fn nonsense_is_compared_without_a_crash() {
    let odd = [
        json!(null),
        json!(17),
        json!([]),
        json!({"type": 3, "enum": 4, "properties": [], "required": "a", "items": 7, "allOf": {}, "anyOf": 1}),
        json!({"minimum": "x", "maxLength": -3, "multipleOf": 0, "pattern": "(((", "uniqueItems": "yes"}),
        json!({"type": ["int", "bool", 3], "enum": [], "const": {"a": [1, null]}}),
        json!({"if": 3, "then": [], "not": "x", "contains": null, "patternProperties": {"[": 1}}),
        json!({"discriminator": 3, "oneOf": [1, null, {"$ref": 3}, {"$ref": "#/nowhere"}]}),
        json!({"$ref": "https://example.com/schema.json"}),
    ];
    for old in &odd {
        for new in &odd {
            compared(&with("3.1.0", old, &json!({})), &with("3.1.0", new, &json!({})));
            compared(&with("3.0.3", old, &json!({})), &with("3.0.3", new, &json!({})));
        }
    }
}

#[test]
fn a_remote_reference_is_a_finding_with_its_place() {
    let document = with("3.1.0", &json!({"$ref": "https://example.com/a.json"}), &json!({}));
    let files = BTreeMap::from([("a.json".to_owned(), document.to_string())]);
    let (api, findings) = OpenApi::load(&files, "a.json");
    let remote = findings.iter().find(|finding| finding.code.as_str() == "QC-C005");
    assert!(remote.is_some_and(|finding| finding.place.is_some()), "{findings:?}");
    let api = api.expect("is loaded all the same");
    let profile = Profile::default();
    compare(&api, &api, Options { profile: &profile, today: None });
}
