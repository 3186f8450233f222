use super::{
    Factory,
    fixtures::{Fixture, accept, accept_many, commit, lease_all, write},
};
use crate::{
    DeadFilter, DeadState, Erased, LedgerFilter, LedgerKind, Op, Pruned, Retention, RunFilter,
    RunStatus, SignalFilter, Store, Txn, Write,
};

async fn prune(store: &dyn Store, now: i64, since: i64, limit: usize) -> usize {
    let retention = Retention::at(Fixture::at(now), Fixture::at(since));
    store.prune(&retention, limit).await.expect("pruned").total()
}

/// However old: open runs, and runs with an open dead letter, stay.
pub async fn prune_keeps_what_is_open(factory: &Factory) {
    let store = factory().store;
    let store = store.as_ref();
    let lease = lease_all(store, "a").await;
    accept_many(store, 1..5).await;
    commit(store, &lease, Fixture::into_state(2, 1, Fixture::waiting(1))).await;
    let faulted = Txn {
        ops: vec![Op::Dead(Fixture::letter(3, "one"))],
        ..Fixture::into_state(3, 1, Fixture::ended(RunStatus::Faulted, 1))
    };
    commit(store, &lease, faulted).await;
    let parked = crate::RunState { status: RunStatus::Parked, ..Fixture::at_work() };
    commit(store, &lease, Fixture::into_state(4, 1, parked)).await;
    let far = Fixture::at(1_000_000_000);
    let gone = store.prune(&Retention::at(far, far), 100).await.expect("pruned");
    assert_eq!(gone, Pruned { ledger: 4, ..Pruned::default() }, "the ledger's rows, nothing else");
    for n in 1..5 {
        assert!(store.run(Fixture::run(n)).await.expect("read").is_some());
        assert!(store.event(Fixture::run(n)).await.expect("read").is_some());
        assert_eq!(store.journal(Fixture::run(n)).await.expect("read").len(), 1);
    }
    assert_eq!(store.dead_letters(&DeadFilter::default()).await.expect("read").len(), 1);
}

/// Keys, ended runs with all that belongs to them, and ledger rows go when their time is past.
pub async fn prune_removes_what_is_past_its_time(factory: &Factory) {
    let store = factory().store;
    let store = store.as_ref();
    let lease = lease_all(store, "a").await;
    for n in 1..=6u128 {
        let mut keyed = Fixture::keyed(n, &format!("k{n}"), 1);
        if let Some(key) = &mut keyed.key {
            key.expires_at = Fixture::at(i64::try_from(n * 10).unwrap_or_default());
        }
        accept(store, keyed).await;
        let ended = Fixture::ended(RunStatus::Completed, i64::try_from(n).unwrap_or_default());
        let ops = vec![Op::Dead(Fixture::letter(n, "one")), Op::SettleDead(DeadState::Discarded)];
        commit(store, &lease, Txn { ops, ..Fixture::into_state(n, 1, ended) }).await;
    }
    let owned = |n: u128| async move {
        store.key_owner("acme/production/case-opened", &format!("k{n}")).await.expect("read")
    };
    // Keys until 30 go (1, 2, 3); runs that ended before 3 go (1, 2); the ledger is of moment 0.
    assert_eq!(prune(store, 30, 0, 100).await, 3);
    assert_eq!((owned(3).await, owned(4).await), (None, Some(Fixture::run(4))));
    let newest = store.ledger(&LedgerFilter::default()).await.expect("read");
    assert_eq!(newest.len(), 6);
    assert_eq!(prune(store, 0, 3, 1).await, 2);
    assert_eq!(store.run(Fixture::run(1)).await.expect("read"), None);
    assert!(store.run(Fixture::run(2)).await.expect("read").is_some(), "only one was to go");
    assert_eq!(prune(store, 0, 3, 100).await, 6);
    for n in [1, 2] {
        assert_eq!(store.event(Fixture::run(n)).await.expect("read"), None);
        assert_eq!(store.journal(Fixture::run(n)).await.expect("read"), []);
    }
    assert_eq!(store.dead_letters(&DeadFilter::default()).await.expect("read").len(), 4);
    assert_eq!(store.runs(&RunFilter::default()).await.expect("read").len(), 4);
    assert_eq!(store.ledger(&LedgerFilter::default()).await.expect("read"), []);
    // Places in the ledger are never given twice, so that readers who page miss nothing.
    accept_many(store, 20..21).await;
    let rows = store.ledger(&LedgerFilter::default()).await.expect("read");
    assert!(rows[0].seq > newest[5].seq);
}

