use http::{HeaderName, HeaderValue};
use proptest::prelude::*;

use super::*;

/// 2026-11-22T14:40:00Z
const NOW: Timestamp = Timestamp::from_millis(1_795_358_400_000);

fn headers(fields: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_str(value).unwrap());
    }
    headers
}

fn pause(fields: &[(&str, &str)]) -> Option<u64> {
    said(&headers(fields), NOW).pause().map(|pause| pause.as_secs())
}

/// A window as `policy limit remaining reset per`, in seconds.
fn windows(fields: &[(&str, &str)]) -> Vec<String> {
    let number = |one: Option<u64>| one.map_or("-".to_owned(), |one| one.to_string());
    let seconds = |one: Option<Duration>| number(one.map(|one| one.as_secs()));
    let shown = |one: &Window| {
        let (limit, remaining) = (number(one.limit), number(one.remaining));
        format!("{} {limit} {remaining} {} {}", one.policy, seconds(one.reset), seconds(one.per))
    };
    said(&headers(fields), NOW).windows.iter().map(shown).collect()
}

#[test]
fn retry_after_is_read_in_all_its_forms() {
    assert_eq!(pause(&[("retry-after", "120")]), Some(120));
    assert_eq!(pause(&[("retry-after", "Sun, 22 Nov 2026 14:41:30 GMT")]), Some(90));
    assert_eq!(pause(&[("retry-after", "2026-11-22T14:41:30Z")]), Some(90));
    assert_eq!(pause(&[("retry-after-ms", "2500"), ("retry-after", "9")]), Some(2));
    assert_eq!(pause(&[("retry-after", "5"), ("ratelimit", "\"a\";r=0;t=60")]), Some(5));
    assert_eq!(pause(&[("retry-after", "Sun, 22 Nov 2026 14:00:00 GMT")]), Some(0));
}

#[test]
fn a_reset_alone_is_a_pause_and_one_of_a_limit_with_something_left_is_none() {
    assert_eq!(pause(&[("ratelimit-reset", "17")]), Some(17));
    assert_eq!(pause(&[("x-ratelimit-reset", "1795358460")]), Some(60));
    assert_eq!(pause(&[("x-ratelimit-reset", "1795358460000")]), Some(60));
    assert_eq!(pause(&[("x-ratelimit-reset-after", "1.5")]), Some(1));
    assert_eq!(pause(&[("x-ratelimit-reset", "60"), ("x-ratelimit-remaining", "3")]), None);
}

#[test]
fn nonsense_is_ignored_and_wishes_are_bounded() {
    for bad in ["-5", "soon", "1e9", "", "9999999999999999999999", "1h?"] {
        assert_eq!(pause(&[("retry-after", bad)]), None, "{bad}");
    }
    assert_eq!(pause(&[("retry-after", "99999999999")]), Some(86_400));
    assert_eq!(pause(&[("retry-after", "Sun, 22 Nov 2099 14:00:00 GMT")]), Some(86_400));
    assert_eq!(
        pause(&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "9795358400")]),
        Some(86_400)
    );
    assert_eq!(pause(&[]), None);
    for absurd in
        ["\"a\";q=0;w=60", "\"a\";q=5;w=0", "\"a\";q=5;w=99999999999", "\"a\";q=9999999999999;w=1"]
    {
        assert!(windows(&[("ratelimit-policy", absurd)]).is_empty(), "{absurd}");
    }
}

