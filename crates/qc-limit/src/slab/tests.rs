use std::{collections::BTreeMap, time::Duration};

use proptest::{collection::vec, prelude::*};

use super::*;

fn quota(count: u64, seconds: u64, burst: Option<u64>) -> Quota {
    Quota::new(count, Duration::from_secs(seconds), burst).unwrap()
}

fn ask(slab: &Slab, limit: LimitId, who: &str, quota: Quota, cost: u64) -> Ask {
    Ask { key: slab.key(limit, who), quota, cost, patience: 0 }
}

const SECOND: u64 = 1_000_000_000;

#[test]
fn the_wait_that_is_told_is_exact() {
    let slab = Slab::new(100, 1);
    let limit = slab.add().unwrap();
    let asks = [ask(&slab, limit, "a", quota(10, 1, None), 1)];
    for _ in 0..10 {
        assert!(slab.decide(&asks, SECOND).is_allowed());
    }
    let refused = slab.decide(&asks, SECOND);
    assert_eq!(refused.violated().collect::<Vec<_>>(), [0]);
    let wait = refused.retry_after().unwrap();
    assert_eq!(wait, SECOND / 10);
    let standing = refused.standing(&asks, 0);
    assert_eq!((standing.remaining, standing.more_in), (0, Some(wait)));
    assert!(!slab.decide(&asks, SECOND + wait - 1).is_allowed());
    assert!(slab.decide(&asks, SECOND + wait).is_allowed());
}

#[test]
fn what_one_refuses_no_other_counts_and_the_longest_wait_binds() {
    let slab = Slab::new(100, 1);
    let limits: Vec<LimitId> = (0..3).map(|_| slab.add().unwrap()).collect();
    let asks = [
        ask(&slab, limits[0], "a", quota(100, 1, None), 1),
        ask(&slab, limits[1], "a", quota(1, 1, None), 1),
        ask(&slab, limits[2], "a", quota(1, 60, None), 1),
    ];
    let first = slab.decide(&asks, 0);
    assert!(first.is_allowed());
    assert_eq!(first.standing(&asks, 0).remaining, 99);
    let refused = slab.decide(&asks, 0);
    assert_eq!(refused.violated().collect::<Vec<_>>(), [1, 2]);
    assert_eq!(refused.binding(), Some(2));
    assert_eq!(refused.retry_after(), Some(60 * SECOND));
    assert_eq!(slab.look(&asks, 0)[0].remaining, 99, "the refusal took nothing of the first");
    slab.give_back(&asks, 0);
    assert_eq!(slab.look(&asks, 0).iter().map(|s| s.remaining).collect::<Vec<_>>(), [100, 1, 1]);
}

#[test]
fn what_costs_more_than_there_ever_is_has_no_moment() {
    let slab = Slab::new(100, 1);
    let limit = slab.add().unwrap();
    let decision = slab.decide(&[ask(&slab, limit, "a", quota(10, 1, None), 11)], 0);
    assert!(!decision.is_allowed());
    assert_eq!(decision.retry_after(), None);
    let decision = slab.decide(&[ask(&slab, limit, "a", quota(10, 1, None), u64::MAX)], 0);
    assert!(!decision.is_allowed());
}

#[test]
fn a_table_without_room_lets_nobody_through_who_could_not() {
    let slab = Slab::new(64, 1);
    let limit = slab.add().unwrap();
    let slow = quota(2, 3600, None);
    let come =
        |who: String, now| slab.decide(&[ask(&slab, limit, &who, slow, 1)], now).is_allowed();
    let admitted = (0..1000).filter(|who| come(format!("a{who}"), 0)).count();
    assert_eq!(admitted, 64 + 2, "64 have cells, and the strangers share one");
    assert!(slab.len() <= 65);
    assert!(come("a0".into(), 0) && !come("a0".into(), 0), "who has a cell keeps it");
    // Once the cells say nothing any more, strangers have some of their own.
    let later = 2 * 3600 * SECOND;
    let admitted = (0..60).filter(|who| come(format!("b{who}"), later)).count();
    assert_eq!(admitted, 60);
    assert!(slab.len() <= 61, "what was full again is gone: {}", slab.len());
}

