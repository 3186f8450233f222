//! Measures decisions beside `governor`, in one process: `cargo run --release -p qc-limit --example decisions`.
//!
//! Each figure is the median over rounds of the mean time of a decision, for keys in random order.

use std::{hint::black_box, num::NonZeroU32, sync::Arc, time::Duration, time::Instant};

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

/// Nanoseconds a decision, as the median of the rounds.
fn measure(mut decide: impl FnMut(u64)) -> f64 {
    let mut state = 0x9E37_79B9_7F4A_7C15;
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let since = Instant::now();
            for _ in 0..DECISIONS {
                decide(next(&mut state) % KEYS);
            }
            since.elapsed().as_secs_f64() * 1e9 / 1e6
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    rounds[ROUNDS / 2]
}

/// A slab in which every key of these limits has a cell that counts.
fn filled(limits: usize, quota: Quota) -> (Slab, Vec<LimitId>) {
    let slab = Slab::new(8 << 20, 7);
    let limits: Vec<LimitId> = (0..limits).map(|_| slab.add().expect("there is room")).collect();
    for who in 0..KEYS {
        let asks: Vec<Ask> = asks(&slab, &limits, quota, who).collect();
        slab.decide(&asks, 1);
    }
    (slab, limits)
}

fn asks(
    slab: &Slab,
    limits: &[LimitId],
    quota: Quota,
    who: u64,
) -> impl Iterator<Item = Ask> {
    let who = who.to_string();
    limits.iter().map(move |limit| Ask { key: slab.key(*limit, &who), quota, cost: 1 })
}

fn main() {
    let quota = Quota::new(1000, Duration::from_secs(3600), None).expect("a quota");
    println!("nanoseconds a decision, {KEYS} keys, median of {ROUNDS} rounds of {DECISIONS}");
    for count in [1, 5] {
        let (slab, limits) = filled(count, quota);
        let keys: Vec<Vec<Ask>> =
            (0..KEYS).map(|who| asks(&slab, &limits, quota, who).collect()).collect();
        let pick = measure(|at| {
            black_box(keys[usize::try_from(at).unwrap_or_default()].len());
        });
        let began = Instant::now();
        let own = measure(|at| {
            let asks = &keys[usize::try_from(at).unwrap_or_default()];
            let now = u64::try_from(began.elapsed().as_nanos()).unwrap_or_default();
            black_box(slab.decide(asks, now));
        });
        let coarse = measure(|at| {
            black_box(slab.decide(&keys[usize::try_from(at).unwrap_or_default()], 2));
        });
        println!("own slab, {count} limit(s), keys known, with the system's clock  {own:6.1}");
        println!("own slab, {count} limit(s), keys known, time given               {coarse:6.1}");
        println!("  of which fetching the keys and the loop                    {pick:6.1}");
        let texts: Vec<String> = (0..KEYS).map(|who| format!("tenant-{who}")).collect();
        let hashed = measure(|at| {
            let who = &texts[usize::try_from(at).unwrap_or_default()];
            for limit in &limits {
                black_box(slab.key(*limit, who));
            }
        });
        println!("making {count} key(s) from a text                                {hashed:6.1}");
    }
    contended(quota);
    governor();
}

/// Two threads that decide over five limits, one of them for everybody.
fn contended(quota: Quota) {
    let (slab, limits) = filled(5, quota);
    let everybody = slab.key(limits[0], "");
    let own = |who: u64| {
        let mut asks: Vec<Ask> = asks(&slab, &limits, quota, who).collect();
        asks[0].key = everybody;
        asks
    };
    let keys: Vec<Vec<Ask>> = (0..KEYS).map(own).collect();
    let since = Instant::now();
    std::thread::scope(|scope| {
        for seed in [3, 5] {
            let (slab, keys) = (&slab, &keys);
            scope.spawn(move || {
                let mut state = seed;
                for _ in 0..DECISIONS {
                    let at = usize::try_from(next(&mut state) % KEYS).unwrap_or_default();
                    black_box(slab.decide(&keys[at], 2));
                }
            });
        }
    });
    let each = since.elapsed().as_secs_f64() * 1e9 / 2e6;
    println!("own slab, 5 limits, one for everybody, two threads, time given {each:6.1}");
}

fn governor() {
    let most = NonZeroU32::new(1000).expect("not zero");
    let keyed = || -> DefaultKeyedRateLimiter<u64> {
        let limiter = RateLimiter::keyed(GovernorQuota::per_hour(most));
        for who in 0..KEYS {
            let _ = limiter.check_key(&who);
        }
        limiter
    };
    let one = keyed();
    let single = measure(|who| {
        let _ = black_box(one.check_key(&who));
    });
    println!("governor, 1 limit, number as key                               {single:6.1}");
    let five: Vec<DefaultKeyedRateLimiter<u64>> = (0..5).map(|_| keyed()).collect();
    let several = measure(|who| {
        // It has no decision over several: a refusal by a later one has used up the earlier ones.
        black_box(five.iter().all(|limiter| limiter.check_key(&who).is_ok()));
    });
    println!("governor, 5 limits one after the other, number as key          {several:6.1}");
    drop((one, five));
    let texts: Vec<Arc<str>> = (0..KEYS).map(|who| format!("tenant-{who}").into()).collect();
    let by_text: DefaultKeyedRateLimiter<Arc<str>> =
        RateLimiter::keyed(GovernorQuota::per_hour(most));
    let text = measure(|who| {
        let who = &texts[usize::try_from(who).unwrap_or_default()];
        let _ = black_box(by_text.check_key(who));
    });
    println!("governor, 1 limit, text as key                                 {text:6.1}");
}
