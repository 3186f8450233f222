use std::time::Duration;

use super::*;
use crate::Slab;

const SECOND: u64 = 1_000_000_000;
const A: PurseKey = [1; 16];
const B: PurseKey = [2; 16];

fn ask(count: u64, per: u64, cost: u64) -> Ask {
    let slab = Slab::new(1, 1);
    let key = slab.key(slab.add().unwrap(), "somebody");
    Ask {
        key,
        quota: Quota::new(count, Duration::from_secs(per), None).unwrap(),
        cost,
        patience: 0,
    }
}

fn waits(taken: Taken) -> bool {
    matches!(taken, Taken::Wait)
}

fn allowed(taken: Taken) -> bool {
    matches!(taken, Taken::Decided(decision) if decision.is_allowed())
}

fn refused(taken: Taken) -> Option<Decision> {
    match taken {
        Taken::Decided(decision) if !decision.is_allowed() => Some(decision),
        _ => None,
    }
}

#[test]
fn a_slow_budget_is_drawn_from_for_each_request_and_nothing_is_left() {
    let mut purses = Purses::default();
    let slow = ask(100, 86_400, 1);
    for round in 0..5 {
        let now = round * 1000;
        assert!(waits(purses.take(&[A], &[slow], now)));
        let orders = purses.collect(10, now);
        assert_eq!((orders.len(), orders[0].want, orders[0].least), (1, 1, 1), "{orders:?}");
        assert!(purses.collect(10, now).is_empty(), "one order at a time");
        purses.deliver(&orders[0], Some((1, 0)), now, now);
        assert!(allowed(purses.take(&[A], &[slow], now)));
    }
}

#[test]
fn a_fast_one_is_drawn_ahead_and_never_by_more_than_its_part() {
    let mut purses = Purses::default();
    let fast = ask(1000, 1, 1);
    let mut most = 0;
    let mut drawn = 0;
    for now in (0..4 * SECOND).step_by(1_000_000) {
        if waits(purses.take(&[A], &[fast], now)) {
            drawn += 1;
        }
        for order in purses.collect(10, now) {
            most = most.max(order.want);
            purses.deliver(&order, Some((order.want, 0)), now, now);
        }
    }
    assert!((32..=125).contains(&most), "{most}");
    assert!(drawn < 20, "it waited {drawn} times of 4000");
}

#[test]
fn what_one_refuses_is_not_taken_of_the_other_and_goes_back() {
    let mut purses = Purses::default();
    let asks = [ask(100, 86_400, 1), ask(50, 86_400, 1)];
    assert!(waits(purses.take(&[A, B], &asks, 0)));
    for order in purses.collect(10, 0) {
        let answer = if order.key == A { (1, 0) } else { (0, asks[1].quota.tolerance()) };
        purses.deliver(&order, Some(answer), 0, 0);
    }
    let decision = refused(purses.take(&[A, B], &asks, 0)).unwrap();
    assert_eq!(decision.violated().collect::<Vec<_>>(), [1]);
    assert_eq!(decision.retry_after(), Some(asks[1].quota.interval()));
    let orders = purses.collect(10, 0);
    assert_eq!(orders.len(), 1);
    assert_eq!((orders[0].key, orders[0].back, orders[0].held, orders[0].want), (A, 1, 0, 0));
}

#[test]
fn what_was_refused_is_asked_again_when_the_view_is_old() {
    let mut purses = Purses::default();
    let slow = ask(100, 86_400, 1);
    assert!(waits(purses.take(&[A], &[slow], 0)));
    let order = purses.collect(10, 0)[0];
    purses.deliver(&order, Some((0, slow.quota.tolerance())), 0, 0);
    assert!(refused(purses.take(&[A], &[slow], VIEW - 1)).is_some());
    assert!(waits(purses.take(&[A], &[slow], VIEW)));
}

#[test]
fn who_is_always_outrun_is_refused_by_the_limit_that_others_took_and_asks_for_nothing_more() {
    let mut purses = Purses::default();
    let asks = [ask(100, 86_400, 1), ask(10, 1, 1)];
    assert!(waits(purses.take(&[A, B], &asks, 0)));
    for order in purses.collect(10, 0) {
        purses.deliver(&order, Some((1, 0)), 0, 0);
    }
    // Somebody else is quicker, and the budget has room again.
    assert!(allowed(purses.take(&[B], &asks[1..], 0)));
    let decision = purses.outrun(&[A, B], &asks, 0).unwrap();
    assert_eq!(decision.violated().collect::<Vec<_>>(), [1]);
    assert_eq!(decision.retry_after(), Some(SECOND / 10), "its one unit is back then");
    assert_eq!(purses.all[&B].demand, 0);

    // What was drawn of the other went back with it: both are drawn again.
    for _ in 0..2 {
        assert!(waits(purses.take(&[A, B], &asks, 0)));
        for order in purses.collect(10, 0) {
            purses.deliver(&order, Some((order.want, 0)), 0, 0);
        }
    }
    assert!(purses.outrun(&[A, B], &asks, 0).is_none(), "there is enough now");
    assert!(allowed(purses.take(&[A, B], &asks, 0)));
}

