use super::{
    Factory,
    fixtures::{Fixture, accept_many, commit, lease_all, write},
};
use crate::{
    AcceptOutcome, Change, ChangeOutcome, Entry, Expect, Lease, LedgerFilter, LedgerKind, Op,
    RunStatus, StoreError, Txn, TxnOutcome, Write, WriteOutcome,
};

fn step(lease: &Lease, txn: Txn) -> Write {
    Write::Commit { lease: lease.clone(), txn: Box::new(txn) }
}

fn put(body: &str) -> Write {
    Write::Change(Box::new(Change {
        id: Fixture::txn(9),
        ledger: vec![Fixture::row(9, LedgerKind::Audit, "created")],
        ..Fixture::change(vec![Fixture::put("token", "t", Expect::Absent, body)])
    }))
}

/// Accept, step of the run just accepted, and a change, in one batch: later writes see earlier.
pub async fn a_batch_of_every_kind_is_applied_in_order(factory: &Factory) {
    let store = factory().store;
    let store = store.as_ref();
    let lease = lease_all(store, "a").await;
    let ops = vec![
        Op::Journal(Fixture::entry("one")),
        Op::Ledger(Fixture::row(1, LedgerKind::Task, "ok")),
        Op::Journal(Fixture::entry("two")),
        Op::Dead(Fixture::letter(1, "escalation")),
    ];
    let outcomes = write(
        store,
        vec![
            Write::Accept(Box::new(Fixture::accept(1))),
            step(&lease, Fixture::step(1, 1, ops)),
            put("first"),
            put("second"),
        ],
    )
    .await;
    assert_eq!(
        outcomes,
        [
            WriteOutcome::Accept(AcceptOutcome::Accepted),
            WriteOutcome::Commit(TxnOutcome::Committed { version: 2 }),
            WriteOutcome::Change(ChangeOutcome::Changed),
            WriteOutcome::Change(ChangeOutcome::Conflict {
                kind: "token".to_owned(),
                name: "t".to_owned(),
                revision: Some(1),
            }),
        ]
    );
    let head = store.run(Fixture::run(1)).await.expect("read").expect("the run is there");
    assert_eq!((head.version, head.last_txn), (2, Fixture::txn((1 << 64) | 1)));
    assert_eq!(head.facts, Fixture::facts(1));
    let journal = store.journal(Fixture::run(1)).await.expect("read");
    assert_eq!(journal, ["begun", "one", "two"].map(Fixture::entry));
    let event = store.event(Fixture::run(1)).await.expect("read");
    assert_eq!(event, Some(Fixture::accept(1).event));
    let ledger = store.ledger(&LedgerFilter::default()).await.expect("read");
    let outcomes: Vec<_> = ledger.iter().map(|entry| entry.row.outcome.as_str()).collect();
    assert_eq!(outcomes, ["accepted", "ok", "created"]);
    assert_eq!(store.dead_letters(&crate::DeadFilter::default()).await.expect("read").len(), 1);
}

/// A step from a version that the run does not have writes nothing and harms nobody.
pub async fn a_conflict_stays_alone_in_its_batch(factory: &Factory) {
    let store = factory().store;
    let store = store.as_ref();
    let lease = lease_all(store, "a").await;
    accept_many(store, 1..4).await;
    let ops = || {
        vec![
            Op::Journal(Fixture::entry("stale")),
            Op::Ledger(Fixture::row(2, LedgerKind::Task, "stale")),
            Op::Dead(Fixture::letter(2, "escalation")),
        ]
    };
    let missing = Fixture::step(77, 1, vec![Op::Journal(Fixture::entry("nowhere"))]);
    let outcomes = write(
        store,
        vec![
            step(&lease, Fixture::step(1, 1, vec![])),
            step(&lease, Fixture::step(2, 2, ops())),
            step(&lease, missing),
            step(&lease, Fixture::step(3, 1, vec![])),
        ],
    )
    .await;
    let committed = |version| WriteOutcome::Commit(TxnOutcome::Committed { version });
    let conflict = |version| WriteOutcome::Commit(TxnOutcome::Conflict { version });
    assert_eq!(outcomes, [committed(2), conflict(Some(1)), conflict(None), committed(2)]);
    assert_eq!(store.journal(Fixture::run(2)).await.expect("read").len(), 1);
    assert_eq!(store.dead_letters(&crate::DeadFilter::default()).await.expect("read"), []);
    let stale = LedgerFilter { outcome: Some("stale".to_owned()), ..LedgerFilter::default() };
    assert_eq!(store.ledger(&stale).await.expect("read"), []);
}

