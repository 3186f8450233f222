//! What holds whatever is sent and whatever goes wrong.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod scene;

use bytes::Bytes;
use proptest::prelude::*;
use qc_simulator::{Answered, SimAnswer};
use scene::*;
use serde_json::json;

const FAULTS: [&str; 8] = [
    "then: drop_after_apply",
    "then: drop_before_apply",
    "then: {status: {code: 500, applied: true}}",
    "then: unavailable",
    "then: {hang: {applied: true}}",
    "then: malformed",
    "then: {drift: {remove: /id}}",
    "then: {error_in_200: {ok: false}}",
];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]

    /// Whatever faults strike: the ledger says exactly which requests took effect, and a key has at most one effect.
    #[test]
    fn the_ledger_and_the_state_agree(
        calls in proptest::collection::vec((0u8..5, proptest::option::of(0usize..FAULTS.len())), 1..40),
    ) {
        let tracker = provider("tracker", &at_noon());
        let token = token(&tracker);
        let mut seen = std::collections::BTreeSet::new();
        for (key, strike) in calls {
            if let Some(at) = strike {
                let mut fault = fault(FAULTS[at]);
                fault.when.operation = Some("createIssue".into());
                tracker.inject(fault).unwrap();
            }
            let body = json!({"title": "t", "external_ref": format!("CASE-{key}")});
            let answer = create_issue(&tracker, &token, &format!("key-{key}"), &body);
            if answer.status() == Some(201) {
                seen.insert(key);
            }
        }
        let entries = tracker.requests();
        let applied: Vec<&str> =
            entries.iter().filter(|e| e.applied).filter_map(|e| e.key.as_deref()).collect();
        let unique: std::collections::BTreeSet<&str> = applied.iter().copied().collect();
        prop_assert_eq!(unique.len(), applied.len(), "one effect a key");
        prop_assert_eq!(count(&tracker, "/issues"), applied.len());
        let kept = seen.iter().all(|key| unique.contains(format!("key-{key}").as_str()));
        prop_assert!(kept, "what was answered took effect");
        prop_assert!(entries.iter().zip(1..).all(|(entry, seq)| entry.seq == seq));
        prop_assert!(entries.iter().all(|e| !(e.applied && e.replayed)));
    }

    /// No request brings a provider down, and each one is in the ledger.
    #[test]
    fn anything_may_be_sent(
        name in prop_oneof![Just("tracker"), Just("crm"), Just("chat")],
        method in "(GET|POST|PUT|PATCH|DELETE|BREW)",
        path in "(/(issues|customers|channels|cases|messages|oauth|token|%2F|%ff|\\.\\.|[a-z0-9%{}]{0,4})){0,5}",
        query in "(\\?[a-z=&%0-9_]{0,20})?",
        body in proptest::collection::vec(any::<u8>(), 0..64),
        json_body in proptest::option::of("\\{\"(title|text|state|ref)\": (\"x\"|1|null|\\[\\])\\}"),
    ) {
        let provider = provider(name, &at_noon());
        let pairs = [("authorization", "Bearer chat-token"), ("x-api-key", "crm-key")];
        let mut sent = request(&method, &format!("{path}{query}"), &pairs, &json!({}));
        sent.body = json_body.map_or_else(|| Bytes::from(body), Bytes::from);
        let answer = provider.handle(sent);
        let SimAnswer::Respond(response) = &answer else { panic!("{answer:?}") };
        let entries = provider.requests();
        prop_assert_eq!(entries.len(), 1);
        prop_assert_eq!(entries[0].answered, Answered::Status(response.status.as_u16()));
        prop_assert!(!entries[0].applied || response.status.is_success());
    }
}
