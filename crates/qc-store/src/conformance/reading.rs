use bytes::Bytes;

use super::{
    Factory,
    fixtures::{Fixture, accept, accept_many, commit, lease_all, write},
};
use crate::{
    DeadFilter, DeadState, Entry, LedgerFilter, LedgerKind, Op, RunFilter, RunHead, RunStatus,
    Store, TxnOutcome, Write,
};

fn ids(heads: &[RunHead]) -> Vec<qc_model::RunId> {
    heads.iter().map(|head| head.facts.id).collect()
}

fn runs(numbers: &[u128]) -> Vec<qc_model::RunId> {
    numbers.iter().map(|n| Fixture::run(*n)).collect()
}

/// Open runs of a bucket range in pages, while runs end and others begin.
pub async fn open_runs_page_under_writes(factory: &Factory) {
    let store = factory().store;
    let store = store.as_ref();
    let lease = lease_all(store, "a").await;
    accept_many(store, 10..30).await;
    for (n, status) in
        [(11, RunStatus::Completed), (12, RunStatus::Faulted), (13, RunStatus::Cancelled)]
    {
        commit(store, &lease, Fixture::into_state(n, 1, Fixture::ended(status, 1))).await;
    }
    commit(store, &lease, Fixture::into_state(14, 1, Fixture::waiting(9))).await;
    let first = store.open_runs(0..1024, None, 5).await.expect("read");
    assert_eq!(ids(&first), runs(&[10, 14, 15, 16, 17]));
    assert_eq!(first[0].facts, Fixture::facts(10));
    // A run behind the page begins, one before it ends: the next page does not care.
    accept_many(store, 5..6).await;
    commit(store, &lease, Fixture::into_state(16, 1, Fixture::ended(RunStatus::Completed, 1)))
        .await;
    let next = store.open_runs(0..1024, Some(Fixture::run(17)), 5).await.expect("read");
    assert_eq!(ids(&next), runs(&[18, 19, 20, 21, 22]));
    let some = store.open_runs(20..23, None, 100).await.expect("read");
    assert_eq!(ids(&some), runs(&[20, 21, 22]), "only the buckets asked for");
    assert_eq!(store.open_runs(0..1024, None, 0).await.expect("read"), []);
    // `dlq retry` opens a faulted run again.
    commit(store, &lease, Fixture::into_state(12, 2, Fixture::at_work())).await;
    let again = store.open_runs(0..1024, Some(Fixture::run(10)), 1).await.expect("read");
    assert_eq!(ids(&again), runs(&[12]));
}

/// Timers come when they are due, not before, earliest first.
pub async fn due_runs_come_earliest_first(factory: &Factory) {
    let store = factory().store;
    let store = store.as_ref();
    let lease = lease_all(store, "a").await;
    accept_many(store, 1..8).await;
    for (n, due) in [(1, 300), (2, 100), (3, 200), (4, 100), (5, 301)] {
        commit(store, &lease, Fixture::into_state(n, 1, Fixture::waiting(due))).await;
    }
    let due = |until, limit| async move {
        ids(&store.due_runs(0..1024, Fixture::at(until), limit).await.expect("read"))
    };
    assert_eq!(due(99, 10).await, []);
    assert_eq!(due(100, 10).await, runs(&[2, 4]));
    assert_eq!(due(300, 10).await, runs(&[2, 4, 3, 1]));
    assert_eq!(due(300, 3).await, runs(&[2, 4, 3]));
    let some = store.due_runs(3..5, Fixture::at(300), 10).await.expect("read");
    assert_eq!(ids(&some), runs(&[4, 3]));
    commit(store, &lease, Fixture::into_state(2, 2, Fixture::at_work())).await;
    commit(store, &lease, Fixture::into_state(4, 2, Fixture::waiting(400))).await;
    assert_eq!(due(300, 10).await, runs(&[3, 1]));
    assert_eq!(due(400, 10).await, runs(&[3, 1, 5, 4]));
}