/// A lease that was taken over, or that does not cover the run, commits nothing.
pub async fn a_fenced_lease_cannot_commit(factory: &Factory) {
    let store = factory().store;
    let store = store.as_ref();
    accept_many(store, 1..3).await;
    let old = lease_all(store, "a").await;
    let new = lease_all(store, "a").await;
    assert!(new.epoch > old.epoch, "the same node gets a new epoch");
    let journal = || vec![Op::Journal(Fixture::entry("step"))];
    assert_eq!(commit(store, &old, Fixture::step(1, 1, journal())).await, TxnOutcome::Fenced);
    let narrow = Lease { buckets: 500..600, ..new.clone() };
    assert_eq!(commit(store, &narrow, Fixture::step(1, 1, journal())).await, TxnOutcome::Fenced);
    let stranger = Lease { node: "b".to_owned(), ..new.clone() };
    assert_eq!(commit(store, &stranger, Fixture::step(1, 1, journal())).await, TxnOutcome::Fenced);
    assert_eq!(store.journal(Fixture::run(1)).await.expect("read").len(), 1);
    let committed = TxnOutcome::Committed { version: 2 };
    assert_eq!(commit(store, &new, Fixture::step(1, 1, journal())).await, committed);
}

/// Several steps of one run in one batch are applied in their order; the journal has no gap.
pub async fn steps_of_one_run_in_one_batch_follow_each_other(factory: &Factory) {
    let store = factory().store;
    let store = store.as_ref();
    let lease = lease_all(store, "a").await;
    accept_many(store, 1..3).await;
    let mut batch = Vec::new();
    for version in 1..=50u64 {
        for n in [1, 2] {
            let entry = Op::Journal(Fixture::entry(&format!("{n}:{version}")));
            batch.push(step(&lease, Fixture::step(n, version, vec![entry])));
        }
    }
    for outcome in write(store, batch).await {
        assert!(matches!(outcome, WriteOutcome::Commit(TxnOutcome::Committed { .. })));
    }
    let ended = Fixture::into_state(1, 51, Fixture::ended(RunStatus::Completed, 9));
    commit(store, &lease, ended.clone()).await;
    let head = store.run(Fixture::run(1)).await.expect("read").expect("the run is there");
    assert_eq!((head.version, &head.state), (52, &ended.state));
    for n in [1u128, 2] {
        let journal = store.journal(Fixture::run(n)).await.expect("read");
        let expected: Vec<Entry> = std::iter::once(Fixture::entry("begun"))
            .chain((1..=50).map(|version| Fixture::entry(&format!("{n}:{version}"))))
            .collect();
        assert_eq!(journal, expected);
    }
}

/// What is outside the limits is refused, whole batch and all, before anything is written.
pub async fn what_is_outside_the_limits_is_refused(factory: &Factory) {
    let store = factory().store;
    let store = store.as_ref();
    let mut outside = Fixture::accept(2);
    outside.run.bucket = 1024;
    let mut astray = Fixture::accept(2);
    astray.event.id = qc_model::EventId::from_bits(3);
    let lease = lease_all(store, "a").await;
    let letter = Op::Dead(Fixture::letter(7, "escalation"));
    let long = "x".repeat(1025);
    let mut talkative = Fixture::accept(2);
    talkative.signals = vec![Fixture::signal(1, &long)];
    let mut patient = Fixture::accept(2);
    patient.turn = Some(Fixture::turn(&long));
    let wait = Op::Wait(Fixture::wait("w", "x", "s", &long));
    let claims = vec![Fixture::run(1); 10_001];
    for refused in [
        Write::Accept(Box::new(outside)),
        Write::Accept(Box::new(astray)),
        Write::Accept(Box::new(talkative)),
        Write::Accept(Box::new(patient)),
        Write::Claim { lease: lease.clone(), runs: claims },
        step(&lease, Fixture::step(1, 1, vec![wait])),
        step(&lease, Fixture::step(1, 1, vec![letter])),
        step(&lease, Fixture::step(1, 1, vec![Op::SettleDead(crate::DeadState::Open); 10_001])),
    ] {
        let batch = vec![Write::Accept(Box::new(Fixture::accept(1))), refused];
        assert!(matches!(store.write(batch).await, Err(StoreError::Refused(_))));
        assert_eq!(store.run(Fixture::run(1)).await.expect("read"), None);
    }
    assert_eq!(store.write(vec![]).await, Ok(vec![]), "an empty batch is no mistake");
}
