//! Signals that several nodes write at once.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{
    Factory,
    fixtures::{Fixture, write},
    sharing::nodes,
};
use crate::{Change, Signal, SignalFilter, Store, Write};

/// So often each writer writes.
const TURNS: i64 = 40;

/// Signals of a writer's own kind, and one that the writers of all nodes bring.
fn signals(writer: i64, turn: i64, size: i64) -> Vec<Signal> {
    let own = |i| Signal {
        kind: format!("kind {writer}"),
        ..Fixture::signal((writer << 32) + turn * size + i, "")
    };
    let shared = Signal { id: format!("shared {turn}"), ..Fixture::signal(turn, "shared") };
    let mut signals: Vec<Signal> = (0..size).map(own).collect();
    signals.push(shared);
    if writer % 2 == 1 {
        signals.reverse();
    }
    signals
}

fn change(signals: Vec<Signal>) -> Write {
    Write::Change(Box::new(Change { signals, ..Fixture::change(vec![]) }))
}

/// Reads on after the last place, in small pages, until the writers are done.
async fn follow(store: Arc<dyn Store>, done: Arc<AtomicBool>) -> Vec<String> {
    let (mut seen, mut after) = (Vec::new(), 0);
    loop {
        let last = done.load(Ordering::SeqCst);
        let filter = SignalFilter { after, limit: 100, ..SignalFilter::default() };
        let page = store.signals(&filter).await.expect("read");
        for entry in &page {
            assert!(entry.seq > after, "places rise");
            after = entry.seq;
            seen.push(entry.signal.id.clone());
        }
        if last && page.is_empty() {
            return seen;
        }
        tokio::task::yield_now().await;
    }
}

/// While all nodes write, short and long transactions that overtake each other: a reader who follows
/// sees every signal once, and what one node has answered, another shows at once. Otherwise a run
/// that begins to listen on one node could miss what was published on another.
pub async fn signals_of_several_nodes_are_missed_by_none(factory: &Factory) {
    let Some(nodes) = nodes(factory) else { return };
    let done = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = nodes[..2]
        .iter()
        .map(|node| tokio::spawn(follow(Arc::clone(node), Arc::clone(&done))))
        .collect();
    let next = nodes.iter().cycle().skip(1);
    let writers: Vec<_> = (0i64..)
        .zip(nodes.iter().zip(next).chain(nodes.iter().zip(nodes.iter().cycle().skip(2))))
        .map(|(writer, (node, other))| {
            let (node, other) = (Arc::clone(node), Arc::clone(other));
            tokio::spawn(async move {
                let size = if writer % 2 == 0 { 1 } else { 20 };
                for turn in 0..TURNS {
                    let some = signals(writer, turn, size);
                    let kind = format!("kind {writer}");
                    let newest: Vec<_> =
                        some.iter().filter(|s| s.kind == kind).map(|s| s.id.clone()).collect();
                    write(node.as_ref(), vec![change(some)]).await;
                    let filter = SignalFilter {
                        scope: Some("acme/production".to_owned()),
                        kind: Some(kind),
                        ..SignalFilter::default()
                    };
                    let there = other.signals(&filter).await.expect("read");
                    let there: BTreeSet<_> = there.into_iter().map(|e| e.signal.id).collect();
                    assert!(newest.iter().all(|id| there.contains(id)), "{newest:?} are answered");
                }
                TURNS * size
            })
        })
        .collect();
    let mut written = TURNS;
    for writer in writers {
        written += writer.await.expect("the writer ends");
    }
    done.store(true, Ordering::SeqCst);
    for reader in readers {
        let seen = reader.await.expect("the reader ends");
        let once: BTreeSet<_> = seen.iter().collect();
        assert_eq!(once.len(), seen.len(), "no signal is seen twice");
        assert_eq!(i64::try_from(seen.len()), Ok(written), "no signal is missed");
    }
}
