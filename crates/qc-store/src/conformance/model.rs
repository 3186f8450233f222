//! Random histories on a backend and on the in-memory model: every answer and all that can be
//! read must be the same.

use proptest::prelude::*;

use super::{
    Factory,
    fixtures::{Fixture, lease_all},
    reopening::everything,
};
use crate::{
    Accept, Change, DeadState, DocumentOp, Expect, Lease, LedgerKind, LiveCause, Op, Retention,
    RunKey, RunState, RunStatus, Signal, Store, Txn, Wait, Write, memory::MemoryStore,
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
    /// Run, key (0 is none), body, moment, and what comes with it (bits).
    Accept(u8, u8, u8, u8, u8),
    /// Run, version, state, operations, whether under the lease before the last.
    Step(u8, u8, u8, Vec<u8>, bool),
    /// Documents: name, expectation, body (0 removes); a signal (0 is none).
    Change(Vec<(u8, u8, u8)>, u8),
    /// Runs to claim, whether under the lease before the last.
    Claim(Vec<u8>, bool),
}

fn small() -> impl Strategy<Value = Small> {
    prop_oneof![
        3 => (0u8..6, 0u8..4, 0u8..2, 0u8..60, 0u8..64)
            .prop_map(|(r, k, b, t, with)| Small::Accept(r, k, b, t, with)),
        5 => (0u8..7, 1u8..6, 0u8..8, prop::collection::vec(0u8..16, 0..4), prop::bool::weighted(0.1))
            .prop_map(|(r, v, s, ops, stale)| Small::Step(r, v, s, ops, stale)),
        1 => (prop::collection::vec((0u8..3, 0u8..5, 0u8..3), 0..4), 0u8..4)
            .prop_map(|(documents, signal)| Small::Change(documents, signal)),
        1 => (prop::collection::vec(0u8..7, 0..4), prop::bool::weighted(0.1))
            .prop_map(|(runs, stale)| Small::Claim(runs, stale)),
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
                let retention = Retention::at(now, since);
                let gone = store.prune(&retention, (*limit).into()).await;
                let expected = model.prune(&retention, (*limit).into()).await;
                assert_eq!(gone, expected, "turn {turn}: {deed:?}");
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
    let lease = |stale: bool| if stale { held.before.clone() } else { held.now.clone() };
    match small {
        Small::Accept(run, key, body, moment, with) => {
            Write::Accept(Box::new(small_accept(*run, *key, *body, (*moment).into(), *with)))
        }
        Small::Step(run, version, state, ops, stale) => {
            let n = u128::from(*run);
            let txn = Txn {
                state: small_state(*state, turn),
                ops: ops.iter().map(|op| small_op(*op, n, turn)).collect(),
                ..Fixture::step(n, (*version).into(), vec![])
            };
            Write::Commit { lease: lease(*stale), txn: Box::new(txn) }
        }
        Small::Change(ops, signal) => Write::Change(Box::new(Change {
            id: Fixture::txn(turn as u128),
            documents: ops
                .iter()
                .map(|(name, expect, body)| document(*name, *expect, *body))
                .collect(),
            ledger: vec![Fixture::row(0, LedgerKind::Audit, "changed")],
            signals: (*signal > 0).then(|| small_signal(*signal, 30)).into_iter().collect(),
        })),
        Small::Claim(runs, stale) => Write::Claim {
            lease: lease(*stale),
            runs: runs.iter().map(|n| Fixture::run((*n).into())).collect(),
        },
    }
}

fn small_accept(run: u8, key: u8, body: u8, moment: i64, with: u8) -> Accept {
    let mut accept = Fixture::accept(run.into());
    accept.run.accepted_at = Fixture::at(moment);
    accept.state.updated_at = accept.run.accepted_at;
    if key > 0 {
        accept.key = Some(Fixture::key(&format!("k{key}"), body, moment + 20));
    }
    for row in &mut accept.ledger {
        row.at = Fixture::at(moment);
    }
    let mut bit = 0;
    let mut has = || {
        bit += 1;
        with >> (bit - 1) & 1 == 1
    };
    if has() {
        accept.turn = Some(Fixture::turn(if run.is_multiple_of(2) { "even" } else { "odd" }));
        accept.state.cause = LiveCause::Turn;
    }
    if has() {
        accept.waits = vec![small_wait(body), small_wait(2)];
    }
    if has() {
        accept.signals = vec![small_signal(body + 1, moment), small_signal(3, moment)];
    }
    if has() {
        accept.documents = vec![document(body, 0, 1), document(0, 1 + body, 2)];
    }
    if has() {
        accept.keys = vec![small_key(run), small_key(body)];
    }
    if has() {
        accept.dead = Some(Fixture::letter(run.into(), "two"));
        accept.state = RunState { ..Fixture::ended(RunStatus::Faulted, moment) };
    }
    accept
}

fn small_signal(n: u8, moment: i64) -> Signal {
    let expires_at = Fixture::at(moment + 10);
    Signal { expires_at, ..Fixture::signal(n.into(), if n == 1 { "x" } else { "y" }) }
}

fn small_wait(n: u8) -> Wait {
    let kind = ["x", "y", ""][usize::from(n % 3)];
    Fixture::wait(&format!("w{}", n % 2), kind, &format!("s{n}"), "1")
}

fn small_key(n: u8) -> RunKey {
    Fixture::run_key(if n.is_multiple_of(2) { "order" } else { "invoice" }, &format!("{}", n / 2))
}

fn small_state(state: u8, turn: usize) -> RunState {
    let moment = i64::try_from(turn * 7 % 60).unwrap_or_default();
    match state {
        0 => Fixture::at_work(),
        1 => Fixture::waiting(moment),
        2 => RunState { status: RunStatus::Parked, ..Fixture::at_work() },
        3 => Fixture::ended(RunStatus::Completed, moment),
        4 => Fixture::ended(RunStatus::Faulted, moment),
        5 => RunState { cause: LiveCause::Turn, ..Fixture::at_work() },
        6 => RunState { cause: LiveCause::Person, ..Fixture::waiting(moment) },
        _ => Fixture::ended(RunStatus::Cancelled, moment),
    }
}

fn small_op(op: u8, run: u128, turn: usize) -> Op {
    match op {
        0 => Op::Journal(Fixture::entry(&format!("turn {turn}"))),
        1 => Op::Ledger(Fixture::row(run, LedgerKind::Task, "ok")),
        2 => Op::Dead(Fixture::letter(run, "one")),
        3 => Op::SettleDead(DeadState::Retried),
        4 => Op::SettleDead(DeadState::Open),
        5 => Op::Signal(small_signal((turn % 4).to_le_bytes()[0], 20)),
        6..=8 => Op::Wait(small_wait(op - 6)),
        9 | 10 => Op::Unwait(format!("w{}", op - 9)),
        11 => Op::EndTurn,
        12 => Op::Keys(vec![small_key((turn % 8).to_le_bytes()[0])]),
        13 => Op::Document(document(0, 0, 1)),
        14 => Op::Document(document(1, 3, 2)),
        _ => Op::Document(document(0, 4, 0)),
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
