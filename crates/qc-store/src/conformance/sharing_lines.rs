//! Lines that runs of several nodes join at once.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use qc_model::RunId;

use super::{
    Factory,
    fixtures::{Fixture, commit, lease_all, write},
    sharing::nodes,
};
use crate::{Op, Store, Write};

/// Two lines, so that batches join them in different orders.
const LINES: [&str; 2] = ["a", "b"];

/// A join: the run, its line, when it was sent and when it was answered.
struct Join {
    run: u128,
    line: &'static str,
    sent: u64,
    answered: u64,
}

/// Joins both lines again and again, in batches of several.
async fn join(node: Arc<dyn Store>, joiner: u128, clock: Arc<AtomicU64>) -> Vec<Join> {
    let mut joins = Vec::new();
    for turn in 0..12u128 {
        // Later ids first, so that an order by id would show.
        let runs: Vec<u128> = (0..4).map(|i| 10_000 - (turn * 4 + i) * 8 - joiner).collect();
        let line = |i: usize| LINES[(i + usize::from(joiner % 2 == 1)) % 2];
        let batch = runs.iter().enumerate();
        let batch = batch.map(|(i, n)| Write::Accept(Box::new(Fixture::in_line(*n, line(i)))));
        let batch = batch.collect();
        let sent = clock.fetch_add(1, Ordering::SeqCst);
        write(node.as_ref(), batch).await;
        let answered = clock.fetch_add(1, Ordering::SeqCst);
        joins.extend(runs.iter().enumerate().map(|(i, n)| Join {
            run: *n,
            line: line(i),
            sent,
            answered,
        }));
    }
    joins
}

async fn first(store: &dyn Store, line: &str) -> Option<RunId> {
    let turn = Fixture::turn(line);
    store.first_in_line(&turn.scope, &turn.key).await.expect("read")
}

/// While all nodes join: whoever was seen to be first stays first until it leaves, whatever commits
/// behind it, and nobody who was answered has anybody ahead who was sent later.
pub async fn lines_keep_the_order_of_commits_on_every_node(factory: &Factory) {
    let Some(nodes) = nodes(factory) else { return };
    let lease = lease_all(nodes[0].as_ref(), "a").await;
    let (clock, done) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let leaver = {
        let (reader, owner, done) =
            (Arc::clone(&nodes[1]), Arc::clone(&nodes[2]), Arc::clone(&done));
        tokio::spawn(async move {
            let mut left = Vec::new();
            while !done.load(Ordering::SeqCst) {
                let Some(head) = first(reader.as_ref(), LINES[0]).await else {
                    tokio::task::yield_now().await;
                    continue;
                };
                for _ in 0..5 {
                    assert_eq!(first(reader.as_ref(), LINES[0]).await, Some(head));
                }
                let number = head.bits() & 0xffff_ffff;
                let step = Fixture::step(number, 1, vec![Op::EndTurn]);
                commit(owner.as_ref(), &lease, step).await;
                left.push(number);
            }
            left
        })
    };
    let joiners: Vec<_> = (0u128..)
        .zip(nodes.iter().chain(&nodes))
        .map(|(joiner, node)| tokio::spawn(join(Arc::clone(node), joiner, Arc::clone(&clock))))
        .collect();
    let mut joins = Vec::new();
    for joiner in joiners {
        joins.extend(joiner.await.expect("the joiner lives"));
    }
    done.store(true, Ordering::SeqCst);
    let left = leaver.await.expect("the leaver lives");
    for line in LINES {
        // From the first that left to the last that stands there.
        let mut order: Vec<u128> = if line == LINES[0] { left.clone() } else { Vec::new() };
        let mut standing = Vec::new();
        for join in joins.iter().filter(|j| j.line == line && !order.contains(&j.run)) {
            let place = nodes[3].turn_of(Fixture::run(join.run)).await.expect("read");
            standing.push((place.expect("it stands in line").ahead, join.run));
        }
        standing.sort_unstable();
        let places: Vec<_> = standing.iter().map(|(ahead, _)| *ahead).collect();
        assert_eq!(places, (0..standing.len()).collect::<Vec<_>>(), "each has its place");
        order.extend(standing.iter().map(|(_, run)| *run));
        let place = |run: u128| order.iter().position(|other| *other == run);
        let here: Vec<&Join> = joins.iter().filter(|join| join.line == line).collect();
        assert_eq!(order.len(), here.len());
        for one in &here {
            for other in here.iter().filter(|other| one.answered < other.sent) {
                assert!(place(one.run) < place(other.run), "{} was there before", one.run);
            }
        }
    }
}
