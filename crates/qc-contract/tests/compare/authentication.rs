//! How callers prove who they are.

use qc_contract::Level::{Additive, Breaking, Cosmetic, Risky};
use serde_json::json;

use crate::{Row, finds};

#[test]
fn every_change_of_authentication_is_found() {
    finds(vec![
        Row(
            "security-scope-added",
            Breaking,
            vec![(
                "/paths/~1orders/get/security/0/oauth",
                Some(json!(["orders:read", "orders:write"])),
            )],
        ),
        Row(
            "security-scope-added",
            Breaking,
            vec![("/paths/~1orders/get/security/0/oauth", Some(json!(["orders:write"])))],
        ),
        Row(
            "security-scope-removed",
            Additive,
            vec![("/paths/~1orders/get/security/0/oauth", Some(json!([])))],
        ),
        Row(
            "security-alternative-removed",
            Breaking,
            vec![("/paths/~1orders/get/security/0", None)],
        ),
        Row(
            "security-alternative-removed",
            Breaking,
            vec![("/paths/~1orders/get/security", Some(json!([{"spare": []}])))],
        ),
        Row(
            "security-alternative-added",
            Additive,
            vec![("/paths/~1orders/get/security/-", Some(json!({"spare": []})))],
        ),
        Row(
            "security-scheme-required",
            Breaking,
            vec![("/paths/~1orders/get/security/1/spare", Some(json!([])))],
        ),
        Row("security-removed", Risky, vec![("/paths/~1orders/get/security", Some(json!([])))]),
        Row("security-removed", Risky, vec![("/paths/~1orders/get/security/-", Some(json!({})))]),
        Row("security-removed", Risky, vec![("/security", None)]),
        Row(
            "security-alternative-removed",
            Breaking,
            vec![("/security", Some(json!([{"oauth": []}])))],
        ),
        Row(
            "security-scheme-required",
            Breaking,
            vec![("/security/0/oauth", Some(json!(["orders:write"])))],
        ),
        Row(
            "security-definition-changed",
            Breaking,
            vec![("/components/securitySchemes/key/name", Some(json!("X-Other")))],
        ),
        Row(
            "security-definition-changed",
            Breaking,
            vec![("/components/securitySchemes/key/in", Some(json!("query")))],
        ),
        Row(
            "security-definition-changed",
            Breaking,
            vec![(
                "/components/securitySchemes/key",
                Some(json!({"type": "http", "scheme": "bearer"})),
            )],
        ),
        Row(
            "security-definition-changed",
            Cosmetic,
            vec![("/components/securitySchemes/spare/scheme", Some(json!("digest")))],
        ),
        Row(
            "security-definition-removed",
            Cosmetic,
            vec![("/components/securitySchemes/spare", None)],
        ),
        Row(
            "security-definition-added",
            Additive,
            vec![(
                "/components/securitySchemes/new",
                Some(json!({"type": "http", "scheme": "digest"})),
            )],
        ),
        Row(
            "security-flow-removed",
            Breaking,
            vec![(
                "/components/securitySchemes/oauth/flows",
                Some(
                    json!({"password": {"tokenUrl": "https://login.example.com/token", "scopes": {"orders:read": "read", "orders:write": "write"}}}),
                ),
            )],
        ),
        Row(
            "security-flow-added",
            Additive,
            vec![(
                "/components/securitySchemes/oauth/flows/password",
                Some(json!({"tokenUrl": "https://login.example.com/token", "scopes": {}})),
            )],
        ),
        Row(
            "security-address-changed",
            Breaking,
            vec![(
                "/components/securitySchemes/oauth/flows/clientCredentials/tokenUrl",
                Some(json!("https://new.example.com/token")),
            )],
        ),
        Row(
            "security-address-changed",
            Breaking,
            vec![(
                "/components/securitySchemes/oauth/flows/clientCredentials/refreshUrl",
                Some(json!("https://login.example.com/refresh")),
            )],
        ),
        Row(
            "security-scope-undefined",
            Risky,
            vec![(
                "/components/securitySchemes/oauth/flows/clientCredentials/scopes/orders:write",
                None,
            )],
        ),
        Row(
            "security-scope-defined",
            Additive,
            vec![(
                "/components/securitySchemes/oauth/flows/clientCredentials/scopes/all",
                Some(json!("all")),
            )],
        ),
        Row(
            "security-token-changed",
            Risky,
            vec![("/components/securitySchemes/oauth/x-token-lifetime", Some(json!(300)))],
        ),
        Row(
            "security-text-changed",
            Cosmetic,
            vec![("/components/securitySchemes/oauth/description", Some(json!("tokens")))],
        ),
    ]);
}

#[test]
fn a_scheme_under_another_name_is_the_same() {
    let base = crate::shop();
    let renamed = base.to_string().replace("\"oauth\"", "\"login\"");
    let renamed: serde_json::Value = serde_json::from_str(&renamed).expect("is JSON");
    let comparison = crate::compared(&base, &renamed);
    assert_eq!(comparison.changes.len(), 0, "{:?}", comparison.changes);
}