#[test]
fn whoever_gets_a_cell_begins_with_what_strangers_used() {
    let slab = Slab::new(1, 1);
    let (long, short) = (slab.add().unwrap(), slab.add().unwrap());
    assert!(slab.decide(&[ask(&slab, short, "there", quota(1, 2, None), 1)], 0).is_allowed());
    let stranger = [ask(&slab, long, "stranger", quota(2, 3600, None), 1)];
    assert!(slab.decide(&stranger, 0).is_allowed());
    assert!(slab.decide(&stranger, 0).is_allowed());
    slab.remove(short);
    assert!(!slab.decide(&stranger, 3 * SECOND).is_allowed());
}

#[test]
fn a_clock_that_goes_back_makes_nobody_wait_for_it() {
    let slab = Slab::new(100, 1);
    let limit = slab.add().unwrap();
    let asks = [ask(&slab, limit, "a", quota(2, 1, None), 2)];
    assert!(slab.decide(&asks, 3600 * SECOND).is_allowed());
    assert_eq!(slab.decide(&asks, SECOND).retry_after(), Some(SECOND));
}

#[test]
fn limits_that_go_leave_nothing_behind() {
    let slab = Slab::new(100, 1);
    let limit = slab.add().unwrap();
    let asks = [ask(&slab, limit, "a", quota(1, 60, None), 1)];
    assert!(slab.decide(&asks, 0).is_allowed() && !slab.decide(&asks, 0).is_allowed());
    slab.remove(limit);
    assert!(slab.is_empty());
    assert_eq!(slab.add(), Some(limit), "its number is given again");
    assert!(slab.decide(&asks, 0).is_allowed());
}

