//! Measures decisions beside `governor`, in one process: `cargo run --release -p qc-limit --example decisions`.
//!
//! Each figure is the median over rounds of the mean time of a decision, for keys in random order.

use std::{
    hint::black_box,
    num::NonZeroU32,
    sync::Arc,
    time::{Duration, Instant},
};

use governor::{DefaultKeyedRateLimiter, Quota as GovernorQuota, RateLimiter};
use qc_limit::{Ask, LimitId, Quota, Slab};

const KEYS: u64 = 1_000_000;
const ROUNDS: usize = 9;
const DECISIONS: u64 = 1_000_000;

/// The next number of a xorshift generator: cheap beside what is measured.
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// The time that this thread had a processor, in nanoseconds; the machine may have other work.
fn busy() -> u64 {
    let known = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    known.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or_default()
}

/// Nanoseconds a decision: the median of the rounds, and the least.
fn measure(name: &str, mut decide: impl FnMut(usize)) {
    let mut rounds: Vec<u64> = (0..ROUNDS)
        .map(|_| {
            let since = busy();
            for at in 0..DECISIONS {
                decide(usize::try_from(at % KEYS).unwrap_or_default());
            }
            (busy() - since) * 10 / DECISIONS
        })
        .collect();
    rounds.sort_unstable();
    let (median, least) = (rounds[ROUNDS / 2], rounds[0]);
    println!("{name:58} {:5}.{} {:5}.{}", median / 10, median % 10, least / 10, least % 10);
}

/// A slab with a million keys, spread over so many limits, and the keys of each of a million requests.
fn filled<const N: usize>(quota: Quota) -> (Slab, Vec<[Ask; N]>) {
    let slab = Slab::new(2 << 20, 7);
    let limits: [LimitId; N] = std::array::from_fn(|_| slab.add().expect("there is room"));
    let each = KEYS / limits.len() as u64;
    let mut state = 0xBF58_476D_1CE4_E5B9;
    let requests: Vec<[Ask; N]> = (0..KEYS)
        .map(|_| {
            limits.map(|limit| {
                let who = (next(&mut state) % each).to_string();
                Ask { key: slab.key(limit, &who), quota, cost: 1, patience: 0 }
            })
        })
        .collect();
    let mut longest = Duration::ZERO;
    for limit in &limits {
        for who in 0..each {
            let ask = Ask { key: slab.key(*limit, &who.to_string()), quota, cost: 1, patience: 0 };
            let since = Instant::now();
            slab.decide(&[ask], 1);
            longest = longest.max(since.elapsed());
        }
    }
    println!(
        "the longest decision while a million keys came, which made the table anew: {longest:?}"
    );
    assert_eq!(slab.len() as u64, KEYS);
    (slab, requests)
}

fn main() {
    let quota = Quota::new(1000, Duration::from_secs(3600), None).expect("a quota");
    println!(
        "{KEYS} keys, {ROUNDS} rounds of {DECISIONS}, nanoseconds a decision: {:>5} {:>7}",
        "median", "least"
    );
    own::<1>(quota);
    own::<5>(quota);
    floor();
    mixed(quota);
    contended(quota);
    governor();
}

fn own<const N: usize>(quota: Quota) {
    let (slab, requests) = filled::<N>(quota);
    measure(&format!("fetching what is asked, {N} limit(s), and the loop"), |at| {
        black_box(requests[at].iter().fold(0, |sum, ask| sum ^ ask.cost));
    });
    measure(&format!("the same and a decision over {N} limit(s)"), |at| {
        black_box(slab.decide(&requests[at], 2));
    });
    measure(&format!("always the same request, {N} limit(s)"), |_| {
        black_box(slab.decide(&requests[0], 2));
    });
}

