//! Random histories on a backend and on the in-memory model: every answer and all that can be
//! read must be the same.

use proptest::prelude::*;

use super::{
    Factory,
    fixtures::{Fixture, lease_all},
    reopening::everything,
};
use crate::{
    Change, DeadState, DocumentOp, Expect, Lease, LedgerKind, Op, RunState, RunStatus, Store, Txn,
    Write, memory::MemoryStore,
};

/// One deed of a random history, in small numbers so that deeds meet.
#[derive(Debug, Clone)]
pub enum Deed {
    /// Writes a batch.
    Write(Vec<Small>),
    /// Removes what is past its time.
    Prune(u8, u8, u8),
    /// Takes the lease again, so that the one before is fenced.
    Lease,
    /// Opens the store again (backends that keep anything).
    Reopen,
}

/// A small write.
#[derive(Debug, Clone)]
pub enum Small {
    /// Run, key (0 is none), body, moment.
    Accept(u8, u8, u8, u8),
    /// Run, version, state, operations, whether under the lease before the last.
    Step(u8, u8, u8, Vec<u8>, bool),
    /// Documents: name, expectation, body (0 removes).
    Change(Vec<(u8, u8, u8)>),
}

fn small() -> impl Strategy<Value = Small> {
    prop_oneof![
        3 => (0u8..6, 0u8..4, 0u8..2, 0u8..60).prop_map(|(r, k, b, t)| Small::Accept(r, k, b, t)),
        4 => (0u8..7, 1u8..6, 0u8..6, prop::collection::vec(0u8..5, 0..4), prop::bool::weighted(0.1))
            .prop_map(|(r, v, s, ops, stale)| Small::Step(r, v, s, ops, stale)),
        1 => prop::collection::vec((0u8..3, 0u8..5, 0u8..3), 1..4).prop_map(Small::Change),
    ]
}

/// Random histories.
pub fn histories() -> impl Strategy<Value = Vec<Deed>> {
    let deed = prop_oneof![
        8 => prop::collection::vec(small(), 1..6).prop_map(Deed::Write),
        1 => (0u8..80, 0u8..80, 0u8..5).prop_map(|(now, since, limit)| Deed::Prune(now, since, limit)),
        1 => Just(Deed::Lease),
        1 => Just(Deed::Reopen),
    ];
    prop::collection::vec(deed, 1..40)
}

struct Leases {
    now: Lease,
    before: Lease,
}

impl Leases {
    async fn take(store: &dyn Store) -> Self {
        let now = lease_all(store, "a").await;
        Self { before: Lease { epoch: 0, ..now.clone() }, now }
    }

    async fn take_again(&mut self, store: &dyn Store) {
        self.before = std::mem::replace(&mut self.now, lease_all(store, "a").await);
    }
}

/// Plays one history on a fresh store and on the model.
pub async fn same_as_memory(factory: &Factory, history: &[Deed]) {
    let subject = factory();
    let mut store = subject.store;
    let model = MemoryStore::new();
    let mut held = Leases::take(store.as_ref()).await;
    let mut model_held = Leases::take(&model).await;
    for (turn, deed) in history.iter().enumerate() {
        match deed {
            Deed::Write(batch) => {
                let writes =
                    |held: &Leases| batch.iter().map(|s| small_write(s, turn, held)).collect();
                let answer = store.write(writes(&held)).await;
                assert_eq!(answer, model.write(writes(&model_held)).await, "turn {turn}: {deed:?}");
            }
            Deed::Prune(now, since, limit) => {
                let (now, since) = (Fixture::at((*now).into()), Fixture::at((*since).into()));
                let gone = store.prune(now, since, (*limit).into()).await;
                assert_eq!(gone, model.prune(now, since, (*limit).into()).await, "turn {turn}");
            }
            Deed::Lease => {
                held.take_again(store.as_ref()).await;
                model_held.take_again(&model).await;
            }
            Deed::Reopen => {
                if let Some(reopen) = &subject.reopen {
                    store = reopen(store);
                    held.take_again(store.as_ref()).await;
                    model_held.take_again(&model).await;
                }
            }
        }
    }
    assert_eq!(everything(store.as_ref()).await, everything(&model).await);
}

fn small_write(small: &Small, turn: usize, held: &Leases) -> Write {
    match small {
        Small::Accept(run, key, body, moment) => {
            let mut accept = Fixture::accept((*run).into());
            accept.run.accepted_at = Fixture::at((*moment).into());
            accept.state.updated_at = accept.run.accepted_at;
            if *key > 0 {
                let expires = i64::from(*moment) + 20;
                accept.key = Some(Fixture::key(&format!("k{key}"), *body, expires));
            }
            for row in &mut accept.ledger {
                row.at = Fixture::at((*moment).into());
            }
            Write::Accept(Box::new(accept))
        }
        Small::Step(run, version, state, ops, stale) => {
            let n = u128::from(*run);
            let lease = if *stale { held.before.clone() } else { held.now.clone() };
            let txn = Txn {
                state: small_state(*state, turn),
                ops: ops.iter().map(|op| small_op(*op, n, turn)).collect(),
                ..Fixture::step(n, (*version).into(), vec![])
            };
            Write::Commit { lease, txn: Box::new(txn) }
        }
        Small::Change(ops) => Write::Change(Box::new(Change {
            id: Fixture::txn(turn as u128),
            documents: ops
                .iter()
                .map(|(name, expect, body)| document(*name, *expect, *body))
                .collect(),
            ledger: vec![Fixture::row(0, LedgerKind::Audit, "changed")],
        })),
    }
}

fn small_state(state: u8, turn: usize) -> RunState {
    let moment = i64::try_from(turn * 7 % 60).unwrap_or_default();
    match state {
        0 => Fixture::at_work(),
        1 => Fixture::waiting(moment),
        2 => RunState { status: RunStatus::Parked, ..Fixture::at_work() },
        3 => Fixture::ended(RunStatus::Completed, moment),
        4 => Fixture::ended(RunStatus::Faulted, moment),
        _ => Fixture::ended(RunStatus::Cancelled, moment),
    }
}

fn small_op(op: u8, run: u128, turn: usize) -> Op {
    match op {
        0 => Op::Journal(Fixture::entry(&format!("turn {turn}"))),
        1 => Op::Ledger(Fixture::row(run, LedgerKind::Task, "ok")),
        2 => Op::Dead(Fixture::letter(run, "one")),
        3 => Op::SettleDead(DeadState::Retried),
        _ => Op::SettleDead(DeadState::Open),
    }
}

fn document(name: u8, expect: u8, body: u8) -> DocumentOp {
    let expect = match expect {
        0 => Expect::Any,
        1 => Expect::Absent,
        2 => Expect::AbsentOrSame,
        revision => Expect::Revision(u64::from(revision) - 2),
    };
    let name = format!("d{name}");
    if body == 0 {
        Fixture::delete("token", &name, expect)
    } else {
        Fixture::put("token", &name, expect, &format!("body {body}"))
    }
}