/// Each kind has its own time; signals go when they have expired, and a place is never given twice.
pub async fn prune_has_a_time_for_each_kind(factory: &Factory) {
    let store = factory().store;
    let store = store.as_ref();
    let lease = lease_all(store, "a").await;
    let mut first = Fixture::keyed(1, "k", 1);
    first.signals = (0..4).map(|n| expiring(n, 10 * (n + 1))).collect();
    accept(store, first).await;
    commit(store, &lease, Fixture::into_state(1, 1, Fixture::ended(RunStatus::Completed, 50)))
        .await;
    let never = Fixture::at(-1_000_000);
    let nothing = Retention::at(never, never);
    let hour = Fixture::at(3_600_000);
    let of = |retention: Retention| async move { store.prune(&retention, 100).await };
    assert_eq!(of(nothing).await, Ok(Pruned::default()));
    let signals = |seconds| Retention { signals_now: Fixture::at(seconds), ..nothing };
    assert_eq!(of(signals(9)).await, Ok(Pruned::default()), "kept until its moment");
    assert_eq!(of(signals(20)).await, Ok(Pruned { signals: 2, ..Pruned::default() }));
    let left = store.signals(&SignalFilter::default()).await.expect("read");
    let ids: Vec<_> = left.iter().map(|entry| entry.signal.id.as_str()).collect();
    assert_eq!(ids, ["signal 2", "signal 3"]);
    let keys = Retention { keys_now: hour, ..nothing };
    assert_eq!(of(keys).await, Ok(Pruned { keys: 1, ..Pruned::default() }));
    let ledger = Retention { ledger_since: hour, ..nothing };
    assert_eq!(of(ledger).await, Ok(Pruned { ledger: 1, ..Pruned::default() }));
    let runs = |millis| Retention { completed_since: Fixture::at(millis), ..nothing };
    assert_eq!(of(runs(50)).await, Ok(Pruned::default()));
    assert_eq!(of(runs(51)).await, Ok(Pruned { runs: 1, ..Pruned::default() }));
    assert_eq!(of(signals(40)).await, Ok(Pruned { signals: 2, ..Pruned::default() }));
    // What has gone may come again, behind everything that was ever read.
    let mut again = Fixture::accept(2);
    again.signals = vec![expiring(0, 100)];
    accept(store, again).await;
    let now = store.signals(&SignalFilter::default()).await.expect("read");
    assert_eq!(now.len(), 1);
    assert!(now[0].seq > left[1].seq);
}

fn expiring(n: i64, millis: i64) -> crate::Signal {
    crate::Signal { expires_at: Fixture::at(millis), ..Fixture::signal(n, "case.opened") }
}

/// What belongs to a run goes with it: keys, its place in a line.
pub async fn prune_takes_all_that_belongs_to_a_run(factory: &Factory) {
    let store = factory().store;
    let store = store.as_ref();
    let lease = lease_all(store, "a").await;
    for n in [1, 2] {
        let keys = vec![Fixture::run_key("order", "4711")];
        accept(store, crate::Accept { keys, ..Fixture::in_line(n, "k") }).await;
    }
    let ended = Fixture::ended(RunStatus::Completed, 1);
    commit(store, &lease, Fixture::into_state(1, 1, ended)).await;
    let turn = Fixture::turn("k");
    let first = || store.first_in_line(&turn.scope, &turn.key);
    assert_eq!(first().await, Ok(Some(Fixture::run(1))), "its end does not free its place");
    let never = Fixture::at(-1_000_000);
    let retention = Retention { completed_since: Fixture::at(2), ..Retention::at(never, never) };
    assert_eq!(store.prune(&retention, 10).await.expect("pruned").runs, 1);
    assert_eq!(first().await, Ok(Some(Fixture::run(2))));
    assert_eq!(store.turn_of(Fixture::run(1)).await, Ok(None));
    assert_eq!(store.keys_of(Fixture::run(1)).await, Ok(vec![]));
    let value = Some("4711".to_owned());
    let found = store.runs(&RunFilter { value, ..RunFilter::default() }).await.expect("read");
    assert_eq!(found.iter().map(|head| head.facts.id).collect::<Vec<_>>(), [Fixture::run(2)]);
    // The same run accepted anew begins anew.
    accept(store, Fixture::accept(1)).await;
    assert_eq!(store.keys_of(Fixture::run(1)).await, Ok(vec![]));
    assert_eq!(store.turn_of(Fixture::run(1)).await, Ok(None));
}

