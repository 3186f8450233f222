//! The shaper against systems that limit it: what is announced in each dialect, what is not announced, and lies.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::unwrap_used,
    reason = "the numbers of these worlds are small"
)]

mod provider;
mod world;

use std::time::Duration;

use provider::{Counts, Tells};
use qc_pace::{Declared, Outcome};
use world::World;

const NOTHING: Declared = Declared { rates: vec![], concurrent: None };

fn figures(declared: Declared, counts: Counts, tells: Tells, (from, to): (i64, i64)) -> (f64, f64) {
    let mut world = World::new(declared, counts, tells);
    world.run(to);
    world.figures(from, to)
}

#[test]
fn what_is_announced_is_used_and_hardly_ever_exceeded() {
    let mut bad = Vec::new();
    let minutes = (120_000, 480_000);
    let windows = (1_200_000, 2_400_000);
    let cases = [
        ("standard, fixed", Counts::fixed(600, 60_000), Tells::Standard),
        ("standard, fixed, a second", Counts::fixed(50, 1_000), Tells::Standard),
        ("standard, sliding", Counts::sliding(600, 60_000), Tells::Standard),
        ("standard, sliding, ten seconds", Counts::sliding(500, 10_000), Tells::Standard),
        ("dictionary, fixed", Counts::fixed(600, 60_000), Tells::Dictionary),
        ("dictionary, fixed, ten seconds", Counts::fixed(500, 10_000), Tells::Dictionary),
        ("dictionary, sliding", Counts::sliding(600, 60_000), Tells::Dictionary),
        ("three fields, fixed", Counts::fixed(600, 60_000), Tells::Three),
        ("three fields, sliding", Counts::sliding(600, 60_000), Tells::Three),
        ("epoch, fixed", Counts::fixed(600, 60_000), Tells::Epoch),
        ("epoch, fixed, a second", Counts::fixed(50, 1_000), Tells::Epoch),
        ("epoch, fixed, ten minutes", Counts::fixed(3_000, 600_000), Tells::Epoch),
        ("delay, fixed", Counts::fixed(600, 60_000), Tells::Delay),
        ("delay, sliding", Counts::sliding(600, 60_000), Tells::Delay),
        ("minute, fixed", Counts::fixed(600, 60_000), Tells::Minute),
        ("minute, sliding", Counts::sliding(600, 60_000), Tells::Minute),
        ("bucket with its level", Counts::bucket(80.0, 20.0, 1.0), Tells::Shopify),
        ("bucket with its level, slow", Counts::bucket(40.0, 2.0, 1.0), Tells::Shopify),
        (
            "bucket with its level, calls of four points",
            Counts::bucket(400.0, 80.0, 4.0),
            Tells::Shopify,
        ),
    ];
    for (what, counts, tells) in cases {
        let long = matches!(counts, Counts::Fixed { per: 600_000, .. });
        let (used, refused) = figures(NOTHING, counts, tells, if long { windows } else { minutes });
        println!("{what}: {:.2} % used, {:.3} % refused", used * 100.0, refused * 100.0);
        if used < 0.95 || refused > 0.001 {
            bad.push(format!(
                "{what}: {:.2} % used, {:.3} % refused",
                used * 100.0,
                refused * 100.0
            ));
        }
    }
    assert!(bad.is_empty(), "{bad:#?}");
}

