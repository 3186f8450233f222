//! Claims, and the tally of everything that was accepted.

use super::{
    Factory,
    fixtures::{Fixture, accept, accept_many, commit, lease_all, write},
};
use crate::{
    ByEnd, Counted, DeadState, Held, Lease, Op, Retention, RunStatus, Store, Txn, Write,
    WriteOutcome,
};

async fn claim(store: &dyn Store, lease: &Lease, runs: &[u128]) -> Vec<Option<u32>> {
    let runs = runs.iter().map(|n| Fixture::run(*n)).collect();
    match write(store, vec![Write::Claim { lease: lease.clone(), runs }]).await.remove(0) {
        WriteOutcome::Claim(counts) => counts,
        other => panic!("a claim answers {other:?}"),
    }
}

/// A claim counts up until the run commits; it is fenced like a commit and outlives the process.
pub async fn claims_count_until_the_run_commits(factory: &Factory) {
    let subject = factory();
    let mut store = subject.store;
    let lease = lease_all(store.as_ref(), "a").await;
    accept_many(store.as_ref(), 1..4).await;
    let first = claim(store.as_ref(), &lease, &[1, 2, 77, 1]).await;
    assert_eq!(first, [Some(1), Some(1), None, Some(2)]);
    let narrow = Lease { buckets: 2..3, ..lease.clone() };
    assert_eq!(claim(store.as_ref(), &narrow, &[1, 2]).await, [None, Some(2)]);
    let newer = lease_all(store.as_ref(), "a").await;
    assert_eq!(claim(store.as_ref(), &lease, &[1]).await, [None]);
    let mut lease = newer;
    if let Some(reopen) = &subject.reopen {
        store = reopen(store);
        lease = lease_all(store.as_ref(), "a").await;
    }
    let store = store.as_ref();
    let head = |n| async move { store.run(Fixture::run(n)).await.expect("read").expect("there") };
    assert_eq!((head(1).await.claims, head(3).await.claims), (2, 0));
    assert_eq!(head(1).await.version, 1, "a claim is no step");
    assert_eq!(claim(store, &lease, &[1]).await, [Some(3)]);
    // A step that fails leaves the count, one that is committed ends it.
    commit(store, &lease, Fixture::step(1, 5, vec![])).await;
    assert_eq!(head(1).await.claims, 3);
    commit(store, &lease, Fixture::step(1, 1, vec![])).await;
    commit(store, &lease, Fixture::into_state(2, 1, Fixture::waiting(9))).await;
    assert_eq!((head(1).await.claims, head(2).await.claims), (0, 0));
    assert_eq!(claim(store, &lease, &[1]).await, [Some(1)]);
}

/// Counts and rows agree through ends, reopenings, letters and pruning, and filter alike.
pub async fn the_tally_accounts_for_every_run(factory: &Factory) {
    let store = factory().store;
    let store = store.as_ref();
    let lease = lease_all(store, "a").await;
    for n in 1..=6u128 {
        let mut run = Fixture::accept(n);
        if n == 6 {
            run.run.environment = Fixture::name("sandbox");
            run.run.replay_of = Some(Fixture::run(1));
        }
        accept(store, run.clone()).await;
        accept(store, run).await;
    }
    let end = |n, version, status| Fixture::into_state(n, version, Fixture::ended(status, 1));
    let dead = |n, version| Txn {
        ops: vec![Op::Dead(Fixture::letter(n, "escalation"))],
        ..end(n, version, RunStatus::Faulted)
    };
    commit(store, &lease, end(1, 1, RunStatus::Completed)).await;
    commit(store, &lease, end(1, 1, RunStatus::Completed)).await;
    commit(store, &lease, dead(2, 1)).await;
    commit(store, &lease, dead(3, 1)).await;
    // Settled and opened again, it ends once more.
    let retried = vec![Op::SettleDead(DeadState::Retried)];
    commit(store, &lease, Fixture::step(3, 2, retried)).await;
    commit(store, &lease, dead(3, 3)).await;
    commit(store, &lease, Fixture::into_state(4, 1, Fixture::waiting(9))).await;
    commit(store, &lease, end(6, 1, RunStatus::Cancelled)).await;
    let tally = store.tally(None, None).await.expect("read");
    let counted = Counted {
        accepted: 6,
        replays: 1,
        ended: ByEnd { completed: 1, faulted: 3, cancelled: 1 },
        reopened: ByEnd { faulted: 1, ..ByEnd::default() },
        pruned: ByEnd::default(),
        dead_made: 3,
        dead_settled: 1,
    };
    let held = Held {
        running: 1,
        waiting: 1,
        parked: 0,
        ended: ByEnd { completed: 1, faulted: 2, cancelled: 1 },
        dead_open: 2,
    };
    assert_eq!((tally.counted, tally.held), (counted, held));
    assert_eq!((tally.gaps(), tally.held.runs()), (vec![], 6));
    let retention = Retention::at(Fixture::at(0), Fixture::at(100));
    assert_eq!(store.prune(&retention, 100).await.expect("pruned").runs, 2);
    let after = store.tally(None, None).await.expect("read");
    let pruned = ByEnd { completed: 1, cancelled: 1, faulted: 0 };
    assert_eq!(after.counted, Counted { pruned, ..counted });
    assert_eq!((after.gaps(), after.held.runs()), (vec![], 4));
    let sandbox = Fixture::name("sandbox");
    let some = store.tally(Some(&sandbox), Some(&Fixture::name("escalation"))).await.expect("read");
    assert_eq!((some.counted.accepted, some.counted.replays, some.held.runs()), (1, 1, 0));
    let production = store.tally(Some(&Fixture::name("production")), None).await.expect("read");
    assert_eq!((production.counted.accepted, production.held.runs()), (5, 4));
    let nothing = store.tally(None, Some(&Fixture::name("none"))).await.expect("read");
    assert_eq!(nothing, crate::Tally::default());
    let name = Fixture::name;
    let all =
        [("production", "escalation"), ("sandbox", "escalation")].map(|(e, i)| (name(e), name(i)));
    assert_eq!(store.tally_places(None).await.expect("read"), all);
    assert_eq!(store.tally_places(Some(&all[0])).await.expect("read"), all[1..]);
    assert_eq!(store.tally_places(Some(&all[1])).await.expect("read"), []);
}