#[test]
fn a_slice_ends_a_lease_after_it_was_asked_for() {
    let mut purses = Purses::default();
    let fast = ask(1000, 1, 1);
    for late in [1, 0] {
        assert!(waits(purses.take(&[A], &[fast], 0)));
        let order = purses.collect(10, 0)[0];
        // The answer took a while; the lease counts from before.
        purses.deliver(&order, Some((5, 0)), 0, SECOND / 2);
        let taken = purses.take(&[A], &[fast], LEASE - late);
        assert_eq!(allowed(taken), late == 1);
        purses = Purses::default();
    }
}

#[test]
fn an_answer_that_comes_after_its_lease_gives_nothing() {
    let mut purses = Purses::default();
    let fast = ask(1000, 1, 1);
    assert!(waits(purses.take(&[A], &[fast], 0)));
    let order = purses.collect(10, 0)[0];
    purses.deliver(&order, Some((5, 0)), 0, LEASE);
    assert!(waits(purses.take(&[A], &[fast], LEASE)));
}

#[test]
fn who_cannot_ask_lets_nobody_in_beyond_what_is_drawn() {
    let mut purses = Purses::default();
    let fast = ask(1000, 1, 1);
    assert!(waits(purses.take(&[A], &[fast], 0)));
    let order = purses.collect(10, 0)[0];
    purses.deliver(&order, Some((2, 0)), 0, 0);
    assert!(allowed(purses.take(&[A], &[fast], 0)));
    assert!(allowed(purses.take(&[A], &[fast], 1)));
    let order = purses.collect(10, 1)[0];
    purses.deliver(&order, None, 1, 1);
    assert!(matches!(purses.take(&[A], &[fast], 2), Taken::Away));
    assert!(waits(purses.take(&[A], &[fast], VIEW + 1)), "it tries again");
}

#[test]
fn what_lies_unused_goes_back_and_then_all_is_quiet() {
    let mut purses = Purses::default();
    let fast = ask(1000, 1, 1);
    assert!(waits(purses.take(&[A], &[fast], 0)));
    let order = purses.collect(10, 0)[0];
    purses.deliver(&order, Some((9, 0)), 0, 0);
    assert!(allowed(purses.take(&[A], &[fast], 0)));
    purses.collect(10, 0).iter().for_each(|order| purses.deliver(order, Some((0, 0)), 0, 0));
    purses.tend(REST - 1);
    assert!(purses.collect(10, REST - 1).is_empty() && !purses.is_quiet());
    purses.tend(REST);
    let orders = purses.collect(10, REST);
    assert_eq!(orders.len(), 1);
    assert!(orders[0].back > 0 && orders[0].held == 0 && orders[0].want == 0, "{orders:?}");
    purses.deliver(&orders[0], Some((0, 0)), REST, REST);
    assert!(purses.is_quiet());
    purses.tend(REST + LEASE);
    assert!(purses.all.is_empty());
}

#[test]
fn a_repeat_gets_its_unit_back_and_nobody_gets_more_than_was_drawn() {
    let mut purses = Purses::default();
    let slow = ask(100, 86_400, 1);
    assert!(waits(purses.take(&[A], &[slow], 0)));
    let order = purses.collect(10, 0)[0];
    purses.deliver(&order, Some((1, slow.quota.interval())), 0, 0);
    assert!(allowed(purses.take(&[A], &[slow], 0)));
    assert_eq!(purses.look(&A, slow.quota, 0).remaining, 99);
    for _ in 0..3 {
        purses.give_back(&[A], &[slow], 0);
    }
    assert_eq!(purses.look(&A, slow.quota, 0).remaining, 100);
    let order = purses.collect(10, 0)[0];
    assert_eq!((order.back, order.held), (1, 0));
}

#[test]
fn a_small_budgets_use_is_told_at_once() {
    let mut purses = Purses::default();
    let small = ask(2, 1, 1);
    assert!(waits(purses.take(&[A], &[small], 0)));
    let order = purses.collect(10, 0)[0];
    purses.deliver(&order, Some((1, 0)), 0, 0);
    assert!(allowed(purses.take(&[A], &[small], 0)));
    let orders = purses.collect(10, 0);
    assert_eq!((orders.len(), orders[0].held, orders[0].want), (1, 0, 0));
}

#[test]
fn what_no_budget_ever_has_is_refused_without_asking() {
    let mut purses = Purses::default();
    let dear = ask(10, 1, 11);
    let decision = refused(purses.take(&[A], &[dear], 0)).unwrap();
    assert_eq!(decision.retry_after(), None);
    assert!(purses.collect(10, 0).is_empty());
}
