//! What callers send.

use qc_contract::Level::{Additive, Breaking, Risky};
use serde_json::json;

use crate::{Row, finds};

#[test]
fn every_narrowing_of_a_request_breaks() {
    finds(vec![
        Row(
            "request-type-changed",
            Breaking,
            vec![("/components/schemas/NewOrder/properties/customer/type", Some(json!("integer")))],
        ),
        Row(
            "request-null-narrowed",
            Breaking,
            vec![("/components/schemas/NewOrder/properties/note/type", Some(json!("string")))],
        ),
        Row(
            "request-enum-narrowed",
            Breaking,
            vec![("/components/schemas/NewOrder/properties/priority/enum", Some(json!(["low"])))],
        ),
        Row(
            "request-enum-narrowed",
            Breaking,
            vec![("/components/schemas/NewOrder/properties/note/enum", Some(json!(["a", null])))],
        ),
        Row(
            "request-minimum-narrowed",
            Breaking,
            vec![("/components/schemas/NewOrder/properties/discount/minimum", Some(json!(5)))],
        ),
        Row(
            "request-minimum-narrowed",
            Breaking,
            vec![(
                "/components/schemas/NewOrder/properties/discount/exclusiveMinimum",
                Some(json!(0)),
            )],
        ),
        Row(
            "request-maximum-narrowed",
            Breaking,
            vec![("/components/schemas/NewOrder/properties/discount/maximum", Some(json!(40)))],
        ),
        Row(
            "request-multiple-of-narrowed",
            Breaking,
            vec![("/components/schemas/NewOrder/properties/discount/multipleOf", Some(json!(10)))],
        ),
        Row(
            "request-min-length-narrowed",
            Breaking,
            vec![("/components/schemas/NewOrder/properties/customer/minLength", Some(json!(2)))],
        ),
        Row(
            "request-max-length-narrowed",
            Breaking,
            vec![("/components/schemas/NewOrder/properties/customer/maxLength", Some(json!(39)))],
        ),
        Row(
            "request-pattern-narrowed",
            Breaking,
            vec![(
                "/components/schemas/NewOrder/properties/customer/pattern",
                Some(json!("^[a-f]+$")),
            )],
        ),
        Row(
            "request-pattern-narrowed",
            Breaking,
            vec![("/components/schemas/NewOrder/properties/note/pattern", Some(json!("^[a-f]+$")))],
        ),
        Row(
            "request-format-changed",
            Breaking,
            vec![("/components/schemas/NewOrder/properties/due/format", Some(json!("date-time")))],
        ),
        Row(
            "request-format-narrowed",
            Breaking,
            vec![("/components/schemas/NewOrder/properties/customer/format", Some(json!("email")))],
        ),
        Row(
            "request-min-items-narrowed",
            Breaking,
            vec![("/components/schemas/NewOrder/properties/lines/minItems", Some(json!(2)))],
        ),
        Row(
            "request-max-items-narrowed",
            Breaking,
            vec![("/components/schemas/NewOrder/properties/lines/maxItems", Some(json!(9)))],
        ),
        Row(
            "request-unique-items-narrowed",
            Breaking,
            vec![("/components/schemas/NewOrder/properties/lines/uniqueItems", Some(json!(true)))],
        ),
        Row(
            "request-max-properties-narrowed",
            Breaking,
            vec![("/components/schemas/NewOrder/properties/labels/maxProperties", Some(json!(4)))],
        ),
        Row(
            "request-additional-properties-narrowed",
            Breaking,
            vec![(
                "/components/schemas/NewOrder/properties/labels/additionalProperties",
                Some(json!(false)),
            )],
        ),
        Row(
            "request-property-became-required",
            Breaking,
            vec![(
                "/components/schemas/NewOrder/required",
                Some(json!(["customer", "lines", "due"])),
            )],
        ),
        Row(
            "request-property-added-required",
            Breaking,
            vec![
                (
                    "/components/schemas/NewOrder/required",
                    Some(json!(["customer", "lines", "tax"])),
                ),
                ("/components/schemas/NewOrder/properties/tax", Some(json!({"type": "string"}))),
            ],
        ),
        Row(
            "request-property-refused",
            Breaking,
            vec![
                ("/components/schemas/NewOrder/properties/due", None),
                ("/components/schemas/NewOrder/additionalProperties", Some(json!(false))),
            ],
        ),
        Row(
            "request-union-narrowed",
            Breaking,
            vec![("/components/schemas/NewOrder/properties/payment/oneOf/1", None)],
        ),
        Row(
            "request-not-narrowed",
            Breaking,
            vec![(
                "/components/schemas/NewOrder/properties/customer/not",
                Some(json!({"const": "root"})),
            )],
        ),
        Row(
            "request-condition-narrowed",
            Breaking,
            vec![
                (
                    "/components/schemas/NewOrder/if",
                    Some(
                        json!({"properties": {"priority": {"const": "high"}}, "required": ["priority"]}),
                    ),
                ),
                ("/components/schemas/NewOrder/then", Some(json!({"required": ["due"]}))),
            ],
        ),
        Row(
            "request-dependencies-narrowed",
            Breaking,
            vec![(
                "/components/schemas/NewOrder/dependentRequired",
                Some(json!({"discount": ["note"]})),
            )],
        ),
        Row(
            "request-contains-narrowed",
            Breaking,
            vec![(
                "/components/schemas/NewOrder/properties/lines/contains",
                Some(json!({"required": ["count"]})),
            )],
        ),
        Row(
            "request-property-names-narrowed",
            Breaking,
            vec![(
                "/components/schemas/NewOrder/properties/labels/propertyNames",
                Some(json!({"maxLength": 3})),
            )],
        ),
    ]);
}

