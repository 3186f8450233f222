use super::{
    Factory,
    fixtures::{Fixture, accept, accept_many, change, commit, lease_all},
};
use crate::{
    AcceptOutcome, DeadFilter, Expect, LedgerFilter, Op, RunFilter, SignalFilter, Store, Txn,
    TxnOutcome, WaitFilter,
};

/// Everything that was answered is there after the store was closed and opened again.
pub async fn reopening_keeps_everything(factory: &Factory) {
    let subject = factory();
    let Some(reopen) = subject.reopen else { return };
    let store = subject.store;
    let lease = lease_all(store.as_ref(), "a").await;
    accept_many(store.as_ref(), 1..40).await;
    accept(store.as_ref(), Fixture::keyed(50, "k", 1)).await;
    let ops = vec![Op::Journal(Fixture::entry("two")), Op::Dead(Fixture::letter(3, "one"))];
    commit(store.as_ref(), &lease, Txn { ops, ..Fixture::into_state(3, 1, Fixture::waiting(5)) })
        .await;
    change(store.as_ref(), vec![Fixture::put("token", "t", Expect::Absent, "body")]).await;
    let mut busy = Fixture::in_line(70, "k");
    busy.waits = vec![Fixture::wait("w", "x", "s", "1")];
    busy.signals = vec![Fixture::signal(1, "x")];
    busy.keys = vec![Fixture::run_key("order", "4711")];
    accept(store.as_ref(), busy).await;
    let before = everything(store.as_ref()).await;

    let store = reopen(store);
    assert_eq!(everything(store.as_ref()).await, before);
    let repeat = AcceptOutcome::Duplicate { run: Fixture::run(50), same_body: true };
    assert_eq!(accept(store.as_ref(), Fixture::keyed(51, "k", 1)).await, repeat);
    // The same node: where leases outlive the process, nobody else gets them yet.
    let lease = lease_all(store.as_ref(), "a").await;
    let next = commit(store.as_ref(), &lease, Fixture::step(3, 2, vec![])).await;
    assert_eq!(next, TxnOutcome::Committed { version: 3 });
    accept_many(store.as_ref(), 60..61).await;
    let ledger = store.ledger(&LedgerFilter::default()).await.expect("read");
    assert_eq!(ledger.len(), 42, "new rows come after the old ones");
    assert_eq!(ledger[41].row.run, Some(Fixture::run(60)));
    let mut next = Fixture::in_line(61, "k");
    next.signals = vec![Fixture::signal(2, "x")];
    accept(store.as_ref(), next).await;
    let place = store.turn_of(Fixture::run(61)).await.expect("read").expect("in line");
    assert_eq!(place.ahead, 1, "new runs stand behind the old ones");
    let signals = store.signals(&SignalFilter::default()).await.expect("read");
    let ids: Vec<_> = signals.iter().map(|entry| entry.signal.id.as_str()).collect();
    assert_eq!(ids, ["signal 1", "signal 2"]);
}

/// All that can be read of a small store, as one text.
pub(super) async fn everything(store: &dyn Store) -> String {
    let mut all = Vec::new();
    let heads = store.runs(&RunFilter::default()).await.expect("read");
    for head in &heads {
        let id = head.facts.id;
        let event = store.event(id).await.expect("read");
        let journal = store.journal(id).await.expect("read");
        all.push(format!("{head:?} {event:?} {journal:?}"));
        let keys = store.keys_of(id).await.expect("read");
        let waits = store.waits_of(id).await.expect("read");
        let turn = store.turn_of(id).await.expect("read");
        all.push(format!("{keys:?} {waits:?} {turn:?}"));
    }
    let in_turn = store.runs_in_turn(0..1024, 1000).await.expect("read");
    all.push(format!("turn {:?}", in_turn.iter().map(|head| head.facts.id).collect::<Vec<_>>()));
    let waits = store.waits(&WaitFilter::default()).await.expect("read");
    all.push(format!("waits {waits:?}"));
    for kind in ["x", "y", ""] {
        let sites = store.wait_sites("acme/production", kind, None).await.expect("read");
        let of_kind = WaitFilter { kind: Some(kind.to_owned()), ..WaitFilter::default() };
        let waits = store.waits(&of_kind).await.expect("read");
        all.push(format!("kind {kind:?} {sites:?} {waits:?}"));
    }
    let signals = store.signals(&SignalFilter::default()).await.expect("read");
    all.push(format!("signals {:?}", signals.iter().map(|e| &e.signal).collect::<Vec<_>>()));
    let groups = store.dead_groups(&DeadFilter::default()).await.expect("read");
    all.push(format!("groups {groups:?}"));
    let tally = store.tally(None, None).await.expect("read");
    assert_eq!(tally.gaps(), [], "every run is accounted for: {tally:?}");
    all.push(format!("{tally:?}"));
    let open = store.open_runs(0..1024, None, 1000).await.expect("read");
    all.push(format!("open {:?}", open.iter().map(|head| head.facts.id).collect::<Vec<_>>()));
    let due = store.due_runs(0..1024, Fixture::at(1 << 40), 1000).await.expect("read");
    all.push(format!("due {:?}", due.iter().map(|head| head.facts.id).collect::<Vec<_>>()));
    let dead = store.dead_letters(&DeadFilter::default()).await.expect("read");
    all.push(format!("dead {dead:?}"));
    let ledger = store.ledger(&LedgerFilter::default()).await.expect("read");
    all.push(format!("ledger {:?}", ledger.iter().map(|entry| &entry.row).collect::<Vec<_>>()));
    for kind in ["token", "release"] {
        let documents = store.documents(kind, None, 1000).await.expect("read");
        all.push(format!("{kind} {documents:?}"));
    }
    all.join("\n")
}
