//! What callers get.

use qc_contract::Level::{Additive, Breaking, Risky};
use serde_json::json;

use crate::{Row, finds};

#[test]
fn every_widening_of_an_answer_breaks() {
    finds(vec![
        Row(
            "response-type-changed",
            Breaking,
            vec![("/components/schemas/Order/properties/total/type", Some(json!("string")))],
        ),
        Row(
            "response-type-widened",
            Breaking,
            vec![(
                "/components/schemas/Order/properties/id/type",
                Some(json!(["string", "integer"])),
            )],
        ),
        Row(
            "response-null-widened",
            Breaking,
            vec![(
                "/components/schemas/Order/properties/note/type",
                Some(json!(["string", "null"])),
            )],
        ),
        Row(
            "response-enum-widened",
            Risky,
            vec![(
                "/components/schemas/Order/properties/state/enum",
                Some(json!(["open", "paid", "lost"])),
            )],
        ),
        Row(
            "response-minimum-widened",
            Breaking,
            vec![("/components/schemas/Order/properties/total/minimum", Some(json!(-1)))],
        ),
        Row(
            "response-maximum-widened",
            Breaking,
            vec![("/components/schemas/Order/properties/total/maximum", Some(json!(2000)))],
        ),
        Row(
            "response-maximum-widened",
            Breaking,
            vec![("/components/schemas/Order/properties/total/maximum", None)],
        ),
        Row(
            "response-min-length-widened",
            Breaking,
            vec![("/components/schemas/Order/properties/note/minLength", None)],
        ),
        Row(
            "response-max-length-widened",
            Breaking,
            vec![("/components/schemas/Order/properties/note/maxLength", Some(json!(200)))],
        ),
        Row(
            "response-pattern-widened",
            Breaking,
            vec![(
                "/components/schemas/Order/properties/note/pattern",
                Some(json!("^[a-z0-9 ]+$")),
            )],
        ),
        Row(
            "response-pattern-widened",
            Breaking,
            vec![("/components/schemas/Order/properties/note/pattern", None)],
        ),
        Row(
            "response-format-widened",
            Breaking,
            vec![("/components/schemas/Order/properties/id/format", None)],
        ),
        Row(
            "response-format-changed",
            Breaking,
            vec![("/components/schemas/Order/properties/id/format", Some(json!("email")))],
        ),
        Row(
            "response-min-items-widened",
            Breaking,
            vec![("/components/schemas/Order/properties/lines/minItems", None)],
        ),
        Row(
            "response-max-items-widened",
            Breaking,
            vec![("/components/schemas/Order/properties/lines/maxItems", Some(json!(20)))],
        ),
        Row(
            "response-unique-items-widened",
            Breaking,
            vec![("/components/schemas/Order/properties/lines/uniqueItems", None)],
        ),
        Row(
            "response-min-properties-widened",
            Breaking,
            vec![("/components/schemas/Order/properties/labels/minProperties", None)],
        ),
        Row(
            "response-additional-properties-widened",
            Breaking,
            vec![("/components/schemas/Order/properties/labels/additionalProperties", None)],
        ),
        Row(
            "response-property-removed",
            Breaking,
            vec![
                ("/components/schemas/Order/properties/state", None),
                ("/components/schemas/Order/required", Some(json!(["id", "lines"]))),
            ],
        ),
        Row(
            "response-optional-property-removed",
            Risky,
            vec![("/components/schemas/Order/properties/note", None)],
        ),
        Row(
            "response-property-became-optional",
            Breaking,
            vec![("/components/schemas/Order/required", Some(json!(["id", "lines"])))],
        ),
        Row(
            "response-property-became-write-only",
            Risky,
            vec![("/components/schemas/Order/properties/note/writeOnly", Some(json!(true)))],
        ),
        Row(
            "response-union-widened",
            Breaking,
            vec![(
                "/components/schemas/Order/properties/payment/oneOf/-",
                Some(json!({
                    "type": "object", "required": ["kind"], "properties": {"kind": {"const": "cash"}}
                })),
            )],
        ),
        Row(
            "response-type-changed",
            Breaking,
            vec![(
                "/components/schemas/Order/properties/lines/items/properties/count/type",
                Some(json!("string")),
            )],
        ),
    ]);
}