#[test]
fn every_widening_of_a_request_is_harmless() {
    finds(vec![
        Row(
            "request-type-widened",
            Additive,
            vec![(
                "/components/schemas/NewOrder/properties/customer/type",
                Some(json!(["string", "integer"])),
            )],
        ),
        Row(
            "request-null-widened",
            Additive,
            vec![(
                "/components/schemas/NewOrder/properties/customer/type",
                Some(json!(["string", "null"])),
            )],
        ),
        Row(
            "request-enum-widened",
            Additive,
            vec![(
                "/components/schemas/NewOrder/properties/priority/enum",
                Some(json!(["low", "mid", "high"])),
            )],
        ),
        Row(
            "request-enum-widened",
            Additive,
            vec![("/components/schemas/NewOrder/properties/priority/enum", None)],
        ),
        Row(
            "request-minimum-widened",
            Additive,
            vec![("/components/schemas/NewOrder/properties/discount/minimum", None)],
        ),
        Row(
            "request-maximum-widened",
            Additive,
            vec![("/components/schemas/NewOrder/properties/discount/maximum", Some(json!(60)))],
        ),
        Row(
            "request-multiple-of-widened",
            Additive,
            vec![("/components/schemas/NewOrder/properties/discount/multipleOf", Some(json!(2.5)))],
        ),
        Row(
            "request-min-length-widened",
            Additive,
            vec![("/components/schemas/NewOrder/properties/customer/minLength", Some(json!(0)))],
        ),
        Row(
            "request-max-length-widened",
            Additive,
            vec![("/components/schemas/NewOrder/properties/customer/maxLength", None)],
        ),
        Row(
            "request-pattern-widened",
            Additive,
            vec![(
                "/components/schemas/NewOrder/properties/customer/pattern",
                Some(json!("^[a-z0-9]+$")),
            )],
        ),
        Row(
            "request-format-widened",
            Additive,
            vec![("/components/schemas/NewOrder/properties/due/format", None)],
        ),
        Row(
            "request-property-added-optional",
            Additive,
            vec![("/components/schemas/NewOrder/properties/tax", Some(json!({"type": "string"})))],
        ),
        Row(
            "request-property-became-optional",
            Additive,
            vec![("/components/schemas/NewOrder/required", Some(json!(["customer"])))],
        ),
        Row(
            "request-property-removed",
            Risky,
            vec![("/components/schemas/NewOrder/properties/due", None)],
        ),
        Row(
            "request-property-became-read-only",
            Risky,
            vec![("/components/schemas/NewOrder/properties/due/readOnly", Some(json!(true)))],
        ),
        Row(
            "request-union-widened",
            Additive,
            vec![(
                "/components/schemas/NewOrder/properties/payment/oneOf/-",
                Some(json!({
                    "type": "object", "required": ["kind"], "properties": {"kind": {"const": "cash"}}
                })),
            )],
        ),
        Row(
            "request-default-changed",
            Additive,
            vec![("/components/schemas/NewOrder/properties/priority/default", Some(json!("low")))],
        ),
    ]);
}

