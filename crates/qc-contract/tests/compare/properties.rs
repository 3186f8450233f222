//! Laws that hold for any schema.

use jsonschema::Draft;
use proptest::prelude::*;
use qc_contract::{Direction, Level, Verdict};
use serde_json::{Value, json};

use crate::{compared, load, rewriting::with};

/// Small schemas of the kinds that descriptions have.
fn schema() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!({"type": "string"})),
        Just(json!({"type": "integer"})),
        Just(json!({"type": "boolean"})),
        Just(json!({"type": ["string", "null"]})),
        Just(json!({"enum": ["a", "b", 1]})),
        (0..4_u32, 4..8_u32)
            .prop_map(|(a, b)| json!({"type": "string", "minLength": a, "maxLength": b})),
        (-3..3_i32, 3..9_i32)
            .prop_map(|(a, b)| json!({"type": "integer", "minimum": a, "maximum": b})),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            (inner.clone(), 0..3_u32)
                .prop_map(|(items, n)| json!({"type": "array", "items": items, "maxItems": n + 1})),
            (inner.clone(), inner.clone(), any::<bool>()).prop_map(|(a, b, required)| {
                let mut object = json!({"type": "object", "properties": {"a": a, "b": b}});
                if required {
                    object["required"] = json!(["a"]);
                }
                object
            }),
            (inner.clone(), inner).prop_map(|(a, b)| json!({"anyOf": [a, b]})),
        ]
    })
}

/// Values that such schemas may admit.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-5..12_i32).prop_map(Value::from),
        "[ab]{0,9}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 10, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            (inner.clone(), inner).prop_map(|(a, b)| json!({"a": a, "b": b})),
        ]
    })
}

fn admits(schema: &Value, value: &Value) -> bool {
    let validator = jsonschema::options().with_draft(Draft::Draft202012).build(schema);
    validator.expect("is a schema").is_valid(value)
}

/// The heaviest level of what is about one way.
fn heaviest(old: &Value, new: &Value, way: Direction) -> Option<Level> {
    let old = with("3.1.0", old, &json!({}));
    let comparison = compared(&old, &with("3.1.0", new, &json!({})));
    let about = comparison.changes.iter().filter(|change| change.rule.direction == Some(way));
    about.map(|change| change.level).max()
}

/// The same schema in other words.
fn rewritten(schema: &Value, choice: u8) -> Value {
    match choice % 4 {
        0 => json!({"allOf": [schema]}),
        1 => json!({"anyOf": [schema]}),
        2 => json!({"allOf": [schema, schema]}),
        _ => {
            let mut map: Vec<_> =
                schema.as_object().expect("is an object").clone().into_iter().collect();
            map.reverse();
            Value::Object(map.into_iter().collect())
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_document_does_not_differ_from_itself(schema in schema()) {
        let document = with("3.1.0", &schema, &json!({}));
        prop_assert_eq!(compared(&document, &document).verdict, Verdict::NoChange);
    }

    #[test]
    fn other_words_are_no_change(schema in schema(), choice in any::<u8>()) {
        let new = rewritten(&schema, choice);
        let comparison = compared(&with("3.1.0", &schema, &json!({})), &with("3.1.0", &new, &json!({})));
        prop_assert_eq!(comparison.verdict, Verdict::NoChange, "{:?}", comparison.changes);
    }

    /// What is called compatible is: a value that was right and names nothing that was not described stays right.
    #[test]
    fn no_value_contradicts_what_is_called_compatible(old in schema(), new in schema(), value in value()) {
        let closed = |schema: &Value| {
            let text = schema.to_string();
            serde_json::from_str::<Value>(&text.replace("\"type\":\"object\"", "\"type\":\"object\",\"additionalProperties\":false")).expect("is JSON")
        };
        if admits(&closed(&old), &value) && !admits(&new, &value) {
            let level = heaviest(&old, &new, Direction::Request);
            prop_assert!(level >= Some(Level::Risky), "request: {old} -> {new} by {value}: {level:?}");
        }
        if admits(&closed(&new), &value) && !admits(&old, &value) {
            let level = heaviest(&old, &new, Direction::Response);
            prop_assert!(level >= Some(Level::Risky), "response: {old} -> {new} by {value}: {level:?}");
        }
    }

    #[test]
    fn comparing_never_fails(text in "\\PC{0,40}") {
        let document = json!({"openapi": "3.1.0", "info": {}, "paths": {format!("/{text}"): {"get": {"responses": {&text: {}}}}}});
        compared(&document, &with("3.1.0", &json!({}), &json!({})));
        load(&document);
    }
}