/// Listing by every filter, newest first.
pub async fn runs_are_listed_newest_first(factory: &Factory) {
    let store = factory().store;
    let store = store.as_ref();
    let lease = lease_all(store, "a").await;
    for n in 1..=6u128 {
        let mut run = Fixture::accept(n);
        if n % 2 == 0 {
            run.run.environment = Fixture::name("sandbox");
        }
        if n % 3 == 0 {
            run.run.integration = Fixture::name("other");
        }
        run.run.accepted_at = Fixture::at(i64::try_from(n).unwrap_or_default());
        if n == 1 {
            run.run.subject = None;
            run.run.replay_of = Some(Fixture::run(99));
            run.run.origin = Fixture::run(98);
        }
        let facts = run.run.clone();
        accept(store, run).await;
        let head = store.run(Fixture::run(n)).await.expect("read").expect("there");
        assert_eq!(head.facts, facts);
    }
    commit(store, &lease, Fixture::into_state(5, 1, Fixture::ended(RunStatus::Completed, 1))).await;
    let any = RunFilter::default;
    let list = |filter: RunFilter| async move { ids(&store.runs(&filter).await.expect("read")) };
    assert_eq!(list(any()).await, runs(&[6, 5, 4, 3, 2, 1]));
    assert_eq!(list(RunFilter { limit: 2, ..any() }).await, runs(&[6, 5]));
    let before = Some(Fixture::run(5));
    assert_eq!(list(RunFilter { before, limit: 2, ..any() }).await, runs(&[4, 3]));
    let environment = Some(Fixture::name("sandbox"));
    assert_eq!(
        list(RunFilter { environment: environment.clone(), ..any() }).await,
        runs(&[6, 4, 2])
    );
    let integration = Some(Fixture::name("other"));
    assert_eq!(list(RunFilter { integration: integration.clone(), ..any() }).await, runs(&[6, 3]));
    assert_eq!(list(RunFilter { environment, integration, ..any() }).await, runs(&[6]));
    let statuses = vec![RunStatus::Completed, RunStatus::Parked];
    assert_eq!(list(RunFilter { statuses, ..any() }).await, runs(&[5]));
    let subject = Some("CASE-4".to_owned());
    assert_eq!(list(RunFilter { subject, ..any() }).await, runs(&[4]));
    let since = Some(Fixture::at(5));
    assert_eq!(list(RunFilter { since, ..any() }).await, runs(&[6, 5]));
    let environment = Some(Fixture::name("nowhere"));
    assert_eq!(list(RunFilter { environment, ..any() }).await, []);
}

/// A letter is put, found, settled, and replaced by a later one of the same run.
pub async fn dead_letters_come_and_are_settled(factory: &Factory) {
    let store = factory().store;
    let store = store.as_ref();
    let lease = lease_all(store, "a").await;
    accept_many(store, 1..5).await;
    for (n, integration) in [(1, "one"), (2, "two"), (3, "one")] {
        let op = Op::Dead(Fixture::letter(n, integration));
        commit(store, &lease, Fixture::step(n, 1, vec![op])).await;
    }
    commit(store, &lease, Fixture::step(2, 2, vec![Op::SettleDead(DeadState::Retried)])).await;
    let nothing = commit(store, &lease, Fixture::step(4, 1, vec![Op::SettleDead(DeadState::Open)]));
    assert_eq!(nothing.await, TxnOutcome::Committed { version: 2 });
    let any = DeadFilter::default;
    let list = |filter: DeadFilter| async move {
        let letters = store.dead_letters(&filter).await.expect("read");
        letters.iter().map(|letter| letter.run).collect::<Vec<_>>()
    };
    assert_eq!(list(any()).await, runs(&[3, 2, 1]));
    assert_eq!(list(DeadFilter { limit: 1, ..any() }).await, runs(&[3]));
    assert_eq!(list(DeadFilter { before: Some(Fixture::run(3)), ..any() }).await, runs(&[2, 1]));
    assert_eq!(list(DeadFilter { state: Some(DeadState::Open), ..any() }).await, runs(&[3, 1]));
    let integration = Some(Fixture::name("one"));
    assert_eq!(list(DeadFilter { integration, ..any() }).await, runs(&[3, 1]));
    let environment = Some(Fixture::name("sandbox"));
    assert_eq!(list(DeadFilter { environment, ..any() }).await, []);
    let mut again = Fixture::letter(2, "two");
    "again".clone_into(&mut again.summary);
    commit(store, &lease, Fixture::step(2, 3, vec![Op::Dead(again.clone())])).await;
    let letters = store.dead_letters(&any()).await.expect("read");
    assert_eq!(letters[1], again);
}