#[test]
fn the_drafts_in_all_their_forms() {
    let present = [
        ("ratelimit-policy", "\"burst\";q=100;w=60"),
        ("ratelimit-policy", "\"daily\";q=1000;w=86400, \"up\";q=9;qu=\"content-bytes\";w=1"),
        ("ratelimit", "\"daily\";r=5;t=900, \"burst\";r=0;t=30"),
    ];
    assert_eq!(windows(&present), ["burst 100 0 30 60", "daily 1000 5 900 86400"]);
    assert_eq!(pause(&present), Some(30));
    let dictionary =
        [("ratelimit", "limit=100, remaining=50, reset=5"), ("ratelimit-policy", "100;w=10")];
    assert_eq!(windows(&dictionary), [" 100 50 5 10"]);
    let three = [
        ("ratelimit-limit", "100, 100;w=60, 1000;w=3600"),
        ("ratelimit-remaining", "0"),
        ("ratelimit-reset", "17"),
    ];
    assert_eq!(windows(&three), [" 100 0 17 60"]);
    assert_eq!(pause(&three), Some(17));
    assert!(windows(&[("ratelimit", "\"a\";r=0;t=5,,")]).is_empty(), "malformed as a whole");
}

#[test]
fn the_vendors_spellings() {
    type Fields = &'static [(&'static str, &'static str)];
    let cases: &[(Fields, &[&str])] = &[
        (
            &[
                ("x-ratelimit-limit", "5000"),
                ("x-ratelimit-remaining", "4990"),
                ("x-ratelimit-reset", "1795358460"),
                ("x-ratelimit-resource", "core"),
            ],
            &["core 5000 4990 60 -"],
        ),
        (
            &[("x-rate-limit-remaining", "3"), ("x-rate-limit-reset", "1795358460000")],
            &[" - 3 60 -"],
        ),
        (&[("x-ratelimit-remaining", "1.0"), ("x-ratelimit-reset-after", "1.5")], &[" - 1 1 -"]),
        (
            &[
                ("x-rate-limit", "700"),
                ("x-rate-limit-remaining", "699"),
                ("ratelimit-reset", "41"),
            ],
            &[" 700 699 41 -"],
        ),
        (
            &[("x-ratelimit-limit-minute", "60"), ("x-ratelimit-remaining-minute", "58")],
            &["minute 60 58 - 60"],
        ),
        (
            &[
                ("x-ratelimit-limit-requests", "60"),
                ("x-ratelimit-remaining-requests", "59"),
                ("x-ratelimit-reset-requests", "6m0s"),
            ],
            &["requests 60 59 360 -"],
        ),
        (
            &[
                ("x-hubspot-ratelimit-max", "100"),
                ("x-hubspot-ratelimit-remaining", "99"),
                ("x-hubspot-ratelimit-interval-milliseconds", "10000"),
                ("x-hubspot-ratelimit-daily", "250000"),
                ("x-hubspot-ratelimit-daily-remaining", "249000"),
            ],
            &["hubspot 100 99 - 10", "hubspot-daily 250000 249000 - 86400"],
        ),
        (&[("x-shopify-shop-api-call-limit", "32/40")], &["shopify 40 8 - -"]),
        (
            &[("sforce-limit-info", "api-usage=25/5000; per-app-api-usage=17/250")],
            &["salesforce 5000 4975 - 86400"],
        ),
        (&[("x-minlimit-remaining", "59")], &["xero-minute - 59 - 60"]),
    ];
    for (fields, expected) in cases {
        assert_eq!(windows(fields), *expected, "{fields:?}");
    }
}

proptest! {
    #[test]
    fn whatever_an_answer_says_is_bounded(
        fields in proptest::collection::vec((0_usize..NAMES.len(), "[ -~]{0,40}"), 0..8)
    ) {
        let fields: Vec<_> = fields.iter().map(|(at, text)| (NAMES[*at], text.as_str())).collect();
        let said = said(&headers(&fields), NOW);
        prop_assert!(said.windows.len() <= WINDOWS_MAX);
        prop_assert!(said.pause().is_none_or(|pause| pause <= LONGEST_PAUSE));
        prop_assert!(said.windows.iter().all(|one| one.reset.is_none_or(|at| at <= LONGEST_PAUSE)));
    }
}

const NAMES: [&str; 8] = [
    "retry-after",
    "ratelimit",
    "ratelimit-policy",
    "ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
    "x-shopify-shop-api-call-limit",
    "sforce-limit-info",
];
