//! How failures are told.

use qc_contract::{
    Area,
    Level::{Additive, Breaking, Risky},
};
use serde_json::json;

use crate::{Row, compared, edited, finds, shop};

#[test]
fn every_change_of_how_failures_are_told_is_found() {
    finds(vec![
        Row(
            "response-enum-widened",
            Risky,
            vec![(
                "/components/schemas/Problem/properties/code/enum",
                Some(json!(["not_found", "invalid", "busy", "gone"])),
            )],
        ),
        Row(
            "response-enum-narrowed",
            Additive,
            vec![(
                "/components/schemas/Problem/properties/code/enum",
                Some(json!(["not_found", "invalid"])),
            )],
        ),
        Row(
            "response-enum-widened",
            Risky,
            vec![("/components/schemas/Problem/properties/code/enum", None)],
        ),
        Row(
            "response-type-changed",
            Breaking,
            vec![
                ("/components/schemas/Problem/properties/code/type", Some(json!("integer"))),
                ("/components/schemas/Problem/properties/code/enum", None),
            ],
        ),
        Row(
            "response-type-changed",
            Breaking,
            vec![("/components/schemas/Problem/properties/status/type", Some(json!("string")))],
        ),
        Row(
            "response-type-changed",
            Breaking,
            vec![("/components/schemas/Problem/properties/retryable/type", Some(json!("string")))],
        ),
        Row(
            "response-property-became-optional",
            Breaking,
            vec![("/components/schemas/Problem/required", Some(json!(["type", "status", "code"])))],
        ),
        Row(
            "response-property-removed",
            Breaking,
            vec![
                ("/components/schemas/Problem/required", Some(json!(["type", "status", "code"]))),
                ("/components/schemas/Problem/properties/retryable", None),
            ],
        ),
        Row(
            "response-optional-property-removed",
            Risky,
            vec![("/components/schemas/Problem/properties/detail", None)],
        ),
        Row(
            "response-property-added",
            Additive,
            vec![("/components/schemas/Problem/properties/help", Some(json!({"type": "string"})))],
        ),
        Row(
            "response-max-length-widened",
            Breaking,
            vec![("/components/schemas/Problem/properties/detail/maxLength", Some(json!(1000)))],
        ),
        Row(
            "response-minimum-widened",
            Breaking,
            vec![("/components/schemas/Problem/properties/status/minimum", Some(json!(100)))],
        ),
        Row(
            "response-maximum-widened",
            Breaking,
            vec![("/components/schemas/Problem/properties/status/maximum", Some(json!(999)))],
        ),
        Row(
            "response-format-widened",
            Breaking,
            vec![("/components/schemas/Problem/properties/type/format", None)],
        ),
        Row(
            "response-null-widened",
            Breaking,
            vec![(
                "/components/schemas/Problem/properties/detail/type",
                Some(json!(["string", "null"])),
            )],
        ),
        Row(
            "response-property-became-optional",
            Breaking,
            vec![("/components/schemas/Problem/properties/errors/items/required", None)],
        ),
        Row(
            "response-type-changed",
            Breaking,
            vec![(
                "/components/schemas/Problem/properties/errors/items",
                Some(json!({"type": "string"})),
            )],
        ),
        Row(
            "error-format-changed",
            Breaking,
            vec![(
                "/components/responses/Problem/content",
                Some(
                    json!({"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}}),
                ),
            )],
        ),
        Row(
            "response-media-type-added",
            Additive,
            vec![("/components/responses/Problem/content/text~1plain", Some(json!({})))],
        ),
        Row(
            "response-body-removed",
            Breaking,
            vec![("/components/responses/Problem/content", None)],
        ),
        Row("response-error-removed", Risky, vec![("/paths/~1orders/post/responses/422", None)]),
        Row(
            "response-error-added",
            Additive,
            vec![(
                "/paths/~1orders/post/responses/409",
                Some(json!({"$ref": "#/components/responses/Problem"})),
            )],
        ),
        Row(
            "response-default-removed",
            Risky,
            vec![("/paths/~1orders/get/responses/default", None)],
        ),
        Row(
            "rate-limit-header-removed",
            Breaking,
            vec![("/components/responses/Problem/headers", None)],
        ),
        Row(
            "response-header-became-optional",
            Breaking,
            vec![("/components/responses/Problem/headers/Retry-After/required", None)],
        ),
        Row(
            "response-maximum-widened",
            Breaking,
            vec![(
                "/components/responses/Problem/headers/Retry-After/schema/maximum",
                Some(json!(86_400)),
            )],
        ),
    ]);
}

#[test]
fn what_is_about_failures_says_so() {
    let base = shop();
    let edits = [("/components/schemas/Problem/properties/detail", None)];
    let comparison = compared(&base, &edited(&base, &edits));
    assert_eq!(comparison.changes[0].area, Area::Errors);
    assert_eq!(comparison.changes.len(), 1, "one change, however many answers use it");
    assert_eq!(comparison.changes[0].uses.named, ["GET /orders", "POST /orders"]);
}
