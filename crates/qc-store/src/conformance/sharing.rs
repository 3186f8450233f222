//! What several nodes on one store can show.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use super::{
    Factory,
    fixtures::{Fixture, accept_many, change, commit, write},
};
use crate::{
    AcceptOutcome, ChangeOutcome, Expect, Lease, LedgerFilter, Op, RunFilter, Store, TxnOutcome,
    Write, WriteOutcome,
};

const MINUTE: Duration = Duration::from_secs(60);

/// So many nodes share the store.
const NODES: u128 = 4;

/// The nodes' own connections to one fresh store; None when it is for one node.
pub(super) fn nodes(factory: &Factory) -> Option<Vec<Arc<dyn Store>>> {
    let subject = factory();
    let beside = subject.beside?;
    let others = (1..NODES).map(|_| beside());
    Some(std::iter::once(Arc::clone(&subject.store)).chain(others).collect())
}

fn step(lease: &Lease, n: u128, version: u64, by: &str) -> Write {
    let ops = vec![Op::Journal(Fixture::entry(by))];
    Write::Commit { lease: lease.clone(), txn: Box::new(Fixture::step(n, version, ops)) }
}

/// An owner that pauses for longer than its lease goes on as if nothing had happened: from the
/// moment in which another took the lease, none of its steps counts, whatever was under way.
pub async fn a_stolen_lease_stops_its_owner(factory: &Factory) {
    let Some(nodes) = nodes(factory) else { return };
    let (owner, thief) = (Arc::clone(&nodes[0]), Arc::clone(&nodes[1]));
    accept_many(owner.as_ref(), 1..2).await;
    // Held by nobody's clock: it may be taken at any time.
    let old = owner.lease(0..1024, "owner", Duration::ZERO).await.expect("answered").expect("free");
    let lease = old.clone();
    let (at_work, mut working) = tokio::sync::watch::channel(0u64);
    let work = tokio::spawn(async move {
        for version in 1..100_000 {
            let outcome = write(owner.as_ref(), vec![step(&lease, 1, version, "owner")]).await;
            match outcome[0] {
                WriteOutcome::Commit(TxnOutcome::Committed { version }) => {
                    at_work.send_replace(version);
                    // A store that never waits must let the thief in, too.
                    tokio::task::yield_now().await;
                }
                WriteOutcome::Commit(TxnOutcome::Fenced) => return version,
                ref other => panic!("the owner got {other:?}"),
            }
        }
        panic!("the owner was never stopped");
    });
    working.wait_for(|version| *version > 20).await.expect("the owner works");
    let new = thief.lease(0..1024, "thief", MINUTE).await.expect("answered").expect("run out");
    assert!(new.epoch > old.epoch);
    // From here on nothing moves: what the thief reads is what it goes on from.
    let head = thief.run(Fixture::run(1)).await.expect("read").expect("there");
    for version in head.version..head.version + 20 {
        let outcome = write(thief.as_ref(), vec![step(&new, 1, version, "thief")]).await;
        let committed = TxnOutcome::Committed { version: version + 1 };
        assert_eq!(outcome, [WriteOutcome::Commit(committed)]);
    }
    assert_eq!(work.await.expect("the owner ends"), head.version, "it was stopped at that version");
    assert_eq!(
        nodes[0].renew(std::slice::from_ref(&old), MINUTE).await.expect("answered"),
        [false]
    );
    let again = write(nodes[0].as_ref(), vec![step(&old, 1, head.version + 20, "owner")]).await;
    assert_eq!(again, [WriteOutcome::Commit(TxnOutcome::Fenced)]);
    let journal = thief.journal(Fixture::run(1)).await.expect("read");
    assert_eq!(journal.len() as u64, head.version + 20);
    let first = journal.iter().position(|entry| &entry.body[..] == b"thief").expect("it wrote");
    assert!(journal[first..].iter().all(|entry| &entry.body[..] == b"thief"));
}