#[test]
fn what_is_not_announced_is_learned() {
    let mut bad = Vec::new();
    let minutes = (300_000, 900_000);
    let cases = [
        ("fixed, a second", Counts::fixed(50, 1_000), Tells::Nothing),
        ("fixed, ten seconds", Counts::fixed(500, 10_000), Tells::Nothing),
        ("fixed, a minute", Counts::fixed(3_000, 60_000), Tells::Nothing),
        ("fixed, a minute, few", Counts::fixed(120, 60_000), Tells::Nothing),
        ("sliding, a second", Counts::sliding(50, 1_000), Tells::Nothing),
        ("sliding, a minute", Counts::sliding(3_000, 60_000), Tells::Nothing),
        ("bucket, small", Counts::bucket(5.0, 50.0, 1.0), Tells::Nothing),
        ("bucket, large", Counts::bucket(200.0, 50.0, 1.0), Tells::Nothing),
        ("bucket, dear calls", Counts::bucket(1_000.0, 200.0, 4.0), Tells::Nothing),
        ("concurrent", Counts::Concurrent { limit: 4 }, Tells::Nothing),
        ("fixed, says when", Counts::fixed(500, 10_000), Tells::RetryAfter),
        ("sliding, says when", Counts::sliding(50, 1_000), Tells::RetryAfter),
        ("bucket, says when", Counts::bucket(100.0, 50.0, 1.0), Tells::RetryAfter),
        ("lies", Counts::fixed(500, 10_000), Tells::Lies),
        ("lies, sliding", Counts::sliding(50, 1_000), Tells::Lies),
    ];
    for (what, counts, tells) in cases {
        let (used, refused) = figures(NOTHING, counts, tells, minutes);
        println!("{what}: {:.2} % used, {:.3} % refused", used * 100.0, refused * 100.0);
        if used < 0.95 || refused > 0.02 {
            bad.push(format!(
                "{what}: {:.2} % used, {:.3} % refused",
                used * 100.0,
                refused * 100.0
            ));
        }
    }
    assert!(bad.is_empty(), "{bad:#?}");
}

/// A limit that is told by 503 is a limit as well.
#[test]
fn what_is_told_by_overloads_is_learned() {
    for (what, counts) in [
        ("fixed, a second", Counts::fixed(50, 1_000)),
        ("sliding, a second", Counts::sliding(50, 1_000)),
        ("bucket, small", Counts::bucket(5.0, 50.0, 1.0)),
        ("bucket, large", Counts::bucket(200.0, 50.0, 1.0)),
        ("concurrent", Counts::Concurrent { limit: 4 }),
    ] {
        let mut world = World::new(NOTHING, counts, Tells::Nothing);
        world.refuses = Outcome::Overloaded;
        world.run(900_000);
        let (used, refused) = world.figures(300_000, 900_000);
        println!("{what}: {:.2} % used, {:.3} % refused", used * 100.0, refused * 100.0);
        assert!(used >= 0.95 && refused <= 0.02, "{what}: {used} {refused}");
    }
}

/// A system that fails now and then for no reason of rate: slowing down helps nobody, and does not go on.
#[test]
fn failures_by_chance_are_no_limit() {
    let second = Some(Duration::from_secs(1));
    let kinds =
        [(Outcome::Overloaded, None), (Outcome::Throttled, None), (Outcome::Throttled, second)];
    let (mut sum, mut cases) = (0.0, 0.0);
    for (outcome, pause) in kinds {
        for (per_thousand, lines) in [(5, 2), (5, 40), (10, 2), (10, 40), (30, 2), (30, 40)] {
            let mut world = World::new(NOTHING, Counts::fixed(1_000_000, 1_000), Tells::Nothing);
            (world.by_chance, world.lines) = ((per_thousand, outcome, pause), lines);
            world.run(600_000);
            let dealt = world.dealt(300_000, 600_000);
            // A call takes 100 ms, and the pause of one refusal holds up all.
            let stands = pause.map_or(0.0, |pause| pause.as_secs_f64() * per_thousand as f64 / 1e3);
            let possible = 300.0 / (0.1 / lines as f64 + stands);
            println!(
                "{outcome:?} {per_thousand} ‰, {pause:?}, {lines} at once: {dealt} of {possible:.0}"
            );
            assert!(dealt >= possible * 0.3, "{dealt} of {possible}");
            (sum, cases) = (sum + dealt / possible, cases + 1.0);
        }
    }
    assert!(sum / cases >= 0.8, "{}", sum / cases);
}

