use bytes::Bytes;
use qc_model::{EventId, Name, RunId, Timestamp, TxnId};

use crate::{
    Accept, AcceptOutcome, Change, ChangeOutcome, DeadLetter, DeadState, DocumentOp, Entry, Expect,
    IdempotencyKey, Lease, LedgerKind, LedgerRow, LiveCause, Op, Priority, RunFacts, RunKey,
    RunState, RunStatus, Signal, Store, StoredEvent, Turn, Txn, TxnOutcome, Wait, Write,
    WriteOutcome,
};

/// The moment at which the fixtures play.
const NOON: i64 = 1_795_348_800_000;

/// Makes small, legal writes; every number gives other ids.
#[derive(Debug, Clone, Copy, Default)]
pub struct Fixture;

impl Fixture {
    /// A moment, in milliseconds from the fixtures' noon.
    pub fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(NOON + millis)
    }

    /// A name.
    pub fn name(text: &str) -> Name {
        Name::new(text).expect("the fixtures' names are legal")
    }

    /// The id of the `n`th run; they sort by number.
    pub const fn run(n: u128) -> RunId {
        RunId::from_bits((NOON as u128) << 80 | n)
    }

    /// The `n`th transaction's id.
    pub const fn txn(n: u128) -> TxnId {
        TxnId::from_bits(n)
    }

    /// What is fixed about the `n`th run.
    pub fn facts(n: u128) -> RunFacts {
        RunFacts {
            id: Self::run(n),
            bucket: u16::try_from(n % 1024).unwrap_or_default(),
            tenant: Self::name("acme"),
            environment: Self::name("production"),
            integration: Self::name("escalation"),
            trigger: Self::name("case-opened"),
            release: "ab".repeat(32),
            event: EventId::from_bits(n),
            subject: Some(format!("CASE-{n}")),
            origin: Self::run(n),
            replay_of: None,
            accepted_at: Self::at(0),
            trace: None,
            priority: match n % 5 {
                3 => Priority::Low,
                4 => Priority::High,
                _ => Priority::Normal,
            },
        }
    }

    /// The state of a run at work.
    pub fn at_work() -> RunState {
        RunState {
            status: RunStatus::Running,
            cause: LiveCause::Activity,
            wake_at: None,
            summary: None,
            updated_at: Self::at(0),
        }
    }

    /// The state of a run that ended at a moment.
    pub fn ended(status: RunStatus, millis: i64) -> RunState {
        RunState {
            status,
            cause: LiveCause::Ended,
            wake_at: None,
            summary: Some("ended".to_owned()),
            updated_at: Self::at(millis),
        }
    }

    /// The state of a run that waits until a moment.
    pub fn waiting(millis: i64) -> RunState {
        RunState {
            status: RunStatus::Waiting,
            cause: LiveCause::Timer,
            wake_at: Some(Self::at(millis)),
            ..Self::at_work()
        }
    }

    /// A journal entry.
    pub fn entry(text: &str) -> Entry {
        Entry { at: Self::at(1), body: Bytes::copy_from_slice(text.as_bytes()) }
    }

    /// A ledger row about the `n`th run.
    pub fn row(n: u128, kind: LedgerKind, outcome: &str) -> LedgerRow {
        LedgerRow {
            at: Self::at(0),
            kind,
            tenant: Self::name("acme"),
            environment: Some(Self::name("production")),
            integration: Some(Self::name("escalation")),
            run: Some(Self::run(n)),
            event: Some(EventId::from_bits(n)),
            actor: "platform:engine".to_owned(),
            subject: "crm.getCase".to_owned(),
            outcome: outcome.to_owned(),
            code: (outcome == "failed").then(|| "QC-R001".to_owned()),
            facts: Bytes::from_static(br#"{"ms":12}"#),
        }
    }

    /// A dead letter of the `n`th run.
    pub fn letter(n: u128, integration: &str) -> DeadLetter {
        DeadLetter {
            run: Self::run(n),
            tenant: Self::name("acme"),
            environment: Self::name("production"),
            integration: Self::name(integration),
            at: Self::at(5),
            state: DeadState::Open,
            fingerprint: "crm.getCase/permanent/QC-N004".to_owned(),
            code: "QC-N004".to_owned(),
            summary: "the case does not exist".to_owned(),
        }
    }

    /// A key that lives until a moment, for a body.
    pub fn key(key: &str, body: u8, expires: i64) -> IdempotencyKey {
        IdempotencyKey {
            scope: "acme/production/case-opened".to_owned(),
            key: key.to_owned(),
            body_hash: [body; 32],
            expires_at: Self::at(expires),
        }
    }

    /// The accept of the `n`th run, without a key.
    pub fn accept(n: u128) -> Accept {
        Accept {
            txn: Self::txn(n),
            key: None,
            event: StoredEvent {
                id: EventId::from_bits(n),
                received_at: Self::at(0),
                body: Bytes::from(format!(r#"{{"case":{n}}}"#)),
            },
            run: Self::facts(n),
            state: Self::at_work(),
            journal: vec![Self::entry("begun")],
            ledger: vec![Self::row(n, LedgerKind::Event, "accepted")],
            dead: None,
            signals: vec![],
            waits: vec![],
            turn: None,
            documents: vec![],
            keys: vec![],
        }
    }

    /// The accept of the `n`th run under a key that lives for an hour.
    pub fn keyed(n: u128, key: &str, body: u8) -> Accept {
        Accept { key: Some(Self::key(key, body, 3_600_000)), ..Self::accept(n) }
    }

    /// A step of the `n`th run from `expect`, with the operations.
    pub fn step(n: u128, expect: u64, ops: Vec<Op>) -> Txn {
        Txn {
            id: Self::txn((u128::from(expect) << 64) | n),
            run: Self::run(n),
            expect,
            state: Self::at_work(),
            ops,
        }
    }

    /// A step of the `n`th run from `expect` into a state.
    pub fn into_state(n: u128, expect: u64, state: RunState) -> Txn {
        Txn { state, ..Self::step(n, expect, vec![]) }
    }

    /// A put of a document.
    pub fn put(kind: &str, name: &str, expect: Expect, body: &str) -> DocumentOp {
        DocumentOp::Put {
            kind: kind.to_owned(),
            name: name.to_owned(),
            expect,
            body: Bytes::copy_from_slice(body.as_bytes()),
            at: Self::at(7),
        }
    }

    /// A change of documents.
    pub fn change(documents: Vec<DocumentOp>) -> Change {
        Change { id: Self::txn(1), documents, ledger: vec![], signals: vec![] }
    }

    /// The `n`th signal of a kind, which lives for an hour.
    pub fn signal(n: i64, kind: &str) -> Signal {
        Signal {
            scope: "acme/production".to_owned(),
            kind: kind.to_owned(),
            id: format!("signal {n}"),
            at: Self::at(n),
            body: Bytes::from(format!(r#"{{"signal":{n}}}"#)),
            expires_at: Self::at(3_600_000),
        }
    }

    /// A wait for events of a kind (empty: of any).
    pub fn wait(id: &str, kind: &str, site: &str, key: &str) -> Wait {
        Wait {
            id: id.to_owned(),
            scope: "acme/production".to_owned(),
            kind: kind.to_owned(),
            site: site.to_owned(),
            key: key.to_owned(),
        }
    }

    /// A line.
    pub fn turn(key: &str) -> Turn {
        Turn { scope: "acme/production/escalation".to_owned(), key: key.to_owned() }
    }

    /// The accept of the `n`th run, which waits in a line.
    pub fn in_line(n: u128, key: &str) -> Accept {
        let state =
            RunState { status: RunStatus::Waiting, cause: LiveCause::Turn, ..Self::at_work() };
        Accept { turn: Some(Self::turn(key)), state, ..Self::accept(n) }
    }

    /// A business key.
    pub fn run_key(name: &str, value: &str) -> RunKey {
        RunKey { name: name.to_owned(), value: value.to_owned() }
    }

    /// A removal of a document.
    pub fn delete(kind: &str, name: &str, expect: Expect) -> DocumentOp {
        DocumentOp::Delete { kind: kind.to_owned(), name: name.to_owned(), expect }
    }
}

/// Writes one batch.
pub(super) async fn write(store: &dyn Store, batch: Vec<Write>) -> Vec<WriteOutcome> {
    let expected = batch.len();
    let outcomes = store.write(batch).await.expect("the batch is written");
    assert_eq!(outcomes.len(), expected, "one outcome for each write");
    outcomes
}

pub(super) async fn accept(store: &dyn Store, accept: Accept) -> AcceptOutcome {
    match write(store, vec![Write::Accept(Box::new(accept))]).await.remove(0) {
        WriteOutcome::Accept(outcome) => outcome,
        other => panic!("an accept answers {other:?}"),
    }
}

pub(super) async fn commit(store: &dyn Store, lease: &Lease, txn: Txn) -> TxnOutcome {
    let write_txn = Write::Commit { lease: lease.clone(), txn: Box::new(txn) };
    match write(store, vec![write_txn]).await.remove(0) {
        WriteOutcome::Commit(outcome) => outcome,
        other => panic!("a commit answers {other:?}"),
    }
}

pub(super) async fn change(store: &dyn Store, documents: Vec<DocumentOp>) -> ChangeOutcome {
    let change = Fixture::change(documents);
    match write(store, vec![Write::Change(Box::new(change))]).await.remove(0) {
        WriteOutcome::Change(outcome) => outcome,
        other => panic!("a change answers {other:?}"),
    }
}

/// Accepts runs `from..to`, in batches.
pub(super) async fn accept_many(store: &dyn Store, runs: std::ops::Range<u128>) {
    let all: Vec<u128> = runs.collect();
    for some in all.chunks(500) {
        let batch = some.iter().map(|n| Write::Accept(Box::new(Fixture::accept(*n)))).collect();
        for outcome in write(store, batch).await {
            assert_eq!(outcome, WriteOutcome::Accept(AcceptOutcome::Accepted));
        }
    }
}

/// Takes all buckets for a node.
pub(super) async fn lease_all(store: &dyn Store, node: &str) -> Lease {
    store
        .lease(0..1024, node, std::time::Duration::from_secs(60))
        .await
        .expect("the lease is answered")
        .expect("the buckets are free")
}
