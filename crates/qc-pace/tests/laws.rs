//! What holds for the shaper whatever happens.
#![allow(missing_docs, reason = "a test")]

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;
use qc_model::Timestamp;
use qc_pace::{Declared, Departure, Outcome, Shaper, Spent, Turn, said};

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
            let (first, last) = (shaper.behind(0.0, now), shaper.behind(f64::MAX, now));
            prop_assert!(first >= held.since(now) && first <= last);
            prop_assert!(last <= Duration::from_secs(86_400 + 3_600));
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
                shaper.declare(&declared(500), 1);
                shaper.declare(&declared(1_000), 1);
            }
        }
        sent
    };
    let (steady, changing) = (sent(false), sent(true));
    assert!((900..=1_000).contains(&steady), "{steady}");
    assert!(changing <= 1_000, "it does not begin anew: {changing}");
}

#[test]
fn who_stands_behind_waits_for_what_is_stated_and_for_half_of_what_the_pace_says() {
    let now = Timestamp::from_millis(BEGIN);
    let secs = |shaper: &Shaper, others| shaper.behind(others, now).as_secs();
    let mut shaper = Shaper::new(Declared::default());
    assert_eq!(secs(&shaper, 1e6), 0, "nothing limits it");
    shaper.hold_until(now + Duration::from_secs(90));
    assert_eq!(secs(&shaper, 1e6), 90);
    shaper.declare(&Declared { rates: vec![(1, Duration::from_secs(1))], concurrent: None }, 1);
    assert_eq!([secs(&shaper, 0.0), secs(&shaper, 97.0), secs(&shaper, 1e6)], [90, 140, 3_690]);
    // A window of which nothing is left: what goes after it is another matter.
    let hour = Duration::from_secs(3_600);
    let mut empty = Shaper::new(Declared { rates: vec![(10, hour)], concurrent: None });
    let gone = empty.depart(now);
    let fields = [("ratelimit-policy", "\"p\";q=10;w=3600"), ("ratelimit", "\"p\";r=0;t=1800")];
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.insert(name, HeaderValue::from_static(value));
    }
    empty.answered(gone, Outcome::Dealt, &said(&headers, now), now);
    assert_eq!([secs(&empty, 0.0), secs(&empty, 1e3)], [1_800, 1_800]);
}

/// What all have sent in a window, as it is kept beside them: one for each length.
#[derive(Default)]
struct Book(Vec<Spent>);