/// The same of a system that has a limit besides, and tells nothing of it.
#[test]
fn a_limit_is_found_among_failures_by_chance() {
    let mut sum = 0.0;
    let cases = [
        ("fixed, a second", Counts::fixed(50, 1_000)),
        ("sliding, a second", Counts::sliding(50, 1_000)),
        ("bucket, small", Counts::bucket(5.0, 50.0, 1.0)),
        ("bucket, large", Counts::bucket(200.0, 50.0, 1.0)),
        ("concurrent", Counts::Concurrent { limit: 4 }),
    ];
    let chances = [(5, Outcome::Overloaded), (10, Outcome::Throttled), (30, Outcome::Overloaded)];
    for (what, counts) in &cases {
        for (per_thousand, outcome) in chances {
            let mut world = World::new(NOTHING, counts.clone(), Tells::Nothing);
            world.by_chance = (per_thousand, outcome, None);
            world.run(600_000);
            let (used, refused) = world.figures(300_000, 600_000);
            let refused = refused * 1_000.0 - per_thousand as f64;
            println!(
                "{what}, {per_thousand} ‰ {outcome:?}: {:.1} % used, {refused:.1} ‰ more",
                used * 100.0
            );
            assert!(used >= 0.4 && refused <= 50.0, "{what}, {per_thousand} ‰: {used} {refused}");
            sum += used;
        }
    }
    let mean = sum / (cases.len() * chances.len()) as f64;
    assert!(mean >= 0.8, "{mean}");
}

/// The first minute counts, too: a declared limit is kept from the first call on.
#[test]
fn what_is_declared_is_kept_from_the_first_call_on() {
    let declared = Declared { rates: vec![(50, Duration::from_secs(1))], concurrent: None };
    let counts = Counts::sliding(50, 1_000);
    let mut world = World::new(declared, counts, Tells::Nothing);
    let done = world.run_work(1_000_000, 10_000);
    assert_eq!(done, 10_000);
    let refused = world.answers.iter().filter(|(_, no)| *no).count();
    println!("10,000 calls at 50/s: {} ms, {refused} refused", world.now);
    // 10,000 calls at 97 % of 50/s take 206.2 s.
    assert!((205_000..207_500).contains(&world.now), "{} ms", world.now);
    assert_eq!(refused, 0);
}

/// A limit over a long time lets little work go at once, and spreads much.
#[test]
fn what_is_declared_for_a_day_is_spread_and_kept() {
    let day = 86_400_000;
    let declared =
        Declared { rates: vec![(10_000, Duration::from_secs(86_400))], concurrent: None };
    let mut world = World::new(declared, Counts::fixed(10_000, day), Tells::Nothing);
    world.run(60_000);
    let first = world.answers.len();
    assert!((20..300).contains(&first), "{first} in the first minute");
    world.run(2 * day);
    let refused = world.answers.iter().filter(|(_, no)| *no).count();
    let dealt = world.answers.len() - refused;
    println!("two days: {dealt} dealt with, {refused} refused");
    assert!(dealt > 19_000 && refused < 20, "{dealt} {refused}");
}

#[test]
fn a_change_is_followed_within_a_window() {
    let minute = 60_000;
    for tells in [Tells::Standard, Tells::Epoch, Tells::Three, Tells::Nothing] {
        let mut world = World::new(NOTHING, Counts::fixed(3_000, minute), tells);
        world.run(5 * minute);
        for limit in [1_500, 3_000] {
            let from = world.now;
            world.counts = Counts::fixed(limit, minute);
            world.run(from + 3 * minute);
            let (used, refused) = world.figures(from + minute, from + 3 * minute);
            println!(
                "{tells:?} to {limit}: {:.2} % used, {:.3} % refused",
                used * 100.0,
                refused * 100.0
            );
            assert!(used >= 0.9 && refused <= 0.02, "{tells:?} to {limit}: {used} {refused}");
        }
    }
}

/// Others use the same credential: what they leave is used, and what is announced is not exceeded.
#[test]
fn what_others_use_of_the_same_limit_is_left_to_them() {
    let mut world = World::new(NOTHING, Counts::fixed(600, 60_000), Tells::Standard);
    world.others = (0..7_200).map(|n| (n * 100, u64::from(n % 2 == 0))).collect();
    world.run(720_000);
    let (used, refused) = world.figures(120_000, 720_000);
    println!("shared: {:.2} % used, {:.3} % refused", used * 100.0, refused * 100.0);
    assert!((0.45..0.51).contains(&used) && refused <= 0.001, "{used} {refused}");
}