/// A prune of many runs with long journals leaves nothing of them, however it goes about it.
pub async fn prune_works_through_a_backlog(factory: &Factory) {
    let store = factory().store;
    let store = store.as_ref();
    let lease = lease_all(store, "a").await;
    super::fixtures::accept_many(store, 0..1200).await;
    let ops = || (0..4).map(|_| Op::Journal(Fixture::entry("step"))).collect();
    for from in (0..1200u128).step_by(400) {
        let end = |n| Txn {
            ops: ops(),
            ..Fixture::into_state(n, 1, Fixture::ended(RunStatus::Completed, 1))
        };
        let batch = (from..from + 400)
            .map(|n| crate::Write::Commit { lease: lease.clone(), txn: Box::new(end(n)) });
        super::fixtures::write(store, batch.collect()).await;
    }
    assert_eq!(prune(store, 0, 2, 1100).await, 2200, "1,100 runs and as many ledger rows");
    assert_eq!(store.runs(&RunFilter::default()).await.expect("read").len(), 100);
    assert_eq!(prune(store, 0, 2, 1100).await, 200);
    assert_eq!(store.runs(&RunFilter::default()).await.expect("read"), []);
    assert_eq!(store.journal(Fixture::run(7)).await.expect("read"), []);
    let tally = store.tally(None, None).await.expect("read");
    assert_eq!((tally.counted.pruned.completed, tally.gaps()), (1200, vec![]));
}

/// Completed, cancelled and failed runs, audit and other rows of the ledger: each has its own time.
pub async fn prune_tells_classes_apart(factory: &Factory) {
    let store = factory().store;
    let store = store.as_ref();
    let lease = lease_all(store, "a").await;
    accept_many(store, 1..6).await;
    let ends = [RunStatus::Completed, RunStatus::Cancelled, RunStatus::Faulted, RunStatus::Faulted];
    for (n, end) in (1u128..).zip(ends) {
        let ops = match end {
            RunStatus::Faulted => vec![Op::Dead(Fixture::letter(n, "one"))],
            _ => vec![],
        };
        let ended = Fixture::ended(end, 1);
        commit(store, &lease, Txn { ops, ..Fixture::into_state(n, 1, ended) }).await;
    }
    let settle = vec![Op::SettleDead(DeadState::Discarded)];
    let settled =
        Txn { ops: settle, ..Fixture::into_state(3, 2, Fixture::ended(RunStatus::Faulted, 1)) };
    commit(store, &lease, settled).await;
    // Rows of both kinds, in turns, over more than one span of places.
    for n in 0..30 {
        let kind = |n: u128| if n.is_multiple_of(3) { LedgerKind::Audit } else { LedgerKind::Call };
        let mut change = Fixture::change(vec![]);
        change.ledger = (n * 100..(n + 1) * 100).map(|n| Fixture::row(n, kind(n), "x")).collect();
        write(store, vec![Write::Change(Box::new(change))]).await;
    }
    let never = Fixture::at(-1_000_000);
    let nothing = Retention::at(never, never);
    let far = Fixture::at(1_000_000_000);
    let of = |retention: Retention, limit| async move {
        store.prune(&retention, limit).await.expect("pruned")
    };
    let completed = Retention { completed_since: far, ..nothing };
    assert_eq!(of(completed, 9).await, Pruned { runs: 2, ..Pruned::default() });
    let failed = Retention { failed_since: far, ..nothing };
    assert_eq!(of(failed, 9).await, Pruned { runs: 1, ..Pruned::default() });
    assert_eq!(of(Retention { failed_since: far, ..completed }, 9).await, Pruned::default());
    assert!(store.run(Fixture::run(4)).await.expect("read").is_some(), "its letter is open");
    let kinds = |kind| LedgerFilter { kinds: vec![kind], limit: 0, ..LedgerFilter::default() };
    let calls = Retention { ledger_since: far, ..nothing };
    assert_eq!(of(calls, 7).await.ledger, 7);
    let left = 2000 + 5 - 7;
    assert_eq!(of(calls, 10_000).await.ledger, left, "the accepts' five, and the calls");
    assert_eq!(of(calls, 10_000).await, Pruned::default(), "again, and it ends");
    assert_eq!(store.ledger(&kinds(LedgerKind::Audit)).await.expect("read").len(), 1000);
    assert_eq!(store.ledger(&kinds(LedgerKind::Call)).await.expect("read"), []);
    // What is left of the old spans is found by the audit's own time, and new rows stay.
    let mut change = Fixture::change(vec![]);
    change.ledger = vec![Fixture::row(1, LedgerKind::Call, "x")];
    write(store, vec![Write::Change(Box::new(change))]).await;
    let audit = Retention { audit_since: far, ..nothing };
    assert_eq!(of(audit, 999).await.ledger, 999);
    assert_eq!(of(audit, 999).await.ledger, 1);
    assert_eq!(store.ledger(&LedgerFilter::default()).await.expect("read").len(), 1);
}