impl Book {
    /// A node tells what it sent and hears of all.
    fn sync(&mut self, shaper: &mut Shaper, now: Timestamp) {
        self.0.retain(|window| window.ends > now);
        for one in shaper.tell_spent(now) {
            match self.0.iter_mut().find(|window| window.per == one.per) {
                Some(window) => window.calls += one.calls,
                None => self.0.push(one),
            }
        }
        shaper.know_spent(&self.0, now);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A long window holds over processes that come and go and over nodes that tell each other now and then.
    #[test]
    fn a_long_window_is_one_for_all_nodes_and_over_restarts(
        limit in 20_u32..2_000,
        nodes in 1_u32..4,
        steps in proptest::collection::vec((0_u32..4, 0_u8..10, 1_u32..600), 20..200),
    ) {
        let hour = Duration::from_secs(3_600);
        let declared = Declared { rates: vec![(limit, hour)], concurrent: None };
        let fresh = || {
            let mut shaper = Shaper::new(Declared::default());
            shaper.declare(&declared, nodes);
            shaper
        };
        let mut all: Vec<Shaper> = (0..nodes).map(|_| fresh()).collect();
        let (mut book, mut now) = (Book::default(), Timestamp::from_millis(BEGIN));
        let mut sent: Vec<Timestamp> = Vec::new();
        let mut windows: Vec<Timestamp> = Vec::new();
        for (which, deed, pause) in steps {
            now = now + Duration::from_secs(u64::from(pause));
            let shaper = &mut all[(which % nodes) as usize];
            if deed == 0 {
                // It ends in peace, and another process takes its place.
                book.sync(shaper, now);
                *shaper = fresh();
            }
            book.sync(shaper, now);
            let went = goes(shaper, now);
            sent.extend((0..went).map(|_| now));
            // The first of a window is told before others begin one of their own.
            book.sync(shaper, now);
            windows.extend(book.0.iter().map(|window| window.ends));
        }
        windows.dedup();
        for ends in windows {
            let within = |at: &&Timestamp| **at < ends && ends.since(**at) <= hour;
            let count = sent.iter().filter(within).count();
            prop_assert!(count <= limit as usize, "{count} of {limit} in the window that ends at {ends}");
        }
    }
}

/// How many calls of an hour's limit go when one of so many nodes has all the work, and they tell each other.
fn sent_by_one_of(nodes: u32, limit: u32) -> u32 {
    let declared = Declared { rates: vec![(limit, Duration::from_secs(3_600))], concurrent: None };
    let mut all: Vec<Shaper> = (0..nodes).map(|_| Shaper::new(Declared::default())).collect();
    for shaper in &mut all {
        shaper.declare(&declared, nodes);
    }
    let (mut book, mut sent) = (Book::default(), 0);
    for second in 0..3_599 {
        let now = Timestamp::from_millis(BEGIN + second * 1_000);
        sent += goes(&mut all[0], now);
        if second % 10 == 0 {
            for shaper in &mut all {
                book.sync(shaper, now);
            }
        }
    }
    sent
}

#[test]
fn a_long_window_is_for_whoever_has_work_and_few_calls_are_not_lost_between_nodes() {
    let many = sent_by_one_of(2, 1_000);
    assert!((900..=971).contains(&many), "{many}");
    let few = sent_by_one_of(3, 5);
    assert!((2..=5).contains(&few), "{few}");
}

#[test]
fn what_could_not_be_told_is_told_later() {
    let hour = Duration::from_secs(3_600);
    let mut shaper = Shaper::new(Declared { rates: vec![(1_000, hour)], concurrent: None });
    let now = Timestamp::from_millis(BEGIN);
    let _ = (shaper.depart(now), shaper.depart(now));
    let told = shaper.tell_spent(now);
    assert_eq!((told.len(), told[0].calls, told[0].per), (1, 2, hour));
    assert_eq!(shaper.tell_spent(now), []);
    let _ = shaper.depart(now);
    shaper.not_told(&told);
    assert_eq!(shaper.tell_spent(now)[0].calls, 3);
}

/// A refusal with a pause, and then nothing to send for a long time: that says nothing of what is allowed.
#[test]
fn time_in_which_nothing_was_to_be_sent_teaches_nothing() {
    for idle in [15, 75, 3_600, 8 * 3_600] {
        let (mut shaper, mut now) =
            (Shaper::new(Declared::default()), Timestamp::from_millis(BEGIN));
        let step = Duration::from_millis(50);
        for _ in 0..20 {
            assert_eq!(goes_once(&mut shaper, now, Outcome::Dealt, None), 1);
            now = now + step;
        }
        let pause = Some(Duration::from_secs(10));
        assert_eq!(goes_once(&mut shaper, now, Outcome::Throttled, pause), 1);
        now = now + Duration::from_secs(idle);
        let (again, mut gone) = (now, 0);
        while gone < 40 {
            gone += goes_once(&mut shaper, now, Outcome::Dealt, None);
            now = now + step;
        }
        let took = now.since(again);
        assert!(took < Duration::from_secs(30), "{took:?} after {idle} s");
    }
}

/// One call, if it may go, which is answered at once.
fn goes_once(
    shaper: &mut Shaper,
    now: Timestamp,
    outcome: Outcome,
    retry_after: Option<Duration>,
) -> u32 {
    if shaper.admit(now) != Turn::Go {
        return 0;
    }
    let gone = shaper.depart(now);
    let said = qc_pace::Said { retry_after, ..qc_pace::Said::default() };
    shaper.answered(gone, outcome, &said, now);
    1
}

/// How many calls go in the next so many seconds, one at a time.
fn goes_within(shaper: &mut Shaper, from: Timestamp, seconds: u64) -> u32 {
    (0..seconds).map(|second| goes(shaper, from + Duration::from_secs(second))).sum()
}

#[test]
fn what_others_sent_and_what_was_not_told_are_both_spent() {
    let hour = Duration::from_secs(3_600);
    let now = Timestamp::from_millis(BEGIN);
    let ten = || Shaper::new(Declared { rates: vec![(10, hour)], concurrent: None });
    let all = |calls, ends| [Spent { per: hour, ends, calls }];
    // Two of its own went that nobody was told of, and six of others: of 9.7 one is left.
    let mut shaper = ten();
    let _ = (shaper.depart(now), shaper.depart(now));
    shaper.know_spent(&all(6, now + hour), now);
    assert_eq!(goes_within(&mut shaper, now, 3_599), 1);
    // A window that is over says nothing.
    let mut shaper = ten();
    shaper.know_spent(&all(10, now), now);
    assert!(goes_within(&mut shaper, now, 3_599) >= 8);
    // What went in a window that is over is not told as of the next one, nor taken back into it.
    let mut shaper = ten();
    let _ = shaper.depart(now);
    let told = shaper.tell_spent(now);
    let _ = shaper.depart(now);
    let later = now + hour;
    assert_eq!(shaper.tell_spent(later), []);
    let _ = shaper.depart(later);
    shaper.not_told(&told);
    assert_eq!(shaper.tell_spent(later).iter().map(|one| one.calls).sum::<u64>(), 1);
}

#[test]
fn a_window_with_another_limit_keeps_the_part_that_was_used() {
    let (hour, now) = (Duration::from_secs(3_600), Timestamp::from_millis(BEGIN));
    let of = |count| Declared { rates: vec![(count, hour)], concurrent: None };
    for (before, after, left) in [(100, 200, 97), (200, 100, 73)] {
        let mut shaper = Shaper::new(of(before));
        for _ in 0..50 {
            let gone = shaper.depart(now);
            shaper.answered(gone, Outcome::Dealt, &qc_pace::Said::default(), now);
        }
        shaper.declare(&of(after), 1);
        let went = goes_within(&mut shaper, now, 3_599);
        assert!(went.abs_diff(left) <= 5, "{went} of {left}");
    }
}