/// A refusal now and then of one who calls seldom teaches nothing of a rate: the next calls are not held up for long.
#[test]
fn who_calls_seldom_is_not_slowed_by_a_few_refusals() {
    use qc_pace::{Departure, Outcome, Said, Shaper, Turn};
    let mut shaper = Shaper::new(NOTHING);
    let mut now = 0;
    for n in 0..200_i64 {
        now += 20_000;
        let mut went: Option<Departure> = None;
        let asked = now;
        while went.is_none() {
            match shaper.admit(provider::at(now)) {
                Turn::Go => went = Some(shaper.depart(provider::at(now))),
                Turn::At(then) => {
                    now += i64::try_from(then.since(provider::at(now)).as_millis()).unwrap();
                }
                Turn::Answered => panic!("nothing is in flight"),
            }
        }
        assert!(now - asked <= 12_000, "call {n} waited {} ms", now - asked);
        let outcome = match n % 7 {
            0 => Outcome::Throttled,
            3 => Outcome::Overloaded,
            _ => Outcome::Dealt,
        };
        shaper.answered(went.unwrap(), outcome, &Said::default(), provider::at(now + 100));
    }
}

#[test]
fn an_absurd_wish_is_bounded() {
    let mut world = World::new(NOTHING, Counts::fixed(10, 1_000), Tells::Absurd);
    world.run(10_000);
    let held = world.shaper.held_until();
    assert!(held <= provider::at(world.now) + qc_pace::dialect::LONGEST_PAUSE);
    assert!(held >= provider::at(86_400_000), "kept as far as it is bounded");
}

/// A system that refuses one call in a hundred for no reason of rate, with a pause of a second, does not hold up for long
/// what comes at once after a quiet time.
#[test]
fn refusals_by_chance_while_little_goes_do_not_hold_up_what_comes_then() {
    use qc_pace::{Outcome, Said, Shaper, Turn};
    let mut shaper = Shaper::new(NOTHING);
    let at = qc_model::Timestamp::from_millis;
    let (mut now, mut sent, mut refused) = (0_i64, 0_u64, 0_u64);
    let mut call = |shaper: &mut Shaper, now: &mut i64| {
        while let Turn::At(next) = shaper.admit(at(*now)) {
            *now = next.as_millis().max(*now + 1);
        }
        let gone = shaper.depart(at(*now));
        sent += 1;
        *now += 20;
        let is_refused = sent % 100 == 7;
        refused += u64::from(is_refused);
        let said =
            Said { retry_after: is_refused.then(|| Duration::from_secs(1)), ..Said::default() };
        let outcome = if is_refused { Outcome::Throttled } else { Outcome::Dealt };
        shaper.answered(gone, outcome, &said, at(*now));
    };
    // One call in 800 ms: a refusal is told by next to nothing.
    for _ in 0..10 {
        call(&mut shaper, &mut now);
        now += 780;
    }
    let began = now;
    for _ in 0..500 {
        call(&mut shaper, &mut now);
    }
    let took = now - began;
    println!("500 calls after a quiet time: {took} ms, {refused} refused");
    // 10 s if nothing held them, 5 s of stated pauses, and some for finding the pace again.
    assert!(took < 40_000, "{took} ms");
}

/// One refusal among a handful of calls tells next to nothing of what is allowed, whenever it comes and however far apart
/// they are: nobody waits for longer than the pause that was stated, and a little.
#[test]
fn one_refusal_among_a_few_calls_holds_none_of_them_up() {
    use qc_pace::{Outcome, Said, Shaper, Turn};
    let at = qc_model::Timestamp::from_millis;
    for gap in [0, 100, 700, 2_000, 10_000, 90_000] {
        for refused in 0..8 {
            let mut shaper = Shaper::new(NOTHING);
            let mut now = 0_i64;
            for nth in 0..10 {
                let asked = now;
                while let Turn::At(next) = shaper.admit(at(now)) {
                    now = next.as_millis().max(now + 1);
                }
                let waited = now - asked;
                assert!(
                    waited <= 1_500,
                    "call {nth} waits {waited} ms: {refused} refused, {gap} ms apart"
                );
                let gone = shaper.depart(at(now));
                now += 2;
                let pause = (nth == refused).then(|| Duration::from_secs(1));
                let said = Said { retry_after: pause, ..Said::default() };
                let outcome = if nth == refused { Outcome::Throttled } else { Outcome::Dealt };
                shaper.answered(gone, outcome, &said, at(now));
                now += gap;
            }
        }
    }
}

