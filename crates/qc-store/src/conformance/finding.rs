//! Finding runs by business keys, events and traces; failures in groups.

use qc_model::{EventId, RunId};

use super::{
    Factory,
    fixtures::{Fixture, accept, accept_many, commit, lease_all},
};
use crate::{
    Accept, DeadFilter, DeadLetter, DeadState, KEYS_MAX, Op, RunFilter, RunKey, RunStatus, Store,
};

async fn list(store: &dyn Store, filter: RunFilter) -> Vec<RunId> {
    store.runs(&filter).await.expect("read").iter().map(|head| head.facts.id).collect()
}

fn runs(numbers: &[u128]) -> Vec<RunId> {
    numbers.iter().map(|n| Fixture::run(*n)).collect()
}

/// Keys come with the accept and with steps, each once, and find their runs by name and value and
/// by value alone.
pub async fn runs_are_found_by_business_keys(factory: &Factory) {
    let store = factory().store;
    let store = store.as_ref();
    let lease = lease_all(store, "a").await;
    let key = Fixture::run_key;
    for (n, keys) in [
        (1, vec![key("order", "4711"), key("order", "4711"), key("customer", "a@b.c")]),
        (2, vec![key("invoice", "4711")]),
        (3, vec![]),
        (4, vec![key("order", "4711"), key("invoice", "4711")]),
    ] {
        accept(store, Accept { keys, ..Fixture::accept(n) }).await;
    }
    commit(store, &lease, Fixture::step(3, 1, vec![Op::Keys(vec![key("order", "4711")])])).await;
    commit(store, &lease, Fixture::step(2, 9, vec![Op::Keys(vec![key("order", "4711")])])).await;
    let any = RunFilter::default;
    let order = Some(key("order", "4711"));
    let value = Some("4711".to_owned());
    assert_eq!(list(store, RunFilter { key: order.clone(), ..any() }).await, runs(&[4, 3, 1]));
    assert_eq!(list(store, RunFilter { value: value.clone(), ..any() }).await, runs(&[4, 3, 2, 1]));
    let paged =
        RunFilter { value: value.clone(), before: Some(Fixture::run(4)), limit: 2, ..any() };
    assert_eq!(list(store, paged).await, runs(&[3, 2]));
    let both = RunFilter { key: order, value: Some("a@b.c".to_owned()), ..any() };
    assert_eq!(list(store, both).await, runs(&[1]));
    assert_eq!(list(store, RunFilter { key: Some(key("order", "471")), ..any() }).await, []);
    let subject = Some("CASE-2".to_owned());
    assert_eq!(list(store, RunFilter { subject, value, ..any() }).await, runs(&[2]));
    let of = |n| async move { store.keys_of(Fixture::run(n)).await.expect("read") };
    assert_eq!(of(1).await, [key("customer", "a@b.c"), key("order", "4711")]);
    assert_eq!(of(3).await, [key("order", "4711")]);
    assert_eq!(of(9).await, []);
}

/// A run keeps its first 32 keys; what is too long or too many at once is refused.
pub async fn business_keys_are_bounded(factory: &Factory) {
    let store = factory().store;
    let store = store.as_ref();
    let lease = lease_all(store, "a").await;
    let some = |from: usize, to: usize| -> Vec<RunKey> {
        (from..to).map(|n| Fixture::run_key("k", &format!("{n:03}"))).collect()
    };
    accept(store, Accept { keys: some(0, 20), ..Fixture::accept(1) }).await;
    commit(store, &lease, Fixture::step(1, 1, vec![Op::Keys(some(10, 40))])).await;
    commit(store, &lease, Fixture::step(1, 2, vec![Op::Keys(some(50, 60))])).await;
    let kept = store.keys_of(Fixture::run(1)).await.expect("read");
    assert_eq!(kept, some(0, KEYS_MAX));
    let long = "x".repeat(257);
    for keys in
        [some(0, 33), vec![Fixture::run_key(&long, "v")], vec![Fixture::run_key("n", &long)]]
    {
        let refused = crate::Write::Accept(Box::new(Accept { keys, ..Fixture::accept(2) }));
        let answer = store.write(vec![refused]).await;
        assert!(matches!(answer, Err(crate::StoreError::Refused(_))), "{answer:?}");
    }
}