/// Every node goes on with the runs of its own range, at the same time as the others, and with no
/// others; part of a range may be taken without the rest.
pub async fn several_nodes_hold_several_ranges(factory: &Factory) {
    let Some(nodes) = nodes(factory) else { return };
    accept_many(nodes[0].as_ref(), 0..1024).await;
    let mut work = Vec::new();
    let mut leases = Vec::new();
    for (no, node) in (0u16..).zip(&nodes) {
        let (first, beyond) = (no * 256, (no + 1) * 256);
        let name = format!("node-{no}");
        let lease = node.lease(first..beyond, &name, MINUTE).await.expect("answered");
        let lease = lease.expect("free");
        leases.push(lease.clone());
        let node = Arc::clone(node);
        work.push(tokio::spawn(async move {
            for version in 1..4 {
                let own = u128::from(first)..u128::from(beyond);
                let batch = own.map(|n| step(&lease, n, version, "own")).collect();
                let committed =
                    WriteOutcome::Commit(TxnOutcome::Committed { version: version + 1 });
                assert_eq!(write(node.as_ref(), batch).await, vec![committed; 256]);
            }
            let foreign = (u128::from(beyond) + 1) % 1024;
            let outcome = write(node.as_ref(), vec![step(&lease, foreign, 4, "foreign")]).await;
            assert_eq!(outcome, [WriteOutcome::Commit(TxnOutcome::Fenced)]);
        }));
    }
    for node in work {
        node.await.expect("every node works");
    }
    let head = nodes[1].run(Fixture::run(700)).await.expect("read").expect("there");
    assert_eq!(head.version, 4);
    // The middle of a range that has run out goes to another node; both ends stay.
    assert_eq!(nodes[0].renew(&leases[..1], Duration::ZERO).await.expect("answered"), [true]);
    let middle = nodes[1].lease(100..200, "node-1", MINUTE).await.expect("answered").expect("out");
    assert!(middle.epoch > leases[3].epoch);
    for (bucket, moved) in [(99, false), (100, true), (199, true), (200, false)] {
        let txn = |by: &Lease| (by.clone(), Fixture::step(bucket, 4, vec![]));
        let (wrong, right) = if moved { (&leases[0], &middle) } else { (&middle, &leases[0]) };
        let (lease, step) = txn(wrong);
        assert_eq!(commit(nodes[2].as_ref(), &lease, step).await, TxnOutcome::Fenced);
        let (lease, step) = txn(right);
        let committed = TxnOutcome::Committed { version: 5 };
        assert_eq!(commit(nodes[2].as_ref(), &lease, step).await, committed, "bucket {bucket}");
    }
    assert_eq!(nodes[0].renew(&leases[..1], MINUTE).await.expect("answered"), [false]);
}

/// 64 senders hand the same event to all nodes at once: one run, and everybody hears of it.
pub async fn a_race_between_nodes_has_one_winner(factory: &Factory) {
    let Some(nodes) = nodes(factory) else { return };
    for round in 0..4u128 {
        let racers: Vec<_> = (0..64u128)
            .zip(nodes.iter().cycle())
            .map(|(racer, node)| {
                let node = Arc::clone(node);
                let n = 1 + round * 64 + racer;
                tokio::spawn(async move {
                    // Among accepts that nobody races for, in another order on every node.
                    let key = format!("raced {round}");
                    let mut batch = vec![Fixture::keyed(n, &key, 1)];
                    batch.extend((0..3).map(|i| {
                        Fixture::keyed(100_000 + n * 4 + i, &format!("{}", n * 4 + i), 1)
                    }));
                    batch.rotate_left(usize::try_from(racer % 4).unwrap_or_default());
                    let place = (4 - usize::try_from(racer % 4).unwrap_or_default()) % 4;
                    let batch = batch.into_iter().map(|a| Write::Accept(Box::new(a))).collect();
                    (Fixture::run(n), write(node.as_ref(), batch).await.remove(place))
                })
            })
            .collect();
        let (mut winners, mut named) = (BTreeSet::new(), BTreeSet::new());
        for racer in racers {
            match racer.await.expect("the racer lives") {
                (run, WriteOutcome::Accept(AcceptOutcome::Accepted)) => winners.insert(run),
                (_, WriteOutcome::Accept(AcceptOutcome::Duplicate { run, same_body: true })) => {
                    named.insert(run)
                }
                (_, other) => panic!("a racer got {other:?}"),
            };
        }
        assert_eq!(winners.len(), 1);
        assert_eq!(named, winners, "everybody else hears of the winner");
    }
    let runs = nodes[3].runs(&RunFilter::default()).await.expect("read");
    assert_eq!(runs.len(), 4 + 4 * 64 * 3);
}