/// A mebibyte, NUL bytes and every kind of text come back as they were.
pub async fn large_and_odd_payloads_survive(factory: &Factory) {
    let store = factory().store;
    let store = store.as_ref();
    let lease = lease_all(store, "a").await;
    let large: Bytes =
        (0..1u32 << 20).map(|i| (i.wrapping_mul(31) >> 3).to_le_bytes()[0]).collect();
    let odd = "a\u{0}b ä 漢 🦀 ' \" \\ %_ \u{202e}".to_owned();
    let mut big = Fixture::keyed(1, &odd, 1);
    big.event.body = large.clone();
    big.run.subject = Some(odd.clone());
    big.state.summary = Some(odd.clone());
    big.journal = vec![
        Entry { at: Fixture::at(1), body: large.clone() },
        Entry { at: Fixture::at(1), body: Bytes::new() },
    ];
    big.ledger = vec![crate::LedgerRow {
        actor: odd.clone(),
        subject: odd.clone(),
        outcome: odd.clone(),
        code: Some(odd.clone()),
        facts: Bytes::from(odd.clone()),
        ..Fixture::row(1, LedgerKind::Event, "accepted")
    }];
    accept(store, big.clone()).await;
    assert_eq!(store.event(Fixture::run(1)).await.expect("read"), Some(big.event));
    assert_eq!(store.journal(Fixture::run(1)).await.expect("read"), big.journal);
    let ledger = store.ledger(&LedgerFilter::default()).await.expect("read");
    assert_eq!(ledger[0].row, big.ledger[0]);
    let by_outcome = LedgerFilter { outcome: Some(odd.clone()), ..LedgerFilter::default() };
    assert_eq!(store.ledger(&by_outcome).await.expect("read").len(), 1);
    let by_subject = RunFilter { subject: Some(odd.clone()), ..RunFilter::default() };
    let found = store.runs(&by_subject).await.expect("read");
    assert_eq!(found[0].state.summary.as_deref(), Some(odd.as_str()));
    let owner = store.key_owner("acme/production/case-opened", &odd).await.expect("read");
    assert_eq!(owner, Some(Fixture::run(1)));
    let mut letter = Fixture::letter(1, "one");
    letter.fingerprint.clone_from(&odd);
    letter.summary.clone_from(&odd);
    commit(store, &lease, Fixture::step(1, 1, vec![Op::Dead(letter.clone())])).await;
    assert_eq!(store.dead_letters(&DeadFilter::default()).await.expect("read"), [letter]);
}

/// Ten thousand open runs load in pages of at most 1,000, each exactly once.
pub async fn many_runs_load_in_pages(factory: &Factory) {
    let store = factory().store;
    let store = store.as_ref();
    accept_many(store, 0..10_000).await;
    assert_eq!(pages(store, 1_000_000).await, 10_000);
    assert_eq!(pages(store, 700).await, 10_000);
    // One batch ends a good part of them.
    let lease = lease_all(store, "a").await;
    let ended = |n| Fixture::into_state(n, 1, Fixture::ended(RunStatus::Completed, 1));
    let batch = (0..2_000)
        .map(|n| Write::Commit { lease: lease.clone(), txn: Box::new(ended(n)) })
        .collect();
    write(store, batch).await;
    assert_eq!(pages(store, 1_000).await, 8_000);
}

async fn pages(store: &dyn Store, limit: usize) -> usize {
    let mut after = None;
    let mut seen = 0;
    loop {
        let page = store.open_runs(0..1024, after, limit).await.expect("read");
        assert!(page.len() <= limit.min(1_000), "the page is bounded");
        assert!(page.windows(2).all(|pair| pair[0].facts.id < pair[1].facts.id));
        let Some(last) = page.last() else { return seen };
        assert!(after < page.first().map(|head| head.facts.id));
        after = Some(last.facts.id);
        seen += page.len();
    }
}
