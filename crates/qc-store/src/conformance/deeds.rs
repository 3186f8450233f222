//! Documents that change together with a run.

use super::{
    Factory,
    fixtures::{Fixture, accept, accept_many, commit, lease_all, write},
};
use crate::{
    Accept, AcceptOutcome, DocumentOp, Expect, Lease, LedgerFilter, Op, RunStatus, SignalFilter,
    Store, Txn, TxnOutcome, WaitFilter, Write, WriteOutcome,
};

fn cursor(expect: Expect, body: &str) -> DocumentOp {
    Fixture::put("cursor", "poll", expect, body)
}

async fn body(store: &dyn Store) -> Option<(u64, String)> {
    let document = store.document("cursor", "poll").await.expect("read")?;
    Some((document.revision, String::from_utf8_lossy(&document.body).into_owned()))
}

fn conflict(revision: Option<u64>) -> (String, String, Option<u64>) {
    ("cursor".to_owned(), "poll".to_owned(), revision)
}

/// An accept moves a cursor with its event; when somebody else has moved it, nothing is written.
pub async fn an_accept_moves_a_cursor(factory: &Factory) {
    let store = factory().store;
    let store = store.as_ref();
    let polled = |n, documents| Accept {
        documents,
        signals: vec![Fixture::signal(1, "x")],
        waits: vec![Fixture::wait("w", "x", "s", "1")],
        turn: Some(Fixture::turn("k")),
        keys: vec![Fixture::run_key("order", "1")],
        ..Fixture::keyed(n, &n.to_string(), 1)
    };
    let stale = polled(1, vec![cursor(Expect::Revision(1), "a")]);
    let (kind, name, revision) = conflict(None);
    let refused = AcceptOutcome::Conflict { kind, name, revision };
    assert_eq!(accept(store, stale.clone()).await, refused);
    let mut half = stale;
    half.documents.insert(0, Fixture::put("cursor", "half", Expect::Any, "x"));
    assert_eq!(accept(store, half).await, refused);
    assert_eq!(store.document("cursor", "half").await, Ok(None));
    assert_eq!(store.run(Fixture::run(1)).await, Ok(None));
    assert_eq!(store.key_owner("acme/production/case-opened", "1").await, Ok(None));
    assert_eq!(store.ledger(&LedgerFilter::default()).await, Ok(vec![]));
    assert_eq!(store.signals(&SignalFilter::default()).await, Ok(vec![]));
    assert_eq!(store.waits(&WaitFilter::default()).await, Ok(vec![]));
    assert_eq!(store.first_in_line(&Fixture::turn("k").scope, "k").await, Ok(None));

    let first = polled(1, vec![cursor(Expect::Absent, "a"), cursor(Expect::Revision(1), "b")]);
    assert_eq!(accept(store, first.clone()).await, AcceptOutcome::Accepted);
    assert_eq!(body(store).await, Some((2, "b".to_owned())));
    // A repeat is a repeat, wherever the cursor stands by now.
    let repeat = AcceptOutcome::Duplicate { run: Fixture::run(1), same_body: true };
    assert_eq!(accept(store, first).await, repeat);
    let next = polled(2, vec![cursor(Expect::Revision(2), "c")]);
    assert_eq!(accept(store, next).await, AcceptOutcome::Accepted);
    assert_eq!(body(store).await, Some((3, "c".to_owned())));
}

/// A step changes documents by compare-and-set, or nothing at all.
pub async fn a_step_changes_documents(factory: &Factory) {
    let store = factory().store;
    let store = store.as_ref();
    let lease = lease_all(store, "a").await;
    accept_many(store, 1..2).await;
    let step = |version, documents: Vec<DocumentOp>| Txn {
        ops: [
            Op::Journal(Fixture::entry("step")),
            Op::Wait(Fixture::wait("w", "x", "s", "1")),
            Op::Signal(Fixture::signal(1, "x")),
            Op::Keys(vec![Fixture::run_key("order", "1")]),
        ]
        .into_iter()
        .chain(documents.into_iter().map(Op::Document))
        .collect(),
        ..Fixture::into_state(1, version, Fixture::ended(RunStatus::Completed, 5))
    };
    let refused = |revision| {
        let (kind, name, revision) = conflict(revision);
        TxnOutcome::DocumentConflict { kind, name, revision }
    };
    let half =
        vec![Fixture::put("cursor", "half", Expect::Any, "x"), cursor(Expect::Revision(1), "a")];
    for documents in [vec![cursor(Expect::Revision(1), "a")], half] {
        assert_eq!(commit(store, &lease, step(1, documents)).await, refused(None));
    }
    let head = store.run(Fixture::run(1)).await.expect("read").expect("there");
    assert_eq!((head.version, head.state.status), (1, RunStatus::Running));
    assert_eq!(store.journal(Fixture::run(1)).await.expect("read").len(), 1);
    assert_eq!(store.document("cursor", "half").await, Ok(None));
    assert_eq!(store.waits_of(Fixture::run(1)).await, Ok(vec![]));
    assert_eq!(store.signals(&SignalFilter::default()).await, Ok(vec![]));
    assert_eq!(store.keys_of(Fixture::run(1)).await, Ok(vec![]));
    // Version and lease are looked at first.
    let stale = step(7, vec![cursor(Expect::Revision(1), "a")]);
    let version = Some(1);
    assert_eq!(commit(store, &lease, stale).await, TxnOutcome::Conflict { version });
    let written = step(1, vec![cursor(Expect::Absent, "a"), cursor(Expect::Revision(1), "b")]);
    assert_eq!(commit(store, &lease, written).await, TxnOutcome::Committed { version: 2 });
    assert_eq!(body(store).await, Some((2, "b".to_owned())));
}

/// Of two who compare and set in one batch one wins, and the loser harms nobody.
pub async fn two_who_set_one_document_have_one_winner(factory: &Factory) {
    let store = factory().store;
    let store = store.as_ref();
    let lease = lease_all(store, "a").await;
    accept_many(store, 1..4).await;
    let set = |lease: &Lease, n: u128| {
        let documents = vec![Op::Document(cursor(Expect::Absent, &n.to_string()))];
        Write::Commit { lease: lease.clone(), txn: Box::new(Fixture::step(n, 1, documents)) }
    };
    let bystander =
        Write::Commit { lease: lease.clone(), txn: Box::new(Fixture::step(3, 1, vec![])) };
    let batch = vec![set(&lease, 1), set(&lease, 2), bystander];
    let outcomes = write(store, batch).await;
    let (kind, name, revision) = conflict(Some(1));
    let committed = WriteOutcome::Commit(TxnOutcome::Committed { version: 2 });
    let lost = WriteOutcome::Commit(TxnOutcome::DocumentConflict { kind, name, revision });
    assert_eq!(outcomes, [committed.clone(), lost, committed]);
    assert_eq!(body(store).await, Some((1, "1".to_owned())));
}