/// What is to be erased goes whole and at any age, an open dead letter included; what is not at its end stays.
pub async fn erase_removes_what_is_named(factory: &Factory) {
    let store = factory().store;
    let store = store.as_ref();
    let lease = lease_all(store, "a").await;
    for n in 1..=3u128 {
        let mut keyed = Fixture::keyed(n, &format!("k{n}"), 1);
        let number = i64::try_from(n).unwrap_or_default();
        keyed.signals = vec![expiring(number, 1_000_000)];
        accept(store, keyed).await;
    }
    for n in [1, 2] {
        let ops = vec![Op::Dead(Fixture::letter(n, "one"))];
        let ended = Fixture::ended(RunStatus::Faulted, 1);
        commit(store, &lease, Txn { ops, ..Fixture::into_state(n, 1, ended) }).await;
    }
    let signals = store.signals(&SignalFilter::default()).await.expect("read");
    let named = [Fixture::run(1), Fixture::run(3), Fixture::run(77)];
    let erased = store.erase(&named, &[signals[1].seq, 1 << 40]).await.expect("erased");
    assert_eq!(erased, Erased { runs: 1, signals: 1, keys: 1 });
    assert_eq!(store.run(Fixture::run(1)).await.expect("read"), None);
    assert_eq!(store.event(Fixture::run(1)).await.expect("read"), None);
    assert_eq!(store.journal(Fixture::run(1)).await.expect("read"), []);
    let owner = |key: &'static str| async move {
        store.key_owner("acme/production/case-opened", key).await.expect("read")
    };
    assert_eq!((owner("k1").await, owner("k2").await), (None, Some(Fixture::run(2))));
    for n in [2, 3] {
        assert!(store.run(Fixture::run(n)).await.expect("read").is_some());
    }
    assert_eq!(store.dead_letters(&DeadFilter::default()).await.expect("read").len(), 1);
    assert_eq!(store.signals(&SignalFilter::default()).await.expect("read").len(), 2);
    let tally = store.tally(None, None).await.expect("told");
    assert_eq!(tally.gaps(), [], "what was erased is accounted for");
    store.scrub().await.expect("scrubbed");
    assert_eq!(store.tally(None, None).await.expect("told"), tally);
    assert!(store.run(Fixture::run(2)).await.expect("read").is_some(), "scrubbing keeps the rest");
    accept_many(store, 20..21).await;
}
