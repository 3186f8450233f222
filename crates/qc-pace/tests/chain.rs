//! Five systems in a chain, each calling the next and trying again, and the last one fails.
#![allow(missing_docs, reason = "a test")]

use qc_model::Timestamp;
use qc_pace::{Breaker, Budget, Way, breaker::Health};

const HOPS: usize = 5;
/// Each hop would try so often.
const ATTEMPTS: u32 = 4;

#[derive(Default)]
struct Hop {
    breaker: Breaker,
    budget: Budget,
    received: u32,
    sent: u32,
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_795_000_000_000 + millis)
}

/// A request comes to the first of these hops. Nothing takes time, so that nothing but breakers and budgets holds
/// anything back.
fn request(hops: &mut [Hop], alive: bool, now: Timestamp, guarded: bool) -> bool {
    let Some((hop, further)) = hops.split_first_mut() else { return alive };
    hop.received += 1;
    for attempt in 1..=ATTEMPTS {
        let again = attempt > 1;
        if guarded && hop.breaker.admit(now) != Way::Free {
            return false;
        }
        if guarded && again && hop.budget.admit(now).is_some() {
            return false;
        }
        hop.breaker.depart(now);
        if again {
            hop.budget.again(now);
        } else {
            hop.budget.first();
        }
        hop.sent += 1;
        let good = request(further, alive, now, guarded);
        let health = if good { Health::Good } else { Health::Bad };
        hop.breaker.answered(now, health, now);
        if good {
            if again {
                hop.budget.worked();
            }
            return true;
        }
    }
    false
}

fn chain() -> Vec<Hop> {
    (0..HOPS).map(|_| Hop::default()).collect()
}

#[test]
fn without_them_a_chain_multiplies() {
    let mut hops = chain();
    request(&mut hops, false, at(0), false);
    assert_eq!(hops[HOPS - 1].sent, ATTEMPTS.pow(5));
}

#[test]
fn a_chain_sends_a_tenth_more_than_it_gets_at_most_and_is_back_within_seconds() {
    let mut hops = chain();
    let (mut now, outage) = (0, 60_000);
    while now < outage {
        request(&mut hops, false, at(now), true);
        now += 10;
    }
    for (place, hop) in hops.iter().enumerate() {
        let (sent, received) = (f64::from(hop.sent), f64::from(hop.received));
        println!("hop {place}: {sent} sent for {received}");
        assert!(sent <= received.max(100.0) * 1.1, "hop {place}: {sent} for {received}");
    }
    let all = f64::from(hops[HOPS - 1].sent) / f64::from(hops[0].received);
    assert!(all <= 1.1, "{all}");
    // It heals: within five seconds all but one of a hundred come through.
    let mut good = 0;
    while now < outage + 10_000 {
        let through = request(&mut hops, true, at(now), true);
        good += u32::from(through && now >= outage + 5_000);
        now += 10;
    }
    println!("{good} of 500 after five seconds");
    assert!(good >= 495, "{good} of 500");
}
