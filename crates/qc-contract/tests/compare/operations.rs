//! Operations, their life, servers, limits and events.

use qc_contract::Level::{Additive, Breaking, Cosmetic, Risky};
use serde_json::json;

use crate::{Row, compared, edited, finds, shop};

#[test]
fn operations_and_their_life_are_compared() {
    finds(vec![
        Row("operation-removed", Breaking, vec![("/paths/~1orders/post", None)]),
        Row(
            "operation-added",
            Additive,
            vec![("/paths/~1orders/put", Some(json!({"responses": {}})))],
        ),
        Row(
            "operation-id-changed",
            Cosmetic,
            vec![("/paths/~1orders/post/operationId", Some(json!("make")))],
        ),
        Row(
            "operation-text-changed",
            Cosmetic,
            vec![("/paths/~1orders/post/summary", Some(json!("Makes")))],
        ),
        Row(
            "operation-deprecated",
            Additive,
            vec![("/paths/~1orders/post/deprecated", Some(json!(true)))],
        ),
        Row(
            "operation-sunset-announced",
            Additive,
            vec![
                ("/paths/~1orders/post/deprecated", Some(json!(true))),
                ("/paths/~1orders/post/x-sunset", Some(json!("2027-06-30"))),
            ],
        ),
        Row(
            "operation-sunset-too-soon",
            Breaking,
            vec![
                ("/paths/~1orders/post/deprecated", Some(json!(true))),
                ("/paths/~1orders/post/x-sunset", Some(json!("2026-12-01"))),
            ],
        ),
        Row(
            "operation-sunset-unreadable",
            Breaking,
            vec![
                ("/paths/~1orders/post/deprecated", Some(json!(true))),
                ("/paths/~1orders/post/x-sunset", Some(json!("soon"))),
            ],
        ),
        Row(
            "operation-stability-lowered",
            Breaking,
            vec![("/paths/~1orders/post/x-stability-level", Some(json!("beta")))],
        ),
        Row(
            "operation-stability-unreadable",
            Breaking,
            vec![("/paths/~1orders/post/x-stability-level", Some(json!("rocky")))],
        ),
        Row(
            "server-removed",
            Risky,
            vec![("/servers/0/url", Some(json!("https://other.example.com")))],
        ),
        Row(
            "server-added",
            Additive,
            vec![("/servers/-", Some(json!({"url": "https://eu.example.com"})))],
        ),
        Row(
            "rate-limit-lowered",
            Breaking,
            vec![("/paths/~1orders/post/x-rate-limit", Some(json!({"limit": 10, "period": 60})))],
        ),
        Row("title-changed", Cosmetic, vec![("/info/title", Some(json!("Store")))]),
        Row(
            "webhook-added",
            Additive,
            vec![("/webhooks", Some(json!({"paid": {"post": {"responses": {}}}})))],
        ),
        Row(
            "callback-added",
            Risky,
            vec![(
                "/paths/~1orders/post/callbacks",
                Some(json!({"done": {"{$request.body#/url}": {"post": {"responses": {}}}}})),
            )],
        ),
        Row(
            "schema-unused-changed",
            Cosmetic,
            vec![("/components/schemas/Spare", Some(json!({"type": "string"})))],
        ),
    ]);
}

#[test]
fn what_a_provider_sends_by_itself_is_read_by_its_consumers() {
    let event = json!({"paid": {"post": {
        "requestBody": {"content": {"application/json": {"schema": {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}}}}},
        "responses": {"200": {"description": "ok"}}
    }}});
    let base = edited(&shop(), &[("/webhooks", Some(event))]);
    let schema = "/webhooks/paid/post/requestBody/content/application~1json/schema/required";
    let comparison = compared(&base, &edited(&base, &[(schema, None)]));
    let found: Vec<&str> = comparison.changes.iter().map(|change| &*change.rule.id).collect();
    assert_eq!(found[0], "response-property-became-optional", "{found:?}");
    let comparison = compared(&base, &edited(&base, &[("/webhooks", None)]));
    assert_eq!(&*comparison.changes[0].rule.id, "webhook-removed");
}

#[test]
fn an_end_that_was_announced_is_kept_or_it_is_a_break() {
    let ends = |date: &str| {
        edited(
            &shop(),
            &[
                ("/paths/~1orders/post/deprecated", Some(json!(true))),
                ("/paths/~1orders/post/x-sunset", Some(json!(date))),
            ],
        )
    };
    let first = |old: &serde_json::Value, new: &serde_json::Value| {
        compared(old, new).changes[0].rule.id.to_string()
    };
    let gone = edited(&shop(), &[("/paths/~1orders/post", None)]);
    assert_eq!(first(&ends("2026-11-01"), &gone), "operation-removed-after-sunset");
    assert_eq!(first(&ends("2027-11-01"), &gone), "operation-removed-before-sunset");
    assert_eq!(first(&ends("2027-11-01"), &ends("2027-10-01")), "operation-sunset-earlier");
    assert_eq!(first(&ends("2027-10-01"), &ends("2027-11-01")), "operation-sunset-later");
    let open = edited(&ends("2027-10-01"), &[("/paths/~1orders/post/x-sunset", None)]);
    assert_eq!(first(&ends("2027-10-01"), &open), "operation-sunset-withdrawn");
    assert_eq!(first(&open, &gone), "operation-removed-deprecated");
}

#[test]
fn what_never_promised_to_stay_weighs_nothing() {
    let base = edited(&shop(), &[("/paths/~1orders/post/x-stability-level", Some(json!("alpha")))]);
    let comparison = compared(&base, &edited(&base, &[("/paths/~1orders/post", None)]));
    assert!(comparison.changes.iter().all(|change| change.level == Cosmetic), "{comparison:?}");
}

#[test]
fn a_version_that_hides_a_break_is_told() {
    let base = shop();
    let broken = |version: &str| {
        edited(&base, &[("/paths/~1orders/post", None), ("/info/version", Some(json!(version)))])
    };
    let has = |version: &str, rule: &str| {
        compared(&base, &broken(version)).changes.iter().any(|change| change.rule.id == rule)
    };
    assert!(has("1.0.0", "version-not-raised"));
    assert!(has("1.1.0", "version-bump-too-small"));
    assert!(has("0.9.0", "version-lowered"));
    assert!(
        !["version-not-raised", "version-bump-too-small"].iter().any(|rule| has("2.0.0", rule))
    );
}
