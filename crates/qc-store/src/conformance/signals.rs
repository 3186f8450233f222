use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use super::{
    Factory,
    fixtures::{Fixture, accept, commit, lease_all, write},
};
use crate::{Accept, AcceptOutcome, Change, Op, Signal, SignalEntry, SignalFilter, Store, Write};

async fn read(store: &dyn Store, filter: SignalFilter) -> Vec<SignalEntry> {
    let page = store.signals(&filter).await.expect("read");
    assert!(page.windows(2).all(|pair| pair[0].seq < pair[1].seq), "in the order of their places");
    page
}

async fn ids(store: &dyn Store, filter: SignalFilter) -> Vec<String> {
    read(store, filter).await.into_iter().map(|entry| entry.signal.id).collect()
}

fn change(signals: Vec<Signal>) -> Write {
    Write::Change(Box::new(Change { signals, ..Fixture::change(vec![]) }))
}

/// Signals come with an accept, a step and a change; what was not written brings none.
pub async fn signals_come_with_every_kind_of_write(factory: &Factory) {
    let store = factory().store;
    let store = store.as_ref();
    let lease = lease_all(store, "a").await;
    let with = |n, signal| Accept {
        signals: vec![Fixture::signal(signal, "case.opened")],
        ..Fixture::keyed(n, "k", 1)
    };
    accept(store, with(1, 1)).await;
    let repeat = AcceptOutcome::Duplicate { run: Fixture::run(1), same_body: true };
    assert_eq!(accept(store, with(2, 2)).await, repeat);
    let op = |n| vec![Op::Signal(Fixture::signal(n, "case.closed"))];
    commit(store, &lease, Fixture::step(1, 1, op(3))).await;
    commit(store, &lease, Fixture::step(1, 1, op(4))).await;
    write(store, vec![change(vec![Fixture::signal(5, "case.closed")])]).await;
    let all = read(store, SignalFilter::default()).await;
    let signals: Vec<_> = all.iter().map(|entry| entry.signal.clone()).collect();
    let expected = [(1, "case.opened"), (3, "case.closed"), (5, "case.closed")];
    assert_eq!(signals, expected.map(|(n, kind)| Fixture::signal(n, kind)));
    let one = store.signal("acme/production", "signal 3").await.expect("read");
    assert_eq!(one.as_ref(), Some(&all[1]));
    assert_eq!(store.signal("acme/production", "signal 4").await, Ok(None));
    assert_eq!(store.signal("acme/sandbox", "signal 3").await, Ok(None));
}

/// The first with an id counts, within a write and across writes; other scopes are other ids.
pub async fn a_repeated_signal_is_ignored(factory: &Factory) {
    let store = factory().store;
    let store = store.as_ref();
    let first = Fixture::signal(1, "case.opened");
    let repeat = Signal {
        kind: "case.closed".to_owned(),
        body: bytes::Bytes::from_static(b"other"),
        ..first.clone()
    };
    let elsewhere = Signal { scope: "acme/sandbox".to_owned(), ..first.clone() };
    write(store, vec![change(vec![first.clone(), repeat.clone()])]).await;
    let mut later = Fixture::accept(1);
    later.signals = vec![repeat, elsewhere.clone()];
    assert_eq!(accept(store, later).await, AcceptOutcome::Accepted, "a repeat is no failure");
    let all = read(store, SignalFilter::default()).await;
    assert_eq!(all.into_iter().map(|e| e.signal).collect::<Vec<_>>(), [first, elsewhere]);
}

/// Every filter alone and together; pages follow the places.
pub async fn signals_are_filtered_and_paged(factory: &Factory) {
    let store = factory().store;
    let store = store.as_ref();
    let mut signals = Vec::new();
    for n in 0..6 {
        let mut signal = Fixture::signal(n, if n % 2 == 0 { "even" } else { "odd" });
        if n >= 4 {
            "acme/sandbox".clone_into(&mut signal.scope);
        }
        // Clocks jump: places are not in the order of times.
        signal.at = Fixture::at(if n == 1 { 100 } else { n });
        signals.push(signal);
    }
    write(store, vec![change(signals)]).await;
    let any = SignalFilter::default;
    let some = |filter| async move {
        let ids = ids(store, filter).await;
        ids.iter().map(|id| id.replace("signal ", "")).collect::<String>()
    };
    let scope = Some("acme/production".to_owned());
    let kind = Some("odd".to_owned());
    assert_eq!(some(any()).await, "012345");
    assert_eq!(some(SignalFilter { scope: scope.clone(), ..any() }).await, "0123");
    assert_eq!(some(SignalFilter { kind: kind.clone(), ..any() }).await, "135");
    assert_eq!(some(SignalFilter { scope: Some("none".to_owned()), ..any() }).await, "");
    assert_eq!(some(SignalFilter { kind: Some(String::new()), ..any() }).await, "");
    assert_eq!(some(SignalFilter { since: Some(Fixture::at(3)), ..any() }).await, "1345");
    let both = SignalFilter { scope: scope.clone(), kind: kind.clone(), ..any() };
    assert_eq!(some(both.clone()).await, "13");
    assert_eq!(some(SignalFilter { since: Some(Fixture::at(4)), ..both }).await, "1");
    let all = read(store, any()).await;
    let after = all[1].seq;
    assert_eq!(some(SignalFilter { after, limit: 2, ..any() }).await, "23");
    let since = Some(Fixture::at(3));
    assert_eq!(some(SignalFilter { scope, kind, since, after, ..any() }).await, "3");
    assert_eq!(some(SignalFilter { after: all[5].seq, ..any() }).await, "");
}

/// A reader who goes on after the last place that it was given misses nothing, while several
/// writers write at once.
pub async fn a_reader_who_follows_the_signals_misses_none(factory: &Factory) {
    const WRITERS: i64 = 6;
    const WRITES: i64 = 40;
    let store = factory().store;
    let done = Arc::new(AtomicBool::new(false));
    let reader = {
        let (store, done) = (Arc::clone(&store), Arc::clone(&done));
        tokio::spawn(async move {
            let (mut after, mut seen) = (0, Vec::new());
            loop {
                // What was answered before this question must be in its answer.
                let last = done.load(Ordering::SeqCst);
                let filter = SignalFilter { after, limit: 7, ..SignalFilter::default() };
                let page = read(store.as_ref(), filter).await;
                match page.last() {
                    Some(entry) => after = entry.seq,
                    None if last => return seen,
                    None => tokio::task::yield_now().await,
                }
                seen.extend(page.into_iter().map(|entry| entry.signal.id));
            }
        })
    };
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                for n in 0..WRITES {
                    let some = [0, 1].map(|i| Fixture::signal((writer * WRITES + n) * 2 + i, "x"));
                    write(store.as_ref(), vec![change(some.into())]).await;
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.expect("the writer lives");
    }
    done.store(true, Ordering::SeqCst);
    let mut seen = reader.await.expect("the reader lives");
    let mut expected: Vec<_> = (0..WRITERS * WRITES * 2).map(|n| format!("signal {n}")).collect();
    seen.sort_unstable();
    expected.sort_unstable();
    assert_eq!(seen, expected, "each once");
}
