use std::sync::Arc;

use super::*;
use crate::{
    CommitLimits, Committer, Txn,
    blobs::{Blobs, MemoryBlobs},
    conformance::Fixture,
    memory::MemoryStore,
};

struct World {
    raw: Arc<MemoryStore>,
    blobs: Arc<MemoryBlobs>,
    store: SpillStore,
    committer: Committer,
}

fn world() -> World {
    let (raw, blobs) = (Arc::new(MemoryStore::new()), Arc::new(MemoryBlobs::default()));
    let store = SpillStore::new(raw.clone(), blobs.clone());
    let (committer, commits) = Committer::new(raw.clone(), CommitLimits::default());
    tokio::spawn(commits);
    World { raw: raw.clone(), committer: committer.with_blobs(blobs.clone(), raw), blobs, store }
}

fn body(bytes: usize, fill: u8) -> Bytes {
    Bytes::from(vec![fill; bytes])
}

async fn accept(world: &World, n: u128, bytes: Bytes) {
    let mut accept = Fixture::accept(n);
    accept.event.body = bytes;
    world.committer.accept(accept).await.unwrap();
}

async fn raw_body(world: &World, n: u128) -> Bytes {
    world.raw.event(Fixture::run(n)).await.unwrap().unwrap().body
}

async fn whole_body(world: &World, n: u128) -> Bytes {
    world.store.event(Fixture::run(n)).await.unwrap().unwrap().body
}

#[tokio::test]
async fn a_large_body_is_kept_once_and_comes_back_whole() {
    let world = world();
    accept(&world, 1, body(SPILL_BYTES, 1)).await;
    assert_eq!(
        raw_body(&world, 1).await,
        body(SPILL_BYTES, 1),
        "at the limit it stands in the row"
    );
    for n in [2, 3] {
        accept(&world, n, body(SPILL_BYTES + 1, 2)).await;
        assert!(raw_body(&world, n).await.len() < 200);
    }
    assert_eq!(raw_body(&world, 2).await, raw_body(&world, 3).await, "the same body is one blob");
    for (n, expected) in [(1, body(SPILL_BYTES, 1)), (2, body(SPILL_BYTES + 1, 2))] {
        assert_eq!(whole_body(&world, n).await, expected);
    }
    // A run has what it holds a marker of, and goes with it.
    let Some(Marker { hash, .. }) = marker(&raw_body(&world, 2).await).unwrap() else {
        panic!("a marker")
    };
    assert!(world.blobs.get(Fixture::run(3), hash).await.unwrap().is_some());
    assert!(world.blobs.get(Fixture::run(1), hash).await.unwrap().is_none());
}

#[tokio::test]
async fn journal_entries_keep_their_order() {
    let world = world();
    accept(&world, 1, body(3, 1)).await;
    let lease = world.raw.lease(0..1024, "a", Duration::from_secs(9)).await.unwrap().unwrap();
    let entries: Vec<Entry> = [30_000, 10, 20_000, 0]
        .map(|bytes| Entry { body: body(bytes, 7), ..Fixture::entry("") })
        .to_vec();
    let ops = entries.iter().cloned().map(Op::Journal).collect();
    let txn = Txn { ops, ..Fixture::step(1, 1, vec![]) };
    world.committer.commit(&lease, txn).await.unwrap();
    let raw = world.raw.journal(Fixture::run(1)).await.unwrap();
    assert!(raw.iter().all(|entry| entry.body.len() < 200));
    assert_eq!(world.store.journal(Fixture::run(1)).await.unwrap()[1..], entries[..]);
}

/// Whatever comes in, a marker is never believed that was not written here.
#[tokio::test]
async fn a_body_that_looks_like_a_marker_is_no_marker() {
    let world = world();
    accept(&world, 1, body(SPILL_BYTES + 1, 9)).await;
    let forged = raw_body(&world, 1).await;
    accept(&world, 2, forged.clone()).await;
    assert_eq!(whole_body(&world, 2).await, forged);
    let odd = Bytes::from_static(b"\0qc:blob:7");
    accept(&world, 3, odd.clone()).await;
    assert_eq!(whole_body(&world, 3).await, odd);
}

/// What another version wrote in a form of its own is refused, not misread; and a blob that is gone is said.
#[tokio::test]
async fn what_is_not_understood_or_not_there_is_refused() {
    let world = world();
    let mut newer = Fixture::accept(1);
    newer.event.body = Bytes::from_static(b"\0qc:blob:2:something new");
    let mut lost = Fixture::accept(2);
    let marker = format!("\0qc:blob:1:{}:20000", "ab".repeat(32));
    lost.event.body = Bytes::from(marker);
    for accept in [newer, lost] {
        let write = Write::Accept(Box::new(accept));
        world.raw.write(vec![write]).await.unwrap();
    }
    for n in [1, 2] {
        let told = world.store.event(Fixture::run(n)).await;
        assert!(matches!(told, Err(StoreError::Corrupt(_))), "{told:?}");
    }
}

/// A repeat leaves nothing behind, and a body whose key has just ended may stand in its row.
#[tokio::test]
async fn of_a_repeat_nothing_lies_among_the_blobs() {
    let world = world();
    let keyed = |n| {
        let mut accept = Fixture::keyed(n, "k", 1);
        accept.event.body = body(SPILL_BYTES + 1, 4);
        accept
    };
    world.committer.accept(keyed(1)).await.unwrap();
    let repeated = world.committer.accept(keyed(2)).await.unwrap();
    let expected = crate::AcceptOutcome::Duplicate { run: Fixture::run(1), same_body: true };
    assert_eq!(repeated, expected);
    let there = |run| -> crate::blobs::Asked<'_> {
        let raw = world.raw.clone();
        Box::pin(async move { Ok(raw.run(run).await?.is_some()) })
    };
    let swept = world.blobs.sweep(Timestamp::from_millis(i64::MAX), &there).await.unwrap();
    assert_eq!(swept, crate::blobs::Swept::default());
    assert_eq!(whole_body(&world, 1).await, body(SPILL_BYTES + 1, 4));
}