#[test]
fn many_threads_admit_no_more_than_one_would() {
    let slab = Slab::new(1000, 1);
    let (all, own) = (slab.add().unwrap(), slab.add().unwrap());
    let admitted: usize = std::thread::scope(|scope| {
        let come = |thread: usize| {
            let asks = [
                ask(&slab, all, "", quota(500, 3600, None), 1),
                ask(&slab, own, &format!("{thread}"), quota(200, 3600, None), 1),
            ];
            (0..400).filter(|_| slab.decide(&asks, 0).is_allowed()).count()
        };
        let threads: Vec<_> = (0..4).map(|thread| scope.spawn(move || come(thread))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(admitted, 500);
}

fn quotas() -> impl Strategy<Value = Quota> {
    (1u64..500, 1u64..100, proptest::option::of(1u64..300))
        .prop_map(|(count, seconds, burst)| quota(count, seconds, burst))
}

proptest! {
    /// Never more than burst + t / interval in any span, whoever comes when and at what cost; in a small table, too.
    #[test]
    fn nobody_gets_more_than_is_written(
        quota in quotas(),
        most in 1usize..6,
        comings in vec((0u64..3 * SECOND, 0u8..4, 1u64..5), 1..300),
    ) {
        let slab = Slab::new(most, 7);
        let limit = slab.add().unwrap();
        let (mut now, mut got) = (0, BTreeMap::<u8, Vec<(u64, u64)>>::new());
        for (pause, who, cost) in comings {
            now += pause;
            let ask = ask(&slab, limit, &who.to_string(), quota, cost);
            if slab.decide(&[ask], now).is_allowed() {
                got.entry(who).or_default().push((now, cost));
            }
        }
        for admitted in got.values() {
            for (first, (begin, _)) in admitted.iter().enumerate() {
                let mut sum = 0;
                for (end, cost) in &admitted[first..] {
                    sum += cost;
                    let most = quota.burst() + (end - begin) / quota.interval();
                    prop_assert!(sum <= most, "{sum} in {} ns of {quota:?}", end - begin);
                }
            }
        }
    }

    /// The documented value is the enforced one: whoever keeps to `q` in any `w` is never refused.
    #[test]
    fn whoever_keeps_to_what_is_told_is_never_refused(
        quota in quotas(),
        comings in vec((0u64..2 * SECOND, 1u64..40), 1..300),
    ) {
        let slab = Slab::new(100, 7);
        let limit = slab.add().unwrap();
        let (mut now, mut sent) = (0u64, Vec::<(u64, u64)>::new());
        for (pause, units) in comings {
            now += pause;
            let window = quota.window() * SECOND;
            let used: u64 = sent.iter().filter(|(at, _)| at + window > now).map(|(_, n)| n).sum();
            let units = units.min(quota.burst().saturating_sub(used));
            if units > 0 {
                let decision = slab.decide(&[ask(&slab, limit, "a", quota, units)], now);
                prop_assert!(decision.is_allowed());
                sent.push((now, units));
            }
        }
    }

    /// Whatever is asked, a refusal changes nothing, what is told to remain can be used, and no more; and the wait is exact
    /// to the nanosecond.
    #[test]
    fn a_refusal_takes_nothing_and_tells_the_truth(
        limits in vec((quotas(), 1u64..30), 1..6),
        pauses in vec(0u64..SECOND, 1..60),
    ) {
        let slab = Slab::new(100, 7);
        let asks: Vec<Ask> = limits
            .iter()
            .map(|(quota, cost)| ask(&slab, slab.add().unwrap(), "a", *quota, *cost))
            .collect();
        let mut now = 0;
        for pause in pauses {
            now += pause;
            let before = slab.look(&asks, now);
            let decision = slab.decide(&asks, now);
            let after = slab.look(&asks, now);
            let fits = asks.iter().zip(&before).all(|(ask, there)| there.remaining >= ask.cost);
            prop_assert_eq!(decision.is_allowed(), fits);
            for (at, ask) in asks.iter().enumerate() {
                let used = if fits { ask.cost } else { 0 };
                prop_assert_eq!(after[at].remaining, before[at].remaining - used);
                prop_assert_eq!(decision.standing(&asks, at), after[at]);
            }
            if let Some(wait) = decision.retry_after() {
                prop_assert!(!slab.decide(&asks, now + wait - 1).is_allowed());
                prop_assert!(slab.decide(&asks, now + wait).is_allowed());
                now += wait;
            }
        }
    }

    /// Another quota keeps what was used, in units; to and fro gives nothing away.
    #[test]
    fn a_change_gives_and_takes_nothing(
        (one, other) in (quotas(), quotas()),
        used in 0u64..300,
    ) {
        let slab = Slab::new(100, 7);
        let limit = slab.add().unwrap();
        let used = used.min(one.burst());
        let spend = [ask(&slab, limit, "a", one, used)];
        prop_assert!(slab.decide(&spend, 0).is_allowed());
        slab.change(limit, one, other, 0);
        let there = slab.look(&[ask(&slab, limit, "a", other, 1)], 0)[0];
        prop_assert_eq!(there.remaining, other.burst().saturating_sub(used));
        slab.change(limit, other, one, 0);
        let there = slab.look(&spend, 0)[0];
        let left = one.burst() - used;
        let full_in = used * one.interval();
        prop_assert!((full_in..=full_in + one.interval()).contains(&there.full_in), "{:?}", there);
        prop_assert!([left, left.saturating_sub(1)].contains(&there.remaining), "{:?}", there);
    }
}

#[test]
fn who_is_ready_to_wait_is_given_the_units_that_come_next() {
    let slab = Slab::new(100, 1);
    let (slow, fast) = (slab.add().unwrap(), slab.add().unwrap());
    let waits = Ask { patience: 2 * SECOND, ..ask(&slab, slow, "a", quota(1, 1, None), 1) };
    let other = ask(&slab, fast, "a", quota(4, 1, None), 1);
    let delays = (0..3).map(|_| {
        let decision = slab.decide(&[waits, other], 0);
        assert!(decision.is_allowed());
        decision.delay() / SECOND
    });
    assert_eq!(delays.collect::<Vec<_>>(), [0, 1, 2]);
    let full = slab.decide(&[waits, other], 0);
    assert_eq!((full.is_allowed(), full.delay()), (false, 0));
    assert_eq!(
        (full.binding(), full.retry_after()),
        (Some(0), Some(SECOND)),
        "then there is room again"
    );
    assert!(!slab.decide(&[waits, other], SECOND - 1).is_allowed());
    let next = slab.decide(&[waits, other], SECOND);
    assert_eq!((next.is_allowed(), next.delay(), next.binding()), (true, 2 * SECOND, Some(0)));
    // Whoever does not wait is not overtaken by it.
    let hasty = Ask { patience: 0, ..waits };
    assert!(!slab.decide(&[hasty], SECOND).is_allowed());
    assert_eq!(
        slab.look(&[other], 0)[0].remaining,
        3,
        "what is queued counts at once in the others"
    );
    slab.give_back(&[waits, other], SECOND);
    assert_eq!(
        slab.decide(&[waits], SECOND).delay(),
        2 * SECOND,
        "a place that was given back is free"
    );
}

#[test]
fn who_waits_for_one_and_is_refused_by_another_waits_for_nothing() {
    let slab = Slab::new(100, 1);
    let limits: Vec<LimitId> = (0..3).map(|_| slab.add().unwrap()).collect();
    let patient = |at: usize, seconds: u64| Ask {
        patience: 100 * SECOND,
        ..ask(&slab, limits[at], "a", quota(1, seconds, None), 1)
    };
    let (short, long) = (patient(0, 2), patient(1, 3));
    let strict = ask(&slab, limits[2], "a", quota(2, 3600, None), 1);
    assert!(slab.decide(&[short, long, strict], 0).is_allowed());
    let waits = slab.decide(&[short, long, strict], 0);
    assert_eq!((waits.is_allowed(), waits.delay(), waits.binding()), (true, 3 * SECOND, Some(1)));
    let waits = slab.decide(&[long, short], 0);
    assert_eq!(
        (waits.delay(), waits.binding()),
        (6 * SECOND, Some(0)),
        "in whichever order they are asked"
    );
    let refused = slab.decide(&[short, long, strict], 0);
    assert_eq!((refused.is_allowed(), refused.delay(), refused.binding()), (false, 0, Some(2)));
    // A unit for which the half of its time has passed is waited for still.
    let waiting = |now| slab.look(&[long], now)[0].waiting;
    assert_eq!((waiting(0), waiting(SECOND), waiting(3 * SECOND)), (2, 2, 1));
}

proptest! {
    /// What is queued begins as the quota lets it, in order, within the time that it may wait; and who is refused could not
    /// have begun within it.
    #[test]
    fn what_waits_begins_in_order_and_at_the_pace_of_its_quota(
        (count, seconds, burst) in (1_u64..20, 1_u64..20, proptest::option::of(1_u64..20)),
        patience in 0..60 * SECOND,
        comes in vec((0..3 * SECOND, 1_u64..4), 1..200),
    ) {
        let slab = Slab::new(100, 1);
        let limit = slab.add().unwrap();
        let quota = quota(count, seconds, burst);
        let (mut now, mut begins): (u64, Vec<(u64, u64)>) = (0, Vec::new());
        for (pause, cost) in comes {
            now += pause;
            let ask = Ask { patience, ..ask(&slab, limit, "a", quota, cost) };
            let decision = slab.decide(&[ask], now);
            if decision.is_allowed() {
                prop_assert!(decision.delay() <= patience);
                begins.push((now + decision.delay(), cost));
            } else if cost <= quota.burst() {
                prop_assert!(decision.retry_after().unwrap() > 0);
            }
        }
        prop_assert!(begins.is_sorted_by_key(|(at, _)| *at));
        for (from, (first, _)) in begins.iter().enumerate() {
            let mut units = 0;
            for (at, cost) in &begins[from..] {
                units += cost;
                prop_assert!(units <= quota.burst() + (at - first).div_ceil(quota.interval()), "{begins:?}");
            }
        }
    }
}