/// By event, by the sender's trace, by trigger and release, and accepted before a moment.
pub async fn runs_are_found_by_event_trace_and_release(factory: &Factory) {
    let store = factory().store;
    let store = store.as_ref();
    for n in 1..=4u128 {
        let mut run = Fixture::accept(n);
        run.run.accepted_at = Fixture::at(i64::try_from(n).unwrap_or_default());
        run.run.trace = (n % 2 == 0).then(|| "0af7651916cd43dd8448eb211c80319c".to_owned());
        if n > 2 {
            run.run.event = EventId::from_bits(1);
            run.event.id = EventId::from_bits(1);
            run.run.release = "cd".repeat(32);
        }
        if n == 4 {
            run.run.trigger = Fixture::name("poll");
        }
        let facts = run.run.clone();
        accept(store, run).await;
        let head = store.run(Fixture::run(n)).await.expect("read").expect("there");
        assert_eq!(head.facts, facts);
    }
    let any = RunFilter::default;
    let event = Some(EventId::from_bits(1));
    assert_eq!(list(store, RunFilter { event, ..any() }).await, runs(&[4, 3, 1]));
    let trace = Some("0af7651916cd43dd8448eb211c80319c".to_owned());
    assert_eq!(list(store, RunFilter { trace: trace.clone(), ..any() }).await, runs(&[4, 2]));
    let both = RunFilter { event, trace, ..any() };
    assert_eq!(list(store, both).await, runs(&[4]));
    let trigger = Some(Fixture::name("poll"));
    assert_eq!(list(store, RunFilter { trigger, ..any() }).await, runs(&[4]));
    let release = Some("cd".repeat(32));
    assert_eq!(list(store, RunFilter { release, ..any() }).await, runs(&[4, 3]));
    let (since, until) = (Some(Fixture::at(2)), Some(Fixture::at(4)));
    assert_eq!(list(store, RunFilter { since, until, ..any() }).await, runs(&[3, 2]));
    let nothing = RunFilter { release: Some("none".to_owned()), ..any() };
    assert_eq!(list(store, nothing).await, []);
}

/// Letters of one fingerprint are one group, told by its newest letter.
pub async fn dead_letters_are_grouped(factory: &Factory) {
    let store = factory().store;
    let store = store.as_ref();
    let lease = lease_all(store, "a").await;
    accept_many(store, 1..7).await;
    let letters: [(u128, &str, &str, i64); 6] = [
        (1, "one", "p", 50),
        (2, "two", "p", 10),
        (3, "one", "q", 30),
        (4, "one", "p", 20),
        (5, "one", "r", 40),
        (6, "one", "p", 5),
    ];
    for (n, integration, fingerprint, at) in letters {
        let mut letter = DeadLetter {
            fingerprint: fingerprint.to_owned(),
            code: format!("QC-N00{n}"),
            summary: format!("run {n}"),
            at: Fixture::at(at),
            ..Fixture::letter(n, integration)
        };
        if n == 6 {
            letter.environment = Fixture::name("sandbox");
        }
        let ended = Fixture::ended(RunStatus::Faulted, at);
        let ops = vec![Op::Dead(letter)];
        commit(store, &lease, crate::Txn { ops, ..Fixture::into_state(n, 1, ended) }).await;
    }
    commit(store, &lease, Fixture::step(4, 2, vec![Op::SettleDead(DeadState::Discarded)])).await;
    let any = DeadFilter::default;
    let groups = store.dead_groups(&any()).await.expect("read");
    let short: Vec<_> = groups
        .iter()
        .map(|g| (g.fingerprint.as_str(), g.code.as_str(), g.summary.as_str(), g.open, g.total))
        .collect();
    let expected = [
        ("p", "QC-N004", "run 4", 2, 3),
        ("r", "QC-N005", "run 5", 1, 1),
        ("q", "QC-N003", "run 3", 1, 1),
        ("p", "QC-N006", "run 6", 1, 1),
    ];
    assert_eq!(short, expected);
    assert_eq!((groups[0].first_at, groups[0].last_at), (Fixture::at(10), Fixture::at(50)));
    assert_eq!(groups[3].environment, Fixture::name("sandbox"));
    assert_eq!(
        (&groups[0].integration, &groups[0].tenant),
        (&Fixture::name("one"), &Fixture::name("acme"))
    );
    let count = |filter| async move {
        let groups = store.dead_groups(&filter).await.expect("read");
        groups.iter().map(|group| group.total).collect::<Vec<_>>()
    };
    assert_eq!(count(DeadFilter { limit: 2, ..any() }).await, [3, 1]);
    assert_eq!(count(DeadFilter { state: Some(DeadState::Discarded), ..any() }).await, [1]);
    let integration = Some(Fixture::name("two"));
    assert_eq!(count(DeadFilter { integration, ..any() }).await, [1]);
    let fingerprint = Some("p".to_owned());
    assert_eq!(count(DeadFilter { fingerprint: fingerprint.clone(), ..any() }).await, [3, 1]);
    let code = Some("QC-N003".to_owned());
    assert_eq!(count(DeadFilter { code: code.clone(), ..any() }).await, [1]);
    let (since, until) = (Some(Fixture::at(10)), Some(Fixture::at(50)));
    assert_eq!(count(DeadFilter { since, until, ..any() }).await, [1, 1, 2]);
    let found = |filter: DeadFilter| async move {
        let letters = store.dead_letters(&filter).await.expect("read");
        letters.iter().map(|letter| letter.run).collect::<Vec<_>>()
    };
    assert_eq!(found(DeadFilter { fingerprint, ..any() }).await, runs(&[6, 4, 2, 1]));
    assert_eq!(found(DeadFilter { code, ..any() }).await, runs(&[3]));
    assert_eq!(found(DeadFilter { since, until, ..any() }).await, runs(&[5, 4, 3, 2]));
}
