//! What holds for the shaper whatever happens.
#![allow(missing_docs, reason = "a test")]

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;
use qc_model::Timestamp;
use qc_pace::{Declared, Departure, Outcome, Shaper, Turn, said};

const BEGIN: i64 = 1_795_358_400_000;

const FIELDS: [(&str, &str); 12] = [
    ("retry-after", "7"),
    ("retry-after", "99999999999"),
    ("retry-after", "Sun, 22 Nov 2026 14:41:30 GMT"),
    ("ratelimit", "\"a\";r=0;t=30"),
    ("ratelimit", "\"b\";r=5;t=0"),
    ("ratelimit-policy", "\"a\";q=3;w=1"),
    ("x-ratelimit-remaining", "0"),
    ("x-ratelimit-reset", "1795358405"),
    ("x-ratelimit-limit", "10"),
    ("x-shopify-shop-api-call-limit", "40/40"),
    ("ratelimit-policy", "\"c\";q=1;w=2678400"),
    ("sforce-limit-info", "api-usage=5000/5000"),
];

#[derive(Debug, Clone)]
enum Deed {
    Pass(u32),
    Send,
    Answer { outcome: Outcome, fields: Vec<usize> },
}

fn deed() -> impl Strategy<Value = Deed> {
    let outcome = prop_oneof![
        Just(Outcome::Dealt),
        Just(Outcome::Throttled),
        Just(Outcome::Overloaded),
        Just(Outcome::Unknown),
    ];
    prop_oneof![
        (0_u32..20_000).prop_map(Deed::Pass),
        Just(Deed::Send),
        Just(Deed::Send),
        (outcome, proptest::collection::vec(0..FIELDS.len(), 0..3))
            .prop_map(|(outcome, fields)| Deed::Answer { outcome, fields }),
    ]
}

fn headers(fields: &[usize]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields.iter().map(|at| FIELDS[*at]) {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// No call goes before a stated pause is over, a pause never becomes shorter, every wait has an end that is later than
    /// now and within a day, and nobody waits for an answer that cannot come.
    #[test]
    fn a_stated_pause_is_kept_and_every_wait_ends(
        deeds in proptest::collection::vec(deed(), 1..200),
        calls in 1_u32..100,
        limited in any::<bool>(),
    ) {
        let rates = if limited { vec![(calls, Duration::from_secs(1))] } else { vec![] };
        let mut shaper = Shaper::new(Declared { rates, concurrent: limited.then_some(calls) });
        let (mut now, mut held) = (Timestamp::from_millis(BEGIN), Timestamp::from_millis(0));
        let mut flying: Vec<Departure> = Vec::new();
        for deed in deeds {
            match deed {
                Deed::Pass(millis) => now = now + Duration::from_millis(u64::from(millis)),
                Deed::Send => if shaper.admit(now) == Turn::Go {
                    prop_assert!(held <= now, "sent before {held} at {now}");
                    flying.push(shaper.depart(now));
                },
                Deed::Answer { outcome, fields } => {
                    let Some(gone) = flying.pop() else { continue };
                    let said = said(&headers(&fields), now);
                    shaper.answered(gone, outcome, &said, now);
                    if let Some(pause) = said.retry_after.filter(|_| outcome != Outcome::Dealt) {
                        held = held.max(now + pause);
                    }
                }
            }
            prop_assert!(shaper.held_until() >= held);
            prop_assert_eq!(shaper.in_flight() as usize, flying.len());
            match shaper.admit(now) {
                Turn::Go => {}
                Turn::At(then) => {
                    prop_assert!(then > now && then <= now + Duration::from_secs(86_401));
                }
                Turn::Answered => prop_assert!(!flying.is_empty()),
            }
        }
    }

    /// What it keeps is bounded, however many policies an answer makes up.
    #[test]
    fn what_it_keeps_is_bounded(names in proptest::collection::vec("[a-z]{1,8}", 0..200)) {
        let mut shaper = Shaper::new(Declared::default());
        let now = Timestamp::from_millis(BEGIN);
        for name in names {
            let mut headers = HeaderMap::new();
            let value = format!("\"{name}\";r=9999;t=60");
            headers.insert("ratelimit", HeaderValue::from_str(&value).unwrap());
            let gone = shaper.depart(now);
            shaper.answered(gone, Outcome::Dealt, &said(&headers, now), now);
        }
        let size = format!("{shaper:?}").len();
        prop_assert!(size < 20_000, "{size}");
    }
}

proptest! {
    /// Nodes that share what is declared send no more of it together, and lose less than one call each in its time.
    #[test]
    fn nodes_together_send_no_more_than_is_declared(
        count in 1_u32..10_000,
        seconds in 1_u64..100_000,
        nodes in 1_u32..64,
    ) {
        let per = Duration::from_secs(seconds);
        let whole = Declared { rates: vec![(count, per)], concurrent: Some(count) };
        let part = whole.shared_by(nodes);
        let (calls, time) = part.rates[0];
        let together = f64::from(calls * nodes) * per.as_secs_f64() / time.as_secs_f64();
        prop_assert!(together <= f64::from(count) * 1.000_001, "{together} of {count}");
        prop_assert!(together > f64::from(count) - f64::from(nodes));
        let at_once = part.concurrent.unwrap();
        prop_assert!(at_once >= 1 && (at_once == 1 || at_once * nodes <= count));
        prop_assert_eq!(whole.shared_by(1), whole);
    }
}

/// How many calls go at once now.
fn goes(shaper: &mut Shaper, now: Timestamp) -> u32 {
    let mut gone = 0;
    while gone < 10_000 && shaper.admit(now) == Turn::Go {
        let departure = shaper.depart(now);
        shaper.answered(departure, Outcome::Dealt, &qc_pace::Said::default(), now);
        gone += 1;
    }
    gone
}

#[test]
fn what_was_used_of_a_long_window_stays_used_when_its_limit_changes() {
    let day = Duration::from_secs(86_400);
    let declared = |count| Declared { rates: vec![(count, day)], concurrent: None };
    let sent = |changes: bool| {
        let mut shaper = Shaper::new(declared(1_000));
        let mut sent = 0;
        for minute in 0..24 * 60 {
            let now = Timestamp::from_millis(BEGIN + minute * 60_000);
            sent += goes(&mut shaper, now);
            if changes && minute % 60 == 59 {
                // A node came and went.
                shaper.declare(&declared(500));
                shaper.declare(&declared(1_000));
            }
        }
        sent
    };
    let (steady, changing) = (sent(false), sent(true));
    assert!((900..=1_000).contains(&steady), "{steady}");
    assert!(changing <= 1_000, "it does not begin anew: {changing}");
}