/// A reader who follows the ledger by the place of the last row sees every row once, in order, while
/// all nodes write.
pub async fn a_tailing_reader_misses_nothing(factory: &Factory) {
    let Some(nodes) = nodes(factory) else { return };
    let done = Arc::new(AtomicBool::new(false));
    let (store, ended) = (Arc::clone(&nodes[0]), Arc::clone(&done));
    let reader = tokio::spawn(async move {
        let (mut seen, mut after) = (Vec::new(), 0);
        loop {
            let last = ended.load(Ordering::SeqCst);
            let filter = LedgerFilter { after, limit: 100, ..LedgerFilter::default() };
            let page = store.ledger(&filter).await.expect("read");
            for entry in &page {
                assert!(entry.seq > after, "places rise");
                after = entry.seq;
                seen.extend(entry.row.run);
            }
            if last && page.is_empty() {
                return seen;
            }
            tokio::task::yield_now().await;
        }
    });
    let writers: Vec<_> = (0u128..)
        .zip(&nodes)
        .flat_map(|(no, node)| (0..2).map(move |half| (no * 2 + half, Arc::clone(node))))
        .map(|(no, node)| {
            tokio::spawn(async move {
                // Short and long transactions, so that they overtake each other.
                let size = if no % 2 == 0 { 1 } else { 40 };
                let turns: u128 = if no % 2 == 0 { 120 } else { 20 };
                for turn in 0..turns {
                    let from = (no << 32) + turn * size;
                    let batch = (from..from + size)
                        .map(|n| Write::Accept(Box::new(Fixture::accept(n))))
                        .collect();
                    write(node.as_ref(), batch).await;
                }
                turns * size
            })
        })
        .collect();
    let mut written = 0;
    for writer in writers {
        written += writer.await.expect("the writer ends");
    }
    done.store(true, Ordering::SeqCst);
    let seen = reader.await.expect("the reader ends");
    let once: BTreeSet<_> = seen.iter().copied().collect();
    assert_eq!(once.len(), seen.len(), "no row is seen twice");
    assert_eq!(seen.len() as u128, written, "no row is missed");
}

/// Nodes that change one document at the same time: every change that is answered counts, and of
/// those that make it one does.
pub async fn documents_of_several_nodes_lose_no_change(factory: &Factory) {
    let Some(nodes) = nodes(factory) else { return };
    let work: Vec<_> = nodes
        .iter()
        .map(|node| {
            let node = Arc::clone(node);
            tokio::spawn(async move {
                let mut changed = 0u64;
                let made = change(
                    node.as_ref(),
                    vec![Fixture::put("token", "counter", Expect::Absent, "x")],
                )
                .await;
                changed += u64::from(made == ChangeOutcome::Changed);
                for _ in 0..20 {
                    let now = node.document("token", "counter").await.expect("read");
                    let revision = now.expect("somebody made it").revision;
                    let put = Fixture::put("token", "counter", Expect::Revision(revision), "x");
                    match change(node.as_ref(), vec![put]).await {
                        ChangeOutcome::Changed => changed += 1,
                        ChangeOutcome::Conflict { revision: now, .. } => {
                            assert!(now > Some(revision), "a conflict names a later revision");
                        }
                    }
                }
                (made == ChangeOutcome::Changed, changed)
            })
        })
        .collect();
    let (mut makers, mut changed) = (0, 0);
    for node in work {
        let (made, count) = node.await.expect("every node works");
        makers += usize::from(made);
        changed += count;
    }
    assert_eq!(makers, 1);
    let document = nodes[0].document("token", "counter").await.expect("read").expect("there");
    assert_eq!(document.revision, changed);
}