/// Not even when it begins with failures, and when little went before: 600 calls, 40 at a time, in a system that fails in
/// two or three of a hundred. It could be 1.5 s, and 13.5 s with the stated pauses.
#[test]
fn failures_by_chance_hold_up_nobody_for_long() {
    let second = Some(Duration::from_secs(1));
    for (outcome, per_thousand, pause, mean) in
        [(Outcome::Overloaded, 30, None, 20), (Outcome::Throttled, 20, second, 75)]
    {
        for lines in [1, 4] {
            let took = (0..40).map(|seed| {
                let mut world =
                    World::new(NOTHING, Counts::fixed(1_000_000, 1_000), Tells::Nothing);
                world.random = seed * 77 + 5;
                (world.by_chance, world.lines) = ((per_thousand, outcome, pause), lines);
                world.run_work(3_600_000, 20);
                world.lines = 40;
                let from = world.now;
                assert_eq!(world.run_work(3_600_000, 600), 600);
                (world.now - from) / 1_000
            });
            let took: Vec<i64> = took.collect();
            let (sum, longest) = (took.iter().sum::<i64>() / 40, took.iter().max().unwrap());
            println!("{outcome:?} after {lines} at once: {sum} s on average, {longest} s at most");
            assert!(sum <= mean && *longest <= 150, "{sum} {longest}");
        }
    }
}

/// The first refusal comes before the answers to most of what is under way: they count as well, for what the end of the pause
/// teaches and for what the next failure does.
#[test]
fn what_was_under_way_tells_what_is_allowed() {
    use qc_pace::{Outcome, Said, Shaper, Turn};
    let at = qc_model::Timestamp::from_millis;
    let pause = Said { retry_after: Some(Duration::from_secs(1)), ..Said::default() };
    for (under_way, fails) in [(20, None), (12, Some(5))] {
        let mut shaper = Shaper::new(NOTHING);
        let gone: Vec<_> = (0..under_way).map(|_| shaper.depart(at(0))).collect();
        for (nth, gone) in (0..).zip(gone) {
            let (outcome, said) = match nth {
                2 => (Outcome::Throttled, pause.clone()),
                _ => (Outcome::Dealt, Said::default()),
            };
            shaper.answered(gone, outcome, &said, at(20 + nth));
        }
        let mut now = 1_000;
        for nth in 0..100 {
            while let Turn::At(next) = shaper.admit(at(now)) {
                now = next.as_millis().max(now + 1);
            }
            let gone = shaper.depart(at(now));
            now += 1;
            let outcome = if fails == Some(nth) { Outcome::Overloaded } else { Outcome::Dealt };
            shaper.answered(gone, outcome, &Said::default(), at(now));
        }
        println!("{under_way} under way: {now} ms");
        assert!(now <= 12_000, "{under_way} under way: {now} ms");
    }
}

/// A call that tries a limit after a refusal, and finds the system overloaded, has found out nothing: the next one tries.
#[test]
fn a_try_that_meets_an_overload_holds_up_nobody() {
    use qc_pace::{Outcome, Said, Shaper, Turn};
    let at = qc_model::Timestamp::from_millis;
    let mut shaper = Shaper::new(NOTHING);
    let mut call = |now: i64, outcome| {
        let mut then = now;
        while let Turn::At(next) = shaper.admit(at(then)) {
            then = next.as_millis().max(then + 1);
        }
        let gone = shaper.depart(at(then));
        shaper.answered(gone, outcome, &Said::default(), at(then + 1));
        then - now
    };
    call(0, Outcome::Dealt);
    call(100, Outcome::Throttled);
    call(1_000, Outcome::Overloaded);
    let waited = call(2_000, Outcome::Dealt);
    assert!(waited <= 1_000, "{waited} ms");
}
