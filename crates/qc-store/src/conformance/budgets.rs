use std::time::Duration;

use super::Factory;
use crate::{Draw, Drawn, Store};

const LEASE: Duration = Duration::from_secs(600);
/// So slow that nothing comes back while the check runs.
const INTERVAL: u64 = 3_000 * 1_000_000_000;

fn ask(key: u8, seq: u64, want: u64) -> Draw {
    let (interval, burst, least) = (INTERVAL, 10, want.min(1));
    Draw { key: [key; 16], interval, burst, seq, held: 0, back: 0, least, want }
}

async fn one(store: &dyn Store, holder: u64, draw: Draw) -> Drawn {
    store.draw(holder, &[draw], LEASE).await.expect("answered")[0]
}

/// A budget gives what there is, to whoever asks, once; and what comes back is there again.
pub async fn a_budget_is_given_once(factory: &Factory) {
    let subject = factory();
    let store = subject.store.as_ref();
    let both = store.draw(1, &[ask(2, 1, 4), ask(1, 1, 7)], LEASE).await.expect("answered");
    assert_eq!(both.iter().map(|drawn| drawn.granted).collect::<Vec<_>>(), [4, 7]);
    let beside = subject.beside.as_ref().map(|beside| beside());
    let other = beside.as_deref().unwrap_or(store);
    let drawn = one(other, 2, ask(1, 1, 9)).await;
    assert_eq!(drawn.granted, 3);
    let used = drawn.ahead.div_ceil(INTERVAL);
    assert_eq!(used, 10, "all of it is used");
    assert_eq!(one(other, 2, Draw { least: 7, ..ask(2, 1, 9) }).await.granted, 0);
    assert_eq!(one(other, 2, ask(2, 2, 9)).await.granted, 6);
    // It kept two of its seven, gives three back, and used the others.
    assert_eq!(one(store, 1, Draw { held: 2, back: 3, ..ask(1, 2, 0) }).await.granted, 0);
    assert_eq!(one(other, 2, ask(1, 2, 9)).await.granted, 3);
    // What comes late changes nothing.
    assert_eq!(one(store, 1, Draw { back: 2, ..ask(1, 2, 9) }).await.granted, 0);
    assert_eq!(one(other, 2, ask(1, 3, 9)).await.granted, 0);
    assert!(store.draw(1, &[], LEASE).await.expect("answered").is_empty());
    let refused = store.draw(1, &[Draw { interval: 0, ..ask(3, 1, 1) }], LEASE).await;
    assert!(refused.is_err(), "{refused:?}");
}

/// Many who draw at the same time, in any order of keys, get no more than there is, and all of it.
pub async fn a_race_for_a_budget_gives_no_more_than_there_is(factory: &Factory) {
    const DRAWERS: u64 = 8;
    let subject = factory();
    let mut stores = vec![subject.store.clone()];
    if let Some(beside) = &subject.beside {
        stores.extend([beside(), beside()]);
    }
    let draws = (0..DRAWERS).map(|drawer| {
        let at = usize::try_from(drawer).expect("few") % stores.len();
        let store = stores[at].clone();
        tokio::spawn(async move {
            let mut got = [0, 0];
            for seq in 1..=3 {
                // Half of them name the keys the other way round.
                let first = u8::from(drawer % 2 == 0);
                let asks = [ask(first, seq, 1), ask(1 - first, seq, 1)];
                let drawn = store.draw(drawer, &asks, LEASE).await.expect("answered");
                got[usize::from(first)] += drawn[0].granted;
                got[usize::from(1 - first)] += drawn[1].granted;
            }
            got
        })
    });
    let mut sums = [0, 0];
    for drawer in draws.collect::<Vec<_>>() {
        let got = drawer.await.expect("it draws");
        sums = [sums[0] + got[0], sums[1] + got[1]];
    }
    assert_eq!(sums, [10, 10]);
}

/// A slice ends with its lease, by the store's clock: what of it was given back after that is not believed.
pub async fn a_slice_ends_with_its_lease(factory: &Factory) {
    let store = factory().store;
    let drawn = store.draw(1, &[ask(1, 1, 10)], Duration::ZERO).await.expect("answered");
    assert_eq!(drawn[0].granted, 10);
    let late = store.draw(1, &[Draw { back: 10, ..ask(1, 2, 10) }], LEASE).await;
    assert_eq!(late.expect("answered")[0].granted, 0);
}