#[test]
fn every_narrowing_of_an_answer_is_harmless() {
    finds(vec![
        Row(
            "response-enum-narrowed",
            Additive,
            vec![("/components/schemas/Order/properties/state/enum", Some(json!(["open"])))],
        ),
        Row(
            "response-minimum-narrowed",
            Additive,
            vec![("/components/schemas/Order/properties/total/minimum", Some(json!(1)))],
        ),
        Row(
            "response-maximum-narrowed",
            Additive,
            vec![("/components/schemas/Order/properties/total/maximum", Some(json!(10)))],
        ),
        Row(
            "response-max-length-narrowed",
            Additive,
            vec![("/components/schemas/Order/properties/note/maxLength", Some(json!(10)))],
        ),
        Row(
            "response-type-narrowed",
            Additive,
            vec![("/components/schemas/Order/properties/total/type", Some(json!("integer")))],
        ),
        Row(
            "response-property-became-required",
            Additive,
            vec![(
                "/components/schemas/Order/required",
                Some(json!(["id", "state", "lines", "total"])),
            )],
        ),
        Row(
            "response-property-added",
            Additive,
            vec![("/components/schemas/Order/properties/extra", Some(json!({"type": "string"})))],
        ),
        Row(
            "response-union-narrowed",
            Additive,
            vec![("/components/schemas/Order/properties/payment/oneOf/1", None)],
        ),
        Row(
            "response-additional-properties-narrowed",
            Additive,
            vec![(
                "/components/schemas/Order/properties/labels/additionalProperties",
                Some(json!(false)),
            )],
        ),
    ]);
}

#[test]
fn statuses_media_types_and_headers_of_answers_are_compared() {
    finds(vec![
        Row(
            "response-success-removed",
            Breaking,
            vec![
                ("/paths/~1orders/post/responses/200", Some(json!({"description": "ok"}))),
                ("/paths/~1orders/post/responses/201", None),
            ],
        ),
        Row(
            "response-success-added",
            Additive,
            vec![("/paths/~1orders/post/responses/202", Some(json!({"description": "later"})))],
        ),
        Row(
            "response-body-removed",
            Breaking,
            vec![("/paths/~1orders/post/responses/201/content", None)],
        ),
        Row(
            "response-media-type-removed",
            Breaking,
            vec![
                ("/paths/~1orders/post/responses/201/content/application~1json", None),
                ("/paths/~1orders/post/responses/201/content/application~1xml", Some(json!({}))),
            ],
        ),
        Row(
            "response-media-type-added",
            Additive,
            vec![("/paths/~1orders/post/responses/201/content/application~1xml", Some(json!({})))],
        ),
        Row(
            "response-header-removed",
            Breaking,
            vec![("/paths/~1orders/get/responses/200/headers/X-Total", None)],
        ),
        Row(
            "response-header-added",
            Additive,
            vec![("/paths/~1orders/get/responses/200/headers/X-New", Some(json!({"schema": {}})))],
        ),
        Row(
            "response-header-became-optional",
            Breaking,
            vec![("/paths/~1orders/get/responses/200/headers/X-Total/required", None)],
        ),
        Row(
            "response-type-changed",
            Breaking,
            vec![(
                "/paths/~1orders/get/responses/200/headers/X-Total/schema/type",
                Some(json!("string")),
            )],
        ),
        Row(
            "rate-limit-header-removed",
            Breaking,
            vec![("/paths/~1orders/get/responses/200/headers/RateLimit-Limit", None)],
        ),
    ]);
}