#[test]
fn parameters_and_bodies_of_requests_are_compared() {
    finds(vec![
        Row("parameter-removed", Breaking, vec![("/paths/~1orders/get/parameters/0", None)]),
        Row(
            "parameter-added-required",
            Breaking,
            vec![(
                "/paths/~1orders/get/parameters/-",
                Some(json!({"name": "a", "in": "query", "required": true, "schema": {}})),
            )],
        ),
        Row(
            "parameter-added-optional",
            Additive,
            vec![(
                "/paths/~1orders/get/parameters/-",
                Some(json!({"name": "a", "in": "query", "schema": {}})),
            )],
        ),
        Row(
            "parameter-became-required",
            Breaking,
            vec![("/paths/~1orders/get/parameters/0/required", Some(json!(true)))],
        ),
        Row(
            "parameter-became-optional",
            Additive,
            vec![("/paths/~1orders/get/parameters/2/required", Some(json!(false)))],
        ),
        Row(
            "parameter-moved",
            Breaking,
            vec![("/paths/~1orders/get/parameters/0/in", Some(json!("header")))],
        ),
        Row(
            "parameter-default-changed",
            Breaking,
            vec![("/paths/~1orders/get/parameters/1/schema/default", Some(json!(10)))],
        ),
        Row(
            "parameter-default-removed",
            Breaking,
            vec![("/paths/~1orders/get/parameters/1/schema/default", None)],
        ),
        Row(
            "parameter-style-changed",
            Breaking,
            vec![("/paths/~1orders/get/parameters/0/explode", Some(json!(false)))],
        ),
        Row(
            "request-enum-narrowed",
            Breaking,
            vec![("/paths/~1orders/get/parameters/0/schema/enum", Some(json!(["open"])))],
        ),
        Row(
            "request-maximum-narrowed",
            Breaking,
            vec![("/paths/~1orders/get/parameters/1/schema/maximum", Some(json!(50)))],
        ),
        Row(
            "request-max-length-narrowed",
            Breaking,
            vec![("/paths/~1orders/get/parameters/2/schema/maxLength", Some(json!(5)))],
        ),
        Row("request-body-removed", Breaking, vec![("/paths/~1orders/post/requestBody", None)]),
        Row(
            "request-body-became-required",
            Breaking,
            vec![("/paths/~1orders/post/requestBody/required", Some(json!(true)))],
        ),
        Row(
            "request-media-type-removed",
            Breaking,
            vec![
                ("/paths/~1orders/post/requestBody/content/application~1json", None),
                ("/paths/~1orders/post/requestBody/content/application~1xml", Some(json!({}))),
            ],
        ),
        Row(
            "request-media-type-added",
            Additive,
            vec![("/paths/~1orders/post/requestBody/content/application~1xml", Some(json!({})))],
        ),
        Row(
            "request-schema-removed",
            Additive,
            vec![("/paths/~1orders/post/requestBody/content/application~1json/schema", None)],
        ),
    ]);
}
