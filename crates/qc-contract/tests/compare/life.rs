//! Ends that were announced, what never promised to stay, and versions that tell of a break.

use qc_contract::Level;
use serde_json::json;

use crate::{compared, edited, shop};

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
    assert!(
        comparison.changes.iter().all(|change| change.level == Level::Cosmetic),
        "{comparison:?}"
    );
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