/// What memory takes of five limits at least: five words side by side, at random places of a table as large. The places of
/// the next five are known with them, as a decision waits for the one before.
fn floor() {
    let cells: Vec<[u64; 2]> = (0..2 << 20).map(|at| [at, 1]).collect();
    let mask = cells.len() - 1;
    let (mut state, mut last) = (0x9E37_79B9_7F4A_7C15, 0);
    measure("five words side by side in 32 MB, one five after the other", |_| {
        let mut place = || usize::try_from(next(&mut state) ^ last).unwrap_or_default() & mask;
        let places: [usize; 5] = std::array::from_fn(|_| place());
        last = black_box(places.iter().fold(0, |sum, at| sum ^ cells[*at][0]));
    });
}

/// As a server has it: one for all, integrations, triggers, tenants and tokens; a million keys together.
fn mixed(quota: Quota) {
    const SPREAD: [u64; 5] = [1, 200, 799, 99_000, 900_000];
    let slab = Slab::new(2 << 20, 7);
    let limits: [LimitId; 5] = std::array::from_fn(|_| slab.add().expect("there is room"));
    let ask = |at: usize, who: u64| {
        let key = slab.key(limits[at], &who.to_string());
        Ask { key, quota, cost: 1, patience: 0 }
    };
    for (at, keys) in SPREAD.into_iter().enumerate() {
        (0..keys).for_each(|who| assert!(slab.decide(&[ask(at, who)], 1).is_allowed()));
    }
    let mut state = 0xBF58_476D_1CE4_E5B9;
    let requests: Vec<[Ask; 5]> = (0..KEYS)
        .map(|_| std::array::from_fn(|at| ask(at, next(&mut state) % SPREAD[at])))
        .collect();
    // No key may run dry: who is refused writes nothing, and that would be faster.
    let mut now = 2;
    measure("five limits of 1, 200, 799, 99,000 and 900,000 keys", |at| {
        now += quota.interval();
        black_box(slab.decide(&requests[at], now));
    });
}

/// Two threads that decide over five limits at once.
fn contended(quota: Quota) {
    let (slab, requests) = filled::<5>(quota);
    std::thread::scope(|scope| {
        for thread in 1..3 {
            let (slab, requests) = (&slab, &requests);
            scope.spawn(move || {
                measure(&format!("two threads, five limits: thread {thread}"), |at| {
                    black_box(slab.decide(&requests[at], 2));
                });
            });
        }
    });
}

fn governor() {
    let most = NonZeroU32::new(1000).expect("not zero");
    let keyed = |keys: u64| -> DefaultKeyedRateLimiter<u64> {
        let limiter = RateLimiter::keyed(GovernorQuota::per_hour(most));
        for who in 0..keys {
            let _ = limiter.check_key(&who);
        }
        limiter
    };
    let one = keyed(KEYS);
    let mut state = 0x94D0_49BB_1331_11EB;
    let asked: Vec<[u64; 5]> = (0..KEYS).map(|_| [(); 5].map(|()| next(&mut state))).collect();
    measure("governor, 1 limit, a number as key, its own clock", |at| {
        let _ = black_box(one.check_key(&(asked[at][0] % KEYS)));
    });
    drop(one);
    let five: Vec<DefaultKeyedRateLimiter<u64>> = (0..5).map(|_| keyed(KEYS / 5)).collect();
    measure("governor, 5 limits one after the other, numbers as keys", |at| {
        // It has no decision over several: a refusal by a later one has used up the earlier ones.
        let mut pairs = five.iter().zip(asked[at]);
        black_box(pairs.all(|(limiter, who)| limiter.check_key(&(who % (KEYS / 5))).is_ok()));
    });
    drop(five);
    let texts: Vec<Arc<str>> = (0..KEYS).map(|who| format!("tenant-{who}").into()).collect();
    let by_text: DefaultKeyedRateLimiter<Arc<str>> =
        RateLimiter::keyed(GovernorQuota::per_hour(most));
    measure("governor, 1 limit, a text as key", |at| {
        let who = usize::try_from(asked[at][0] % KEYS).unwrap_or_default();
        let _ = black_box(by_text.check_key(&texts[who]));
    });
}
